"""Label the repetitions of a table full, half or invalid from a second sensor, and draw each recording to be checked.

`signals/sensor_labels.py` labels samples; this module knows tables and people. A label that a person set stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from semg_hht.datasets.find_inputs import is_manifest
from semg_hht.datasets.rows_table import RowsTable
from semg_hht.datasets.segment import channels_of, file_in_table, open_segmented
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Failure, Job, Remark, collect, for_each
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Array
from semg_hht.recordings.sensor import Sensor, read_sensor, sensor_in
from semg_hht.signals.filtered_recording import FilteredRecording
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.labelled_sensor import Bands, LabelledSensor, LabelledSpan
from semg_hht.signals.repetitions import SegmentConfig, cut_repetition
from semg_hht.signals.sensor_alignment import FRAME_HZ, Movement, align, envelope_of
from semg_hht.signals.sensor_labels import (
    LABELS,
    Excursion,
    LabelConfig,
    SensorLabel,
    best_of,
    label_excursions,
    measure,
    no_movement,
    sensor_remarks,
)
from semg_hht.system.arguments import checked
from semg_hht.system.files import write_text
from semg_hht.system.progress import Track, untracked

PROGRESS = "reading sensors"
TABLE = Path("reps.csv")
ONLY_S = 5.0  # duration of a movement and its rest, where a recording holds only one repetition
SMALL_SHARE = 0.5  # of a session's best: a recording whose own best is smaller gets a remark
UNSURE = 0.5  # confidence where another lag fits about as well
DISAGREES = "a person set"
OWN_COLUMN = "sensor_label"  # what the sensor says
BY_COLUMN, BY_PERSON, BY_SENSOR = "labelled_by", "person", "sensor"  # who set the movement


@checked
@dataclass(frozen=True)
class SensorSource:
    """Where the sensor is.

    channel : its name or number; empty: the only channel that is not EMG.
    file : a file of its own, or a folder with a file for each recording, of the same stem; None: the recording itself.
    rate_hz : for sensor files, and vectors in a recording's file, that do not state their rate.

    Examples
    --------
    >>> import semg_hht as sh
    >>> goniometer = sh.SensorSource("elbow_angle", rate_hz=100.0)
    """

    channel: str = ""
    file: Path | None = None
    rate_hz: float | None = None


@checked
@dataclass(frozen=True)
class LabelOptions:
    """How the table is labelled.

    shares_best : whether all recordings of one person and session have one best excursion; else each has its own.
    filters, segmentation : of the EMG; the second where the table states no times.
    pictures : whether to draw each recording.

    Examples
    --------
    >>> import semg_hht as sh
    >>> options = sh.LabelOptions(sh.LabelConfig(full_from=0.9), pictures=False)
    """

    labels: LabelConfig = LabelConfig()
    shares_best: bool = True
    filters: FilterConfig = FilterConfig()
    segmentation: SegmentConfig = SegmentConfig()
    pictures: bool = True


@dataclass(frozen=True, repr=False)
class Labelled(RowsTable):
    """The rows with their labels, and what `label_jobs` wrote.

    table, pictures : None if nothing was written.
    n_kept : rows whose label a person had set. n_open : rows without a label, in between or not to be told.
    sensors : the sensor of each recording that was read, with the labels, for `plot_labels`.

    Examples
    --------
    >>> import semg_hht as sh
    >>> people = sh.SimulationConfig(n_subjects=1, n_repetitions=1)
    >>> manifest = sh.simulate("with_sensor", people, goniometer=True)
    >>> labelled = sh.label(manifest.with_name("S01_E01_BICEPS.csv"))
    >>> [row.movement for row in labelled].count("full")
    1
    """

    table: Path | None
    pictures: Path | None
    n_recordings: int
    n_kept: int
    n_open: int
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]
    sensors: tuple[LabelledSensor, ...] = field(default=(), compare=False)

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each class, also those that a person labelled."""
        return dict(Counter(row.movement for row in self.rows if row.movement))


def table_to_fill(input: Path, out: Path | None) -> Path:
    """The table to write: ``out``, else the table of repetitions itself, else ``reps.csv``."""
    return out or (input if is_manifest(input) else TABLE)


