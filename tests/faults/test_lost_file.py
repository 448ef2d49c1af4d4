"""A file that disappears, shrinks or can't be read while others are processed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import semg_hht.datasets.prepare
from builders import make_dataset, write_dataset
from fault_injection import Inputs, here, set_read_only, under_permissions
from semg_hht.errors import InputError
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.recordings.jobs import Job
from semg_hht.signals.filtered_recording import FilteredRecording
from semg_hht.system.progress import TrainingProgress


def test_predict_answers_the_readable_files_and_lists_the_others(inputs: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    shutil.copytree(inputs.matrices, folder)
    good, gone, cut, closed = sorted(folder.glob("*.npz"))[:4]
    gone.unlink()
    gone.symlink_to(tmp_path / "nowhere")  # in the list of the folder, and not there when it is read
    os.truncate(cut, cut.stat().st_size // 2)
    closed.chmod(0)
    with under_permissions():
        done = here(inputs.words(f"predict --checkpoint {{run}} --input {folder} --output {{disk}}/p.json", tmp_path))
    assert done.code == 0, done.said
    told = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert good.name in told
    assert set(told["errors"]) == {gone.name, cut.name, closed.name}
    assert len(told) == len(list(folder.iterdir())) - 3 + 1
    assert "no such file" in told["errors"][gone.name]
    assert "cut short" in told["errors"][cut.name]
    assert "Permission denied" in told["errors"][closed.name]


def test_a_recording_that_shrinks_while_it_is_read_is_left_out(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recordings"
    shutil.copytree(inputs.recordings.parent, folder)
    open_filtered = semg_hht.datasets.prepare.open_filtered

    def shrinking(job: Job, *arguments: Any, **options: Any) -> FilteredRecording:
        found = open_filtered(job, *arguments, **options)
        path = job.path
        if path.name.startswith("S02"):
            os.truncate(path, path.stat().st_size // 2)
        return found

    monkeypatch.setattr("semg_hht.datasets.prepare.open_filtered", shrinking)
    verb = f"prepare {folder}/manifest.csv --out {{disk}} --band 20 200 --jobs 1"
    done = here(inputs.words(verb, tmp_path / "out"))
    assert done.code == 0
    assert "S02_E01_BICEPS.csv: was changed while it was read; run again to use it as it is now" in done.said
    assert "9 matrices of 3 recordings" in done.said


@pytest.mark.parametrize("fault", ["shrinks", "vanishes"])
def test_a_pack_that_disappears_during_an_epoch_is_an_error(tmp_path: Path, fault: str) -> None:
    """It is read, not mapped: a mapped file that shrinks would end the process with SIGBUS."""
    dataset = load_folder(write_dataset(make_dataset(), tmp_path / "matrices"), pack=tmp_path / "pack")
    values = tmp_path / "pack" / "matrices.f32"
    config = TrainingConfig(epochs=2, batch_size=8)
    said = {"shrinks": "ends before matrix .* it was changed while in use", "vanishes": "can't be read any more"}
    with pytest.raises(InputError, match=rf"matrices\.f32: {said[fault]}"):
        train(
            dataset,
            tmp_path / "run",
            config,
            NetworkSize(base_channels=2),
            RunOptions(cpu=True),
            progress=TrainingProgress(
                on_step=lambda: os.truncate(values, 5 * 256) if fault == "shrinks" else values.unlink(missing_ok=True)
            ),
        )


def test_a_folder_without_permission_is_an_error(inputs: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    shutil.copytree(inputs.matrices, folder)
    folder.chmod(0)
    try:
        with under_permissions():
            done = here(inputs.words(f"predict --checkpoint {{run}} --input {folder} --output {{disk}}/p", tmp_path))
    finally:
        set_read_only(folder, False)
    assert done.code == 1
    assert str(folder) in done.sentence(), done.said
