"""One visit of the web page: uploaded files, their repetitions, and a run's answers. Each step returns a new visit.

It does not know the page, browsers or other visitors.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.explanation.explain import explain
from semg_hht.explanation.explanation import Explanation
from semg_hht.figures.plots import plane_png
from semg_hht.inference.answers import Predictions
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.inputs import Choice, LoadedInput
from semg_hht.prediction.run import Run, collect_predictions
from semg_hht.prediction.session import Session, session_of
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.report.evaluation_page import framed
from semg_hht.web.repetition_table import Problem, read_times, rows_at, times_for_new
from semg_hht.web.uploads import (
    ALL_CHANNELS,
    UploadedFile,
    UploadedRecording,
    extremes,
    problem_of,
    read_uploads,
    store_upload,
    without_folder,
)

MAX_FILES = 20
MAX_PICTURES = 60
MAX_ANSWERED = 4_000_000  # samples in all repetitions of all channels: about 20 s of one processor, 1.6 GB


@dataclass(frozen=True)
class Answered:
    """The answers for all files, and details of the shown file.

    warnings : warnings of the program while it answered.
    session : of the shown file; None for a matrix file.
    pictures : one for each repetition of the shown file.
    why : explanations of the answers for one repetition; empty until they are asked for.
    """

    predictions: Predictions
    warnings: tuple[str, ...]
    session: Session | None = None
    pictures: tuple[dict[str, Any], ...] = ()
    why: tuple[Explanation, ...] = ()


@dataclass(frozen=True)
class Visit:
    """Everything the page shows.

    rate_hz, units : for files that do not state them.
    gender : whether the page shows recorded gender.
    shown, channel : numbers of the file and the channel on display.
    cells : the table as it was typed, while it can't be used.
    """

    folder: Path
    language: str = ""
    files: tuple[UploadedFile, ...] = ()
    rate_hz: float | None = None
    units: str = ""
    gender: bool = False
    shown: int = 0
    channel: int = 0
    cells: tuple[tuple[Any, ...], ...] | None = None
    problems: tuple[Problem, ...] = ()
    answered: Answered | None = None

    @property
    def file(self) -> UploadedFile | None:
        return self.files[self.shown] if self.files else None

    @property
    def recorded(self) -> UploadedRecording | None:
        return None if self.file is None else self.file.recorded


def receive(visit: Visit, uploads: Sequence[Path], config: PipelineConfig) -> Visit:
    """Replace all files by the uploaded ones; a table among them states the repetitions of the others."""
    if not uploads:
        return visit
    if len(uploads) > MAX_FILES:
        return replace(visit, problems=(Problem("app_too_many_files", {"found": len(uploads), "most": MAX_FILES}),))
    for old in visit.folder.iterdir():
        old.unlink()
    visit = replace(visit, files=(), cells=None, answered=None)
    try:
        for upload in uploads:
            store_upload(upload, visit.folder)
    except FileNotFoundError:
        return replace(visit, problems=(Problem("app_upload_gone"),))
    return read_again(visit, visit.rate_hz, visit.units, config)


def read_again(visit: Visit, rate_hz: float | None, units: str, config: PipelineConfig) -> Visit:
    """Read every file again, with this rate and these units where a file does not state them."""
    files, problems = read_uploads(sorted(visit.folder.iterdir()), rate_hz, units, config.filter)
    visit = replace(visit, rate_hz=rate_hz, units=units, files=files, problems=problems, answered=None)
    return show(visit, next((i for i, file in enumerate(files) if file.problem is None), 0))


def show(visit: Visit, shown: int) -> Visit:
    """Show another file and its strongest channel; problems of the table of the previous file are dropped."""
    problems = visit.problems if visit.cells is None else ()
    visit = replace(visit, shown=shown, channel=0, cells=None, problems=problems)
    if visit.recorded is None:
        return visit
    return replace(visit, channel=visit.recorded.strongest)


def edit(visit: Visit, cells: Sequence[Sequence[Any]]) -> Visit:
    """Take the edited table of the shown recording; a table that can't be used is kept and its problems are shown."""
    if visit.recorded is None:
        return visit
    times, problems = read_times(cells, visit.recorded.duration_s)
    if problems:
        return replace(visit, cells=tuple(map(tuple, cells)), problems=tuple(problems), answered=None)
    return _with_rows(visit, rows_at(times, visit.recorded.shared, visit.recorded.rows))


