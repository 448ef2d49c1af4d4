"""repetition_classifier.py: it answers as the recipe auto does, and scikit-learn's own checks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from semg_hht.errors import InputError
from semg_hht.estimators import RepetitionClassifier
from semg_hht.learning import discriminant_training
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize

RNG = np.random.default_rng(0)
PEOPLE = np.repeat([f"P{i}" for i in range(6)], 6)
EFFORT = np.tile(["low", "mid", "high"], 12)
LOUD = np.select([EFFORT == "low", EFFORT == "mid"], [1.0, 4.0], 16.0)[:, None, None]
GAIN = np.repeat(RNG.uniform(0.5, 2.0, 6), 6)[:, None, None]  # of a person's skin
X = RNG.normal(size=(36, 2, 200)) * LOUD * GAIN


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fits that are not judged by their answers, which take a second."""
    for name, few in {"MAX_FOLDS": 2, "N_ITERATIONS": 5, "N_WEIGHT_STEPS": 5}.items():
        monkeypatch.setattr(discriminant_training, name, few)


@pytest.fixture
def few_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the checks of scikit-learn, which have 300 in some."""
    make_blobs = estimator_checks.make_blobs

    def fewer(n_samples: int, **how: Any) -> Any:
        return make_blobs(min(n_samples, 60), **how)

    monkeypatch.setattr(estimator_checks, "make_blobs", fewer)


@pytest.mark.slow
@parametrize_with_checks([RepetitionClassifier(1000)])
@pytest.mark.filterwarnings("ignore:a repetition of X has")
@pytest.mark.usefixtures("few_steps", "few_repetitions")
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    assert check(estimator) is None  # it raises what it finds


@pytest.fixture(scope="module")
def fitted() -> RepetitionClassifier:
    return RepetitionClassifier(1000).fit(X, EFFORT, groups=PEOPLE)


def test_it_answers_new_people(fitted: RepetitionClassifier) -> None:
    new = RNG.normal(size=(6, 2, 300)) * np.array([1, 4, 16, 1, 4, 16])[:, None, None]
    assert fitted.classes_.tolist() == ["high", "low", "mid"]
    probabilities = fitted.predict_proba(new)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert_array_equal(fitted.predict(new), fitted.classes_[probabilities.argmax(axis=1)])
    assert fitted.score(new, ["low", "mid", "high"] * 2) >= 5 / 6
    assert fitted.chosen_ is not None and fitted.chosen_.n_people == 6


def test_repetitions_of_a_person_are_answered_together_where_people_are_given(fitted: RepetitionClassifier) -> None:
    """An unusual gain shifts all repetitions alike, which only their comparison shows."""
    new, true = RNG.normal(size=(9, 2, 200)) * np.tile([1, 4, 16], 3)[:, None, None] * 2.2, ["low", "mid", "high"] * 3
    alone, together = fitted.predict_proba(new), fitted.predict_proba(new, groups=["new"] * 9)
    columns = np.searchsorted(fitted.classes_, true)
    assert together[np.arange(9), columns].mean() > alone[np.arange(9), columns].mean()
    assert_array_equal(fitted.predict(new, groups=["new"] * 9), true)


def test_each_repetition_is_answered_alone_where_no_people_are_given(fitted: RepetitionClassifier) -> None:
    whole = fitted.predict_proba(X[:5])
    alone = np.concatenate([fitted.predict_proba(X[i : i + 1]) for i in range(5)])
    assert_allclose(whole, alone, rtol=1e-12)  # matrix products of other sizes round differently


def test_a_label_that_a_person_keeps_is_treated_as_gender() -> None:
    owner = np.repeat([0, 1, 0, 1, 0, 1], 6)
    loud = np.where(owner == 1, 4.0, 1.0)[:, None, None]
    classifier = RepetitionClassifier(1000).fit(RNG.normal(size=(36, 2, 200)) * loud, owner, groups=PEOPLE)
    assert classifier.fitted_.task.one_class
    assert_array_equal(classifier.predict(RNG.normal(size=(2, 2, 200)) * [[[1.0]], [[4.0]]]), [0, 1])


@pytest.mark.usefixtures("few_steps")
def test_cross_validation_gives_people_to_the_folds_and_to_the_fit() -> None:
    classifier, folds = RepetitionClassifier(1000), GroupKFold(3)
    plain = cross_val_score(classifier, X, EFFORT, groups=PEOPLE, cv=folds, params={"groups": PEOPLE})
    assert plain.mean() > 0.6
    with config_context(enable_metadata_routing=True):
        routed = RepetitionClassifier(1000).set_fit_request(groups=True).set_score_request(groups=False)
        assert_array_equal(cross_val_score(routed, X, EFFORT, cv=folds, params={"groups": PEOPLE}), plain)
        routed.set_score_request(groups=True)
        together = cross_val_score(routed, X, EFFORT, cv=folds, params={"groups": PEOPLE})
    assert together.mean() >= plain.mean()


def test_few_people_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        RepetitionClassifier(1000).fit(X[:18], EFFORT[:18], groups=PEOPLE[:18])
    assert "expected 4 people or more to leave out in turn; found 3" in caplog.text


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"method": "forest"}, EFFORT, "method 'forest' is unknown; expected one of measures, network, auto"),
        ({}, np.full(36, "low"), "found one class, low"),
        ({}, np.where(np.arange(36) == 0, "high", "low"), "expected two repetitions of each class"),
    ],
)
def test_what_cannot_be_fitted_is_refused(settings: dict[str, Any], y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RepetitionClassifier(1000, **settings).fit(X, y)


@pytest.fixture
def small() -> Iterator[dict[str, Any]]:
    yield {
        "training": TrainingConfig(epochs=1, batch_size=4, learning_rate=1e-3),
        "size": NetworkSize(n_layers=3, base_channels=2),
    }


@pytest.mark.parametrize("method", ["network", "auto"])
def test_a_network_is_trained_and_seeded(small: dict[str, Any], method: str) -> None:
    classifier = RepetitionClassifier(1000, method=method, **small).fit(X, EFFORT, groups=PEOPLE)
    probabilities = classifier.predict_proba(X[:4])
    assert probabilities.shape == (4, 3)
    assert (classifier.chosen_ is None) == (method == "network")
    if method == "network":
        assert_array_equal(probabilities, classifier.fit(X, EFFORT, groups=PEOPLE).predict_proba(X[:4]))


@pytest.mark.usefixtures("few_steps")
def test_a_grid_may_search_the_method(small: dict[str, Any]) -> None:
    search = GridSearchCV(
        RepetitionClassifier(1000, **small), {"method": ["measures", "network"]}, cv=GroupKFold(2), refit=False
    ).fit(X, EFFORT, groups=PEOPLE)
    assert search.best_params_ == {"method": "measures"}


def test_without_torch_the_network_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("semg_hht.learning.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"'network' needs torch: pip install 'semg-hht\[train\]'"):
        RepetitionClassifier(1000, method="network").fit(X, EFFORT)
