"""Check the array X that an estimator gets, as scikit-learn asks.

It does not know what is computed from the repetitions.
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_scalar
from sklearn.utils.validation import validate_data

from semg_hht.signals.features import MIN_SAMPLES
from semg_hht.signals.repetition_stack import MIN_LENGTH, unstack_repetitions

Array = NDArray[np.float64]


class OfRepetitions(BaseEstimator):  # type: ignore[misc]
    """What the estimators share: X (n_repetitions, n_channels, n_samples) or (n_repetitions, n_samples)."""

    rate_hz: float

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _repetitions(self, X: Any, *, reset: bool = False, **y: Any) -> tuple[list[Array], Any]:
        """The repetitions (n_channels, n_samples), and y where it is given; ``reset``: in `fit`."""
        check_scalar(self.rate_hz, "rate_hz", Real, min_val=0, include_boundaries="neither")
        checked = validate_data(
            self, X, **y, reset=reset, allow_nd=True, dtype=np.float64, ensure_all_finite="allow-nan",
            ensure_min_features=MIN_LENGTH if reset else 1,  # of X (n_repetitions, n_samples)
        )  # fmt: skip
        samples, labels = checked if y else (checked, None)
        repetitions = unstack_repetitions(samples)
        shortest = min(repetition.shape[1] for repetition in repetitions)
        if reset and shortest < MIN_SAMPLES:
            warnings.warn(
                f"a repetition of X has {shortest} samples; fewer than {MIN_SAMPLES} say little of a spectrum. "
                "X is (n_repetitions, n_channels, n_samples) or (n_repetitions, n_samples)",
                stacklevel=3,
            )
        return repetitions, labels
