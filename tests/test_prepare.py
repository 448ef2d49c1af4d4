"""prepare.py: recordings -> a prepared folder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from conftest import Simulated
from making import noise
from semg_hht.errors import InputError
from semg_hht.labels import parse_file_name, read_manifest
from semg_hht.learning.dataset import load_folder
from semg_hht.matrices import read_matrix
from semg_hht.pipeline import configure, transform
from semg_hht.prepare import prepare
from semg_hht.references import with_references
from semg_hht.signals.recording import write_recording
from semg_hht.sources import find_jobs

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
    examples = transform(find_jobs(simulated.manifest)[0], simulated.config)
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
    assert {"p_rec", "q_rec", "A_1", "A_1_r002", "Test1"} <= set(stems(tmp_path))


def test_names_from_a_manifest_can_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_recording(noise(), tmp_path / "evil.npz")
    prepared(tmp_path / "data", "file\n../evil.npz\n")
    assert stems(tmp_path / "data") == ["evil"]


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
    rows = [row for row in rows if row.extra["motion"] == "C1" and row.repetition == "1"]
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
