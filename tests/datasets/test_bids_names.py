"""Tests of names in a BIDS dataset: labels are unique, people are neither merged nor invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.datasets.bids_names import bids_labels, plan_dataset
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow


def job(file: str, *rows: ManifestRow) -> Job:
    return Job(Path(file), tuple(ManifestRow(file, *row_values(row)) for row in rows))


def row_values(row: ManifestRow) -> tuple[str, ...]:
    return row.subject, row.session, row.repetition, row.muscle, row.movement, row.gender


def people(*subjects: str, session: str = "") -> list[Job]:
    return [job(f"{i}.csv", ManifestRow("", subject, session)) for i, subject in enumerate(subjects)]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["S01", "S02"], ["S01", "S02"]),
        (["sub-01"], ["01"]),
        (["Müller 3", "Muller3"], ["Muller3x2", "Muller3"]),
        (["a_b", "a b", "AB"], ["abx2", "abx3", "AB"]),
        (["s1", "S1"], ["s1", "S1x2"]),
        (["张三", "李四", "person"], ["personx2", "personx3", "person"]),
        (["S-01", "S01x2", "S01"], ["S01x3", "S01x2", "S01"]),
    ],
)
def test_labels_are_letters_and_digits_and_no_two_alike(names: list[str], labels: list[str]) -> None:
    found = bids_labels(names, "sub", "person")
    assert list(found) == names
    assert list(found.values()) == labels


def test_people_sessions_and_runs_are_in_the_name() -> None:
    jobs = [*people("S1", "S1", session="E1"), *people("S1", session="E2"), *people("S2")]
    assert [name.stem for name in plan_dataset(jobs, "arm curls").names] == [
        "sub-S1_ses-E1_task-armcurls_run-01",
        "sub-S1_ses-E1_task-armcurls_run-02",
        "sub-S1_ses-E2_task-armcurls",
        "sub-S2_task-armcurls",
    ]
    assert str(plan_dataset(jobs, "x").names[0].folder) == "sub-S1/ses-E1"


def test_a_task_that_the_rows_name_is_taken() -> None:
    named = Job(Path("a.csv"), (ManifestRow("a.csv", "S1", extra={"task": "walk"}),))
    plan = plan_dataset([named, *people("S1")], "run")
    assert [name.stem for name in plan.names] == ["sub-S1_task-walk", "sub-S1_task-run"]


def test_recordings_without_subject_are_failures() -> None:
    plan = plan_dataset(people("", "S1", ""), "x")
    assert [name.stem for name in plan.names] == ["sub-S1_task-x"]
    assert [failure.file for failure in plan.failures] == ["0.csv", "2.csv"]
    assert plan.failures[0].reason.startswith("0.csv: no subject is stated; expected the subject of each recording")


def test_the_only_recording_is_of_one_person() -> None:
    plan = plan_dataset(people(""), "x")
    assert ([name.stem for name in plan.names], plan.subjects) == (["sub-01_task-x"], {"01": "01"})
    assert plan.remarks == ["no subject is stated for 0.csv; the only recording is exported as sub-01"]


@pytest.mark.parametrize("what", ["subject", "session"])
def test_a_recording_of_two_people_or_sessions_is_a_failure(what: str) -> None:
    rows = [ManifestRow("", **{"subject": "S1", what: value}) for value in ("A", "B")]
    (failure,) = plan_dataset([job("a.csv", *rows)], "x").failures
    assert failure.reason == f"a.csv: its rows name several {what}s ('A', 'B'); expected one"


def test_a_person_with_two_genders_is_a_contradiction() -> None:
    jobs = [job(f"{gender}.csv", ManifestRow("", "S1", gender=gender)) for gender in ("F", "M")]
    with pytest.raises(InputError, match=r"subject 'S1' has two genders: 'F' in F\.csv, 'M' in M\.csv; expected one"):
        plan_dataset(jobs, "x")
    assert plan_dataset([jobs[0], *people("S1")], "x").genders == {"S1": "F"}


def test_a_task_needs_a_name() -> None:
    with pytest.raises(InputError, match="task '弯举': expected letters A to Z or digits in the name"):
        plan_dataset(people("S1"), "弯举")
