"""Find the repetitions of recordings: a table that a person can check and edit, and a picture of each recording.

The table is a manifest, which `prepare`, `train` and `predict` read. `signals/repetitions.py` finds the repetitions in
samples.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from semg_hht.datasets.replaced_table import ReplacedTable
from semg_hht.datasets.rows_table import RowsTable
from semg_hht.errors import InputError, NoRepetition
from semg_hht.recordings.events import Event, events_within, read_events
from semg_hht.recordings.jobs import Failure, Job, Remark, collect, for_each
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.quality import rate_remarks
from semg_hht.recordings.recording import Array, Recording
from semg_hht.signals.activity import Activity
from semg_hht.signals.features import power_spectrum, rms
from semg_hht.signals.filtered_recording import FilteredRecording, open_filtered
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import Repetition, SegmentConfig, activity_in, cut_repetition, repetitions_of
from semg_hht.system.arguments import checked
from semg_hht.system.files import write_text
from semg_hht.system.progress import Track, untracked

SHORT_S = 0.1  # activity of at least this duration is searched to remark on what was too short
LABEL = "looking for repetitions"  # of the progress bar
MANY_SHORT = 3  # activities that are worth a remark
# Columns that describe the whole recording; each repetition gets them if all rows of the recording agree.
_SHARED = ("subject", "session", "muscle", "movement", "gender")


@checked
@dataclass(frozen=True)
class Pictures:
    """Which pictures to draw of each recording: its repetitions, and what each filter step does (``*_filters.png``).

    Examples
    --------
    >>> import semg_hht as sh
    >>> none = sh.Pictures(repetitions=False)
    >>> repetitions = sh.segment(sh.samples.MANIFEST, "without_pictures.csv", options=sh.SegmentOptions(pictures=none))
    """

    repetitions: bool = True
    filters: bool = False


@dataclass(frozen=True, repr=False)
class Segmented(RowsTable):
    """The repetitions that `segment` found, and what it wrote.

    table : the file of the table; None if it was not written.
    pictures : folder of the pictures; None if none were drawn.
    empty : recordings without any repetition.

    Examples
    --------
    >>> import semg_hht as sh
    >>> found = sh.segment(sh.samples.MANIFEST)
    >>> found.n_recordings, found.failures
    (6, ())
    >>> first = found[0].start_s
    """

    table: Path | None
    pictures: Path | None
    n_recordings: int
    empty: tuple[str, ...]
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]

    @property
    def n_repetitions(self) -> int:
        """The number of rows."""
        return len(self)


def segment(
    jobs: list[Job],
    out: Path | ReplacedTable | None,
    config: SegmentConfig,
    filters: FilterConfig,
    *,
    pictures: Pictures = Pictures(),
    n_jobs: int = -1,
    track: Track = untracked,
) -> Segmented:
    """Find the repetitions of recordings. The ``events`` of a job state its repetitions.

    out : the table to write, with a folder of PNGs next to it, or one to replace; None: nothing is written.

    Raises
    ------
    InputError
        ``out`` exists (somebody may have edited it), no recording could be used, or no repetition was found.
    """
    replaced, out = (out, out.path) if isinstance(out, ReplacedTable) else (None, out)
    if out is not None and out.exists() and replaced is None:
        raise InputError(f"{out}: exists already and may have been edited; overwrite=True keeps labels that still fit")
    is_drawn = out is not None and (pictures.repetitions or pictures.filters)
    folder = out.with_name(f"{out.stem}_pictures") if out is not None and is_drawn else None
    drawing = None if folder is None else (folder, pictures)
    base = Path() if out is None else out.parent
    results = for_each(_segment_one, jobs, config, filters, base, drawing, n_jobs=n_jobs)
    recordings, failures = collect(track(results, len(jobs), LABEL))
    remarks = [Remark(recording.file, text) for recording in recordings for text in recording.remarks]
    rows = [row for recording in recordings for row in recording.rows]
    if not rows:
        several = f"no repetition was found in {len(jobs)} recordings; the first: " if len(jobs) > 1 else ""
        # The last remark states why; those before it are remarks of reading.
        where = f"; the {'picture is' if len(jobs) == 1 else 'pictures are'} in {folder}" if folder is not None else ""
        raise InputError(f"{several}{recordings[0].path}: {recordings[0].remarks[-1]}{where}")
    if replaced is not None:
        rows, kept = replaced.carry_over(rows)
        remarks += kept
    if out is not None:
        write_text(out, manifest_text(rows))
    of_all = iter(rows)
    rows_of = {recording.file: tuple(islice(of_all, len(recording.rows))) for recording in recordings}
    found = tuple(replace(job, rows=rows_of[job.file], events=None) for job in jobs if rows_of.get(job.file))
    empty = tuple(recording.file for recording in recordings if not recording.rows)
    return Segmented(tuple(rows), found, out, folder, len(recordings), empty, tuple(failures), tuple(remarks))


def with_repetitions(
    jobs: list[Job], config: SegmentConfig, filters: FilterConfig, *, n_jobs: int = -1, track: Track = untracked
) -> tuple[list[Job], list[Failure]]:
    """The jobs with one row for each repetition found, and the recordings that can't be used or hold none.

    Jobs whose rows state a start or a stop keep these rows.

    Raises
    ------
    InputError
        No recording could be used.
    """
    return collect(track(for_each(_with_repetitions, jobs, config, filters, n_jobs=n_jobs), len(jobs), LABEL))


def _with_repetitions(job: Job, _: int | None, config: SegmentConfig, filters: FilterConfig) -> Job:
    return job if job.states_times else open_segmented(job, filters, config).job


def with_events(jobs: list[Job], events: Path | tuple[Event, ...] | None) -> list[Job]:
    """The jobs with their events: ``events``, or the file in the folder ``events`` with the recording's stem.

    Raises
    ------
    InputError
        ``events`` are those of one recording, and there are several; or a folder lacks a file for one of them.
    """
    if events is None:
        return jobs
    if not isinstance(events, Path):
        if len(jobs) != 1:
            raise InputError(f"events: {len(events)} of one recording, but there are {len(jobs)}; expected a folder")
        return [replace(jobs[0], events=events)]
    if not events.is_dir():
        if len(jobs) != 1:
            raise InputError(f"{events}: one file for {len(jobs)} recordings; expected a folder with a file for each")
        return [replace(jobs[0], events=events)]
    return [replace(job, events=_events_of(job, events)) for job in jobs]


def _events_of(job: Job, folder: Path) -> Path:
    names = [f"{job.path.stem}{ending}" for ending in (".csv", ".tsv", ".txt", "_events.tsv", "_events.csv")]
    for path in (folder / name for name in names):
        if path.is_file() and path != job.path:
            return path
    raise InputError(f"{folder}: no events for {job.path.name}; expected {names[0]} or {names[3]}")


@dataclass(frozen=True)
class SegmentedRecording:
    """A recording and the repetitions found in it.

    source : its job has one row for each repetition; unchanged if none was found.
    recording : the filtered channels that were searched.
    found : the repetitions, in order of time. short : activity that is too short to be one.
    """

    source: FilteredRecording
    recording: Recording
    rows: tuple[ManifestRow, ...]
    found: list[Repetition]
    short: list[Repetition]
    remarks: tuple[str, ...]


def segment_recording(
    source: FilteredRecording, config: SegmentConfig, *, base: Path | None = None
) -> SegmentedRecording:
    """Find the repetitions of a filtered recording; ``base`` is the folder that its file is named relative to."""
    job, channels = source.job, channels_of(source.job)
    recording = source.filtered.select(channels)
    samples, rate_hz = recording.samples, recording.rate_hz
    activity = activity_in(samples, rate_hz, config)
    found = [] if activity is None else repetitions_of(activity, samples.shape[1], rate_hz, config)
    short = [] if activity is None else _too_short(activity, recording, config, found)
    remarks = (*source.raw.remarks, *_remarks_on_found(short, source.raw.select(channels), config, found))
    stated = [Event(r.start / rate_hz, r.stop / rate_hz, "") for r in found]
    if job.events is not None:
        stated = (
            read_events(job.events, recording.duration_s)
            if isinstance(job.events, Path)
            else events_within(job.events, recording.duration_s, str(job.path))
        )
        found, short = [_within(event, found, recording) for event in stated], []
    shared = _shared_row(job, recording, base)
    rows = tuple(
        _row(shared, number, repetition, event.label, repetition.cut(samples), rate_hz)
        for number, (repetition, event) in enumerate(zip(found, stated, strict=True), start=1)
    )
    if rows:
        source = replace(source, job=replace(job, rows=rows))
    return SegmentedRecording(source, recording, rows, found, short, remarks)


def open_segmented(job: Job, filters: FilterConfig, config: SegmentConfig | None) -> FilteredRecording:
    """Read and filter a recording; with ``config``, find its repetitions where its rows state no times.

    Raises
    ------
    InputError
        The recording can't be used, or (`NoRepetition`) no repetition is found in it; the text names the file.
    """
    source = open_filtered(job, filters)
    if config is None or job.states_times or source.raw.duration_s <= config.min_recording_s:
        return source
    segmented = segment_recording(source, config)
    if not segmented.rows:
        raise NoRepetition(f"{job.path}: {segmented.remarks[-1]}")
    return segmented.source


@dataclass(frozen=True)
class _RecordingRows:
    """The rows of one recording and the remarks on it: what a worker sends back."""

    file: str
    path: Path
    rows: tuple[ManifestRow, ...]
    remarks: tuple[str, ...]


def _segment_one(
    job: Job,
    _: int | None,
    config: SegmentConfig,
    filters: FilterConfig,
    base: Path | None,
    drawing: tuple[Path, Pictures] | None,
) -> _RecordingRows:
    source = open_filtered(job, filters, keep_steps=drawing is not None and drawing[1].filters)
    segmented = segment_recording(source, config, base=base)
    if drawing is not None:
        _draw(segmented, job.file, *drawing)
    return _RecordingRows(job.file, job.path, segmented.rows, segmented.remarks)


def _too_short(
    activity: Activity, recording: Recording, config: SegmentConfig, found: list[Repetition]
) -> list[Repetition]:
    """Activity of at least `SHORT_S` that is too short to be a repetition. (A jump lasts 0.2 s.)"""
    if config.min_duration_s <= SHORT_S:
        return []
    n_min = round(config.min_duration_s * recording.rate_hz)
    shorter = replace(config, min_duration_s=SHORT_S)
    brief = repetitions_of(activity, recording.n_samples, recording.rate_hz, shorter)
    others = [a for a in brief if all(a.stop <= r.start or a.start >= r.stop for r in found)]
    return [a for a in others if a.stop - a.start < n_min]


def _remarks_on_found(
    short: list[Repetition], raw: Recording, config: SegmentConfig, found: list[Repetition]
) -> tuple[str, ...]:
    """Remarks that activity was too short, that nothing was found, or that a doubtful rate makes the times doubtful."""
    remarks = []
    if len(short) >= max(MANY_SHORT, len(found) / 2):
        durations_s = [(r.stop - r.start) / raw.rate_hz for r in short]
        keeps_s = math.floor(100 * min(durations_s)) / 100
        remarks.append(
            f"{len(short)} activities shorter than {config.min_duration_s:g} s were left out, of "
            f"{min(durations_s):.2f} to {max(durations_s):.2f} s: min_duration_s={keeps_s:g} keeps them"
        )
    elif not found:
        remarks.append("no repetition was found: no activity rises above rest")
    if found and rate_remarks([*raw.samples], raw.rate_hz):
        remarks.append(f"times, durations and confidences in the table hold only if {raw.rate_hz:g} Hz is the rate")
    return tuple(remarks)


def _within(event: Event, found: list[Repetition], recording: Recording) -> Repetition:
    """The stated interval. Clicks are not exact: an interval between clicks is narrowed to the activity in it."""
    stated = cut_repetition(recording, event.start_s, event.stop_s)
    inside = [r for r in found if stated.start <= (r.start + r.stop) // 2 < stated.stop] if event.is_click else []
    if not inside:
        return stated
    start, stop = max(stated.start, inside[0].start), min(stated.stop, inside[-1].stop)
    return Repetition(start, stop, rate_hz=recording.rate_hz)


def _shared_row(job: Job, recording: Recording, base: Path | None) -> ManifestRow:
    """The columns that every repetition of a recording has; the file is relative to the folder ``base``."""
    values = {name: {getattr(row, name) for row in job.rows} for name in _SHARED}
    shared = {name: distinct.pop() for name, distinct in values.items() if len(distinct) == 1}
    return ManifestRow(
        file=job.rows[0].file if base is None else file_in_table(base, job),
        channels=channels_of(job),
        rate_hz=recording.rate_hz,
        units=recording.units,
        **shared,
    )


def channels_of(job: Job) -> tuple[str, ...]:
    """The channels that the rows of a recording name; empty (all channels) if a row names none."""
    if not all(row.channels for row in job.rows):
        return ()
    return tuple(dict.fromkeys(channel for row in job.rows for channel in row.channels))


def file_in_table(base: Path, job: Job) -> str:
    """The recording of a job as a table in the folder ``base`` names it; one that is only in memory by its own name."""
    is_file = job.recording is None or job.path.is_file()
    return relative_to(base, job.path) if is_file else job.file


def relative_to(base: Path, path: Path) -> str:
    """A path as a table in the folder ``base`` names it."""
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # on another drive
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


def _draw(segmented: SegmentedRecording, file: str, folder: Path, pictures: Pictures) -> None:
    from semg_hht.figures.repetitions_picture import draw_repetitions, picture_of

    recording, rate_hz = segmented.recording, segmented.recording.rate_hz
    samples, units = recording.samples, recording.units
    shown, path = clearest_channel(samples, segmented.found), picture_of(folder, file)
    name = f"{Path(recording.source).name}, {recording.channel_names[shown]}"
    if pictures.repetitions:
        spans = [(r.start / rate_hz, r.stop / rate_hz, r.confidence) for r in segmented.found]
        short = [(r.start / rate_hz, r.stop / rate_hz) for r in segmented.short]
        title = f"{name}: {len(spans)} repetition{'' if len(spans) == 1 else 's'}"
        draw_repetitions(samples[shown], rate_hz, units, spans, path, title=title, left_out=short)
    if pictures.filters:
        from semg_hht.figures.plots import draw_filter_steps  # matplotlib

        own = segmented.source.raw.channel_names.index(recording.channel_names[shown])
        steps = [(step, after[own]) for step, after in segmented.source.steps]
        spectra = [power_spectrum(after, rate_hz) for _, after in steps]
        draw_filter_steps(steps, spectra, rate_hz, units, path.with_name(f"{path.stem}_filters.png"), title=name)


def clearest_channel(samples: Array, found: Sequence[Repetition]) -> int:
    """The channel (of n_channels, n_samples) that rises most in the repetitions; without repetitions the strongest.

    A label or a sensor among the channels may be larger than the EMG, but it does not rise with the repetitions.
    """
    inside = np.zeros(samples.shape[1], dtype=bool)
    for repetition in found:
        inside[repetition.start : repetition.stop] = True
    if not inside.any() or inside.all():
        return int(np.argmax(samples.std(axis=1)))
    outside = samples[:, ~inside].std(axis=1)
    return int(np.argmax(samples[:, inside].std(axis=1) / np.maximum(outside, np.finfo(np.float64).tiny)))
