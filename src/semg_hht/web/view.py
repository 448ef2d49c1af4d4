"""A visit -> what its page shows: pictures, tables, sentences and files to download, in one language.

Knows visits and wording: nothing of browsers or Gradio. Pictures and downloads are part of the page itself, so that
nothing of a visitor's need be served as a file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from semg_hht.inference.answers import Answer, Part, Prediction, Predictions
from semg_hht.prediction.session import Session
from semg_hht.report.card import render_card, said, strips
from semg_hht.report.explanation_text import evidence_view
from semg_hht.report.template import fill
from semg_hht.report.words import Words, read_words
from semg_hht.web.repetition_table import Trouble, cells_of, overlapping
from semg_hht.web.uploads import ALL, Recorded
from semg_hht.web.visit import MAX_PICTURES, Visit, table_of

UNITS = ("", "V", "mV", "uV")


@dataclass(frozen=True)
class Host:
    """What holds for all visitors.

    run : name of the run that answers; None: there is none yet.
    practice : whether it was trained on simulated people.
    tasks : what it answers.
    """

    run: str | None
    practice: bool
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """What stands where.

    files, channels : what can be chosen, (text, value); empty where there is nothing to choose.
    table : repetitions; None where a matrix or nothing is looked at.
    """

    words: Words
    intro: str
    notes: str
    files: list[tuple[str, int]]
    shown: int
    channels: list[tuple[str, int]]
    channel: int
    signal: str
    table: list[list[Any]] | None
    table_notes: str
    answers: str
    n_answered: int
    downloads: str
    has_files: bool


def page_of(visit: Visit, host: Host) -> Page:
    words = read_words(visit.language or "en")
    found = visit.recorded
    channels = []
    if found is not None and len(found.channels) > 1:
        channels = [(channel.name, i) for i, channel in enumerate(found.channels)]
        channels.append((words("app_all_channels"), ALL))
    files = [(file.path.name, i) for i, file in enumerate(visit.files)]
    rows = None if found is None else (cells_of(found.rows) if visit.cells is None else [*map(list, visit.cells)])
    return Page(
        words,
        intro=fill("app_intro.html.j2", words, host=host),
        notes=_notes(visit, words),
        files=files if len(files) > 1 else [],
        shown=visit.shown,
        channels=channels,
        channel=visit.channel,
        signal="" if found is None else _signal(visit, found, words),
        table=rows,
        table_notes=_table_notes(visit, words),
        answers=_answers(visit, host, words),
        n_answered=0 if _prediction(visit) is None else max(1, len(_parts(visit))),
        downloads=_downloads(visit, words),
        has_files=any(file.trouble is None for file in visit.files),
    )


def _notes(visit: Visit, words: Words) -> str:
    """What is wrong with the files, and what should be known of the shown one."""
    of_table = visit.cells is not None
    troubles = [*(() if of_table else visit.troubles), *(file.trouble for file in visit.files if file.trouble)]
    remarks = () if visit.recorded is None else visit.recorded.remarks
    return fill("app_notes.html.j2", words, troubles=[told(trouble, words) for trouble in troubles], remarks=remarks)


def _table_notes(visit: Visit, words: Words) -> str:
    """What is wrong with the table, beside it."""
    if visit.recorded is None:
        return ""
    if visit.cells is not None:
        said_of_rows = [told(trouble, words) for trouble in visit.troubles]
    else:
        pairs = overlapping(visit.recorded.rows)
        said_of_rows = [words("app_overlap", first=first, second=second) for first, second in pairs]
    return fill("app_notes.html.j2", words, troubles=said_of_rows, remarks=())


def told(trouble: Trouble, words: Words) -> str:
    return words(trouble.name, **trouble.values)


def _signal(visit: Visit, found: Recorded, words: Words) -> str:
    channel, points_a_second = found.drawn(visit.channel)
    unsure = _unsure(visit)
    spans = [
        (row.start_s, row.stop_s, number in unsure) for number, row in enumerate(found.rows, start=1)
    ]  # fmt: skip
    name = channel.name or words("app_all_channels")
    return fill(
        "app_signal.html.j2", words, channel=name, strips=strips(channel.envelope, points_a_second, spans),
        count=words.counted("repetitions", len(found.rows)) if found.rows else words("app_none_found"),
        units=found.units.replace("uV", "\N{MICRO SIGN}V") or "–", duration=f"{found.duration_s:.1f}",
        rate=f"{found.shared.rate_hz:g}",
    )  # fmt: skip


def _unsure(visit: Visit) -> set[int]:
    """Numbers of the repetitions whose main answer is unsure."""
    return {
        number
        for number, part in enumerate(_parts(visit), start=1)
        for task in told_tasks(part.answers, visit.gender)[:1]
        if part.answers[task].is_unsure
    }


def _prediction(visit: Visit) -> Prediction | None:
    """What was answered of the shown file."""
    if visit.answered is None or visit.file is None:
        return None
    return next((p for p in visit.answered.predictions.predictions if p.file == visit.file.path.name), None)


def _parts(visit: Visit) -> list[Part]:
    """The repetitions of the shown recording, in order of time."""
    prediction = _prediction(visit)
    return [] if prediction is None else sorted(prediction.parts, key=lambda part: part.start_s or 0.0)


def told_tasks(answers: Mapping[str, Answer], gender: bool) -> list[str]:
    """Action quality first; recorded gender only where somebody asked for it."""
    return [task for task in ("action_quality", "gender") if task in answers and (gender or task != "gender")]


def _answers(visit: Visit, host: Host, words: Words) -> str:
    answered = visit.answered
    if answered is None:
        return ""
    prediction = _prediction(visit)
    cards: list[dict[str, Any]] = []
    if prediction is not None:
        parts = [(part.start_s, part.stop_s, part.answers) for part in _parts(visit)]
        for number, (start_s, stop_s, answers) in enumerate(parts or [(None, None, prediction.answers)], start=1):
            cards.append(
                {
                    "title": words("app_repetition", number=number) if parts else prediction.file,
                    "start_s": start_s,
                    "stop_s": stop_s,
                    "answers": [_answer(task, answers[task], words) for task in told_tasks(answers, visit.gender)],
                    "picture": answered.pictures[number - 1] if number <= len(answered.pictures) else None,
                }
            )
    whole = [] if prediction is None or len(cards) < 2 else [
        _answer(task, prediction.answers[task], words) for task in told_tasks(prediction.answers, visit.gender)
    ]  # fmt: skip
    files = [
        (other.file, [_answer(task, other.answers[task], words) for task in told_tasks(other.answers, visit.gender)])
        for other in answered.predictions.predictions
    ]
    return fill(
        "app_answers.html.j2", words, cards=cards, whole=whole, files=files if len(files) > 1 else [],
        failures=list(answered.predictions.errors.values()), warnings=answered.warnings, host=host,
        gender_told=visit.gender and "gender" in host.tasks, only_gender=host.tasks == ("gender",) and not visit.gender,
        promises=any(answer.possible for p in answered.predictions.predictions for answer in p.answers.values()),
        why=[evidence_view(one, words) for one in answered.why if visit.gender or one.task != "gender"],
        all_pictures=len(cards) <= MAX_PICTURES, max_pictures=MAX_PICTURES,
    )  # fmt: skip


def _answer(task: str, answer: Answer, words: Words) -> dict[str, Any]:
    return {
        "task": words.known("tasks", task),
        "said": said(answer, words),
        "unsure": answer.is_unsure,
        "likeliest": answer.prediction,
        "confidence": answer.confidence,
        "bars": list(answer.probabilities.items()),
    }


def answers_text(visit: Visit) -> str:
    """The JSON that `predict` writes; without recorded gender where nobody asked for it."""
    if visit.answered is None:
        return ""
    predictions = visit.answered.predictions
    content = (predictions if visit.gender else without_gender(predictions)).to_json()
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _kept(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    return {task: answer for task, answer in answers.items() if task != "gender"}


def without_gender(predictions: Predictions) -> Predictions:
    """All that was answered but recorded gender."""
    return replace(
        predictions,
        predictions=tuple(
            replace(
                one,
                answers=_kept(one.answers),
                parts=tuple(
                    replace(
                        part,
                        answers=_kept(part.answers),
                        channels={name: _kept(answers) for name, answers in part.channels.items()},
                    )
                    for part in one.parts
                ),
            )
            for one in predictions.predictions
        ),
    )


def card_text(visit: Visit) -> str:
    """The session card of the shown recording, as `report --card` writes it; empty where there is none."""
    session = None if visit.answered is None else visit.answered.session
    if session is None:
        return ""
    if not visit.gender:
        session = _session_without_gender(session)
    return render_card(session, read_words(visit.language or "en")) if session.answers else ""


def _session_without_gender(session: Session) -> Session:
    parts = tuple(replace(part, answers=_kept(part.answers)) for part in session.parts)
    return replace(session, answers=_kept(session.answers), parts=parts)


def _downloads(visit: Visit, words: Words) -> str:
    stem = "" if visit.file is None else PurePath(visit.file.path.name).stem
    made = [
        ("app_card", f"{stem}_card.html", "text/html", card_text(visit)),
        ("app_reps", "reps.csv", "text/csv", table_of(visit)),
        ("app_json", "predictions.json", "application/json", answers_text(visit)),
    ]
    links = [
        (words(label), name, f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode('ascii')}")
        for label, name, kind, text in made
        if text
    ]
    return fill("app_downloads.html.j2", words, links=links) if links else ""
