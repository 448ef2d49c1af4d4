"""Reference amplitudes: what 1 is, for scalings that keep effort visible across people.

Knows subjects and amplitudes: nothing of spectra.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.segment import open_segmented
from semg_hht.errors import InputError
from semg_hht.matrices.scaling import WITH_REFERENCE
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Failure, Job, Reference, for_each
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.signals.features import rms
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig, cut_repetition

log = logging.getLogger(__name__)

KINDS = ("muscle", "motion")
_MAXIMAL = re.compile(r"mvi?c|max|最大", re.IGNORECASE)  # how people call a maximal voluntary contraction
_Kind = tuple[str, ...]  # subject, and what of the above tells references apart


def with_references(
    jobs: list[Job],
    config: PipelineConfig,
    references: Path | None,
    *,
    segmentation: SegmentConfig | None = None,
    n_jobs: int = -1,
) -> list[Job]:
    """Give each job the amplitudes its scaling needs.

    ``mvc``: for each subject and channel the largest RMS over that subject's recordings in the manifest ``references``
    (maximal contractions). ``subject``: the root of the mean power over the subject's own recordings among ``jobs``.
    A reference is of the same muscle and the same motion (columns ``muscle`` and ``motion``) where every recording has
    one that is: the effort of a grip says nothing of that of a turn of the wrist.

    Raises
    ------
    InputError
        ``mvc`` without references, references without ``mvc``, or a reference that can't be read.
    """
    if (config.scaling == "mvc") != (references is not None):
        raise InputError(
            f"scaling 'mvc' and --references go together; got scaling {config.scaling!r} and "
            f"{'no references' if references is None else references}"
        )
    if config.scaling not in WITH_REFERENCE:
        return jobs
    sources = jobs if references is None else find_jobs(references)
    largest = references is not None
    own = None if largest else segmentation  # a maximal contraction is one row of its manifest
    if references is not None:
        _warn_of_no_maxima(sources, jobs, references)
    people = {_who(job) for job in sources}
    # Contractions of one person, recordings that don't say whose: theirs.
    only = next(iter(people)) if references is not None and len(people) == 1 else ""
    alike = _columns_alike(sources, jobs, only)
    levels: dict[_Kind, list[_Levels]] = {}
    for job, found in zip(sources, for_each(_levels, sources, config.filter, own, n_jobs=n_jobs), strict=True):
        # A recording that can't be read is reported when its own turn comes; a broken reference is an error now.
        if isinstance(found, Failure):
            if largest:
                raise InputError(found.reason)
            continue
        for level in found:
            levels.setdefault(_kind(job, level.row, alike), []).append(level)
    amplitudes = {who: _pooled(of_person, largest) for who, of_person in levels.items()}
    # Without one the recording is listed as a failure when its turn comes; the others go on.
    return [
        replace(job, reference=amplitudes.get(_kind(job, job.rows[0], alike, only), Reference({}, True)))
        for job in jobs
    ]


def _warn_of_no_maxima(sources: list[Job], jobs: list[Job], references: Path) -> None:
    """Say so where nothing tells that ``references`` are maximal contractions, and something that they are not."""
    rows = [row for job in sources for row in job.rows]
    if any(_MAXIMAL.search(f"{row.movement} {row.file}") for row in rows):
        return
    names = sorted({row.movement for row in rows} - {""})
    own = {job.path.resolve() for job in jobs}
    if names:
        why = f"their movement is {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
    elif all(job.path.resolve() in own for job in sources):
        why = "they are the recordings themselves"
    else:
        return
    log.warning("%s: each recording in it was taken as a maximal contraction, though %s", references, why)


@dataclass(frozen=True)
class _Levels:
    """Root mean square of each channel over one interval; in microvolts, or in a device's own units."""

    row: ManifestRow
    rms: dict[str, float]
    in_microvolts: bool


def _who(job: Job) -> str:
    """The subject; a recording of nobody known stands for itself."""
    return job.rows[0].subject or f"file {job.path}"


def _columns_alike(sources: list[Job], jobs: list[Job], only: str) -> tuple[str, ...]:
    """Which of muscle and motion tell references apart: those in which each recording finds one of its own kind."""
    chosen: tuple[str, ...] = ()
    for column in KINDS:
        tried = (*chosen, column)
        there = {_kind(job, row, tried) for job in sources for row in job.rows}
        asked = {_kind(job, row, tried, only) for job in jobs for row in job.rows}
        one_each = all(len({_stated(row, column) for row in job.rows}) == 1 for job in jobs)
        if one_each and asked <= there and "" not in {_stated(row, column) for job in jobs for row in job.rows}:
            chosen = tried
    return chosen


def _stated(row: ManifestRow, column: str) -> str:
    return row.muscle if column == "muscle" else row.extra.get(column, "")


def _kind(job: Job, row: ManifestRow, columns: tuple[str, ...], only: str = "") -> _Kind:
    """Whose, and of what, a level is; of nobody who is named: of the only person there is."""
    who = only if only and not job.rows[0].subject else _who(job)
    return (who, *(_stated(row, column) for column in columns))


def _pooled(levels: list[_Levels], largest: bool) -> Reference:
    """The largest level of each channel, or the root of the mean power."""
    by_channel: dict[str, list[float]] = {}
    for level in levels:
        for channel, value in level.rms.items():
            by_channel.setdefault(channel, []).append(value)
    pooled = {
        channel: max(values) if largest else float(np.sqrt(np.mean(np.square(values))))
        for channel, values in sorted(by_channel.items())
    }
    return Reference(pooled, all(level.in_microvolts for level in levels))


def _levels(job: Job, _: int | None, filters: FilterConfig, segmentation: SegmentConfig | None) -> list[_Levels]:
    """The levels of each repetition of a recording: its interval, its channels."""
    source = open_segmented(job, filters, segmentation)
    factor = source.raw.microvolts_per_unit
    found = []
    for row in source.job.rows:
        chosen = source.filtered.select(row.channels)
        levels = rms(cut_repetition(chosen, row.start_s, row.stop_s).cut(chosen.samples)) * (factor or 1.0)
        amplitudes = dict(zip(chosen.channel_names, levels.tolist(), strict=True))
        found.append(_Levels(row, amplitudes, factor is not None))
    return found
