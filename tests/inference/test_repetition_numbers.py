"""repetition_numbers.py: numbers of a repetition from its matrices, its features and its channel covariance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.inference.repetition_numbers import CELLS, Numbers, measure, n_channels_of
from semg_hht.signals.covariance import log_covariance
from semg_hht.signals.features import repetition_features

RATE_HZ = 1000.0


def numbers_of(samples: np.ndarray, matrices: np.ndarray | None = None) -> Numbers:
    features = repetition_features(samples, RATE_HZ)
    each = [{name: (float(values[i]),) for name, values in features.items()} for i in range(len(samples))]
    values = np.zeros((len(samples), 1, 256, 256), np.float32) if matrices is None else matrices
    return measure(values, each, log_covariance(samples, RATE_HZ))


def test_amplitude_duration_and_channels_are_those_of_the_samples() -> None:
    x = np.random.default_rng(0).normal(size=(4, 2000)) * np.array([[1.0], [10.0], [10.0], [10.0]])
    numbers = numbers_of(x)
    assert_allclose(numbers["amplitude"], 0.75, atol=0.02)
    assert_allclose(numbers["duration"], np.log10(2.0))
    assert_allclose(numbers["quietest"], -0.75, atol=0.02)
    assert_allclose(numbers["contrast"], np.log10(np.std([0, 1, 1, 1])), atol=0.02)
    assert numbers["channels"].size == 4 + 6
    assert_allclose(numbers["channels"][4:], 0, atol=0.1)  # the channels are independent


def test_gain_changes_the_amplitude_alone() -> None:
    x = np.random.default_rng(0).normal(size=(2, 2000))
    before, after = numbers_of(x), numbers_of(100 * x)
    assert_allclose(after["amplitude"] - before["amplitude"], 2)
    for kind in ("duration", "quietest", "spectrum", "course", "channels"):
        assert_allclose(after[kind], before[kind], atol=1e-6)


def test_a_single_channel_has_no_pattern_and_a_matrix_of_another_tool_only_bands_and_course() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2000))
    assert set(numbers_of(x)) == {"amplitude", "duration", "spectrum", "course"}
    foreign = measure(np.random.default_rng(0).random((1, 1, 256, 256), dtype=np.float32), [{}], None)
    assert {kind: values.size for kind, values in foreign.items()} == {"spectrum": CELLS, "course": CELLS // 2 + 1}


def test_the_order_in_time_does_not_matter() -> None:
    matrices = np.random.default_rng(0).random((1, 1, 256, 256), dtype=np.float32)
    matrices[..., :64] += 1
    before, after = (measure(values, [{}], None) for values in (matrices, np.roll(matrices, 128, axis=-1)))
    assert_allclose(before["course"], after["course"], atol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 2, 11])
def test_numbers_that_are_no_covariance_are_left_out(size: int) -> None:
    covariance = np.full(size, 1e300)
    assert n_channels_of(covariance) == 0
    assert "channels" not in measure(np.zeros((1, 1, 256, 256), np.float32), [{}], covariance)


def test_numbers_that_are_not_finite_are_left_out() -> None:
    features = {name: (float("nan"),) for name in ("rms", "mav", "duration_s", "mnf_hz", "mdf_hz", "zc", "ssc", "wl")}
    features |= {"duration_s": (1.0,), "rms": (1.0,)}
    numbers = measure(np.zeros((1, 1, 256, 256), np.float32), [features], np.full(36, 1e6))
    assert set(numbers) <= {"amplitude", "duration", "course", "channels"}
    assert all(np.isfinite(values).all() for values in numbers.values())
