"""Convert a fitted scikit-learn SVM into plain arrays, which predict without scikit-learn.

It knows the attributes of scikit-learn and libsvm. It does not read files.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.inference.svm import Svm


def svm_arrays(pipeline: Any, classes: tuple[str, ...]) -> Svm:
    """The fitted Pipeline of `semg_hht.learning.svm_training` as arrays, for classes in output order."""
    scaler, calibrated = (step for _, step in pipeline.steps)
    names = tuple(calibrated.classes_)
    if set(names) != set(classes):
        raise InputError(f"expected an SVM that answers {', '.join(classes)}; found {', '.join(names)}")
    (fitted,) = calibrated.calibrated_classifiers_
    svc = fitted.estimator
    arrays = {
        "mean": scaler.mean_,
        "scale": scaler.scale_,
        "support_vectors": svc.support_vectors_,
        "coefficients": _of_pairs(svc.dual_coef_, svc.n_support_),
        "intercept": svc.intercept_,
        "gamma": svc._gamma,  # the number for gamma="scale" has no public attribute
        "sigmoids": [(sigmoid.a_, sigmoid.b_) for sigmoid in fitted.calibrators],
    }
    places = np.array([classes.index(name) for name in names], dtype=np.int64)
    return Svm(**{name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}, places=places)


def _of_pairs(dual: NDArray[np.float64], n_support: NDArray[np.int32]) -> NDArray[np.float64]:
    """libsvm's coefficients (n_classes - 1, n_vectors) -> coefficients of each pair of classes (n_pairs, n_vectors).

    libsvm sorts the vectors by class. A column holds the coefficients of one vector against every other class, in the
    order of the classes.
    """
    stops = np.cumsum(n_support)
    own = [slice(stop - n, stop) for stop, n in zip(stops, n_support, strict=True)]
    pairs = []
    for i, j in combinations(range(len(own)), 2):
        weights = np.zeros(dual.shape[1])
        weights[own[i]], weights[own[j]] = dual[j - 1, own[i]], dual[i, own[j]]
        pairs.append(weights)
    return np.array(pairs)
