"""validated.py: what an estimator accepts as X."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from semg_hht.estimators import EmgFeatures
from semg_hht.estimators.validated import OfRepetitions

X = np.random.default_rng(0).normal(size=(4, 2, 60))


class Nothing(OfRepetitions):
    """An estimator that only checks X."""

    def __init__(self, rate_hz: Any = 1000) -> None:
        self.rate_hz = rate_hz

    def lengths(self, x: Any, *, reset: bool = True) -> list[tuple[int, ...]]:
        return [repetition.shape for repetition in self._repetitions(x, reset=reset)[0]]


def test_three_and_two_dimensions_and_padding() -> None:
    padded = X.copy()
    padded[1, :, 40:] = np.nan
    assert Nothing().lengths(padded) == [(2, 60), (2, 40), (2, 60), (2, 60)]
    assert Nothing().lengths(X[:, 0]) == [(1, 60)] * 4


def test_later_repetitions_may_be_longer_but_have_the_same_channels() -> None:
    fitted = Nothing()
    fitted.lengths(X)
    assert fitted.lengths(np.tile(X, 2), reset=False) == [(2, 120)] * 4
    with pytest.raises(ValueError, match="X has 1 features, but Nothing is expecting 2 features"):
        fitted.lengths(X[:, :1], reset=False)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.where(np.arange(60) == 3, np.nan, X), "repetition 0 of X has NaN among its samples"),
        (np.full((2, 2, 60), np.nan), "repetition 0 of X has 0 samples; expected at least 2"),
        (np.where(np.arange(60) == 3, np.inf, X), "infinity"),
        (X[None], "found (1, 4, 2, 60)"),
        (X[0, 0], "Expected 2D array, got 1D array"),
    ],
)
def test_what_is_no_repetition_is_refused(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Nothing().lengths(x)


@pytest.mark.parametrize("rate_hz", [0, -1.0, "fast", None])
def test_a_rate_is_a_number_above_0(rate_hz: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="rate_hz"):
        EmgFeatures(rate_hz).fit(X)


def test_short_repetitions_are_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"a repetition of X has 4 samples; fewer than 16 .* X is \(n_repetitions"):
        EmgFeatures(1000).fit(X[..., :4])
