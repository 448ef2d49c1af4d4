"""Build the ONNX graph of the network operator by operator, with batch norm folded into the convolutions.

torch's exporters need onnxscript or a deprecated tracer, and the network has only six kinds of operators, all of opset
18. onnxruntime and OpenVINO have fast code for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from semg_hht.inference.streamed import WEIGHTS_FILE
from semg_hht.learning.network import SLOPE, ActionNetwork, EncoderLayer
from semg_hht.matrices.matrix import SIZE

OPSET, IR_VERSION = 18, 9


class _Graph:
    """Operators and weights in order; values are referred to by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, values: NDArray[Any]) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def put(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, x: str, name: str, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
        weight, bias = folded(conv, norm)
        inputs = [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", bias)]
        pads = [*conv.padding, *conv.padding]
        return self.put("Conv", inputs, name, kernel_shape=conv.kernel_size, strides=conv.stride, pads=pads)

    def layer(self, x: str, name: str, layer: EncoderLayer) -> str:
        y = self.convolution(x, f"{name}.conv", layer.conv, layer.norm)
        if layer.shortcut is not None:
            _, conv, norm = layer.shortcut
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            pooled = self.put("AveragePool", [x], f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2])
            shortcut = self.convolution(pooled, f"{name}.shortcut", conv, norm)
            y = self.put("Add", [y, shortcut], f"{name}.sum")
        return self.put("LeakyRelu", [y], name, alpha=SLOPE)

    def linear(self, x: str, name: str, linear: nn.Linear) -> str:
        """A linear layer as a convolution on maps of 1 x 1.

        Engines sum a matrix product of one row in another order than one of several rows, so that results would depend
        on the batch.
        """
        weight = _array(linear.weight)[:, :, None, None]  # (n_out, n_in) -> (n_out, n_in, 1, 1)
        inputs = [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", _array(linear.bias))]
        return self.put("Conv", inputs, name, kernel_shape=[1, 1])


def onnx_model(network: ActionNetwork) -> onnx.ModelProto:
    """``matrices`` (n, n_planes, 256, 256) -> ``logits`` (n, n_classes), ``features`` (n, n_features); any n."""
    graph, config = _Graph(), network.config
    x = "matrices"
    for i, layer in enumerate(network.encoder.layers):
        assert isinstance(layer, EncoderLayer)
        x = graph.layer(x, f"layer{i + 1}", layer)
    x = graph.put("GlobalAveragePool", [x], "pooled")
    graph.put("Flatten", [x], "features")
    linears = [module for module in network.head.layers if isinstance(module, nn.Linear)]
    for i, linear in enumerate(linears):
        if i:
            x = graph.put("LeakyRelu", [x], f"head{i}.activation", alpha=SLOPE)
        x = graph.linear(x, f"head{i + 1}", linear)
    graph.put("Flatten", [x], "logits")
    shapes = {
        "matrices": [config.n_planes, SIZE, SIZE], "logits": [config.n_classes], "features": [config.n_features],
    }  # fmt: skip
    matrices, *outputs = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *sizes]) for name, sizes in shapes.items()
    )
    content = helper.make_graph(graph.nodes, "semg-hht", [matrices], outputs, graph.weights)
    return helper.make_model(
        content, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="semg-hht"
    )


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight and bias of one convolution equal to ``conv`` followed by ``norm``; computed in float64."""
    assert norm.running_var is not None and norm.running_mean is not None
    gain = _array(norm.weight, np.float64) / np.sqrt(_array(norm.running_var, np.float64) + norm.eps)
    bias = _array(norm.bias, np.float64) - _array(norm.running_mean, np.float64) * gain
    weight = _array(conv.weight, np.float64) * gain[:, None, None, None]
    return weight.astype(np.float32), bias.astype(np.float32)


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write the graph, and its weights to a second file, which engines map into memory instead of copying."""
    for weight in model.graph.initializer:  # onnx moves what is stored as bytes, and leaves lists of numbers
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    path.touch()
    onnx.save_model(model, path, save_as_external_data=True, location=WEIGHTS_FILE, size_threshold=0)
    (path.parent / WEIGHTS_FILE).chmod(path.stat().st_mode)  # onnx writes it readable for the owner only


def weights_table(path: Path) -> dict[str, Any]:
    """Offset, shape and type of each weight in the file of `write_onnx`, for `semg_hht.inference.streamed`."""
    tensors = {}
    for weight in onnx.load(path, load_external_data=False).graph.initializer:
        offset = next(int(entry.value) for entry in weight.external_data if entry.key == "offset")
        dtype = helper.tensor_dtype_to_np_dtype(weight.data_type).str
        name = weight.name.replace("_quantized", "")  # of onnxruntime's quantiser
        tensors[name] = {"offset": offset, "shape": list(weight.dims), "dtype": dtype}
    return {"slope": SLOPE, "tensors": tensors}


def n_bytes(model: onnx.ModelProto) -> int:
    return sum(len(weight.raw_data) for weight in model.graph.initializer)


def _array(tensor: Tensor, dtype: Any = np.float32) -> NDArray[Any]:
    return tensor.detach().cpu().numpy().astype(dtype)
