"""Fixtures for the tests of the web page: visits, a run that answers, and recordings to upload."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page_builders import PageVisitor, page_of
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.manifest import read_manifest
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.web.visit import Visit
from semg_hht.web.visitors import Visitors


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    folder = tmp_path / "visit"
    folder.mkdir()
    return Visit(folder)


@pytest.fixture(scope="module")
def run(simulated_run: Path) -> Run:
    return open_run(simulated_run, cpu=True)


@pytest.fixture
def visitors() -> Iterator[Visitors]:
    with Visitors() as everybody:
        yield everybody


@pytest.fixture
def visitor(visitors: Visitors, run: Run) -> PageVisitor:
    return PageVisitor(page_of(visitors, run))


@pytest.fixture
def curl(simulated: Any, tmp_path: Path) -> Path:
    """A simulated recording of three repetitions whose file states its sampling rate."""
    return Path(
        shutil.copy(simulated.manifest.parent / read_manifest(simulated.manifest)[0].file, tmp_path / "curl.csv")
    )


@pytest.fixture
def angled(tmp_path: Path) -> Path:
    """Four contractions of 1 s in 16 s of one EMG channel in mV at 500 Hz, with the angle of the joint beside it."""
    rng = np.random.default_rng(0)
    time_s = np.arange(8000) / 500
    samples, angle = 0.01 * rng.standard_normal(8000), np.zeros(8000)
    for start, height in ((2, 90), (6, 88), (10, 45), (14, 92)):
        inside = (time_s >= start) & (time_s < start + 1)
        samples[inside] += rng.standard_normal(500)
        angle[inside] = height * np.sin(np.pi * (time_s[inside] - start)) ** 2
    recording = Recording(np.stack([samples, angle + 0.01 * rng.standard_normal(8000)]), 500.0,
                          ("biceps", "angle [deg]"), "mV", "x", ("angle [deg]",))  # fmt: skip
    write_recording(recording, tmp_path / "angled.npz")
    return tmp_path / "angled.npz"
