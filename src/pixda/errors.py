"""The errors a user is meant to read: what is wrong, where, what to do."""


class UserError(Exception):
    """Wrong input. Its text is a single readable line; commands print it without a traceback."""


class Resumable(UserError):
    """A run ended before its time and can go on; commands print the command that does it below the line."""


class OnlyHere(Resumable):
    """An error of one process alone, such as a file it cannot read: that process reports it."""


class SaidElsewhere(UserError):
    """An error that rank 0 reports for all processes; the others end silently."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for a sentence; its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
