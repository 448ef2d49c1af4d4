"""Scores and intervals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from builders import as_json
from semg_hht.evaluation.metrics import (
    _auroc_influences,
    _ece_influences,
    auroc,
    balanced_accuracy,
    ece,
    evaluate,
    influences,
    pool,
    reliability,
)

CLASSES = ("low", "mid", "high")


def certain(names: list[str]) -> np.ndarray:
    return np.array([[float(name == c) for c in CLASSES] for name in names])


TRUE = ["low"] * 4 + ["mid"] * 2 + ["high"] * 2
CLAIMED = ["low", "low", "low", "mid", "mid", "low", "high", "high"]
WHO = ["a", "a", "b", "b", "a", "b", "a", "b"]


def test_perfect_input_scores_one() -> None:
    report = evaluate(TRUE, certain(TRUE), CLASSES, WHO)
    assert_allclose([report.accuracy, report.balanced_accuracy], 1)
    for scores in report.per_class.values():
        assert_allclose([scores["precision"], scores["recall"], scores["f1"]], 1)
    assert_allclose(list(report.per_subject.values()), 1)


def test_scores_computed_by_hand() -> None:
    report = evaluate(TRUE, certain(CLAIMED), CLASSES, WHO)
    assert_allclose(report.confusion, [[3, 1, 0], [1, 1, 0], [0, 0, 2]])
    assert_allclose(report.accuracy, 6 / 8)
    assert_allclose(report.balanced_accuracy, (3 / 4 + 1 / 2 + 1) / 3)
    low, mid = report.per_class["low"], report.per_class["mid"]
    assert_allclose([low["precision"], low["recall"], low["f1"], low["support"]], [3 / 4, 3 / 4, 3 / 4, 4])
    assert_allclose([mid["precision"], mid["recall"], mid["f1"], mid["support"]], [1 / 2, 1 / 2, 1 / 2, 2])
    assert_allclose([report.per_subject["a"], report.per_subject["b"]], [1, (1 / 2 + 0 + 1) / 3])
    assert report.n == 8


def test_json_uses_class_names_as_keys() -> None:
    content = as_json(evaluate(TRUE, certain(CLAIMED), CLASSES, WHO).to_json())
    assert content["confusion"]["low"] == {"low": 3, "mid": 1, "high": 0}
    assert list(content["per_class"]) == list(CLASSES)
    assert content["accuracy_interval_95"] is None


def test_a_class_that_never_occurs_is_ignored() -> None:
    report = evaluate(["low", "mid"], certain(["low", "low"]), CLASSES, ["a", "b"])
    assert_allclose(report.balanced_accuracy, 0.5)
    assert_allclose([report.per_class["high"][k] for k in ("precision", "recall", "f1", "support")], 0)


def test_the_interval_needs_three_people_and_is_over_people() -> None:
    right = {"a": 0.9, "b": 0.5, "c": 0.8, "d": 0.2}
    labels, claimed, subjects = [], [], []
    for who, share in right.items():
        for i in range(100):
            labels.append("low")
            claimed.append("low" if i < 100 * share else "mid")
            subjects.append(who)
    report = evaluate(labels, certain(claimed), CLASSES, subjects)
    assert report.accuracy_interval is not None
    # Student's t over the four people's scores, by hand, on the logit scale
    error = np.std(list(right.values()), ddof=1) / 2 / (0.6 * 0.4)
    expected = scipy.special.expit(scipy.special.logit(0.6) + scipy.stats.t.ppf([0.025, 0.975], 3) * error)
    assert_allclose([report.accuracy_interval.low, report.accuracy_interval.high], expected, rtol=1e-6)
    two = [who if who in "ab" else "a" for who in subjects]
    assert evaluate(labels, certain(claimed), CLASSES, two).accuracy_interval is None


def test_influences_are_what_a_person_changes() -> None:
    """A person counted once more changes each score by their influence, to first order."""
    rng = np.random.default_rng(0)
    n = 400
    true, who = rng.integers(3, size=n), np.repeat(np.arange(40), 10)
    probabilities = rng.dirichlet(np.ones(3), n)
    probabilities[np.arange(n), true] += 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    area = np.bincount(who, _auroc_influences(true, probabilities))
    counts = np.zeros((40, 3, 3), dtype=np.intp)
    np.add.at(counts, (who, true, probabilities.argmax(axis=1)), 1)
    balanced = influences(balanced_accuracy, counts)
    for person in range(5):
        rows = np.concatenate([np.arange(n), np.flatnonzero(who == person)])
        change = auroc(true[rows], probabilities[rows]) - auroc(true, probabilities)
        assert_allclose(change, area[person], atol=3e-4)
        change = balanced_accuracy(counts.sum(axis=0) + counts[person]) - balanced_accuracy(counts.sum(axis=0))
        assert_allclose(change, balanced[person], atol=1e-3)
    assert np.abs(area).max() > 2e-3
    assert_allclose([area.sum(), balanced.sum(), _ece_influences(true, probabilities).sum()], 0, atol=1e-9)


def test_a_class_that_two_people_show_gives_no_interval() -> None:
    labels = ["low"] * 6 + ["mid"] * 2
    for n_more, rare in ((0, ("mid",)), (1, ())):
        names = [*labels, *["mid"] * n_more]
        report = evaluate(names, certain(names), CLASSES, [str(i) for i in range(len(names))])
        assert report.too_few_people_of == rare
        assert as_json(report.to_json())["too_few_people_of"] == list(rare)
        intervals = (report.accuracy_interval, report.balanced_accuracy_interval, report.macro_f1_interval,
                     report.auroc_interval, report.ece_interval)  # fmt: skip
        assert [found is None for found in intervals] == [bool(rare)] * 5
    two = evaluate(["low", "mid"], certain(["low", "mid"]), CLASSES, ["a", "b"])
    assert two.too_few_people_of == ()  # too few people in all


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=30))
def test_scores_agree_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support, recall_score

    true, claimed = [a for a, _ in pairs], [b for _, b in pairs]
    report = evaluate(true, certain(claimed), CLASSES, ["a"] * len(true))
    assert_allclose(report.accuracy, accuracy_score(true, claimed))
    present = sorted(set(true))
    assert_allclose(
        report.balanced_accuracy, recall_score(true, claimed, labels=present, average="macro", zero_division=0)
    )
    assert_allclose(report.macro_f1, f1_score(true, claimed, labels=present, average="macro", zero_division=0))
    scores = precision_recall_fscore_support(true, claimed, labels=list(CLASSES), zero_division=0)
    ours = [[report.per_class[c][k] for c in CLASSES] for k in ("precision", "recall", "f1", "support")]
    assert_allclose(ours, np.array(scores, dtype=float))


def test_the_area_under_the_curve_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    true = rng.integers(3, size=60)
    probabilities = np.round(rng.dirichlet(np.ones(3), size=60), 1) + 0.1 * (true[:, None] == np.arange(3))
    ones = [roc_auc_score(true == c, probabilities[:, c]) for c in range(3)]
    assert_allclose(auroc(true, probabilities), np.mean(ones))
    assert auroc(np.zeros(5, dtype=np.intp), np.full((5, 2), 0.5)) is None
    report = evaluate([CLASSES[c] for c in true], probabilities, CLASSES, [str(i % 6) for i in range(60)])
    assert report.auroc_interval is not None
    assert report.auroc is not None
    assert report.auroc_interval.low < report.auroc < report.auroc_interval.high


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, size=20_000)
    right = rng.random(20_000) < confidence
    probabilities = np.column_stack([confidence, 1 - confidence])
    true = np.where(right, 0, 1)
    assert ece(true, probabilities) < 0.015
    assert_allclose(ece(np.zeros(10, dtype=np.intp), np.tile([0.7, 0.3], (10, 1))), 0.3)
    bins = reliability(true, probabilities)
    assert [found.n for found in bins] == [2000] * 10
    assert all(a.confidence < b.confidence for a, b in pairwise(bins))


def test_without_intervals_the_scores_are_the_same() -> None:
    subjects = [str(i) for i in range(16)]
    whole = evaluate(TRUE * 2, certain(CLAIMED * 2), CLASSES, subjects)
    quick = evaluate(TRUE * 2, certain(CLAIMED * 2), CLASSES, subjects, intervals=False)
    assert whole.ece_interval is not None
    assert quick.accuracy_interval is quick.ece_interval is None
    assert (quick.accuracy, quick.macro_f1, quick.auroc, quick.ece) == (
        whole.accuracy, whole.macro_f1, whole.auroc, whole.ece
    )  # fmt: skip


def test_pooling_is_the_mean_over_rows_of_one_key() -> None:
    keys, pooled = pool(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.2, 0.8]]), ["b", "a", "b", "a"])
    assert keys == ["b", "a"]
    assert_allclose(pooled, [[0.75, 0.25], [0.1, 0.9]])


def test_lengths_must_agree() -> None:
    for labels, probabilities, subjects in (
        ([], np.zeros((0, 3)), []),
        (["low"], np.zeros((2, 3)), ["a"]),
        (["low"], np.zeros((1, 2)), ["a"]),
        (["low"], np.zeros((1, 3)), []),
    ):
        with pytest.raises(ValueError, match="expected as many labels, subjects and rows of 3 probabilities"):
            evaluate(labels, probabilities, CLASSES, subjects)


def test_a_label_that_is_no_class_is_named() -> None:
    with pytest.raises(ValueError, match="labels full are not among the classes low, mid, high"):
        evaluate(["full"], np.ones((1, 3)), CLASSES, ["a"])
