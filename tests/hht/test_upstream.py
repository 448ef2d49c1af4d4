"""The matrix of the upstream tool."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hht_signals import semg_like
from semg_hht.hht import SpectrumConfig, hilbert_spectrum, upstream_ceemdan
from semg_hht.hht.noise import key, numpy_normals
from semg_hht.hht.upstream import upstream_matrix

RATE_HZ = 1000.0
CONFIG = SpectrumConfig(decomposition="upstream")


def test_a_short_signal_ends_in_columns_of_zeros():
    x = np.random.default_rng(3).standard_normal(100)
    power = hilbert_spectrum(x, RATE_HZ, CONFIG).power
    assert np.any(power[:, 99] > 0)
    assert not np.any(power[:, 100:])


def test_the_matrix_of_a_trend_is_finite():
    assert np.all(np.isfinite(hilbert_spectrum(np.arange(300.0), RATE_HZ, CONFIG).power))


@pytest.mark.parametrize(("tone_hz", "row"), [(5.0, 0), (235.0, 127), (480.0, 255)])
def test_a_tone_is_spread_over_five_rows_and_clipped_to_the_band(tone_hz, row):
    tone = np.cos(2 * np.pi * tone_hz * np.arange(2000) / RATE_HZ)
    matrix = upstream_matrix(tone[None], RATE_HZ, (20.0, 450.0))
    assert matrix.shape == (256, 256)
    filled = np.flatnonzero(matrix[:, 128])
    assert_allclose(filled, np.arange(max(row - 2, 0), min(row + 3, 256)))
    assert matrix[:, 128].argmax() == row


def test_no_imf_is_a_matrix_of_zeros():
    assert not np.any(upstream_matrix(np.zeros((0, 300)), RATE_HZ, (20.0, 450.0)))


@pytest.mark.parametrize("index", range(6))
def test_the_matrix_is_that_of_the_tool_with_the_same_noise(references, index):
    signal = semg_like(300 + 150 * index, 80 + index)
    noise = [[numpy_normals(signal.size, key(6, 30 * level + trial)) for trial in range(30)] for level in range(10)]
    imfs = upstream_ceemdan(signal, noise=np.array(noise))[:-1]
    matrix = upstream_matrix(imfs, RATE_HZ, (20.0, 450.0))
    assert_allclose(matrix[::9, ::7], references[f"upstream/{index}"], rtol=0, atol=1e-9)
