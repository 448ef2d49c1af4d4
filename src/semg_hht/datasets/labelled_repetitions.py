"""Read labelled recordings into arrays of filtered repetitions, with their labels and people, for scikit-learn.

It knows manifests and recordings. It does not know estimators.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.segment import open_segmented
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Job, collect, for_each
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetition_stack import stack_repetitions
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.arguments import checked

log = logging.getLogger(__name__)

TASK = "action_quality"  # whose labels are taken: the column movement


@dataclass(frozen=True, repr=False)
class RepetitionArrays:
    """Filtered repetitions as arrays, one row for each.

    X : (n_repetitions, n_channels, n_samples) in microvolts, else in the device's unit; NaN after the end of those that
        are shorter than the longest.
    y : (n_repetitions,) labels; empty: not labelled.
    groups : (n_repetitions,) people; where a person is not known, the recording.
    files : (n_repetitions,) recordings, as the manifest names them.
    rate_hz : samples per second.
    channel_names : of the first recording.

    Examples
    --------
    >>> import semg_hht as sh
    >>> from semg_hht.datasets.labelled_repetitions import read_repetitions
    >>> whole = read_repetitions(sh.samples.recordings()["P30_supinated"])  # as one repetition
    >>> len(whole.X), whole.groups.tolist(), whole.channel_names
    (1, ['P30_supinated.mat'], ('BicepsBrachi', 'Brachioradialis'))
    """

    X: NDArray[np.float64]
    y: NDArray[np.str_]
    groups: NDArray[np.str_]
    files: NDArray[np.str_]
    rate_hz: float
    channel_names: tuple[str, ...]

    def __repr__(self) -> str:
        counts = Counter(self.y.tolist())
        labels = ", ".join(f"{counts[name]} {name or 'without a label'}" for name in sorted(counts))
        return (
            f"<RepetitionArrays: X {self.X.shape} at {self.rate_hz:g} Hz, y {labels}, {len(set(self.groups))} groups>"
        )


@checked
def read_repetitions(
    path: str | Path,
    *,
    task: str = TASK,
    filters: FilterConfig | None = None,
    segmentation: SegmentConfig | None = None,
    rate_hz: float | None = None,
    n_jobs: int = 1,
) -> RepetitionArrays:
    """Read the recordings of a manifest, a folder or a file, filter them and cut their repetitions.

    A recording that can't be used is left out, with a warning.

    Parameters
    ----------
    task : ``action_quality`` (the labels of the column ``movement``) or ``gender``.
    filters : None: 20 to 450 Hz and a notch where mains hum is found.
    segmentation : how to find the repetitions of recordings whose rows state no times; None: such a recording is one
        repetition.
    rate_hz : for recordings that do not state it.

    Raises
    ------
    InputError
        No recording can be used, or they differ in their rates or numbers of channels.

    Examples
    --------
    >>> import semg_hht as sh
    >>> from semg_hht.datasets.labelled_repetitions import read_repetitions
    >>> data = read_repetitions(sh.samples.MANIFEST, segmentation=sh.SegmentConfig())
    >>> data.X.ndim, data.rate_hz, sorted(set(data.y.tolist())), sorted(set(data.groups.tolist()))
    (3, 2000.0, ['neutral', 'supinated'], ['P04', 'P06', 'P30'])
    """
    jobs = find_jobs(Path(path), rate_hz=rate_hz)
    results = for_each(_cut, jobs, filters or FilterConfig(), segmentation, task, n_jobs=n_jobs)
    found, failures = collect(results)
    for failure in failures:
        log.warning("%s was left out; %s", failure.file, failure.reason)
    rates = sorted({of_recording.rate_hz for of_recording in found})
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g} Hz" for rate in rates)
        raise InputError(f"{path}: expected recordings of one rate; found {listed}")
    cut = [repetition for of_recording in found for repetition in of_recording.repetitions]
    counts = sorted({len(repetition.samples) for repetition in cut})
    if len(counts) > 1:
        raise InputError(
            f"{path}: expected recordings with the same number of channels; found {', '.join(map(str, counts))} "
            "(a column 'channels' of the manifest chooses some)"
        )
    return RepetitionArrays(
        stack_repetitions([repetition.samples for repetition in cut]),
        np.array([repetition.label for repetition in cut]),
        np.array([repetition.person for repetition in cut]),
        np.array([repetition.file for repetition in cut]),
        rates[0],
        found[0].channel_names,
    )


@dataclass(frozen=True)
class _CutRepetition:
    samples: NDArray[np.float64]
    label: str
    person: str
    file: str


@dataclass(frozen=True)
class _CutRecording:
    repetitions: tuple[_CutRepetition, ...]
    rate_hz: float
    channel_names: tuple[str, ...]


def _cut(
    job: Job, _: int | None, filters: FilterConfig, segmentation: SegmentConfig | None, task: str
) -> _CutRecording:
    source = open_segmented(job, filters, segmentation)
    rows = list(source.scaled_repetitions())
    repetitions = tuple(
        _CutRepetition(repetition.samples, row.label(task), row.subject or job.file, job.file)
        for row, repetition in rows
    )
    return _CutRecording(repetitions, source.raw.rate_hz, rows[0][1].channel_names)
