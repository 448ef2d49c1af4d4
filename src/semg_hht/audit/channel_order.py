"""Find sessions of a person in which channels were swapped, shifted, mirrored or inverted.

It works on descriptions and on names of people, sessions and labels. It does not know files or findings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from semg_hht.audit.recording_outliers import ComparedRecording

Array = NDArray[np.float64]

MAX_CHANNELS, MAX_ANY_ORDER = 32, 4  # with more, only swaps of two, shifts and mirrored orders are tried
COUPLING_FLOOR, PATTERN_FLOOR = 0.05, 0.1
MAX_COST_RATIO = 0.65  # cost of the best order over that of the stated order
MIN_GAIN = 1.0  # difference of both costs
MIN_INVERTED_CORRELATION = 0.15  # of a channel with the others, in size, for its sign to count
MIN_INVERTED = 0.8  # correlation of the row with the inverted row


@dataclass(frozen=True)
class ReorderedSession:
    """A session whose channels fit the other sessions of the person better in another order.

    order : the channel of this session that stands in the place of each channel; as it is: inverted channels only.
    cost, stated_cost : mean squared difference to the other sessions in the best and in the stated order.
    inverted : channels whose sign is inverted.
    members : numbers of the recordings of the session.
    """

    subject: str
    session: str
    order: tuple[int, ...]
    inverted: tuple[int, ...]
    cost: float
    stated_cost: float
    members: tuple[int, ...]

    @property
    def kind(self) -> str:
        """What was done to the order, in words."""
        n = len(self.order)
        moved = [i for i, channel in enumerate(self.order) if i != channel]
        if not moved:
            return "inverted"
        if len(moved) == 2:
            return "swapped"
        if all((self.order[i] - self.order[0]) % n == i for i in range(n)):
            return "shifted around the ring"
        if all((self.order[0] - self.order[i]) % n == i for i in range(n)):
            return "mirrored"
        return "in another order"


def reordered_sessions(recordings: Sequence[ComparedRecording]) -> list[ReorderedSession]:
    """Sessions of a person whose channels contradict those of the other sessions. A recording without a stated session
    is a session of its own if the person states none."""
    groups: dict[tuple[str, tuple[str, ...]], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, one in enumerate(recordings):
        names = one.description.channel_names
        if one.subject and 2 <= len(names) <= MAX_CHANNELS and np.isfinite(one.description.level).all():
            groups[one.subject, names][one.session].append(number)
    found = []
    for (subject, names), sessions in groups.items():
        if len(sessions) > 1:
            found += list(_of_person(recordings, subject, len(names), sessions))
    return found


def _of_person(
    recordings: Sequence[ComparedRecording], subject: str, n_channels: int, sessions: dict[str, list[int]]
) -> Iterator[ReorderedSession]:
    orders = list(_orders(n_channels))
    for session, own in sessions.items():
        others = [i for other, members in sessions.items() if other != session for i in members]
        pairs = list(_pairs(recordings, own, others))
        if not pairs:
            continue
        pattern = np.mean([a for a, _, _, _ in pairs], axis=0)  # (n_channels, n_features)
        usual_pattern = np.mean([b for _, b, _, _ in pairs], axis=0)
        coupling = np.mean([c for _, _, c, _ in pairs], axis=0)  # (n_channels, n_channels)
        usual_coupling = np.mean([d for _, _, _, d in pairs], axis=0)
        costs = np.array([
            _cost(pattern[list(order)], usual_pattern, np.abs(coupling[np.ix_(order, order)]), np.abs(usual_coupling))
            for order in orders
        ])  # fmt: skip
        best = int(np.argmin(costs))
        order = orders[best]
        if not (costs[best] < MAX_COST_RATIO * costs[0] and costs[0] - costs[best] > MIN_GAIN):
            order = orders[0]
        inverted = _inverted(coupling[np.ix_(order, order)], usual_coupling)
        if order != orders[0] or inverted:
            yield ReorderedSession(subject, session, order, inverted, float(costs[best]), float(costs[0]), tuple(own))


def _pairs(
    recordings: Sequence[ComparedRecording], own: Sequence[int], others: Sequence[int]
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """For each label of both: mean pattern and coupling of the session, and of the other sessions."""
    labels = {recordings[i].label for i in own} & {recordings[i].label for i in others}
    for label in sorted(labels):
        means = []
        for members in (own, others):
            with_label = [recordings[i].description for i in members if recordings[i].label == label]
            patterns = np.mean([pattern_of(one.level, one.spectrum) for one in with_label], axis=0)
            means.append((patterns, np.mean([one.coupling for one in with_label], axis=0)))
        (pattern, coupling), (usual_pattern, usual_coupling) = means
        known = np.isfinite(pattern).all(axis=0) & np.isfinite(usual_pattern).all(axis=0)
        yield (
            np.where(known, pattern, 0.0), np.where(known, usual_pattern, 0.0),
            coupling.astype(np.float64), usual_coupling.astype(np.float64),
        )  # fmt: skip


def pattern_of(level: NDArray[np.float32], spectrum: NDArray[np.float32]) -> Array:
    """How channels differ: (n_channels, 1 + n_bands), level and spectral shape less those of the median channel."""
    shape = spectrum.astype(np.float64) - 2 * level[:, None]
    features = np.concatenate([level[:, None].astype(np.float64), shape / np.sqrt(shape.shape[1])], axis=1)
    return np.asarray(features - np.median(features, axis=0))


def _orders(n: int) -> Iterator[tuple[int, ...]]:
    """The stated order first; then all others of few channels, else swaps of two, shifts and mirrored orders."""
    identity = tuple(range(n))
    yield identity
    if n <= MAX_ANY_ORDER:
        yield from (order for order in permutations(range(n)) if order != identity)
        return
    for i, j in combinations(range(n), 2):
        yield tuple(j if k == i else i if k == j else k for k in range(n))
    yield from (tuple((k + shift) % n for k in range(n)) for shift in range(1, n))
    yield from (tuple((shift - k) % n for k in range(n)) for shift in range(n))


def _cost(pattern: Array, usual_pattern: Array, coupling: Array, usual_coupling: Array) -> float:
    n = len(pattern)
    by_pattern = ((pattern - usual_pattern) ** 2).sum() / n / PATTERN_FLOOR**2
    outside = ~np.eye(n, dtype=bool)
    by_coupling = ((coupling - usual_coupling)[outside] ** 2).mean() / COUPLING_FLOOR**2 if n > 2 else 0.0
    return float(by_pattern + by_coupling)


def _inverted(coupling: Array, usual: Array) -> tuple[int, ...]:
    """Channels whose correlations with the others have the opposite sign. With two channels either may be inverted."""
    found = []
    for channel in range(len(usual)):
        own, other = (np.delete(c[channel], channel) for c in (coupling, usual))
        size = np.linalg.norm(own) * np.linalg.norm(other)
        strong = min(np.abs(own).max(), np.abs(other).max()) > MIN_INVERTED_CORRELATION
        if strong and own @ other < -MIN_INVERTED * size:
            found.append(channel)
    return tuple(found) if len(found) < len(usual) or len(usual) == 2 else ()
