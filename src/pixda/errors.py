"""The one error a user is meant to read: what is wrong, where, what to do."""


class UserError(Exception):
    """Wrong input. Its text is a single readable line; commands print it without a traceback."""
