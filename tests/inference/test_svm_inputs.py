"""svm_inputs.py, and the recipe `best` from training to prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import make_dataset, write_dataset
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.inference.svm_inputs import (
    AMPLITUDE,
    COVARIANCE,
    FEATURES,
    NETWORK,
    SHARE,
    SvmInputs,
    block_widths,
    concatenate,
    stack_if_alike,
    svm_table,
)
from semg_hht.learning.baselines import repetition_features
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.prediction.run import open_run
from semg_hht.verbs.predicting import PredictOptions, predict

BEST = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3, recipe="best")
NETWORK_FEATURES = np.array([[1.0, 2.0], [3.0, 6.0], [5.0, 5.0]])


def svm_inputs(**changes: Any) -> SvmInputs:
    """Two channels of one repetition and a second repetition of one channel."""
    inputs = SvmInputs(
        repetitions=("a", "a", "b"),
        features=[{"mav": (0.4,)}, {"mav": (2.0,)}, {"mav": (1.0,)}],
        references=[(1.5,), (0.5,), (1.0,)],
        covariance=np.array([[1.0, 2], [1, 2], [3, 4]]),
    )
    return replace(inputs, **changes)


def test_channels_are_weighted_by_their_references() -> None:
    row_of_example, table = svm_table({NETWORK: 2, AMPLITUDE: 1}, NETWORK_FEATURES, svm_inputs())
    assert row_of_example.tolist() == [0, 0, 1]
    assert_allclose(table[0, :2], (1.5 * NETWORK_FEATURES[0] + 0.5 * NETWORK_FEATURES[1]) / 2)
    assert_allclose(table[:, 2], np.log10([(1.5 * 0.4 + 0.5 * 2.0) / 2, 1.0]))


def test_without_references_all_channels_weigh_the_same() -> None:
    _, table = svm_table({NETWORK: 2, AMPLITUDE: 1}, NETWORK_FEATURES, svm_inputs(references=[(), (), ()]))
    assert_allclose(table[0], [2.0, 4.0, np.log10(1.2)])


def test_stacked_channels_have_the_amplitude_of_separate_ones() -> None:
    separate = svm_table({AMPLITUDE: 1}, NETWORK_FEATURES, svm_inputs())[1]
    stacked = SvmInputs(("a",), [{"mav": (0.4, 2.0)}], [(1.5, 0.5)], None)
    assert_allclose(svm_table({AMPLITUDE: 1}, NETWORK_FEATURES[:1], stacked)[1][0], separate[0])


def test_silence_has_a_finite_amplitude() -> None:
    silent = SvmInputs(("a",), [{"mav": (0.0,)}], [()], None)
    assert np.isfinite(svm_table({AMPLITUDE: 1}, NETWORK_FEATURES[:1], silent)[1]).all()


def measured(**values: Sequence[float]) -> SvmInputs:
    """Two repetitions of two channels, each channel an example."""
    features = [{name: (numbers[i],) for name, numbers in values.items()} for i in range(4)]
    return SvmInputs(("a", "a", "b", "b"), features, [(1.0,), (3.0,)] * 2, None)


def test_features_of_the_channels_of_a_repetition_stand_side_by_side() -> None:
    inputs = measured(rms=[1.0, 10.0, 100.0, 1000.0], mdf_hz=[50.0, 60.0, 70.0, 80.0])
    widths = block_widths((FEATURES,), 2, inputs)
    assert widths == {FEATURES: 4}
    table = svm_table(widths, np.zeros((4, 2)), inputs)[1]
    assert_allclose(table, [[0, 50, 1, 60], [2, 70, 3, 80]])
    stacked = SvmInputs(("a",), [{"rms": (1.0, 10.0), "mdf_hz": (50.0, 60.0)}], [(1.0, 3.0)], None)
    assert_allclose(svm_table(widths, np.zeros((1, 2)), stacked)[1], table[:1])
    assert not stacked.missing(widths)
    assert measured(rms=[1.0] * 4, mdf_hz=[1.0] * 4).subset([0, 1, 2]).missing(widths) == "4 features"


def test_features_are_averaged_where_repetitions_have_other_channels() -> None:
    inputs = measured(rms=[1.0, 10.0, 100.0, 1000.0], mdf_hz=[50.0, 60.0, 70.0, 80.0])
    widths = block_widths((FEATURES,), 2, inputs.subset([0, 1, 2]))
    assert widths == {FEATURES: 2}
    assert not inputs.missing(widths)
    assert_allclose(svm_table(widths, np.zeros((4, 2)), inputs)[1], [[0.75, 57.5], [2.75, 77.5]])


def test_the_share_is_the_amplitude_without_the_logarithm() -> None:
    table = svm_table({AMPLITUDE: 1, SHARE: 1}, NETWORK_FEATURES, svm_inputs())[1]
    assert_allclose(np.log10(table[:, 1]), table[:, 0])
    assert svm_inputs(features=[{}, {}, {}]).missing({SHARE: 1}) == "their features"


def test_the_covariance_appears_once_for_each_repetition() -> None:
    assert svm_table({COVARIANCE: 2}, NETWORK_FEATURES, svm_inputs())[1].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"features": [{}, {}, {}]}, "their features"),
        ({"covariance": None}, "the covariance of their channels"),
        ({"covariance": np.zeros((3, 5))}, "a covariance of 2 numbers (they have 5)"),
    ],
)
def test_missing_inputs_are_named(changes: dict[str, Any], missing: str) -> None:
    assert svm_inputs(**changes).missing({AMPLITUDE: 1, COVARIANCE: 2}) == missing
    assert svm_inputs().missing({AMPLITUDE: 1, COVARIANCE: 2}) == ""


def test_blocks_that_cannot_be_made_are_refused() -> None:
    assert block_widths((NETWORK, AMPLITUDE, COVARIANCE), 7, svm_inputs()) == {NETWORK: 7, AMPLITUDE: 1, COVARIANCE: 2}
    with pytest.raises(InputError, match="this recipe needs matrices with their features; expected matrices of"):
        block_widths((AMPLITUDE,), 7, svm_inputs(features=[{}, {}, {}]))


def test_a_covariance_is_kept_where_all_examples_have_one_of_the_same_length() -> None:
    both = concatenate([svm_inputs(), svm_inputs(repetitions=("c", "c", "d"))])
    assert both.repetitions == ("a", "a", "b", "c", "c", "d")
    assert list(both.references) == 2 * [(1.5,), (0.5,), (1.0,)]
    assert both.covariance is not None
    assert both.covariance.shape == (6, 2)
    assert concatenate([svm_inputs(), svm_inputs(covariance=None)]).covariance is None
    assert concatenate([svm_inputs(), svm_inputs(covariance=np.zeros((3, 5)))]).covariance is None
    assert stack_if_alike([np.zeros(2), None]) is None
    assert stack_if_alike([np.zeros(2), np.zeros(3)]) is None


def test_some_examples_keep_their_own_inputs() -> None:
    chosen = svm_inputs().subset([2, 0])
    assert (chosen.repetitions, list(chosen.references)) == (("b", "a"), [(1.0,), (1.5,)])
    assert list(chosen.features) == [{"mav": (1.0,)}, {"mav": (0.4,)}]
    assert chosen.covariance is not None and chosen.covariance.tolist() == [[3, 4], [1, 2]]
    assert svm_inputs(covariance=None).subset([0]).covariance is None


def informative(dataset: Dataset) -> Dataset:
    """Matrices of noise; the amplitude shows the movement, the channel covariance the gender; one channel is loud."""
    rng = np.random.default_rng(0)
    order = ("full", "half", "invalid")
    features = tuple(
        {
            "duration_s": (1.0,),
            "mdf_hz": (80.0,),
            "rms": (10.0 ** order.index(row.movement) if "ch0" in row.file else float(rng.uniform(1, 100)),),
            "mav": (10.0 ** order.index(row.movement) if "ch0" in row.file else float(rng.uniform(1, 100)),),
        }
        for row in dataset.rows
    )
    references = tuple((1.99,) if "ch0" in row.file else (0.01,) for row in dataset.rows)
    covariances = {
        key: [float(row.gender == "M"), rng.normal()]
        for key, row in zip(dataset.repetitions, dataset.rows, strict=True)
    }
    noise = rng.random(dataset.matrices.shape, dtype=np.float32)
    covariance = np.array([covariances[key] for key in dataset.repetitions])
    return replace(dataset, matrices=noise, features=features, references=references, covariance=covariance)


def test_best_answers_for_new_people_what_the_network_alone_did_not_learn(tmp_path: Path) -> None:
    dataset = informative(make_dataset(n_subjects=6, n_channels=2))
    scores = {}
    for recipe in ("plain", "best"):
        answers = cross_validate(
            dataset,
            tmp_path / recipe,
            replace(BEST, recipe=recipe),
            NetworkSize(base_channels=2),
            FoldOptions(protocol="grouped", n_folds=2, cpu=True),
            n_jobs=1,
        )
        scores[recipe] = {a.task: a.report().balanced_accuracy for a in answers if a.method == "network"}
    assert scores["best"]["gender"] == 1 > scores["plain"]["gender"]
    assert scores["best"]["action_quality"] > max(0.8, scores["plain"]["action_quality"])


def test_one_number_weighs_channels_too() -> None:
    dataset = informative(make_dataset(n_channels=2))
    keys, table = repetition_features(dataset, "RMS alone") or ([], np.zeros(0))
    movement = dict(zip(dataset.repetitions, dataset.labels("action_quality"), strict=True))
    order = ("full", "half", "invalid")
    assert np.abs(table[:, 0] - [order.index(movement[key]) for key in keys]).max() < 0.2


@pytest.fixture(scope="module")
def best_run(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("best") / "run"
    train(load_folder(simulated.matrices), folder, BEST, NetworkSize(base_channels=2), RunOptions(cpu=True))
    return folder


def test_a_recording_is_answered_as_in_training(simulated: Simulated, best_run: Path) -> None:
    dataset = load_folder(simulated.matrices)
    trained = load_model(best_run / "best").probabilities(dataset.matrices, dataset.svm_inputs)
    of = {row.extra["recording"]: i for i, row in enumerate(dataset.rows)}
    for batch_size in (1, 32):
        predicted = predict(simulated.manifest, best_run, options=PredictOptions(cpu=True, batch_size=batch_size))
        assert not predicted.errors
        for prediction in predicted.predictions:
            if len(prediction.parts) < 2:
                for task, rows in trained.items():
                    found = list(prediction.answers[task].probabilities.values())
                    assert_allclose(found, rows[of[prediction.file]], atol=1e-6)


def test_a_matrix_of_another_tool_is_refused_and_others_are_answered(
    simulated: Simulated, best_run: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "foreign.npz", spectrum=np.random.default_rng(0).random((256, 256)))
    own = next(simulated.matrices.glob("*.npz"))
    predicted = open_run(best_run, cpu=True).predict([tmp_path / "foreign.npz", own])
    assert [prediction.file for prediction in predicted.predictions] == [own.name]
    assert "this run's recipe needs their features" in predicted.errors["foreign.npz"]


def test_best_is_refused_before_the_first_epoch_where_matrices_have_no_features(tmp_path: Path) -> None:
    data = load_folder(write_dataset(make_dataset(), tmp_path / "data"))
    with pytest.raises(InputError, match="this recipe needs matrices with their features"):
        train(data, tmp_path / "run", BEST, NetworkSize(base_channels=2))


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(InputError, match="recipe must be one of plain, best, auto; got 'better'"):
        TrainingConfig(recipe="better")
