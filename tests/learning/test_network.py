"""The encoder and the head."""

from __future__ import annotations

import math

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional

from semg_hht.errors import InputError
from semg_hht.learning.network import ActionNetwork, NetworkConfig, recalibrate_batch_norm

N_PARAMETERS = 72_485_315  # seven layers from 64 channels, pooled 1x1 shortcuts, three classes


def network(**options: float) -> ActionNetwork:
    torch.manual_seed(0)
    return ActionNetwork(NetworkConfig(**{"n_classes": 3, "base_channels": 4, **options}))  # type: ignore[arg-type]


def matrices(n: int = 2, n_planes: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, n_planes, 256, 256, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def full_size() -> ActionNetwork:
    return network(base_channels=64)


def test_the_default_network_has_its_pinned_size(full_size: ActionNetwork) -> None:
    assert sum(p.numel() for p in full_size.parameters()) == N_PARAMETERS
    assert 65e6 < N_PARAMETERS < 73e6


def test_the_default_network_has_the_channels_of_the_contract(full_size: ActionNetwork) -> None:
    assert full_size.config.channels == (64, 128, 256, 512, 1024, 2048, 2048)
    assert full_size.config.n_features == 2048
    assert [layer.conv.out_channels for layer in full_size.encoder.layers] == list(full_size.config.channels)
    sizes = [(m.in_features, m.out_features) for m in full_size.head.modules() if isinstance(m, nn.Linear)]
    assert sizes == [(2048, 1024), (1024, 512), (512, 3)]
    assert isinstance(full_size.head.layers[0], nn.Dropout)


@pytest.mark.parametrize(
    ("base_channels", "hidden"), [(4, (256, 128)), (16, (256, 128)), (32, (512, 256)), (128, (1024, 512))]
)
def test_hidden_sizes_scale_with_the_features(base_channels: int, hidden: tuple[int, int]) -> None:
    with torch.device("meta"):
        small = ActionNetwork(NetworkConfig(3, base_channels=base_channels))
    assert [m.out_features for m in small.head.modules() if isinstance(m, nn.Linear)] == [*hidden, 3]


def test_each_layer_is_built_as_the_contract_says() -> None:
    for number, layer in enumerate(network().encoder.layers):
        assert (layer.conv.kernel_size, layer.conv.stride, layer.conv.padding) == ((3, 3), (2, 2), (1, 1))
        assert layer.conv.bias is None
        assert isinstance(layer.norm, nn.BatchNorm2d)
        assert_allclose(layer.activation.negative_slope, 0.2)
        assert (layer.shortcut is not None) == (number >= 3), "shortcuts from the fourth layer on"


def test_weights_are_kaiming() -> None:
    conv = network(base_channels=16).encoder.layers[4].conv
    expected = math.sqrt(2 / (1 + 0.2**2) / (conv.in_channels * 9))
    assert_allclose(conv.weight.std().item(), expected, rtol=0.02)
    assert_allclose(conv.weight.mean().item(), 0, atol=0.02 * expected)


@pytest.mark.parametrize("n_layers", range(1, 9))
def test_one_to_eight_layers_run_and_train_on_a_batch_of_two(n_layers: int) -> None:
    net = network(n_layers=n_layers).train()
    x = matrices()
    assert net.encoder(x).shape == (2, 4 * 2 ** min(n_layers - 1, 5))
    logits = net(x)
    assert logits.shape == (2, 3)
    functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_the_map_halves_in_every_layer() -> None:
    x = matrices()
    for layer in network().encoder.layers:
        x = layer(x)
    assert x.shape[-2:] == (2, 2)


@pytest.mark.parametrize("number", [3, 4, 5, 6])
def test_a_shortcut_is_in_the_graph(number: int) -> None:
    net = network().eval()
    before = net.encoder(matrices())
    shortcut = net.encoder.layers[number].shortcut
    before.sum().backward()
    weight = shortcut[1].weight
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0
    net.encoder.layers[number].shortcut = None
    after = net.encoder(matrices())
    assert (after - before).abs().max() > 1e-3 * before.abs().max()


def test_gradients_reach_the_input_through_the_shortcuts_alone() -> None:
    net = network().eval()
    for layer in net.encoder.layers[3:]:
        nn.init.zeros_(layer.conv.weight)
    x = matrices().requires_grad_()
    net.encoder(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_the_first_loss_is_near_chance(n_classes: int) -> None:
    net = network(n_classes=n_classes).train()
    loss = functional.cross_entropy(net(matrices(8)), torch.arange(8) % n_classes).item()
    assert_allclose(loss, math.log(n_classes), atol=0.1)


def test_stacked_channels_are_input_planes() -> None:
    net = network(n_planes=3)
    assert net.encoder.layers[0].conv.in_channels == 3
    assert net(matrices(2, 3)).shape == (2, 3)


def test_recalibration_makes_evaluation_agree_with_training() -> None:
    net = network(dropout=0.0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    x, y = matrices(12), torch.arange(12) % 3
    x += y[:, None, None, None]
    net.train()
    for _ in range(6):  # few steps: the moving averages lag behind the weights
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    def losses() -> tuple[float, float]:
        with torch.no_grad():
            net.eval()
            evaluated = functional.cross_entropy(net(x), y).item()
            return evaluated, functional.cross_entropy(trained, y).item()

    with torch.no_grad():
        kept = {name: b.clone() for name, b in net.named_buffers()}
        trained = net.train()(x)
        for name, buffer in net.named_buffers():
            buffer.copy_(kept[name])
    evaluated, target = losses()
    assert abs(evaluated - target) > 0.2, "the trap is there"
    momenta = [m.momentum for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    recalibrate_batch_norm(net, [x])
    evaluated, target = losses()
    assert_allclose(evaluated, target, atol=0.05)
    assert [m.momentum for m in net.modules() if isinstance(m, nn.BatchNorm2d)] == momenta


def test_recalibration_keeps_weights_and_mode() -> None:
    net = network().eval()
    weights = {name: p.clone() for name, p in net.named_parameters()}
    recalibrate_batch_norm(net, [matrices(4)])
    assert not net.training
    assert all(torch.equal(p, weights[name]) for name, p in net.named_parameters())


def test_recalibration_averages_over_batches() -> None:
    net = network()
    recalibrate_batch_norm(net, [matrices(4, seed=s) for s in range(3)])
    norm, conv = net.encoder.layers[0].norm, net.encoder.layers[0].conv
    means = [conv(matrices(4, seed=s)).mean(dim=(0, 2, 3)) for s in range(3)]
    assert_allclose(norm.running_mean.numpy(), torch.stack(means).mean(0).detach().numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_layers": 0}, "num_encoder_layers must be 1 to 8; got 0"),
        ({"n_layers": 9}, "num_encoder_layers must be 1 to 8; got 9"),
        ({"base_channels": 0}, "base_channels must be 1 to 256; got 0"),
        ({"n_classes": 1}, "a classifier needs at least 2 classes; got 1"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        NetworkConfig(**{"n_classes": 3, **options})
