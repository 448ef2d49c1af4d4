"""What a run says about the files of a visit: answers, explanations, pictures and the session card.

It knows runs and files. It does not know browsers.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semg_hht.errors import InputError
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.web.drawn_signal import read_samples
from semg_hht.web.repetition_table import DECIMALS, Problem, Refused, times_of
from semg_hht.web.shared_run import is_relative
from semg_hht.web.uploads import problem_of, without_folder
from semg_hht.web.visit import BackgroundJob, Stopped, Visit, VisitFile, WhyText

if TYPE_CHECKING:
    from semg_hht.datasets.find_inputs import InputOptions
    from semg_hht.inference.answers import Answer, Part, Prediction, Predictions
    from semg_hht.prediction.inputs import LoadedInput
    from semg_hht.prediction.run import Run
    from semg_hht.prediction.session import Session
    from semg_hht.web.shared_run import RunInfo

MAX_ANSWERED = 8_000_000  # samples in all repetitions of all channels of one file: 3 GB of memory
MAX_ANSWERED_TOGETHER = 60_000_000
TABLE = ".reps"  # what the name of a table for a run begins with; no upload has a name that begins with a dot


def answer(visit: Visit, run: Run, info: RunInfo, references: Path | None, job: BackgroundJob) -> None:
    """Answer for all files that can be used; a file that can't be answered keeps its reason as a problem.

    info : of the run; the answers keep it.

    Raises
    ------
    Refused
        There is nothing to answer, or too much; or a maximum that the run answers relative to has changed meanwhile.
    Stopped
        The visitor stopped the work.
    """
    import numpy as np

    from semg_hht.prediction.run import collect_predictions
    from semg_hht.recordings.jobs import Failure

    with visit.lock:
        files, maxima_then = visit.usable(), dict(visit.maxima)
    sizes = {file.name: _n_samples(file) for file in files}
    if not files:
        raise Refused("app_nothing_to_answer")
    if max(sizes.values()) > MAX_ANSWERED or sum(sizes.values()) > MAX_ANSWERED_TOGETHER:
        raise Refused("app_too_long", found=sum(sizes.values()), most=MAX_ANSWERED)
    done, begun_s = 0, time.monotonic()
    reads_measures_alone = bool(run.description.chosen) and not run.description.reads_matrices
    kept: dict[str, LoadedInput] = {}

    def watched(loaded: Iterator[Any]) -> Iterator[Any]:
        nonlocal done
        for item in loaded:
            done += 1
            job.share = done / (len(files) + 1)
            if done > 1:  # the first waits for imports
                job.remaining_s = (time.monotonic() - begun_s) / done * (len(files) - done + 1)
            job.stage = Problem("app_stage_answer", {"done": done, "all": len(files)})
            if job.stopping.is_set():
                raise Stopped
            if isinstance(item, Failure):
                yield item
                continue
            if reads_measures_alone:
                kept[item.file] = replace(item, matrices=np.broadcast_to(np.float32(0), item.matrices.shape))
            yield item

    with warnings_of_this_thread() as warnings, _inputs(visit, files, run, references) as (inputs, options):
        loaded = run.loader.load(inputs, options, n_jobs=1)
        predictions = collect_predictions(run.answers(watched(loaded)))
    told = tuple(dict.fromkeys(_as_shown(text, visit, files[0]) for text in warnings))
    found = [replace(file, answered_by=info, measures_read=kept.get(file.name), warnings=told) for file in files]
    if is_relative(run) and visit.maxima != maxima_then:
        raise Refused("app_changed_meanwhile")
    _take(visit, found, predictions)


def _take(visit: Visit, files: list[VisitFile], predictions: Predictions) -> None:
    """Give each file its answers, unless it has changed meanwhile."""
    of_file = {prediction.file: prediction for prediction in predictions.predictions}
    with visit.lock:
        problems = []
        for file in files:
            now = visit.files.get(file.number)
            if now is None or not _is_as_asked(now, file):
                continue
            reason = predictions.errors.get(file.name)
            if reason is not None:
                problems.append(Problem("app_says", {"said": _as_shown(reason, visit, file)}))
                if now.is_restored:
                    continue  # the answers of another run are better than none
            found = of_file.get(file.name)
            if found is not None:
                found = replace(found, remarks=tuple(_as_shown(text, visit, file) for text in found.remarks))
            visit.put(replace(now.without_answers(), prediction=found, answered_rows=file.rows,
                              answered_by=file.answered_by, warnings=file.warnings,
                              measures_read=file.measures_read))  # fmt: skip
        visit.problems = tuple(problems)


def _as_shown(text: str, visit: Visit, file: VisitFile) -> str:
    """A remark about a file with the visitor's table in place of that of `_inputs`, and without the server's folder.

    Where no table of the visitor states the rate, it was typed.
    """
    text = without_folder(text, visit.recordings)
    source = file.row.rate_source
    stated = re.compile(rf"{TABLE}\S*?\.csv states (\S+) Hz")
    text = stated.sub(lambda found: f"{source} states {found[1]} Hz" if source else f"{found[1]} Hz was given", text)
    return re.sub(rf"{TABLE}\S*?\.csv", "reps.csv", text)


def _is_as_asked(now: VisitFile, file: VisitFile) -> bool:
    """Whether nothing has changed that an answer depends on; it does not depend on labels and notes."""
    readings = [None if of.recorded is None else of.recorded.samples for of in (now, file)]
    is_same = now.has_times_of(file.rows) and replace(now.about, note=file.about.note) == file.about
    return is_same and readings[0] == readings[1]


def _n_samples(file: VisitFile) -> int:
    """Samples in all repetitions and channels of a recording."""
    if file.recorded is None:
        return 0
    found = file.recorded
    spans = [(row.stop_s or found.duration_s) - (row.start_s or 0.0) for row in file.rows] or [found.duration_s]
    return round(sum(spans) * found.rate_hz * len(found.emg))


@contextmanager
def _inputs(
    visit: Visit, files: list[VisitFile], run: Run, references: Path | None
) -> Iterator[tuple[list[Path], InputOptions]]:
    """The inputs of a run, which are the matrix files and a table of all repetitions, and its options."""
    from semg_hht.datasets.find_inputs import InputOptions

    inputs = [file.path for file in files if file.is_matrix]
    rows = [row for file in files if file.recorded is not None for row in file.manifest_rows()]
    with ExitStack() as written:
        if rows:
            inputs.append(written.enter_context(_table(visit, rows)))
        if is_relative(run):
            if maxima := _maxima(visit):
                references = written.enter_context(_table(visit, maxima))
            elif references is None:
                raise Refused("app_needs_maximum")
        yield inputs, InputOptions(references=references)


@contextmanager
def _table(visit: Visit, rows: list[ManifestRow]) -> Iterator[Path]:
    """A manifest beside the recordings, for the time of the block."""
    with tempfile.NamedTemporaryFile("w", dir=visit.recordings, prefix=TABLE, suffix=".csv", encoding="utf-8") as table:
        table.write(manifest_text(rows))
        table.flush()
        yield Path(table.name)


def _maxima(visit: Visit) -> list[ManifestRow]:
    """A row for the maximal contraction of each person, for runs that answer relative to it."""
    rows = []
    with visit.lock:
        for file in visit.usable():
            maximum = visit.maximum(file)
            source = visit.files.get(maximum.file) if maximum is not None else None
            if maximum is not None and source is not None:
                own = replace(source.row, subject=file.about.person, muscle="", movement="mvc")
                rows.append(replace(own, start_s=maximum.start_s, stop_s=maximum.stop_s))
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


def explain_one(visit: Visit, run: Run, references: Path | None, number: Any, repetition: int) -> None:
    """Explain the answers for the repetition of this number, counted from 1."""
    from semg_hht.explanation.explain import explain, explain_loaded
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.prediction.inputs import Choice
    from semg_hht.web.why import why_text

    with visit.lock:
        file = visit.file(number)
    if file.prediction is None or file.answered_by is None:
        raise Refused("app_nothing_to_answer")
    if file.answered_by.fingerprint != run.fingerprint:
        raise Refused("app_why_other_run")
    found: tuple[WhyText, ...] | None = None
    if _can_explain(run):
        if file.measures_read is not None:
            number_then = _number_when_answered(file, repetition)
            results: Iterable[Any] = explain_loaded(
                run, None, file.measures_read, given=file.prediction, only=number_then
            )
            found = tuple(map(why_text, results))
        else:
            given = _given(file, repetition)
            with _inputs(visit, [file], run, references) as (inputs, options):
                results = explain(run, inputs, options, choice=Choice(file.name, repetition), given=given)
                found = tuple(why_text(result) for result in results if isinstance(result, Explanation))
    with visit.lock:
        now = visit.files.get(file.number)
        if now is not None and now.prediction is file.prediction and now.has_times_of(file.rows):
            visit.put(replace(now, why={**now.why, repetition: found}))


def _given(file: VisitFile, repetition: int) -> Prediction | None:
    """The answers of a repetition as the page shows them, so that nothing else of the file is answered again.

    None where they belong to no single repetition, or come from a saved session, which may be a stranger's.
    """
    assert file.prediction is not None
    if file.is_restored or file.prediction.parts and not file.rows:
        return None
    if not file.prediction.parts:
        return file.prediction
    return replace(file.prediction, parts=(file.prediction.parts[_number_when_answered(file, repetition) - 1],))


def _number_when_answered(file: VisitFile, repetition: int) -> int:
    """The number that a repetition had when it was answered: others may have come or gone since."""
    assert file.prediction is not None
    if not file.rows:
        return 1
    times = times_of(file.rows[repetition - 1])
    for number, part in enumerate(file.prediction.parts, start=1):
        if (round(part.start_s or 0.0, DECIMALS), round(part.stop_s or 0.0, DECIMALS)) == times:
            return number
    raise Refused("app_answer_first")


def _can_explain(run: Run) -> bool:
    """Whether a run can say where its reasons lie; an export whose network is part of its answers can't."""
    from semg_hht.explanation.explain import model_of

    try:
        model_of(run)
    except InputError:
        return False
    return True


