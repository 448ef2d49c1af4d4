"""The matrix of the upstream tool; test_hht_references.py compares it with the tool itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.hht import SpectrumConfig, hilbert_spectrum
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
