"""Exceptions for errors that a user can fix. The text states the file, what was found and what was expected."""


class InputError(ValueError):
    """Invalid input from the user. The command line prints the text without a traceback."""


class RateUnknown(InputError):
    """A recording does not state its sampling rate. The web page asks for it."""


class WriteError(InputError):
    """A result can't be written (full disk, no permission). It stops the work: no single recording is at fault."""
