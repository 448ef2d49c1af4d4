"""Tests of preparing: matrices, their manifest, and what a second run computes again."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise
from conftest import Simulated
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import _prepare_one, _with_stems, prepare
from semg_hht.errors import InputError, WriteError
from semg_hht.learning.dataset import load_folder
from semg_hht.matrices.matrix import read_matrix
from semg_hht.matrices.transform import configure, transform_job
from semg_hht.recordings.jobs import Job, Remark
from semg_hht.recordings.manifest import ManifestRow, parse_file_name, read_manifest
from semg_hht.recordings.recording import write_recording
from semg_hht.system.processes import workers

CONFIG = configure(band_hz=(20, 200))


def prepared(folder: Path, manifest: str, **options: Any) -> Any:
    (folder / "manifest.csv").write_text(manifest, encoding="utf-8")
    return prepare(find_jobs(folder), folder / "out", CONFIG, n_jobs=1, **options)


def stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "out" / "hht_matrices").iterdir())


def test_matrices_and_manifest_agree(simulated: Simulated) -> None:
    rows = read_manifest(simulated.prepared_manifest)
    assert {row.file for row in rows} == {f"hht_matrices/{p.name}" for p in simulated.matrices.iterdir()}
    assert len(rows) == 12
    for row in rows:
        by_name = parse_file_name(row.file)
        assert (by_name.movement, by_name.gender, by_name.subject) == (row.movement, row.gender, row.subject)
        assert row.extra["recording"].endswith("BICEPS.csv")
        assert row.extra["channel"] == "ch1"
        assert float(row.extra["recording_start_s"]) < float(row.extra["recording_stop_s"])
        assert row.start_s is None


def test_a_matrix_is_the_transform_of_its_repetition(simulated: Simulated) -> None:
    examples = transform_job(find_jobs(simulated.manifest)[0], None, simulated.config)
    for row, example in zip(read_manifest(simulated.prepared_manifest)[:3], examples, strict=True):
        matrix = read_matrix(simulated.prepared_manifest.parent / row.file)
        assert_allclose(matrix.values, example.matrix.values, rtol=0)
        assert row.movement == example.row.movement


def test_facts_are_stored_with_a_matrix(simulated: Simulated) -> None:
    with np.load(sorted(simulated.matrices.iterdir())[0], allow_pickle=False) as archive:
        assert_allclose(archive["rate_hz"], 500)
        assert str(archive["source"]) == "S01_E01_BICEPS.csv"
        assert str(archive["channel"]) == "ch1"
        assert 0 <= float(archive["dropped"]) < 1


def test_channels_get_a_file_each_and_share_the_repetition(tmp_path: Path) -> None:
    write_recording(noise(2), tmp_path / "a.npz")
    done = prepared(tmp_path, "file,subject,movement\na.npz,S1,low\n")
    assert stems(tmp_path) == ["a_ch1", "a_ch2"]
    assert (done.n_recordings, done.n_matrices, done.n_labelled) == (1, 2, 2)
    assert len(set(load_folder(tmp_path / "out" / "hht_matrices").repetitions)) == 1


def test_names_from_a_manifest_can_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_recording(noise(), tmp_path / "evil.npz")
    prepared(tmp_path / "data", "file\n../evil.npz\n")
    assert stems(tmp_path / "data") == ["evil"]


def test_a_manifest_with_edited_labels_is_kept_when_it_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    table = "file,subject,movement\na.npz,S1,low\n"
    prepared(tmp_path, table)
    manifest = tmp_path / "out" / "manifest.csv"
    for number in (1, 2):
        edited = manifest.read_text().replace("low", "high")
        manifest.write_text(edited)
        caplog.clear()
        prepared(tmp_path, table, overwrite=True)
        assert (tmp_path / "out" / f"manifest.csv.before{number}").read_text() == edited
        (warning,) = [record.getMessage() for record in caplog.records]
        assert "hht_matrices/a.npz: movement 'high', now 'low'" in warning
        assert warning.endswith(f"kept as manifest.csv.before{number}")
    caplog.clear()
    prepared(tmp_path, table, overwrite=True)
    assert not caplog.records
    assert not (tmp_path / "out" / "manifest.csv.before3").exists()


def test_labels_outside_the_convention_are_kept(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file,subject,movement,muscle,repetition,motion\na.npz,S1,mid,BICEPS,1,C2\n")
    (row,) = read_manifest(tmp_path / "out" / "manifest.csv")
    assert (row.file, row.movement, row.extra["motion"]) == ("hht_matrices/a.npz", "mid", "C2")


def test_a_bad_recording_does_not_stop_the_others(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"")
    done = prepared(tmp_path, "file\nb.npz\na.npz\nmissing.npz\n")
    assert [failure.file for failure in done.failures] == ["b.npz", "missing.npz"]
    assert (done.n_recordings, done.n_matrices) == (1, 1)


def test_no_usable_recording_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz: no such file"):
        prepared(tmp_path, "file\na.npz\n")


def test_images_on_request(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file\na.npz\n", images=True)
    picture = tmp_path / "out" / "hht_images" / "a.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_folder_in_use_is_refused_and_overwriting_removes_old_matrices(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file\na.npz\n")
    shutil.move(tmp_path / "a.npz", tmp_path / "b.npz")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="this folder is not empty"):
        prepared(tmp_path, "file\nb.npz\n")
    prepared(tmp_path, "file\nb.npz\n", overwrite=True)
    assert stems(tmp_path) == ["b"]
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_run_that_fails_keeps_the_matrices_of_an_earlier_run(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file\na.npz\n")
    with pytest.raises(InputError, match=r"missing\.npz: no such file"):
        prepared(tmp_path, "file\nmissing.npz\n", overwrite=True)
    assert stems(tmp_path) == ["a"]


def test_real_recordings_of_two_people_end_to_end(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "contraction_intensity"
    rows = [row for row in read_manifest(source / "manifest.csv") if row.subject in ("S1", "S2")]
    rows = [row for row in rows if row.extra["motion"] == "C2" and row.repetition == "1"]  # C1 is rest
    assert len(rows) == 6
    mvc = configure(scaling="mvc")
    jobs = [job for job in find_jobs(source / "manifest.csv") if job.rows[0] in rows]
    jobs = with_references([replace(job, rows=(replace(job.rows[0], channels=("1", "5")),)) for job in jobs], mvc,
                           source / "manifest_mvc.csv", n_jobs=1)  # fmt: skip
    done = prepare(jobs, tmp_path / "out", mvc, n_jobs=1)
    assert (done.n_recordings, done.n_matrices, done.failures) == (6, 12, ())
    dataset = load_folder(tmp_path / "out" / "hht_matrices")
    assert dataset.classes() == {"action_quality": ("low", "mid", "high")}
    assert set(dataset.subjects) == {"S1", "S2"}
    assert np.all(np.isfinite(dataset.matrices))
    for subject in ("S1", "S2"):  # effort is visible
        level = {
            movement: np.mean([
                matrix.mean() for row, matrix in zip(dataset.rows, dataset.matrices, strict=True)
                if (row.subject, row.movement) == (subject, movement)
            ])
            for movement in ("low", "high")
        }  # fmt: skip
        assert level["high"] > level["low"]


def dates(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "out" / "hht_matrices").iterdir()}


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "hht_matrices").iterdir()}


def two_recordings(folder: Path) -> str:
    for number in (1, 2):
        write_recording(noise(seed=number), folder / f"r{number}.npz")
    return "file,movement\nr1.npz,low\nr2.npz,high\n"


def test_a_second_run_computes_nothing_again(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    first = prepared(tmp_path, manifest)
    before, written = dates(tmp_path), first.manifest.read_text()
    again = prepared(tmp_path, manifest, overwrite=True)
    assert (first.n_reused, again.n_reused) == (0, 2)
    assert dates(tmp_path) == before
    assert again.manifest.read_text() == written
    assert again.dropped == first.dropped


def test_only_a_changed_recording_is_computed_again(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    before = dates(tmp_path)
    write_recording(noise(seed=3), tmp_path / "r2.npz")
    assert prepared(tmp_path, manifest, overwrite=True).n_reused == 1
    changed = {name for name, date in dates(tmp_path).items() if date != before[name]}
    assert changed
    assert all(name.startswith("r2") for name in changed)
    (tmp_path / "manifest.csv").write_text(manifest)
    other = prepare(find_jobs(tmp_path), tmp_path / "out", configure(band_hz=(30, 200)), n_jobs=1, overwrite=True)
    assert other.n_reused == 0


def test_new_labels_need_no_new_transform(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    relabelled = prepared(tmp_path, manifest.replace("high", "mid"), overwrite=True)
    assert relabelled.n_reused == 2
    assert {row.movement for row in read_manifest(relabelled.manifest)} == {"low", "mid"}


def test_a_run_that_was_killed_is_continued(tmp_path: Path) -> None:
    """It has left matrices, perhaps one under a temporary name, and no manifest."""
    manifest = two_recordings(tmp_path)
    whole = prepared(tmp_path, manifest)
    expected = contents(tmp_path / "out")
    whole.manifest.unlink()
    gone = next(path for path in (tmp_path / "out" / "hht_matrices").iterdir() if path.name.startswith("r2"))
    gone.rename(gone.with_name(f".{gone.name}.1.part"))
    assert prepared(tmp_path, manifest).n_reused == 1
    assert contents(tmp_path / "out") == expected


def test_a_damaged_matrix_is_computed_again(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    damaged = sorted((tmp_path / "out" / "hht_matrices").iterdir())[0]
    good = damaged.read_bytes()
    damaged.write_bytes(good[: len(good) // 2])
    assert prepared(tmp_path, manifest, overwrite=True).n_reused == 1
    assert damaged.read_bytes() == good


def test_matrices_of_other_recordings_are_removed(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    prepared(tmp_path, "file\nr1.npz\n", overwrite=True)
    assert all(stem.startswith("r1") for stem in stems(tmp_path))


def test_processes_and_threads_give_the_same_bytes(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    expected = contents(tmp_path / "out")
    with workers("threading"):
        prepare(find_jobs(tmp_path / "manifest.csv"), tmp_path / "threads", CONFIG, n_jobs=2)
    assert contents(tmp_path / "threads") == expected


def test_matrices_of_another_tool_are_left_alone(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    theirs = tmp_path / "out" / "hht_matrices" / "BICEPS_half_F_001.npz"
    theirs.parent.mkdir(parents=True)
    np.savez(theirs, hht=np.ones((256, 256)))
    before = theirs.read_bytes()
    with pytest.raises(InputError, match=r"BICEPS_half_F_001\.npz: was not written by prepare; .* overwrite=True"):
        prepared(tmp_path, manifest)
    prepared(tmp_path, manifest, overwrite=True)
    assert theirs.read_bytes() == before


def test_a_full_disk_stops_all_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise WriteError("out.npz: the disk is full")

    manifest = two_recordings(tmp_path)
    monkeypatch.setattr("semg_hht.datasets.prepare.write_matrix", full)
    with pytest.raises(InputError, match=r"^out\.npz: the disk is full"):
        prepared(tmp_path, manifest)
    assert not (tmp_path / "out" / "manifest.csv").exists()


def test_a_recording_named_like_a_channel_overwrites_no_channel(tmp_path: Path) -> None:
    write_recording(noise(2), tmp_path / "curl.npz")
    write_recording(noise(1, seed=1), tmp_path / "curl_ch2.npz")
    done = prepared(tmp_path, "file\ncurl.npz\ncurl_ch2.npz\n")
    assert done.n_matrices == len(stems(tmp_path)) == 3


def test_a_dead_channel_is_an_error_only_if_it_is_named(tmp_path: Path) -> None:
    recording = noise(2)
    recording.samples[1] = 31
    write_recording(recording, tmp_path / "a.npz")
    done = prepared(tmp_path, "file\na.npz\n")
    assert done.n_matrices == 1
    assert done.remarks[-1].text == "channels without a signal in the pass band were left out: ch2"
    assert prepared(tmp_path, "file,channels\na.npz,ch1\n", overwrite=True).n_matrices == 1
    with pytest.raises(InputError, match="channel ch2 holds the same value throughout"):
        prepared(tmp_path, "file,channels\na.npz,ch1;ch2\n", overwrite=True)


def test_remarks_are_kept_with_the_matrices(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.4f},{b:.1f}" for a, b in rng.standard_normal((800, 2)))
    (tmp_path / "knee.csv").write_text(f"Biceps Femoral,Knee angle\n{rows}\n")
    done = prepare(find_jobs(tmp_path / "knee.csv", rate_hz=1000.0), tmp_path / "out", configure(), n_jobs=1)
    assert done.n_matrices == 1
    remarks = (Remark("knee.csv", "channels that are not EMG, by their names: Knee angle"),)
    assert done.remarks == remarks
    again = prepare(find_jobs(tmp_path / "knee.csv", rate_hz=1000.0), tmp_path / "out", configure(), overwrite=True)
    assert (again.n_reused, again.remarks) == (1, remarks)


def test_a_job_for_a_worker_does_not_grow_with_the_number_of_recordings(tmp_path: Path) -> None:
    jobs = [Job(tmp_path / f"r{i:03}.csv", (ManifestRow(file=f"r{i:03}.csv"),)) for i in range(100)]
    sizes = {len(pickle.dumps(job)) for n in (10, 100) for job in _with_stems(jobs[:n], tmp_path)}
    assert len(sizes) == 1


@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_matrix_written_after_the_folder_was_listed_is_not_computed_again(tmp_path: Path, n_channels: int) -> None:
    """After a pool of workers is lost, its finished jobs run once more."""
    write_recording(noise(n_channels=n_channels), tmp_path / "a.npz")
    out = tmp_path / "out"
    (job,) = _with_stems(find_jobs(tmp_path / "a.npz"), out)
    assert job.existing == ((),)
    first, again = (_prepare_one(job, None, CONFIG, out, False) for _ in range(2))
    assert (first.reused, again.reused) == (False, True)
    assert again.rows == first.rows


MIXED = "file,subject,movement,units\na.npz,S1,full,uV\nb.npz,S2,half,mV\nc.npz,S3,half,adc\n"


@pytest.mark.parametrize(("scaling", "warns"), [("log", True), ("minmax", False), ("subject", False)])
def test_recordings_with_and_without_volts_are_a_warning_of_prepare_and_of_train(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scaling: str, warns: bool
) -> None:
    for seed, name in enumerate("abc"):
        write_recording(replace(noise(seed=seed), units=""), tmp_path / f"{name}.npz")
    (tmp_path / "manifest.csv").write_text(MIXED)
    config = configure(band_hz=(20, 200), scaling=scaling)
    jobs = with_references(find_jobs(tmp_path), config, None, n_jobs=1)
    said = "units: 2 of 3 recordings are in volts, 1 are not (1 'adc'; such as c.npz)"
    prepare(jobs, tmp_path / "out", config, n_jobs=1)
    assert (said in caplog.text) == warns
    assert ("column units in the manifest" in caplog.text) == warns
    caplog.clear()
    load_folder(tmp_path / "out")
    assert (said in caplog.text) == warns


def test_classes_under_two_spellings_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "ab":
        write_recording(noise(), tmp_path / f"{name}.npz")
    prepared(tmp_path, "file,movement\na.npz,50%\nb.npz,50 %\n")
    assert "movement: class '50 %' and '50%' differ only in" in caplog.text
