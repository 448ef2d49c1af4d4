"""Synthetic signals for the tests of signals/ and hht/."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

TIME_S = np.arange(600) / 1000
# A slow tone, joined by a fast one in the second half.
TONES = np.sin(2 * np.pi * 120 * TIME_S) * (TIME_S > 0.3) + np.sin(2 * np.pi * 30 * TIME_S)


def smooth_noise(n_samples: int, seed: int = 0, n_smoothed: int = 1) -> np.ndarray:
    """White noise (n_samples,) after a moving average of ``n_smoothed`` samples."""
    white = np.random.default_rng(seed).standard_normal(n_samples + n_smoothed - 1)
    return np.convolve(white, np.ones(n_smoothed) / n_smoothed, mode="valid")


def bursts(*spans_s: tuple[float, float, float], duration_s: float = 12.0, n_channels: int = 1) -> np.ndarray:
    """White noise of RMS 1 at 1000 Hz, (n_channels, n_samples), louder in spans of (start_s, stop_s, amplitude)."""
    samples = np.random.default_rng(5).standard_normal((n_channels, round(duration_s * 1000)))
    for start_s, stop_s, amplitude in spans_s:
        samples[:, round(start_s * 1000) : round(stop_s * 1000)] *= amplitude
    return samples


# Strategies of hypothesis: noise of any length, smoothness and unit; and counts of a coarse converter.
signals = st.builds(
    lambda seed, n_samples, n_smoothed, scale: scale * smooth_noise(n_samples, seed, n_smoothed),
    st.integers(0, 2**32 - 1),
    st.integers(8, 400),
    st.sampled_from([1, 1, 2, 5, 20]),
    st.sampled_from([1.0, 1e-6, 1e5]),
)
counts = hnp.arrays(np.int16, st.integers(8, 200), elements=st.integers(-4, 4)).filter(lambda x: np.ptp(x) > 0)
