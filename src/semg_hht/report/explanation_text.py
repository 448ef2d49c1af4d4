"""What evidence says, in words: for or against, in which band and span, through which IMF, channel and block.

Knows explanations: nothing of how they were found or drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.explanation.explanation import Explanation, Extent
from semg_hht.report.evaluation_page import framed
from semg_hht.report.words import Words

MAX_EXPLAINED = 50  # repetitions of one prediction
NAMED = 2  # IMFs and channels that are named
SLIGHT = 0.05  # share of the evidence below which an IMF or a channel is not named
WEAK_ODDS = 0.5  # log-odds of all evidence, for and against, below which the colours show next to nothing
WIDE = 0.8  # share of an axis above which evidence counts as spread over all of it


def write_evidence(found: Sequence[Explanation], path: Path, words: Words) -> None:
    """A picture of explanations of one repetition, with their words."""
    from semg_hht.figures.explanation_plot import draw_evidence

    titles, captions = [evidence_title(one, words) for one in found], [evidence_said(one, words) for one in found]
    draw_evidence(found, captions, path, words.texts, titles=titles)


def write_evidence_of_all(
    explanations: Iterable[Explanation], folder: Path, words: Words
) -> tuple[dict[str, list[dict[str, Any]]], bool]:
    """A picture a repetition into ``folder``, the first `MAX_EXPLAINED` of them.

    Returns
    -------
    File -> evidence as JSON, and whether there were more repetitions.
    """
    from semg_hht.figures.plots import picture_of

    content: dict[str, list[dict[str, Any]]] = {}
    taken: set[Path] = set()
    repetitions = groupby(explanations, key=lambda one: (one.repetition.file, one.repetition.number))
    for (file, number), group in islice(repetitions, MAX_EXPLAINED):
        found = list(group)
        path = picture_of(folder, file)
        if found[0].repetition.n_repetitions > 1:
            path = path.with_stem(f"{path.stem}_r{number:03d}")
        if path in taken:  # a.csv and a.npz
            path = path.with_stem(path.stem + Path(file).suffix)
        taken.add(path)
        write_evidence(found, path, words)
        content.setdefault(file, []).extend(
            {"task": one.task, "repetition": number, "picture": path.name, **evidence_json(one, words)} for one in found
        )
    return content, next(repetitions, None) is not None


def evidence_view(found: Explanation, words: Words) -> dict[str, Any]:
    """What a page shows of it."""
    from semg_hht.figures.explanation_plot import evidence_png

    picture = None
    if found.sees_matrices:
        picture = framed(evidence_png(found.grid.values, found.evidence), found.grid.frequency_hz, found.grid.time_s)
    return {"title": evidence_title(found, words), "picture": picture, "said": evidence_said(found, words)[:-1]}


def evidence_json(found: Explanation, words: Words) -> dict[str, Any]:
    return {**found.to_json(), "said": evidence_said(found, words)}


def evidence_title(found: Explanation, words: Words) -> str:
    """Which repetition, which answer, how sure."""
    several = found.repetition.n_repetitions > 1
    where = (
        words("evidence_repetition", number=found.repetition.number, n=found.repetition.n_repetitions)
        if several
        else ""
    )
    answer = words(
        "evidence_answer",
        task=words.known("tasks", found.task),
        name=found.answer.prediction,
        confidence=f"{found.answer.confidence:.0%}",
    )
    unsure = ""
    if found.answer.is_unsure:
        unsure = words("evidence_unsure", names=words.texts["card_or"].join(found.answer.possible))
    return f"{found.repetition.file}{where}: {answer}{unsure}"


def evidence_said(found: Explanation, words: Words) -> list[str]:
    """The sentences, the most telling first."""
    sentences = []
    if found.blocks:
        listed = words.listed(
            f"{words.known('blocks', name)} {_signed(value)}"
            for name, value in sorted(found.blocks.items(), key=lambda item: -abs(item[1]))
        )
        sentences.append(
            words(
                "evidence_blocks", name=found.answer.prediction, average=_percent(found.attribution.average),
                listed=listed, confidence=_percent(found.answer.confidence),
            )
        )  # fmt: skip
    if not found.sees_matrices:
        sentences.append(words("evidence_no_matrix"))
        if len(found.of_channels) > 1:
            sentences += _leaders("evidence_channels", found.of_channels, found, words)
        return [*sentences, words("evidence_limit")]
    if not found.evidence.any():
        return [*sentences, words("evidence_flat"), words("evidence_limit")]
    sentences += [_direction(found, words)]
    total = float(np.abs(found.patches).sum())
    if found.attribution.is_odds and total < WEAK_ODDS:
        sentences.append(words("evidence_weak", total=f"{total:.2g}"))
    sentences += _places(found, words)
    sentences += _imfs(found, words)
    if len(found.grid.channels) > 1:
        sentences += _leaders("evidence_channels", found.of_channels, found, words)
    return [*sentences, words("evidence_limit")]


def _direction(found: Explanation, words: Words) -> str:
    """Where the answer would stand without the matrix, and how much in it speaks for and against."""
    said = words(
        "evidence_share", name=found.answer.prediction, share=_percent(found.share_for),
        rest=_percent(1 - found.share_for),
    )  # fmt: skip
    if not found.attribution.is_odds:
        return words.joined((words("evidence_pairs", name=found.answer.prediction), said))
    empty, full = _probability(found.attribution.empty), _probability(found.attribution.score)
    start = words("evidence_empty", name=found.answer.prediction, empty=_percent(empty), full=_percent(full))
    return words.joined((start, said))


def _places(found: Explanation, words: Words) -> list[str]:
    said = []
    for kind, extent, centres in (
        ("band", found.band, found.grid.frequency_hz),
        ("span", found.span, found.grid.time_s),
    ):
        if extent is None:
            return []
        whole = float(len(found.evidence[0]) if centres is None else centres[-1] - centres[0])
        if extent.high - extent.low > WIDE * whole:
            said.append(words(f"evidence_{kind}_wide", side=_side(found, words)))
            continue
        name = f"evidence_{kind}_bins" if centres is None else f"evidence_{kind}"
        said.append(words(name, side=_side(found, words), **_told(extent, kind)))
    return said


def _told(extent: Extent, kind: str) -> dict[str, str]:
    digits = 0 if kind == "band" or extent.high > 100 else 2
    return {
        "low": f"{extent.low:.{digits}f}",
        "high": f"{extent.high:.{digits}f}",
        "share": _percent(extent.share),
        "values": _percent(extent.share_of_values),
    }


def _imfs(found: Explanation, words: Words) -> list[str]:
    if found.imfs is None:
        return [words(f"evidence_no_imfs_{found.no_imfs}")]
    names = {words("evidence_imf", n=imf.number, hz=f"{imf.frequency_hz:.0f}"): imf.evidence for imf in found.imfs}
    return _leaders("evidence_imfs", names, found, words)


def _leaders(name: str, evidence: dict[str, float], found: Explanation, words: Words) -> list[str]:
    """Those that speak most the way the evidence leans, and their shares of all that do; what is slight is left out."""
    side = _side(found, words)
    slight = SLIGHT * sum(map(abs, evidence.values()))
    speaking = {key: found.leans * value for key, value in evidence.items() if found.leans * value > slight}
    if not speaking:
        return [words(f"{name}_none", side=side)]
    total = sum(speaking.values())
    first = sorted(speaking.items(), key=lambda item: -item[1])[:NAMED]
    return [words(name, side=side, listed=words.listed(f"{key} {_percent(value / total)}" for key, value in first))]


def _side(found: Explanation, words: Words) -> str:
    return str(words.texts["evidence_sides"][found.leans < 0])


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _signed(value: float) -> str:
    """Points of a probability, with a minus as long as the plus."""
    return f"{100 * value:+.0f}".replace("-", "\N{MINUS SIGN}")


def _probability(odds: float) -> float:
    return (1 + math.tanh(odds / 2)) / 2
