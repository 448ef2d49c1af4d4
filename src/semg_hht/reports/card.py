"""The session card: one sheet on one recording: verdict, confidence, own best, trend, warnings, signal, repetitions.

It draws a `Session` and does not compute answers or features.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.datasets.feature_table import Drift
from semg_hht.errors import InputError
from semg_hht.explanation.explanation import Explanation
from semg_hht.inference.answers import Answer, Part
from semg_hht.inference.description import SIMULATED_NOTE
from semg_hht.prediction.session import ChannelCard, Session
from semg_hht.recordings.recording import Array
from semg_hht.reports.explanation_text import evidence_view, reasons_text
from semg_hht.reports.messages import told
from semg_hht.reports.signal_strips import Span, strips
from semg_hht.reports.template import fill, ticks
from semg_hht.reports.words import Words, plain_number, read_words
from semg_hht.signals.trend import MIN_VALUES, trend_band
from semg_hht.system.files import require_new_file, write_text

MAX_NUMBERS = 3  # of repetitions that are unlike the training data for one reason
MAX_CLASSES = 4  # with a colour of their own on the signal
MIN_TWO_TABLES = 9  # repetitions of one channel: from here the table stands in two halves side by side
LAST = 3  # repetitions at the end, whose amplitude is compared with the best
MAX_CHANNELS = 8
FEATURE_WORDS = {"mdf_hz": "card_median_frequency", "rms": "card_rms"}


def write_card(
    session: Session,
    out: Path,
    *,
    evidence: Sequence[Explanation] = (),
    language: str = "en",
    gender: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the card of a session.

    evidence : explanations of answers to show on the card.
    gender : show recorded gender, if the run answers it.

    Raises
    ------
    InputError
        ``out`` exists and ``overwrite`` is not set, ``language`` is unknown, or the run answers recorded gender alone
        and ``gender`` is not set.
    """
    words = read_words(language)
    require_new_file(out, overwrite=overwrite)
    write_text(out, render_card(session if gender else without_gender(session), words, evidence))


def without_gender(session: Session) -> Session:
    """The session without answers on recorded gender.

    Raises
    ------
    InputError
        The run answers nothing else.
    """
    answers = {task: answer for task, answer in session.answers.items() if task != "gender"}
    if not answers:
        raise InputError(f"{session.file}: the run answers recorded gender alone; expected gender=True to show it")
    parts = [
        replace(part, answers={task: answer for task, answer in part.answers.items() if task != "gender"})
        for part in session.parts
    ]
    return replace(session, answers=answers, parts=tuple(parts))


