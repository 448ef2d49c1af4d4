"""Attribute an answer that reads no matrices: which measure of which channel is evidence for a class.

A committee answers from a table of measures. It works on that table with NumPy alone, so that a run without torch is
explained too. It does not know files, recordings or texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from semg_hht.evaluation.calibration import with_temperature
from semg_hht.explanation.explanation import Array, Attribution, Measure
from semg_hht.inference.discriminant import Committee
from semg_hht.inference.svm_inputs import COVARIANCE, FEATURES, NETWORK, PROFILE, SvmInputs, svm_table
from semg_hht.signals.covariance import N_LAGS
from semg_hht.signals.profile import N_BANDS, N_PARTS

N_POINTS = 16  # of the path from the mean of the training people, by the rule of Gauss and Legendre
AMPLITUDE_KIND, FREQUENCIES, COURSE, RELATION, DURATION = "amplitude", "frequencies", "course", "relation", "duration"
KIND_OF_FEATURE = {
    "duration_s": DURATION, "zc": FREQUENCIES, "ssc": FREQUENCIES, "mnf_hz": FREQUENCIES, "mdf_hz": FREQUENCIES,
    "pkf_hz": FREQUENCIES, "finsm5": FREQUENCIES,
}  # fmt: skip
ALL = ""  # the name that stands for all channels together
SMALLEST = np.finfo(float).tiny


def reads_measures_alone(widths: Mapping[str, int], committees: Mapping[str, Committee], task: str) -> bool:
    """Whether a committee answers a task without the network; ``widths`` are the blocks of the task."""
    return task in committees and NETWORK not in widths


def attribute_measures(
    committee: Committee, widths: Mapping[str, int], inputs: SvmInputs, channels: Sequence[str],
    chosen: tuple[int, float],
) -> Attribution:  # fmt: skip
    """Evidence for a class in the measures of one repetition, as if nothing else were known of its person.

    Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) of the log-odds, from the mean of the training
    people to the repetition.

    Parameters
    ----------
    widths : block -> number of columns.
    inputs : of the examples of one repetition.
    channels : their names, in the order of the examples or planes.
    chosen : number of the class, and the temperature of the calibration.
    """
    index, temperature = chosen
    row = svm_table(widths, np.zeros((len(inputs.repetitions), 0)), inputs)[1]  # (1, n_columns)
    mean = committee.mean[None]
    points, weights = np.polynomial.legendre.leggauss(N_POINTS)
    path = mean + (1 + points[:, None]) / 2 * (row - mean)  # (n_points, n_columns)
    slope = (weights[:, None] / 2 * _slopes(committee, path, index, temperature)).sum(axis=0)
    measures = _by_measure(
        widths, slope, (row - mean)[0], channels, list(inputs.features[0]) if inputs.features else []
    )
    score = float(_log_odds(committee, row, index, temperature)[0])

    def answer(table: Array) -> Array:
        return with_temperature(committee.alone(table), temperature)[:, index]

    shares, average = block_shares(answer, row, mean[0], widths)
    return Attribution(np.zeros((0, 256, 256)), score, score, True, shares, average, measures=measures)


def _log_odds(committee: Committee, table: Array, index: int, temperature: float) -> Array:
    logs = np.log(np.maximum(committee.alone(table), SMALLEST)) / temperature  # (n, n_classes)
    return np.asarray(logs[:, index] - np.logaddexp.reduce(np.delete(logs, index, axis=1), axis=1))


def _slopes(committee: Committee, table: Array, index: int, temperature: float) -> Array:
    """Gradient of the log-odds, (n, n_columns)."""
    shares = np.stack([member.alone(member.scores(table)) for member in committee.members])  # (n_members, n, classes)
    weighted = np.array(committee.weights)[:, None, None] * shares
    of_member = weighted / np.maximum(weighted.sum(axis=0), SMALLEST)
    others = with_temperature(np.delete(weighted.sum(axis=0), index, axis=1), temperature)  # (n, n_classes - 1)
    to_class = np.insert(-others, index, 1.0, axis=1) / temperature  # (n, n_classes), of the logarithm of each class
    slopes = np.zeros_like(table)
    for number, member in enumerate(committee.members):
        away = (member.centres - (shares[number] @ member.centres)[:, None]) @ member.precision  # (n, n_classes, d)
        of_scores = np.einsum("nc,nc,ncd->nd", to_class, of_member[number], away)
        slopes += of_scores @ (member.weights / member.scale[:, None]).T
    return slopes


def _by_measure(
    widths: Mapping[str, int], slope: Array, away: Array, channels: Sequence[str], features: Sequence[str]
) -> tuple[Measure, ...]:
    """Sums of ``slope * away`` by channel and kind of measure, the strongest first."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    edges = np.cumsum([0, *widths.values()])
    for block, start, stop in zip(widths, edges[:-1], edges[1:], strict=True):
        for channel, kind, evidence in _of_block(block, slope[start:stop], away[start:stop], channels, features):
            found[channel, kind] += evidence
    ranked = sorted(found.items(), key=lambda item: -abs(item[1]))
    return tuple(Measure(channel, kind, evidence) for (channel, kind), evidence in ranked)


