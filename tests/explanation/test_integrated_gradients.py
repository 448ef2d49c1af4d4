"""integrated_gradients.py: evidence adds up with few points, and the fast copy is the same network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from semg_hht.explanation.integrated_gradients import (
    FIRST_POINTS,
    MAX_POINTS,
    TOLERANCE,
    for_gradients,
    integrated_gradients,
)
from semg_hht.inference.description import NetworkConfig
from semg_hht.learning.network import ActionNetwork

CELLS = torch.rand(2, 1, 256, 256, generator=torch.Generator().manual_seed(0))
N = CELLS.numel()


class Counted:
    """A score that keeps the points of the path at which it was asked for."""

    def __init__(self, steepness: float) -> None:
        self.steepness, self.points = steepness, list[float]()

    def __call__(self, x: Tensor) -> Tensor:
        share = x.double().sum(dim=(1, 2, 3, 4)) / CELLS.double().sum()
        self.points += share.detach().tolist()
        return 5 * torch.tanh(self.steepness * (share - 0.9))


def change_of(score: Counted) -> float:
    full, empty = score(torch.stack([CELLS, torch.zeros_like(CELLS)])).tolist()
    score.points.clear()
    return float(full - empty)


def test_a_smooth_score_takes_the_first_points_alone() -> None:
    score = Counted(steepness=1.0)
    change = change_of(score)
    evidence = integrated_gradients(score, CELLS, change)
    assert evidence.shape == CELLS.shape and evidence.dtype == torch.float64
    assert_allclose(evidence.sum(), change, atol=TOLERANCE * max(1.0, abs(change)))
    assert len(score.points) == FIRST_POINTS
    assert_allclose(evidence / evidence.sum(), CELLS / CELLS.double().sum(), rtol=1e-4)  # in proportion to the cells


def test_further_points_lie_where_the_gradient_changes_and_none_is_asked_for_twice() -> None:
    score = Counted(steepness=60.0)  # all of its change lies between 0.85 and 0.95 of the path
    change = change_of(score)
    assert_allclose(integrated_gradients(score, CELLS, change).sum(), change, atol=TOLERANCE * abs(change))
    assert FIRST_POINTS < len(score.points) <= 4 * FIRST_POINTS
    further = np.array(score.points[FIRST_POINTS:])
    assert (np.abs(further - 0.9) < 0.15).mean() > 0.5
    assert len(np.unique(np.round(score.points, 6))) == len(score.points)


def test_a_score_that_jumps_ends_at_the_most_points() -> None:
    score = Counted(steepness=1e6)
    integrated_gradients(score, CELLS, change_of(score))
    assert MAX_POINTS <= len(score.points) < MAX_POINTS + 2 * FIRST_POINTS


@pytest.mark.parametrize("n_planes", [1, 3])
def test_the_copy_for_gradients_is_the_same_network(n_planes: int) -> None:
    torch.manual_seed(0)
    network = ActionNetwork(NetworkConfig(3, n_layers=6, base_channels=4, n_planes=n_planes)).train()
    own = for_gradients(network)
    assert network.training and not own.training
    assert {p.data_ptr() for p in own.parameters()} <= {p.data_ptr() for p in network.parameters()}
    network.eval()
    x = torch.rand(3, n_planes, 256, 256)
    results = []
    for each in (network, own):
        points = x.clone().requires_grad_()
        logits = each(points)
        (gradient,) = torch.autograd.grad(logits[:, 0].sum(), points)
        results.append((logits.detach(), gradient))
    (logits, gradient), (own_logits, own_gradient) = results
    assert_allclose(own_logits, logits, atol=1e-5 * float(logits.abs().max()))
    assert_allclose(own_gradient, gradient, atol=1e-4 * float(gradient.abs().max()))
