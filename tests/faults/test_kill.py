"""Killed processes, and two processes that write to one folder. benchmarks/faults.py has the long version."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from builders import make_dataset
from conftest import Simulated
from fault_injection import in_a_fork
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.system.files import locked_folder

CONFIG = TrainingConfig(epochs=1, batch_size=8)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
def test_killed_runs_end_with_the_same_bits(repository: Path, tmp_path: Path) -> None:
    done = in_a_fork(repository / "benchmarks" / "faults.py", ["kill", "-n", "3"], tmp_path / "log")
    assert done.code == 0, done.said
    assert "kill          3 injected,    3 ended as promised" in done.said


def test_a_second_process_is_refused(simulated: Simulated, tmp_path: Path) -> None:
    """Whatever takes long and writes into a folder claims it; here the claim of another stands."""
    with locked_folder(tmp_path):
        for work in (
            lambda: train(make_dataset(), tmp_path, CONFIG, NetworkSize(base_channels=2), RunOptions(cpu=True)),
            lambda: train(
                make_dataset(),
                tmp_path,
                CONFIG,
                NetworkSize(base_channels=2),
                RunOptions(cpu=True, resume=True, overwrite=True),
            ),
            lambda: cross_validate(
                make_dataset(), tmp_path, CONFIG, NetworkSize(base_channels=2), FoldOptions(cpu=True), n_jobs=1
            ),
            lambda: prepare(find_jobs(simulated.manifest), tmp_path, simulated.config, n_jobs=1),
        ):
            with pytest.raises(InputError, match="another process writes here"):
                work()
        assert [path.name for path in tmp_path.iterdir()] == [".in_use"]
