"""The errors a user is meant to read: what is wrong, where, what to do."""


class UserError(Exception):
    """Wrong input. Its text is a single readable line; commands print it without a traceback."""


class Resumable(UserError):
    """A run ended before its time and can go on; commands print the command that does it below the line."""
