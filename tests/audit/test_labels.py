"""Audit of labels, names of people and splits."""

from __future__ import annotations

import pytest

from audit_builders import matrices, relabelled, seen, sentences, sound
from semg_hht.audit import Sides, audit_examples, split_findings, subject_names


def test_missing_unbalanced_or_rare_classes_are_named() -> None:
    data = [s for s in sound(6) if s.row.movement != "invalid"]
    data = [s for s in data if s.row.movement == "full" or s.row.subject == "S0"]
    assert set(sentences(audit_examples(data), "classes")) == {
        "movement: no example of invalid",
        "movement: 6 of full but 1 of half",
        "movement half is of S0 alone: it can't be trained, tuned and scored on different people",
    }


def test_nothing_to_learn_is_an_error() -> None:
    assert (
        sentences(audit_examples([seen(m, f"x{i}.npz") for i, m in enumerate(matrices(2))]), "labels")
        == [
            "2 without a label and not named Test*, as x0.npz",
            "nothing is labelled, so there is nothing to train on",
        ][::-1]
    )
    one_class = [seen(m, f"x{i}.npz", subject=f"S{i}", movement="full") for i, m in enumerate(matrices(3))]
    assert sentences(audit_examples(one_class), "classes") == [
        "every label is the same, so there is nothing to distinguish"
    ]


def test_labels_that_contradict_each_other_are_errors() -> None:
    data = sound()
    data[0] = relabelled(data[0], "s0_full.npz", gender="M")
    data[4] = relabelled(data[4], "s1_half.npz", movement="Half")
    found = sentences(audit_examples(data), "labels")
    assert "subject S0 has gender F and M" in found
    assert "movement 'Half' and 'half' differ only in case" in found


@pytest.mark.parametrize(
    "names",
    [
        ("S1", "s1"),
        ("S1", "S01"),
        ("S 1", "S1"),
        ("P-007", "p_7"),
        ("Anna B", "annab"),
        ("1", "1.0"),
        ("Jos\u00e9", "Jose\u0301"),
        ("Zo\u00eb", "Zo\u00eb\u200b"),
    ],
)
def test_one_person_spelled_in_two_ways_is_an_error(names: tuple[str, str]) -> None:
    assert [f.what for f in subject_names([*names, "S2"])] == ["subject names"]


def test_names_with_different_numbers_are_two_people() -> None:
    assert not list(subject_names(["S1", "S10", "S100", "S2", "S20", "1", "10", "", "S101", "S110"]))
    assert not list(subject_names(["1.5", "15", "-1", "1", "1 1", "11", "1-1"]))


def test_people_or_files_in_two_parts_of_a_split_are_an_error() -> None:
    files = {"train": frozenset({"a", "b"}), "validation": frozenset({"c"}), "test": frozenset({"b"})}
    people = {"train": frozenset({"S1", "S2"}), "validation": frozenset({"S2"}), "test": frozenset({"S1"})}
    found = split_findings(Sides("subject", files, people))
    assert [(f.severity, f.sentence) for f in found] == [
        ("error", "subject S1 is in train and in test"),
        ("error", "1 files are in train and in test, such as b"),
        ("warning", "subject S2 is in train and in validation"),
    ]


def test_a_split_is_compared_with_the_subjects_of_the_data() -> None:
    data = sound()
    files = {
        "train": [s.row.file for s in data[:4]],
        "validation": [],
        "test": [s.row.file for s in data[4:-1]] + ["x"],
    }
    people: dict[str, frozenset[str]] = dict.fromkeys(files, frozenset())
    found = split_findings(Sides("subject", {k: frozenset(v) for k, v in files.items()}, people), [s.row for s in data])
    assert [f.sentence for f in found] == [
        "subject S1 is in train and in test",
        "1 files of the split are not in the data, as x",
        "1 labelled files are on no side, as s3_invalid.npz",
    ]


def test_a_person_on_two_sides_of_a_split_is_found_under_another_spelling() -> None:
    """Runs of earlier versions may have such a split."""
    files: dict[str, frozenset[str]] = {side: frozenset({side}) for side in ("train", "validation", "test")}
    people = {
        "train": frozenset({"Jos\u00e9", ""}),
        "validation": frozenset({"S2", ""}),
        "test": frozenset({"Jose\u0301"}),
    }
    found = split_findings(Sides("subject", files, people))
    assert [(f.severity, f.sentence) for f in found] == [("error", "subject Jos\u00e9 is in train and in test")]
