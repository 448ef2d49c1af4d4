"""Run the network of an export folder in NumPy: one matrix at a time, reading two megabytes of weights at a time.

It starts at once and needs little memory, because the weights are never all in memory; for many matrices the other
engines are faster. It reads the file of weights and a table of where each lies. It does not know ONNX.

With eight bits, weights are whole numbers, and so are values between layers: steps of their tensor, counted from zero.
The sums of their products are nearly always below 2**24, and therefore exact in float32.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.matrices.matrix import SIZE
from semg_hht.system.files import read_json, require_file

WEIGHTS_FILE, TABLE_FILE = "network.bin", "network.json"
CHUNK = 2**21  # bytes of weights in one matrix product: they fit into a core's cache

Array = NDArray[np.float32]


class StreamedNetwork:
    """Matrices (n, n_planes, 256, 256) -> logits (n, n_classes), features (n, n_features)."""

    def __init__(self, path: Path) -> None:
        self._table = table = path.with_name(TABLE_FILE)
        content = read_json(table)
        try:
            self._slope = np.float32(content["slope"])
            self._tensors = {
                name: (int(tensor["offset"]), tuple(map(int, tensor["shape"])), np.dtype(tensor.get("dtype", "<f4")))
                for name, tensor in content["tensors"].items()
            }
            self._layers = list(_numbered("layer{}.conv", self._tensors))
            self._head = list(_numbered("head{}", self._tensors))
            first, last = (self._tensors[f"{name}.weight"][1] for name in (self._layers[0], self._head[-1]))
            n_features = self._tensors[f"{self._layers[-1]}.weight"][1][0]
            self._is_int8 = self._tensors[f"{self._layers[0]}.weight"][2] == np.int8
            stop = max(offset + dtype.itemsize * prod(shape) for offset, shape, dtype in self._tensors.values())
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"{table}: expected where each weight of the network lies; {error!r}") from None
        self.shapes = {
            "matrices": (None, first[1], SIZE, SIZE), "logits": (None, last[0]), "features": (None, n_features),
        }  # fmt: skip
        require_file(path.with_name(WEIGHTS_FILE))
        with path.with_name(WEIGHTS_FILE).open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) != stop:
            raise ValueError(f"expected {stop} bytes of weights; found {len(self._map)}")

    def __call__(self, matrices: Array) -> tuple[Array, Array]:
        try:
            logits, features = zip(*(self._answer(matrix) for matrix in matrices), strict=True)
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # a table may hold layers that don't fit
            raise InputError(f"{self._table}: this network can't be run; {error!r}") from None
        return np.stack(logits), np.stack(features)

    def _answer(self, matrix: Array) -> tuple[Array, Array]:
        tensor, x = "matrices", self._steps(matrix.copy(), "matrices")
        for conv in self._layers:
            x = self._layer(x, tensor, conv)
            tensor = conv.removesuffix(".conv")
        row = self._steps(self._values(x.mean(axis=(1, 2)), tensor), "pooled")[:, None]
        features = self._values(row.copy(), "pooled")[:, 0]
        for name in self._head[:-1]:
            row = self._steps(self._leaky(self._product(row, name)), f"{name}.activation")
        return self._product(row, self._head[-1])[:, 0], features

    def _layer(self, x: Array, tensor: str, conv: str) -> Array:
        """Steps of ``tensor`` (n_in, h, w) -> (n_out, h/2, w/2)."""
        n, h, w = x.shape[0], x.shape[1] // 2, x.shape[2] // 2
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
        columns = windows.transpose(0, 3, 4, 1, 2).reshape(9 * n, h * w)  # (n, h, w, 3, 3)
        y, layer = self._product(columns, conv), conv.removesuffix(".conv")
        if f"{layer}.shortcut.weight" in self._tensors:
            pooled = x.reshape(n, h, 2, w, 2).mean(axis=(2, 4)).reshape(n, h * w)
            if self._is_int8:
                zero = self._zero(tensor)  # halves become the even one of eight-bit numbers, not of steps
                pooled = np.rint(pooled + zero) - zero
            y += self._product(pooled, f"{layer}.shortcut")
            y = self._rounded(y, f"{layer}.sum")
        return self._steps(self._leaky(y), layer).reshape(-1, h, w)

    def _product(self, columns: Array, name: str) -> Array:
        """Weights (n_out, k) times columns (k, n), and the bias; a slice of the weights at a time."""
        offset, shape, dtype = self._tensors[f"{name}.weight"]
        n_out, k = shape[0], prod(shape[1:])
        weights = self._read(f"{name}.weight").reshape(n_out, k)
        product = np.empty((n_out, columns.shape[1]), np.float32)
        step = max(1, CHUNK // (4 * k))
        row_bytes = dtype.itemsize * k
        for start in range(0, n_out, step):
            stop = min(start + step, n_out)
            np.matmul(weights[start:stop].astype(np.float32, copy=False), columns, out=product[start:stop])
            self._forget(offset + row_bytes * start, offset + row_bytes * stop)
        product += self._read(f"{name}.bias")[:, None]
        if self._is_int8:
            product *= self._read(f"{name}.bias_scale")[:, None]  # the step of the columns times those of the weights
        return self._rounded(product, name)

    def _rounded(self, values: Array, name: str) -> Array:
        """What eight bits leave of the values of a tensor, in their place."""
        return self._values(self._steps(values, name), name)

    def _steps(self, values: Array, name: str) -> Array:
        """Values of a tensor as whole steps from zero, in their place; a float32 network keeps the values."""
        if self._is_int8:
            zero = self._zero(name)
            values /= self._read(f"{name}_scale")
            np.clip(np.rint(values, out=values), -zero, 255 - zero, out=values)
        return values

    def _values(self, steps: Array, name: str) -> Array:
        """The values of steps, in their place."""
        if self._is_int8:
            steps *= self._read(f"{name}_scale")
        return steps

    def _zero(self, name: str) -> np.float32:
        """The eight-bit number that stands for zero."""
        return np.float32(self._read(f"{name}_zero_point"))

    def _read(self, name: str) -> NDArray[Any]:
        offset, shape, dtype = self._tensors[name]
        return np.frombuffer(self._map, dtype, prod(shape), offset).reshape(shape)

    def _forget(self, start: int, stop: int) -> None:
        """Release bytes of the file from memory; Windows has no such call and keeps them."""
        start = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        length = stop // mmap.PAGESIZE * mmap.PAGESIZE - start
        if length > 0 and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, length)

    def _leaky(self, values: Array) -> Array:
        np.maximum(values, self._slope * values, out=values)
        return values


def _numbered(pattern: str, names: Collection[str]) -> Iterator[str]:
    """``layer1.conv``, ``layer2.conv`` ... as far as there are weights."""
    number = 1
    while f"{pattern.format(number)}.weight" in names:
        yield pattern.format(number)
        number += 1
