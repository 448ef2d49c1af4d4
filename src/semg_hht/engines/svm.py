"""The gender SVM as plain arrays: StandardScaler, RBF SVM and sigmoid calibration, in NumPy.

Knows feature arrays and an npz: nothing of scikit-learn, which fitted it, or of networks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.storage import BROKEN_NPZ, require_modest_zip, whole_file

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GenderSvm:
    """Two classes; a decision above 0 speaks for the second.

    mean, scale : (n_features,) of the StandardScaler.
    support_vectors : (n_vectors, n_features), standardised.
    coefficients : (n_vectors,) what each weighs in the decision.
    intercept, gamma : () of the decision, and of the kernel exp(-gamma |x - s|^2).
    sigmoid : (2,) a and b of 1 / (1 + exp(a decision + b)) (Platt 1999).
    """

    mean: Array
    scale: Array
    support_vectors: Array
    coefficients: Array
    intercept: Array
    gamma: Array
    sigmoid: Array

    def probabilities(self, features: NDArray[np.float32]) -> Array:
        """Features (n, n_features) -> (n, 2). The kernel is one matrix product."""
        x = (features.astype(np.float64) - self.mean) / self.scale
        squared = (x**2).sum(axis=1)[:, None] + self._squared_norms - 2 * (x @ self.support_vectors.T)
        kernel = np.exp(-self.gamma * np.maximum(squared, 0))  # (n, n_vectors)
        decision = kernel @ self.coefficients + self.intercept
        first = (1 + np.tanh((self.sigmoid[0] * decision + self.sigmoid[1]) / 2)) / 2  # a logistic that can't overflow
        return np.stack([first, 1 - first], axis=1)

    @cached_property
    def _squared_norms(self) -> Array:
        return np.asarray((self.support_vectors**2).sum(axis=1))


def write_gender_svm(svm: GenderSvm, path: Path) -> None:
    with whole_file(path) as part, part.open("wb") as handle:
        np.savez(handle, **{field.name: getattr(svm, field.name) for field in fields(GenderSvm)})


def read_gender_svm(path: Path, n_features: int) -> GenderSvm:
    """Read what `write_gender_svm` wrote.

    Raises
    ------
    InputError
        No npz, an array missing, of another shape or not of finite numbers.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            require_modest_zip(path, archive.zip)
            arrays = {field.name: np.asarray(archive[field.name]) for field in fields(GenderSvm)}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except InputError:
        raise
    except BROKEN_NPZ as error:
        raise InputError(f"{path}: can't be read as the arrays of an SVM; {error}") from None
    n_vectors = arrays["coefficients"].size
    shapes = {
        "mean": (n_features,), "scale": (n_features,), "support_vectors": (n_vectors, n_features),
        "coefficients": (n_vectors,), "intercept": (), "gamma": (), "sigmoid": (2,),
    }  # fmt: skip
    for name, shape in shapes.items():
        found = arrays[name]
        if found.shape != shape or found.dtype != np.float64 or not np.isfinite(found).all():
            raise InputError(f"{path}: expected {name!r} of shape {shape}, finite; found {found.dtype} {found.shape}")
    return GenderSvm(**arrays)
