"""scikit-learn's checks of an estimator, on tables and on three-dimensional signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils import estimator_checks

from semg_hht.estimators import ChannelCovariance

N_SAMPLES = 64
SPARSE = "SciPy has no sparse arrays of three dimensions"
UNPACKED = "the check takes the shape of X apart as that of a table"
# Checks whose own code needs a table. They pass on two dimensions.
OF_TABLES = {
    "check_estimator_sparse_tag": SPARSE,
    "check_estimator_sparse_array": SPARSE,
    "check_estimator_sparse_matrix": SPARSE,
    "check_transformer_data_not_an_array": UNPACKED,
    "check_transformer_general": UNPACKED,
    "check_methods_subset_invariance": UNPACKED,
    "check_fit2d_predict1d": "a single repetition of several channels has the shape of a table",
}


def failing_on_tables(estimator: Any) -> dict[str, str]:
    """The checks that an estimator does not pass on two dimensions, and why."""
    if isinstance(estimator, ChannelCovariance):
        return {"check_estimators_dtypes": "rows of integers that are all the same: a constant has no covariance"}
    return {}


def failing_on_signals(estimator: Any) -> dict[str, str]:
    """The checks that an estimator does not pass on three dimensions, and why."""
    return OF_TABLES


def give_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make scikit-learn's checks give each table (n, n_columns) as signals (n, n_columns, 64).

    A value becomes the amplitude of noise of its column, so that what scikit-learn calls a feature is a channel.
    """
    noise = np.random.default_rng(0).normal(size=(1, 100, N_SAMPLES))
    enforce = estimator_checks._enforce_estimator_tags_X

    def signals(estimator: Any, X: Any, *args: Any, **named: Any) -> Any:
        found = enforce(estimator, X, *args, **named)
        if not isinstance(found, np.ndarray) or found.ndim != 2:
            return found
        return (found[..., None] * noise[:, : found.shape[1]]).astype(found.dtype)

    monkeypatch.setattr(estimator_checks, "_enforce_estimator_tags_X", signals)
