"""system/seeds.py: which seeds are valid, and where each is checked before the work begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semg_hht.datasets.simulated import write_simulation
from semg_hht.errors import InputError
from semg_hht.hht import SpectrumConfig
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.matrices.transform import configure
from semg_hht.signals.simulate import SimulationConfig, simulate_people
from semg_hht.system.seeds import MAX_SEED, require_seed

WRONG: tuple[Any, ...] = (-1, 1.5, 1.0, True, "1", None, MAX_SEED + 1)


@pytest.mark.parametrize("seed", WRONG)
def test_other_seeds_are_an_error(seed: Any) -> None:
    with pytest.raises(InputError, match="seed must be a whole number from 0 to 4294967295; got"):
        require_seed(seed)


def test_whole_numbers_are_seeds() -> None:
    for seed in (0, 42, MAX_SEED, np.int64(3)):
        require_seed(seed)
        assert TrainingConfig(seed=seed).seed == seed


@pytest.mark.parametrize(
    "use",
    [
        lambda seed: TrainingConfig(seed=seed),
        lambda seed: SpectrumConfig(seed=seed),
        lambda seed: configure(seed=seed),  # of a decomposition without noise
        lambda seed: simulate_people(SimulationConfig(), seed),
    ],
)
def test_every_seed_of_a_user_is_checked(use: Callable[[Any], Any]) -> None:
    for seed in (-1, 1.5):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            use(seed)


def test_nothing_is_written_with_a_wrong_seed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed must be"):
        write_simulation(tmp_path / "out", SimulationConfig(), -1)
    assert not (tmp_path / "out").exists()
