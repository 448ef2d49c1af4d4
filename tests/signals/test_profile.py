"""profile.py: power in bands and in parts of a repetition."""

from __future__ import annotations

import numpy as np
import pytest

from semg_hht.signals.profile import N_BANDS, N_PARTS, power_profile

BAND_HZ = (20.0, 450.0)


def noise(n_samples: int, n_channels: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_channels, n_samples))


def test_a_sine_lies_in_its_band() -> None:
    t = np.arange(2000) / 1000
    profile = power_profile(np.sin(2 * np.pi * np.array([[30.0], [300.0]]) * t), 1000, BAND_HZ)
    edges_hz = np.geomspace(*BAND_HZ, N_BANDS + 1)
    expected = [int(np.searchsorted(edges_hz, hz)) - 1 for hz in (30.0, 300.0)]
    assert profile[:, :N_BANDS].argmax(axis=1).tolist() == expected


def test_a_burst_lies_in_its_part() -> None:
    samples = 0.01 * noise(1200)
    samples[0, 300:400] *= 100
    parts = power_profile(samples, 1000, BAND_HZ)[:, N_BANDS:]
    assert parts.shape == (2, N_PARTS)
    assert parts[0].argmax() == 3
    assert np.ptp(parts[1]) < 1


def test_a_factor_shifts_all_numbers() -> None:
    samples = noise(900)
    difference = power_profile(10 * samples, 1000, BAND_HZ) - power_profile(samples, 1000, BAND_HZ)
    assert np.allclose(difference, np.log(100))


def test_bands_add_up_to_the_power_whatever_the_rate() -> None:
    for rate_hz in (1000, 2000, 5000):
        samples = noise(2 * rate_hz, seed=rate_hz)
        bands = np.exp(power_profile(samples, rate_hz, (1.0, rate_hz / 2))[:, :N_BANDS]).sum(axis=1)
        assert bands == pytest.approx((samples**2).mean(axis=1), rel=0.1)


@pytest.mark.parametrize("samples", [np.zeros((1, 40)), noise(16, 1)], ids=["silence", "few samples"])
def test_silence_and_few_samples_have_finite_numbers(samples: np.ndarray) -> None:
    assert np.isfinite(power_profile(samples, 1000, BAND_HZ)).all()
