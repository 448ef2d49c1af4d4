"""Find one person under two names: by the patterns of their recordings, and by equal measures of the body.

It works on descriptions and rows of a manifest. It does not read files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from semg_hht.audit.recording_outliers import ComparedRecording
from semg_hht.audit.similarity import Comparison, compare_people
from semg_hht.recordings.manifest import ManifestRow, parse_finite

BODY = re.compile(
    r"age|height|weight|mass|bmi|stature|circumference|girth|birth|skinfold|length|年龄|身高|体重|体质|周长|围",
    re.IGNORECASE,
)
MIN_EQUAL = 3  # equal measures of the body; two people of one age and height are common
MIN_PEOPLE = 5
MAX_RANK_SHARE = 0.1  # of all pairs of people, ordered by the distance of their mean patterns
MAX_DISTANCE = 0.5  # over the median distance


@dataclass(frozen=True)
class EqualBodies:
    """Two people with equal measures of the body, and the share of pairs of people whose patterns are more alike."""

    first: str
    second: str
    columns: tuple[str, ...]
    rank: float


def compare_patterns(recordings: Sequence[ComparedRecording]) -> Comparison | None:
    """All pairs of people by the patterns of their recordings; None where no two recordings can be compared."""
    members, patterns = _patterns(recordings)
    if not members:
        return None
    own = [recordings[i] for i in members]
    return compare_people(patterns, [one.subject for one in own], [one.label for one in own])


def equal_bodies(recordings: Sequence[ComparedRecording], rows: Sequence[ManifestRow]) -> list[EqualBodies]:
    """Pairs of people with all measures of the body equal, at least three, whose patterns are alike too."""
    bodies = _bodies(rows)
    pairs = []
    for a, b in combinations(sorted(bodies), 2):
        common = sorted(bodies[a].keys() & bodies[b].keys())
        if len(common) >= MIN_EQUAL and all(bodies[a][name] == bodies[b][name] for name in common):
            pairs.append((a, b, tuple(common)))
    if not pairs:
        return []
    distances = _distances_of_people(recordings)
    found = []
    for a, b, columns in pairs:
        if (a, b) in distances:
            rank = float(np.mean([other < distances[a, b] for other in distances.values()]))
            if rank <= MAX_RANK_SHARE and distances[a, b] < MAX_DISTANCE * float(np.median(list(distances.values()))):
                found.append(EqualBodies(a, b, columns, rank))
    return found


def _bodies(rows: Sequence[ManifestRow]) -> dict[str, dict[str, float]]:
    """Person -> measure of the body -> its value, where it is one number in all rows of the person."""
    values: dict[str, dict[str, set[float | None]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        for name, cell in row.extra.items():
            if row.subject and cell and BODY.search(name):
                values[row.subject][name].add(parse_finite(cell))
    return {
        subject: {name: value for name, (value, *more) in measures.items() if value is not None and not more}
        for subject, measures in values.items()
    }


def _distances_of_people(recordings: Sequence[ComparedRecording]) -> dict[tuple[str, str], float]:
    """Distance of the mean patterns of each pair of people, each measure scaled by its scatter over people."""
    members, patterns = _patterns(recordings)
    by_label: dict[str, list[int]] = defaultdict(list)
    for k, i in enumerate(members):
        by_label[recordings[i].label].append(k)
    centred = patterns.astype(np.float64)
    for own in by_label.values():
        centred[own] -= np.median(centred[own], axis=0)
    by_person: dict[str, list[int]] = defaultdict(list)
    for k, i in enumerate(members):
        by_person[recordings[i].subject].append(k)
    if len(by_person) < MIN_PEOPLE:
        return {}
    means = {subject: centred[own].mean(axis=0) for subject, own in by_person.items()}
    scatter = np.maximum(np.std(list(means.values()), axis=0), 1e-3)
    return {(a, b): float(np.linalg.norm((means[a] - means[b]) / scatter)) for a, b in combinations(sorted(means), 2)}


def _patterns(recordings: Sequence[ComparedRecording]) -> tuple[list[int], NDArray[np.float32]]:
    """Recordings of the most common channels with a person, and their patterns (n, d): how loud each channel is beside
    the others, and how channels correlate. The gain and the spectrum of the device do not matter."""
    named = [i for i, one in enumerate(recordings) if one.subject and np.isfinite(one.description.level).all()]
    if not named:
        return [], np.empty((0, 0), dtype=np.float32)
    usual = Counter(recordings[i].description.channel_names for i in named).most_common(1)[0][0]
    members = [i for i in named if recordings[i].description.channel_names == usual]
    patterns = []
    for i in members:
        one = recordings[i].description
        upper = np.triu_indices(len(one.level), 1)
        spectrum = one.spectrum - 2 * one.level[:, None] if len(one.level) < 3 else np.empty((len(one.level), 0))
        patterns.append(np.concatenate([
            one.level - np.median(one.level), np.abs(one.coupling[upper]), spectrum.ravel(),
        ]))  # fmt: skip
    stacked = np.array(patterns, dtype=np.float32)  # (n, d)
    return members, stacked[:, np.isfinite(stacked).all(axis=0)]