def label_jobs(
    jobs: list[Job],
    source: SensorSource,
    out: Path | None,
    options: LabelOptions,
    *,
    n_jobs: int = -1,
    track: Track = untracked,
) -> Labelled:
    """Label the rows of jobs, and write them to the table ``out`` with a picture of each recording beside it.

    Raises
    ------
    InputError
        No recording could be used, or no repetition could be labelled.
    """
    results = for_each(_read, jobs, source, options, len(jobs), n_jobs=n_jobs)
    readings, failures = collect(track(results, len(jobs), PROGRESS))
    bests = _bests(readings, options)
    folder = out.with_name(f"{out.stem}_labels") if out is not None and options.pictures else None
    rows_of: dict[str, list[ManifestRow]] = {}
    remarks: list[Remark] = []
    sensors: list[LabelledSensor] = []
    n_kept = 0
    for reading in readings:
        best, best_remark = bests[reading.file]
        labels = _labels_of(reading, best, options.labels)
        rows = [_with_label(row, reading, labels[i], i, best, options.labels) for row, i in reading.rows_of_spans()]
        n_kept += sum(_is_persons(row) for row, _ in reading.rows_of_spans())
        rows_of[reading.file] = rows
        remarks += [Remark(reading.file, text) for text in (*reading.remarks, *filter(None, [best_remark]))]
        remarks += [Remark(reading.file, text) for text in _on_kept(rows)]
        sensors.append(_labelled(reading, labels, best, options.labels))
        if folder is not None:
            _draw(sensors[-1], folder)
    _require_labels(readings, rows_of, bests)
    for job in jobs:
        rows_of.setdefault(job.file, list(job.rows))  # a recording that failed keeps its rows
    base = Path() if out is None else out.parent
    done = tuple(replace(job, rows=tuple(replace(row, file=file_in_table(base, job)) for row in rows_of[job.file]))
                 for job in jobs)  # fmt: skip
    rows = [row for job in done for row in job.rows]
    if out is not None:
        write_text(out, manifest_text(rows))
    classes = {row.movement for row in rows if row.movement}
    if len(classes) == 1:
        remarks.append(
            Remark(
                str(out or jobs[0].file),
                f"every labelled repetition is {classes.pop()}; a classifier needs repetitions of at least two classes",
            )
        )
    name_of = {job.file: own.file for job, own in zip(jobs, done, strict=True)}  # as the table names it
    named = tuple(replace(sensor, file=name_of[sensor.file]) for sensor in sensors)
    n_open = sum(not row.movement for row in rows)
    return Labelled(
        tuple(rows), done, out, folder, len(readings), n_kept, n_open, tuple(failures), tuple(remarks), named
    )


@dataclass(frozen=True)
class _Reading:
    """The sensor of one recording, measured in each repetition: what a worker sends back.

    spans_s : the distinct repetitions in order of time; several rows may state the same one for different channels.
    extremes : (2, n_frames), smallest and largest sample of the strongest EMG channel, in ``units``.
    silent : why the sensor can't label this recording; empty: it can.
    """

    file: str
    rows: tuple[ManifestRow, ...]
    spans_s: tuple[tuple[float, float], ...]
    sensor: str
    unit: str
    movement: Movement
    excursions: tuple[Excursion, ...]
    extremes: Array
    units: str
    silent: str
    remarks: tuple[str, ...]

    def rows_of_spans(self) -> list[tuple[ManifestRow, int]]:
        """Each row with the number of its repetition."""
        places = {span: i for i, span in enumerate(self.spans_s)}
        end_s = self.movement.envelope.size / FRAME_HZ
        return [(row, places[_span(row, end_s)]) for row in self.rows]


def _span(row: ManifestRow, end_s: float) -> tuple[float, float]:
    return row.start_s or 0.0, end_s if row.stop_s is None else row.stop_s


