"""The ONNX graph of the network: folded batch norm, offsets of the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from semg_hht.inference.description import NetworkConfig
from semg_hht.learning.network import ActionNetwork

onnx_graph = pytest.importorskip("semg_hht.exports.onnx_graph")  # where onnx is not installed


def test_a_folded_convolution_is_convolution_and_batch_norm() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(2, 3, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(3).eval()
    for values in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        assert values is not None
        values.copy_(torch.rand(3) + 0.5)
    x = torch.randn(1, 2, 8, 8)
    weight, bias = (torch.from_numpy(values) for values in onnx_graph.folded(conv, norm))
    assert_allclose(nn.functional.conv2d(x, weight, bias, padding=1).numpy(), norm(conv(x)).detach().numpy(), atol=1e-5)


def test_the_table_gives_offset_and_shape_of_every_weight(tmp_path: Path) -> None:
    network = ActionNetwork(NetworkConfig(3, n_layers=2, base_channels=2)).eval()
    model = onnx_graph.onnx_model(network)
    n_bytes = onnx_graph.n_bytes(model)
    onnx_graph.write_onnx(model, tmp_path / "network.onnx")  # moves the weights out of the model
    tensors = onnx_graph.weights_table(tmp_path / "network.onnx")["tensors"]
    content = (tmp_path / "network.bin").read_bytes()
    assert sum(4 * int(np.prod(entry["shape"])) for entry in tensors.values()) == n_bytes
    entry = tensors["head1.bias"]
    stored = np.frombuffer(content, "<f4", entry["shape"][0], entry["offset"])
    assert_array_equal(stored, network.head.layers[1].bias.detach().numpy())
