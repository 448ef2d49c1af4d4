"""A visit -> what its page shows: charts, tables, sentences and files to download, in one language.

This module does not know about browsers or Gradio. Pictures and downloads are embedded in the page, so the server has
no files of visitors to serve.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, TypeVar

from semg_hht.inference.answers import Answer, Part, Prediction
from semg_hht.prediction.session import Session
from semg_hht.report.card import answer_text, render_card, strips
from semg_hht.report.explanation_text import evidence_view, unlike_text
from semg_hht.report.template import fill
from semg_hht.report.words import Words, read_words
from semg_hht.web.repetition_table import Problem, cells_of, overlapping
from semg_hht.web.uploads import ALL_CHANNELS, UploadedRecording
from semg_hht.web.visit import MAX_PICTURES, Visit, table_of

UNITS = ("", "V", "mV", "uV")
T = TypeVar("T", Prediction, Session)


@dataclass(frozen=True)
class ShippedFacts:
    """What the page says about the run that comes with the package.

    n_trained : men it was trained on.
    balanced_accuracy, low, high : of a repetition of a new man, and the 95 % interval over ``n_people`` men.
    """

    n_trained: int
    balanced_accuracy: float
    low: float
    high: float
    n_people: int


@dataclass(frozen=True)
class RunInfo:
    """The run that answers all visitors.

    name : None where there is no run yet.
    practice : whether the run was trained on simulated people.
    tasks : the tasks that the run answers.
    shipped : of the run that comes with the package, where it answers or may be chosen.
    chosen : task -> name of what the recipe ``auto`` chose; empty for other recipes.
    """

    name: str | None
    practice: bool
    tasks: tuple[str, ...] = ()
    shipped: ShippedFacts | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageContent:
    """The content of each part of the page.

    sample : a picture of the sample recording, while nothing is shown.
    files, channels : (text, value) of each choice; empty where there is only one.
    table : the repetitions; None while a matrix or nothing is shown.
    """

    words: Words
    intro: str
    sample: str
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


def page_content(visit: Visit, run: RunInfo, sample: UploadedRecording | None = None) -> PageContent:
    """What the page shows; ``sample`` is the recording that it offers to a visitor without files."""
    words = read_words(visit.language or "en")
    recorded = visit.recorded
    channels = []
    if recorded is not None and len(recorded.channels) > 1:
        channels = [(channel.name, i) for i, channel in enumerate(recorded.channels)]
        channels.append((words("app_all_channels"), ALL_CHANNELS))
    files = [(file.path.name, i) for i, file in enumerate(visit.files)]
    rows = None
    if recorded is not None:
        rows = cells_of(recorded.rows) if visit.cells is None else [*map(list, visit.cells)]
    return PageContent(
        words,
        intro=fill("app_intro.html.j2", words, run=run),
        sample="" if sample is None or visit.files else _sample(sample, words),
        notes=_notes(visit, words),
        files=files if len(files) > 1 else [],
        shown=visit.shown,
        channels=channels,
        channel=visit.channel,
        signal="" if recorded is None else _signal(visit, recorded, words),
        table=rows,
        table_notes=_table_notes(visit, words),
        answers=_answers(visit, run, words),
        n_answered=0 if _prediction(visit) is None else max(1, len(_parts(visit))),
        downloads=_downloads(visit, words),
        has_files=any(file.problem is None for file in visit.files),
    )


def _notes(visit: Visit, words: Words) -> str:
    """Problems of the files, and remarks on the recording that is shown."""
    is_of_table = visit.cells is not None
    problems = [*(() if is_of_table else visit.problems), *(file.problem for file in visit.files if file.problem)]
    remarks = () if visit.recorded is None else visit.recorded.remarks
    texts = [problem_text(problem, words) for problem in problems]
    return fill("app_notes.html.j2", words, problems=texts, remarks=remarks)


def _table_notes(visit: Visit, words: Words) -> str:
    """Problems of the table, shown beside it."""
    if visit.recorded is None:
        return ""
    if visit.cells is not None:
        texts = [problem_text(problem, words) for problem in visit.problems]
    else:
        pairs = overlapping(visit.recorded.rows)
        texts = [words("app_overlap", first=first, second=second) for first, second in pairs]
    return fill("app_notes.html.j2", words, problems=texts, remarks=())


def problem_text(problem: Problem, words: Words) -> str:
    return words(problem.name, **problem.values)


def _signal(visit: Visit, recorded: UploadedRecording, words: Words) -> str:
    channel, points_per_s = recorded.drawn(visit.channel)
    unsure = _unsure_numbers(visit)
    spans = [(row.start_s, row.stop_s, number in unsure) for number, row in enumerate(recorded.rows, start=1)]
    name = channel.name or words("app_all_channels")
    return fill(
        "app_signal.html.j2", words, channel=name, strips=strips(channel.extremes, points_per_s, spans),
        count=words.counted("repetitions", len(recorded.rows)) if recorded.rows else words("app_none_found"),
        units=recorded.units.replace("uV", "\N{MICRO SIGN}V") or "–", duration=f"{recorded.duration_s:.1f}",
        rate=f"{recorded.shared.rate_hz:g}",
    )  # fmt: skip


def _sample(sample: UploadedRecording, words: Words) -> str:
    """The strongest channel of the sample recording, with its repetitions."""
    number = sample.strongest
    channel, points_per_s = sample.drawn(number)
    spans = [(row.start_s, row.stop_s, False) for row in sample.rows]
    count = words.counted("repetitions", len(sample.rows))
    pictures = strips(channel.extremes, points_per_s, spans)
    return fill("app_sample.html.j2", words, channel=channel.name, strips=pictures, count=count)


def _unsure_numbers(visit: Visit) -> set[int]:
    """Return the numbers of the repetitions whose main answer is unsure, or that are unlike the training data."""
    return {
        number
        for number, part in enumerate(_parts(visit), start=1)
        for task in shown_tasks(part.answers, visit.gender)[:1]
        if part.answers[task].is_unsure or part.unlike
    }


def _prediction(visit: Visit) -> Prediction | None:
    """Return the prediction of the file that is shown."""
    if visit.answered is None or visit.file is None:
        return None
    return next((p for p in visit.answered.predictions.predictions if p.file == visit.file.path.name), None)


def _parts(visit: Visit) -> list[Part]:
    """Return the answered repetitions of the recording that is shown, in order of time."""
    prediction = _prediction(visit)
    return [] if prediction is None else sorted(prediction.parts, key=lambda part: part.start_s or 0.0)


def shown_tasks(answers: Collection[str], gender: bool) -> list[str]:
    """Action quality first; recorded gender only where the visitor asked for it."""
    return [task for task in ("action_quality", "gender") if task in answers and (gender or task != "gender")]


def _answers(visit: Visit, run: RunInfo, words: Words) -> str:
    answered = visit.answered
    if answered is None:
        return ""
    predictions = answered.predictions
    prediction = _prediction(visit)
    cards: list[dict[str, Any]] = []
    if prediction is not None:
        parts = _parts(visit)
        whole = Part("", None, None, prediction.answers, unlike=prediction.unlike)
        for number, part in enumerate(parts or [whole], start=1):
            cards.append(
                {
                    "title": words("app_repetition", number=number) if parts else prediction.file,
                    "start_s": part.start_s,
                    "stop_s": part.stop_s,
                    "unlike": unlike_text(part.unlike, words),
                    "answers": _answers_of(part.answers, visit, words),
                    "picture": answered.pictures[number - 1] if number <= len(answered.pictures) else None,
                }
            )
    files = [(p.file, _answers_of(p.answers, visit, words), bool(p.unlike)) for p in predictions.predictions]
    return fill(
        "app_answers.html.j2", words, cards=cards, files=files if len(files) > 1 else [],
        whole=[] if prediction is None or len(cards) < 2 else _answers_of(prediction.answers, visit, words),
        failures=list(predictions.errors.values()), warnings=answered.warnings, run=run,
        chosen=[
            words("chosen_page", task=words.known("tasks", task), name=words.known("candidates", run.chosen[task]))
            for task in shown_tasks(run.chosen, visit.gender)
        ],
        gender_shown=visit.gender and "gender" in run.tasks, only_gender=run.tasks == ("gender",) and not visit.gender,
        promises=any(answer.possible for p in predictions.predictions for answer in p.answers.values()),
        why=[evidence_view(why, words) for why in answered.why if visit.gender or why.task != "gender"],
        all_pictures=len(cards) <= MAX_PICTURES, max_pictures=MAX_PICTURES,
    )  # fmt: skip


def _answers_of(answers: Mapping[str, Answer], visit: Visit, words: Words) -> list[dict[str, Any]]:
    """Return what the template shows of each answer."""
    return [
        {
            "task": words.known("tasks", task),
            "text": answer_text(answers[task], words),
            "unsure": answers[task].is_unsure,
            "likeliest": answers[task].prediction,
            "confidence": answers[task].confidence,
            "bars": list(answers[task].probabilities.items()),
        }
        for task in shown_tasks(answers, visit.gender)
    ]


def answers_text(visit: Visit) -> str:
    """Return the JSON that `predict` writes; without recorded gender unless the visitor asked for it."""
    if visit.answered is None:
        return ""
    answered = visit.answered.predictions
    if not visit.gender:
        answered = replace(answered, predictions=tuple(map(_without_gender, answered.predictions)))
    return json.dumps(answered.to_json(), indent=2, ensure_ascii=False) + "\n"


def card_text(visit: Visit) -> str:
    """Return the session card of the recording that is shown, as `report --card` writes it, or an empty string."""
    session = None if visit.answered is None else visit.answered.session
    if session is None:
        return ""
    if not visit.gender:
        session = _without_gender(session)
    return render_card(session, read_words(visit.language or "en")) if session.answers else ""


def _without_gender(answered: T) -> T:
    """Return the answers for one file without recorded gender, also those of its repetitions and channels."""

    def others(answers: Mapping[str, Answer]) -> dict[str, Answer]:
        return {task: answer for task, answer in answers.items() if task != "gender"}

    parts = tuple(
        replace(
            part,
            answers=others(part.answers),
            channels={name: others(answers) for name, answers in part.channels.items()},
        )
        for part in answered.parts
    )
    return replace(answered, answers=others(answered.answers), parts=parts)


def _downloads(visit: Visit, words: Words) -> str:
    stem = "" if visit.file is None else PurePath(visit.file.path.name).stem
    downloads = [
        ("app_card", f"{stem}_card.html", "text/html", card_text(visit)),
        ("app_reps", "reps.csv", "text/csv", table_of(visit)),
        ("app_json", "predictions.json", "application/json", answers_text(visit)),
    ]
    links = [
        (words(label), name, f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode('ascii')}")
        for label, name, kind, text in downloads
        if text
    ]
    return fill("app_downloads.html.j2", words, links=links) if links else ""
