"""Fixtures that several test files use: simulated people, prepared matrices and one small trained run.

It also marks every test whose outcome depends on the real recordings beside the repository (marker ``recordings``).
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# Before NumPy is imported: threads of OpenBLAS would wait for each other. Child processes inherit the variable.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import scipy.special  # noqa: F401 - before torch, see semg_hht.learning
import torch

from builders import make_dataset
from evaluation_builders import evaluated, protocol
from fault_injection import Inputs
from real_recordings import real_data, recordings_folder  # noqa: F401 - fixtures
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.datasets.simulated import write_simulation
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, Result, RunOptions, train
from semg_hht.matrices.transform import PipelineConfig, configure
from semg_hht.signals.simulate import SimulationConfig

REPOSITORY = Path(__file__).resolve().parent.parent
# `make test` runs two test processes; more threads would compete for the cores. Child processes inherit the variables.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"
# Each process that a test starts would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Temporary files in memory: finished files are flushed to the disk, which takes longer than most tests.
IN_MEMORY, NEEDED_BYTES = Path("/dev/shm"), 4 * 2**30
if "TMPDIR" not in os.environ and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > NEEDED_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

TINY = TrainingConfig(epochs=2, batch_size=4, learning_rate=1e-3)


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
    folder = tmp_path_factory.mktemp("simulated")
    config = configure(band_hz=(20.0, 200.0))
    manifest = write_simulation(folder / "recordings", SimulationConfig(4, n_repetitions=1, rate_hz=500.0), seed=1)
    done = prepare(find_jobs(manifest), folder / "prepared", config, n_jobs=1)
    return Simulated(manifest, done.folder / "hht_matrices", done.manifest, config)


@pytest.fixture(scope="session")
def simulated_run(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run trained on the matrices of the simulated people. Tests may read it but not write into it."""
    folder = tmp_path_factory.mktemp("simulated_run") / "run"
    train(load_folder(simulated.matrices), folder, TINY, NetworkSize(base_channels=2), RunOptions(cpu=True))
    return folder


@pytest.fixture(scope="session")
def inputs(simulated: Simulated, simulated_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """The input of every command, for the fault tests."""
    evaluation = evaluated(tmp_path_factory.mktemp("evaluated") / "evaluation", loso=protocol("loso"))
    return Inputs(simulated.manifest, simulated.matrices, simulated_run, evaluation)


@pytest.fixture(scope="session")
def tiny_result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A tiny run trained on random matrices, with unlabelled files and periodic checkpoints. Tests may only read it."""
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
