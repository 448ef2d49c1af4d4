"""benchmarks/choices.py: every choice that it removes exists, and removing it has an effect."""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from builders import make_dataset
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.folds import make_folds


@pytest.fixture
def choices(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    module = importlib.import_module("choices")
    monkeypatch.setattr(module, "SMALL", replace(module.SMALL, epochs=1, batch_size=4))
    monkeypatch.setattr(module, "BASE_CHANNELS", 2)
    return module


@pytest.fixture(scope="module")
def effort() -> Dataset:
    return make_dataset(n_subjects=6, movements=("low", "mid", "high"), genders=())


def test_every_part_that_is_patched_exists(choices: ModuleType) -> None:
    for choice in choices.CHOICES.values():
        for target in choice.parts:
            module, name = target.rsplit(".", 1)
            assert hasattr(pkgutil.resolve_name(module), name)
        assert choice.compared_with in choices.CHOICES


def test_scores_are_compared_with_those_of_the_defaults_and_kept(
    choices: ModuleType, effort: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["as it is", "no shortcuts"]
    choices.show_scores(effort, names, [0], tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("as it is | ") and lines[2].startswith("no shortcuts | ")
    with_it, without = (json.loads((tmp_path / f"{name}_0.json").read_text()) for name in ("as_it_is", "no_shortcuts"))
    assert with_it["last"]["ece"] != without["last"]["ece"]
    assert "n = 36 repetitions of 6 people" in lines[3]
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.glob("*.json"))
    choices.show_scores(effort, names, [0], tmp_path)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.glob("*.json")) == before


@pytest.mark.parametrize("kind", ["few", "rare"])
def test_fewer_repetitions_are_trained_on_and_held_out_people_stay(
    choices: ModuleType, effort: Dataset, kind: str
) -> None:
    split = make_folds(effort, "grouped", 3, 0.2, 42)[0].split
    thinned = choices.thinned(effort, split, kind)
    assert 0 < len(thinned.train) < len(split.train)
    assert np.array_equal(thinned.test, split.test) and np.array_equal(thinned.validation, split.validation)
    labels = np.array(effort.labels("action_quality"))
    dropped = set(labels[np.setdiff1d(split.train, thinned.train)])
    assert dropped == ({"mid"} if kind == "rare" else {"low", "mid", "high"})
