"""Band-pass, notch, and the detection of mains hum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.signals.filters import (
    FilterConfig,
    Hum,
    effective_band_hz,
    filter_steps,
    find_hum,
    preprocess,
    sections,
)

RATE_HZ = 1000.0
TIME_S = np.arange(4000) / RATE_HZ


EUROPEAN = FilterConfig(mains_hz=50)


def gain(frequency_hz: float, config: FilterConfig = EUROPEAN) -> float:
    """Gain of the filter for a sinusoid, away from the ends."""
    wave = np.sin(2 * np.pi * frequency_hz * TIME_S)
    kept = preprocess(wave[None], RATE_HZ, config)[0, 1000:3000]
    return float(np.sqrt(2 * np.mean(kept**2)))


@pytest.mark.parametrize("frequency_hz", [40, 75, 125, 225, 325])
def test_frequencies_in_the_band_pass(frequency_hz: float) -> None:
    assert_allclose(gain(frequency_hz), 1, atol=0.03)


@pytest.mark.parametrize("frequency_hz", [2, 8, 490])
def test_frequencies_outside_the_band_are_removed(frequency_hz: float) -> None:
    assert gain(frequency_hz) < 0.05


@pytest.mark.parametrize("frequency_hz", [50, 100, 150, 400])
def test_mains_and_harmonics_are_notched(frequency_hz: float) -> None:
    assert gain(frequency_hz) < 0.05
    assert_allclose(gain(frequency_hz, FilterConfig(mains_hz=None)), 1, atol=0.05)


def test_mains_of_60_hz() -> None:
    american = FilterConfig(mains_hz=60)
    assert gain(60, american) < 0.05
    assert gain(120, american) < 0.05
    assert_allclose(gain(50, american), 1, atol=0.05)


@pytest.mark.parametrize("rate_hz", [200.0, 1000.0, 20_000.0])
@pytest.mark.parametrize("value", [31.0, 192.0, 3.3, 1e6, -0.1])
def test_of_a_constant_and_of_a_time_nothing_is_left(value: float, rate_hz: float) -> None:
    constant = np.full(4000, value)
    unix_s = 1.7e9 + np.arange(4000) / rate_hz
    assert not preprocess(np.array([constant, unix_s]), rate_hz, FilterConfig()).any()


def test_the_filters_are_zero_phase() -> None:
    wave = np.sin(2 * np.pi * 80 * TIME_S) * np.hanning(TIME_S.size)
    kept = preprocess(wave[None], RATE_HZ, EUROPEAN)[0]
    lag = np.argmax(np.correlate(kept, wave, "full")) - (TIME_S.size - 1)
    assert_allclose(lag, 0)


def test_channels_are_filtered_separately() -> None:
    samples = np.random.default_rng(0).standard_normal((3, 1000))
    together = preprocess(samples, RATE_HZ, EUROPEAN)
    assert together.shape == samples.shape
    assert_allclose(together[1:2], preprocess(samples[1:2], RATE_HZ, EUROPEAN))


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
    with pytest.raises(InputError, match="mains frequency must be 'auto', a number of Hz or none; got 'american'"):
        FilterConfig(mains_hz="american")  # type: ignore[arg-type]


def test_the_shortest_signal_has_nine_samples() -> None:
    with pytest.raises(InputError, match="expected at least 9 samples to filter; found 8"):
        preprocess(np.ones((1, 8)), RATE_HZ, FilterConfig())
    assert preprocess(np.random.default_rng(0).standard_normal((1, 9)), RATE_HZ, FilterConfig()).shape == (1, 9)


def noise(seed: int, n_channels: int = 1, n_samples: int = 10_000) -> np.ndarray:
    """White noise (n_channels, n_samples) of RMS 1."""
    return np.random.default_rng(seed).standard_normal((n_channels, n_samples))


def hum(mains_hz: float, *harmonics: int, rate_hz: float = RATE_HZ, n_samples: int = 10_000) -> np.ndarray:
    """Sum of sinusoids of RMS 1 at multiples of the mains frequency."""
    t = np.arange(n_samples) / rate_hz
    return np.sqrt(2) * np.sum([np.sin(2 * np.pi * k * mains_hz * t + k) for k in harmonics], axis=0)


@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("harmonics", [(1,), (1, 3), (2,), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("rate_hz", [1000.0, 2148.148])
def test_mains_and_harmonics_are_detected(mains_hz: float, harmonics: tuple[int, ...], rate_hz: float) -> None:
    samples = noise(0, 2) + 0.3 * hum(1.0005 * mains_hz, *harmonics, rate_hz=rate_hz)
    assert find_hum(samples, rate_hz) == Hum(mains_hz, tuple(k * mains_hz for k in harmonics))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n_samples", [500, 1000, 3000, 10_000])
def test_noise_has_no_hum(seed: int, n_samples: int) -> None:
    assert find_hum(noise(seed, n_samples=n_samples), RATE_HZ) is None


def test_none_of_sixty_pieces_of_noise_has_hum() -> None:
    assert not any(find_hum(noise(seed, n_samples=3000), RATE_HZ) for seed in range(60))


def test_another_line_near_50_hz_does_not_hide_the_hum() -> None:
    assert find_hum(noise(0) + 0.5 * hum(50, 1) + 5 * hum(57, 1), RATE_HZ).mains_hz == 50


def test_the_detection_needs_half_a_second() -> None:
    assert find_hum(noise(0, n_samples=500) + 5 * hum(60, 1, n_samples=500), RATE_HZ).mains_hz == 60
    assert find_hum(noise(0, n_samples=499) + 5 * hum(60, 1, n_samples=499), RATE_HZ) is None


@pytest.mark.parametrize("frequency_hz", [30, 47, 55, 70, 130])
def test_a_line_at_another_frequency_is_not_hum(frequency_hz: float) -> None:
    assert find_hum(noise(0) + hum(frequency_hz, 1), RATE_HZ) is None


def test_300_hz_is_a_harmonic_of_both_and_identifies_neither() -> None:
    assert find_hum(noise(0) + hum(300, 1), RATE_HZ) is None
    assert find_hum(noise(0) + hum(60, 1, 5), RATE_HZ) == Hum(60, (60, 300))


def test_bursts_do_not_hide_the_hum_at_rest() -> None:
    burst = np.where(np.arange(10_000) // 2500 % 2, 30.0, 1.0)  # two of four stretches are 30 times stronger
    assert find_hum(noise(0) * burst + 0.3 * hum(50, 1), RATE_HZ).mains_hz == 50


@pytest.mark.parametrize("samples", [np.zeros((2, 3000)), np.full((1, 3000), 0.1), np.ones((1, 499))])
def test_constant_and_short_recordings_have_no_hum(samples: np.ndarray) -> None:
    assert find_hum(samples, RATE_HZ) is None


def test_a_rate_too_low_for_the_mains_gives_no_hum() -> None:
    assert find_hum(noise(0), 100) is None


@settings(max_examples=20)
@given(st.floats(1e-9, 1e9), st.floats(-1e3, 1e3))
def test_units_and_offset_do_not_matter(factor: float, offset: float) -> None:
    samples = noise(0, n_samples=3000) + hum(60, 1, 3, n_samples=3000)
    assert find_hum(factor * (samples + offset), RATE_HZ) == Hum(60, (60, 180))


def test_auto_removes_the_hum_and_nothing_else() -> None:
    samples = noise(0) + hum(60, 1)
    steps = filter_steps(samples, RATE_HZ, FilterConfig())
    assert [name for name, _ in steps] == ["raw", "band-pass 20-450 Hz", "notch 60 Hz"]
    without = preprocess(noise(0), RATE_HZ, FilterConfig(mains_hz=None))
    assert np.sum((steps[1][1] - without) ** 2) > 0.9 * samples.size
    assert np.sum((steps[2][1] - without) ** 2) < 0.02 * samples.size
    assert_array_equal(preprocess(noise(0), RATE_HZ, FilterConfig()), without)


def test_only_lines_inside_the_band_are_notched() -> None:
    steps = filter_steps(noise(0) + hum(60, 1), RATE_HZ, FilterConfig((100, 450)))
    assert [name for name, _ in steps] == ["raw", "band-pass 100-450 Hz"]
    steps = filter_steps(noise(0) + hum(60, 1, 3), RATE_HZ, FilterConfig((20, 150)))
    assert [name for name, _ in steps] == ["raw", "band-pass 20-150 Hz", "notch 60 Hz"]


def test_a_given_mains_frequency_is_always_notched() -> None:
    steps = filter_steps(noise(0), RATE_HZ, FilterConfig((20, 170), 50))
    assert [name for name, _ in steps] == ["raw", "band-pass 20-170 Hz", "notch 50, 100, 150 Hz"]


def test_the_sections_of_one_pass_have_the_gain_of_both_when_squared() -> None:
    lines_hz = [50.0, 75.0, 150.0, 225.0]
    response = np.abs(scipy.signal.sosfreqz(sections(EUROPEAN, RATE_HZ, 50.0), lines_hz, fs=RATE_HZ)[1]) ** 2
    assert_allclose(response, [0, 1, 0, 1], atol=0.03)
    assert len(sections(FilterConfig((20, 170)), RATE_HZ, 50.0)) == len(sections(FilterConfig(), RATE_HZ, None)) + 3


@pytest.mark.parametrize("config", [FilterConfig(), EUROPEAN, FilterConfig(mains_hz=None), FilterConfig(ecg=True)])
def test_preprocess_is_the_last_step(config: FilterConfig) -> None:
    samples = noise(0, 2) + hum(50, 1, 3)
    steps = filter_steps(samples, RATE_HZ, config)
    assert_array_equal(steps[0][1], samples)
    assert all(step.shape == samples.shape for _, step in steps)
    assert_array_equal(steps[-1][1], preprocess(samples, RATE_HZ, config))


@pytest.mark.parametrize("mains_hz", [50.0, 50.05, 49.95])
def test_a_notch_does_not_ring_at_the_ends(mains_hz: float) -> None:
    """Hum reflected at an end would change its phase: the amplitude there would be 3.4 times that of the middle."""
    rng = np.random.default_rng(0)
    time_s = np.arange(3000) / 1000
    hum = 20 * np.sin(2 * np.pi * mains_hz * time_s + rng.uniform(0, 6, (20, 1)))
    clean = preprocess(2 * rng.standard_normal((20, 3000)) + hum, 1000.0, FilterConfig((20, 450), 50.0))
    middle = np.std(clean[:, 1000:2000])
    assert np.std(clean[:, :200]) < 1.35 * middle
    assert np.std(clean[:, -200:]) < 1.35 * middle


@pytest.mark.parametrize("mains_hz", [None, 50.0])
def test_the_last_step_alone_is_the_last_of_all_steps(mains_hz: float | None) -> None:
    samples, config = noise(0), FilterConfig(mains_hz=mains_hz)
    ((name, alone),) = filter_steps(samples, RATE_HZ, config, keep=False)
    last_name, last = filter_steps(samples, RATE_HZ, config)[-1]
    assert name == last_name
    assert np.array_equal(alone, last)
