"""An explanation of one answer -> one sentence for a physiotherapist, the figures behind it, and a picture.

It knows explanations. It does not know how they are computed.
"""

from __future__ import annotations

import base64
import statistics
from typing import TYPE_CHECKING, Any

from semg_hht.reports.words import LANGUAGES, Words, read_words
from semg_hht.web.visit import VisitFile, WhyText

if TYPE_CHECKING:
    from semg_hht.explanation.explanation import Explanation

ALIKE = 0.1  # share by which a repetition differs from the median of its set before it is called different
NAMED_SHARE = 0.1  # of all evidence; a measure with less is not named in the sentence
BROAD = 0.6  # share of an axis above which evidence is not said to lie in one part of it
LOW_HZ, HIGH_HZ = 70.0, 130.0  # centres below and above which frequencies are called low and high


def why_text(explanation: Explanation) -> WhyText:
    """The reasons in both languages, and their picture: without the arrays that they were made from."""
    from semg_hht.reports.explanation_text import evidence_said

    picture = ""
    if explanation.sees_matrices:
        from semg_hht.figures.explanation_plot import evidence_png

        png = evidence_png(explanation.grid.values, explanation.evidence)
        picture = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    of_languages = {language: read_words(language) for language in LANGUAGES}
    return WhyText(
        explanation.task,
        {language: plain_sentence(explanation, words) for language, words in of_languages.items()},
        {language: evidence_said(explanation, words) for language, words in of_languages.items()},
        picture,
    )


def why_view(why: WhyText, words: Words) -> dict[str, Any]:
    return {
        "task": words.known("tasks", why.task),
        "sentence": why.sentences[words.language],
        "details": why.details[words.language],
        "picture": why.picture,
    }


def plain_sentence(explanation: Explanation, words: Words) -> str:
    """Where in the movement, at which frequencies and on which muscle the reason lies, without percentages."""
    name = words.known("classes", explanation.answer.prediction)
    channel = _leading_channel(explanation)
    muscle = words("app_why_channel", channel=channel) if channel else ""
    if explanation.attribution.measures:
        return _of_measures(explanation, name, words)
    if not explanation.sees_matrices:
        return words("app_why_measures", name=name, channel=muscle)
    if not explanation.evidence.any():
        return words("app_why_nothing", name=name)
    return words("app_why", name=name, when=_when(explanation, words), pitch=_pitch(explanation, words), channel=muscle,
                 side=words("app_why_for" if explanation.leans > 0 else "app_why_against"))  # fmt: skip


def _of_measures(explanation: Explanation, name: str, words: Words) -> str:
    """The measures that speak most for the answer and, where they weigh as much, against it."""
    measures = explanation.attribution.measures
    total = sum(abs(measure.evidence) for measure in measures) or 1.0
    told = []
    for key, sign in (("app_why_measures_for", 1), ("app_why_measures_against", -1)):
        own = [measure for measure in measures if sign * measure.evidence > NAMED_SHARE * total][:2]
        if own:
            listed = words("app_and").join(measure.name(words.texts) for measure in own)
            told.append(words(key, name=name, listed=listed))
    return words.joined(told) if told else words("app_why_many", name=name)


def _leading_channel(explanation: Explanation) -> str:
    of_channels = explanation.of_channels
    if len(of_channels) < 2:
        return ""
    return max(of_channels, key=lambda channel: explanation.leans * of_channels[channel])


def _when(explanation: Explanation, words: Words) -> str:
    span, times = explanation.span, explanation.grid.time_s
    if span is None:
        return words("app_why_all_through")
    whole = float(times[-1]) if times is not None else float(explanation.evidence.shape[-1])
    if whole <= 0 or span.high - span.low > BROAD * whole:
        return words("app_why_all_through")
    middle = (span.low + span.high) / 2 / whole
    return words("app_why_first" if middle < 0.4 else "app_why_last" if middle > 0.6 else "app_why_middle")


def _pitch(explanation: Explanation, words: Words) -> str:
    band, centres = explanation.band, explanation.grid.frequency_hz
    if band is None or centres is None or band.high - band.low > BROAD * float(centres[-1] - centres[0]):
        return words("app_why_any_pitch")
    middle = (band.low + band.high) / 2
    return words("app_why_low" if middle < LOW_HZ else "app_why_high" if middle > HIGH_HZ else "app_why_mid")


def measures_view(file: VisitFile, number: int, tasks: list[str], words: Words) -> list[dict[str, Any]]:
    """For a run that can't say where its reasons lie: how the repetition differs from the others of its set."""
    own = file.measured
    if own is None or not 1 <= number <= len(own.rms):
        return []
    durations = [(row.stop_s or 0.0) - (row.start_s or 0.0) for row in file.rows]
    compared = [_compared("app_why_duration", durations, number, words)]
    for i, channel in enumerate(own.names):
        for name, table in (("app_why_strength", own.rms), ("app_why_frequency", own.mdf_hz)):
            compared.append(_compared(name, [row[i] for row in table], number, words, channel=channel))
    told = [text for text, is_different in compared if is_different]
    said = words.listed(told) if told else words("app_why_alike")
    details = [text for text, is_different in compared if not is_different and text]
    sentence = words("app_why_of_measures", number=number, said=said)
    return [
        {"task": words.known("tasks", task), "sentence": sentence, "details": details, "picture": ""} for task in tasks
    ]


def _compared(name: str, values: list[float], number: int, words: Words, **others: str) -> tuple[str, bool]:
    """A measure of a repetition against the median of the set, in words; and whether they differ."""
    usual, value = statistics.median(values), values[number - 1]
    if not usual > 0 or value != value:
        return "", False
    share = value / usual - 1
    how = "app_why_more" if share > 0 else "app_why_less"
    return words(name, how=words(how, share=f"{abs(share):.0%}"), **others), abs(share) > ALIKE
