"""Noise of the ensembles: repeatable, standard normal, and the same in the compiled kernel and in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri

from semg_hht.hht import kernel
from semg_hht.hht.noise import check_seed, numpy_normals, white_noise


def test_depends_only_on_seed_and_trial():
    noise = white_noise(6, 500, seed=9)
    assert_array_equal(white_noise(6, 500, seed=9, n_threads=3), noise)
    assert_array_equal(white_noise(2, 500, seed=9, first_trial=3), noise[3:5])
    assert_array_equal(white_noise(6, 100, seed=9), noise[:, :100])
    assert np.any(white_noise(6, 500, seed=8) != noise)


def test_compiled_is_numpy(on_numpy):
    assert_allclose(white_noise(3, 20000, -7), on_numpy(white_noise, 3, 20000, -7), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("first", [0, 1, 5, 2**20, 2**35, 2**52 - 1, 2**51, 0x133333333333 << 4])
def test_ends_of_the_distribution(first):
    """Numbers too rare for a random draw: the inverse of the mixing function finds a stream that begins with them."""
    z = first << 12
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        z ^= (z >> shift) ^ (z >> 2 * shift)
        z = z * pow(factor, -1, 2**64) % 2**64
    stream = (z - 0x9E3779B97F4A7C15) % 2**64
    uniform = first * 2.0**-52 + 2.0**-53
    assert_allclose(numpy_normals(1, stream), ndtri(uniform), rtol=1e-15)
    if kernel.compiled is None:
        pytest.skip("the kernel was not built")
    compiled = np.empty(20)
    kernel.compiled.normals(compiled, 20, stream)
    assert_allclose(compiled, numpy_normals(20, stream), rtol=1e-13, atol=1e-15)


def test_is_standard_normal():
    noise = white_noise(20, 50000, seed=1)
    assert abs(noise.mean()) < 0.005
    assert abs(noise.var() - 1) < 0.01
    assert abs((noise**4).mean() - 3) < 0.05
    assert np.abs(np.corrcoef(noise) - np.eye(20)).max() < 0.02
    assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < 0.005
    assert 4 < np.abs(noise).max() < 7


@pytest.mark.parametrize("seed", [-1, 1.0, 1.5, True, "1", None])
def test_a_seed_is_a_whole_number_from_zero(seed: object) -> None:
    with pytest.raises(ValueError, match="seed must be a whole number from 0; got"):
        check_seed(seed)  # type: ignore[arg-type]
    check_seed(2**40)
