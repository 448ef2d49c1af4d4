"""One person under two names, by patterns of channels and measures of the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from audit_builders import emg
from semg_hht.audit.people_of_recordings import compare_patterns, equal_bodies
from semg_hht.audit.recording_description import RecordingDescription, describe
from semg_hht.audit.recording_outliers import ComparedRecording
from semg_hht.recordings.manifest import ManifestRow

BODIES = [("24", "180", "75.5"), ("31", "168", "60.2"), ("27", "175", "70"), ("22", "190", "88"), ("45", "160", "55")]


def of_person(like: RecordingDescription, who: int, seed: int) -> RecordingDescription:
    """Channel levels of a person, with scatter: cheaper than 150 recordings."""
    person, rng = np.random.default_rng(who), np.random.default_rng(1000 + seed)
    level = person.normal(0, 0.3, len(like.level)) + rng.normal(0, 0.05, len(like.level))
    return replace(like, level=level.astype(np.float32))


def people(names: dict[str, int], n_each: int) -> list[ComparedRecording]:
    like = describe(emg(0, 6))
    return [
        ComparedRecording(of_person(like, who, 100 * number + i), name, label="full")
        for number, (name, who) in enumerate(names.items())
        for i in range(n_each)
    ]


def test_two_names_of_one_person_are_found_by_the_patterns() -> None:
    distinct = compare_patterns(people({"A": 0, "B": 1, "C": 2, "D": 3}, 24))
    assert distinct is not None and distinct.distinguishes_people and not distinct.lookalikes
    twice = compare_patterns(people({"A": 0, "B": 1, "C": 2, "A2": 0}, 24))
    assert twice is not None
    assert [{pair.first, pair.second} for pair in twice.lookalikes] == [{"A", "A2"}]
    assert compare_patterns([]) is None


def rows(names: dict[str, int]) -> list[ManifestRow]:
    columns = ("age", "height_cm", "weight_kg")
    return [
        ManifestRow(f"{name}.csv", subject=name, extra=dict(zip(columns, BODIES[who], strict=True)))
        for name, who in names.items()
    ]


def test_equal_bodies_with_alike_patterns_are_found_and_unlike_patterns_are_not() -> None:
    names = {"A": 0, "B": 1, "C": 2, "D": 3, "E": 4, "A2": 0}
    [pair] = equal_bodies(people(names, 2), rows(names))
    assert (pair.first, pair.second) == ("A", "A2")
    assert pair.columns == ("age", "height_cm", "weight_kg")
    others = {"A": 0, "B": 1, "C": 2, "D": 3, "E": 4, "A2": 12}
    assert equal_bodies(people(others, 2), rows(names)) == []
    assert equal_bodies(people(names, 2), rows({name: i % 5 for i, name in enumerate("ABCDE")})) == []
