"""Amplitude and frequency of signals for which both are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.hht import analytic_signal, emd, instantaneous

RATE_HZ = 1000.0


@pytest.mark.parametrize("n_samples", [200, 201])
def test_the_analytic_signal_has_no_negative_frequencies(n_samples):
    x = np.random.default_rng(0).standard_normal((2, n_samples))
    z = analytic_signal(x)
    assert_allclose(z.real, x, rtol=0, atol=1e-12)
    assert_allclose(np.fft.fft(z)[:, n_samples // 2 + 1 :], 0, atol=1e-9)


def test_amplitude_and_frequency_of_a_tone():
    time_s = np.arange(1000) / RATE_HZ
    amplitude, frequency_hz = instantaneous(np.stack([np.cos(2 * np.pi * 50 * time_s)] * 2) * [[1], [3]], RATE_HZ)
    assert_allclose(amplitude, [[1] * 1000, [3] * 1000], rtol=1e-9)
    assert_allclose(frequency_hz, 50, rtol=1e-9)  # up to both ends: the tone has a whole number of periods


def test_am_fm_signal_within_six_percent():
    time_s = np.arange(4000) / RATE_HZ
    true_hz = 120 + 30 * np.cos(2 * np.pi * time_s)
    true_amplitude = 1 + 0.3 * np.sin(2 * np.pi * 0.7 * time_s)
    x = true_amplitude * np.sin(2 * np.pi * 120 * time_s + 30 * np.sin(2 * np.pi * time_s))
    amplitude, frequency_hz = instantaneous(emd(x)[:1], RATE_HZ)
    inner = slice(200, -200)
    assert_allclose(frequency_hz[0, inner], true_hz[inner], rtol=0.06)
    assert_allclose(amplitude[0, inner], true_amplitude[inner], rtol=0.06)