def _with_rows(visit: Visit, rows: tuple[ManifestRow, ...]) -> Visit:
    assert visit.file is not None and visit.recorded is not None
    file = replace(visit.file, recorded=replace(visit.recorded, rows=rows))
    files = (*visit.files[: visit.shown], file, *visit.files[visit.shown + 1 :])
    same = rows == visit.recorded.rows
    return replace(visit, files=files, cells=None, problems=(), answered=visit.answered if same else None)


def add(visit: Visit) -> Visit:
    """Add a repetition in the longest rest, unless the table can't be used."""
    if visit.recorded is None or visit.cells is not None:
        return visit
    found = visit.recorded
    times = [(row.start_s or 0.0, row.stop_s or 0.0) for row in found.rows]
    times.append(times_for_new(found.rows, found.duration_s))
    return _with_rows(visit, rows_at(sorted(set(times)), found.shared, found.rows))


def remove(visit: Visit, number: int) -> Visit:
    """Remove the repetition of this number, counted from 1."""
    if visit.recorded is None:
        return visit
    if visit.cells is not None:
        return edit(visit, [cells for i, cells in enumerate(visit.cells, start=1) if i != number])
    rows = [row for i, row in enumerate(visit.recorded.rows, start=1) if i != number]
    return _with_rows(visit, tuple(replace(row, repetition=str(i)) for i, row in enumerate(rows, start=1)))


def table_of(visit: Visit) -> str:
    """All repetitions in the form that `prepare` reads; a recording without repetitions is one repetition."""
    recordings = [file.recorded for file in visit.files if file.recorded is not None]
    rows = [row for recording in recordings for row in (recording.rows or (recording.shared,))]
    return manifest_text(rows) if rows else ""


def answer(visit: Visit, run: Run, references: Path | None = None) -> Visit:
    """Answer for all files that can be used."""
    if visit.cells is not None:
        return visit  # the problems of the table are shown already
    n_samples = sum(_n_samples(file.recorded) for file in visit.files if file.recorded is not None)
    if n_samples > MAX_ANSWERED:
        return replace(visit, problems=(Problem("app_too_long", {"found": n_samples, "most": MAX_ANSWERED}),))
    shown = "" if visit.file is None else visit.file.path.name
    kept: list[LoadedInput] = []

    def keep_shown(loaded: Iterator[LoadedInput | Failure]) -> Iterator[LoadedInput | Failure]:
        for item in loaded:
            if isinstance(item, LoadedInput) and item.file == shown:
                kept.append(item)
            yield replace(item, source=None) if isinstance(item, LoadedInput) else item

    with _warnings_of_this_thread() as warnings, _inputs(visit) as inputs:
        if not inputs:
            return replace(visit, problems=(Problem("app_nothing_to_answer"),))
        options = InputOptions(references=references)
        try:
            loaded = run.loader.load(inputs, options, Choice(keep_recordings=True), n_jobs=1)
            predictions = collect_predictions(run.answers(keep_shown(loaded)))
        except InputError as error:
            return replace(visit, problems=(problem_of(error, visit.folder),))
    reasons = {file: without_folder(reason, visit.folder) for file, reason in predictions.errors.items()}
    answered = Answered(replace(predictions, errors=reasons), tuple(dict.fromkeys(warnings)))
    visit = replace(visit, problems=(), answered=answered)
    return _show_details(visit, run, kept[0]) if kept else visit


def _n_samples(found: UploadedRecording) -> int:
    """Samples in all repetitions and channels of a recording."""
    spans = [(row.stop_s or found.duration_s) - (row.start_s or 0.0) for row in found.rows] or [found.duration_s]
    return round(sum(spans) * (found.shared.rate_hz or 0.0) * found.n_channels)


def look_why(visit: Visit, run: Run, number: int, references: Path | None = None) -> Visit:
    """Explain the answers for the repetition of this number, counted from 1, of the shown file."""
    if visit.answered is None or visit.file is None:
        return visit
    choice = Choice(visit.file.path.name, number)
    with _inputs(visit) as inputs:
        try:
            results = list(explain(run, inputs, InputOptions(references=references), choice=choice))
        except InputError as error:
            return replace(visit, problems=(problem_of(error, visit.folder),))
    explanations = tuple(result for result in results if isinstance(result, Explanation))
    return replace(visit, problems=(), answered=replace(visit.answered, why=explanations))


