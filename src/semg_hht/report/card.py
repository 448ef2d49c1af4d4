"""The session card: one page on one recording, with its repetitions, its signal and the drift of its features.

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
from semg_hht.explanation.explanation import Explanation
from semg_hht.inference.answers import Answer
from semg_hht.prediction.session import ChannelCard, Session
from semg_hht.recordings.recording import Array
from semg_hht.report.explanation_text import evidence_view, unlike_text
from semg_hht.report.template import fill, ticks
from semg_hht.report.words import Words, read_words
from semg_hht.signals.trend import MIN_VALUES
from semg_hht.system.files import require_new_file, write_text

ROW_S = 60.0  # of the signal in one row
MAX_ROWS = 8
N_COLUMNS = 700  # in one row; each shows the lowest and the highest sample of its interval
MAX_CHANNELS = 8
Span = tuple[float | None, float | None, bool]  # start and stop in seconds, whether the answer is unsure or unlike
FEATURE_WORDS = {"mdf_hz": "card_median_frequency", "rms": "card_rms"}


def write_card(
    session: Session,
    out: Path,
    *,
    evidence: Sequence[Explanation] = (),
    language: str = "en",
    overwrite: bool = False,
) -> None:
    """Write the card of a session.

    evidence : explanations of answers to show on the card.

    Raises
    ------
    InputError
        ``out`` exists and ``overwrite`` is not set, or ``language`` is unknown.
    """
    words = read_words(language)
    require_new_file(out, overwrite=overwrite)
    write_text(out, render_card(session, words, evidence))


def render_card(session: Session, words: Words, evidence: Sequence[Explanation] = ()) -> str:
    """The card as HTML; the same session gives the same bytes."""
    task = next((task for task in ("action_quality", "gender") if task in session.answers), "")
    spans = [(part.start_s, part.stop_s, part.answers[task].is_unsure or bool(part.unlike)) for part in session.parts]
    by_answer = Counter(
        words("unlike") if part.unlike else answer_text(part.answers[task], words, short=True) for part in session.parts
    )
    counts = words.listed(f"{n} × {name}" for name, n in by_answer.most_common())
    gender = session.answers.get("gender") if task != "gender" else None
    return fill(
        "card.html.j2",
        words,
        title=words("card_title", file=session.file),
        counts=words("card_counts", repetitions=words.counted("repetitions", len(session.parts)), counts=counts),
        gender=gender,
        promises=session.promises,
        task=words.known("tasks", task),
        speaks_of_gender="gender" in session.answers,
        rows=[
            (part, answer_text(part.answers[task], words), part.answers[task], (part.start_s, part.stop_s))
            for part in session.parts
        ],
        unlike=[
            (number, unlike_text(part.unlike, words))
            for number, part in enumerate(session.parts, start=1)
            if part.unlike
        ],
        channels=[_channel(channel, session.rate_hz, spans, words) for channel in session.channels[:MAX_CHANNELS]],
        hidden=len(session.channels) > MAX_CHANNELS,
        max_channels=MAX_CHANNELS,
        remarks=[words.known("notes", remark) for remark in session.remarks],
        evidence=[evidence_view(explanation, words) for explanation in _numbered(evidence, session)],
        all_explained=len(evidence) == len(session.parts),
    )


def _numbered(evidence: Sequence[Explanation], session: Session) -> list[Explanation]:
    """The explanations in order of time, with the numbers of the table."""
    numbers = {(part.start_s, part.stop_s): number for number, part in enumerate(session.parts, start=1)}
    numbered = []
    for explanation in evidence:
        number = numbers[explanation.repetition.start_s, explanation.repetition.stop_s]
        numbered.append(replace(explanation, repetition=replace(explanation.repetition, number=number)))
    return sorted(numbered, key=lambda explanation: explanation.repetition.number)


def answer_text(answer: Answer, words: Words, *, short: bool = False) -> str:
    """The class of an answer; for an unsure answer, that it is unsure and between which classes."""
    if not answer.is_unsure:
        return answer.prediction
    unsure = words.texts["card_unsure"]
    return str(unsure) if short else f"{unsure}: {words.texts['card_or'].join(answer.possible)}"


def _channel(channel: ChannelCard, rate_hz: float, spans: list[Span], words: Words) -> dict[str, Any]:
    percent = all("percent_mvc" in measured.values for measured in channel.measures)
    amplitude = "percent_mvc" if percent else "rms"
    return {
        "name": channel.name,
        "units": _shown(channel.units),
        "strips": strips(channel.samples, rate_hz, spans),
        "effort": words.texts["percent_mvc"] if percent else words("rms", units=_shown(channel.units)),
        "decimals": _decimals([measured.values[amplitude] for measured in channel.measures]),
        "measured": {  # a channel may lack some of the repetitions
            (measured.row.start_s, measured.row.stop_s): (measured.values[amplitude], measured.values["mdf_hz"])
            for measured in channel.measures
        },
        "trends": [_trend(drift, channel, words) for drift in channel.drifts],
        "too_few": words("card_no_trend", n=MIN_VALUES),
    }


def _decimals(values: Sequence[float]) -> int:
    """Decimals that all numbers of a column have: those that give the largest number three digits."""
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return max(0, 2 - math.floor(math.log10(top))) if top else 0


def _shown(units: str) -> str:
    """Units as they are printed; a dash where they are unknown."""
    return units.replace("uV", "\N{MICRO SIGN}V") or "–"


def strips(samples: Array, rate_hz: float, spans: list[Span]) -> list[dict[str, Any]]:
    """The signal in rows of about a minute: extremes from -1 to 1, and the repetitions of each row from 0 to 1."""
    duration_s = samples.size / rate_hz
    stated = [(0.0 if start is None else start, duration_s if stop is None else stop, u) for start, stop, u in spans]
    n_rows = int(np.clip(np.ceil(duration_s / ROW_S), 1, MAX_ROWS))
    row_s = duration_s / n_rows
    top = float(np.max(np.abs(samples))) or 1.0
    rows = []
    for i, part in enumerate(np.array_split(samples / top, n_rows)):
        left, right = i * row_s, (i + 1) * row_s
        columns = np.array_split(part, min(N_COLUMNS, part.size))
        inside = [
            (number, max(0.0, (start - left) / row_s), min(1.0, (stop - left) / row_s), unsure)
            for number, (start, stop, unsure) in enumerate(stated, start=1)
            if stop > left and start < right
        ]
        rows.append(
            {
                "extremes": [(j / len(columns), float(c.min()), float(c.max())) for j, c in enumerate(columns)],
                "top": top,
                "ticks": ticks(left, right, 8),
                "spans": inside,
            }
        )
    return rows


def _trend(drift: Drift, channel: ChannelCard, words: Words) -> dict[str, Any]:
    line = drift.trend
    feature = words.texts[FEATURE_WORDS[drift.feature]]
    slope, low, high = (f"{value:+.1f}%".replace("-", "\N{MINUS SIGN}") for value in line.percent)
    direction = "card_falls" if line.high < 0 else "card_rises" if line.low > 0 else "card_steady"
    values = np.array([measured.values[drift.feature] for measured in channel.measures])
    numbers = np.arange(1, values.size + 1)
    middle = numbers.mean()
    centre = line.start + line.slope * (middle - 1)
    lines = {
        name: centre + s * (numbers - middle)
        for name, s in (("is", line.slope), ("low", line.low), ("high", line.high))
    }
    every = np.concatenate([values, *lines.values()])
    pad = 0.06 * float(np.ptp(every)) or 1.0
    bottom, top = float(every.min()) - pad, float(every.max()) + pad

    def at(ys: Array) -> list[tuple[float, float]]:
        """Points of the chart, both coordinates from 0 to 1."""
        xs = (numbers - 0.5) / values.size
        return [(float(x), float((y - bottom) / (top - bottom))) for x, y in zip(xs, ys, strict=True)]

    return {
        "said": words.joined(
            (
                words("card_trend", feature=feature, start=f"{line.start:.3g}", units=_shown(drift.units), slope=slope,
                      low=low, high=high),
                words(direction),
            )
        ),
        "label": words("card_trend_chart", feature=feature),
        "points": at(values),
        "line": at(lines["is"]),
        "band": at(lines["low"]) + at(lines["high"])[::-1],
        "ticks": ticks(bottom, top, 5),
        "numbers": [(str(n), (n - 0.5) / values.size) for n in numbers[:: -(-values.size // 12)].tolist()],
        "feature": f"{feature} ({_shown(drift.units)})",
    }  # fmt: skip
