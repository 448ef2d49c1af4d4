"""prepare.py: recordings -> a prepared folder."""

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
from semg_hht.datasets.prepare import _with_stems, _prepare_one, prepare
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


def test_a_matrix_is_what_the_pipeline_makes(simulated: Simulated) -> None:
    examples = transform_job(find_jobs(simulated.manifest)[0], None, simulated.config)
    for row, example in zip(read_manifest(simulated.prepared_manifest)[:3], examples, strict=True):
        matrix = read_matrix(simulated.prepared_manifest.parent / row.file)
        assert_allclose(matrix.values, example.matrix.values, rtol=0)
        assert row.movement == example.row.movement


def test_file_facts_are_stored(simulated: Simulated) -> None:
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


def test_names_are_unique_safe_and_case_blind(tmp_path: Path) -> None:
    for name in ("p/rec.npz", "q/rec.npz", "A 1.npz", "Rec.npz", "Test1.npz"):
        write_recording(noise(), tmp_path / name)
    prepared(
        tmp_path,
        "file,start_s,stop_s\np/rec.npz,,\nq/rec.npz,,\nA 1.npz,0,1\nA 1.npz,1,2\nRec.npz,,\nTest1.npz,,\n",
    )
    assert len(stems(tmp_path)) == 6
    assert len({stem.lower() for stem in stems(tmp_path)}) == 6
    assert {"p_rec", "q_rec", "A_1_r001", "A_1_r002", "Test1"} <= set(stems(tmp_path))


def test_names_from_a_manifest_can_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_recording(noise(), tmp_path / "evil.npz")
    prepared(tmp_path / "data", "file\n../evil.npz\n")
    assert stems(tmp_path / "data") == ["evil"]


def test_unlabelled_repetitions_are_numbered_as_their_table_has_it(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "curl.npz")
    prepared(tmp_path, "file,repetition,start_s,stop_s\ncurl.npz,2,0,0.5\ncurl.npz,7,0.5,1\ncurl.npz,8,1,1.5\n")
    assert stems(tmp_path) == ["curl_r002", "curl_r007", "curl_r008"]
    prepared(tmp_path, "file,repetition,start_s,stop_s\ncurl.npz,1,0,0.5\ncurl.npz,1,0.5,1\n", overwrite=True)
    assert stems(tmp_path) == ["curl_r001", "curl_r002"]


def test_an_unlabelled_repetition_does_not_look_labelled(tmp_path: Path) -> None:
    for name in ("S01_BICEPS_half_F_003", "S02_BICEPS_full_F_001"):
        write_recording(noise(), tmp_path / f"{name}.npz")
    text = "file,start_s,stop_s,movement,gender\nS01_BICEPS_half_F_003.npz,0,1,,\nS01_BICEPS_half_F_003.npz,1,2,,\n"
    prepared(tmp_path, f"{text}S02_BICEPS_full_F_001.npz,,,full,F\n")
    first, second, labelled = stems(tmp_path)
    assert (first, second) == ("S01.BICEPS.half.F.003_r001", "S01.BICEPS.half.F.003_r002")
    for stem in (first, second):
        with pytest.raises(InputError, match="expected MUSCLE_movement_GENDER"):
            parse_file_name(f"{stem}.npz")
    assert labelled == "S02_BICEPS_full_F_001"


