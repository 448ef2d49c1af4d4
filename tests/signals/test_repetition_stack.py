"""repetition_stack.py: repetitions of different durations in one array, and back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semg_hht.errors import InputError
from semg_hht.signals.repetition_stack import stack_repetitions, unstack_repetitions


def test_stacking_and_back() -> None:
    repetitions = [np.arange(2.0 * n).reshape(2, n) for n in (5, 3, 7)]
    stack = stack_repetitions(repetitions)
    assert stack.shape == (3, 2, 7)
    assert np.isnan(stack[1, :, 3:]).all()
    for one, again in zip(repetitions, unstack_repetitions(stack), strict=True):
        assert_array_equal(one, again)


def test_two_dimensions_are_one_channel() -> None:
    (only,) = unstack_repetitions(np.array([[1.0, 2.0, np.nan]]))
    assert_array_equal(only, [[1.0, 2.0]])


@pytest.mark.parametrize("repetitions", [[], [np.zeros((2, 5)), np.zeros((3, 5))], [np.zeros(5)]])
def test_repetitions_of_other_channels_are_refused(repetitions: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="of the same channels; found channels"):
        stack_repetitions(repetitions)


def test_a_gap_is_no_padding() -> None:
    with pytest.raises(InputError, match="repetition 1 of X has NaN among its samples"):
        unstack_repetitions(np.array([[[1.0, 2.0]], [[np.nan, 2.0]]]))
    with pytest.raises(InputError, match="repetition 0 of X has NaN among its samples"):  # in one channel alone
        unstack_repetitions(np.array([[[1.0, 2.0], [1.0, np.nan]]]))
    with pytest.raises(InputError, match=r"expected X \(n_repetitions, n_channels, n_samples\)"):
        unstack_repetitions(np.zeros(3))


def test_swapped_axes_are_named() -> None:
    repetitions = [np.ones((n, 2)) for n in (40, 50)]
    with pytest.raises(InputError, match=r"found \(40, 2\), more channels than samples: the axes look swapped"):
        stack_repetitions(repetitions)
    swapped = stack_repetitions([repetition.T for repetition in repetitions]).swapaxes(1, 2)
    with pytest.raises(InputError, match=r"found \(2, 50, 2\), .* the axes look swapped, pass X.swapaxes\(1, 2\)"):
        unstack_repetitions(swapped)  # the padding is inside its repetitions
