"""Groups of copies and their sentences."""

from __future__ import annotations

from semg_hht.audit.copy_groups import copy_finding, joined, near_text
from semg_hht.recordings.manifest import ManifestRow


def test_pairs_that_share_a_member_through_others_are_one_group() -> None:
    pairs = [("a", "b"), ("c", "d"), ("e", "f"), ("d", "b"), ("g", "e")]
    assert joined(pairs) == [[0, 1, 3], [2, 4]]
    assert joined([]) == []


def test_a_group_is_one_sentence_with_what_its_files_differ_in() -> None:
    rows = [ManifestRow(f"{name}.csv", subject=f"S{i}", movement="full") for i, name in enumerate("abcde")]
    found = copy_finding("duplicate", [rows], "hold the same samples", {"a.csv": "train", "c.csv": "test"})
    as_what = "subject S0, S1, S2 and 2 more, in train and test"
    assert found.sentence == f"5 files hold the same samples as {as_what}: a.csv, b.csv, c.csv and 2 more"
    assert found.severity == "error"
    assert found.files == tuple(row.file for row in rows)


def test_labels_are_compared_within_a_stretch_of_the_signal() -> None:
    first, second = ([ManifestRow(file, subject="S1", movement=m) for file in "ab"] for m in ("full", "half"))
    found = copy_finding("duplicate", [first, second], "hold the same samples", {})
    assert (found.severity, found.sentence) == ("warning", "a and b hold the same samples")


def test_the_likeness_of_a_group_is_a_range() -> None:
    assert near_text([0.704, 0.7], "0.65").startswith("hold the same signal (likeness 0.70, unrelated")
    assert "(likeness 0.70 to 0.98, unrelated ones stay below 0.2)" in near_text([0.98, 0.7, 0.8], "0.2")
