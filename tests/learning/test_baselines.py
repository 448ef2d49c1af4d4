"""Baselines: features of a repetition, and their SVM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from builders import make_dataset, with_features
from semg_hht.learning.baselines import BASELINES, baseline_probabilities, repetition_features


def test_all_features_are_concatenated_and_a_single_one_is_averaged() -> None:
    dataset = with_features(make_dataset(n_subjects=1, n_repetitions=1, n_channels=2))
    keys, table = repetition_features(dataset, "classical features") or ([], np.zeros(0))
    assert (len(keys), table.shape) == (3, (3, 6))
    _, mean = repetition_features(dataset, "RMS alone") or ([], np.zeros(0))
    assert mean.ravel().tolist() == [0, 1, 2], "amplitudes are compared by ratio"


def test_features_are_concatenated_in_the_order_of_the_recording_whatever_its_channels_are_called() -> None:
    dataset = with_features(make_dataset(n_subjects=2, n_repetitions=1, movements=("full", "half"), n_channels=12))
    numbered = tuple(features | {"rms": (10.0 ** (i % 12),)} for i, features in enumerate(dataset.features))
    in_order = replace(dataset, features=numbered)
    # In the second half of the recordings the channels have other names, so that the data set has another order.
    by_name = [*range(24), *(i for start in (24, 36) for i in range(start + 11, start - 1, -1))]
    keys, table = repetition_features(in_order, "classical features") or ([], np.zeros(0))
    others = repetition_features(in_order.subset(np.array(by_name)), "classical features") or ([], np.zeros(0))
    assert keys == others[0] and np.array_equal(table, others[1])
    assert table[:, 1::3].tolist() == [list(range(12))] * 4


def test_labels_of_test_people_do_not_change_a_baseline() -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["a", "b"] * 30)
    groups = np.repeat([f"S{i}" for i in range(6)], 10)
    table = rng.standard_normal((60, 2)) + 3 * (labels == "b")[:, None]
    train, test = np.flatnonzero(groups != "S5"), np.flatnonzero(groups == "S5")
    classes, probabilities = baseline_probabilities(table, labels, groups, train, test, seed=0)
    assert classes == ("a", "b")
    assert np.mean(np.array(classes)[probabilities.argmax(axis=1)] == labels[test]) > 0.9
    hidden = labels.copy()
    hidden[test] = "a"
    assert np.array_equal(probabilities, baseline_probabilities(table, hidden, groups, train, test, seed=0)[1])


def test_data_without_features_or_covariance_has_no_baseline() -> None:
    assert {method: repetition_features(make_dataset(), method) for method in BASELINES} == dict.fromkeys(BASELINES)


def test_covariance_gives_one_row_per_repetition() -> None:
    dataset = with_features(make_dataset(n_subjects=1, n_repetitions=1, n_channels=2))
    keys, table = repetition_features(dataset, "channels together") or ([], np.zeros(0))
    assert keys == list(dict.fromkeys(dataset.repetitions))
    assert dataset.covariance is not None
    assert np.array_equal(table, dataset.covariance[::2])
