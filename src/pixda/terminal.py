"""Output to a terminal, a file or a notebook."""

from rich.console import Console

_quiet = False


def be_quiet() -> None:
    """Suppress all output from now on (ranks other than 0)."""
    global _quiet
    _quiet = True


def console(stderr: bool = False) -> Console:
    """A console for text, tables and bars; in a notebook it gives plain lines, without colours and widgets.

    Args:
        stderr: write to the standard error; a notebook, which would frame that in red, gets it as the rest.
    """
    if Console().is_jupyter:
        return Console(highlight=False, markup=False, force_jupyter=False, force_terminal=False, width=100)
    # No markup: names of classes, files and runs are printed, and "[/x]" in one of them is no style.
    return Console(stderr=stderr, highlight=False, markup=False, quiet=_quiet)