def look_closer(visit: Visit, run: Run, references: Path | None = None) -> Visit:
    """Show the session and the pictures of the shown file, where it was answered."""
    if visit.answered is None or visit.file is None:
        return visit
    choice = Choice(visit.file.path.name, keep_recordings=True)
    with _inputs(visit) as inputs:
        try:
            results = list(run.loader.load(inputs, InputOptions(references=references), choice, n_jobs=1))
        except InputError as error:
            return replace(visit, problems=(problem_of(error, visit.folder),))
    loaded = [item for item in results if isinstance(item, LoadedInput)]
    if not loaded:
        return replace(visit, answered=replace(visit.answered, session=None, pictures=(), why=()))
    return _show_details(visit, run, loaded[0])


def _show_details(visit: Visit, run: Run, loaded: LoadedInput) -> Visit:
    """Add pictures and session of the shown file, from the input that was loaded to answer it."""
    assert visit.answered is not None
    answered = replace(visit.answered, session=None, pictures=_pictures(visit, loaded), why=())
    prediction = next((p for p in answered.predictions.predictions if p.file == loaded.file), None)
    if prediction is None:
        return replace(visit, answered=replace(answered, pictures=()))
    if loaded.source is not None and run.recording_config is not None:
        is_percent = run.recording_config.scaling == "mvc"
        try:
            session = _drawn_small(session_of(loaded.source, prediction, is_percent=is_percent))
            answered = replace(answered, session=session)
        except InputError as error:  # the answer is kept: a repetition may be too short for features
            return replace(visit, answered=answered, problems=(problem_of(error, visit.folder),))
    return replace(visit, answered=answered)


def _pictures(visit: Visit, loaded: LoadedInput) -> tuple[dict[str, Any], ...]:
    """One picture for each repetition: the plane of the shown channel, or the mean of all planes."""
    channel = ""
    if visit.recorded is not None and visit.channel != ALL_CHANNELS:
        channel = visit.recorded.channels[visit.channel].name
    pictures = []
    for indices in loaded.repetitions()[:MAX_PICTURES]:
        planes = loaded.matrices[_of_channel(loaded, indices, channel)]  # (n, n_planes, 256, 256)
        if planes.shape[1] > 1 and channel:
            names = loaded.origins[indices[0]].channel.split("+")
            planes = planes[:, [names.index(channel)]] if channel in names else planes
        mean = planes.mean(axis=(0, 1))
        pictures.append(framed(plane_png(mean), *loaded.axes[indices[0]]))
    return tuple(pictures)


def _of_channel(loaded: LoadedInput, indices: list[int], channel: str) -> list[int]:
    """Indices of the matrices of one channel of a repetition; all of them where none is of that channel alone."""
    own = [i for i in indices if loaded.origins and loaded.origins[i].channel == channel]
    return own or indices


def _drawn_small(session: Session) -> Session:
    """Keep only as many samples as are drawn: a visit stays in memory while its page is open."""
    small = extremes(np.stack([channel.samples for channel in session.channels]))
    rate_hz = session.rate_hz * small.shape[1] / session.channels[0].samples.size
    channels = tuple(replace(channel, samples=points) for channel, points in zip(session.channels, small, strict=True))
    return replace(session, rate_hz=rate_hz, channels=channels)


@contextmanager
def _inputs(visit: Visit) -> Iterator[list[Path]]:
    """The inputs of a run: the matrix files that can be used, and a table of all repetitions."""
    inputs = [file.path for file in visit.files if file.recorded is None and file.problem is None]
    table = table_of(visit)
    with tempfile.NamedTemporaryFile("w", dir=visit.folder, suffix=".csv", encoding="utf-8") as reps:
        reps.write(table)
        reps.flush()
        yield [*inputs, Path(reps.name)] if table else inputs


@contextmanager
def _warnings_of_this_thread() -> Iterator[list[str]]:
    """Collect the warnings that the library logs in this thread; other threads answer other visitors."""
    warnings: list[str] = []
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                warnings.append(record.getMessage())

    collector = Collector(logging.WARNING)
    logger = logging.getLogger("semg_hht")
    logger.addHandler(collector)
    try:
        yield warnings
    finally:
        logger.removeHandler(collector)
