"""Sections and filters are those of SciPy, bit for bit on processors whose SciPy fuses no multiplication with a sum."""

from __future__ import annotations

import platform

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from semg_hht.hht import kernel
from semg_hht.signals.sections import band_pass, filter_both_ways, notch, steady_state

RATES_HZ = (200.0, 1000.0, 1925.93, 2000.0, 2048.0, 10000.0)
BANDS_HZ = ((20.0, 450.0), (20.0, 95.0), (5.0, 40.0), (60.0, 61.0), (0.5, 99.0), (49.0, 51.0))


def assert_equal(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    if platform.machine() in ("x86_64", "AMD64"):
        assert_array_equal(found, expected)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("order", [2, 4, 6])
def test_the_band_pass_is_that_of_scipy(rate_hz: float, order: int) -> None:
    for band_hz in ((low, min(high, 0.475 * rate_hz)) for low, high in BANDS_HZ):
        expected = scipy.signal.butter(order, band_hz, "bandpass", fs=rate_hz, output="sos")
        assert_equal(band_pass(order, band_hz, rate_hz), expected)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_notch_is_that_of_scipy(rate_hz: float) -> None:
    for line_hz in (0.7, 3.3, *np.arange(50, 0.45 * rate_hz, 50), *np.arange(60, 0.45 * rate_hz, 60)):
        expected = scipy.signal.tf2sos(*scipy.signal.iirnotch(line_hz, line_hz / 2.0, fs=rate_hz))
        assert_equal(notch(line_hz, 2.0, rate_hz), expected)


def sections() -> NDArray[np.float64]:
    return np.concatenate([band_pass(4, (20.0, 450.0), 1000.0), *(notch(hz, 2.0, 1000.0) for hz in (50, 150, 250))])


def test_the_steady_state_is_that_of_scipy() -> None:
    assert_equal(steady_state(sections()), scipy.signal.sosfilt_zi(sections()))


@pytest.mark.parametrize("n_channels", [1, 3, 4, 9])
@pytest.mark.parametrize("compiled", [True, False])
def test_filtering_both_ways_is_that_of_scipy(n_channels: int, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(kernel, "compiled", None)
        monkeypatch.setattr(kernel, "_warned", True)
    samples = 100 * np.random.default_rng(0).standard_normal((n_channels, 3001)) + 3
    before = samples.copy()
    expected = scipy.signal.sosfiltfilt(sections(), samples, padtype=None)
    assert_equal(filter_both_ways(sections(), samples), expected)
    assert_array_equal(samples, before)


@pytest.mark.skipif(kernel.compiled is None, reason="the kernel was not built")
@pytest.mark.parametrize("n_samples", [0, 11])
def test_the_kernel_refuses_shapes_that_do_not_fit(n_samples: int) -> None:
    assert kernel.compiled is not None
    with pytest.raises(ValueError):
        kernel.compiled.filter(np.zeros((1, 10)), sections(), np.zeros((1, 7, 2)), 1, n_samples, 7, False)
