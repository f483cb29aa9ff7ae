"""The errors a user is meant to read: what is wrong, where, what to do."""


class UserError(Exception):
    """Wrong input. Its text is a single readable line; commands print it without a traceback."""


class Resumable(UserError):
    """A run ended before its time and can go on; commands print the command that does it below the line."""


class OnlyHere(Resumable):
    """What one process has met, such as a file that cannot be read; of several, that one says so."""


class SaidElsewhere(UserError):
    """A mistake that the first of several processes says for all; the others end without a word."""
