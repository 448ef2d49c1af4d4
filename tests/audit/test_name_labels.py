"""File names that state another label than the manifest."""

from __future__ import annotations

from dataclasses import replace

from semg_hht.audit.name_labels import name_findings
from semg_hht.recordings.manifest import ManifestRow


def forearm() -> list[ManifestRow]:
    efforts = {"20P": "low", "50P": "mid", "80P": "high"}
    return [
        ManifestRow(f"S{who}/S{who}_{part}_C1_R{number}.csv", subject=f"S{who}", movement=effort)
        for who in range(1, 5)
        for part, effort in efforts.items()
        for number in range(1, 4)
    ]


def test_names_that_agree_with_their_rows_are_not_reported() -> None:
    assert list(name_findings(forearm())) == []
    assert list(name_findings([])) == []


def test_a_name_that_means_another_class_in_the_other_files_is_reported() -> None:
    rows = forearm()
    rows[4] = replace(rows[4], movement="high")
    [finding] = name_findings(rows)
    assert finding.files == (rows[4].file,)
    assert "movement is 'high', but 11 other files with '50p' in that place of their name are 'mid'" in finding.sentence


def test_a_file_of_one_person_under_the_name_of_another_is_reported() -> None:
    rows = forearm()
    rows[0] = replace(rows[0], subject="S3")
    [finding] = name_findings(rows)
    assert "subject is 'S3', but 8 other files with 's1'" in finding.sentence


def test_letters_at_the_end_of_a_part_count() -> None:
    exercises = {"mar": "gait", "pie": "standing", "sen": "sitting"}
    rows = [ManifestRow(f"{i}N{end}.txt", movement=name) for i in range(5) for end, name in exercises.items()]
    assert list(name_findings(rows)) == []
    rows[0] = replace(rows[0], movement="sitting")
    assert [finding.files for finding in name_findings(rows)] == [("0Nmar.txt",)]


def test_the_naming_convention_needs_no_other_files() -> None:
    rows = [
        ManifestRow("BICEPS_half_F_001.csv", movement="full", gender="F"),
        ManifestRow("BICEPS_full_M_002.csv", movement="full", gender="F"),
        ManifestRow("BICEPS_full_M_003.csv", movement="fresh", gender="M"),
    ]
    assert [finding.sentence for finding in name_findings(rows)] == [
        "BICEPS_half_F_001.csv: movement is 'full', but its name states 'half'",
        "BICEPS_full_M_002.csv: gender is 'F', but its name states 'M'",
    ]


def test_a_part_of_the_name_that_does_not_determine_the_class_is_ignored() -> None:
    rows = [ManifestRow(f"rec{i:02}_R{i % 3}.csv", movement="ab"[i // 3 % 2]) for i in range(30)]
    assert list(name_findings(rows)) == []
