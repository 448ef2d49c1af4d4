"""Similarity of matrices and of people: sketches of matrices, comparison of all pairs, nearest neighbours.

A sketch takes 4 or 8 kB, so that tens of thousands fit in memory; pairs are compared block by block. The module works
on arrays and does not know files or findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SKETCH_BANDS, SKETCH_TIMES = 8, 128
PROFILE_BANDS = 16
BLOCK = 512
N_SHARED = 5  # directions that all recordings share (rise and fall of a curl), which are removed
MIN_SHARING = 0.1  # smallest share of rows that contribute to such a direction; copies form directions of their own
MIN_LIKENESS = 0.2  # of a reported pair; unrelated recordings of 1000 Hz and 8 channels stay below 0.19
NULL_DEVIATIONS = 7.0  # a reported pair is so many spreads above all other pairs: one in 10^12 for normal values
N_LAGS = 16  # neighbours whose dependence counts
MAX_PAIRS = 10_000

N_DIRECTIONS = 16  # directions of the profiles in which people are compared
MIN_REPETITIONS = 14  # people with fewer are not compared
MIN_TYPICAL = 20  # median over people: at 14 each, half of the data sets had a false pair
MAX_DISTINCT = 0.65  # share of nearest neighbours of the same name: 0.5 for one person under two names
N_DRAWS = 5  # random subsets of the person with more repetitions
PEOPLE_DEVIATIONS = 4.0  # a reported pair of people is so many spreads below the median pair
MIN_SPREAD = 0.03
MIN_MEDIAN_DISTINCT = 0.85  # of the median pair; below it the data can't distinguish people at all


def sketch(values: Array, *, smooth: bool = False) -> Array:
    """A sketch that resampling, gain and rounding hardly change: the time course of each band, as ranks.

    Ranks within a band do not depend on gain and scaling. Bands are wide, because decompositions differ more in
    frequency than in time.

    Parameters
    ----------
    values : (n_planes, 256, 256) [plane, frequency, time]; other sizes that 8 and 128 divide do as well.
    smooth : the matrix is a density. Neighbouring times are then alike, also in unrelated recordings; the third
        difference of the time course tells them apart.

    Returns
    -------
    (n_planes * 8 * 128,) float32, 253 instead of 128 where ``smooth``; each band has mean 0.
    """
    from scipy.stats import rankdata

    if smooth:
        courses = np.diff(_pooled(values, SKETCH_BANDS, 2 * SKETCH_TIMES), n=3, axis=-1)
    else:
        courses = _pooled(values, SKETCH_BANDS, SKETCH_TIMES)
    ranks = rankdata(courses, axis=-1) / courses.shape[-1]
    return np.asarray(ranks - ranks.mean(axis=-1, keepdims=True), dtype=np.float32).ravel()


def profile(values: Array) -> Array:
    """Strength of each of 16 bands, mean over time: (n_planes, 256, 256) -> (n_planes * 16,)."""
    return _pooled(values, PROFILE_BANDS, 1).ravel()


def _pooled(values: Array, n_bands: int, n_times: int) -> Array:
    planes, rows, columns = values.shape
    cells = values.reshape(planes, n_bands, rows // n_bands, n_times, columns // n_times)
    return np.asarray(cells.mean(axis=(2, 4)), dtype=np.float32)  # -> (n_planes, n_bands, n_times)


@dataclass(frozen=True)
class Pair:
    """Two rows that are far more similar than unrelated rows. ``likeness`` is a correlation, 1 for copies.

    ``limit``: the likeness that an unrelated pair of such rows stays below.
    """

    first: int
    second: int
    likeness: float
    limit: float


def similar_pairs(sketches: Array, groups: Sequence[str]) -> list[Pair]:
    """Pairs of rows of different groups with the same signal, the most similar first; at most 10,000.

    Parameters
    ----------
    sketches : (n, d), from `sketch`.
    groups : group of each row; rows of one group (channels of one recording) are not paired.
    """
    n = len(sketches)
    if n < 2:
        return []
    unit = _without_shared(sketches)
    dependence = _dependence(unit)
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    middle, deviation = _unrelated_likeness(unit, dependence, group)
    pairs: list[Pair] = []
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        likeness = unit[block] @ unit[start:].T  # (block, n - start)
        limit = np.maximum(MIN_LIKENESS, middle + deviation * _scatter(dependence[block], dependence[start:]))
        first, second = np.nonzero(likeness > limit)
        new = (second > first) & (group[start + first] != group[start + second])
        found = zip(first[new], second[new], strict=True)
        pairs += [Pair(int(start + i), int(start + j), float(likeness[i, j]), float(limit[i, j])) for i, j in found]
        if len(pairs) > MAX_PAIRS:
            break
    return sorted(pairs, key=lambda pair: -pair.likeness)[:MAX_PAIRS]


def _without_shared(sketches: Array) -> Array:
    """Rows of norm 1 without the directions that most of them share; a row without a remainder becomes zeros."""
    unit = _normed(sketches - sketches.mean(axis=0) if len(sketches) > 20 else sketches)
    few = unit[np.random.default_rng(0).permutation(len(unit))[:BLOCK]]
    variance, parts = np.linalg.eigh(
        few @ few.T
    )  # (n,), (n, n): a column holds the weights of the rows in one direction
    n_rows = 1 / np.maximum(
        (parts**4).sum(axis=0), 1e-12
    )  # effective number of rows in a direction; 2 for a pair of copies
    n_shared = min(N_SHARED, len(unit) // 20)  # fewer with few rows
    shared = [k for k in range(len(few) - n_shared, len(few)) if n_rows[k] > MIN_SHARING * len(few)]
    if shared:
        directions = few.T @ parts[:, shared] / np.sqrt(np.maximum(variance[shared], 1e-6))  # (d, n_shared)
        unit = unit - (unit @ directions) @ directions.T
    return _normed(unit)


def _normed(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-6, rows / np.maximum(length, 1e-6), 0), dtype=np.float32)


def _dependence(unit: Array) -> Array:
    """Autocorrelation of each row, (n, N_LAGS + 1): short or slow recordings have fewer independent values in a row."""
    d = unit.shape[1]
    columns = [np.einsum("ij,ij->i", unit[:, : d - lag], unit[:, lag:]) for lag in range(min(N_LAGS + 1, d))]
    return np.stack(columns, axis=1)


def _scatter(first: Array, second: Array) -> Array:
    """Standard deviation of the correlation of unrelated rows, up to a factor (Bartlett 1935, doi 10.2307/2342284)."""
    both_sides = np.full(first.shape[1], 2, dtype=np.float32)
    both_sides[0] = 1
    return np.asarray(np.sqrt(np.maximum((first * both_sides) @ second.T, 1)), dtype=np.float32)


def _unrelated_likeness(unit: Array, dependence: Array, group: NDArray[np.intp]) -> tuple[float, float]:
    """Median of the likeness of unrelated rows, and the largest deviation as a multiple of `_scatter`.

    Median and spread hardly change with a few copies among the rows.
    """
    chosen = np.random.default_rng(0).permutation(len(unit))[:BLOCK]
    unrelated = group[chosen][:, None] != group[None, :]
    likeness = (unit[chosen] @ unit.T)[unrelated]
    if not likeness.size:
        return 1.0, 0.0
    middle = float(np.median(likeness))
    scaled = (likeness - middle) / _scatter(dependence[chosen], dependence)[unrelated]
    return middle, NULL_DEVIATIONS * 1.4826 * float(np.median(np.abs(scaled)))


@dataclass(frozen=True)
class LookalikePair:
    """Two people who look like one. ``distinct``: share of nearest neighbours of the same name, 0.5 by chance."""

    first: str
    second: str
    distinct: float


@dataclass(frozen=True)
class Comparison:
    """All pairs of people. ``typical``: median of their ``distinct``; None with too few people or repetitions."""

    lookalikes: tuple[LookalikePair, ...]
    typical: float | None
    lowest: float | None

    @property
    def distinguishes_people(self) -> bool:
        return self.typical is not None and self.typical >= MIN_MEDIAN_DISTINCT


def compare_people(profiles: Array, subjects: Sequence[str], labels: Sequence[str]) -> Comparison:
    """Find pairs of people who look like one person under two names, by the nearest neighbours of their repetitions.

    Profiles are centred for each label, reduced to their main directions, and scaled by the scatter within people. A
    pair is reported if the share of nearest neighbours of the same name is at most 0.65 and far below the median pair,
    and if the median pair reaches 0.85. After the nearest-neighbour test of Schilling 1986,
    doi 10.1080/01621459.1986.10478337.

    Parameters
    ----------
    profiles : (n_repetitions, d), from `profile`, with the channels concatenated.
    labels : label of each repetition.
    """
    who = np.asarray(subjects)
    names, counts = np.unique(who, return_counts=True)
    names = names[counts >= MIN_REPETITIONS]
    member = np.isin(who, names)
    if len(names) < 3 or np.median(counts) < MIN_TYPICAL:
        return Comparison((), None, None)
    who = who[member]
    points = _in_units_within(_centred_by_label(profiles[member], np.asarray(labels)[member]), who)
    rows = {name: np.flatnonzero(who == name) for name in names}
    shares: dict[tuple[str, str], float] = {}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shares[str(first), str(second)] = _own_neighbours(points[rows[first]], points[rows[second]])
    distinct = np.array(list(shares.values()))
    typical = float(np.median(distinct))
    spread = max(MIN_SPREAD, 1.4826 * float(np.median(np.abs(distinct - typical))))
    bound = min(MAX_DISTINCT, typical - PEOPLE_DEVIATIONS * spread) if typical >= MIN_MEDIAN_DISTINCT else 0.0
    lookalikes = [LookalikePair(*pair, share) for pair, share in shares.items() if share < bound]
    lookalikes.sort(key=lambda pair: pair.distinct)
    return Comparison(tuple(lookalikes), typical, float(distinct.min()))


def _centred_by_label(profiles: Array, labels: NDArray[np.str_]) -> NDArray[np.float64]:
    centred = profiles.astype(np.float64)
    for label in np.unique(labels):
        centred[labels == label] -= centred[labels == label].mean(axis=0)
    return centred


def _in_units_within(points: NDArray[np.float64], who: NDArray[np.str_]) -> NDArray[np.float64]:
    """(n, d) -> (n, at most 16): main directions, scaled to variance 1 within people."""
    directions = np.linalg.svd(points, full_matrices=False)[2][:N_DIRECTIONS]
    points = points @ directions.T
    inner = points.copy()
    for name in np.unique(who):
        inner[who == name] -= inner[who == name].mean(axis=0)
    variance, axes = np.linalg.eigh(inner.T @ inner / max(1, len(who) - len(np.unique(who))))
    floor = 1e-3 * max(float(variance.max()), 1e-12)  # keeps directions without scatter from dominating
    return np.asarray(points @ axes / np.sqrt(np.maximum(variance, 0) + floor))


def _own_neighbours(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Share of points whose nearest neighbour is of the same person, averaged over both people."""
    n = min(len(a), len(b))
    rng = np.random.default_rng(0)
    own = []
    for _ in range(1 if len(a) == len(b) else N_DRAWS):
        drawn = [points[rng.permutation(len(points))[:n]] for points in (a, b)]
        across = _distances(*drawn)
        for points, other in zip(drawn, (across, across.T), strict=True):
            inside = _distances(points, points)
            np.fill_diagonal(inside, np.inf)
            own.append(float(np.mean(inside.min(axis=1) < other.min(axis=1))))
    return float(np.mean(own))


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, d), (m, d) -> (n, m), squared."""
    return np.asarray((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T)
