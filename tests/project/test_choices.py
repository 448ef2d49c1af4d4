"""benchmarks/choices.py: what it takes away is really there, and is gone."""

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
    found = importlib.import_module("choices")
    monkeypatch.setattr(found, "SMALL", replace(found.SMALL, epochs=1, batch_size=4))
    monkeypatch.setattr(found, "BASE_CHANNELS", 2)
    return found


@pytest.fixture(scope="module")
def effort() -> Dataset:
    return make_dataset(n_subjects=6, movements=("low", "mid", "high"), genders=())


def test_every_part_that_is_replaced_is_there(choices: ModuleType) -> None:
    for choice in choices.CHOICES.values():
        for target in choice.parts:
            module, name = target.rsplit(".", 1)
            assert hasattr(pkgutil.resolve_name(module), name)
        assert choice.than in choices.CHOICES


def test_scores_stand_beside_those_of_the_defaults(
    choices: ModuleType, effort: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["as it is", "no shortcuts"]
    choices.scores(effort, names, [0], tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("as it is | ") and said[2].startswith("no shortcuts | ")
    with_it, without = (json.loads((tmp_path / f"{name}_0.json").read_text()) for name in ("as_it_is", "no_shortcuts"))
    assert with_it["last"]["ece"] != without["last"]["ece"]
    assert "n = 36 repetitions of 6 people" in said[3]
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.glob("*.json"))
    choices.scores(effort, names, [0], tmp_path)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.glob("*.json")) == before


@pytest.mark.parametrize("how", ["few", "rare"])
def test_fewer_are_trained_on_and_nobody_else_changes_sides(choices: ModuleType, effort: Dataset, how: str) -> None:
    split = make_folds(effort, "grouped", 3, 0.2, 42)[0].split
    thinned = choices.thinned(effort, split, how)
    assert 0 < len(thinned.train) < len(split.train)
    assert np.array_equal(thinned.test, split.test) and np.array_equal(thinned.validation, split.validation)
    left = np.array(effort.labels("action_quality"))
    dropped = set(left[np.setdiff1d(split.train, thinned.train)])
    assert dropped == ({"mid"} if how == "rare" else {"low", "mid", "high"})
