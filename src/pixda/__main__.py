"""The command line: ``pixda COMMAND [options]``."""

import sys
from collections.abc import Sequence

from pixda import __version__
from pixda.commands import COMMANDS
from pixda.errors import SaidElsewhere, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code. A mistake is printed as one line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(_summary())
        return 0
    if words[0] == "--version":
        print(f"pixda {__version__}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise UserError(f"There is no command '{words[0]}'; choose one of {', '.join(COMMANDS)}.")
        COMMANDS[words[0]](words[1:])
    except KeyboardInterrupt:
        print("pixda: stopped.", file=sys.stderr)
        return 130
    except SaidElsewhere:
        return 1
    except Exception as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        if not isinstance(error, UserError):
            text = f"{type(error).__name__}: {text[:500]} (add --debug to see where)"
        print(f"pixda: {text}", file=sys.stderr)
        return 1
    return 0


def _summary() -> str:
    lines = [f"  pixda {name:10} {(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items()]
    return "\n".join(
        [
            "Few-shot domain adaptation for semantic segmentation: many labelled synthetic street images, a handful of",
            "real ones.",
            "",
            "commands:",
            *lines,
            "",
            "A command's options: add --help. The traceback of an error: add --debug.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
