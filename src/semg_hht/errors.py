"""Exceptions for errors that a user can fix. The text states the file, what was found and what was expected."""


class InputError(ValueError):
    """Invalid input from the user. The command line prints the text without a traceback.

    Examples
    --------
    >>> import semg_hht as sh
    >>> try:
    ...     sh.read_recording("missing.csv")
    ... except sh.InputError as error:
    ...     print(error)
    missing.csv: no such file
    """


class RateUnknown(InputError):
    """A recording does not state its sampling rate. The web page asks for it."""


class TimesUneven(RateUnknown):
    """The times of the samples give no rate. A stated rate makes them unnecessary, so the web page asks for it."""


class NoRepetition(InputError):
    """No repetition was found in a recording. Predictions offer to take the recording as one."""


class WriteError(InputError):
    """A result can't be written (full disk, no permission). It stops the work: no single recording is at fault."""


def missing_library(what: str, error: ImportError, extra: str) -> InputError:
    """The error of an import: the missing package and the extra that installs it, or why an installed one fails."""
    if error.name is None:  # a package that is installed refuses to be imported, and says why
        return InputError(f"{what} can't start: {error}")
    return InputError(f"{what} needs {error.name}: pip install 'semg-hht[{extra}]'")
