"""How alike two matrices are, and whether two people can be told apart: sketches, all pairs of them, neighbours.

Knows arrays: nothing of labels, files or what a finding means. A sketch is some 4 kB, so that tens of thousands fit
in memory where their matrices would not; pairs are compared a block at a time.
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
N_SHARED = 5  # directions that all recordings share (how a curl swells and fades) and that are left out
MIN_SHARING = 0.1  # share of the rows that must have a part in such a direction: copies make directions of their own
MIN_LIKENESS = 0.2  # of a pair that is reported; unrelated recordings stay below 0.19
NULL_DEVIATIONS = 7.0  # so far above the spread of all other pairs: one in 10^12 for a bell curve
MAX_PAIRS = 10_000

N_DIRECTIONS = 16  # of the profiles, in which people are compared
MIN_REPETITIONS = 14  # fewer of a person say too little
MIN_TYPICAL = 20  # of the middle person: at 14 each, half of data sets had a false pair
TOLD_APART = 0.65  # share of nearest neighbours that are one's own: 0.5 for one person under two names
N_DRAWS = 5  # where one has more repetitions than the other, so many of them are taken, so often
PEOPLE_DEVIATIONS = 4.0  # and so far below the middle pair of people, in spreads of all pairs
MIN_SPREAD = 0.03
MOSTLY_TOLD_APART = 0.85  # the middle pair must reach this, or the data can't tell people apart at all


def sketch(values: Array) -> Array:
    """What of a matrix survives another rate, gain or rounding: when each band is strong, as ranks over time.

    Ranks within a band forget gain and scaling; bands are coarse because a decomposition moves energy between
    neighbouring frequencies more than in time.

    Parameters
    ----------
    values : (n_planes, 256, 256) [plane, frequency, time]; other sizes that 8 and 128 divide do as well.

    Returns
    -------
    (n_planes * 8 * 128,) float32, each band with mean 0.
    """
    from scipy.stats import rankdata

    ranks = rankdata(_pooled(values, SKETCH_BANDS, SKETCH_TIMES), axis=-1) / SKETCH_TIMES
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
    """Two rows that are far more alike than chance has it. ``likeness`` is a correlation, 1 for copies."""

    first: int
    second: int
    likeness: float


def similar_pairs(sketches: Array, groups: Sequence[str]) -> list[Pair]:
    """Pairs of different groups that hold the same signal, the most alike first; at most 10,000.

    Parameters
    ----------
    sketches : (n, d), from `sketch`.
    groups : what each row belongs to; within a group likeness is no finding (channels of one recording).
    """
    n = len(sketches)
    if n < 2:
        return []
    unit = _without_shared(sketches)
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    threshold = max(MIN_LIKENESS, _chance(unit, group))
    pairs: list[Pair] = []
    for start in range(0, n, BLOCK):
        likeness = unit[start : start + BLOCK] @ unit[start:].T  # (block, n - start)
        first, second = np.nonzero(likeness > threshold)
        new = (second > first) & (group[start + first] != group[start + second])
        found = zip(first[new], second[new], strict=True)
        pairs += [Pair(int(start + i), int(start + j), float(likeness[i, j])) for i, j in found]
        if len(pairs) > MAX_PAIRS:
            break
    return sorted(pairs, key=lambda pair: -pair.likeness)[:MAX_PAIRS]


def _without_shared(sketches: Array) -> Array:
    """Rows of length 1 without what most of them share; a row of nothing else becomes zeros."""
    unit = _normed(sketches - sketches.mean(axis=0) if len(sketches) > 20 else sketches)
    few = unit[np.random.default_rng(0).permutation(len(unit))[:BLOCK]]
    variance, parts = np.linalg.eigh(few @ few.T)  # (n,), (n, n): each column says which rows make up a direction
    n_rows = 1 / np.maximum((parts**4).sum(axis=0), 1e-12)  # how many do; two for a pair of copies
    n_shared = min(N_SHARED, len(unit) // 20)  # few rows have no directions to spare
    shared = [k for k in range(len(few) - n_shared, len(few)) if n_rows[k] > MIN_SHARING * len(few)]
    if shared:
        directions = few.T @ parts[:, shared] / np.sqrt(np.maximum(variance[shared], 1e-6))  # (d, n_shared)
        unit = unit - (unit @ directions) @ directions.T
    return _normed(unit)


def _normed(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-6, rows / np.maximum(length, 1e-6), 0), dtype=np.float32)


def _chance(unit: Array, group: NDArray[np.intp]) -> float:
    """What likeness unrelated rows don't reach: middle and spread of the pairs, robust to the few that are copies."""
    chosen = np.random.default_rng(0).permutation(len(unit))[:BLOCK]
    likeness = (unit[chosen] @ unit.T)[group[chosen][:, None] != group[None, :]]
    if not likeness.size:
        return 1.0
    middle = float(np.median(likeness))
    spread = 1.4826 * float(np.median(np.abs(likeness - middle)))
    return middle + NULL_DEVIATIONS * spread


