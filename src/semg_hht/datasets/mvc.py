"""Reference amplitudes: the amplitude that counts as 1, for scalings that keep effort comparable between people.

Which reference a recording gets:

1. References are grouped by subject. A recording that names no subject is a subject of its own; if the references are
   maximal contractions of one subject only, it takes the references of that subject.
2. Groups are divided further by muscle, and then by motion (columns ``muscle`` and ``motion``), as the effort of a grip
   says nothing about that of turning the wrist. A column is used only if every recording states exactly one value and
   finds references of its subject with that value.
3. For ``subject``, recordings of a group whose unit is no voltage and whose amplitudes differ more than contractions
   do (`MAX_RATIO`) are of several units or gains: each unit has a reference of its own, and a warning names them.
4. The repetitions of a group give one reference per channel: the largest RMS over 0.5 s (``mvc``), so that rest in the
   recording of a maximal contraction does not lower it, or the root of the mean power (``subject``).

It knows rows and amplitudes. It does not know spectra.
"""

from __future__ import annotations

import itertools
import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.segment import open_segmented
from semg_hht.errors import InputError
from semg_hht.matrices.scaling import WITH_REFERENCE
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Failure, Job, Reference, for_each
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.spelling import spelling_key
from semg_hht.signals.features import loudest_rms, rms
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig, cut_repetition

log = logging.getLogger(__name__)

GROUP_COLUMNS = ("muscle", "motion")
MAX_RATIO = 60.0  # between recordings of a person; a weak and a maximal contraction differ by 10 or 20
_MAXIMAL = re.compile(r"mvi?c|max|最大", re.IGNORECASE)  # in the name of a maximal voluntary contraction
NONE = Reference({}, True)
_Group = tuple[str, ...]  # subject, and the value of each column of a `_Grouping`


def with_references(
    jobs: list[Job],
    config: PipelineConfig,
    references: Data | None,
    *,
    segmentation: SegmentConfig | None = None,
    n_jobs: int = -1,
) -> list[Job]:
    """Give each job the reference amplitudes that its scaling needs.

    For ``mvc`` they come from the maximal contractions in the manifest ``references``; for ``subject``, from ``jobs``
    themselves. The docstring of this module says which reference a job gets. A job without a reference is not an error
    here: it becomes a failure when it is transformed, and the others are processed.

    Raises
    ------
    InputError
        ``mvc`` without references, references without ``mvc``, or a reference that can't be read.
    """
    is_mvc = config.scaling == "mvc"
    if is_mvc != (references is not None):
        raise InputError(
            f"scaling 'mvc' and references=... go together; got scaling {config.scaling!r} and "
            f"{'no references' if references is None else references}"
        )
    if config.scaling not in WITH_REFERENCE:
        return jobs
    sources = jobs
    if references is not None:
        sources = jobs_of(references)
        segmentation = None  # a row of the manifest is one contraction
        _warn_if_not_maximal(sources, jobs, references)
    grouping = _grouping(sources, jobs, is_mvc)
    amplitudes: dict[_Group, dict[Path, list[_Amplitudes]]] = {}
    results = for_each(_measure_amplitudes, sources, config.filter, segmentation, is_mvc, n_jobs=n_jobs)
    for job, result in zip(sources, results, strict=True):
        if isinstance(result, Failure):
            if is_mvc:
                raise InputError(result.reason)
            continue  # the recording becomes a failure when it is transformed
        for measured in result:
            amplitudes.setdefault(grouping.group_of(job, measured.row), {}).setdefault(job.path, []).append(measured)
    if is_mvc:
        of_group = {group: _pool(sum(of_path.values(), []), is_mvc) for group, of_path in amplitudes.items()}
        return [replace(job, reference=of_group.get(grouping.group_of(job, job.rows[0]), NONE)) for job in jobs]
    of_recording: dict[tuple[_Group, Path], Reference] = {}
    for group, of_path in amplitudes.items():
        for alike in _alike_in_amplitude(of_path):
            reference = _pool([measured for path in alike for measured in of_path[path]], is_mvc)
            of_recording |= {(group, path): reference for path in alike}
    return [
        replace(job, reference=of_recording.get((grouping.group_of(job, job.rows[0]), job.path), NONE)) for job in jobs
    ]


