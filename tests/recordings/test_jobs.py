"""recordings/jobs.py: jobs of one recording each, worked on in order; results and failures."""

from __future__ import annotations

import time
from pathlib import Path

import joblib
import pytest

from builders import noise
from semg_hht.errors import InputError, WriteError
from semg_hht.recordings.jobs import Failure, Job, collect, for_each, none_usable, read_job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import write_recording

JOBS = [Job(Path(name), (ManifestRow(name),)) for name in ("a.csv", "b.csv", "c.csv")]


def name_of(job: Job, n_threads: int | None, error: Exception) -> str:
    if job.file == "b.csv":
        raise error
    return job.file


def test_a_job_has_the_rate_and_units_of_its_rows(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.csv")
    job = Job(tmp_path / "a.csv", (ManifestRow("a.csv", rate_hz=501.0, units="mV"),))
    recording = read_job(job)
    assert (job.file, recording.rate_hz, recording.units) == ("a.csv", 501.0, "mV")
    assert not job.states_times
    assert Job(job.path, (*job.rows, ManifestRow("a.csv", stop_s=1.0))).states_times


@pytest.mark.parametrize(
    ("error", "reason"),
    [(InputError("b.csv: too short"), "b.csv: too short"), (MemoryError(), "b.csv: the system ended")],
)
def test_an_error_of_one_job_does_not_stop_the_others(error: Exception, reason: str) -> None:
    results, (failure,) = collect(for_each(name_of, JOBS, error, n_jobs=1))
    assert results == ["a.csv", "c.csv"]
    assert failure.file == "b.csv"
    assert failure.reason.startswith(reason)


def test_an_error_of_writing_stops_all_jobs() -> None:
    with pytest.raises(WriteError, match="the disk is full"):
        list(for_each(name_of, JOBS, WriteError("the disk is full"), n_jobs=1))


def test_failures_of_all_jobs_are_an_error() -> None:
    assert collect([]) == ([], [])
    assert str(none_usable([Failure("a.csv", "a.csv: too short")])) == "a.csv: too short"
    with pytest.raises(InputError, match="none of 2 recordings could be used; the first: too short"):
        collect([Failure("a.csv", "too short"), Failure("b.csv", "no rate")])


def test_workers_are_a_limited_number_of_jobs_ahead_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.jobs.AHEAD", 3)
    jobs, done = [Job(Path(str(i)), ()) for i in range(40)], []

    def work(job: Job, n_threads: int | None) -> Path:
        done.append(job)
        return job.path

    found = []
    with joblib.parallel_config(backend="threading"):
        for path in for_each(work, jobs, n_jobs=2):
            found.append(path)
            time.sleep(0.002)  # without a limit they would finish all jobs meanwhile
            assert len(done) <= len(found) + 3 * 2
    assert found == [job.path for job in jobs]
