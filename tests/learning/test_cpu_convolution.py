"""Convolutions as matrix products, and the weights that the optimizer gets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from semg_hht.learning import cpu_convolution as convolution
from semg_hht.learning.cpu_convolution import (
    Convolution,
    choose_convolutions,
    take_gradients,
    weights_in_memory_order,
)
from semg_hht.learning.network import ActionNetwork, NetworkConfig

TARGET = torch.tensor([0, 1, 2])


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def network(dtype: torch.dtype, n_planes: int = 1) -> ActionNetwork:
    torch.manual_seed(0)
    found = ActionNetwork(NetworkConfig(3, base_channels=3, n_planes=n_planes, dropout=0.0)).to(dtype).train()
    choose_convolutions(found, as_products=True)
    return found


def outputs_and_gradients(network: ActionNetwork, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    logits = network(x)
    loss = functional.cross_entropy(logits, TARGET)
    return [logits.detach(), *torch.autograd.grad(loss, (x, *network.parameters()))]


@pytest.mark.parametrize("size", [2, 4, 6, 16])
@pytest.mark.parametrize("at_once", [1, 2**24])
def test_products_equal_the_convolution_and_its_gradients(
    size: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "COLUMNS_AT_ONCE", at_once)
    layer = Convolution(5, 7, 3, stride=2, padding=1, bias=False).double()
    choose_convolutions(layer, as_products=True)
    x, dy = draw(3, 5, size, size).requires_grad_(), draw(3, 7, size // 2, size // 2, seed=1)
    ours = torch.autograd.grad(layer(x), (x, layer.weight), dy)
    theirs = torch.autograd.grad(functional.conv2d(x, layer.weight, stride=2, padding=1), (x, layer.weight), dy)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("n_planes", [1, 2])
def test_the_network_computes_the_same_with_and_without_products(
    dtype: torch.dtype, tolerance: float, n_planes: int
) -> None:
    subject, x = network(dtype, n_planes), draw(3, n_planes, 256, 256, dtype=dtype)
    ours = outputs_and_gradients(subject, x)
    choose_convolutions(subject, as_products=False)
    theirs = outputs_and_gradients(subject, x)
    for a, b in zip(ours, theirs, strict=True):
        assert float(b.abs().max()) > 0
        assert float((a - b).abs().max()) <= tolerance * max(1.0, float(b.abs().max()))


def test_products_run_in_training_unless_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, x = network(torch.float32), draw(2, 1, 256, 256, dtype=torch.float32)
    calls: list[int] = []
    monkeypatch.setattr(convolution, "_patches", lambda padded: calls.append(1) or _patches(padded))
    subject(x)
    assert len(calls) == 7
    subject.eval()(x)  # here results must not depend on the batch
    assert len(calls) == 7
    subject.train()
    choose_convolutions(subject, as_products=False)
    subject(x)
    assert len(calls) == 7


_patches = convolution._patches


def test_torch_computes_maps_of_odd_size() -> None:
    layer = Convolution(2, 3, 3, stride=2, padding=1, bias=False).double()
    choose_convolutions(layer, as_products=True)
    x = draw(1, 2, 5, 5)
    torch.testing.assert_close(layer(x), functional.conv2d(x, layer.weight, stride=2, padding=1))


def test_bfloat16_is_close_but_not_equal() -> None:
    subject, x = network(torch.float32), draw(3, 1, 256, 256, dtype=torch.float32)
    exact = outputs_and_gradients(subject, x)
    choose_convolutions(subject, as_products=True, precision=torch.bfloat16)
    rounded = outputs_and_gradients(subject, x)
    assert all(found.dtype == torch.float32 for found in rounded)
    a, b = (torch.cat([found.flatten() for found in of]) for of in (exact, rounded))
    assert 0 < float((a - b).norm() / a.norm()) < 0.1


def test_the_optimizer_moves_the_networks_own_weights_as_plain_adamw_does() -> None:
    subject, other = network(torch.float32), network(torch.float32)
    weights = weights_in_memory_order(subject)
    assert all(weight.is_contiguous() for weight in weights)
    fused = torch.optim.AdamW(weights, lr=1e-2, fused=True)
    plain = torch.optim.AdamW(other.parameters(), lr=1e-2, foreach=False)
    for step in range(3):
        x = draw(3, 1, 256, 256, seed=step, dtype=torch.float32)
        functional.cross_entropy(subject(x), TARGET).backward()
        take_gradients(weights, subject)
        fused.step()
        fused.zero_grad()
        functional.cross_entropy(other(x), TARGET).backward()
        plain.step()
        plain.zero_grad()
    for ours, theirs in zip(subject.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("max_norm", [1e-3, 1e3])
def test_gradients_are_clipped_as_torch_clips_them(max_norm: float) -> None:
    ours, theirs = [[nn.Parameter(draw(4, 3)), nn.Parameter(draw(5)), nn.Parameter(draw(2))] for _ in range(2)]
    for weights in (ours, theirs):
        for weight in weights[:2]:
            weight.grad = 3 * weight.detach().clone()
    convolution.clip_gradients(ours, max_norm)
    nn.utils.clip_grad_norm_(theirs, max_norm)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(a.grad, b.grad)
    assert ours[2].grad is None


def test_a_layer_without_a_gradient_passes_none() -> None:
    layer = nn.Sequential(Convolution(2, 3, 3, stride=2, padding=1, bias=False)).to(memory_format=torch.channels_last)
    weights = weights_in_memory_order(layer)
    take_gradients(weights, layer)
    assert [weight.grad for weight in weights] == [None]


@pytest.mark.parametrize("n_channels", [1, 2, 4, 5])
def test_patches_are_computed_once_where_they_are_small_and_gradients_are_the_same_bits(
    n_channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Convolution(n_channels, 7, 3, stride=2, padding=1, bias=False)
    choose_convolutions(layer, as_products=True)
    x, calls, found = draw(3, n_channels, 16, 16, dtype=torch.float32).requires_grad_(), [], []
    patches = convolution._patches
    monkeypatch.setattr(convolution, "_patches", lambda padded: calls.append(len(padded)) or patches(padded))
    for kept in (2**23, 0):
        monkeypatch.setattr(convolution, "KEPT", kept)
        found.append(torch.autograd.grad(layer(x).square().sum(), (x, layer.weight)))
    assert calls == [3] * 3  # once, and once in each direction
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
    padded = draw(3, 17, 17, n_channels, dtype=torch.float32)
    rows = padded.unfold(1, 3, 2).unfold(2, 3, 2).permute(0, 1, 2, 4, 5, 3)  # (n, h/2, w/2, c, 3, 3) -> c last
    assert torch.equal(patches(padded), rows.reshape(-1, 9 * n_channels))
