"""Describe an explanation in sentences: evidence for and against, by band, span, IMF, channel and block.

It does not know how explanations are computed or drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semg_hht.explanation.explanation import Explanation, Extent
from semg_hht.inference.novelty import Reason
from semg_hht.reports.evaluation_page import framed
from semg_hht.reports.words import Words, read_words
from semg_hht.system.arguments import checked

if TYPE_CHECKING:
    from semg_hht.figures.drawing import Axes  # matplotlib

MAX_EXPLAINED = 50  # repetitions that one call of predict explains
NAMED, NAMED_MEASURES = 2, 3  # IMFs and channels, and measures, that are named
SLIGHT = 0.05  # share of the evidence below which an IMF or a channel is not named
WEAK_ODDS = 0.5  # log-odds of all evidence, for and against, below which the picture shows little
WIDE = 0.8  # share of an axis above which evidence counts as spread over all of it


def write_evidence(explanations: Sequence[Explanation], path: Path, words: Words) -> None:
    """Draw the explanations of one repetition, with their sentences, as a PNG."""
    from semg_hht.figures.explanation_plot import draw_evidence

    titles = [evidence_title(explanation, words) for explanation in explanations]
    captions = [evidence_said(explanation, words) for explanation in explanations]
    draw_evidence(explanations, captions, path, words.texts, titles=titles)


@checked
def plot_explanation(
    explanation: Explanation | Iterable[Explanation], *, lang: str = "en", ax: Axes | None = None
) -> Axes:
    """Plot where the evidence for an answer lies: over the matrix in Hz and seconds, or as bars of what was measured.

    Parameters
    ----------
    explanation : one of `semg_hht.explain`, or its result, of which the first is plotted.
    lang : ``en`` or ``zh``.
    ax : matplotlib axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s and frequency in Hz, orange for the answer and blue against it; or the log-odds of each measure.
    The title states the answer.

    Examples
    --------
    >>> import semg_hht as sh
    >>> axes = sh.plot_explanation(sh.explain(sh.samples.recordings()["P30_supinated"], sh.samples.RUN))
    """
    from semg_hht.figures.explanation_plot import plot_evidence

    if not isinstance(explanation, Explanation):
        explanation = next(iter(explanation))
    words = read_words(lang)
    return plot_evidence(explanation, words.texts, title=evidence_title(explanation, words), ax=ax)


def write_evidence_of_all(
    explanations: Iterable[Explanation], folder: Path, words: Words
) -> tuple[dict[str, list[dict[str, Any]]], bool]:
    """Draw one picture for each of the first `MAX_EXPLAINED` repetitions into ``folder``.

    Returns
    -------
    File -> evidence as JSON, and whether further repetitions were left out.
    """
    from semg_hht.figures.repetitions_picture import picture_of

    content: dict[str, list[dict[str, Any]]] = {}
    drawn: set[Path] = set()
    repetitions = groupby(explanations, key=lambda e: (e.repetition.file, e.repetition.number))
    for (file, number), group in islice(repetitions, MAX_EXPLAINED):
        by_task = list(group)
        path = picture_of(folder, file)
        if by_task[0].repetition.n_repetitions > 1:
            path = path.with_stem(f"{path.stem}_r{number:03d}")
        if path in drawn:  # a.csv and a.npz
            path = path.with_stem(path.stem + Path(file).suffix)
        drawn.add(path)
        write_evidence(by_task, path, words)
        content.setdefault(file, []).extend(
            {"task": e.task, "repetition": number, "picture": path.name, **evidence_json(e, words)} for e in by_task
        )
    return content, next(repetitions, None) is not None


def evidence_view(explanation: Explanation, words: Words) -> dict[str, Any]:
    """Title, picture and sentences of an explanation, for a page; ``short``: those on where the evidence lies."""
    from semg_hht.figures.explanation_plot import evidence_png

    picture = None
    if explanation.sees_matrices:
        picture = framed(
            evidence_png(explanation.grid.values, explanation.evidence),
            explanation.grid.frequency_hz,
            explanation.grid.time_s,
        )
    said = evidence_said(explanation, words)[:-1]
    return {
        "title": evidence_title(explanation, words),
        "picture": picture,
        "short": (_places(explanation, words) if explanation.evidence.any() else []) or said[:2],
        "said": said,
    }


def evidence_json(explanation: Explanation, words: Words) -> dict[str, Any]:
    return {**explanation.to_json(), "said": evidence_said(explanation, words)}


def evidence_title(explanation: Explanation, words: Words) -> str:
    """The repetition, its answer and its probability."""
    repetition = explanation.repetition
    where = ""
    if repetition.n_repetitions > 1:
        where = words("evidence_repetition", number=repetition.number, n=repetition.n_repetitions)
    answer = words(
        "evidence_answer",
        task=words.known("tasks", explanation.task),
        name=_name(explanation, words),
        confidence=f"{explanation.answer.confidence:.0%}",
    )
    unsure = ""
    if explanation.answer.is_unsure:
        unsure = words(
            "evidence_unsure",
            names=words("card_or").join(words.known("classes", name) for name in explanation.answer.possible),
        )
    return f"{repetition.file}{where}: {answer}{unsure}"


def unlike_text(reasons: Sequence[Reason], words: Words) -> str:
    """Why a repetition is unlike the training data, and what that means for its answer; empty where it is not."""
    if not reasons:
        return ""
    return words("unlike_said", reasons=reasons_text(reasons, words))


def reasons_text(reasons: Sequence[Reason], words: Words) -> str:
    texts = [str(words.texts["unlike_reasons"][reason.name]).format(**reason.values) for reason in reasons]
    return words("unlike_joint").join(texts)


def evidence_said(explanation: Explanation, words: Words) -> list[str]:
    """The sentences of an explanation, the most important first."""
    sentences = list(filter(None, [unlike_text(explanation.unlike, words), *_measures(explanation, words)]))
    if explanation.blocks:
        listed = words.listed(
            f"{words.known('blocks', name)} {_signed(value)}"
            for name, value in sorted(explanation.blocks.items(), key=lambda item: -abs(item[1]))
        )
        sentences.append(
            words(
                "evidence_blocks", name=_name(explanation, words),
                average=_percent(explanation.attribution.average),
                listed=listed, confidence=_percent(explanation.answer.confidence),
            )
        )  # fmt: skip
    if explanation.attribution.measures:
        return [*sentences, words("evidence_limit")]
    if not explanation.sees_matrices:
        sentences.append(words("evidence_no_matrix"))
        if len(explanation.of_channels) > 1:
            sentences += _leaders("evidence_channels", explanation.of_channels, explanation, words)
        return [*sentences, words("evidence_limit")]
    if not explanation.evidence.any():
        return [*sentences, words("evidence_flat"), words("evidence_limit")]
    sentences += [_direction(explanation, words)]
    total = float(np.abs(explanation.patches).sum())
    if explanation.attribution.is_odds and total < WEAK_ODDS:
        sentences.append(words("evidence_weak", total=f"{total:.2g}"))
    sentences += _places(explanation, words)
    sentences += _imfs(explanation, words)
    if len(explanation.grid.channels) > 1:
        sentences += _leaders("evidence_channels", explanation.of_channels, explanation, words)
    return [*sentences, words("evidence_limit")]


def _measures(explanation: Explanation, words: Words) -> list[str]:
    """The measures with most evidence for the answer and against it, and their shares of it; without slight ones."""
    sentences = []
    total = sum(abs(measure.evidence) for measure in explanation.attribution.measures)
    for name, sign in (("evidence_measures_for", 1), ("evidence_measures_against", -1)):
        own = [m for m in explanation.attribution.measures if sign * m.evidence > SLIGHT * total][:NAMED_MEASURES]
        if own:
            listed = words.listed(f"{m.name(words.texts)} {_percent(abs(m.evidence) / total)}" for m in own)
            sentences.append(words(name, name=_name(explanation, words), listed=listed))
    return sentences


def _name(explanation: Explanation, words: Words) -> str:
    return words.known("classes", explanation.answer.prediction)


def _direction(explanation: Explanation, words: Words) -> str:
    """The probability for an empty matrix, and the shares of the evidence for and against the answer."""
    shares = words(
        "evidence_share", name=_name(explanation, words), share=_percent(explanation.share_for),
        rest=_percent(1 - explanation.share_for),
    )  # fmt: skip
    if not explanation.attribution.is_odds:
        return words.joined((words("evidence_pairs", name=_name(explanation, words)), shares))
    empty, full = _probability(explanation.attribution.empty), _probability(explanation.attribution.score)
    start = words("evidence_empty", name=_name(explanation, words), empty=_percent(empty), full=_percent(full))
    return words.joined((start, shares))


def _places(explanation: Explanation, words: Words) -> list[str]:
    sentences = []
    for kind, extent, centres in (
        ("band", explanation.band, explanation.grid.frequency_hz),
        ("span", explanation.span, explanation.grid.time_s),
    ):
        if extent is None:
            return []
        whole = float(len(explanation.evidence[0]) if centres is None else centres[-1] - centres[0])
        if extent.high - extent.low > WIDE * whole:
            sentences.append(words(f"evidence_{kind}_wide", side=_side(explanation, words)))
            continue
        name = f"evidence_{kind}_bins" if centres is None else f"evidence_{kind}"
        sentences.append(words(name, side=_side(explanation, words), **_extent_texts(extent, kind)))
    return sentences


def _extent_texts(extent: Extent, kind: str) -> dict[str, str]:
    digits = 0 if kind == "band" or extent.high > 100 else 2
    return {
        "low": f"{extent.low:.{digits}f}",
        "high": f"{extent.high:.{digits}f}",
        "share": _percent(extent.share),
        "values": _percent(extent.share_of_values),
    }


def _imfs(explanation: Explanation, words: Words) -> list[str]:
    if explanation.imfs is None:
        return [words(f"evidence_no_imfs_{explanation.no_imfs}")]
    names = {
        words("evidence_imf", n=imf.number, hz=f"{imf.frequency_hz:.0f}"): imf.evidence for imf in explanation.imfs
    }
    return _leaders("evidence_imfs", names, explanation, words)


def _leaders(name: str, evidence: dict[str, float], explanation: Explanation, words: Words) -> list[str]:
    """The channels or IMFs with most evidence on the side of `leans`, and their shares; without slight ones."""
    side = _side(explanation, words)
    slight = SLIGHT * sum(map(abs, evidence.values()))
    leading = {key: explanation.leans * value for key, value in evidence.items() if explanation.leans * value > slight}
    if not leading:
        return [words(f"{name}_none", side=side)]
    total = sum(leading.values())
    first = sorted(leading.items(), key=lambda item: -item[1])[:NAMED]
    return [words(name, side=side, listed=words.listed(f"{key} {_percent(value / total)}" for key, value in first))]


def _side(explanation: Explanation, words: Words) -> str:
    return str(words.texts["evidence_sides"][explanation.leans < 0])


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _signed(value: float) -> str:
    """Percentage points with their sign, the minus as wide as the plus."""
    return f"{100 * value:+.0f}".replace("-", "\N{MINUS SIGN}")


def _probability(odds: float) -> float:
    return (1 + math.tanh(odds / 2)) / 2
