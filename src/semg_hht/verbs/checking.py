"""`check`: problems of a data folder, found before training."""

from __future__ import annotations

from pathlib import Path

from semg_hht.audit import ADVICE, SEVERITIES, Finding
from semg_hht.audit.check import CheckResult, check_data
from semg_hht.verbs.work import Work

__all__ = ["ADVICE", "SEVERITIES", "CheckResult", "Finding", "check"]


def check(data: str | Path, split: str | Path | None = None, *, work: Work = Work()) -> CheckResult:
    """Find problems before training: unreadable files, copies, leaks between the parts of a split.

    Parameters
    ----------
    data : a folder of matrices or recordings, a manifest.csv, or a run.
    split : a run, or its split.json, to compare with the data.

    Raises
    ------
    InputError
        ``data`` does not exist or holds nothing to check, or a manifest or split can't be read.

    Examples
    --------
    >>> import semg_hht as sh
    >>> found = sh.check(sh.samples.MANIFEST)
    >>> found.n_files, found.count("error")
    (6, 0)
    """
    return check_data(Path(data), None if split is None else Path(split), track=work.track)
