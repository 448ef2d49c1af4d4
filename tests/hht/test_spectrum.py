"""The Hilbert spectrum: frequencies of known signals, conservation of energy, and the compiled grid against NumPy."""

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.hht import (
    DECOMPOSITIONS,
    SpectrumConfig,
    emd,
    hilbert_spectra,
    hilbert_spectrum,
    imf_powers,
    instantaneous,
    kernel,
)
from semg_hht.hht.spectrum import LARGE_PAGE, accumulate, fast_length, power_on_grid

RATE_HZ = 1000.0
BAND_HZ = (20.0, 450.0)


def seconds(n_samples):
    return np.arange(n_samples) / RATE_HZ


def mean_frequency(spectrum):
    """(256,) power-weighted frequency of each time bin."""
    return spectrum.frequency_hz @ spectrum.power / spectrum.power.sum(axis=0)


def assert_grid_is_numpy(imfs, band_hz):
    power, dropped = power_on_grid(imfs, RATE_HZ, band_hz)
    expected, expected_dropped = accumulate(*instantaneous(imfs, RATE_HZ), band_hz)
    assert_allclose(power, expected, rtol=0, atol=1e-10 * expected.max())
    assert abs(dropped - expected_dropped) < 1e-12


class TestKnownSignals:
    @pytest.mark.parametrize("hz", [30.0, 100.0, 200.0])
    def test_tone(self, hz):
        spectrum = hilbert_spectrum(2 * np.sin(2 * np.pi * hz * seconds(2000)), RATE_HZ)
        # Bins are 1.7 Hz wide. Above a quarter of the rate an extremum has too few samples for an accurate envelope.
        assert_allclose(mean_frequency(spectrum)[16:-16], hz, atol=2.0)
        assert_allclose(spectrum.power.sum(axis=0)[16:-16], 2.0, rtol=0.02)  # amplitude 2: mean square 2

    def test_chirp_within_four_hertz(self):
        time_s = seconds(4000)
        true_hz = 40 + 50 * time_s
        spectrum = hilbert_spectrum(np.sin(2 * np.pi * (40 + 25 * time_s) * time_s), RATE_HZ)
        expected_hz = np.interp(spectrum.time_s, time_s, true_hz)
        assert np.abs(mean_frequency(spectrum) - expected_hz)[16:-16].max() < 4.0


class TestGrid:
    @pytest.mark.parametrize("n_samples", [8, 9, 100, 127, 255, 256, 257, 509, 640, 847, 1000, 1001, 1013, 2187, 3125])
    def test_compiled_is_numpy(self, build, n_samples):
        rng = np.random.default_rng(n_samples)
        for n_imfs in (1, 2, 7, 8, 9):
            assert_grid_is_numpy(rng.standard_normal((n_imfs, n_samples)), BAND_HZ)

    @pytest.mark.parametrize("band_hz", [BAND_HZ, (0.0, 500.0), (200.0, 450.0), (5.0, 60.0)])
    @pytest.mark.parametrize("n_samples", [200, 1600, 1750])
    def test_compiled_is_numpy_for_imfs_in_and_below_the_band(self, build, band_hz, n_samples):
        rng = np.random.default_rng(n_samples)
        x = rng.standard_normal(n_samples) + 0.3 * rng.standard_normal(n_samples).cumsum()
        assert_grid_is_numpy(emd(x)[:-1], band_hz)

    def test_the_place_of_the_rows_in_memory_does_not_matter(self, build):
        imfs = emd(np.random.default_rng(0).standard_normal(777))[:-1]
        power, dropped = power_on_grid(imfs, RATE_HZ, BAND_HZ)
        for offset in range(8):
            elsewhere = np.empty(imfs.size + 8)[offset : offset + imfs.size].reshape(
                imfs.shape
            )  # flat -> (n_imfs, 777)
            elsewhere[:] = imfs
            moved, moved_dropped = power_on_grid(elsewhere, RATE_HZ, BAND_HZ)
            assert moved.tobytes() == power.tobytes()
            assert moved_dropped == dropped

    def test_without_kernel(self, on_numpy):
        x = np.random.default_rng(0).standard_normal(500)
        power = hilbert_spectrum(x, RATE_HZ).power
        assert_allclose(on_numpy(hilbert_spectrum, x, RATE_HZ).power, power, rtol=0, atol=1e-10 * power.max())

    def test_energy_is_in_a_cell_or_counted_as_dropped(self):
        x = np.random.default_rng(1).standard_normal(1500)
        spectrum = hilbert_spectrum(x, RATE_HZ)
        amplitude, _ = instantaneous(emd(x)[:-1], RATE_HZ)
        total = np.sum(amplitude**2 / 2) * 256 / 1500
        assert_allclose(spectrum.power.sum() / (1 - spectrum.dropped), total, rtol=1e-12)

    def test_power_outside_the_band_is_not_in_the_edge_rows(self):
        spectrum = hilbert_spectrum(np.sin(2 * np.pi * 10 * seconds(3000)), RATE_HZ)
        assert spectrum.dropped > 0.99
        assert spectrum.power[0].sum() < 0.01

    def test_a_trend_has_no_power(self):
        spectrum = hilbert_spectrum(np.arange(100.0), RATE_HZ)
        assert (spectrum.n_imfs, spectrum.dropped, spectrum.power.sum()) == (0, 0.0, 0.0)

    @pytest.mark.parametrize("n_samples", [60, 256, 1000, 5000])
    def test_time_axis_ends_with_the_signal_and_every_column_has_power(self, n_samples):
        spectrum = hilbert_spectrum(np.sin(2 * np.pi * 100 * seconds(n_samples)), RATE_HZ)
        step_s = n_samples / RATE_HZ / 256
        assert_allclose(spectrum.time_s, step_s * (np.arange(256) + 0.5))
        assert np.all(spectrum.power.sum(axis=0) > 0)