def _alike_in_amplitude(of_path: dict[Path, list[_Amplitudes]]) -> list[list[Path]]:
    """The recordings of a group, divided where the next louder one is louder by more than `MAX_RATIO`.

    Amplitudes in volts are not divided: they are of one unit, and a quiet recording is one of rest.
    """
    if any(own.in_microvolts for measured in of_path.values() for own in measured):
        return [list(of_path)]
    level = {
        path: float(np.sqrt(np.mean([np.square(list(own.rms.values())).mean() for own in measured])))
        for path, measured in of_path.items()
    }
    groups: list[list[Path]] = []
    for path in sorted(of_path, key=level.__getitem__):
        if groups and level[path] <= MAX_RATIO * level[groups[-1][-1]]:
            groups[-1].append(path)
        else:
            groups.append([path])
    for quiet, loud in itertools.pairwise(groups):
        if level[quiet[-1]] > 0:
            log.warning(
                "%s: %.3g times as loud as %s of the same person; expected the same unit and gain, so each is compared "
                "with its own amplitude alone",
                loud[0], level[loud[0]] / level[quiet[-1]], quiet[-1].name,
            )  # fmt: skip
    return groups


def _warn_if_not_maximal(sources: list[Job], jobs: list[Job], references: Data) -> None:
    """Warn if the names or movements of the references are not those of maximal contractions."""
    rows = [row for job in sources for row in job.rows]
    if any(_MAXIMAL.search(f"{row.movement} {row.file}") for row in rows):
        return
    movements = sorted({row.movement for row in rows} - {""})
    job_paths = {job.path.resolve() for job in jobs}
    if movements:
        reason = f"their movement is {', '.join(movements[:5])}{' ...' if len(movements) > 5 else ''}"
    elif all(job.path.resolve() in job_paths for job in sources):
        reason = "they are the recordings themselves"
    else:
        return
    log.warning("%s: each recording in it was taken as a maximal contraction, but %s", references, reason)


@dataclass(frozen=True)
class _Amplitudes:
    """RMS of each channel over one repetition; in microvolts, or in the device's own unit."""

    row: ManifestRow
    rms: dict[str, float]
    in_microvolts: bool


@dataclass(frozen=True)
class _Grouping:
    """How recordings are grouped: by subject, and by the values of ``columns``. Spellings of one name are one value.

    default_subject : subject of recordings that name none; empty: each of them is a subject of its own.
    """

    columns: tuple[str, ...]
    default_subject: str

    def group_of(self, job: Job, row: ManifestRow) -> _Group:
        return (_subject(job, self.default_subject), *(_value(row, column) for column in self.columns))


def _subject(job: Job, default: str = "") -> str:
    return spelling_key(job.rows[0].subject) or default or f"file {job.path}"


def _value(row: ManifestRow, column: str) -> str:
    return spelling_key(row.muscle if column == "muscle" else row.extra.get(column, ""))


def _grouping(sources: list[Job], jobs: list[Job], is_mvc: bool) -> _Grouping:
    """The most columns with which each of ``jobs`` finds references among ``sources``."""
    subjects = {_subject(job) for job in sources}
    grouping = _Grouping((), subjects.pop() if is_mvc and len(subjects) == 1 else "")
    for column in GROUP_COLUMNS:
        values = [{_value(row, column) for row in job.rows} for job in jobs]
        finer = replace(grouping, columns=(*grouping.columns, column))
        offered = {finer.group_of(job, row) for job in sources for row in job.rows}
        needed = {finer.group_of(job, row) for job in jobs for row in job.rows}
        if all(len(stated) == 1 and "" not in stated for stated in values) and needed <= offered:
            grouping = finer
    return grouping


def _pool(measured: list[_Amplitudes], is_mvc: bool) -> Reference:
    """The largest amplitude of each channel, or the root of the mean power."""
    by_channel: dict[str, list[float]] = {}
    for amplitudes in measured:
        for channel, value in amplitudes.rms.items():
            by_channel.setdefault(channel, []).append(value)
    pooled = {
        channel: max(values) if is_mvc else float(np.sqrt(np.mean(np.square(values))))
        for channel, values in sorted(by_channel.items())
    }
    kinds = {amplitudes.in_microvolts for amplitudes in measured}
    return Reference(pooled, kinds.pop() if len(kinds) == 1 else None)


def _measure_amplitudes(
    job: Job, _: int | None, filters: FilterConfig, segmentation: SegmentConfig | None, is_mvc: bool
) -> list[_Amplitudes]:
    """The amplitudes of each repetition of a recording, on the channels of its row."""
    source = open_segmented(job, filters, segmentation)
    factor = source.raw.microvolts_per_unit
    measured = []
    for row in source.job.rows:
        chosen = source.channels_of(row)
        samples = cut_repetition(chosen, row.start_s, row.stop_s).cut(chosen.samples)
        levels = (loudest_rms(samples, chosen.rate_hz) if is_mvc else rms(samples)) * (factor or 1.0)
        by_channel = dict(zip(chosen.channel_names, levels.tolist(), strict=True))
        measured.append(_Amplitudes(row, by_channel, factor is not None))
    return measured
