"""Tests of the BIDS export: the official validator accepts it, and reading it gives the same recordings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from builders import noise
from semg_hht.datasets import bids_export
from semg_hht.datasets.bids_export import ExportedDataset, export_bids
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.errors import InputError, WriteError
from semg_hht.recordings.bids import read_bids
from semg_hht.recordings.formats.bdf_writer import write_bdf
from semg_hht.recordings.jobs import Job, Remark, read_job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording, write_recording

edfio = pytest.importorskip("edfio")
pytest.importorskip("pyedflib")

# Only the people who recorded know these; the validator recommends to state them.
UNKNOWN = {"JSON_KEY_RECOMMENDED", "SIDECAR_KEY_RECOMMENDED", "NO_AUTHORS", "TOO_FEW_AUTHORS"}


def job(folder: Path, name: str, *rows: ManifestRow, n_channels: int = 1, n_samples: int = 2000, seed: int = 0) -> Job:
    """A recording at 1000 Hz in a table, and its rows."""
    path = folder / name
    table = 80 * np.random.default_rng(seed).standard_normal((n_samples, n_channels))
    header = ",".join(f"ch{i + 1}" for i in range(n_channels))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.7g")
    return Job(path, tuple(replace(row, file=name, rate_hz=1000.0) for row in rows))


def two_people(folder: Path) -> list[Job]:
    first = ManifestRow("", "S01", "E01", "1", "BICEPS", "full", "F", units="mV", start_s=0.25, stop_s=1.1,
                     extra={"load_kg": "5"})  # fmt: skip
    second = replace(first, repetition="2", movement="half", start_s=1.2, stop_s=1.9, extra={"note": "a, b"})
    other = ManifestRow("", "S02", "E01", "7", "BICEPS", "invalid", "M", units="mV", start_s=0.001, stop_s=2.0)
    return [job(folder, "a.csv", first, second), job(folder, "b.csv", other, seed=1)]


def export(jobs: list[Job], folder: Path, **options: Any) -> ExportedDataset:
    return export_bids(jobs, folder / "bids", name="Curls", **options)


def issues(folder: Path) -> list[dict[str, Any]]:
    """The issues that the official validator reports."""
    pytest.importorskip("bids_validator_deno")
    code = "from bids_validator_deno import cli; cli()"
    # The validator's runtime reads nothing below /dev, where conftest.py puts temporary files.
    with tempfile.TemporaryDirectory(dir="/tmp" if Path("/tmp").is_dir() else None) as outside:
        dataset = shutil.copytree(folder, Path(outside) / folder.name)
        command = [sys.executable, "-c", code, str(dataset), "--format", "json", "--max-rows", "-1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)["issues"]["issues"]
    return found


def table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def assert_same_rows(before: list[Job], after: list[Job]) -> None:
    columns = ("subject", "session", "repetition", "muscle", "movement", "gender", "rate_hz", "start_s", "stop_s")
    rows = [[row for job in jobs for row in job.rows] for jobs in (before, after)]
    for old, new in zip(*rows, strict=True):
        for column in columns:
            assert getattr(new, column) == getattr(old, column), column
        assert {name: new.extra.get(name) for name in old.extra} == old.extra


def test_reading_the_dataset_gives_the_same_recordings(tmp_path: Path) -> None:
    jobs = two_people(tmp_path)
    done = export(jobs, tmp_path)
    back = find_jobs(done.folder)
    assert (done.n_recordings, done.failures, done.remarks) == (2, (), ())
    assert_same_rows(jobs, back)
    for old, new in zip(jobs, back, strict=True):
        recorded, found = read_job(old), read_job(new)
        error = np.abs(found.samples - recorded.samples).max() / np.ptp(recorded.samples)
        assert 0 < error <= done.rounding * (1 + 1e-6) < 1e-7
        assert (found.rate_hz, found.units, found.channel_names) == (1000.0, "mV", ("ch1",))


def test_the_validator_accepts_the_dataset(tmp_path: Path) -> None:
    jobs = two_people(tmp_path)
    person = ManifestRow(
        "", "Jörg 3", "day 2", muscle="a", movement="full", gender="x", units="adc", extra={"onset": "z"}
    )
    jobs += [job(tmp_path, f"{i}.csv", replace(person, channels=("ch2",)), replace(person, muscle="b"), n_channels=2)
             for i in range(2)]  # fmt: skip
    done = export(jobs, tmp_path, power_line_hz=60.0)
    assert (done.n_recordings, done.failures) == (4, ())
    assert {(issue["severity"], issue["code"]) for issue in issues(done.folder)} == {("warning", c) for c in UNKNOWN}


def test_the_validator_reports_a_bad_sidecar(tmp_path: Path) -> None:
    """Proves that the test above can fail."""
    done = export(two_people(tmp_path), tmp_path)
    next(done.folder.rglob("sub-S01*_emg.json")).write_text('{"TaskName": "repetitions"}')
    assert "error" in {issue["severity"] for issue in issues(done.folder)}


def test_names_and_tables_are_those_of_bids(tmp_path: Path) -> None:
    root = export(two_people(tmp_path), tmp_path, power_line_hz=50.0).folder
    stem = root / "sub-S01/ses-E01/emg/sub-S01_ses-E01_task-repetitions"
    assert table(Path(f"{stem}_events.tsv")) == [
        ["onset", "duration", "trial_type", "repetition", "load_kg", "note"],
        ["0.25", "0.85", "full", "1", "5", "n/a"],
        ["1.2", "0.7", "half", "2", "n/a", "a, b"],
    ]
    assert table(Path(f"{stem}_channels.tsv")) == [
        ["name", "type", "units", "description", "target_muscle"], ["ch1", "EMG", "mV", "n/a", "BICEPS"],
    ]  # fmt: skip
    sidecar = json.loads(Path(f"{stem}_emg.json").read_text())
    assert (sidecar["SamplingFrequency"], sidecar["PowerLineFrequency"], sidecar["RecordingDuration"]) == (1000, 50, 2)
    assert table(root / "participants.tsv") == [["participant_id", "sex"], ["sub-S01", "F"], ["sub-S02", "M"]]
    assert table(root / "sub-S02/ses-E01/sub-S02_ses-E01_scans.tsv") == [
        ["filename", "source_file"], ["emg/sub-S02_ses-E01_task-repetitions_emg.bdf", "b.csv"],
    ]  # fmt: skip
    made_by = json.loads((root / "dataset_description.json").read_text())["GeneratedBy"]
    assert [maker["Name"] for maker in made_by] == ["semg-hht"]


def test_events_are_in_order_of_time_and_columns_named_as_in_bids_are_renamed(tmp_path: Path) -> None:
    first = ManifestRow("", "S01", start_s=1.0, stop_s=1.5, extra={"onset": "late", "task": "curl", "event_type": "x"})
    second = replace(first, start_s=0.5, stop_s=1.0, extra={"task": "curl", "onset": "early"})
    root = export([job(tmp_path, "a.csv", first, second)], tmp_path).folder
    assert table(root / "sub-S01/emg/sub-S01_task-curl_events.tsv") == [
        ["onset", "duration", "trial_type", "repetition", "event_type", "stated_onset"],
        ["0.5", "0.5", "n/a", "n/a", "n/a", "early"],
        ["1", "0.5", "n/a", "n/a", "x", "late"],
    ]
    assert read_bids(root)[1].extra == {"task": "curl", "event_type": "x", "stated_onset": "late"}


def test_microvolts_are_spelt_as_headers_hold_them(tmp_path: Path) -> None:
    done = export([job(tmp_path, "a.csv", ManifestRow("", "S01", units="µV"))], tmp_path)
    assert table(next(done.folder.rglob("*_channels.tsv")))[1][2] == "uV"
    assert edfio.read_bdf(next(done.folder.rglob("*.bdf"))).signals[0].physical_dimension == "uV"


def test_a_whole_recording_is_one_event_and_nothing_is_guessed(tmp_path: Path) -> None:
    done = export([job(tmp_path, "a.csv", ManifestRow("", "S01"))], tmp_path)
    (row,) = read_bids(done.folder)
    assert (row.start_s, row.stop_s, row.movement, row.gender, row.units, row.muscle) == (0.0, 2.0, "", "", "", "")
    sidecar = json.loads(next(done.folder.rglob("*_emg.json")).read_text())
    assert (sidecar["PowerLineFrequency"], sidecar["EMGReference"], sidecar["SoftwareFilters"]) == ("n/a",) * 3


def test_counts_are_read_back_exactly_in_their_unit(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(-128, 128, (2000, 8))
    np.savetxt(tmp_path / "a.csv", counts, delimiter=",", fmt="%d")
    done = export([Job(tmp_path / "a.csv", (ManifestRow("a.csv", "F0", rate_hz=200.0, units="adc"),))], tmp_path)
    back = read_job(find_jobs(done.folder)[0])
    assert_array_equal(back.samples, counts.T)
    assert (back.units, back.rate_hz, done.rounding) == ("adc", 200.0, 0.0)


def test_channels_and_muscles_of_an_event_are_read_back(tmp_path: Path) -> None:
    rows = (
        ManifestRow("", "S01", muscle="b", start_s=0.0, stop_s=1.0, channels=("ch1",), movement="full", repetition="1"),
        ManifestRow("", "S01", muscle="t", start_s=0.0, stop_s=1.0, channels=("2", "ch3"), movement="half"),
        ManifestRow("", "S01", start_s=1.0, stop_s=2.0),
    )
    done = export([job(tmp_path, "a.csv", *rows, n_channels=3)], tmp_path)
    back = read_bids(done.folder)
    assert [(r.channels, r.muscle, r.movement) for r in back] == [
        (("ch1",), "b", "full"), (("ch2", "ch3"), "t", "half"), ((), "", ""),
    ]  # fmt: skip


def test_other_signals_have_their_types_and_volts_stay_volts(tmp_path: Path) -> None:
    samples = np.vstack([1e-3 * np.random.default_rng(0).standard_normal(2000), np.linspace(0, 90, 2000)])
    path = tmp_path / "x.bdf"
    write_bdf(Recording(samples, 1000.0, ("soleus", "ANGLE knee"), "V", "x", ("ANGLE knee",)), path,
              ("soleus", "ANGLE knee"))  # fmt: skip
    done = export([Job(path, (ManifestRow("x.bdf", "S01", movement="full"),))], tmp_path)
    kinds = [row[:3] for row in table(next(done.folder.rglob("*_channels.tsv")))[1:]]
    assert kinds == [["soleus", "EMG", "V"], ["ANGLE knee", "JNTANG", "n/a"]]
    (back,) = find_jobs(done.folder)
    assert back.rows[0].channels == ("soleus",)
    assert read_job(back).units == "V"
    assert_allclose(read_job(back).samples, samples, atol=1e-5)
    assert_allclose(read_job(back).samples[0], samples[0], atol=1e-9)


def test_an_emg_channel_whose_name_says_another_signal_stays_emg(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_recording(replace(noise(), channel_names=("force grip",)), path)
    done = export([Job(path, (ManifestRow("a.npz", "S01"),))], tmp_path)
    (back,) = find_jobs(done.folder)
    assert read_job(back).select(back.rows[0].channels).channel_names == ("EMG force grip",)
    assert done.remarks == (Remark("a.npz", "channel 'force grip' is 'EMG force grip' in the dataset"),)


def test_several_recordings_of_a_person_are_runs(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, f"{i}.csv", ManifestRow("", "S01", movement="full", repetition=str(i)), seed=i) for i in range(3)
    ]
    done = export(jobs, tmp_path)
    back = find_jobs(done.folder)
    assert [path.name for path in sorted(done.folder.rglob("*.bdf"))] == [
        f"sub-S01_task-repetitions_run-0{i}_emg.bdf" for i in (1, 2, 3)
    ]
    assert [job.rows[0].repetition for job in back] == ["0", "1", "2"]
    for old, new in zip(jobs, back, strict=True):
        assert_allclose(read_job(new).samples, read_job(old).samples, atol=1e-4)


def test_a_name_that_is_not_a_label_is_kept_in_a_column(tmp_path: Path) -> None:
    done = export([job(tmp_path, "a.csv", ManifestRow("", "Müller 3", "day 2", gender="diverse"))], tmp_path)
    assert table(done.folder / "participants.tsv") == [
        ["participant_id", "sex", "gender", "source_name"], ["sub-Muller3", "n/a", "diverse", "Müller 3"],
    ]  # fmt: skip
    assert tuple(remark.text for remark in done.remarks) == (
        "subject 'Müller 3' is sub-Muller3", "session 'day 2' of subject 'Müller 3' is ses-day2",
    )  # fmt: skip
    assert read_bids(done.folder)[0].gender == "diverse"


def test_a_bids_dataset_is_exported_with_its_tasks(tmp_path: Path) -> None:
    tasks = [replace(j, rows=tuple(replace(r, extra={"task": f"curl {i}"}) for r in j.rows))
             for i, j in enumerate(two_people(tmp_path))]  # fmt: skip
    first = export(tasks, tmp_path)
    second = export_bids(find_jobs(first.folder), tmp_path / "second", name="again")
    names = [sorted(p.relative_to(d.folder).as_posix() for d in (done,) for p in d.folder.rglob("*_*"))
             for done in (first, second)]  # fmt: skip
    assert names[0] == names[1]
    assert "task-curl0_events.json" in names[0]
    for one, two in zip(find_jobs(first.folder), find_jobs(second.folder), strict=True):
        assert one.rows == two.rows


def test_a_bad_recording_does_not_stop_the_others(tmp_path: Path) -> None:
    good, late = two_people(tmp_path)
    late = replace(late, rows=(replace(late.rows[0], stop_s=9.0),))
    gone = Job(tmp_path / "gone.csv", (ManifestRow("gone.csv", "S03"),))
    done = export([late, good, gone], tmp_path)
    assert [failure.file for failure in done.failures] == ["b.csv", "gone.csv"]
    assert "does not lie within the recording of 2 s" in done.failures[0].reason
    assert [row[0] for row in table(done.folder / "participants.tsv")] == ["participant_id", "sub-S01"]
    assert not list(done.folder.glob("sub-S02"))


def test_two_rows_for_one_repetition_are_an_error(tmp_path: Path) -> None:
    row = ManifestRow("", "S01", start_s=0.0)
    with pytest.raises(InputError, match="two rows describe 0 s to 2 s; expected one per repetition"):
        export([job(tmp_path, "a.csv", row, replace(row, start_s=None, stop_s=2.0))], tmp_path)
    assert not (tmp_path / "bids").exists()


def test_no_usable_recording_leaves_no_files(tmp_path: Path) -> None:
    jobs = [Job(tmp_path / name, (ManifestRow(name, "S1"),)) for name in ("a.csv", "b.csv")]
    with pytest.raises(InputError, match=r"none of 2 recordings could be used; the first: .*a\.csv: no such file"):
        export(jobs, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_dataset_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    jobs = two_people(tmp_path)
    folder = export(jobs, tmp_path).folder
    (folder / "mine.txt").write_text("notes")
    with pytest.raises(InputError, match="not empty"):
        export(jobs, tmp_path)
    assert (folder / "mine.txt").is_file()
    export(jobs[:1], tmp_path, overwrite=True)
    assert not list(folder.glob("sub-S02"))


@pytest.mark.parametrize("description", ["", "[]", "{}", '{"GeneratedBy": [{"Name": "other"}, 3]}'])
def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path, description: str) -> None:
    folder = tmp_path / "bids"
    folder.mkdir()
    (folder / "work.txt").write_text("mine")
    if description:
        (folder / "dataset_description.json").write_text(description)
    with pytest.raises(InputError, match="holds something that was not exported by semg-hht"):
        export(two_people(tmp_path), tmp_path, overwrite=True)
    assert (folder / "work.txt").read_text() == "mine"


def test_an_export_that_fails_keeps_the_existing_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = two_people(tmp_path)
    folder = export(jobs, tmp_path).folder
    before = Counter(path.name for path in folder.rglob("*"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bids_export, "_write_participants", stop)
    with pytest.raises(KeyboardInterrupt):
        export(jobs[:1], tmp_path, overwrite=True)
    assert Counter(path.name for path in folder.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_stops_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise WriteError("a.bdf: the disk is full")

    monkeypatch.setattr(bids_export, "write_bdf", full)
    with pytest.raises(WriteError, match=r"^a\.bdf: the disk is full"):
        export(two_people(tmp_path), tmp_path)


def test_a_full_disk_leaves_no_files(tmp_path: Path, small_disk: Path) -> None:
    jobs = [job(tmp_path, "a.csv", ManifestRow("", "S01"), n_samples=200_000)]
    with pytest.raises(InputError, match="the disk is full"):
        export(jobs, small_disk)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("mains", [0.0, -50.0, float("nan")])
def test_a_mains_frequency_is_above_zero(tmp_path: Path, mains: float) -> None:
    with pytest.raises(InputError, match="the mains frequency must be above 0 Hz"):
        export(two_people(tmp_path), tmp_path, power_line_hz=mains)


def test_without_edfio_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(InputError, match=r"a\.csv: writing BDF needs edfio: pip install 'semg-hht\[readers\]'"):
        export(two_people(tmp_path), tmp_path)


def test_a_padded_end_has_a_remark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.formats.bdf_writer._MAX_RECORD_BYTES", 1500)
    done = export([job(tmp_path, "a.csv", ManifestRow("", "S01"), n_samples=1999)], tmp_path)
    (remark,) = done.remarks
    assert remark.text.startswith("the last sample is repeated 1 times at the end")
    assert read_bids(done.folder)[0].stop_s == 1.999


def test_real_recordings_are_read_back(tmp_path: Path, real_data: Path) -> None:
    jobs = [j for name in ("contraction_intensity", "myo_armband") for j in find_jobs(real_data / name)[:3]]
    done = export(jobs, tmp_path)
    back = find_jobs(done.folder)
    assert done.failures == ()
    assert {(j.rows[0].subject, j.rows[0].repetition, j.rows[0].movement) for j in back} == {
        (j.rows[0].subject, j.rows[0].repetition, j.rows[0].movement) for j in jobs
    }
    for old, new in zip(sorted(jobs, key=lambda j: j.rows[0].subject), back, strict=True):
        before, after = read_job(old), read_job(new)
        assert np.abs(after.samples - before.samples).max() <= done.rounding * np.ptp(before.samples) * 1.001
        assert (after.rate_hz, after.units) == (before.rate_hz, before.units)
    errors = [issue for issue in issues(done.folder) if issue["severity"] == "error"]
    assert errors == []


def test_a_rate_that_the_header_can_not_hold_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    rate_hz = 58000 / 27
    write_recording(replace(noise(rate_hz=rate_hz, duration_s=1.0), rate_hz=rate_hz), path)
    done = export([Job(path, (ManifestRow("a.npz", "S01"),))], tmp_path)
    assert read_job(find_jobs(done.folder)[0]).rate_hz == rate_hz
