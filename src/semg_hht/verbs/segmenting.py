"""`segment`: the repetitions of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.replaced_table import ReplacedTable
from semg_hht.datasets.segment import Pictures, Segmented, with_events
from semg_hht.datasets.segment import segment as segment_jobs
from semg_hht.recordings.events import Event
from semg_hht.recordings.mne_raw import event_list
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.arguments import checked
from semg_hht.system.files import require_suffix
from semg_hht.verbs.work import Work

__all__ = ["Pictures", "SegmentOptions", "segment"]


@checked
@dataclass(frozen=True)
class SegmentOptions:
    """What `segment` searches and draws.

    channels : to search, by name or number; empty: all EMG channels.
    events : intervals that state the repetitions: a file, a folder of files, an ``mne.Annotations``, or a sequence of
        (start_s, stop_s) or (start_s, stop_s, label).
    filters : of the EMG before it is searched.
    pictures : drawn next to the table, where one is written.
    overwrite : replace an existing table; labels whose times still fit stay, and the table before is kept as
        ``reps_old.csv``.

    Examples
    --------
    >>> import semg_hht as sh
    >>> stated = sh.SegmentOptions(events=[(1.5, 4.0), (5.5, 8.0, "supinated")])
    >>> [row.movement for row in sh.segment(sh.samples.recordings()["P30_supinated"], options=stated)]
    ['', 'supinated']
    """

    channels: Sequence[str] = ()
    events: str | Path | Sequence[Event] | Any | None = None
    filters: FilterConfig = FilterConfig()
    pictures: Pictures = Pictures()
    overwrite: bool = False


@checked
def segment(
    data: Data,
    out: str | Path | None = None,
    *,
    rate_hz: float | None = None,
    units: str = "",
    config: SegmentConfig = SegmentConfig(),
    options: SegmentOptions = SegmentOptions(),
    work: Work = Work(),
) -> Segmented:
    """Find the repetitions of recordings.

    Parameters
    ----------
    data : a recording, a folder or a manifest.csv as a path; a `Recording`, an array (n_channels, n_samples), a
        DataFrame of samples or an ``mne.io.Raw``; or a list of these.
    out : table to write, with pictures next to it; None: nothing is written.
    rate_hz, units : of recordings that do not state them.
    config : how activity becomes repetitions.

    Returns
    -------
    One row for each repetition, with ``start_s`` and ``stop_s``. The next verb takes the result as it is, or its
    ``to_dataframe()`` after you edited it.

    Raises
    ------
    InputError
        ``out`` exists or is no .csv, no recording could be used, or no repetition was found.

    Examples
    --------
    >>> import semg_hht as sh
    >>> repetitions = sh.segment(sh.samples.recordings()["P30_supinated"])
    >>> len(repetitions), repetitions[0].start_s
    (11, 1.69)
    >>> table = repetitions.to_dataframe()
    >>> list(table.columns[:4])
    ['file', 'subject', 'session', 'repetition']
    """
    table = None if out is None else Path(out)
    if table is not None:
        require_suffix(table, ".csv")
    jobs = jobs_of(data, rate_hz=rate_hz, units=units, channels=options.channels)
    events = options.events
    if events is not None:
        events = Path(events) if isinstance(events, (str, Path)) else event_list(events)
    replaced = ReplacedTable.read(table) if table is not None and options.overwrite and table.exists() else None
    return segment_jobs(
        with_events(jobs, events),
        replaced or table,
        config,
        options.filters,
        pictures=options.pictures,
        n_jobs=work.n_jobs,
        track=work.track,
    )
