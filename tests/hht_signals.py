"""Signals for the references of the transform, identical on every machine: their noise comes from counters.

This module does not use the libraries that the references come from.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from real_recordings import RECORDINGS
from semg_hht.hht.noise import key, numpy_normals

Array = NDArray[np.float64]

N_SIMULATED, N_REAL = 112, 48


def semg_like(n_samples: int, seed: int) -> Array:
    """Band-limited noise like surface EMG at 1000 Hz, in bursts, in millivolts."""
    white = numpy_normals(n_samples + 64, key(seed, 0))
    taps = np.arange(-32, 33)
    window = np.hanning(67)[1:-1]
    band = (0.9 * np.sinc(0.9 * taps) - 0.04 * np.sinc(0.04 * taps)) * window  # 20-450 Hz
    time = np.arange(n_samples) / n_samples
    return np.convolve(white, band, mode="valid") * (0.2 + np.sin(np.pi * (1 + seed % 3) * time) ** 2)


def simulated(index: int) -> Array:
    """Simulated signal number ``index``: band-limited, quantised, with drift, or large."""
    signal = semg_like(64 + 11 * index, 1000 + index)
    if index % 4 == 1:
        signal = np.round(signal * 8)  # coarse counts: plateaus
    elif index % 4 == 2:
        signal = signal + 3 * np.cos(np.arange(signal.size) / 90)
    elif index % 4 == 3:
        signal = 100 * signal
    return signal


def list_recordings() -> list[str]:
    """The recordings of the references, one for each real excerpt; they must be present."""
    paths = []
    for index in range(N_REAL):
        folder = RECORDINGS / ("contraction_intensity" if index % 2 == 0 else "myo_armband")
        files = sorted(path for path in folder.rglob("*.csv") if not path.name.startswith("manifest"))
        paths.append(files[(37 * index) % len(files)].relative_to(RECORDINGS).as_posix())
    return paths


def real(recording: str, index: int) -> Array | None:
    """Excerpt number ``index`` of the recording that the references name for it; None without this file."""
    path = RECORDINGS / recording
    if not path.is_file():
        return None
    has_header = recording.startswith("myo")
    samples = np.loadtxt(path, delimiter=",", skiprows=int(has_header), ndmin=2)  # (n_samples, n_channels)
    excerpt = samples[100 : 100 + 300 + 9 * index, index % 8]
    return np.ascontiguousarray(excerpt) * (1 if has_header else 1000)  # counts are unchanged, volts become millivolts


@pytest.fixture(scope="session")
def real_excerpt(references, recordings_folder):
    """Excerpt of a real recording by its number; without the recordings the test is skipped.

    ``recordings_folder`` marks the tests that use it.
    """

    def excerpt(index):
        signal = real(str(references["recordings"][index]), index)
        if signal is None:
            pytest.skip("no recordings beside the repository")
        return signal

    return excerpt


def probes(rows: Array) -> Array:
    """Twelve evenly spaced samples of each row, both ends included: (n_rows, n_samples) -> (n_rows, 12)."""
    return rows[:, np.linspace(0, rows.shape[1] - 1, 12).astype(np.intp)]