def _read(job: Job, _: int | None, source: SensorSource, options: LabelOptions, n_recordings: int) -> _Reading:
    filtered = open_segmented(job, options.filters, options.segmentation)
    sensor = _sensor_of(job, source, n_recordings, filtered.raw.rate_hz)
    rows = filtered.job.rows
    emg = _emg_of(filtered, sensor.name)
    for row in rows:
        cut_repetition(filtered.raw, row.start_s, row.stop_s)  # within the recording
    envelope = envelope_of(emg, filtered.raw.rate_hz)
    spans_s = tuple(sorted({_span(row, envelope.size / FRAME_HZ) for row in rows}))
    starts_s = [start for start, _ in spans_s]
    period_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else ONLY_S
    movement = align(sensor.samples, sensor.rate_hz, envelope, options.labels.lag, period_s)
    excursions = measure(movement, spans_s)
    silent = no_movement(movement, excursions)
    remarks = [f"the sensor {sensor.name}: {silent}"] if silent else sensor_remarks(movement, excursions, sensor.unit)
    strongest = emg[int(np.argmax(emg.std(axis=1)))]
    return _Reading(
        job.file, rows, spans_s, sensor.name, sensor.unit, movement, tuple(excursions),
        _extremes(strongest, filtered.raw.rate_hz), filtered.raw.units, silent, tuple(remarks),
    )  # fmt: skip


def _sensor_of(job: Job, source: SensorSource, n_recordings: int, rate_hz: float) -> Sensor:
    own = job.recording
    is_in_memory = own is not None and (
        source.channel in own.channel_names or (not source.channel and bool(own.non_emg)) or not job.path.is_file()
    )
    if source.file is None and own is not None and is_in_memory:
        return sensor_in(own, source.channel)
    if source.file is None:
        return read_sensor(job.path, source.channel, rate_hz=source.rate_hz or rate_hz)
    path = source.file
    if path.is_dir():
        found = [p for p in sorted(path.iterdir()) if p.stem == job.path.stem and p != job.path and p.is_file()]
        if len(found) != 1:
            raise InputError(f"{path}: expected one sensor file {job.path.stem}.*; found {len(found)}")
        path = found[0]
    elif n_recordings > 1:
        raise InputError(f"{path}: one file for {n_recordings} recordings; expected a folder with a file for each")
    return read_sensor(path, source.channel, rate_hz=source.rate_hz)


def _emg_of(filtered: FilteredRecording, sensor: str) -> Array:
    """The filtered EMG channels of a recording, (n_channels, n_samples), without the sensor."""
    chosen = filtered.filtered.select(channels_of(filtered.job))
    kept = [i for i, name in enumerate(chosen.channel_names) if name != sensor]
    if not kept:
        raise InputError(f"{filtered.job.path}: expected an EMG channel beside the sensor {sensor}; found none")
    return chosen.samples[kept]


def _extremes(samples: Array, rate_hz: float) -> Array:
    """(n_samples,) -> (2, n_frames): the smallest and the largest sample of each frame."""
    edges = np.unique((np.arange(int(samples.size / rate_hz * FRAME_HZ)) * rate_hz / FRAME_HZ).astype(int))
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)])


def _bests(readings: Sequence[_Reading], options: LabelOptions) -> dict[str, tuple[float, str]]:
    """The excursion that counts as 1 in each recording, and a remark on it."""
    stated = options.labels.full_at
    if stated is not None:
        return {reading.file: (stated, "") for reading in readings}
    groups: dict[tuple[str, ...], list[_Reading]] = {}
    for reading in readings:
        first = reading.rows[0]
        is_shared = options.shares_best and first.subject and first.session
        key = (first.subject, first.session, reading.sensor) if is_shared else ("", reading.file)
        groups.setdefault(key, []).append(reading)
    bests: dict[str, tuple[float, str]] = {}
    for group in groups.values():
        best, remark = best_of([e for reading in group if not reading.silent for e in reading.excursions])
        for reading in group:
            own = max((e.value for e in reading.excursions if e.is_whole), default=0.0)
            if len(group) > 1 and own < SMALL_SHARE * best and not reading.silent:
                remark_here = f"its largest excursion is {own / best:.0%} of the best of this person and session"
                bests[reading.file] = best, f"{remark_here}, which stands in another recording"
            else:
                bests[reading.file] = best, "" if reading.silent else remark
    return bests


def _labels_of(reading: _Reading, best: float, config: LabelConfig) -> list[SensorLabel]:
    if reading.silent:
        return [SensorLabel("", float("nan"), 0.0, reading.silent) for _ in reading.excursions]
    labels = label_excursions(reading.excursions, best, config)
    if reading.movement.is_periodic and config.lag.lag_s is None:
        return [replace(label, confidence=min(label.confidence, UNSURE)) for label in labels]
    return labels


