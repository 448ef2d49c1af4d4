"""density.py: a matrix depends neither on the sampling rate nor on the duration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.hht import HilbertSpectrum, hilbert_spectrum
from semg_hht.matrices.density import DensityConfig, power_density
from semg_hht.matrices.scaling import scale_power


def muscle(duration_s: float, rate_hz: float, seed: int) -> np.ndarray:
    """Noise with the spectrum of surface EMG, 100 uV RMS; the same signal at every rate."""
    n_samples = round(duration_s * rate_hz)
    frequency_hz = np.arange(round(20 * duration_s), round(450 * duration_s)) / duration_s
    amplitude = 1 / np.sqrt((1 + (40 / frequency_hz) ** 4) * (1 + (frequency_hz / 150) ** 4))
    rng = np.random.default_rng(seed)
    lines = amplitude * (rng.standard_normal(amplitude.size) + 1j * rng.standard_normal(amplitude.size))
    spectrum = np.zeros(n_samples // 2 + 1, complex)
    spectrum[round(20 * duration_s) :][: lines.size] = lines
    x = np.fft.irfft(spectrum, n_samples)
    return np.asarray(100 * x / x.std())


def density(spectrum: HilbertSpectrum) -> np.ndarray:
    return power_density(spectrum.power, spectrum.time_s, DensityConfig())


def mean_value(duration_s: float, rate_hz: float, n_signals: int, scaling: str = "log") -> float:
    """Mean of the matrices of several signals."""
    means = []
    for seed in range(n_signals):
        spectrum = hilbert_spectrum(muscle(duration_s, rate_hz, seed), rate_hz, n_threads=1)
        means.append(scale_power(density(spectrum), scaling).mean())
    return float(np.mean(means))


def test_the_mean_value_is_the_same_from_1_to_10_khz() -> None:
    """Without the density it is 0.41, 0.61, 0.64, 0.86 and 1.21."""
    means = [mean_value(2, rate_hz, 3) for rate_hz in (1000, 2000, 2148, 4000, 10000)]
    assert_allclose(means, np.mean(means), rtol=0.02)


def test_the_mean_value_is_the_same_from_half_a_second_to_ten() -> None:
    """Without the density it is 0.17, 0.27, 0.40, 0.73 and 1.09."""
    means = [mean_value(duration_s, 1000, round(16 / duration_s)) for duration_s in (0.5, 1, 2, 5, 10)]
    assert_allclose(means, np.mean(means), rtol=0.02)


def test_the_same_signal_at_another_rate_has_the_same_matrix() -> None:
    first, second = (
        np.log1p(density(hilbert_spectrum(muscle(2, rate_hz, 0), rate_hz))).ravel() for rate_hz in (1000, 4000)
    )
    assert np.corrcoef(first, second)[0, 1] > 0.93


def test_power_is_kept_and_an_even_power_stays_even() -> None:
    rng = np.random.default_rng(0)
    power = rng.random((256, 256)) * (rng.random((256, 256)) < 0.1)
    for duration_s in (0.05, 0.5, 3, 60):
        time_s = duration_s * (np.arange(256) + 0.5) / 256
        smooth = power_density(power, time_s, DensityConfig())
        assert smooth.dtype == np.float32
        assert_allclose(smooth.sum(), power.sum(), rtol=1e-5)
        assert smooth.min() >= 0
        assert_allclose(power_density(np.ones((256, 256)), time_s, DensityConfig()), 1, rtol=0.02)


@pytest.mark.parametrize("duration_s", [0.4, 2.0, 10.0])
def test_one_cell_becomes_a_gaussian_of_the_stated_widths(duration_s: float) -> None:
    time_s = duration_s * (np.arange(256) + 0.5) / 256
    power = np.zeros((256, 256))
    power[130, 120] = 1
    smooth = power_density(power, time_s, DensityConfig(0.03, 6.0))
    for axis, values, width in ((1, np.arange(256), 6.0), (0, time_s, 0.03)):
        share = smooth.sum(axis=axis)
        centre = (share * values).sum() / share.sum()
        assert_allclose(np.sqrt((share * (values - centre) ** 2).sum() / share.sum()), width, rtol=0.05)
    # The centre is off by less than half a block of pooled cells, which is at most the kernel's width.
    assert abs(centre - time_s[120]) < 0.016


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_a_width_that_is_not_positive_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match=r"time_s of the density must be a width above 0; got"):
        DensityConfig(time_s=width)
    with pytest.raises(ValueError, match="rows of the density"):
        DensityConfig(rows=width)


def test_the_benchmark_prints_the_means(repository: Path) -> None:
    command = [sys.executable, str(repository / "benchmarks" / "rates.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if "Hz" in line]
    assert [row[1].strip() for row in rows] == ["2 s, 1000 Hz", "2 s, 4000 Hz", "0.5 s, 1000 Hz", "2 s, 1000 Hz"]
    assert float(rows[1][2]) > 1.5 * float(rows[0][2])
    assert abs(float(rows[1][3]) / float(rows[0][3]) - 1) < 0.05
