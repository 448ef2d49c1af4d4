"""The original README, as a user of it works: 60 matrices named as it says, and its commands, word for word.

The network has 2 channels instead of 64 and trains for one epoch on the CPU, which flags of ours state.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from conftest import REPOSITORY
from fault_injection import in_a_fork
from semg_hht.recordings.manifest import parse_file_name

MOVEMENTS = ("fatiguetest", "half", "invalid")
MUSCLES = ("BICEPS", "TRICEPS", "FOREARM")
SMALL = ("--base_channels", "2", "--cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the scripts, and in ``data`` 56 labelled matrices and 4 unlabelled ones."""
    for name in ("train.py", "inference.py"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    (tmp_path / "data").mkdir()
    random = np.random.default_rng(0)
    for number in range(60):
        kind = number % 3
        name = f"{MUSCLES[number % 2]}_{MOVEMENTS[kind]}_{'MF'[number // 3 % 2]}_{number:03}"
        matrix = random.random((256, 256)) ** (1 + kind)
        np.savez(tmp_path / "data" / f"{name if number < 56 else f'Test1_1_{number:03}'}.npz", hht=matrix)
    return tmp_path


def words_of(command: str) -> list[str]:
    python, *words = command.split()
    assert python == "python"
    return words


def run(folder: Path, command: str, *more: str) -> None:
    """Run a script in a fork, which has loaded torch already; it must succeed."""
    script, *words = words_of(command)
    done = in_a_fork(folder / script, [*words, *more], folder / "log")
    assert done.code == 0, done.said


def run_anew(folder: Path, command: str) -> None:
    """Run a script in a process of its own; it must succeed."""
    done = subprocess.run([sys.executable, *words_of(command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_commands_of_the_original_readme(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    train = "python train.py --data_dir ./data --checkpoint_dir ./checkpoints"
    run(folder, f"{train} --epochs 1 --batch_size 16 --learning_rate 0.001 --test_size 0.2", *SMALL)
    metrics = json.loads((folder / "checkpoints" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"].keys() == {"action_quality", "gender"}
    assert "subjects are not known, so the split is by repetition" in metrics["notes"][0]
    assert len(json.loads((folder / "checkpoints" / "test_predictions.json").read_text(encoding="utf-8"))) == 4
    weights = folder / "checkpoints" / "final" / "network.safetensors"
    before = weights.read_bytes()
    run(folder, f"{train} --epochs 1 --batch_size 16 --learning_rate 0.001 --test_size 0.2 --resume", *SMALL)
    assert weights.read_bytes() == before

    (folder / "new_data").mkdir()
    names = ["Test1_1_056.npz", "Test1_1_057.npz"]
    for name in names:
        (folder / "new_data" / name).write_bytes((folder / "data" / name).read_bytes())
    run_anew(folder, "python inference.py --checkpoint ./checkpoints/final --input ./new_data/")
    answers = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    assert list(answers) == names
    for answer in answers.values():
        assert answer["action_quality"]["prediction"] in {"full", "half", "invalid"}
        assert answer["gender"]["prediction"] in {"M", "F"}
        assert 0 <= answer["action_quality"]["confidence"] <= 1
    one = f"python inference.py --checkpoint ./checkpoints/final --input ./new_data/{names[0]} --output one.json"
    run(folder, one)
    assert json.loads((folder / "one.json").read_text(encoding="utf-8")) == {names[0]: answers[names[0]]}


@pytest.mark.parametrize(
    ("name", "gender", "movement"),
    [
        ("BICEPS_fatiguetest_M_006.npz", "M", "full"),
        ("TRICEPS_half_F_012.npz", "F", "half"),
        ("FOREARM_invalid_M_003.npz", "M", "invalid"),
        ("Test1_1_015.npz", "", ""),
    ],
)
def test_the_examples_of_names(name: str, gender: str, movement: str) -> None:
    row = parse_file_name(name)
    assert (row.gender, row.movement) == (gender, movement)


def test_the_requirements_are_extras_of_the_package() -> None:
    (line,) = [text for text in (REPOSITORY / "requirements.txt").read_text().splitlines() if not text.startswith("#")]
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", line)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras is not None
    assert {"train", "readers"} == set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_every_test_that_the_page_names_exists() -> None:
    page = (REPOSITORY / "docs" / "en" / "original.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert len(named) > 30
    for file, name in set(named):
        text = (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *def {name}\(", text, re.MULTILINE), f"{file}::{name}"