@dataclass(frozen=True)
class LookalikePair:
    """Two people whose repetitions can't be told apart; ``told_apart`` is the share that could, 0.5 by chance."""

    first: str
    second: str
    told_apart: float


@dataclass(frozen=True)
class Comparison:
    """All pairs of people. ``typical`` is the middle share told apart; None: too few people or repetitions."""

    lookalikes: tuple[LookalikePair, ...]
    typical: float | None
    lowest: float | None

    @property
    def tells_people_apart(self) -> bool:
        return self.typical is not None and self.typical >= MOSTLY_TOLD_APART


def compare_people(profiles: Array, subjects: Sequence[str], labels: Sequence[str]) -> Comparison:
    """Which people look like one person under two names: a repetition's nearest neighbour is as often the other's.

    Profiles are cleared of what the label does to them, reduced to their main directions and measured in units of the
    scatter within people. A pair is reported where its share of nearest neighbours that are one's own is at most 0.65,
    far below that of the middle pair, and the middle pair reaches 0.85. After the nearest-neighbour test of Schilling
    1986, doi 10.1080/01621459.1986.10478337.

    Parameters
    ----------
    profiles : (n_repetitions, d), from `profile`, channels joined.
    labels : what was done in each repetition.
    """
    who = np.asarray(subjects)
    names, counts = np.unique(who, return_counts=True)
    names = names[counts >= MIN_REPETITIONS]
    member = np.isin(who, names)
    if len(names) < 3 or np.median(counts) < MIN_TYPICAL:
        return Comparison((), None, None)
    who = who[member]
    points = _in_units_within(_cleared(profiles[member], np.asarray(labels)[member]), who)
    rows = {name: np.flatnonzero(who == name) for name in names}
    shares: dict[tuple[str, str], float] = {}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shares[str(first), str(second)] = _own_neighbours(points[rows[first]], points[rows[second]])
    told_apart = np.array(list(shares.values()))
    typical = float(np.median(told_apart))
    spread = max(MIN_SPREAD, 1.4826 * float(np.median(np.abs(told_apart - typical))))
    bound = min(TOLD_APART, typical - PEOPLE_DEVIATIONS * spread) if typical >= MOSTLY_TOLD_APART else 0.0
    found = [LookalikePair(*pair, share) for pair, share in shares.items() if share < bound]
    found.sort(key=lambda pair: pair.told_apart)
    return Comparison(tuple(found), typical, float(told_apart.min()))


def _cleared(profiles: Array, labels: NDArray[np.str_]) -> NDArray[np.float64]:
    cleared = profiles.astype(np.float64)
    for label in np.unique(labels):
        cleared[labels == label] -= cleared[labels == label].mean(axis=0)
    return cleared


def _in_units_within(points: NDArray[np.float64], who: NDArray[np.str_]) -> NDArray[np.float64]:
    """(n, d) -> (n, at most 16): main directions, scaled so that people scatter by 1 in each."""
    directions = np.linalg.svd(points, full_matrices=False)[2][:N_DIRECTIONS]
    points = points @ directions.T
    inner = points.copy()
    for name in np.unique(who):
        inner[who == name] -= inner[who == name].mean(axis=0)
    variance, axes = np.linalg.eigh(inner.T @ inner / max(1, len(who) - len(np.unique(who))))
    floor = 1e-3 * max(float(variance.max()), 1e-12)  # what doesn't scatter at all would outweigh all else
    return np.asarray(points @ axes / np.sqrt(np.maximum(variance, 0) + floor))


def _own_neighbours(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Share of points whose nearest other point is of the same person, mean over both; both with as many points."""
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
