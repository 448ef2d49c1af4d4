"""What each address of the page does to a visit, and what it returns.

It knows visits and the shared runs. It does not know HTTP.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semg_hht.errors import InputError
from semg_hht.reports.words import LANGUAGES, read_words
from semg_hht.system.memory import give_back_freed_memory
from semg_hht.web import background, editing, trained_run
from semg_hht.web.drawn_signal import MAX_POINTS, draw_interval
from semg_hht.web.kept_sessions import KeptSessions
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.session_file import SUFFIX, open_session, write_session
from semg_hht.web.shared_run import PRACTICE, SHIPPED, TRAINED, Desk, is_relative
from semg_hht.web.uploads import require_space
from semg_hht.web.view import job_view, remarks_of, state_of, trend_over_time
from semg_hht.web.visit import BackgroundJob, Stopped, Visit
from semg_hht.web.visitors import Visitors
from semg_hht.web.watched_stream import WatchedStream

if TYPE_CHECKING:
    from semg_hht.prediction.run import Run

log = logging.getLogger(__name__)

TOTAL_UPLOAD_FACTOR = 3  # all files of a visit may together be this many times as large as one may be
MAX_SENT = 2  # saved sessions of one visit
WARMED_UP = ("scipy.optimize", "scipy.special", "semg_hht.datasets.feature_table", "semg_hht.prediction.run",
             "semg_hht.reports.explanation_text", "semg_hht.figures.explanation_plot")  # fmt: skip
MIN_STEPS = 10  # of a training, before its remaining time is told
Content = Mapping[str, Any]
Read = Callable[["Page", Visit, Content], tuple[bytes | Path, str]]


@dataclass(frozen=True)
class Change:
    """A step that changes a visit. reads : whether it reads a recording, of which few are read at once."""

    do: Callable[[Page, Visit, Content], None]
    reads: bool = False


@dataclass
class Page:
    """What all visits share. max_upload : bytes of one file. kept, stream : None where the owner names none."""

    desk: Desk
    visitors: Visitors
    max_upload: int
    kept: KeptSessions | None = None
    stream: WatchedStream | None = None

    def state(self, visit: Visit) -> dict[str, Any]:
        with visit.lock:
            keeps, names = ("", []) if self.kept is None else (self.kept.folder.name, self.kept.names())
            max_mb, session_mb = self.max_upload // 1_000_000, self.max_stored // 1_000_000
            return state_of(visit, self.desk, max_mb=max_mb, session_mb=session_mb, keeps=keeps, kept=names)

    @property
    def max_stored(self) -> int:
        """Bytes that all files of a visit may have together."""
        return TOTAL_UPLOAD_FACTOR * self.max_upload

    def room(self, visit: Visit) -> int:
        """Bytes of further files that a visit has space for."""
        return self.max_stored - visit.n_bytes

    def take_upload(self, visit: Visit, stored: Path, name: str) -> None:
        if name.endswith(SUFFIX):
            open_session(visit, stored, self.desk.filters, max_bytes=self.room(visit), called=name)
        else:
            editing.add(visit, stored, name, self.desk.filters)

    def keep_house(self) -> None:
        """Keep the sessions that changed, and remove visitors who left."""
        if self.kept is not None:
            for visit in self.visitors.all():
                try:
                    self.kept.keep(visit)
                except (OSError, InputError) as error:
                    log.warning("a session could not be kept: %s", error)
        self.visitors.remove_idle()

    def warm_up(self) -> None:
        """Import what the first recording and the first answer need, while the first visitor reads the page."""
        for name in WARMED_UP:
            import_module(name)


def set_language(page: Page, visit: Visit, content: Content) -> None:
    if content.get("language") not in LANGUAGES:
        raise Refused("app_bad_request")
    visit.language = content["language"]
    visit.touch()


def open_sample(page: Page, visit: Visit, content: Content) -> None:
    if page.desk.sample is None:
        raise Refused("app_no_such_file")
    add_copy(page, visit, page.desk.sample)


def add_copy(page: Page, visit: Visit, path: Path) -> None:
    """Take a copy of a file of this computer into the visit."""
    require_space(visit.folder, path.stat().st_size)
    stored = visit.folder / f"upload-{secrets.token_hex(8)}"
    shutil.copyfile(path, stored)
    try:
        editing.add(visit, stored, path.name, page.desk.filters)
    finally:
        stored.unlink(missing_ok=True)


def remove(page: Page, visit: Visit, content: Content) -> None:
    with visit.lock, _maxima_watched(page, visit):
        visit.remove(content.get("file"))
        visit.problems = ()


def describe(page: Page, visit: Visit, content: Content) -> None:
    with _maxima_watched(page, visit):
        editing.describe(visit, content.get("file"), content, page.desk.filters)


def set_maximum(page: Page, visit: Visit, content: Content) -> None:
    file, of, start_s, stop_s = (content.get(name) for name in ("file", "of", "start_s", "stop_s"))
    with _maxima_watched(page, visit):
        editing.set_maximum(visit, file, of, start_s, stop_s)


@contextmanager
def _maxima_watched(page: Page, visit: Visit) -> Iterator[None]:
    """Where the block changes a maximal contraction, answers that are relative to it are taken away."""
    before = dict(visit.maxima)
    yield
    run = run_or_none(page, visit)
    with visit.lock:
        if visit.maxima != before and run is not None and is_relative(run):
            visit.change_each(lambda file: file.without_answers())


def run_or_none(page: Page, visit: Visit) -> Run | None:
    return visit.trained if visit.run == TRAINED else page.desk.run(visit.run)


def _run(page: Page, visit: Visit) -> Run:
    run = run_or_none(page, visit)
    if run is None:
        raise Refused("app_no_run")
    return run


def answer(page: Page, visit: Visit, content: Content) -> None:
    from semg_hht.web import answering

    visit.gender = content.get("gender") is True
    run, info = _run(page, visit), page.desk.info(visit.run, visit.trained)

    def work(job: BackgroundJob) -> None:
        with _turn(page.desk.answering, job):
            answering.answer(visit, run, info, page.desk.references, job)

    background.start(visit, "answer", work)


def explain(page: Page, visit: Visit, content: Content) -> None:
    from semg_hht.web import answering

    run, number, repetition = _run(page, visit), content.get("file"), content.get("repetition")
    file = visit.file(number)
    if not isinstance(repetition, int) or not 1 <= repetition <= max(1, len(file.rows)):
        raise Refused("app_no_such_file")

    def work(job: BackgroundJob) -> None:
        with _turn(page.desk.explaining, job):
            job.stage, job.share = Problem("app_stage_why"), 0.3
            answering.explain_one(visit, run, page.desk.references, number, repetition)

    background.start_short(visit, "why", work)


@contextmanager
def _turn(lock: threading.Lock, job: BackgroundJob) -> Iterator[None]:
    """Hold the lock; a visitor who waits for it may stop the work."""
    while not lock.acquire(timeout=0.2):
        if job.stopping.is_set():
            raise Stopped
    try:
        yield
    finally:
        lock.release()
        give_back_freed_memory()


def train(page: Page, visit: Visit, content: Content) -> None:
    open_trained = page.desk.open_trained
    if open_trained is None:
        raise Refused("app_no_training")
    found = trained_run.labelled(visit)
    trained_run.require_enough(found)

    def work(job: BackgroundJob) -> None:
        with _turn(page.desk.training, job):
            folder = trained_run.train(visit, job, resume=content.get("resume") is True)
        run, score = open_trained(folder), trained_run.score_of(folder, found.n_people)
        with visit.lock:
            visit.trained, visit.score = run, score
            _use(visit, TRAINED)

    background.start(visit, "train", work, Problem("app_stage_prepare"))


def take_run(page: Page, visit: Visit, content: Content) -> None:
    kind = content.get("take")
    if kind == SHIPPED:
        page.desk.take_shipped()
    elif kind == PRACTICE and PRACTICE not in page.desk.opened:
        background.start(visit, "practice", partial(_practice, page, visit), Problem("app_stage_practice"))
        return
    elif kind == TRAINED and visit.trained is None or kind == "own" and page.desk.own is None:
        raise Refused("app_no_run")
    elif kind not in (PRACTICE, TRAINED, "own"):
        raise Refused("app_bad_request")
    with visit.lock:
        _use(visit, str(kind))


def _practice(page: Page, visit: Visit, job: BackgroundJob) -> None:
    begun: list[tuple[float, float]] = []  # time and share at the first step of the training

    def tell(share: float, what: str) -> None:
        job.share, job.stage = share, Problem("app_stage_practice")
        if what == "training":
            begun.append((time.monotonic(), share))
            (begun_s, first), n_steps = begun[0], len(begun)
            if n_steps > MIN_STEPS:
                job.remaining_s = (time.monotonic() - begun_s) / (share - first) * (1 - share)
        if job.stopping.is_set():
            raise Stopped

    page.desk.make(tell)
    with visit.lock:
        _use(visit, PRACTICE)


def _use(visit: Visit, kind: str) -> None:
    """Another run answers from now on: answers of the former are taken away, but for those of a saved session."""
    if visit.run != kind:
        visit.run = kind
        visit.change_each(lambda file: file if file.is_restored else file.without_answers())
    visit.touch()


def _kept(page: Page) -> KeptSessions:
    if page.kept is None:
        raise Refused("app_keeps_nothing")
    return page.kept


def open_kept(page: Page, visit: Visit, content: Content) -> None:
    _kept(page).open(visit, content.get("name"), page.desk.filters, max_bytes=page.room(visit))


def open_instead(page: Page, visit: Visit, content: Content) -> None:
    with _maxima_watched(page, visit):
        _kept(page).set_aside(visit, content.get("name"))
    open_kept(page, visit, content)


def _as_json(content: Any) -> tuple[bytes, str]:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


def state(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    return _as_json(page.state(visit))


def job(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    return _as_json(job_view(visit.job, read_words(visit.language)))


def _number(query: Content, name: str, otherwise: float | None = None) -> Any:
    """A finite number in the query, whole where it can be; ``otherwise`` where it is not stated."""
    text = query.get(name, otherwise)
    try:
        value = float(text)
        return int(value) if value == int(value) else value
    except (TypeError, ValueError, OverflowError):
        raise Refused("app_bad_request") from None


def signal(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    _, recorded = visit.recording(_number(query, "file"))
    names = [(channel.name, channel.units, channel.is_sensor) for channel in recorded.channels]
    interval = _number(query, "from", 0.0), _number(query, "to", recorded.duration_s)
    n_points = max(2, int(_number(query, "points", MAX_POINTS)))
    return _as_json(draw_interval(recorded.samples, recorded.rate_hz, names, interval, n_points))


def picture(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    from semg_hht.matrices.transform import PipelineConfig
    from semg_hht.web import answering

    run = run_or_none(page, visit)
    config = (None if run is None else run.recording_config) or page.desk.config or PipelineConfig()
    try:
        png = answering.picture(visit, _number(query, "file"), _number(query, "repetition", 1), config)
    except InputError as error:
        raise Refused("app_says", said=str(error)) from None
    return png, "image/png"


def card(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    from semg_hht.reports.card import render_card, without_gender
    from semg_hht.web import answering

    words, number, run = read_words(visit.language), _number(query, "file"), run_or_none(page, visit)
    remarks = remarks_of(visit.file(number), page.desk.info(visit.run, visit.trained), words)
    config = None if run is None else run.recording_config
    with page.desk.explaining:
        filters = page.desk.filters if config is None else config.filter
        session = answering.session_of_file(visit, number, filters, remarks)
    if query.get("gender") != "true":
        session = without_gender(session)
    return render_card(session, words).encode(), "text/html"


def table(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    return visit.table().encode(), "text/csv"


def predictions(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    """What `semg-hht predict` writes, with what to know about the run; without gender unless asked for."""
    from semg_hht.web import answering

    run, words = page.desk.info(visit.run, visit.trained), read_words(visit.language)
    return answering.predictions_json(visit, partial(remarks_of, run=run, words=words)).encode(), "application/json"


def session(page: Page, visit: Visit, query: Content) -> tuple[Path, str]:
    """The saved session, in a file that is removed when it has been sent; few of a visit are sent at once."""
    if len(list(visit.folder.glob("session-*"))) >= MAX_SENT:
        raise Refused("app_busy")
    require_space(visit.folder, visit.n_bytes)
    path = visit.folder / f"session-{secrets.token_hex(8)}"
    with path.open("wb") as to:
        write_session(visit, to, [file for file in visit.files.values() if file.problem is None])
    return path, "application/zip"


def trend(page: Page, visit: Visit, query: Content) -> tuple[bytes, str]:
    with visit.lock:
        return _as_json(trend_over_time(visit))


CHANGES = {
    "language": Change(set_language),
    "sample": Change(open_sample, reads=True),
    "remove": Change(remove),
    "about": Change(describe, reads=True),
    "repetitions": Change(lambda _, visit, it: editing.set_repetitions(visit, it.get("file"), it.get("repetitions"))),
    "find": Change(
        lambda page, visit, body: editing.find_again(visit, body.get("file"), page.desk.filters), reads=True
    ),
    "maximum": Change(set_maximum),
    "from_sensor": Change(
        lambda _, visit, body: editing.label_from_sensor(visit, body.get("file"), body.get("sensor")), reads=True
    ),
    "answer": Change(answer),
    "why": Change(explain),
    "train": Change(train),
    "run": Change(take_run),
    "stop": Change(lambda _, visit, body: visit.job.stopping.set()),
    "keep": Change(lambda page, visit, _: _kept(page).keep(visit)),
    "open": Change(open_kept, reads=True),
    "open_instead": Change(open_instead, reads=True),
    "go_on": Change(lambda page, visit, body: _kept(page).go_on(visit, body.get("name"))),
}
DRAWN = (picture, card)  # reads that take long, of which few are done at once
READS: dict[str, Read] = {
    "state": state, "job": job, "signal": signal, "picture": picture, "card": card, "table": table,
    "predictions": predictions, "session": session, "trend": trend,
}  # fmt: skip