def test_labels_edited_in_the_manifest_are_kept_when_it_is_replaced(
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
        (said,) = [record.getMessage() for record in caplog.records]
        assert "hht_matrices/a.npz: movement 'high', now 'low'" in said
        assert said.endswith(f"kept as manifest.csv.before{number}")
    caplog.clear()
    prepared(tmp_path, table, overwrite=True)
    assert not caplog.records
    assert not (tmp_path / "out" / "manifest.csv.before3").exists()


def test_labels_of_other_sets_keep_their_names(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file,subject,movement,muscle,repetition,motion\na.npz,S1,mid,BICEPS,1,C2\n")
    (row,) = read_manifest(tmp_path / "out" / "manifest.csv")
    assert (row.file, row.movement, row.extra["motion"]) == ("hht_matrices/a.npz", "mid", "C2")


def test_a_bad_recording_is_listed_and_the_others_go_on(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"")
    done = prepared(tmp_path, "file\nb.npz\na.npz\nmissing.npz\n")
    assert [failure.file for failure in done.failures] == ["b.npz", "missing.npz"]
    assert (done.n_recordings, done.n_matrices) == (1, 1)


def test_nothing_usable_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of 1 recordings could be used; the first: .*a\.npz: no such file"):
        prepared(tmp_path, "file\na.npz\n")


def test_images_on_request(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file\na.npz\n", images=True)
    picture = tmp_path / "out" / "hht_images" / "a.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_folder_in_use_is_refused_and_overwriting_leaves_no_leftovers(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file\na.npz\n")
    shutil.move(tmp_path / "a.npz", tmp_path / "b.npz")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="this folder is not empty"):
        prepared(tmp_path, "file\nb.npz\n")
    prepared(tmp_path, "file\nb.npz\n", overwrite=True)
    assert stems(tmp_path) == ["b"]
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_run_that_fails_keeps_what_was_prepared_before(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    prepared(tmp_path, "file\na.npz\n")
    with pytest.raises(InputError, match="none of 1 recordings"):
        prepared(tmp_path, "file\nmissing.npz\n", overwrite=True)
    assert stems(tmp_path) == ["a"]


def test_real_recordings_of_two_people_end_to_end(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "contraction_intensity"
    rows = [row for row in read_manifest(source / "manifest.csv") if row.subject in ("S1", "S2")]
    rows = [row for row in rows if row.extra["motion"] == "C2" and row.repetition == "1"]  # C1 is no movement
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


def test_what_changed_is_computed_again_and_only_that(tmp_path: Path) -> None:
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


def test_a_run_that_was_killed_goes_on_without_being_told(tmp_path: Path) -> None:
    """A kill leaves matrices, perhaps a half-written one under a temporary name, and no manifest."""
    manifest = two_recordings(tmp_path)
    whole = prepared(tmp_path, manifest)
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "out" / "hht_matrices").iterdir()}
    whole.manifest.unlink()
    gone = next(path for path in (tmp_path / "out" / "hht_matrices").iterdir() if path.name.startswith("r2"))
    gone.rename(gone.with_name(f".{gone.name}.1.part"))
    assert prepared(tmp_path, manifest).n_reused == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "hht_matrices").iterdir()} == wanted


