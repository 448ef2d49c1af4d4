"""scaling.py: where amplitude is kept or thrown away."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.matrices.scaling import SCALINGS, min_max, scale_power

POWER = np.random.default_rng(0).exponential(100.0, (256, 256))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_every_scaling_is_finite_float32_from_zero(scaling: str) -> None:
    power = POWER.copy()
    power[:10] = 0
    scaled = scale_power(power, scaling)
    assert scaled.dtype == np.float32
    assert np.all(np.isfinite(scaled))
    assert_allclose(scaled[:10], 0, atol=0)
    assert scaled.max() > 0.9


@pytest.mark.parametrize("scaling", SCALINGS)
def test_silence_is_black(scaling: str) -> None:
    assert_allclose(scale_power(np.zeros((256, 256)), scaling), 0, atol=0)


@pytest.mark.parametrize(("scaling", "keeps"), [("minmax", False), ("db", False), ("log", True), ("mvc", True)])
def test_which_scalings_keep_effort(scaling: str, keeps: bool) -> None:
    difference = np.abs(scale_power(4 * POWER, scaling) - scale_power(POWER, scaling)).max()
    assert (difference > 0.1) == keeps


def test_min_max_is_of_the_amplitude() -> None:
    scaled = scale_power(np.array([[0.0, 1.0, 4.0]]), "minmax")
    assert_allclose(scaled, [[0, 0.5, 1]], rtol=1e-6)
    assert_allclose(min_max(np.array([[-2.0, 0.0, 2.0]])), [[0, 0.5, 1]])


def test_decibels_are_sixty_deep() -> None:
    assert_allclose(scale_power(np.array([[1.0, 1e-3, 1e-6, 1e-9]]), "db"), [[1, 0.5, 0, 0]], atol=1e-6)


def test_logarithms_have_their_floors() -> None:
    assert_allclose(scale_power(np.array([[1.0]]), "log"), [[np.log(2)]], rtol=1e-6)
    assert_allclose(scale_power(np.array([[1e-4]]), "mvc"), [[np.log(2)]], rtol=1e-6)
    assert_allclose(scale_power(np.array([[1e-4]]), "subject"), [[np.log(2)]], rtol=1e-6)
