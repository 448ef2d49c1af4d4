"""A calibrated SVM in NumPy, for any number of classes: StandardScaler, RBF SVM and sigmoids as plain arrays.

It reads and writes an npz. It does not know networks, or scikit-learn, which fits the SVM.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.system.files import BROKEN_NPZ, require_file, whole_file
from semg_hht.system.numpy_files import arrays_in_npz

Array = NDArray[np.float64]

BLOCK = 8  # rows of every matrix product: with a fixed number, the answer for a row does not depend on the others


@dataclass(frozen=True)
class Svm:
    """One decision for each pair of classes (one against one). Above 0 the first of the pair is likelier; where there
    are only two classes, the second.

    mean, scale : (n_columns,) of the StandardScaler.
    support_vectors : (n_vectors, n_columns), standardised.
    coefficients : (n_pairs, n_vectors) weight of each vector in the decision of a pair; 0 for vectors of other classes.
    intercept, gamma : (n_pairs,) of the decisions, and () of the kernel exp(-gamma |x - s|^2).
    sigmoids : (n_classes, 2), of two classes (1, 2): a and b of 1 / (1 + exp(a decision + b)) (Platt 1999).
    places : (n_classes,) column of each class in the output.
    """

    mean: Array
    scale: Array
    support_vectors: Array
    coefficients: Array
    intercept: Array
    gamma: Array
    sigmoids: Array
    places: NDArray[np.int64]

    def probabilities(self, table: NDArray[Any]) -> Array:
        """Table (n, n_columns) -> (n, n_classes)."""
        n = len(table)
        rows = np.concatenate([table, np.repeat(table[:1], -n % BLOCK, axis=0)]).astype(np.float64)
        pairs = np.concatenate([self._pairs(rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)])[:n]
        calibrated = self._calibrated(pairs if self.places.size == 2 else self._one_against_rest(pairs))
        ordered = np.empty_like(calibrated)
        ordered[:, self.places] = calibrated
        return ordered

    def _pairs(self, block: Array) -> Array:
        """(BLOCK, n_columns) -> (BLOCK, n_pairs); the kernel is one matrix product."""
        x = (block - self.mean) / self.scale
        squared = (x**2).sum(axis=1)[:, None] + self._squared_norms - 2 * (x @ self.support_vectors.T)
        kernel = np.exp(-self.gamma * np.maximum(squared, 0))  # (BLOCK, n_vectors)
        pairs = np.stack([(kernel * weights).sum(axis=1) for weights in self.coefficients], axis=1)
        return np.asarray(pairs + self.intercept)

    def _one_against_rest(self, pairs: Array) -> Array:
        """(n, n_pairs) -> (n, n_classes): votes; classes of equal votes are ordered by the sums of their decisions."""
        votes, sums = np.zeros((2, len(pairs), self.places.size))
        for decision, (i, j) in zip(pairs.T, combinations(range(self.places.size), 2), strict=True):
            votes[:, i] += decision >= 0
            votes[:, j] += decision < 0
            sums[:, i] += decision
            sums[:, j] -= decision
        return np.asarray(votes + sums / (3 * (np.abs(sums) + 1)))

    def _calibrated(self, decisions: Array) -> Array:
        a, b = self.sigmoids.T
        likely = (1 - np.tanh((a * decisions + b) / 2)) / 2  # a logistic that can't overflow
        if self.places.size == 2:
            return np.concatenate([1 - likely, likely], axis=1)
        total = likely.sum(axis=1, keepdims=True)
        even = np.full_like(likely, 1 / self.places.size)
        return np.asarray(np.divide(likely, total, out=even, where=total > 0))

    @cached_property
    def _squared_norms(self) -> Array:
        return np.asarray((self.support_vectors**2).sum(axis=1))


def write_svm(svm: Svm, path: Path) -> None:
    with whole_file(path) as part, part.open("wb") as handle:
        np.savez(handle, **{field.name: getattr(svm, field.name) for field in fields(Svm)})


def read_svm(path: Path, n_columns: int, n_classes: int) -> Svm:
    """Read what `write_svm` wrote.

    Raises
    ------
    InputError
        No npz, an array missing, of another shape or not of finite numbers.
    """
    require_file(path)
    try:
        arrays = arrays_in_npz(path, [field.name for field in fields(Svm)])
    except InputError:
        raise
    except BROKEN_NPZ as error:
        raise InputError(f"{path}: can't be read as the arrays of an SVM; {error}") from None
    n_vectors = arrays["support_vectors"].shape[0] if arrays["support_vectors"].ndim else 0
    n_pairs = n_classes * (n_classes - 1) // 2
    shapes = {
        "mean": (n_columns,), "scale": (n_columns,), "support_vectors": (n_vectors, n_columns),
        "coefficients": (n_pairs, n_vectors), "intercept": (n_pairs,), "gamma": (),
        "sigmoids": (1 if n_classes == 2 else n_classes, 2), "places": (n_classes,),
    }  # fmt: skip
    for name, shape in shapes.items():
        array, dtype = arrays[name], np.int64 if name == "places" else np.float64
        if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
            raise InputError(f"{path}: expected {name!r} of shape {shape}, finite; found {array.dtype} {array.shape}")
    if set(arrays["places"].tolist()) != set(range(n_classes)):
        raise InputError(f"{path}: expected 'places' to name each of {n_classes} classes once")
    return Svm(**arrays)
