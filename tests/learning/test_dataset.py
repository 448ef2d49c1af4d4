"""Examples from folders, manifests and recordings."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import SETTINGS, as_json, foreign_matrix, make_dataset, truncate, write_dataset
from conftest import Simulated
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.errors import InputError
from semg_hht.learning.columns import ChosenRows
from semg_hht.learning.dataset import Dataset, find_dataset, from_examples, load_folder
from semg_hht.learning.dataset_rows import RowColumns, are_segmented
from semg_hht.matrices.matrix import Matrix, write_matrix
from semg_hht.matrices.transform import configure, transform_all
from semg_hht.recordings.manifest import ManifestRow, manifest_text, read_manifest


def test_a_prepared_folder_is_read_with_the_manifest_beside_it(simulated: Simulated) -> None:
    dataset = load_folder(simulated.matrices)
    assert len(dataset) == 12
    assert dataset.classes() == {"action_quality": ("full", "half", "invalid"), "gender": ("F", "M")}
    assert set(dataset.subjects) == {"S01", "S02", "S03", "S04"}
    assert dataset.settings == as_json(simulated.config.to_json())
    assert len(set(dataset.repetitions)) == 12


def test_recordings_and_their_matrices_give_the_same_dataset(simulated: Simulated) -> None:
    by_file = load_folder(simulated.matrices)
    direct = from_examples(transform_all(find_jobs(simulated.manifest), simulated.config, n_jobs=1))
    assert_allclose(direct.matrices, by_file.matrices, rtol=0)
    assert direct.labels("action_quality") == by_file.labels("action_quality")
    assert direct.subjects == by_file.subjects


def test_a_manifest_of_recordings_is_transformed(simulated: Simulated) -> None:
    dataset = find_dataset(None, simulated.manifest, simulated.config, None)
    assert_allclose(dataset.matrices, load_folder(simulated.matrices).matrices, rtol=0)


def test_settings_of_recordings_and_of_matrices_compare_equal(simulated: Simulated) -> None:
    """A run trained on recordings predicts prepared matrices, and the other way round."""
    direct = find_dataset(None, simulated.manifest, simulated.config, None)
    assert as_json(direct.settings) == load_folder(simulated.matrices).settings


def test_a_manifest_of_matrices_may_name_another_folder(simulated: Simulated, tmp_path: Path) -> None:
    rows = [replace(row, movement="low") for row in read_manifest(simulated.prepared_manifest)]
    (tmp_path / "labels.csv").write_text(manifest_text(rows), encoding="utf-8")
    dataset = find_dataset(simulated.matrices.parent, tmp_path / "labels.csv", None, None)
    assert dataset.classes()["action_quality"] == ("low",)


def test_transform_settings_for_matrices_are_an_error(simulated: Simulated) -> None:
    for manifest in (None, simulated.prepared_manifest):
        with pytest.raises(InputError, match="matrices are trained on as they are: band_hz="):
            find_dataset(simulated.matrices.parent, manifest, configure(), None)


def test_no_data_argument_is_an_error() -> None:
    with pytest.raises(InputError, match="say where the data is: data_dir=FOLDER, or manifest=FILE"):
        find_dataset(None, None, None, None)


def test_labels_come_from_names_where_there_is_no_manifest(tmp_path: Path) -> None:
    for name in ("S01_BICEPS_half_F_001", "BICEPS-full-M-002", "Test1_1_001"):
        write_matrix(tmp_path / f"{name}.npz", Matrix(np.zeros((1, 256, 256), np.float32), SETTINGS))
    dataset = load_folder(tmp_path)
    assert dataset.labels("action_quality") == ("full", "half", "")
    assert dataset.labels("gender") == ("M", "F", "")
    assert dataset.subjects == ("", "S01", "")


def test_a_name_without_labels_is_an_error(tmp_path: Path) -> None:
    for name in ("BICEPS_half_F_001", "curl7"):
        write_matrix(tmp_path / f"{name}.npz", Matrix(np.zeros((1, 256, 256), np.float32), SETTINGS))
    with pytest.raises(InputError, match=r"curl7\.npz: expected MUSCLE_movement_GENDER_NNN"):
        load_folder(tmp_path)


def test_all_names_without_labels_are_counted_and_other_arrays_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.npz", "b.npz", "c.npz", "BICEPS_full_M_001.npz", "d.npy"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"a.npz: expected MUSCLE.*2 more of 4 names are so; semg-hht check"):
        load_folder(tmp_path)
    assert ".npy files are not read (1 found); a matrix is an .npz with the key hht" in caplog.text


def test_empty_missing_and_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected npz matrices or a manifest\.csv; found none"):
        load_folder(tmp_path)
    with pytest.raises(InputError, match="expected a folder of npz matrices; found nothing"):
        load_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder of npz matrices; found a file"):
        load_folder(tmp_path / "file")


def test_bad_files_are_listed_and_the_others_used(tmp_path: Path) -> None:
    write_dataset(make_dataset(n_subjects=2, n_repetitions=1), tmp_path)
    truncate(tmp_path / "p0_full_0_ch0.npz")
    (tmp_path / "p1_half_0_ch0.npz").unlink()
    dataset = load_folder(tmp_path)
    assert len(dataset) == 4
    assert [failure.file for failure in dataset.failures] == ["p0_full_0_ch0.npz", "p1_half_0_ch0.npz"]
    assert "cut short" in dataset.failures[0].reason
    assert "no such file" in dataset.failures[1].reason


def test_nothing_readable_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "BICEPS_half_F_001.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"BICEPS_half_F_001\.npz"):
        load_folder(tmp_path)


def test_two_preparations_do_not_mix(tmp_path: Path) -> None:
    zeros = np.zeros((1, 256, 256), np.float32)
    write_matrix(tmp_path / "BICEPS_half_F_001.npz", Matrix(zeros, SETTINGS))
    write_matrix(tmp_path / "BICEPS_half_F_002.npz", Matrix(zeros, {**SETTINGS, "scaling": "db"}))
    with pytest.raises(InputError, match=r"_002\.npz and .*_001\.npz were prepared .*\(scaling: db and log\)"):
        load_folder(tmp_path)
    foreign_matrix(tmp_path / "BICEPS_half_F_002.npz")
    with pytest.raises(InputError, match="one by this project, one by another tool"):
        load_folder(tmp_path)


def test_stacks_of_different_height_do_not_mix(tmp_path: Path) -> None:
    for n_planes in (2, 3):
        matrix = Matrix(np.zeros((n_planes, 256, 256), np.float32), SETTINGS)
        write_matrix(tmp_path / f"BICEPS_half_F_{n_planes:03d}.npz", matrix)
    with pytest.raises(InputError, match=r"_003\.npz has 3 channels, .*_002\.npz has 2; expected the same number"):
        load_folder(tmp_path)


def test_the_fingerprint_depends_on_labels_and_values_but_not_on_order() -> None:
    dataset = make_dataset(n_subjects=2, n_repetitions=1)
    shuffled = dataset.subset(np.random.default_rng(0).permutation(len(dataset)))
    assert shuffled.fingerprint() == dataset.fingerprint()
    relabelled = replace(dataset, rows=(replace(dataset.rows[0], gender="M"), *dataset.rows[1:]))
    changed = dataset.matrices.copy()
    changed[3, 0, 5, 5] += 1
    assert len({d.fingerprint() for d in (dataset, relabelled, replace(dataset, matrices=changed))}) == 3


def test_only_labelled_tasks_have_classes() -> None:
    assert make_dataset(genders=()).classes() == {"action_quality": ("full", "half", "invalid")}
    assert make_dataset(movements=("",)).classes() == {"gender": ("F", "M")}


def test_loading_is_tracked(simulated: Simulated) -> None:
    seen: list[Any] = []

    def track(items: Any, total: int, label: str) -> Any:
        seen.append((total, label))
        return items

    assert isinstance(load_folder(simulated.matrices, track=track), Dataset)
    assert seen == [(12, "loading")]


def test_a_copy_elsewhere_is_the_same_data(simulated: Simulated, tmp_path: Path) -> None:
    shutil.copytree(simulated.matrices.parent, tmp_path / "copy")
    copy = load_folder(tmp_path / "copy" / "hht_matrices")
    assert copy.fingerprint() == load_folder(simulated.matrices).fingerprint()


def test_load_manifest_refuses_recordings_and_names_prepare(simulated: Simulated) -> None:
    with pytest.raises(InputError, match=r"lists recordings, such as .*\.csv; expected npz .* semg-hht prepare .*csv"):
        load_folder(simulated.manifest.parent)


def test_a_person_under_two_spellings_is_an_error(tmp_path: Path) -> None:
    for name in ("S1_BICEPS_half_F_001", "S01_BICEPS_full_F_002"):
        write_matrix(tmp_path / f"{name}.npz", Matrix(np.zeros((1, 256, 256), np.float32), SETTINGS))
    with pytest.raises(InputError, match="subject 'S01' .* and 'S1' .* differ only in"):
        load_folder(tmp_path)


def test_a_class_under_two_spellings_is_an_error_that_names_the_files() -> None:
    dataset = make_dataset(n_subjects=2, n_repetitions=1)
    rows = (replace(dataset.rows[0], movement="50%"), replace(dataset.rows[1], movement="50 %"), *dataset.rows[2:])
    with pytest.raises(InputError, match=r"movement '50 %' \(of \S+\) and '50%' \(of \S+\) differ only in"):
        replace(dataset, rows=rows).classes()


def test_hidden_copies_are_no_matrices(tmp_path: Path) -> None:
    (tmp_path / ".ipynb_checkpoints").mkdir()
    for name in ("", "._", ".ipynb_checkpoints/"):
        name += "BICEPS_half_F_001.npz"
        write_matrix(tmp_path / name, Matrix(np.zeros((1, 256, 256), np.float32), SETTINGS))
    assert [row.file for row in load_folder(tmp_path).rows] == ["BICEPS_half_F_001.npz"]


def test_the_longest_repetition_is_that_of_the_chosen_examples() -> None:
    dataset = replace(make_dataset(n_subjects=1), features=tuple({"duration_s": (float(i),)} for i in range(6)))
    assert dataset.longest_s(np.array([0, 3, 2])) == 3.0
    assert replace(dataset, features=()).longest_s(np.array([0, 3, 2])) == 0.0


def test_repetitions_are_known_to_be_found_by_their_confidence() -> None:
    rows = [ManifestRow(f"{i}.npz", extra={"confidence": "0.98"} if i else {"note": "by hand"}) for i in range(4)]
    columns = ChosenRows[ManifestRow](RowColumns(rows), np.arange(4))
    for given in (rows, columns):
        assert are_segmented(given, np.arange(4))
        assert not are_segmented(given, np.array([0, 1]))
    assert not are_segmented(ChosenRows[ManifestRow](RowColumns(rows[:1]), np.arange(1)), np.arange(1))
