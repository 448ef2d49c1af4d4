"""The exceptions a user causes: their text is a full sentence for them, with the file, what was found and expected."""


class InputError(ValueError):
    """Something a user gave can't be used. The command line prints the text and no traceback."""


class RateUnknown(InputError):
    """A recording that does not say how many samples a second it holds: the one thing that can be asked for."""
