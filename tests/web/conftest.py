"""Fixtures for the tests of the web page: an empty visit, a run that answers, and recordings to upload."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from page_builders import N_SAMPLES
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.manifest import read_manifest
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.web.visit import Visit


@pytest.fixture(scope="module")
def client(repository: Path) -> Iterator[ModuleType]:
    """benchmarks/app.py, which sends the same requests as a browser."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("app")


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    folder = tmp_path / "visit"
    folder.mkdir()
    return Visit(folder, language="en")


@pytest.fixture(scope="module")
def run(simulated_run: Path) -> Run:
    return open_run(simulated_run, cpu=True)


@pytest.fixture
def curl(simulated: Any, tmp_path: Path) -> Path:
    """A simulated recording of three repetitions whose file states its sampling rate."""
    return Path(
        shutil.copy(simulated.manifest.parent / read_manifest(simulated.manifest)[0].file, tmp_path / "curl.csv")
    )


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """A recording of 2.4 MB: two contractions with rest around them."""
    rng = np.random.default_rng(0)
    samples = 0.01 * rng.standard_normal((1, N_SAMPLES))
    for start in (50_000, 150_000):
        samples[:, start : start + 3000] += rng.standard_normal((1, 3000))
    write_recording(Recording(samples, 1000.0, ("biceps",), "mV", "long"), tmp_path / "long.npz")
    return tmp_path / "long.npz"