def picture(visit: Visit, number: Any, repetition: Any, config: Any) -> bytes:
    """A PNG of the matrix of a repetition, the mean of its channels; drawn from the kept channels, or a matrix file."""
    from semg_hht.figures.plots import plane_png

    file = visit.file(number)
    if file.is_matrix:
        from semg_hht.matrices.matrix import read_matrix

        return plane_png(read_matrix(file.path).values.mean(axis=0))
    file, recorded = visit.recording(number)
    if not isinstance(repetition, int) or not 1 <= repetition <= max(1, len(file.rows)):
        raise Refused("app_no_such_file")
    row = file.manifest_rows()[repetition - 1]
    if (n_samples := _n_samples(replace(file, rows=(row,)))) > MAX_ANSWERED:
        raise Refused("app_too_long", found=n_samples, most=MAX_ANSWERED)
    import numpy as np

    from semg_hht.matrices.transform import transform
    from semg_hht.recordings.jobs import Job
    from semg_hht.recordings.recording import Recording
    from semg_hht.signals.filtered_recording import FilteredRecording

    start, stop = (row.start_s or 0.0), (row.stop_s or recorded.duration_s)
    samples = read_samples(recorded.samples, round(start * recorded.rate_hz), round(stop * recorded.rate_hz))
    names = tuple(recorded.channels[i].name for i in recorded.emg)
    cut = Recording(samples[recorded.emg], recorded.rate_hz, names, recorded.units, str(file.path))
    job = Job(file.path, (replace(row, start_s=None, stop_s=None, channels=()),))
    examples = transform(FilteredRecording(job, cut, cut), replace(config, scaling="log"))
    return plane_png(np.concatenate([example.matrix.values for example in examples]).mean(axis=0))


