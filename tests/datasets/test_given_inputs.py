"""datasets/given_inputs.py: paths, objects and lists of them as recordings with names of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builders import noise
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.given_inputs import given_list, inputs_of, jobs_of
from semg_hht.datasets.rows_table import RowsTable
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.recording import read_recording, write_recording

RECORDING = noise(2, duration_s=4.0)


def test_a_recording_in_memory_is_read_as_it_is() -> None:
    (job,) = jobs_of(RECORDING)
    assert (job.file, job.rows[0].rate_hz, job.rows[0].units) == ("noise0", 500.0, "uV")
    assert read_job(job) is RECORDING


def test_labels_come_from_the_name_of_the_file_that_was_read(tmp_path: Path) -> None:
    path = tmp_path / "S01_BICEPS_half_F_003.npz"
    write_recording(RECORDING, path)
    (in_memory,), (on_disk,) = jobs_of(read_recording(path)), jobs_of(path)
    assert in_memory.rows[0].movement == on_disk.rows[0].movement == "half"
    assert in_memory.file == on_disk.file


def test_each_of_several_has_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_recording(RECORDING, path)
    jobs = jobs_of([path, RECORDING, RECORDING, RECORDING.samples, RECORDING.samples], rate_hz=500.0)
    names = [job.file for job in jobs]
    assert names[:2] == ["a.npz", "noise0"] and len(set(names)) == 5
    assert len({job.path for job in jobs}) == 5
    matrices, more = inputs_of(RECORDING.samples, InputOptions(rate_hz=500.0), 3)
    assert (matrices, [job.file for job in more]) == ([], ["recording 3"])


def test_a_result_of_an_earlier_step_brings_its_recordings() -> None:
    jobs = jobs_of(RECORDING)
    assert jobs_of(RowsTable(jobs[0].rows, tuple(jobs))) == jobs


def test_a_table_of_repetitions_names_files_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    write_recording(RECORDING, tmp_path / "a.npz")
    monkeypatch.chdir(tmp_path)
    table = pandas.DataFrame(
        {"file": ["a.npz"] * 2, "start_s": [0.5, 2.0], "stop_s": [1.0, 2.5], "movement": ["full", None]}
    )
    (job,) = jobs_of(table)
    assert [(row.start_s, row.stop_s, row.movement) for row in job.rows] == [(0.5, 1.0, "full"), (2.0, 2.5, "")]
    assert read_job(job).n_samples == RECORDING.n_samples
    with pytest.raises(InputError, match="table of repetitions, line 2: start_s must be a number; found 'x'"):
        jobs_of(table.assign(start_s="x"))


def test_an_edited_table_goes_back_with_its_recordings_in_memory() -> None:
    pandas = pytest.importorskip("pandas")
    arrays = [RECORDING.samples, 2 * RECORDING.samples]
    table = pandas.DataFrame(
        {"file": ["recording", "recording 2", "recording 2"], "start_s": [0.5, 0.5, 2.0], "stop_s": [1.0, 1.0, 2.5]}
    ).assign(rate_hz=500.0, units="uV", movement="full")
    first, second = jobs_of([table, *arrays])  # the rate is that of the table
    assert [row.start_s for row in second.rows] == [0.5, 2.0] and {row.units for row in second.rows} == {"uV"}
    assert first.file == "recording" and first.rows[0].movement == "full"
    assert (read_job(second).samples == arrays[1]).all() and read_job(second).rate_hz == 500.0
    (only,) = jobs_of([*arrays, table.iloc[1:]])  # the rows of the first were removed, so it is left out
    assert only.file == "recording 2"
    (one,) = jobs_of([table.iloc[:1].drop(columns=["rate_hz", "units"]), RECORDING.samples], rate_hz=500.0, units="mV")
    assert (one.rows[0].rate_hz, one.rows[0].units) == (500.0, "mV")


def test_a_table_without_files_goes_with_one_recording_in_memory(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"start_s": [0.5, 2.0], "stop_s": [1.0, 2.5]})
    (job,) = jobs_of([RECORDING, table])
    assert [(row.file, row.start_s, row.rate_hz) for row in job.rows] == [
        ("noise0", 0.5, 500.0),
        ("noise0", 2.0, 500.0),
    ]
    write_recording(RECORDING, tmp_path / "a.npz")
    beside = table.assign(file=str(tmp_path / "a.npz"))
    assert [job.file for job in jobs_of([beside, RECORDING])] == [str(tmp_path / "a.npz"), "noise0"]
    with pytest.raises(InputError, match=r"table of repetitions: .* found no column file.* \[table, recording\]"):
        jobs_of(table)
    with pytest.raises(InputError, match=r"found no file gone. If its recording is in memory, give both"):
        jobs_of(table.assign(file="gone"))


@pytest.mark.parametrize("wrong", [3, None, [RECORDING, 3], os])
def test_other_objects_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="expected a path, a Recording, an array, a DataFrame"):
        given_list(wrong)  # type: ignore[arg-type]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(InputError, match="expected at least one recording; found an empty list"):
        given_list([])
