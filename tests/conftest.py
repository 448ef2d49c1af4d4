"""Fixtures that several test files use: simulated people, prepared matrices and one small trained run.

It also marks every test whose outcome depends on the real recordings beside the repository (marker ``recordings``).
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# `make test` runs two test processes; more threads would compete for the cores. NumPy and torch read the variables when
# they are imported, and child processes inherit them.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import scipy.special  # noqa: F401 - before torch, see semg_hht.learning

from real_recordings import real_data, recordings_folder  # noqa: F401 - fixtures

# The fixtures import the package, not this file: `make test` loads it in a process that only hands out the tests, too.
if TYPE_CHECKING:
    from fault_injection import Inputs
    from semg_hht.learning.train import Result
    from semg_hht.matrices.transform import PipelineConfig

REPOSITORY = Path(__file__).resolve().parent.parent
# Each process that a test starts would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Temporary files in memory: finished files are flushed to the disk, which takes longer than most tests.
IN_MEMORY, NEEDED_BYTES = Path("/dev/shm"), 4 * 2**30
if "TMPDIR" not in os.environ and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > NEEDED_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

# Until the tests begin: what is imported stays, and looking for what of it could be freed takes a second.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Search for garbage from now on, but not in what was imported."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the real recordings, directly or through a fixture."""
    for item in items:
        if isinstance(item, pytest.Function) and "recordings_folder" in item.fixturenames:
            item.add_marker("recordings")


@pytest.fixture(autouse=True)
def library_log() -> Iterator[None]:
    """The command line changes the library's logger; restore it after each test."""
    logger = logging.getLogger("semg_hht")
    before = logger.handlers[:], logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    yield
    logger.handlers[:], logger.level, logger.propagate = before[0], before[1], before[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@dataclass(frozen=True)
class Simulated:
    """Four simulated people, three repetitions each, at 500 Hz."""

    manifest: Path
    matrices: Path
    prepared_manifest: Path
    config: PipelineConfig


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    from semg_hht.datasets.find_inputs import find_jobs
    from semg_hht.datasets.prepare import prepare
    from semg_hht.datasets.simulated import write_simulation
    from semg_hht.matrices.transform import configure
    from semg_hht.signals.simulate import SimulationConfig

    folder = tmp_path_factory.mktemp("simulated")
    config = configure(band_hz=(20.0, 200.0))
    manifest = write_simulation(folder / "recordings", SimulationConfig(4, n_repetitions=1, rate_hz=500.0), seed=1)
    done = prepare(find_jobs(manifest), folder / "prepared", config, n_jobs=1)
    return Simulated(manifest, done.folder / "hht_matrices", done.manifest, config)


@pytest.fixture(scope="session")
def simulated_run(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run trained on the matrices of the simulated people. Tests may read it but not write into it."""
    from builders import TINY
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    folder = tmp_path_factory.mktemp("simulated_run") / "run"
    train(load_folder(simulated.matrices), folder, TINY, NetworkSize(base_channels=2), RunOptions(cpu=True))
    return folder


@pytest.fixture(scope="session")
def inputs(simulated: Simulated, simulated_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """The input of every command, for the fault tests."""
    from evaluation_builders import evaluated, protocol
    from fault_injection import Inputs

    evaluation = evaluated(tmp_path_factory.mktemp("evaluated") / "evaluation", loso=protocol("loso"))
    return Inputs(simulated.manifest, simulated.matrices, simulated_run, evaluation)


@pytest.fixture(scope="session")
def tiny_result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A tiny run trained on random matrices, with unlabelled files and periodic checkpoints. Tests may only read it."""
    from builders import make_dataset
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    folder = tmp_path_factory.mktemp("tiny") / "run"
    config = TrainingConfig(epochs=3, batch_size=8, learning_rate=1e-3, checkpoint_every=2)
    return train(make_dataset(n_unlabelled=2), folder, config, NetworkSize(base_channels=2), RunOptions(cpu=True))


@pytest.fixture
def tiny_copy(tiny_result: Result, tmp_path: Path) -> Path:
    """A copy of the tiny run that a test may damage."""
    return Path(shutil.copytree(tiny_result.folder, tmp_path / "run"))


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """The folder of an evaluation by two protocols with random answers."""
    from evaluation_builders import evaluated, protocol

    return evaluated(tmp_path / "evaluation", loso=protocol("loso"), random=protocol("random", seed=9))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB; mounting it needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
