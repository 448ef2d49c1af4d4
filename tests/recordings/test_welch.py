"""welch.py: the spectrum is SciPy's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from semg_hht.recordings.welch import WINDOWS_AT_ONCE, welch


@pytest.mark.parametrize(
    ("shape", "n_window"),
    [((1000,), 63), ((2, 777), 64), ((3, 500), 500), ((2, 100 * WINDOWS_AT_ONCE), 250), ((5,), 1)],
)
@pytest.mark.parametrize("rate_hz", [200.0, 2148.1481])
def test_the_spectrum_is_that_of_scipy(shape: tuple[int, ...], n_window: int, rate_hz: float) -> None:
    x = 1e-4 * np.random.default_rng(0).normal(size=shape) + 1
    expected_hz, expected = scipy.signal.welch(x, rate_hz, "hann", n_window, detrend="constant")
    found_hz, found = welch(x, rate_hz, n_window)
    assert np.array_equal(found_hz, expected_hz)
    assert np.array_equal(found, expected)