def _is_persons(row: ManifestRow) -> bool:
    """Whether a person set the movement, also where a person changed what `label` wrote earlier."""
    is_own = row.extra.get(BY_COLUMN) == BY_SENSOR and row.extra.get(OWN_COLUMN) == row.movement
    return bool(row.movement) and not is_own


def _with_label(
    row: ManifestRow, reading: _Reading, label: SensorLabel, i: int, best: float, config: LabelConfig
) -> ManifestRow:
    """The row with the columns of the sensor, and with its movement unless a person set it."""
    is_persons = _is_persons(row)
    remark = label.remark
    if is_persons and row.movement.lower() in LABELS and label.label not in ("", row.movement.lower()):
        remark = "; ".join(filter(None, [remark, f"{DISAGREES} {row.movement}, the sensor says {label.label}"]))
    columns = {
        BY_COLUMN: BY_PERSON if is_persons else BY_SENSOR if label.label else "",
        "sensor": reading.sensor,
        "sensor_best": _number(best),
        "sensor_confidence": f"{label.confidence:.2f}" if label.label else "",
        "sensor_excursion": _number(reading.excursions[i].value),
        OWN_COLUMN: label.label,
        "sensor_lag_s": f"{reading.movement.lag_s:g}",
        "sensor_remark": remark,
        "sensor_share": _number(label.share),
        "sensor_thresholds": (
            f"full from {config.full_from:g}, half {config.half_from:g} to {config.half_to:g}, "
            f"invalid below {config.invalid_below:g}"
        ),
    }
    return replace(row, movement=row.movement if is_persons else label.label, extra={**row.extra, **columns})


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else ""


def _on_kept(rows: Sequence[ManifestRow]) -> list[str]:
    """Remarks on labels that a person set."""
    kept = [row for row in rows if _is_persons(row)]
    others = sorted({row.movement for row in kept if row.movement.lower() not in LABELS})
    numbers = [row.repetition or str(i) for i, row in enumerate(rows, 1) if DISAGREES in row.extra["sensor_remark"]]
    remarks = []
    if others:
        remarks.append(
            f"the column movement holds {', '.join(others)}, which stays; empty its cells to label them full, half or "
            "invalid"
        )
    elif kept:
        remarks.append(f"{len(kept)} labels that a person set stay as they are")
    if numbers:
        remarks.append(f"the sensor disagrees with a person in the repetitions {', '.join(numbers)}")
    return remarks


def _require_labels(
    readings: Sequence[_Reading], rows_of: dict[str, list[ManifestRow]], bests: dict[str, tuple[float, str]]
) -> None:
    if any(row.extra[OWN_COLUMN] for rows in rows_of.values() for row in rows):
        return
    first = next((reading for reading in readings if reading.silent), readings[0])
    of_row = rows_of[first.file][0].extra["sensor_remark"]
    reason = first.silent or bests[first.file][1] or of_row or "every excursion lies between the classes"
    raise InputError(f"{first.file}: no repetition could be labelled by {first.sensor}: {reason}")


def _labelled(reading: _Reading, labels: Sequence[SensorLabel], best: float, config: LabelConfig) -> LabelledSensor:
    movement, written = reading.movement, {i: row for row, i in reversed(reading.rows_of_spans())}
    spans = []
    for i, (span_s, excursion, found) in enumerate(zip(reading.spans_s, reading.excursions, labels, strict=True)):
        person = written[i].movement if _is_persons(written[i]) else ""
        peak = excursion.peak_s, movement.sign * (excursion.value + sum(excursion.rest) / 2)
        spans.append(LabelledSpan(*span_s, found.label, found.share, excursion.rest, peak, person, found.remark))
    bands = Bands(best, config.full_from, config.half_from, config.half_to, config.invalid_below)
    return LabelledSensor(
        reading.file, reading.sensor, reading.unit, movement, tuple(spans), bands, reading.extremes, reading.units
    )


def _draw(labelled: LabelledSensor, folder: Path) -> None:
    from semg_hht.figures.label_plot import draw_labels
    from semg_hht.figures.repetitions_picture import picture_of

    draw_labels(labelled, picture_of(folder, labelled.file))
