"""Find recordings or channels that hold the same signal: copied, rescaled, inverted, resampled, trimmed or rounded.

It works on descriptions. It does not know files or findings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.audit.recording_description import RecordingDescription

Array = NDArray[np.float64]

BLOCK = 1024
# Of a billion pairs of landmarks in real recordings without copies, about 50 exceed 0.65, most of them on channels with
# periodic spikes.
MIN_LIKENESS = 0.65
MIN_AGREEING = 3  # landmarks with one time shift
MIN_TOGETHER = 5  # landmarks with one time shift on at least three pairs of channels
MIN_SHARE = 0.4  # of the landmarks of the overlap, on each channel that counts as copied
SAME_SHIFT_S = 0.004
MIN_COPIED = 0.5  # share of the channels of the smaller recording; with fewer, single channels are copied


@dataclass(frozen=True)
class CopiedSignal:
    """Two recordings that hold the same signal.

    channels : pairs of equal channels (in the first, in the second recording).
    exact : all these channels have the same samples.
    whole : at least half of the channels are equal.
    likeness : median correlation of the landmarks that agree, from 0.65 to 1.
    shift_s : time in the first recording less the time in the second.
    """

    first: int
    second: int
    channels: tuple[tuple[int, int], ...]
    exact: bool
    whole: bool
    likeness: float
    shift_s: float


def copied_signals(described: Sequence[RecordingDescription]) -> list[CopiedSignal]:
    """All pairs of recordings with the same signal on at least one channel."""
    exact = _equal_channels(described)
    votes = _votes(described)
    copies = []
    for pair in sorted(exact.keys() | votes.keys()):
        first, second = (described[i] for i in pair)
        equal = exact.get(pair, set())
        shift_s, likeness, similar = _agreement(votes.get(pair, []), first, second)
        # Channels are compared to 64 channels; a copy that is exact needs no landmarks.
        channels = tuple(sorted(equal | similar))
        if not channels:
            continue
        n_fewest = min(len(first.digests), len(second.digests))
        n_copied = min(len({a for a, _ in channels}), len({b for _, b in channels}))
        whole = n_copied >= MIN_COPIED * n_fewest
        copies.append(
            CopiedSignal(*pair, channels, similar <= equal, whole, 1.0 if similar <= equal else likeness, shift_s)
        )
    return copies


def _equal_channels(described: Sequence[RecordingDescription]) -> dict[tuple[int, int], set[tuple[int, int]]]:
    """Pairs of recordings -> pairs of channels with the same samples; constant channels are left out."""
    holders: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, one in enumerate(described):
        for channel, digest in enumerate(one.digests):
            if channel >= len(one.level) or np.isfinite(one.level[channel]):
                holders[digest].append((number, channel))
    pairs: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for held in holders.values():
        for i, (first, a) in enumerate(held):
            for second, b in held[i + 1 :]:
                if first != second:
                    pairs[first, second].add((a, b))
    return pairs


@dataclass(frozen=True)
class _Vote:
    """Two landmarks that look alike."""

    channels: tuple[int, int]
    shift_s: float
    likeness: float


def _votes(described: Sequence[RecordingDescription]) -> dict[tuple[int, int], list[_Vote]]:
    counts = [len(one.landmarks) for one in described]
    if not sum(counts):
        return {}
    shapes = np.concatenate([one.landmarks for one in described]).astype(np.float32)  # (n, 112)
    shapes /= np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-6)
    owner = np.repeat(np.arange(len(described)), counts)
    channel = np.concatenate([one.landmark_channel for one in described])
    time_s = np.concatenate([one.landmark_s for one in described])
    votes: dict[tuple[int, int], list[_Vote]] = defaultdict(list)
    for i, j, likeness in _alike(shapes, owner):
        channels = (int(channel[i]), int(channel[j]))
        votes[int(owner[i]), int(owner[j])].append(_Vote(channels, float(time_s[i] - time_s[j]), likeness))
    return {pair: own for pair, own in votes.items() if len(own) >= MIN_AGREEING}


def _alike(shapes: NDArray[np.float32], owner: NDArray[np.intp]) -> Iterator[tuple[int, int, float]]:
    """Pairs of rows of different owners with a correlation of at least 0.65 in absolute value, block by block."""
    for start in range(0, len(shapes), BLOCK):
        likeness = np.abs(shapes[start : start + BLOCK] @ shapes[start:].T)  # (block, n - start)
        rows, columns = np.nonzero(likeness >= MIN_LIKENESS)
        later = owner[start + rows] < owner[start + columns]
        for i, j in zip(rows[later], columns[later], strict=True):
            yield int(start + i), int(start + j), float(likeness[i, j])


def _agreement(
    votes: Sequence[_Vote], first: RecordingDescription, second: RecordingDescription
) -> tuple[float, float, set[tuple[int, int]]]:
    """The shift that most votes agree on, their median likeness, and the pairs of channels that are equal with it."""
    if len(votes) < MIN_AGREEING:
        return 0.0, 0.0, set()
    shifts = np.array([vote.shift_s for vote in votes])
    near = np.abs(shifts[:, None] - shifts) <= SAME_SHIFT_S  # (n_votes, n_votes)
    shift_s = float(np.median(shifts[near[np.argmax(near.sum(axis=1))]]))
    agreeing = [vote for vote in votes if abs(vote.shift_s - shift_s) <= SAME_SHIFT_S]
    by_channels: dict[tuple[int, int], int] = defaultdict(int)
    for vote in agreeing:
        by_channels[vote.channels] += 1
    similar = set()
    for (a, b), n_agreeing in by_channels.items():
        n_common = min(
            _n_within(first, a, shift_s, shift_s + second.duration_s),
            _n_within(second, b, -shift_s, first.duration_s - shift_s),
        )
        if n_agreeing >= max(MIN_AGREEING, MIN_SHARE * n_common):
            similar.add((a, b))
    if similar or (len(agreeing) >= MIN_TOGETHER and len(by_channels) >= MIN_AGREEING):
        similar |= by_channels.keys()  # a short overlap has few landmarks on each channel
    return shift_s, float(np.median([vote.likeness for vote in agreeing])), similar


def _n_within(described: RecordingDescription, channel: int, start_s: float, stop_s: float) -> int:
    """Number of landmarks of a channel between two times."""
    own = described.landmark_s[described.landmark_channel == channel]
    return int(np.count_nonzero((own >= start_s) & (own <= stop_s)))
