"""A scikit-learn SVM as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.learning.svm_training import fit_svm, probabilities

NAMES = ("full", "half", "invalid", "wrong")


def fitted(n_classes: int) -> Any:
    rng = np.random.default_rng(n_classes)
    table = rng.standard_normal((90, 6))
    table[:, 3] = 1  # a column that never changes has no scale
    where = np.clip((table[:, 0] + 0.5 * rng.standard_normal(90) + 1.5) * n_classes / 3, 0, n_classes - 1)
    labels = [NAMES[int(i)] for i in where]
    groups = [f"S{i % 9}" for i in range(90)]
    return fit_svm(table, labels, groups, what="action_quality", by="subject", seed=0)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("direction", [1, -1])
def test_arrays_answer_as_scikit_learn(n_classes: int, direction: int) -> None:
    pipeline, classes = fitted(n_classes), NAMES[:n_classes][::direction]
    new = np.random.default_rng(9).standard_normal((21, 6))
    new[:, 3] = 1
    found = svm_arrays(pipeline, classes).probabilities(new)
    assert_allclose(found, probabilities(pipeline, new, classes), atol=1e-12)
    assert len(set(found.argmax(axis=1))) == n_classes


def test_an_svm_of_other_classes_is_refused() -> None:
    with pytest.raises(InputError, match="expected an SVM that answers F, M; found full, half"):
        svm_arrays(fitted(2), ("F", "M"))
