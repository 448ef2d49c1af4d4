"""The Live view of a visit: its steps, and what it is told about the recording of a stream, in its language.

It does not know where the signal comes from.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from semg_hht.reports.messages import told
from semg_hht.reports.words import Words, read_words
from semg_hht.web.page_steps import Change, Content, Page, add_copy, run_or_none
from semg_hht.web.repetition_table import Refused
from semg_hht.web.view import answers_view, counts_of, rounded, sentence, shown_tasks
from semg_hht.web.visit import Visit
from semg_hht.web.watched_stream import OFF, LiveRecording, WatchedStream

if TYPE_CHECKING:
    from semg_hht.prediction.live import ChannelLevel, LiveRepetition

LOOK_S = 0.05  # between looks for something new
LEVELS_S = 0.125  # between levels that are told
ALIVE_S = 5.0  # between looks whether the visitor is still here, and signs of life for the browser
MAX_ROWS = 300  # last repetitions that are shown
MAX_NOTICES = 5


async def events(page: Page, stream: WatchedStream, key: str, visit: Visit) -> AsyncIterator[str]:
    """Server-sent events, until the visitor has left or watches by another request; a visit watches once."""
    token = stream.watching[visit.folder] = object()
    news, alive_s = LiveNews(stream, visit), -ALIVE_S
    try:
        while stream.watching.get(visit.folder) is token and not page.desk.closing.is_set():
            message = news.next()
            if message:
                yield f"data: {json.dumps(message, ensure_ascii=False, separators=(',', ':'))}\n\n"
            if time.monotonic() - alive_s > ALIVE_S:
                alive_s = time.monotonic()
                if not page.visitors.is_here(key, is_used=stream.now.stage != OFF):
                    return
                yield ":\n\n"
            await asyncio.sleep(LOOK_S)
    finally:
        if stream.watching.get(visit.folder) is token:
            del stream.watching[visit.folder]


class LiveNews:
    """What is new for a visit; all of it after its language, or the recording, has changed."""

    def __init__(self, stream: WatchedStream, visit: Visit) -> None:
        self._stream, self._visit = stream, visit
        self._told_of: tuple[Any, ...] = ()
        self._status: tuple[Any, ...] = ()
        self._n_rows, self._levels_s = 0, 0.0
        self._levels: tuple[ChannelLevel, ...] = ()

    def next(self) -> dict[str, Any]:
        """What was not told yet; empty: nothing is new.

        The keys: those of the status, ``rows`` and ``levels``; ``begins``: what was told before is no longer true.
        """
        now, visit, message = self._stream.now, self._visit, dict[str, Any]()
        told_of = (id(now), visit.language, visit.gender)
        if told_of != self._told_of:
            self._told_of, self._status, self._n_rows, self._levels = told_of, (), 0, ()
            message["begins"] = True
        stage, n, may_stop = now.stage, len(now.repetitions), self._stream.may_stop(visit)
        status = (stage, n, may_stop, len(now.notices), len(now.warnings), visit.run)
        if status != self._status:
            self._status, words = status, read_words(visit.language)
            message |= self._status_view(now, words) | {"stage": stage, "n": n, "may_stop": may_stop}
            rows = now.repetitions[max(self._n_rows, n - MAX_ROWS) : n]
            self._n_rows = n
            message["rows"] = [repetition_view(one, now, visit.gender, words) for one in rows]
        if now.levels is not self._levels and time.monotonic() - self._levels_s > LEVELS_S:
            self._levels, self._levels_s = now.levels, time.monotonic()
            message["levels"] = levels_view(now.levels)
            message["lasted_s"] = 0.0 if now.session is None else round(now.session.lasted_s, 1)
        return message

    def _status_view(self, now: LiveRecording, words: Words) -> dict[str, Any]:
        tasks = shown_tasks(list(now.run.classes), self._visit.gender)
        answered = [one for one in now.repetitions if one.answers]
        counts = counts_of(answered, tasks[0], words) if tasks and answered else ""
        session = now.session
        return {
            "name": self._stream.source.name,
            "is_mine": now.starter == self._visit.folder,
            "run": {"kind": now.run.kind or "none", "name": now.run.name},
            "warning": words("app_practice_means") if now.run.is_practice else "",
            "counts": words("app_verdict_of", n=len(now.repetitions), counts=counts) if counts else "",
            "channels": 0 if session is None else len(session.channel_names),
            "rate_hz": None if session is None else session.rate_hz,
            "units": "" if session is None else session.units,
            "n_notices": len(now.warnings) + len(now.notices),
            "notices": [told(text, words.language) for text in (*now.warnings, *now.notices)][-MAX_NOTICES:],
            "saved": [{"name": part.path.name, "duration_s": part.duration_s} for part in now.saved],
            "problem": "" if now.problem is None else sentence(now.problem, words),
        }


def levels_view(levels: tuple[ChannelLevel, ...]) -> list[dict[str, Any]]:
    return [
        {"name": level.name, "rms": rounded(level.rms),
         "percent_mvc": None if level.percent_mvc is None else rounded(level.percent_mvc)}
        for level in levels
    ]  # fmt: skip


def repetition_view(repetition: LiveRepetition, now: LiveRecording, gender: bool, words: Words) -> dict[str, Any]:
    """A repetition as a row. tone : the index of its class, for a sound; None where no class is sure."""
    from semg_hht.reports.explanation_text import unlike_text

    tasks, tone = shown_tasks(repetition.answers, gender), None
    if tasks and not repetition.unlike and not repetition.answers[tasks[0]].is_unsure:
        tone = now.run.classes[tasks[0]].index(repetition.answers[tasks[0]].prediction)
    return {
        "number": repetition.number,
        "stretch": repetition.stretch,
        "start_s": repetition.start_s,
        "stop_s": repetition.stop_s,
        "levels": levels_view(repetition.levels),
        "answers": answers_view(repetition.answers, gender, words),
        "unlike": unlike_text(repetition.unlike, words),
        "problem": told(repetition.problem, words.language),
        "tone": tone,
    }


def _stream(page: Page) -> WatchedStream:
    assert page.stream is not None  # else its addresses are not there
    return page.stream


def start(page: Page, visit: Visit, content: Content) -> None:
    import semg_hht.reports.card  # now: the server would wait for it when it tells the first repetition
    import semg_hht.reports.explanation_text  # noqa: F401

    _stream(page).start(visit, run_or_none(page, visit))


def stop(page: Page, visit: Visit, content: Content) -> None:
    _stream(page).stop(visit)


def open_saved(page: Page, visit: Visit, content: Content) -> None:
    """Take the files of the last recording into the visit."""
    now = _stream(page).now
    if now.stage != OFF or not now.saved:
        raise Refused("app_no_such_file")
    for part in now.saved:
        if part.path.stat().st_size > page.room(visit):
            raise Refused("app_visit_full", most=page.max_stored // 1_000_000)
        add_copy(page, visit, part.path)


LIVE_CHANGES = {"live_start": Change(start), "live_stop": Change(stop), "live_open": Change(open_saved, reads=True)}