def test_a_matrix_damaged_since_is_made_again(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    damaged = sorted((tmp_path / "out" / "hht_matrices").iterdir())[0]
    good = damaged.read_bytes()
    damaged.write_bytes(good[: len(good) // 2])
    assert prepared(tmp_path, manifest, overwrite=True).n_reused == 1
    assert damaged.read_bytes() == good


def test_leftovers_of_other_recordings_go(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    prepared(tmp_path, "file\nr1.npz\n", overwrite=True)
    assert all(stem.startswith("r1") for stem in stems(tmp_path))


def test_processes_and_threads_give_the_same_bytes(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    prepared(tmp_path, manifest)
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "out" / "hht_matrices").iterdir()}
    with workers("threading"):
        prepare(find_jobs(tmp_path / "manifest.csv"), tmp_path / "threads", CONFIG, n_jobs=2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "threads" / "hht_matrices").iterdir()} == wanted


def test_matrices_of_another_tool_are_left_alone(tmp_path: Path) -> None:
    manifest = two_recordings(tmp_path)
    theirs = tmp_path / "out" / "hht_matrices" / "BICEPS_half_F_001.npz"
    theirs.parent.mkdir(parents=True)
    np.savez(theirs, hht=np.ones((256, 256)))
    before = theirs.read_bytes()
    with pytest.raises(InputError, match=r"BICEPS_half_F_001\.npz: was not written by prepare; .* --overwrite"):
        prepared(tmp_path, manifest)
    prepared(tmp_path, manifest, overwrite=True)
    assert theirs.read_bytes() == before


def test_a_full_disk_is_no_fault_of_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise WriteError("out.npz: the disk is full")

    manifest = two_recordings(tmp_path)
    monkeypatch.setattr("semg_hht.datasets.prepare.write_matrix", full)
    with pytest.raises(InputError, match=r"^out\.npz: the disk is full"):
        prepared(tmp_path, manifest)
    assert not (tmp_path / "out" / "manifest.csv").exists()


def test_a_name_that_ends_like_a_channel_hides_no_channel(tmp_path: Path) -> None:
    write_recording(noise(2), tmp_path / "curl.npz")
    write_recording(noise(1, seed=1), tmp_path / "curl_ch2.npz")
    done = prepared(tmp_path, "file\ncurl.npz\ncurl_ch2.npz\n")
    assert done.n_matrices == len(stems(tmp_path)) == 3


def test_a_dead_channel_that_is_not_used_does_no_harm(tmp_path: Path) -> None:
    recording = noise(2)
    recording.samples[1] = 0
    write_recording(recording, tmp_path / "a.npz")
    assert prepared(tmp_path, "file,channels\na.npz,ch1\n").n_matrices == 1
    with pytest.raises(InputError, match="channel ch2 holds the same value throughout"):
        prepared(tmp_path, "file,channels\na.npz,ch1;ch2\n", overwrite=True)


def test_what_a_person_should_know_of_a_recording_is_handed_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.4f},{b:.1f}" for a, b in rng.standard_normal((800, 2)))
    (tmp_path / "knee.csv").write_text(f"Biceps Femoral,Knee angle\n{rows}\n")
    done = prepare(find_jobs(tmp_path / "knee.csv", rate_hz=1000.0), tmp_path / "out", configure(), n_jobs=1)
    assert done.n_matrices == 1
    said = (Remark("knee.csv", "channels that are not EMG, by their names: Knee angle"),)
    assert done.remarks == said
    again = prepare(find_jobs(tmp_path / "knee.csv", rate_hz=1000.0), tmp_path / "out", configure(), overwrite=True)
    assert (again.n_reused, again.remarks) == (1, said), "they are kept with the matrices"


def test_recordings_are_written_as_a_bids_dataset_too(simulated: Simulated, tmp_path: Path) -> None:
    from semg_hht.cli.main import main

    def run(*words: object) -> int:
        with pytest.raises(SystemExit) as exit_:
            main([str(word) for word in words])
        return int(exit_.value.code or 0)

    assert run("prepare", simulated.manifest, "--out", tmp_path / "one", "--bids", "--band", 20, 200) == 0
    assert run("prepare", tmp_path / "one" / "bids", "--out", tmp_path / "two", "--band", 20, 200) == 0
    one, two = (read_manifest(tmp_path / name / "manifest.csv") for name in ("one", "two"))
    shared = ("file", "subject", "session", "repetition", "muscle", "movement", "gender", "rate_hz", "units")
    assert [[getattr(r, name) for name in shared] for r in one] == [[getattr(r, name) for name in shared] for r in two]
    assert run("prepare", simulated.manifest, "--out", tmp_path / "one", "--bids", "--band", 20, 200) == 1
    again = ["prepare", simulated.manifest, "--out", tmp_path / "one", "--bids", "--band", 20, 200, "--overwrite"]
    assert run(*again) == 0


def test_what_travels_to_a_worker_does_not_grow_with_the_recordings(tmp_path: Path) -> None:
    jobs = [Job(tmp_path / f"r{i:03}.csv", (ManifestRow(file=f"r{i:03}.csv"),)) for i in range(100)]
    sizes = {len(pickle.dumps(job)) for n in (10, 100) for job in _with_stems(jobs[:n], tmp_path)}
    assert len(sizes) == 1


def test_matrices_of_an_earlier_run_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "hht_matrices").mkdir()
    for name in ("a_ch10.npz", "a_ch2.npz", "ab.npz", "b_ch.npz", "b.npz", "a_ch2.txt"):
        (tmp_path / "hht_matrices" / name).touch()
    jobs = [Job(tmp_path / f"{name}.csv", (ManifestRow(file=f"{name}.csv"),)) for name in ("a", "ab", "b", "c")]
    found = {job.stems: job.existing for job in _with_stems(jobs, tmp_path)}
    assert found == {
        ("a",): (("a_ch2.npz", "a_ch10.npz"),), ("ab",): (("ab.npz",),), ("b",): (("b.npz",),), ("c",): ((),)
    }  # fmt: skip


@pytest.mark.parametrize("n_channels", [1, 2])
def test_what_was_written_after_the_folder_was_listed_is_not_computed_again(tmp_path: Path, n_channels: int) -> None:
    """As where a pool of workers is lost: what it had finished is asked for once more."""
    write_recording(noise(n_channels=n_channels), tmp_path / "a.npz")
    out = tmp_path / "out"
    (job,) = _with_stems(find_jobs(tmp_path / "a.npz"), out)
    assert job.existing == ((),)
    first, again = (_prepare_one(job, None, CONFIG, out, False) for _ in range(2))
    assert (first.reused, again.reused) == (False, True)
    assert again.rows == first.rows
