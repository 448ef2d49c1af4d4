"""Run the network of an export folder with OpenVINO, onnxruntime or NumPy.

The ONNX file has the input ``matrices`` and the outputs ``logits`` and ``features``. This module does not know classes
or people. Each engine gives a matrix the same answer, bit for bit, whatever other matrices are in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.inference.streamed import StreamedNetwork
from semg_hht.system.files import require_file

Matrices = NDArray[np.float32]
OUTPUTS = ("logits", "features")


class Network(Protocol):
    """Matrices (n, n_planes, 256, 256) -> logits (n, n_classes), features (n, n_features).

    shapes : shapes of the input and the outputs, by name; None where a size is free.
    """

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]: ...

    def __call__(self, matrices: Matrices) -> tuple[Matrices, Matrices]: ...


class _OpenVino:
    def __init__(self, path: Path) -> None:
        import openvino

        # OpenVINO would compute in bfloat16 on processors that have it.
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        self._path = path
        model = openvino.Core().compile_model(path, "CPU", exact)
        self.shapes = {
            port.any_name: tuple(None if size.is_dynamic else size.get_length() for size in port.partial_shape)
            for port in (*model.inputs, *model.outputs)
        }
        self._request = model.create_infer_request()

    def __call__(self, matrices: Matrices) -> tuple[Matrices, Matrices]:
        with _engine_errors(self._path):
            self._request.infer({"matrices": matrices}, share_inputs=True)
        logits, features = (self._request.get_tensor(name).data.copy() for name in OUTPUTS)
        return logits, features


class _Onnxruntime:
    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone, not notes on the processor
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # for the threads that read ahead
        self._path = path
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.shapes = {
            port.name: tuple(size if isinstance(size, int) else None for size in port.shape)
            for port in (*self._session.get_inputs(), *self._session.get_outputs())
        }

    def __call__(self, matrices: Matrices) -> tuple[Matrices, Matrices]:
        with _engine_errors(self._path):
            logits, features = self._session.run(OUTPUTS, {"matrices": matrices})
        return logits, features


# The fastest for many matrices first.
BACKENDS: dict[str, Callable[[Path], Network]] = {
    "openvino": _OpenVino,
    "onnxruntime": _Onnxruntime,
    "numpy": StreamedNetwork,
}
# Precision -> up to how many matrices an engine with a shorter start answers first, and that engine.
SOONEST = {"float32": ((4, "numpy"),), "int8": ((2, "numpy"), (64, "onnxruntime"))}
MANY = max(most for of_precision in SOONEST.values() for most, _ in of_precision)


def installed() -> tuple[str, ...]:
    """The engines of this environment, the fastest for many matrices first."""
    return tuple(name for name in BACKENDS if find_spec(name) is not None)


def choose(engines: Sequence[str], precision: str, n_matrices: int) -> str:
    """Which of ``engines`` answers ``n_matrices`` first, its start included."""
    sooner = (name for most, name in SOONEST[precision] if n_matrices <= most and name in engines)
    return next(sooner, engines[0])


def open_network(path: Path, engine: str) -> Network:
    """Open the network of an ONNX file in ``engine``.

    Raises
    ------
    InputError
        The engine is not installed, or it can't read the file.
    """
    if find_spec(engine) is None:
        extra = "onnx" if engine == "onnxruntime" else engine
        raise InputError(f"engine={engine!r} is not installed: pip install 'semg-hht[{extra}]'")
    require_file(path)
    try:
        return BACKENDS[engine](path)
    except InputError:
        raise
    except Exception as error:  # each engine raises its own errors for a damaged file
        raise InputError(
            f"{path}: can't be read by {engine} (cut short, or another format); {_reason(error)}"
        ) from error


@contextmanager
def _engine_errors(path: Path) -> Iterator[None]:
    """Report an engine's own error as an InputError: a file may open, yet hold layers that don't fit each other."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{path}: this network can't be run; {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The informative line of an engine's message, its last; the others are paths of its source."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__).strip()
