"""The one error a user is meant to read: what is wrong, where, what to do."""


class UserError(Exception):
    """Wrong input. Its text is a single readable line; commands print it without a traceback."""


class UnreadableFile(UserError):
    """A file could not be read while training; of several processes, the one that needed it says so."""


class SaidElsewhere(UserError):
    """A mistake that the first of several processes says for all; the others end without a word."""
