"""An RBF SVM for many fits on subsets of the same rows: the distances of all rows are computed once.

libsvm computes every entry of the kernel again for each fit. Here one matrix product gives the squared distances of
all rows, and each fit uses its part of them. Support vectors are the same as those of scikit-learn's SVC; decisions
differ by rounding. Memory grows with the square of the number of rows, which the caller limits.

It works on feature arrays and does not know calibration, torch or the meaning of the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC

Array = NDArray[np.float64]
SAME = 1e-8  # allowed difference of a decision; rounding errors are 100,000 times smaller


@dataclass(frozen=True)
class Rows:
    """Features (n, n_features) and their distances; all estimators share one object, which is never copied."""

    features: Array

    @cached_property
    def squared_distances(self) -> Array:
        """(n, n), from one matrix product."""
        squares = np.einsum("ij,ij->i", self.features, self.features)
        distances: Array = self.features @ self.features.T
        distances *= -2
        distances += squares[:, None]
        distances += squares
        np.maximum(distances, 0, out=distances)
        np.fill_diagonal(distances, 0)
        return distances

    def gamma(self, gamma: float | str, numbers: NDArray[np.intp]) -> float:
        """The value of ``gamma`` for some of the rows; ``"scale"`` is computed as in scikit-learn."""
        if gamma != "scale":
            return float(gamma)
        variance = self.features[numbers].var()
        return 1.0 / (self.features.shape[1] * variance) if variance else 1.0

    def __deepcopy__(self, _: Any) -> Rows:
        return self  # scikit-learn copies the parameters of an estimator for every fold


class SvcOnRows(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An SVC whose input is row numbers (n, 1) instead of features.

    scikit-learn's own ``kernel="precomputed"`` needs one matrix for all folds, but gamma "scale" differs by fold.
    """

    def __init__(self, rows: Rows, C: float = 1.0, gamma: float | str = "scale", class_weight: Any = None) -> None:
        self.rows, self.C, self.gamma, self.class_weight = rows, C, gamma, class_weight

    def fit(self, X: NDArray[np.intp], y: NDArray[np.str_], sample_weight: Array | None = None) -> SvcOnRows:
        self.on(X[:, 0])
        self.svc_ = SVC(C=self.C, kernel="precomputed", class_weight=self.class_weight)
        self.svc_.fit(self.kernel(self.numbers_), y, sample_weight=sample_weight)
        self.classes_ = self.svc_.classes_
        return self

    def on(self, numbers: NDArray[np.intp]) -> SvcOnRows:
        """Take these rows as those of the training; gamma ``"scale"`` is computed from them."""
        self.numbers_ = numbers
        self.gamma_ = self.rows.gamma(self.gamma, numbers)
        return self

    def decision_function(self, X: NDArray[np.intp]) -> Array:
        return np.asarray(self.svc_.decision_function(self.kernel(X[:, 0])))

    def predict(self, X: NDArray[np.intp]) -> NDArray[np.str_]:
        return np.asarray(self.svc_.predict(self.kernel(X[:, 0])))

    def kernel(self, numbers: NDArray[np.intp]) -> Array:
        """(n, n_training): the kernel of these rows and those of the training."""
        part = self.rows.squared_distances[np.ix_(numbers, self.numbers_)]
        part *= -self.gamma_
        return np.exp(part, out=part)


def best_pair(
    rows: Rows,
    y: NDArray[np.str_],
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    costs: Sequence[float],
    gammas: Sequence[float | str],
) -> tuple[float, float | str]:
    """The first pair of C and gamma with the highest mean balanced accuracy over the folds; classes weigh the same.

    It is the pair of scikit-learn's `GridSearchCV`, which takes twice the time: it computes the kernel again for each
    C, checks the parameters and the scores of each fit, and fits the best pair to all rows.
    """
    scores = np.empty((len(costs), len(gammas), len(folds)))
    numbers = np.unique(y, return_inverse=True)[1]
    for k, (train, test) in enumerate(folds):
        true = [numbers[test] == number for number in np.unique(numbers[test])]
        names, counts = np.unique(numbers[train], return_counts=True)
        # What "balanced" stands for. scikit-learn would find it, and check the numbers, anew for each of many fits.
        weights = dict(zip(names.tolist(), len(train) / (len(names) * counts), strict=True))
        for j, gamma in enumerate(gammas):
            machine = SvcOnRows(rows, gamma=gamma).on(train)
            seen, unseen = machine.kernel(train), machine.kernel(test)
            for i, cost in enumerate(costs):
                with config_context(assume_finite=True, skip_parameter_validation=True):
                    svc = SVC(C=cost, kernel="precomputed", class_weight=weights).fit(seen, numbers[train])
                    found = svc.predict(unseen) == numbers[test]
                scores[i, j, k] = np.mean([np.mean(found[of_class]) for of_class in true])
    i, j = divmod(int(np.average(scores, axis=2).argmax()), len(gammas))
    return costs[i], gammas[j]


def on_features(fitted: SvcOnRows, y: NDArray[np.str_], sample_weight: Array, **options: Any) -> SVC:
    """The same decision function as an RBF SVC on features, made with ``options``.

    scikit-learn has no public way to build a fitted SVC, so its fitted attributes are copied. Where decisions differ
    afterwards, as in a version with other attributes, the SVC is fitted again with ``y`` and ``sample_weight``.
    """
    features = fitted.rows.features[fitted.numbers_]
    svc = SVC(**options)
    parameters = set(svc.get_params())
    vars(svc).update({name: value for name, value in vars(fitted.svc_).items() if name not in parameters})
    svc.support_vectors_ = features[fitted.svc_.support_]
    svc.shape_fit_, svc.n_features_in_, svc._gamma = features.shape, features.shape[1], fitted.gamma_
    few = np.arange(0, len(features), max(1, len(features) // 16))
    expected = fitted.decision_function(fitted.numbers_[few][:, None])
    same = np.abs(svc.decision_function(features[few]) - expected).max() <= SAME
    return svc if same else SVC(**options).fit(features, y, sample_weight=sample_weight)
