"""The command line: ``pixda COMMAND [options]``."""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from pixda import __version__
from pixda.commands import COMMANDS
from pixda.errors import Resumable, SaidElsewhere, UserError
from pixda.words import did_you_mean

_RESUMED = ("train", "validate")
"""Commands that go on with --resume true; the others do so by themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code. A mistake is printed as one line."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has seen enough: pixda configs | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at its end
        return 128 + signal.SIGPIPE  # as a shell says it
    return code


def _run(arguments: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names may hold what the terminal's encoding has no letter for
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(_summary())
        return 0
    if words[0] == "--version":
        print(f"pixda {__version__}")
        return 0
    # Where no run has anything to save, SIGTERM ends like Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if words[0] not in COMMANDS:
            raise UserError(
                f"There is no command '{words[0]}'; choose one of {', '.join(COMMANDS)}."
                f"{did_you_mean(words[0], COMMANDS)}"
            )
        COMMANDS[words[0]](words[1:])
    except KeyboardInterrupt:
        print("pixda: stopped.", file=sys.stderr)
        if words[0] in _RESUMED:
            print(_again(words), file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except SaidElsewhere:
        return 1
    except Exception as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        if not isinstance(error, UserError):
            text = f"{type(error).__name__}: {text[:500]} (add --debug to see where)"
        print(f"pixda: {text}", file=sys.stderr)
        if isinstance(error, Resumable):
            print(_again(words), file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _again(words: Sequence[str]) -> str:
    """The command that goes on, to be copied into a shell."""
    script = Path(sys.argv[0])
    program = [sys.argv[0]] if script.stem == "pixda" else [sys.executable, "-m", "pixda"]
    resume = words[0] in _RESUMED and "--resume=true" not in words and "--resume true" not in " ".join(words)
    return shlex.join([*program, *words, *(["--resume", "true"] if resume else [])])


def _summary() -> str:
    lines = [f"  pixda {name:10} {(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items()]
    return "\n".join(
        [
            "From many labelled synthetic street images and a handful of labelled real ones to a segmentation network",
            "for the real world.",
            "",
            "commands:",
            *lines,
            "",
            "A command's options: add --help. The traceback of an error: add --debug.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