def render_card(session: Session, words: Words, evidence: Sequence[Explanation] = ()) -> str:
    """The card as HTML; the same session gives the same bytes. Recorded gender is shown if the session holds it."""
    task = next((task for task in ("action_quality", "gender") if task in session.answers), "")
    answers = [part.answers[task] for part in session.parts]
    styles = _styles(session.parts, task)
    spans = [(part.start_s, part.stop_s, style) for part, style in zip(session.parts, styles, strict=True)]
    said = [
        words("unlike") if part.unlike else answer_text(answer, words, short=True)
        for part, answer in zip(session.parts, answers, strict=True)
    ]
    channels = [_channel(channel, session, spans, words) for channel in session.channels[:MAX_CHANNELS]]
    n_first = -(-len(session.parts) // 2) if len(channels) == 1 and len(session.parts) >= MIN_TWO_TABLES else None
    rows = [
        (
            number,
            part,
            words("card_unlike_short") if part.unlike else answer_text(answer, words),
            answer,
            (part.start_s, part.stop_s),
        )
        for number, (part, answer) in enumerate(zip(session.parts, answers, strict=True), start=1)
    ]
    gender = session.answers.get("gender") if task != "gender" else None
    return fill(
        "card.html.j2",
        words,
        title=words("card_title", file=session.file),
        counts=_counts(said, words),
        practice=words.remark(SIMULATED_NOTE) if SIMULATED_NOTE in session.remarks else "",
        confidence=_confidence(answers, words),
        gender=gender and words(
            "card_gender", prediction=words.known("classes", gender.prediction), confidence=f"{gender.confidence:.0%}"
        ),
        promises=session.promises,
        task=words("answer") if task != "gender" else words.known("tasks", task),
        speaks_of_gender="gender" in session.answers,
        tables=[rows] if n_first is None else [rows[:n_first], rows[n_first:]],
        unlike=_unlike(session.parts, words),
        channels=channels,
        legend=list(dict.fromkeys(zip(styles, said, strict=True))),
        hidden=len(session.channels) > MAX_CHANNELS,
        max_channels=MAX_CHANNELS,
        remarks=[told(remark, words.language) for remark in session.remarks if remark != SIMULATED_NOTE],
        evidence=[
            {**evidence_view(explanation, words), "title": _evidence_title(explanation, words)}
            for explanation in _numbered(evidence, session)
        ],
        all_explained=len(evidence) == len(session.parts),
    )  # fmt: skip


def _styles(parts: Sequence[Part], task: str) -> list[str]:
    """The class of style of each repetition: that of its answer, or of an answer that is unsure or of no use."""
    sure = Counter(part.answers[task].prediction for part in parts if not _is_doubtful(part, task))
    of_class = {name: f"class{i}" for i, (name, _) in enumerate(sure.most_common(MAX_CLASSES))}
    return [
        "unsure" if _is_doubtful(part, task) else of_class.get(part.answers[task].prediction, "class0")
        for part in parts
    ]


def _is_doubtful(part: Part, task: str) -> bool:
    return part.answers[task].is_unsure or bool(part.unlike)


def _unlike(parts: Sequence[Part], words: Words) -> str:
    """Why repetitions are unlike the training data, each kind of reason once, with the numbers of the repetitions."""
    numbers: dict[str, list[int]] = {}
    texts: dict[str, str] = {}  # of the first repetition
    for number, part in enumerate(parts, start=1):
        for reason in part.unlike:
            numbers.setdefault(reason.name, []).append(number)
            texts.setdefault(reason.name, reasons_text([reason], words))
    if not texts:
        return ""
    listed = []
    for name, text in texts.items():
        shown = words.listed(map(str, numbers[name][:MAX_NUMBERS])) + (" …" if len(numbers[name]) > MAX_NUMBERS else "")
        every = len(numbers[name]) == len(parts)
        who = words("card_all_repetitions") if every else words("card_repetition", number=shown)
        listed.append(f"{who}{words('colon')}{text}")
    return words("unlike_said", reasons=words("unlike_joint").join(listed))


def _counts(said: Sequence[str], words: Words) -> str:
    counts = words.listed(f"{n} × {name}" for name, n in Counter(said).most_common())
    return words("card_counts", repetitions=words.counted("repetitions", len(said)), counts=counts)


def _confidence(answers: Sequence[Answer], words: Words) -> str:
    values = [answer.confidence for answer in answers]
    low, mean, high = (f"{value:.0%}" for value in (min(values), float(np.mean(values)), max(values)))
    return mean if low == high else words("card_confidence", low=low, mean=mean, high=high)


def _numbered(evidence: Sequence[Explanation], session: Session) -> list[Explanation]:
    """The explanations in order of time, with the numbers of the table."""
    numbers = {(part.start_s, part.stop_s): number for number, part in enumerate(session.parts, start=1)}
    numbered = []
    for explanation in evidence:
        number = numbers[explanation.repetition.start_s, explanation.repetition.stop_s]
        numbered.append(replace(explanation, repetition=replace(explanation.repetition, number=number)))
    return sorted(numbered, key=lambda explanation: explanation.repetition.number)


def _evidence_title(explanation: Explanation, words: Words) -> str:
    repetition = words("card_repetition", number=explanation.repetition.number)
    return f"{repetition}{words('colon')}{answer_text(explanation.answer, words)} ({explanation.answer.confidence:.0%})"


def answer_text(answer: Answer, words: Words, *, short: bool = False) -> str:
    """The class of an answer; for an unsure answer, that it is unsure and between which classes."""
    if not answer.is_unsure:
        return words.known("classes", answer.prediction)
    if short or len(answer.possible) == len(answer.probabilities):
        return words("card_unsure")
    possible = [words.known("classes", name) for name in answer.possible]
    return words("card_unsure_between", names=words("card_or").join(possible))


def _channel(channel: ChannelCard, session: Session, spans: Sequence[Span], words: Words) -> dict[str, Any]:
    percent = all("percent_mvc" in measured.values for measured in channel.measures)
    amplitudes = [measured.values["percent_mvc" if percent else "rms"] for measured in channel.measures]
    best = max(amplitudes, default=0.0)
    unit = "% MVC" if percent else _shown(channel.units)
    decimals = _decimals(amplitudes)
    places = {(part.start_s, part.stop_s): number for number, part in enumerate(session.parts, start=1)}
    numbers = [places[measured.row.start_s, measured.row.stop_s] for measured in channel.measures]
    trends = [_trend(drift, channel, words) for drift in channel.drifts]
    return {
        "name": channel.name,
        "units": _shown(channel.units),
        "strips": strips(channel.samples, session.rate_hz, spans),
        "effort": words.texts["percent_mvc"] if percent else words("rms", units=_shown(channel.units)),
        "best": _best(amplitudes, numbers, f"{best:.{decimals}f} {unit}", words),
        "measured": {  # a channel may lack some of the repetitions
            (measured.row.start_s, measured.row.stop_s): (
                f"{value:.{decimals}f}", f"{value / best:.0%}" if best else "–", f"{measured.values['mdf_hz']:.0f}"
            )
            for value, measured in zip(amplitudes, channel.measures, strict=True)
        },
        "trend": words.joined(trend["said"] for trend in trends),
        "trends": trends,
        "too_few": words("card_no_trend", n=MIN_VALUES),
    }  # fmt: skip


def _best(amplitudes: Sequence[float], numbers: Sequence[int], value: str, words: Words) -> str:
    """The strongest repetition, by its number, and how the others and the last ones compare with it."""
    best = max(amplitudes, default=0.0)
    if len(amplitudes) < 2 or not best:
        return ""
    values = {"number": numbers[amplitudes.index(best)], "value": value}
    mean = f"{(sum(amplitudes) - best) / (len(amplitudes) - 1) / best:.0%}"
    if len(amplitudes) < 2 * LAST:
        return words("card_best", mean=mean, **values)
    return words("card_best_last", mean=mean, n=LAST, last=f"{sum(amplitudes[-LAST:]) / LAST / best:.0%}", **values)


def _decimals(values: Sequence[float]) -> int:
    """Decimals that all numbers of a column have: those that give the largest number three digits."""
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return max(0, 2 - math.floor(math.log10(top))) if top else 0


def _shown(units: str) -> str:
    """Units as they are printed; a dash where they are unknown."""
    return units.replace("uV", "\N{MICRO SIGN}V") or "–"


def _trend(drift: Drift, channel: ChannelCard, words: Words) -> dict[str, Any]:
    line = drift.trend
    feature = words.texts[FEATURE_WORDS[drift.feature]]
    slope, low, high = (f"{value:+.1f}%".replace("-", "\N{MINUS SIGN}") for value in line.percent)
    direction = "falls" if line.high < 0 else "rises" if line.low > 0 else "steady"
    sentence = words("card_trend", feature=feature, start=plain_number(line.start), units=_shown(drift.units),
                     slope=slope, low=low, high=high)  # fmt: skip
    values = np.array([measured.values[drift.feature] for measured in channel.measures])
    numbers = np.arange(1.0, values.size + 1)
    low_line, high_line = trend_band(values)
    lines: dict[str, Array] = {"is": line.start + line.slope * (numbers - 1), "low": low_line, "high": high_line}
    every = np.concatenate([values, *lines.values()])
    pad = 0.06 * float(np.ptp(every)) or 1.0
    bottom, top = float(every.min()) - pad, float(every.max()) + pad

    def at(ys: Array) -> list[tuple[float, float]]:
        """Points of the chart, both coordinates from 0 to 1."""
        xs = (numbers - 0.5) / values.size
        return [(float(x), float((y - bottom) / (top - bottom))) for x, y in zip(xs, ys, strict=True)]

    return {
        "said": words(f"card_trend_{direction}", feature=feature, slope=slope, low=low, high=high),
        "label": words.joined((words("card_trend_chart", feature=feature) + words("colon") + sentence,
                               words(f"card_{direction}"))),
        "points": at(values),
        "line": at(lines["is"]),
        "band": at(lines["low"]) + at(lines["high"])[::-1],
        "ticks": ticks(bottom, top, 4),
        "numbers": [(f"{n:.0f}", (n - 0.5) / values.size) for n in numbers[:: -(-values.size // 12)].tolist()],
        "feature": words("mdf") if drift.feature == "mdf_hz" else words("rms", units=_shown(drift.units)),
    }  # fmt: skip
