"""Exceptions for what a user can mend. The text is a full sentence: the file, what was found, what was expected."""


class InputError(ValueError):
    """Something a user gave can't be used. The command line prints the text and no traceback."""


class RateUnknown(InputError):
    """A recording does not state its sampling rate. The web page asks for it."""


class WriteError(InputError):
    """A result can't be written (full disk, no permission). It stops the work: no single recording is at fault."""
