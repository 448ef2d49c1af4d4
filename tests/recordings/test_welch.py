"""welch.py: the spectrum is SciPy's, bit for bit, and the powers of the windows are to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose

from semg_hht.recordings.welch import WINDOWS_AT_ONCE, welch, window_powers


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


@pytest.mark.parametrize("n_window", [16, 63, 500])
def test_the_windows_are_those_of_scipy(n_window: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 1000)) + 1
    expected_hz, _, expected = scipy.signal.spectrogram(x, 200.0, "hann", n_window, n_window // 2, detrend="constant")
    found_hz, found = window_powers(x, 200.0, n_window)
    assert np.array_equal(found_hz, expected_hz)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
