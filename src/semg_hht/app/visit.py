"""One visit: the files somebody dropped, the repetitions in them, and what a run answered. Each step gives a new visit.

Knows files, repetitions and runs: nothing of pages, browsers or other visitors.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.app.times import Trouble, free_place, read_times, rows_at
from semg_hht.errors import InputError, RateUnknown
from semg_hht.labels import Labelled, manifest_text, read_manifest
from semg_hht.matrices import Matrix, is_matrix_file, read_matrix
from semg_hht.pipeline import Job, PipelineConfig, transform
from semg_hht.predict import Run
from semg_hht.predictions import Predictions
from semg_hht.references import with_references
from semg_hht.segment import Seen, look_at
from semg_hht.session import Session, session_of
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.signals.wfdb import segment_headers
from semg_hht.sources import find_jobs, is_manifest

MAX_FILES = 20
MAX_UNPACKED = 2**30  # bytes in an npz once unpacked: a small file may claim any number
MAX_POINTS = 12_000  # of a channel as it is drawn
MAX_CHANNELS = 16  # that can be looked at; all are answered
MAX_PICTURES = 60
ALL = -1  # the channel that stands for all of them


@dataclass(frozen=True)
class Channel:
    """A filtered channel as it is drawn: (n_points,), of a long one the lowest and highest sample of each part."""

    name: str
    envelope: NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """What is known of a recording: its repetitions as a table has them, and how its channels look.

    shared : what holds for each repetition.
    """

    rows: tuple[Labelled, ...]
    shared: Labelled
    duration_s: float
    channels: tuple[Channel, ...]
    all_channels: Channel
    units: str
    remarks: tuple[str, ...]

    def drawn(self, channel: int) -> tuple[Channel, float]:
        """A channel, and its points a second."""
        chosen = self.all_channels if channel == ALL else self.channels[channel]
        return chosen, chosen.envelope.size / self.duration_s


@dataclass(frozen=True)
class Dropped:
    """A file of the visit: a recording; or a matrix, where ``recorded`` is None; or neither, and why."""

    path: Path
    recorded: Recorded | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Answered:
    """What a run said of all files, and beside the shown one its session (None of a matrix) and its pictures.

    warnings : what the program warned of meanwhile.
    """

    predictions: Predictions
    warnings: tuple[str, ...]
    session: Session | None = None
    matrices: tuple[Matrix, ...] = ()


@dataclass(frozen=True)
class Visit:
    """Everything the page shows.

    rate_hz, units : where a file does not say.
    gender : whether recorded gender is to be told.
    shown, channel : the file and the channel that are looked at.
    cells : the table as it was typed, while it can't be used.
    """

    folder: Path
    language: str = ""
    files: tuple[Dropped, ...] = ()
    rate_hz: float | None = None
    units: str = ""
    gender: bool = False
    shown: int = 0
    channel: int = 0
    cells: tuple[tuple[Any, ...], ...] | None = None
    troubles: tuple[Trouble, ...] = ()
    answered: Answered | None = None

    @property
    def file(self) -> Dropped | None:
        return self.files[self.shown] if self.files else None

    @property
    def recorded(self) -> Recorded | None:
        return None if self.file is None else self.file.recorded


def receive(visit: Visit, uploads: Sequence[Path], config: PipelineConfig) -> Visit:
    """Take what was dropped in the place of what was there; a table of repetitions says which those of a recording are."""
    if len(uploads) > MAX_FILES:
        return replace(visit, troubles=(Trouble("app_too_many_files", {"found": len(uploads), "most": MAX_FILES}),))
    for old in visit.folder.iterdir():
        old.unlink()
    try:
        paths = [_take(upload, visit.folder) for upload in uploads]
    except FileNotFoundError:
        return replace(visit, files=(), answered=None, troubles=(Trouble("app_upload_gone"),))
    return read_again(replace(visit, files=tuple(map(Dropped, dict.fromkeys(paths)))), visit.rate_hz, visit.units, config)


def _take(upload: Path, folder: Path) -> Path:
    """The same file may be another visitor's upload too: theirs must stay until they have taken it."""
    target = folder / upload.name
    target.unlink(missing_ok=True)
    try:
        os.link(upload, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(upload, target)
    return target


def read_again(visit: Visit, rate_hz: float | None, units: str, config: PipelineConfig) -> Visit:
    """Look at every file, at this rate and in these units where a file does not say."""
    visit = replace(visit, rate_hz=rate_hz, units=units, cells=None, troubles=(), answered=None, shown=0)
    stated, tables, troubles = _stated([file.path for file in visit.files])
    headers = [file.path for file in visit.files if file.path.suffix.lower() == ".hea"]
    beside = {file for header in headers for file in header.parent.glob(f"{header.stem}*.dat")} | set(segment_headers(headers))
    files = tuple(
        _look(file.path, stated.get(file.path.name, ()), visit, config)
        for file in visit.files
        if file.path not in tables and file.path not in beside
    )
    first = next((i for i, file in enumerate(files) if file.trouble is None), 0)
    return show(replace(visit, files=files, troubles=troubles), first)


def _stated(paths: Sequence[Path]) -> tuple[dict[str, tuple[Labelled, ...]], set[Path], tuple[Trouble, ...]]:
    """Rows by the name of their recording, the tables they stand in, and troubles with those.

    Only the name counts: a table may not lead to files that the visitor has not dropped.
    """
    rows: dict[str, tuple[Labelled, ...]] = {}
    tables, troubles = {path for path in paths if is_manifest(path)}, []
    for table in sorted(tables):
        try:
            for row in read_manifest(table):
                name = PurePosixPath(row.file).name
                rows[name] = (*rows.get(name, ()), row)
        except InputError as error:
            troubles.append(_trouble(error, table.parent))
    return rows, tables, tuple(troubles)


def _look(path: Path, stated: tuple[Labelled, ...], visit: Visit, config: PipelineConfig) -> Dropped:
    try:
        _require_modest(path)
        if is_matrix_file(path):
            read_matrix(path)
            return Dropped(path)
        (job,) = find_jobs(path, rate_hz=visit.rate_hz, units=visit.units)
        if stated:
            own = [replace(row, file=path.name, units=row.units or visit.units, channels=()) for row in stated]
            job = replace(job, rows=tuple(replace(row, rate_hz=row.rate_hz or visit.rate_hz) for row in own))
        return Dropped(path, _recorded(look_at(job, SegmentConfig(), config.filter), job.rows))
    except RateUnknown:
        return Dropped(path, trouble=Trouble("app_rate_unknown", {"file": path.name}))
    except MemoryError:
        return Dropped(path, trouble=Trouble("app_too_big", {"file": path.name}))
    except InputError as error:
        return Dropped(path, trouble=_trouble(error, path.parent))


def _require_modest(path: Path) -> None:
    if path.suffix.lower() != ".npz" or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_UNPACKED:
        raise MemoryError


def _trouble(error: InputError, folder: Path) -> Trouble:
    return Trouble("app_says", {"said": _cleaned(str(error), folder)})


def _cleaned(text: str, folder: Path) -> str:
    """What the program says of a file, without the folder, which is none of the visitor's."""
    return text.replace(f"{folder}{os.sep}", "")


def _recorded(seen: Seen, stated: tuple[Labelled, ...]) -> Recorded:
    recording, samples = seen.recording, seen.steps[-1][1]  # (n_channels, n_samples)
    factor = recording.microvolts_per_unit or 1.0
    drawn = _envelope(factor * samples[:MAX_CHANNELS])
    together = _envelope(factor * np.sqrt((samples**2).mean(axis=0, keepdims=True)))
    shared = replace(stated[0], repetition="", start_s=None, stop_s=None, extra={}, rate_hz=recording.rate_hz,
                     units=recording.units)  # fmt: skip
    rows = seen.rows
    if any(row.start_s is not None or row.stop_s is not None for row in stated):
        whole = [
            replace(row, start_s=row.start_s or 0.0, stop_s=row.stop_s or recording.duration_s, rate_hz=shared.rate_hz,
                    units=shared.units)
            for row in stated
        ]  # fmt: skip
        times, troubles = read_times([(row.start_s, row.stop_s) for row in whole], recording.duration_s)
        outside = [trouble.values for trouble in troubles if trouble.name == "app_outside"]
        if outside:
            raise InputError(
                f"{recording.source}: row {outside[0]['row']} of its table says {outside[0]['found']} s; expected times "
                f"within the recording of {recording.duration_s:.2f} s"
            )
        rows = rows_at(times, shared, whole)
    return Recorded(
        rows,
        shared,
        recording.duration_s,
        tuple(Channel(name, points) for name, points in zip(recording.channel_names, drawn, strict=False)),
        Channel("", together[0]),
        recording.units if recording.microvolts_per_unit is None else "uV",
        seen.remarks,
    )


def _envelope(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_channels, n_samples) -> (n_channels, n_points), evenly spaced, the extremes kept."""
    step = -(-samples.shape[1] // (MAX_POINTS // 2))
    if step <= 2:
        return samples.copy()
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % step)), mode="edge")
    parts = padded.reshape(len(samples), -1, step)  # (n_channels, n_parts, step)
    return np.stack([parts.min(axis=2), parts.max(axis=2)], axis=2).reshape(len(samples), -1)  # (n_channels, 2 n_parts)


def show(visit: Visit, shown: int) -> Visit:
    """Look at another file, at its strongest channel; what is wrong in a table is left behind."""
    visit = replace(visit, shown=shown, channel=0, cells=None)
    if visit.recorded is None:
        return visit
    strongest = int(np.argmax([channel.envelope.std() for channel in visit.recorded.channels]))
    return replace(visit, channel=strongest)


def edit(visit: Visit, cells: Sequence[Sequence[Any]]) -> Visit:
    """The table of the shown recording was typed into; what can't be used is kept and said."""
    if visit.recorded is None:
        return visit
    times, troubles = read_times(cells, visit.recorded.duration_s)
    if troubles:
        return replace(visit, cells=tuple(map(tuple, cells)), troubles=tuple(troubles), answered=None)
    return _with_rows(visit, rows_at(times, visit.recorded.shared, visit.recorded.rows))


def _with_rows(visit: Visit, rows: tuple[Labelled, ...]) -> Visit:
    assert visit.file is not None and visit.recorded is not None
    file = replace(visit.file, recorded=replace(visit.recorded, rows=rows))
    files = (*visit.files[: visit.shown], file, *visit.files[visit.shown + 1 :])
    same = rows == visit.recorded.rows
    return replace(visit, files=files, cells=None, troubles=(), answered=visit.answered if same else None)


def add(visit: Visit) -> Visit:
    """One more repetition, in the longest rest."""
    if visit.recorded is None:
        return visit
    found = visit.recorded
    times = [(row.start_s or 0.0, row.stop_s or 0.0) for row in found.rows]
    times.append(free_place(found.rows, found.duration_s))
    return _with_rows(visit, rows_at(sorted(set(times)), found.shared, found.rows))


def remove(visit: Visit, number: int) -> Visit:
    """Without the repetition of this number, counted from 1."""
    if visit.recorded is None:
        return visit
    rows = [row for i, row in enumerate(visit.recorded.rows, start=1) if i != number]
    return _with_rows(visit, tuple(replace(row, repetition=str(i)) for i, row in enumerate(rows, start=1)))


def table_of(visit: Visit) -> str:
    """All repetitions as `prepare` reads them; a recording without any is one repetition."""
    recorded = [file.recorded for file in visit.files if file.recorded is not None]
    rows = [row for found in recorded for row in (found.rows or (found.shared,))]
    return manifest_text(rows) if rows else ""


def answer(visit: Visit, run: Run, references: Path | None = None) -> Visit:
    """Ask the run for all files that can be used."""
    if visit.cells is not None:
        return visit  # what is wrong with the table stands there already
    matrices = [file.path for file in visit.files if file.recorded is None and file.trouble is None]
    table = table_of(visit)
    if not matrices and not table:
        return replace(visit, troubles=(Trouble("app_nothing_to_answer"),))
    inputs = list(matrices)
    with _heard() as warnings, tempfile.NamedTemporaryFile("w", dir=visit.folder, suffix=".csv", encoding="utf-8") as reps:
        if table:
            reps.write(table)
            reps.flush()
            inputs.append(Path(reps.name))
        try:
            predictions = run.predict(inputs, references=references, n_jobs=1)
        except InputError as error:
            return replace(visit, troubles=(_trouble(error, visit.folder),))
    reasons = {file: _cleaned(reason, visit.folder) for file, reason in predictions.errors.items()}
    answered = Answered(replace(predictions, errors=reasons), tuple(dict.fromkeys(warnings)))
    return look_closer(replace(visit, troubles=(), answered=answered), run, references)


def look_closer(visit: Visit, run: Run, references: Path | None = None) -> Visit:
    """The session and the matrices of the shown file, where it was answered."""
    if visit.answered is None or visit.file is None:
        return visit
    name = visit.file.path.name
    prediction = next((p for p in visit.answered.predictions.predictions if p.file == name), None)
    answered = replace(visit.answered, session=None, matrices=())
    if prediction is not None and visit.recorded is None:
        answered = replace(answered, matrices=(read_matrix(visit.file.path),))
    elif prediction is not None and visit.recorded is not None and run.recording_config is not None:
        rows = visit.recorded.rows or (visit.recorded.shared,)
        session = session_of(Job(visit.file.path, rows), prediction, run.recording_config, references=references)
        matrices = _matrices(visit.file.path, rows, visit, run.recording_config, references)
        answered = replace(answered, session=_drawn_small(session), matrices=matrices)
    return replace(visit, answered=answered)


def _matrices(
    path: Path, rows: Sequence[Labelled], visit: Visit, config: PipelineConfig, references: Path | None
) -> tuple[Matrix, ...]:
    """One plane a repetition, of the shown channel or the mean of all."""
    assert visit.recorded is not None
    one = () if visit.channel == ALL else (visit.recorded.channels[visit.channel].name,)
    job = Job(path, tuple(replace(row, channels=one) for row in rows[:MAX_PICTURES]))
    planes: dict[str, list[Matrix]] = {}
    for example in transform(with_references([job], config, references, n_jobs=1)[0], config):
        planes.setdefault(example.repetition_key, []).append(example.matrix)
    return tuple(
        replace(found[0], values=np.concatenate([m.values for m in found]).mean(axis=0, keepdims=True))
        for found in planes.values()
    )


def _drawn_small(session: Session) -> Session:
    """Samples as they are drawn: a visit is kept in memory for as long as somebody looks."""
    small = _envelope(np.stack([channel.samples for channel in session.channels]))
    rate_hz = session.rate_hz * small.shape[1] / session.channels[0].samples.size
    channels = tuple(
        replace(channel, samples=points) for channel, points in zip(session.channels, small, strict=True)
    )
    return replace(session, rate_hz=rate_hz, channels=channels)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the library warns of meanwhile in this thread: others answer other visitors."""
    heard: list[str] = []
    here = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                heard.append(record.getMessage())

    ear = Ear(logging.WARNING)
    logger = logging.getLogger("semg_hht")
    logger.addHandler(ear)
    try:
        yield heard
    finally:
        logger.removeHandler(ear)
