"""joining.py, and the recipe `best` from training to prediction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import make_dataset, write_dataset
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.inference.svm_inputs import AMPLITUDE, MIXING, NETWORK, REFERENCE, Beside, joined, side_by_side, widths_of
from semg_hht.learning.baselines import repetition_features
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.prediction.run import open_run

BEST = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3, recipe="best")
NETWORK_FEATURES = np.array([[1.0, 2.0], [3.0, 6.0], [5.0, 5.0]])


def beside(references: tuple[float, float, float] = (1.5, 0.5, 1.0), **changes: Any) -> Beside:
    """Two channels of one repetition and a second repetition of one."""
    features = [{"mav": (level,), REFERENCE: (one,)} for level, one in zip((0.4, 2.0, 1.0), references, strict=True)]
    content = {"repetitions": ("a", "a", "b"), "features": features, "mixing": np.array([[1.0, 2], [1, 2], [3, 4]])}
    return Beside(**{**content, **changes})


def test_channels_weigh_as_their_references_do() -> None:
    of_example, table = joined((NETWORK, AMPLITUDE), NETWORK_FEATURES, beside())
    assert of_example.tolist() == [0, 0, 1]
    assert_allclose(table[0, :2], (1.5 * NETWORK_FEATURES[0] + 0.5 * NETWORK_FEATURES[1]) / 2)
    assert_allclose(table[:, 2], np.log10([(1.5 * 0.4 + 0.5 * 2.0) / 2, 1.0]))


def test_without_references_all_weigh_the_same() -> None:
    plain = beside(features=[{"mav": (0.4,)}, {"mav": (2.0,)}, {"mav": (1.0,)}])
    _, table = joined((NETWORK, AMPLITUDE), NETWORK_FEATURES, plain)
    assert_allclose(table[0], [2.0, 4.0, np.log10(1.2)])


def test_stacked_channels_join_as_separate_ones_do() -> None:
    separate = joined((AMPLITUDE,), NETWORK_FEATURES, beside())[1]
    stacked = Beside(("a",), [{"mav": (0.4, 2.0), REFERENCE: (1.5, 0.5)}], None)
    assert_allclose(joined((AMPLITUDE,), NETWORK_FEATURES[:1], stacked)[1][0], separate[0])


def test_silence_has_an_amplitude() -> None:
    assert np.isfinite(joined((AMPLITUDE,), NETWORK_FEATURES[:1], Beside(("a",), [{"mav": (0.0,)}], None))[1]).all()


def test_mixing_stands_once_a_repetition() -> None:
    assert joined((MIXING,), NETWORK_FEATURES, beside())[1].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": [{}, {}, {}]}, "their features"),
        ({"mixing": None}, "how their channels go together"),
        ({"mixing": np.zeros((3, 5))}, "2 numbers on how their channels go together, not 5"),
    ],
)
def test_what_is_lacking_is_named(changes: dict[str, Any], told: str) -> None:
    assert beside(**changes).lacks({AMPLITUDE: 1, MIXING: 2}) == told
    assert beside().lacks({AMPLITUDE: 1, MIXING: 2}) == ""


def test_blocks_that_cannot_be_made_are_refused() -> None:
    assert widths_of((NETWORK, AMPLITUDE, MIXING), 7, beside()) == {NETWORK: 7, AMPLITUDE: 1, MIXING: 2}
    with pytest.raises(InputError, match="this recipe needs matrices that carry their features; expected those of"):
        widths_of((AMPLITUDE,), 7, beside(features=[{}, {}, {}]))


def test_side_by_side_keeps_what_all_know() -> None:
    both = side_by_side([beside(), beside(repetitions=("c", "c", "d"))])
    assert both.repetitions == ("a", "a", "b", "c", "c", "d")
    assert both.mixing is not None
    assert both.mixing.shape == (6, 2)
    assert side_by_side([beside(), beside(mixing=None)]).mixing is None


def told_beside(dataset: Dataset) -> Dataset:
    """Matrices tell nothing, amplitude the movement, how channels go together the gender; one channel alone is loud."""
    rng = np.random.default_rng(0)
    order = ("full", "half", "invalid")
    features = tuple(
        {
            "duration_s": (1.0,),
            "mdf_hz": (80.0,),
            "rms": (10.0 ** order.index(row.movement) if "ch0" in row.file else float(rng.uniform(1, 100)),),
            "mav": (10.0 ** order.index(row.movement) if "ch0" in row.file else float(rng.uniform(1, 100)),),
            REFERENCE: (1.99 if "ch0" in row.file else 0.01,),
        }
        for row in dataset.rows
    )
    of = {
        key: [float(row.gender == "M"), rng.normal()]
        for key, row in zip(dataset.repetitions, dataset.rows, strict=True)
    }
    noise = rng.random(dataset.matrices.shape, dtype=np.float32)
    return replace(
        dataset, matrices=noise, features=features, mixing=np.array([of[key] for key in dataset.repetitions])
    )


def test_best_tells_new_people_what_the_network_alone_did_not_learn(tmp_path: Path) -> None:
    dataset = told_beside(make_dataset(n_subjects=6, n_channels=2))
    scores = {}
    for recipe in ("plain", "best"):
        answers = cross_validate(
            dataset,
            tmp_path / recipe,
            replace(BEST, recipe=recipe),
            NetworkSize(base_channels=2),
            FoldOptions(protocol="grouped", n_folds=3, cpu=True),
            n_jobs=1,
        )
        scores[recipe] = {a.task: a.report().balanced_accuracy for a in answers if a.method == "network"}
    assert scores["best"]["gender"] == 1 > scores["plain"]["gender"]
    assert scores["best"]["action_quality"] > max(0.8, scores["plain"]["action_quality"])


def test_one_number_weighs_channels_too() -> None:
    dataset = told_beside(make_dataset(n_channels=2))
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
    trained = load_model(best_run / "best").probabilities(dataset.matrices, dataset.beside)
    of = {row.extra["recording"]: i for i, row in enumerate(dataset.rows)}
    for batch_size in (1, 32):
        told = open_run(best_run, cpu=True).predict(simulated.manifest, batch_size=batch_size, n_jobs=1)
        assert not told.errors
        for prediction in told.predictions:
            if len(prediction.parts) < 2:
                for task, rows in trained.items():
                    found = list(prediction.answers[task].probabilities.values())
                    assert_allclose(found, rows[of[prediction.file]], atol=1e-6)


def test_a_matrix_of_another_tool_is_refused_and_others_are_answered(
    simulated: Simulated, best_run: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "foreign.npz", spectrum=np.random.default_rng(0).random((256, 256)))
    own = next(simulated.matrices.glob("*.npz"))
    told = open_run(best_run, cpu=True).predict([tmp_path / "foreign.npz", own])
    assert [prediction.file for prediction in told.predictions] == [own.name]
    assert "this run's recipe needs their features" in told.errors["foreign.npz"]


def test_best_is_refused_before_the_epochs_where_matrices_carry_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this recipe needs matrices that carry their features"):
        train(
            load_folder(write_dataset(make_dataset(), tmp_path / "data")),
            tmp_path / "run",
            BEST,
            NetworkSize(base_channels=2),
        )


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(InputError, match="recipe must be one of plain, best; got 'better'"):
        TrainingConfig(recipe="better")
