"""Order of the examples and learning rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from semg_hht.learning.schedule import epoch_batches, epoch_seed, learning_rate_at


@given(n=st.integers(2, 100), batch_size=st.integers(2, 20), epoch=st.integers(0, 50))
def test_every_example_is_in_one_batch_of_at_least_two(n: int, batch_size: int, epoch: int) -> None:
    batches = epoch_batches(n, batch_size, 42, epoch)
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert min(map(len, batches)) >= 2
    assert max(map(len, batches)) <= batch_size + 1


def test_a_last_batch_of_one_joins_the_one_before() -> None:
    assert [len(batch) for batch in epoch_batches(9, 4, 0, 0)] == [4, 5]
    assert [len(batch) for batch in epoch_batches(10, 4, 0, 0)] == [4, 4, 2]


def test_order_depends_on_seed_and_epoch_alone() -> None:
    order = {(s, e): tuple(np.concatenate(epoch_batches(50, 8, s, e))) for s in (1, 2) for e in (0, 1)}
    assert len(set(order.values())) == 4
    assert tuple(np.concatenate(epoch_batches(50, 8, 1, 1))) == order[1, 1]


def test_seeds_of_epochs_differ_and_fit_torch() -> None:
    seeds = [epoch_seed(seed, epoch) for seed in range(20) for epoch in range(20)]
    assert len(set(seeds)) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_warm_up_is_linear_then_a_cosine_falls_to_zero() -> None:
    rates = np.array([learning_rate_at(step, 100, 10, 1e-4) for step in range(101)])
    assert_allclose(rates[:10], 1e-4 * np.arange(1, 11) / 10)
    assert_allclose(rates[10], 1e-4)
    assert_allclose(rates[55], 0.5e-4)
    assert_allclose(rates[100], 0, atol=1e-18)
    assert np.all(np.diff(rates[10:]) < 0)
    assert_allclose(rates[10:], 0.5e-4 * (1 + np.cos(np.pi * np.arange(91) / 90)), atol=1e-18)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 8])
def test_a_short_run_still_reaches_its_peak(n_steps: int) -> None:
    rates = [learning_rate_at(step, n_steps, 50, 1e-3) for step in range(n_steps)]
    assert_allclose(max(rates), 1e-3)
    assert min(rates) > 0
