"""Packs: the same matrices as in memory, read batch by batch."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file

from builders import make_dataset, truncate, write_dataset
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.learning import dataset as reading
from semg_hht.learning.dataset import Dataset, find_dataset, load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.matrix_store import INDEX_FILE, N_AHEAD, VALUES_FILE, PackedMatrices, read_parts
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.system.files import read_json


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(make_dataset(n_unlabelled=2), tmp_path_factory.mktemp("written") / "data")


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "data"))


def packed(folder: Path) -> Dataset:
    found = load_folder(folder, pack=folder.parent / "pack")
    assert isinstance(found.matrices, PackedMatrices)
    return found


def test_a_pack_holds_the_matrices_of_the_files(folder: Path) -> None:
    plain, found = load_folder(folder), packed(folder)
    assert found.matrices.shape == plain.matrices.shape
    assert_array_equal(found.matrices[:], plain.matrices)
    assert_array_equal(np.stack(list(found.matrices)), plain.matrices)
    assert_array_equal(found.matrices[3], plain.matrices[3])
    chosen = np.array([5, 1, 1])
    assert_array_equal(found.matrices[chosen], plain.matrices[chosen])
    assert_array_equal(found.subset(chosen).matrices[1:], plain.matrices[[1, 1]])
    assert_array_equal(found.subset(chosen).peaks, plain.subset(chosen).peaks)
    assert_array_equal(plain.peaks, [matrix.max() for matrix in plain.matrices])
    assert found.fingerprint() == plain.fingerprint()
    assert found.subset(chosen).fingerprint() == plain.subset(chosen).fingerprint()


def test_features_and_covariance_are_packed(simulated: Simulated, tmp_path: Path) -> None:
    plain, found = load_folder(simulated.matrices), load_folder(simulated.matrices, pack=tmp_path / "pack")
    assert (found.rows, found.settings, found.features) == (plain.rows, plain.settings, plain.features)
    assert found.repetitions == plain.repetitions
    assert plain.covariance is not None
    assert_array_equal(found.covariance, plain.covariance)


def test_a_pack_is_written_once_and_again_when_a_file_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(folder)
    read = reading.read_matrix
    calls: list[Path] = []
    monkeypatch.setattr(reading, "read_matrix", lambda path: calls.append(path) or read(path))
    first = packed(folder)
    assert not calls
    changed = sorted(folder.glob("*.npz"))[0]
    other = first.matrices[0] + 1
    values = dict(np.load(changed))
    np.savez_compressed(changed, **{**values, "hht": other[0]})
    again = packed(folder)
    assert len(calls) == len(again)
    place = [row.file for row in again.rows].index(changed.name)
    assert_array_equal(again.matrices[place], other)


def test_labels_are_read_from_the_manifest_not_the_pack(folder: Path) -> None:
    packed(folder)
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",half,", ",quarter,"), encoding="utf-8")
    assert packed(folder).classes()["action_quality"] == ("full", "invalid", "quarter")


def test_a_bad_file_is_left_out_with_its_reason_each_time(folder: Path) -> None:
    bad = truncate(sorted(folder.glob("*.npz"))[2])
    for _ in range(2):
        found = packed(folder)
        assert [failure.file for failure in found.failures] == [bad.name]
        assert "can't be read" in found.failures[0].reason
        assert_array_equal(found.matrices[:], load_folder(folder).matrices)


def test_training_on_a_pack_gives_the_same_bits(folder: Path, tmp_path: Path) -> None:
    config = TrainingConfig(epochs=2, batch_size=8, learning_rate=1e-3)
    for name, data in {"plain": load_folder(folder), "packed": packed(folder)}.items():
        train(data, tmp_path / name, config, NetworkSize(base_channels=2), RunOptions(cpu=True))
    plain, other = (load_file(tmp_path / name / "final" / "network.safetensors") for name in ("plain", "packed"))
    assert all(np.array_equal(plain[name], other[name]) for name in plain)
    for name in ("metrics.json", "test_predictions.json", "config.json"):
        assert read_json(tmp_path / "plain" / name) == read_json(tmp_path / "packed" / name)


def test_a_batch_is_read_without_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = packed(folder)
    opened: list[int] = []
    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda shape, *rest: opened.append(int(np.prod(shape))) or empty(shape, *rest))
    found.matrices[np.array([0, 3])]
    assert max(opened) == 2 * 256 * 256


def test_a_folder_with_other_files_is_not_used_for_a_pack(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="this folder is not empty"):
        packed(folder)
    assert [path.name for path in (tmp_path / "pack").iterdir()] == ["diary.txt"]


def test_different_numbers_of_planes_are_no_pack(tmp_path: Path) -> None:
    write_dataset(make_dataset(n_subjects=1), tmp_path / "data")
    write_dataset(make_dataset(n_subjects=1, n_planes=2, movements=("wrong",)), tmp_path / "data", manifest=False)
    (tmp_path / "data" / "manifest.csv").unlink()
    for path in list((tmp_path / "data").iterdir()):
        path.rename(path.with_name(f"BICEPS_{path.stem.split('_')[1]}_M_{path.stem.replace('_', '')}.npz"))
    with pytest.raises(InputError, match="has 2 channels, others before it have 1; expected the same number"):
        load_folder(tmp_path / "data", pack=tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_recordings_are_not_packed(simulated: Simulated, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pack=... keeps matrices; these are recordings"):
        find_dataset(None, simulated.manifest, None, None, pack=tmp_path / "pack")


@pytest.mark.parametrize("damage", ["shrunk", "gone"])
def test_a_pack_that_changes_while_it_is_used_is_an_error(damage: str, folder: Path) -> None:
    found = packed(folder)
    values = found.matrices.path
    if damage == "gone":
        values.unlink()
    else:
        os.truncate(values, 256 * 256 * 4 + 7)
    message = "can't be read any more; No such file" if damage == "gone" else r"ends before matrix \d+; it was changed"
    with pytest.raises(InputError, match=message):
        found.matrices[:]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.pop("files"), "'files'"),
        (lambda c: c["files"].pop(), "does not list its files one by one"),
        (lambda c: c["files"][0].update(number=7), "does not list its files one by one"),
        (lambda c: c.update(n_planes=3), "matrices.f32 has another size"),
        (lambda c: c["files"][0].update(settings=9), "list index out of range"),
        (lambda c: c["files"][0].update(features=3), "expected the index of a pack"),
    ],
)
def test_a_pack_with_an_inconsistent_index_is_an_error(edit: Any, message: str, folder: Path, tmp_path: Path) -> None:
    packed(folder)
    path = tmp_path / "pack" / INDEX_FILE
    content = read_json(path)
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        packed(folder)


def test_a_pack_of_another_format_is_replaced(folder: Path, tmp_path: Path) -> None:
    first = packed(folder).matrices[:]
    path = tmp_path / "pack" / INDEX_FILE
    path.write_text(path.read_text().replace('"format": 3', '"format": 2'))
    assert_array_equal(packed(folder).matrices[:], first)
    assert read_json(path)["format"] == 3
    assert sorted(p.name for p in (tmp_path / "pack").iterdir()) == sorted([INDEX_FILE, VALUES_FILE])


def test_the_next_batches_are_read_in_advance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = packed(folder).matrices
    read: list[int] = []
    plain = PackedMatrices.__getitem__

    def spy(self: PackedMatrices, key: Any) -> Any:
        read.append(key)
        return plain(self, key)

    monkeypatch.setattr(PackedMatrices, "__getitem__", spy)
    seen = []
    for matrix in read_parts(found, range(8)):
        seen.append(matrix)
        assert len(read) <= len(seen) + N_AHEAD
        if len(seen) == 1:
            end = time.monotonic() + 30
            while len(read) < 1 + N_AHEAD and time.monotonic() < end:
                time.sleep(0.01)
            assert len(read) == 1 + N_AHEAD
    monkeypatch.undo()
    assert_array_equal(seen, found[:8])
    assert_array_equal(list(read_parts(found[:], range(8))), seen)
