"""The network of an export folder, run by OpenVINO or by onnxruntime.

Knows an ONNX file with the input ``matrices``, the outputs ``logits`` and ``features``: nothing of classes or people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError

Matrices = NDArray[np.float32]
OUTPUTS = ("logits", "features")
MANY = 12  # matrices in a batch from which on a second spent on the order of the weights is earned back


class Network(Protocol):
    """Matrices (n, n_planes, 256, 256) -> logits (n, n_classes), features (n, n_features).

    shapes : of the input and the outputs, by name; None where a size is free.
    """

    shapes: dict[str, tuple[int | None, ...]]

    def __call__(self, matrices: Matrices) -> tuple[Matrices, Matrices]: ...


class _OpenVino:
    def __init__(self, path: Path) -> None:
        import openvino

        # In float32 also where the processor has bfloat16, which OpenVINO would take by itself.
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        self._path = path
        model = openvino.Core().compile_model(path, "CPU", exact)
        self.shapes = {
            port.any_name: tuple(None if size.is_dynamic else size.get_length() for size in port.partial_shape)
            for port in (*model.inputs, *model.outputs)
        }
        self._request = model.create_infer_request()

    def __call__(self, matrices: Matrices) -> tuple[Matrices, Matrices]:
        with _said(self._path):
            self._request.infer({"matrices": matrices}, share_inputs=True)
        logits, features = (self._request.get_tensor(name).data.copy() for name in OUTPUTS)
        return logits, features


class _Onnxruntime:
    """Weights stay as they lie in the file, mapped into memory, until a batch is large enough to pay for the second
    that onnxruntime takes to bring them into the processor's own order.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._reordered = path, False
        self._session = self._open()
        self.shapes = {
            port.name: tuple(size if isinstance(size, int) else None for size in port.shape)
            for port in (*self._session.get_inputs(), *self._session.get_outputs())
        }

    def _open(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors, which are raised too; not its notes on the processor
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if self._reordered else level.ORT_ENABLE_EXTENDED
        return onnxruntime.InferenceSession(self._path, options, providers=["CPUExecutionProvider"])

    def __call__(self, matrices: Matrices) -> tuple[Matrices, Matrices]:
        if len(matrices) >= MANY and not self._reordered:
            self._reordered = True
            self._session = self._open()
        with _said(self._path):
            logits, features = self._session.run(OUTPUTS, {"matrices": matrices})
        return logits, features


# In the order they are chosen.
BACKENDS: dict[str, Callable[[Path], Network]] = {
    "openvino": _OpenVino,
    "onnxruntime": _Onnxruntime,
}


def installed() -> tuple[str, ...]:
    """The engines this environment has, the one that is chosen first."""
    return tuple(name for name in BACKENDS if find_spec(name) is not None)


def open_network(path: Path, engine: str = "auto") -> Network:
    """The network of an ONNX file, in ``engine``; ``auto``: OpenVINO where it is installed, else onnxruntime.

    Raises
    ------
    InputError
        The engine is not there, or it can't read the file.
    """
    here = installed()
    if engine == "auto" and not here:
        raise InputError(f"{path.parent}: needs onnxruntime or openvino: pip install 'semg-hht[onnx]'")
    name = here[0] if engine == "auto" else engine
    if name not in here:
        extra = "onnx" if name == "onnxruntime" else name
        raise InputError(f"--engine {name} is not installed: pip install 'semg-hht[{extra}]'")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return BACKENDS[name](path)
    except Exception as error:  # each engine has errors of its own for a damaged file
        raise InputError(f"{path}: can't be read by {name} (cut short, or another format); {_first(error)}") from error


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """A file may open well and hold layers that don't fit each other: an engine's own error is then said as ours."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{path}: this network can't be run; {_first(error)}") from error


def _first(error: Exception) -> str:
    """The line of an engine's message that tells most; the others are paths of its own source."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__).strip()
