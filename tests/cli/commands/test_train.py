"""Tests of `semg-hht train`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from builders import make_dataset, write_dataset
from command_line import run
from conftest import Simulated

SMALL = ("--epochs", 1, "--base_channels", 2, "--cpu")


def test_a_run_holds_checkpoints_pictures_and_scores(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--data-dir", simulated.matrices, "--checkpoint_dir", tmp_path / "run", "--epochs", 2, "--batch-size", 4)
    assert run("train", *words, "--base_channels", 2, "--cpu") == 0
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"best", "final", "last", "metrics.json", "history.png", "confusion.png", "config.json"} <= names
    assert f"semg-hht predict --checkpoint {tmp_path / 'run'}" in capsys.readouterr().out


def test_json_is_that_of_the_metrics(simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--data_dir", simulated.matrices, "--checkpoint_dir", tmp_path / "run", "--json")
    assert run("train", *words, *SMALL) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["test"]) == {"action_quality", "gender"}


def test_a_manifest_of_recordings_is_trained_on_and_resumed(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--manifest", simulated.manifest, "--checkpoint_dir", tmp_path / "run", "--band", 20, 200,
             "--num-encoder-layers", 6, *SMALL]  # fmt: skip
    assert run(*words) == 0
    assert run(*words) == 1
    assert "holds a run already; --resume continues it" in capsys.readouterr().err
    assert run(*words, "--resume") == 0


def test_the_rate_and_units_of_recordings_can_be_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savetxt(tmp_path / "a.csv", np.random.default_rng(0).normal(size=(3000, 1)), header="biceps", comments="")
    (tmp_path / "manifest.csv").write_text("file,movement\na.csv,full\n")
    words = ("train", "--manifest", tmp_path / "manifest.csv", "--checkpoint_dir", tmp_path / "run", *SMALL)
    assert run(*words) == 1
    assert "the sampling rate is unknown; state it with --rate_hz" in capsys.readouterr().err
    assert run(*words, "--rate_hz", 1000, "--units", "mV") == 1
    assert "only one class (full) is labelled" in capsys.readouterr().err


def test_a_folder_that_is_not_free_is_said_before_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", "--data_dir", tmp_path / "absent", "--checkpoint_dir", tmp_path / "run")
    (tmp_path / "run").mkdir()
    for name in ("config.json", "split.json"):  # as after Ctrl-C in the first epoch
        (tmp_path / "run" / name).write_text("{}")
    assert run(*words) == 1
    error = capsys.readouterr().err
    assert "run: holds a run that was stopped in its first epoch; --resume starts it again" in error
    assert "--overwrite" not in error
    assert run(*words, "--resume") == 1
    assert "absent: expected a folder of npz matrices" in capsys.readouterr().err
    (tmp_path / "run" / "diary.txt").write_text("mine")
    assert run(*words, "--resume") == 1
    assert "this folder is not empty" in capsys.readouterr().err


def test_a_bad_file_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(make_dataset(n_repetitions=1), tmp_path / "data")
    np.savez(tmp_path / "data" / "p0_full_0_ch0.npz", hht=np.zeros((3, 3)))
    assert run("train", "--data_dir", tmp_path / "data", "--checkpoint_dir", tmp_path / "run", *SMALL) == 0
    assert "p0_full_0_ch0.npz: expected a matrix of 256x256 under 'hht'; found 3x3" in capsys.readouterr().err


def test_without_torch_it_says_what_to_install(
    simulated: Simulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("train", "--data_dir", simulated.matrices) == 1
    assert "training needs torch: pip install 'semg-hht[train]'" in capsys.readouterr().err