def _of_block(
    block: str, slope: Array, away: Array, channels: Sequence[str], features: Sequence[str]
) -> Iterator[tuple[str, str, float]]:
    """Channel, kind and evidence of the columns of one block."""
    evidence = slope * away
    if block == FEATURES:
        names = channels if evidence.size == len(channels) * len(features) else [ALL]
        for channel, values in zip(names, evidence.reshape(len(names), -1), strict=True):  # -> (n_names, n_features)
            for name, value in zip(features, values, strict=True):
                kind = KIND_OF_FEATURE.get(name, AMPLITUDE_KIND)
                yield ALL if kind == DURATION else channel, kind, float(value)
    elif block == PROFILE:
        slopes, differences = (values.reshape(-1, N_BANDS + N_PARTS) for values in (slope, away))  # (n_channels, 20)
        for channel, of_slope, of_away in zip(_names(channels, len(slopes)), slopes, differences, strict=True):
            for kind, part in ((FREQUENCIES, slice(0, N_BANDS)), (COURSE, slice(N_BANDS, None))):
                level = float(of_away[part].mean())  # what all parts share is amplitude
                yield channel, AMPLITUDE_KIND, level * float(of_slope[part].sum())
                yield channel, kind, float(of_slope[part] @ (of_away[part] - level))
    elif block == COVARIANCE:
        n = round((np.sqrt(8 * evidence.size + 1) - 1) / 2) // N_LAGS
        names = _names(channels, n)
        rows, columns = np.triu_indices(N_LAGS * n)
        for first, second, value in zip(rows % n, columns % n, evidence, strict=True):
            kind = FREQUENCIES if first == second else RELATION
            for channel in (first, second):
                yield names[channel], kind, float(value) / 2
    else:
        yield ALL, AMPLITUDE_KIND, float(evidence.sum())


def _names(channels: Sequence[str], n: int) -> Sequence[str]:
    """The names of n channels; numbers where only some of a repetition's matrices are known."""
    return channels if len(channels) == n else [str(i + 1) for i in range(n)]


def block_shares(
    answer: Callable[[Array], NDArray[np.float64]], table: Array, mean: Array, widths: Mapping[str, int]
) -> tuple[dict[str, float], float]:
    """Shapley values of the blocks of a table, and the answer where every block is the training people's mean.

    answer : a function from rows of the table to the probability of the class.
    """
    edges = np.cumsum([0, *widths.values()])

    @cache
    def value(kept: frozenset[str]) -> float:
        row = table.copy()
        for block, start, stop in zip(widths, edges[:-1], edges[1:], strict=True):
            if block not in kept:
                row[:, start:stop] = mean[start:stop]
        return float(answer(row).mean())

    orders = list(permutations(widths))
    shares = dict.fromkeys(widths, 0.0)
    for order in orders:
        for i, block in enumerate(order):
            shares[block] += (value(frozenset(order[: i + 1])) - value(frozenset(order[:i]))) / len(orders)
    return shares, value(frozenset())
