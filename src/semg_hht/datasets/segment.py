"""Recordings -> a table of repetitions that a person can check and edit, and a picture of each recording beside it.

Knows tables and files: what a repetition is stands in `signals/repetitions.py`. The table is a manifest, so `prepare`,
`train` and `predict` take it, edited or not, as they take any other.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from semg_hht.errors import InputError
from semg_hht.matrices.transform import Failure, Job, Remark, for_each, read_job
from semg_hht.recordings.events import Event, read_events
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.quality import doubts_of_rate
from semg_hht.recordings.recording import Array, Recording
from semg_hht.signals.features import power_spectrum, rms
from semg_hht.signals.filters import FilterConfig, filter_steps
from semg_hht.signals.repetitions import Repetition, SegmentConfig, cut_repetition, repetitions_in
from semg_hht.system.files import write_text
from semg_hht.system.progress import Track, untracked

SHORT_S = 0.1
MANY_SHORT = 3
# Of a recording with several rows, what they share holds for each repetition.
_SHARED = ("subject", "session", "muscle", "movement", "gender")


@dataclass(frozen=True)
class Segmented:
    """What `segment` wrote. ``pictures`` is None where none were asked for."""

    table: Path
    pictures: Path | None
    n_recordings: int
    n_repetitions: int
    empty: tuple[str, ...]  # recordings in which nothing was found
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]


def segment(
    jobs: list[Job],
    out: Path,
    config: SegmentConfig,
    filters: FilterConfig,
    *,
    events: Path | None = None,
    pictures: bool = True,
    filter_pictures: bool = False,
    n_jobs: int = -1,
    track: Track = untracked,
) -> Segmented:
    """Write the table ``out`` and, with ``pictures``, a folder of PNGs beside it.

    Parameters
    ----------
    filter_pictures : draw what each step of filtering does too (``*_filters.png``).
    events : intervals or clicks to go by instead of the signal alone; a file, or for several recordings a folder with
        a file of the same stem for each.

    Raises
    ------
    InputError
        ``out`` exists: somebody may have edited it. Or no recording could be used, or no repetition was found.
    """
    if out.exists():
        raise InputError(f"{out}: exists already and may have been edited; name another file, or remove this one")
    folder = out.with_name(f"{out.stem}_pictures") if pictures or filter_pictures else None
    drawing = None if folder is None else _Pictures(folder, pictures, filter_pictures)
    own_events = _events_of(jobs, events)
    results = for_each(_segment_one, jobs, config, filters, own_events, out.parent, drawing, n_jobs=n_jobs)
    rows: list[ManifestRow] = []
    empty: list[str] = []
    failures: list[Failure] = []
    remarks: list[Remark] = []
    for job, result in zip(jobs, track(results, len(jobs), "looking for repetitions"), strict=True):
        if isinstance(result, Failure):
            failures.append(result)
            continue
        remarks += [Remark(job.rows[0].file, text) for text in result.remarks]
        rows += result.rows
        if not result.rows:
            empty.append(job.rows[0].file)
    if not rows:
        if failures:
            raise InputError(f"none of {len(jobs)} recordings could be used; the first: {failures[0].reason}")
        several = f"nothing was found in {len(jobs)} recordings; the first: " if len(jobs) > 1 else ""
        raise InputError(f"{several}{jobs[0].path}: {remarks[0].text}")
    write_text(out, manifest_text(rows))
    return Segmented(
        out, folder, len(jobs) - len(failures), len(rows), tuple(empty), tuple(failures), tuple(remarks)
    )  # fmt: skip


def with_repetitions(
    jobs: list[Job], config: SegmentConfig, filters: FilterConfig, *, n_jobs: int = -1, track: Track = untracked
) -> tuple[list[Job], list[Failure]]:
    """The jobs with one row a repetition found; those that can't be used, or hold none, are failures.

    Jobs whose rows state a start or a stop keep them.
    """
    found, failures = [], []
    whole = [job for job in jobs if not _states_times(job)]
    results = for_each(_segment_one, whole, config, filters, {}, None, None, n_jobs=n_jobs)
    answers = iter(list(track(results, len(whole), "looking for repetitions")))
    for job in jobs:
        if _states_times(job):
            found.append(job)
            continue
        result = next(answers)
        if isinstance(result, Failure):
            failures.append(result)
        elif not result.rows:
            failures.append(Failure(job.rows[0].file, f"{job.path}: {result.remarks[-1]}"))
        else:
            found.append(replace(job, rows=result.rows))
    return found, failures


def _states_times(job: Job) -> bool:
    return any(row.start_s is not None or row.stop_s is not None for row in job.rows)


@dataclass(frozen=True)
class _Pictures:
    """What is to be drawn, and where."""

    folder: Path
    repetitions: bool
    filters: bool


@dataclass(frozen=True)
class _Found:
    """The rows of one recording, and what is to be known of it."""

    rows: tuple[ManifestRow, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class SegmentedRecording:
    """One recording as `segment` sees it.

    rows : one a repetition, as the table has them.
    recording : the channels that were looked at, unfiltered.
    steps : what each step of filtering made of them; the last is what was cut.
    short : activity that was left out for its length.
    """

    rows: tuple[ManifestRow, ...]
    remarks: tuple[str, ...]
    recording: Recording
    steps: list[tuple[str, Array]]
    found: list[Repetition]
    short: list[Repetition]


def look_at(
    job: Job, config: SegmentConfig, filters: FilterConfig, *, events: Path | None = None, base: Path | None = None
) -> SegmentedRecording:
    """Read and filter a recording and find its repetitions; ``base`` is the folder its file is named from.

    Raises
    ------
    InputError
        The recording can't be used; the text names the file.
    """
    recording = read_job(job)
    chosen = recording.select(_channels_of(job))
    try:
        steps = filter_steps(chosen.samples, chosen.rate_hz, filters)
    except InputError as error:
        raise InputError(f"{job.path}: {error}") from None
    samples = steps[-1][1]
    found = repetitions_in(samples, chosen.rate_hz, config)
    short = _too_short(samples, chosen.rate_hz, config, found)
    remarks = (*recording.remarks, *_remarks_on_found(short, chosen, config, found))
    stated = [Event(r.start / chosen.rate_hz, r.stop / chosen.rate_hz, "") for r in found]
    if events is not None:
        stated = read_events(events, chosen.duration_s)
        found, short = [_within(event, found, chosen) for event in stated], []
    row = _shared_row(job, chosen, base)
    rows = tuple(
        _row(row, number, repetition, event.label, repetition.cut(samples), chosen.rate_hz)
        for number, (repetition, event) in enumerate(zip(found, stated, strict=True), start=1)
    )
    return SegmentedRecording(rows, remarks, chosen, steps, found, short)


def _segment_one(
    job: Job,
    _: int | None,
    config: SegmentConfig,
    filters: FilterConfig,
    events: dict[Path, Path],
    base: Path | None,
    pictures: _Pictures | None,
) -> _Found | Failure:
    try:
        seen = look_at(job, config, filters, events=events.get(job.path), base=base)
    except InputError as error:
        return Failure(job.rows[0].file, str(error))
    if pictures is not None:
        _draw(seen.recording, seen.steps, seen.found, seen.short, pictures, job.rows[0].file)
    return _Found(seen.rows, seen.remarks)


def _too_short(samples: Array, rate_hz: float, config: SegmentConfig, found: list[Repetition]) -> list[Repetition]:
    """Activity of a tenth of a second or more that was left out for its length alone: a jump lasts a fifth."""
    if config.min_duration_s <= SHORT_S:
        return []
    shortest = round(config.min_duration_s * rate_hz)
    every = repetitions_in(samples, rate_hz, replace(config, min_duration_s=SHORT_S))
    apart = [r for r in every if all(r.stop <= other.start or r.start >= other.stop for other in found)]
    return [r for r in apart if r.stop - r.start < shortest]


def _remarks_on_found(
    short: list[Repetition], recording: Recording, config: SegmentConfig, found: list[Repetition]
) -> tuple[str, ...]:
    """That nothing was found, or that much was left out as too short; and what a doubtful rate means for the table."""
    remarks = []
    if len(short) >= max(MANY_SHORT, len(found) / 2):
        durations_s = [(r.stop - r.start) / recording.rate_hz for r in short]
        keeps_s = math.floor(100 * min(durations_s)) / 100
        remarks.append(
            f"{len(short)} activities shorter than {config.min_duration_s:g} s were left out, of "
            f"{min(durations_s):.2f} to {max(durations_s):.2f} s: --min_duration_s {keeps_s:g} keeps them"
        )
    elif not found:
        remarks.append("no repetition was found: no activity stands out of rest")
    if found and doubts_of_rate([*recording.samples], recording.rate_hz):
        remarks.append(
            f"times, durations and confidences in the table hold only if {recording.rate_hz:g} Hz is the rate"
        )
    return tuple(remarks)


def _within(event: Event, found: list[Repetition], recording: Recording) -> Repetition:
    """The interval a person stated; between two clicks only the activity found there, as a click is no exact edge."""
    stated = cut_repetition(recording, event.start_s, event.stop_s)
    inside = [r for r in found if stated.start <= (r.start + r.stop) // 2 < stated.stop] if event.is_click else []
    if not inside:
        return stated
    return Repetition(max(stated.start, inside[0].start), min(stated.stop, inside[-1].stop))


def _shared_row(job: Job, recording: Recording, base: Path | None) -> ManifestRow:
    """What holds for every repetition of a recording; its file as seen from the folder ``base``."""
    values = {name: {getattr(row, name) for row in job.rows} for name in _SHARED}
    shared = {name: found.pop() for name, found in values.items() if len(found) == 1}
    return ManifestRow(
        file=job.rows[0].file if base is None else _seen_from(base, job.path),
        channels=_channels_of(job),
        rate_hz=recording.rate_hz,
        units=recording.units,
        **shared,
    )


def _channels_of(job: Job) -> tuple[str, ...]:
    """All that any row of a recording names; empty, which is all, where one names none."""
    if not all(row.channels for row in job.rows):
        return ()
    return tuple(dict.fromkeys(channel for row in job.rows for channel in row.channels))


def _seen_from(base: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()


def _row(
    shared: ManifestRow, number: int, repetition: Repetition, label: str, samples: Array, rate_hz: float
) -> ManifestRow:
    return replace(
        shared,
        repetition=str(number),
        movement=label or shared.movement,
        start_s=round(repetition.start / rate_hz, 6),
        stop_s=round(repetition.stop / rate_hz, 6),
        extra={
            "peak": f"{np.abs(samples).max():.6g}",
            "rms": f"{rms(samples).max():.6g}",
            "confidence": f"{repetition.confidence:.2f}",
        },
    )


def _events_of(jobs: list[Job], events: Path | None) -> dict[Path, Path]:
    """Which file of events belongs to which recording."""
    if events is None:
        return {}
    if not events.is_dir():
        if len(jobs) != 1:
            raise InputError(f"{events}: one file for {len(jobs)} recordings; expected a folder with a file for each")
        return {jobs[0].path: events}
    found = {}
    for job in jobs:
        own = [events / f"{job.path.stem}{ending}" for ending in (".csv", ".tsv", ".txt", "_events.tsv", "_events.csv")]
        match = next((path for path in own if path.is_file() and path != job.path), None)
        if match is None:
            raise InputError(f"{events}: no events for {job.path.name}; expected {own[0].name} or {own[3].name}")
        found[job.path] = match
    return found


def _draw(
    recording: Recording,
    steps: list[tuple[str, Array]],
    found: list[Repetition],
    short: list[Repetition],
    pictures: _Pictures,
    file: str,
) -> None:
    from semg_hht.figures.plots import draw_filter_steps, draw_repetitions, picture_of

    rate_hz, samples = recording.rate_hz, steps[-1][1]
    strongest = int(np.argmax(samples.std(axis=1)))
    name = f"{Path(recording.source).name}, {recording.channel_names[strongest]}"
    path = picture_of(pictures.folder, file)
    if pictures.repetitions:
        spans = [(r.start / rate_hz, r.stop / rate_hz, r.confidence) for r in found]
        left_out = [(r.start / rate_hz, r.stop / rate_hz) for r in short]
        title = f"{name}: {len(found)} repetition{'' if len(found) == 1 else 's'}"
        draw_repetitions(samples[strongest], rate_hz, recording.units, spans, path, title=title, left_out=left_out)
    if pictures.filters:
        shown = [(step, after[strongest]) for step, after in steps]
        spectra = [power_spectrum(after, rate_hz) for _, after in shown]
        draw_filter_steps(
            shown, spectra, rate_hz, recording.units, path.with_name(f"{path.stem}_filters.png"), title=name
        )
