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


def columns_without_muscle(muscle: np.ndarray, rate_hz: float) -> dict[str, np.ndarray]:
    """Other columns that stand beside a muscle (n_samples,) in a table, as they are before filtering."""
    time_s = np.arange(muscle.size) / rate_hz
    label = np.floor(time_s / 1.7) % 2 * 3
    trigger = 5.0 * (time_s % 2.1 < 0.05)
    open_once = (time_s > 0.3 * time_s[-1]) & (time_s < 0.55 * time_s[-1])
    return {
        **{f"constant {value:g}": np.full(muscle.size, value) for value in (31, 192, 3.3, 1e6, -0.1)},
        "label": label,
        "trigger": trigger,
        "counts of a trigger": np.round(200 * trigger + np.random.default_rng(1).standard_normal(muscle.size)),
        "ramp": 1000 * time_s,
        "unix seconds": 1.7e9 + time_s,
        "counter": np.arange(muscle.size) % 256.0,
        "gated copy": muscle * (label > 0),
        "copy of a while": muscle * open_once,
        "hum": 20 * np.sin(2 * np.pi * 50 * time_s + 1),
    }


# Strategies of hypothesis: noise of any length, smoothness and unit; and counts of a coarse converter.
signals = st.builds(
    lambda seed, n_samples, n_smoothed, scale: scale * smooth_noise(n_samples, seed, n_smoothed),
    st.integers(0, 2**32 - 1),
    st.integers(8, 400),
    st.sampled_from([1, 1, 2, 5, 20]),
    st.sampled_from([1.0, 1e-6, 1e5]),
)
counts = hnp.arrays(np.int16, st.integers(8, 200), elements=st.integers(-4, 4)).filter(lambda x: np.ptp(x) > 0)
