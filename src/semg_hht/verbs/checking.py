"""`check`: problems of a data folder, found before training."""

from __future__ import annotations

from pathlib import Path

from semg_hht.audit import ADVICE, SEVERITIES, Finding
from semg_hht.audit.check import CheckResult, check_data
from semg_hht.datasets.given_inputs import Data
from semg_hht.system.arguments import checked
from semg_hht.verbs.work import Work

__all__ = ["ADVICE", "SEVERITIES", "CheckResult", "Finding", "check"]


@checked
def check(
    data: Data,
    split: str | Path | None = None,
    *,
    rate_hz: float | None = None,
    units: str = "",
    work: Work = Work(),
) -> CheckResult:
    """Find problems before training: unreadable files, copies, leaks between the parts of a split.

    Parameters
    ----------
    data : a folder of matrices or recordings, a manifest.csv, or a run, as a path; a `Recording`, an array (n_channels,
        n_samples), a DataFrame of samples or an ``mne.io.Raw``; a result of `segment`, `label` or `prepare`; or a list
        of all but runs.
    split : a run, or its split.json, to compare with the data.
    rate_hz, units : of recordings that do not state them.

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
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> [found.what for found in sh.check([recording, recording])].count("duplicate")
    1
    """
    return check_data(data, None if split is None else Path(split), rate_hz=rate_hz, units=units, track=work.track)
