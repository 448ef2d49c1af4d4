"""An SVC on row numbers equals the SVC on features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight

from semg_hht.learning import svm_kernel as kernel
from semg_hht.learning import svm_training as svm
from semg_hht.learning.svm_kernel import Rows, SvcOnRows, best_pair, on_features
from semg_hht.learning.svm_training import SvmOptions, fit_svm

N = 90


def data(n_classes: int, n_features: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and numbers of rows."""
    rng = np.random.default_rng(n_classes)
    y = np.arange(N) % n_classes
    features = rng.standard_normal((N, n_features)) + 0.8 * y[:, None]
    return features, np.array(["F", "M", "X"])[y], np.arange(N)[:, None]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("gamma", ["scale", 0.03])
def test_fit_and_decisions_are_those_of_an_svc_on_features(n_classes: int, gamma: float | str) -> None:
    features, y, numbers = data(n_classes)
    weight = np.linspace(0.5, 2, N)
    plain = SVC(C=10, gamma=gamma).fit(features[:60], y[:60], sample_weight=weight[:60])
    ours = SvcOnRows(Rows(features), C=10, gamma=gamma).fit(numbers[:60], y[:60], sample_weight=weight[:60])
    assert_array_equal(ours.svc_.support_, plain.support_)
    assert_allclose(ours.decision_function(numbers), plain.decision_function(features), rtol=0, atol=1e-12)
    assert_array_equal(ours.predict(numbers), plain.predict(features))
    on = on_features(ours, y[:60], weight[:60], C=10, gamma=gamma)
    assert_allclose(on.decision_function(features), plain.decision_function(features), rtol=0, atol=1e-12)
    assert on.get_params() == plain.get_params()


def test_rows_of_one_value_have_a_gamma() -> None:
    assert Rows(np.ones((4, 3))).gamma("scale", np.arange(4)) == 1.0


def test_the_rows_are_shared_by_all_fits_of_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y, numbers = data(2)
    rows = Rows(features)
    search = GridSearchCV(SvcOnRows(rows), {"C": [1.0, 10.0]}, cv=3).fit(numbers, y)
    assert search.best_estimator_.rows is rows


def test_an_svc_with_other_attributes_is_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y, numbers = data(2)
    weight = np.ones(N)
    ours = SvcOnRows(Rows(features), C=10).fit(numbers, y)
    monkeypatch.setattr(kernel, "SAME", -1.0)
    again = on_features(ours, y, weight, C=10)
    assert_array_equal(again.decision_function(features), SVC(C=10).fit(features, y).decision_function(features))


def by_scikit_learn(features: np.ndarray, y: np.ndarray, people: list[str], costs: tuple[float, ...]) -> Any:
    """The same pipeline with scikit-learn's SVC on features."""
    folds = svm._folds(y, np.array(people), "gender", "subject", 0, 0)
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    search = GridSearchCV(SVC(class_weight="balanced"), {"C": costs}, cv=folds, scoring="balanced_accuracy")
    chosen = search.fit(scaled, y).best_params_ if len(costs) > 1 else {"C": costs[0]}
    calibrated = CalibratedClassifierCV(SVC(**chosen, gamma="scale"), ensemble=False, cv=folds)
    calibrated.fit(scaled, y, sample_weight=compute_sample_weight("balanced", y))
    calibrated.cv = None
    return make_pipeline(scaler, calibrated)


@pytest.mark.parametrize("costs", [(10.0,), (1.0, 100.0)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_calibrated_svm_is_scikit_learns(n_classes: int, costs: tuple[float, ...]) -> None:
    features, y, _ = data(n_classes)
    people = [f"S{i // 3 % 10}" for i in range(N)]
    ours = fit_svm(features, y.tolist(), people, what="gender", by="subject", seed=0, options=SvmOptions(costs=costs))
    theirs = by_scikit_learn(features, y, people, costs)
    assert_allclose(ours.predict_proba(features), theirs.predict_proba(features), rtol=0, atol=1e-9)
    assert set(vars(ours.steps[1][1])) == set(vars(theirs.steps[1][1]))


@pytest.mark.parametrize("gammas", [("scale",), (1.0, 0.1, 0.03, 0.01)])
def test_the_pair_of_a_search_is_scikit_learns(gammas: tuple[float | str, ...]) -> None:
    for n_classes in (2, 3):
        features, y, numbers = data(n_classes)
        rows, costs = Rows(features), (0.1, 1.0, 10.0, 100.0)
        folds = svm._folds(y, np.array([f"S{i // 3 % 10}" for i in range(N)]), "gender", "subject", 0, 0)
        parameters = {"C": costs, "gamma": gammas}
        search = GridSearchCV(
            SvcOnRows(rows, class_weight="balanced"), parameters, cv=folds, scoring="balanced_accuracy"
        )
        best = search.fit(numbers, y).best_params_
        assert best_pair(rows, y, folds, costs, gammas) == (best["C"], best["gamma"])


def test_what_is_saved_is_a_plain_svc(tmp_path) -> None:
    features, y, _ = data(2)
    fitted = fit_svm(features, y.tolist(), [f"S{i % 9}" for i in range(N)], what="gender", by="subject", seed=0)
    svm.save_svm(fitted, tmp_path / "gender.skops")
    loaded = svm.load_svm(tmp_path / "gender.skops")
    assert_array_equal(loaded.predict_proba(features), fitted.predict_proba(features))