def session_of_file(visit: Visit, number: Any, filters: Any, remarks: tuple[str, ...]) -> Session:
    """The session of a recording that was answered, for its card; the recording is read again, with ``filters``."""
    from semg_hht.prediction.session import session_of
    from semg_hht.recordings.jobs import Job
    from semg_hht.signals.filtered_recording import open_filtered

    file, _ = visit.recording(number)
    if file.prediction is None:
        raise Refused("app_nothing_to_answer")
    if not file.is_answered:
        raise Refused("app_answer_first")
    if not file.rows:  # the run may have answered parts of the recording that are no repetitions here
        raise Refused("app_no_repetition")
    try:
        source = open_filtered(Job(file.path, tuple(file.manifest_rows())), filters)
        session = session_of(source, file.prediction, is_percent=False)
        about = file.about
        title = " · ".join(filter(None, [about.person, about.date, about.muscle, file.name]))  # as the page lists it
        return replace(session, file=title, remarks=(*remarks, *session.remarks))
    except InputError as error:
        raise Refused("app_says", said=problem_of(error, visit.recordings).values["said"]) from None


@contextmanager
def warnings_of_this_thread() -> Iterator[list[str]]:
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


def _part_without_gender(part: Part) -> Part:
    channels = {name: _others(answers) for name, answers in part.channels.items()}
    return replace(part, answers=_others(part.answers), channels=channels)


def _others(answers: dict[str, Answer]) -> dict[str, Answer]:
    return {task: answer for task, answer in answers.items() if task != "gender"}


def predictions_json(visit: Visit, remarks_of: Callable[[VisitFile], tuple[str, ...]]) -> str:
    """The JSON that `predict` writes, of the files whose answers are about their present repetitions.

    remarks_of : remarks about the answers of a file. Gender is left out unless the visitor asked for it.
    """
    from semg_hht.inference.answers import Predictions

    with visit.lock:
        found = [replace(file.prediction, remarks=(*remarks_of(file), *file.prediction.remarks))
                 for file in visit.files.values() if file.prediction is not None and file.is_answered]  # fmt: skip
        if not visit.gender:
            found = [
                replace(p, answers=_others(p.answers), parts=tuple(map(_part_without_gender, p.parts))) for p in found
            ]
    return json.dumps(Predictions(tuple(found), {}).to_json(), indent=2, ensure_ascii=False) + "\n"
