"""signals/filters.py: band-pass and notch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.signals.filters import FilterConfig, effective_band_hz, preprocess

RATE_HZ = 1000.0
TIME_S = np.arange(4000) / RATE_HZ


def gain(frequency_hz: float, config: FilterConfig | None = None) -> float:
    """Amplitude that a sinusoid of amplitude 1 keeps, away from the ends."""
    wave = np.sin(2 * np.pi * frequency_hz * TIME_S)
    kept = preprocess(wave[None], RATE_HZ, config or FilterConfig())[0, 1000:3000]
    return float(np.sqrt(2 * np.mean(kept**2)))


@pytest.mark.parametrize("frequency_hz", [40, 75, 125, 225, 325])
def test_the_band_passes(frequency_hz: float) -> None:
    assert_allclose(gain(frequency_hz), 1, atol=0.03)


@pytest.mark.parametrize("frequency_hz", [2, 8, 490])
def test_what_lies_outside_is_stopped(frequency_hz: float) -> None:
    assert gain(frequency_hz) < 0.05


@pytest.mark.parametrize("frequency_hz", [50, 100, 150, 400])
def test_mains_and_harmonics_are_notched(frequency_hz: float) -> None:
    assert gain(frequency_hz) < 0.05
    assert_allclose(gain(frequency_hz, FilterConfig(mains_hz=None)), 1, atol=0.05)


def test_other_mains() -> None:
    american = FilterConfig(mains_hz=60)
    assert gain(60, american) < 0.05
    assert gain(120, american) < 0.05
    assert_allclose(gain(50, american), 1, atol=0.05)


def test_the_filters_shift_no_phase() -> None:
    wave = np.sin(2 * np.pi * 80 * TIME_S) * np.hanning(TIME_S.size)
    kept = preprocess(wave[None], RATE_HZ, FilterConfig())[0]
    lag = np.argmax(np.correlate(kept, wave, "full")) - (TIME_S.size - 1)
    assert_allclose(lag, 0)


def test_channels_are_filtered_on_their_own() -> None:
    samples = np.random.default_rng(0).standard_normal((3, 1000))
    together = preprocess(samples, RATE_HZ, FilterConfig())
    assert together.shape == samples.shape
    assert_allclose(together[1:2], preprocess(samples[1:2], RATE_HZ, FilterConfig()))


def test_the_band_is_clipped_below_nyquist() -> None:
    assert_allclose(effective_band_hz(FilterConfig(), 1000), (20, 450))
    assert_allclose(effective_band_hz(FilterConfig(), 200), (20, 95))
    samples = np.random.default_rng(0).standard_normal((1, 400))
    assert np.all(np.isfinite(preprocess(samples, 200, FilterConfig())))


def test_a_band_above_the_rate_is_refused() -> None:
    with pytest.raises(InputError, match=r"band 200-450 Hz needs a rate above 421\.053 Hz; the recording has 200 Hz"):
        effective_band_hz(FilterConfig((200, 450)), 200)


@pytest.mark.parametrize("band_hz", [(450.0, 20.0), (0.0, 450.0), (20.0, 20.0), (-5.0, 10.0)])
def test_an_empty_band_is_refused(band_hz: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="Hz is empty; expected 0 < low < high"):
        FilterConfig(band_hz)


def test_mains_must_be_a_frequency() -> None:
    with pytest.raises(InputError, match="mains frequency must be above 0 Hz; got -50"):
        FilterConfig(mains_hz=-50)


def test_too_short_a_signal_is_refused_and_the_shortest_works() -> None:
    with pytest.raises(InputError, match="expected at least 9 samples to filter; found 8"):
        preprocess(np.ones((1, 8)), RATE_HZ, FilterConfig())
    assert preprocess(np.random.default_rng(0).standard_normal((1, 9)), RATE_HZ, FilterConfig()).shape == (1, 9)
