"""The one exception a user causes: its text is a full sentence for them, with the file, what was found and expected."""


class InputError(ValueError):
    """Something a user gave can't be used. The command line prints the text and no traceback."""
