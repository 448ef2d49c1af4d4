"""SVMs as arrays: saving, loading and prediction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.inference.svm import Svm, read_svm, write_svm
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.learning.svm_training import fit_svm

NAMES = ("full", "half", "invalid", "wrong")


def fitted(n_classes: int) -> Any:
    rng = np.random.default_rng(n_classes)
    table = rng.standard_normal((90, 6))
    table[:, 3] = 1  # a column that never changes has no scale
    where = np.clip((table[:, 0] + 0.5 * rng.standard_normal(90) + 1.5) * n_classes / 3, 0, n_classes - 1)
    labels = [NAMES[int(i)] for i in where]
    groups = [f"S{i % 9}" for i in range(90)]
    return fit_svm(table, labels, groups, what="action_quality", by="subject", seed=0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_row_is_answered_alike_bit_for_bit_wherever_it_stands(n_classes: int) -> None:
    svm = svm_arrays(fitted(n_classes), NAMES[:n_classes])
    new = np.random.default_rng(9).standard_normal((21, 6))
    whole = svm.probabilities(new)
    assert_array_equal(np.concatenate([svm.probabilities(row[None]) for row in new]), whole)
    assert_array_equal(svm.probabilities(new[::-1])[::-1], whole)


def test_far_from_all_it_saw_the_svm_does_not_overflow() -> None:
    one = np.ones(1)
    svm = Svm(
        one * 0, one, one[None], one[None] * 1e6, one * 0, np.array(1.0), np.array([[-1e6, 0.0]]), np.array([0, 1])
    )
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(svm.probabilities(np.array([[1.0], [1e3]])), [[0, 1], [0.5, 0.5]])


def test_where_no_class_is_likely_all_are_even() -> None:
    svm = svm_arrays(fitted(3), NAMES[:3])
    never = replace(svm, sigmoids=np.array([[0.0, 1e4]] * 3))
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(never.probabilities(np.zeros((1, 6))), [[1 / 3] * 3])


def test_arrays_come_back_from_their_file(tmp_path: Path) -> None:
    svm = svm_arrays(fitted(3), NAMES[:3])
    write_svm(svm, tmp_path / "svm.npz")
    new = np.random.default_rng(9).standard_normal((5, 6))
    assert_array_equal(read_svm(tmp_path / "svm.npz", 6, 3).probabilities(new), svm.probabilities(new))
    with pytest.raises(InputError, match="expected 'coefficients' of shape"):
        read_svm(tmp_path / "svm.npz", 6, 4)
    write_svm(replace(svm, places=np.array([0, 1, 1])), tmp_path / "svm.npz")
    with pytest.raises(InputError, match="expected 'places' to name each of 3 classes once"):
        read_svm(tmp_path / "svm.npz", 6, 3)