class TestConfig:
    @pytest.mark.parametrize("name", sorted(DECOMPOSITIONS))
    def test_every_decomposition_is_repeatable(self, name):
        x = np.random.default_rng(2).standard_normal(400)
        config = SpectrumConfig(decomposition=name, n_trials=4, seed=7)
        first, second = hilbert_spectrum(x, RATE_HZ, config, n_threads=1), hilbert_spectrum(x, RATE_HZ, config)
        assert_array_equal(first.power, second.power)
        assert first.power.shape == (256, 256)
        assert np.all(np.isfinite(first.power))

    def test_invalid_arguments_are_refused(self):
        with pytest.raises(ValueError, match="band 9-9 Hz is empty"):
            SpectrumConfig(band_hz=(9, 9))
        with pytest.raises(ValueError, match="decomposition 'wavelet' is unknown; expected one of emd, eemd"):
            SpectrumConfig(decomposition="wavelet")
        with pytest.raises(ValueError, match="rate must be above 0 Hz; got 0"):
            hilbert_spectrum(np.arange(9.0), 0)
        with pytest.raises(ValueError, match="at 30 Hz a signal has no frequencies above 15 Hz; .* got 20 to 450 Hz"):
            hilbert_spectrum(np.arange(9.0), 30)
        with pytest.raises(ValueError, match="expected one signal"):
            hilbert_spectrum(np.zeros((2, 9)), RATE_HZ)
        with pytest.raises(ValueError, match="expected a batch"):
            hilbert_spectra(np.arange(9.0), RATE_HZ)


@pytest.mark.parametrize("name", ["emd", "iceemdan"])
def test_a_batch_gives_the_spectra_of_its_signals(name):
    x = np.random.default_rng(4).standard_normal((5, 300))
    config = SpectrumConfig(decomposition=name, n_trials=4)
    for n_threads in (1, 3, None):
        for spectrum, signal in zip(hilbert_spectra(x, RATE_HZ, config, n_threads), x, strict=True):
            alone = hilbert_spectrum(signal, RATE_HZ, config)
            assert_array_equal(spectrum.power, alone.power)
            assert (spectrum.dropped, spectrum.n_imfs) == (alone.dropped, alone.n_imfs)


@pytest.mark.skipif(kernel.compiled is None, reason="only the kernel writes into given memory")
def test_four_spectra_of_a_batch_fill_one_large_page():
    spectra = hilbert_spectra(np.random.default_rng(4).standard_normal((5, 300)), RATE_HZ)
    addresses = [spectrum.power.__array_interface__["data"][0] for spectrum in spectra]
    assert [address % LARGE_PAGE // spectra[0].power.nbytes for address in addresses] == [0, 1, 2, 3, 0]
    assert len({address // LARGE_PAGE for address in addresses[:4]}) == 1


@pytest.mark.parametrize("decomposition", ["emd", "mask"])
def test_powers_of_the_imfs_add_up_to_the_spectrum(decomposition):
    x = np.random.default_rng(4).standard_normal(700)
    config = SpectrumConfig(BAND_HZ, decomposition)
    powers = imf_powers(x, RATE_HZ, config)
    spectrum = hilbert_spectrum(x, RATE_HZ, config)
    assert powers.shape == (spectrum.n_imfs, 256, 256)
    assert_allclose(powers.sum(axis=0), spectrum.power, rtol=1e-9, atol=1e-12)


def test_the_upstream_matrix_has_no_powers_of_imfs():
    with pytest.raises(ValueError, match="is not a sum over IMFs"):
        imf_powers(np.arange(50.0) % 7, RATE_HZ, SpectrumConfig(BAND_HZ, "upstream"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 1.5), ("seed", -1), ("n_trials", 2.5), ("n_trials", 0), ("noise_std", -0.1), ("noise_std", float("nan"))],
)
def test_a_wrong_number_of_an_ensemble_is_a_value_error(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        SpectrumConfig(decomposition="eemd", **{name: value})  # type: ignore[arg-type]


def test_fast_lengths_are_those_of_scipy():
    lengths = [*range(1, 2000), *np.random.default_rng(0).integers(2000, 10**7, 100).tolist()]
    assert [fast_length(n) for n in lengths] == [scipy.fft.next_fast_len(n, real=True) for n in lengths]
