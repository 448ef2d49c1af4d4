"""Noise-assisted and masked sifts, and their noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri

from semg_hht.hht import ceemdan, eemd, emd, iceemdan, kernel, masked_sift, upstream_ceemdan
from semg_hht.hht.noise import numpy_normals, white_noise

ENSEMBLES = [eemd, ceemdan, iceemdan, upstream_ceemdan]
TIME_S = np.arange(600) / 1000
TONES = np.sin(2 * np.pi * 120 * TIME_S) * (TIME_S > 0.3) + np.sin(2 * np.pi * 30 * TIME_S)


def on_numpy(function, *arguments, **options):
    compiled, kernel.compiled, told, kernel._told = kernel.compiled, None, kernel._told, True
    try:
        return function(*arguments, **options)
    finally:
        kernel.compiled, kernel._told = compiled, told


@pytest.mark.parametrize("method", ENSEMBLES)
class TestEveryEnsemble:
    def test_complete(self, method):
        rows = method(TONES, 10)
        assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)

    def test_seeded(self, method):
        assert_array_equal(method(TONES, 5, seed=3), method(TONES, 5, seed=3))
        assert np.any(method(TONES, 5, seed=3)[0] != method(TONES, 5, seed=4)[0])

    def test_threads_change_nothing(self, method):
        assert_array_equal(method(TONES, 20, n_threads=1), method(TONES, 20, n_threads=3))

    def test_place_in_a_batch_changes_nothing(self, method):
        x = np.stack([TONES, TONES[::-1] + TIME_S])
        batch = method(x, 5)
        for row, signal in zip(batch, x, strict=True):
            alone = method(signal, 5)
            assert_array_equal(row[: len(alone) - 1], alone[:-1])
            assert_array_equal(row[-1], alone[-1])

    def test_millivolts_and_volts_sift_alike(self, method):
        if method is upstream_ceemdan:
            pytest.skip("its stopping rule adds 1e-10 to an energy")
        assert_allclose(method(TONES / 1024, 5) * 1024, method(TONES, 5), rtol=0, atol=1e-10)

    def test_compiled_is_numpy(self, method):
        assert_allclose(method(TONES, 9), on_numpy(method, TONES, 9), rtol=0, atol=1e-10)

    def test_refuses(self, method):
        with pytest.raises(ValueError, match="an ensemble needs a trial"):
            method(TONES, 0)
        with pytest.raises(ValueError, match="an ensemble needs a trial"):
            method(TONES, 5, -0.1)
        with pytest.raises(ValueError, match="noise must be"):
            method(TONES, 5, noise=np.zeros((10, 5, 3)))
        with pytest.raises(ValueError, match="must vary"):
            method(np.zeros(50), 5)


@pytest.mark.parametrize("stopping", ["sd", "rilling", "s-number", "fixed", "pyemd"])
@pytest.mark.parametrize("method", [eemd, ceemdan, iceemdan])
def test_any_stopping_rule(method, stopping):
    rows = method(TONES, 6, stopping=stopping, max_imfs=5)
    assert len(rows) <= 6
    assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)


def test_no_noise_is_emd():
    assert_allclose(eemd(TONES, 3, 0.0), emd(TONES), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", [ceemdan, iceemdan])
def test_intermittent_tone_is_not_mixed(method):
    """A tone that comes and goes pulls EMD's first IMF to the slow tone where it is away; the ensembles resist."""
    slow_part = slice(50, 250)
    mixed = np.std(emd(TONES)[0][slow_part])
    assert np.std(method(TONES, 50)[0][slow_part]) < 0.35 * mixed


@pytest.mark.parametrize("method", [ceemdan, iceemdan])
class TestNoiseBank:
    def test_complete_and_repeatable(self, method):
        rows = method(TONES, 9, noise="bank")
        assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)
        assert_array_equal(method(TONES, 9, noise="bank", n_threads=3), rows)

    def test_unmixes_like_independent_noise(self, method):
        apart, bank = method(TONES, 60)[0], method(TONES, 60, noise="bank")[0]
        assert np.std(bank - apart) < 0.2 * np.std(apart)

    def test_refuses(self, method):
        with pytest.raises(ValueError, match="noise must be numbers or 'bank'; got 'bench'"):
            method(TONES, 9, noise="bench")
        with pytest.raises(ValueError, match="an ensemble needs a trial"):
            method(TONES, 0, noise="bank")


class TestMaskedSift:
    def test_complete_and_not_random(self):
        rows = masked_sift(TONES)
        assert_allclose(rows.sum(axis=0), TONES, rtol=0, atol=1e-13)
        assert_array_equal(masked_sift(TONES), rows)
        assert_allclose(on_numpy(masked_sift, TONES), rows, rtol=0, atol=1e-10)

    def test_trend(self):
        assert_array_equal(masked_sift(np.arange(30.0)), np.arange(30.0)[None])

    def test_refuses(self):
        with pytest.raises(ValueError, match="a masked sift needs two phases"):
            masked_sift(TONES, n_phases=1)
        with pytest.raises(ValueError, match="a positive mask"):
            masked_sift(TONES, mask_std=0)


class TestNoise:
    def test_depends_on_seed_and_trial_only(self):
        noise = white_noise(6, 500, seed=9)
        assert_array_equal(white_noise(6, 500, seed=9, n_threads=3), noise)
        assert_array_equal(white_noise(2, 500, seed=9, first_trial=3), noise[3:5])
        assert_array_equal(white_noise(6, 100, seed=9), noise[:, :100])
        assert np.any(white_noise(6, 500, seed=8) != noise)

    def test_compiled_is_numpy(self):
        assert_allclose(white_noise(3, 20000, -7), on_numpy(white_noise, 3, 20000, -7), rtol=1e-13, atol=1e-15)

    @pytest.mark.parametrize("wanted", [0, 1, 5, 2**20, 2**35, 2**52 - 1, 2**51, 0x133333333333 << 4])
    def test_ends_of_the_distribution(self, wanted):
        """Numbers too rare to be met: the bits are mixed backwards to a stream that begins with them."""
        z = wanted << 12
        for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
            z ^= (z >> shift) ^ (z >> 2 * shift)
            z = z * pow(factor, -1, 2**64) % 2**64
        stream = (z - 0x9E3779B97F4A7C15) % 2**64
        uniform = wanted * 2.0**-52 + 2.0**-53
        assert_allclose(numpy_normals(1, stream), ndtri(uniform), rtol=1e-15)
        if kernel.compiled is None:
            pytest.skip("the kernel was not built")
        compiled = np.empty(20)
        kernel.compiled.normals(compiled, 20, stream)
        assert_allclose(compiled, numpy_normals(20, stream), rtol=1e-13, atol=1e-15)

    def test_is_standard_normal(self):
        noise = white_noise(20, 50000, seed=1)
        assert abs(noise.mean()) < 0.005
        assert abs(noise.var() - 1) < 0.01
        assert abs((noise**4).mean() - 3) < 0.05
        assert np.abs(np.corrcoef(noise) - np.eye(20)).max() < 0.02
        assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < 0.005
        assert 4 < np.abs(noise).max() < 7
