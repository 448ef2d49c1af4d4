"""auto.py: the recipe chooses on people left out, says what it chose, and answers from it everywhere."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import make_dataset, with_features
from semg_hht.inference.discriminant import Committee
from semg_hht.inference.svm_inputs import AMPLITUDE, FEATURES, NETWORK, SHARE
from semg_hht.learning.auto import (
    ALONE,
    CANDIDATES,
    PREFERRED,
    Choosing,
    Half,
    Judged,
    LabelledExamples,
    best_of,
    choose,
    reason_against,
    train_halves,
)
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate, describe
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, Result, RunOptions, train
from semg_hht.system.files import read_json

AUTO = TrainingConfig(epochs=2, batch_size=8, learning_rate=1e-3, recipe="auto")
SMALL = NetworkSize(base_channels=2)
N_TRAINED = 7  # people of a training: the time to choose grows with their square


def people(n_subjects: int = 10, seed: int = 0) -> Dataset:
    """People whose features tell the movement, and whose covariance tells the gender."""
    dataset = with_features(make_dataset(n_subjects=n_subjects, seed=seed), seed)
    rng = np.random.default_rng(seed)
    features = tuple(
        {"mav": own["rms"], **own, "rms": (own["rms"][0] * 10 ** rng.normal(scale=0.1),)} for own in dataset.features
    )
    return replace(dataset, features=features)


def labelled(dataset: Dataset, features: np.ndarray, task: str = "action_quality") -> LabelledExamples:
    first_half = np.array([who <= "S05" for who in dataset.subjects])
    halves = (Half(features, first_half), Half(features, ~first_half))
    return LabelledExamples(dataset, features, halves, task, dataset.classes()[task])


def noise(dataset: Dataset, n_features: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(len(dataset), n_features)).astype(np.float32)


def test_a_network_that_knows_nothing_loses_to_a_number() -> None:
    dataset = people()
    choice = choose(labelled(dataset, noise(dataset)))
    assert choice is not None
    winner, chosen = choice
    assert NETWORK not in winner.widths
    assert chosen.name == winner.name
    assert chosen.scores[ALONE] < 0.6 < chosen.scores[chosen.name]
    assert chosen.n_people == 10
    assert chosen.margin is not None and chosen.margin_low is not None and chosen.margin > 0.2
    assert f"answered from {chosen.name} (balanced accuracy" in chosen.sentence
    assert f"{chosen.margin:+.2f} over the network alone" in chosen.sentence


def test_a_network_that_knows_more_wins() -> None:
    dataset = people()
    features = noise(dataset)
    classes = dataset.classes()["action_quality"]
    features[:, 0] += [8.0 * classes.index(label) for label in dataset.labels("action_quality")]
    features[:, 1] += [8.0 * (classes.index(label) == 1) for label in dataset.labels("action_quality")]
    winner, chosen = choose(labelled(replace(dataset, features=(), covariance=None), features)) or (None, None)
    assert winner is not None and chosen is not None
    assert chosen.name == ALONE
    assert chosen.margin is None
    assert "over the network alone" not in chosen.sentence


def candidate(name: str, surely_right: list[float]) -> Judged:
    """A candidate that gives the true class of one repetition of each person these probabilities."""
    right = np.array(surely_right)
    probabilities = np.stack([right, 1 - right], axis=1)
    n_people = len(right)
    return Judged(
        name, {}, Committee((), ()), np.stack([probabilities] * 2), np.zeros(n_people, dtype=np.intp),
        np.array([f"S{i}" for i in range(n_people)]),
    )  # fmt: skip


def test_the_network_joins_only_if_it_helps_with_more_than_a_few_people() -> None:
    measures = candidate("measures", [0.7, 0.6, 0.7, 0.6, 0.7, 0.6])
    by_chance = candidate("network and measures", [0.99, 0.6, 0.65, 0.6, 0.7, 0.6])
    always = candidate("network and measures", [0.99, 0.97, 0.98, 0.96, 0.99, 0.98])
    assert set(PREFERRED) == set(CANDIDATES)
    assert best_of([by_chance, measures]).name == "measures"
    assert best_of([always, measures]).name == "network and measures"


def test_a_part_of_the_committee_answers_only_where_there_is_no_committee() -> None:
    single = candidate("classical features", [0.99, 0.97, 0.98, 0.96, 0.99, 0.98])
    network = candidate(ALONE, [0.7, 0.6, 0.7, 0.6, 0.7, 0.6])
    assert best_of([single, candidate("measures", [0.7, 0.6, 0.7, 0.6, 0.7, 0.6])]).name == "measures"
    assert best_of([network, single]).name == "classical features"


def test_people_with_several_recordings_have_a_temperature_of_their_own() -> None:
    judged = candidate("measures", [0.8] * 12)
    unsure = np.tile([[0.95, 0.05], [0.05, 0.95]], (6, 1))  # each recording alone: sure, and wrong in half
    both = replace(judged, probabilities=np.stack([judged.probabilities[0], unsure]))
    committee, calibration = both.calibrated()
    alone = calibration.temperature
    assert committee.temperature * alone < 0.7 < 1.2 < alone
    assert calibration.threshold > 0
    for same in (judged, replace(both, one_class=True)):
        assert same.calibrated()[0].temperature == pytest.approx(1, abs=1e-3)


def test_gender_is_one_class_of_a_person() -> None:
    dataset = people()
    winner, _ = choose(labelled(dataset, noise(dataset), "gender")) or (None, None)
    assert winner is not None
    answers = winner.probabilities[0].argmax(axis=1)
    who = np.array(dataset.subjects)
    assert all(len(set(answers[who == person])) == 1 for person in set(who))


def test_without_half_networks_the_network_is_no_candidate() -> None:
    dataset = people()
    examples = replace(labelled(dataset, noise(dataset)), halves=())
    assert ALONE not in examples.candidates()
    bare = replace(dataset, features=(), covariance=None)
    assert replace(examples, people=bare).candidates() == {}
    assert choose(replace(examples, people=bare)) is None


def test_a_share_needs_a_reference_amplitude() -> None:
    dataset = people()
    examples = labelled(dataset, noise(dataset))
    assert (SHARE,) not in examples.candidates()["measures"]
    referenced = replace(examples, people=replace(dataset, settings={"scaling": "mvc"}))
    assert (SHARE,) in referenced.candidates()["measures"]
    assert referenced.candidates()["amplitude alone"] == ((AMPLITUDE,), (SHARE,))


def test_without_covariance_the_measures_are_those_that_are_there() -> None:
    dataset = replace(people(), covariance=None)
    candidates = labelled(dataset, noise(dataset)).candidates()
    assert candidates["measures"] == ((FEATURES,), (AMPLITUDE,))
    assert candidates["network and measures"] == ((NETWORK,), (FEATURES,), (AMPLITUDE,))
    bare = replace(dataset, features=())
    assert list(labelled(bare, noise(bare)).candidates()) == [ALONE]  # and not "network and measures" too


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        (people(3), "expected 4 people or more besides those of the final score; found 3"),
        (make_dataset(subject=""), r"subjects are not known (a column 'subject' in manifest.csv states them)"),
        (people(5), ""),
    ],
)
def test_too_few_people_are_said(dataset: Dataset, reason: str) -> None:
    assert reason_against(dataset, "action_quality", dataset.classes()["action_quality"]) == reason


def test_a_class_of_one_person_is_said() -> None:
    dataset = people(5)
    rows = tuple(replace(r, movement="odd") if r.subject == "S01" and r.movement == "half" else r for r in dataset.rows)
    dataset = replace(dataset, rows=rows)
    reason = reason_against(dataset, "action_quality", dataset.classes()["action_quality"])
    assert reason == "expected each class in 2 people or more besides those of the final score; odd is of fewer"


def test_few_people_are_trained_as_plain_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="semg_hht"):
        result = train(people(3), tmp_path / "run", AUTO, SMALL, RunOptions(cpu=True))
    said = [record.getMessage() for record in caplog.records if "auto can't choose" in record.getMessage()]
    assert len(said) == 2  # one for each task
    assert "and plain is used; expected 4 people or more" in said[0]
    assert result.chosen == {}
    plain = train(people(3), tmp_path / "plain", replace(AUTO, recipe="plain"), SMALL, RunOptions(cpu=True))
    assert result.reports["action_quality"].accuracy == plain.reports["action_quality"].accuracy


@pytest.fixture(scope="module")
def halves_of_runs() -> list[tuple[Half, ...]]:
    """The networks that `auto_run` trains on half of the people."""
    return []


@pytest.fixture(scope="module")
def auto_run(tmp_path_factory: pytest.TempPathFactory, halves_of_runs: list[tuple[Half, ...]]) -> Result:
    def spied(*args: object) -> tuple[Half, ...]:
        halves_of_runs.append(train_halves(*args))  # type: ignore[arg-type]
        return halves_of_runs[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("semg_hht.learning.train.train_halves", spied)
        return train(people(N_TRAINED), tmp_path_factory.mktemp("auto") / "run", AUTO, SMALL, RunOptions(cpu=True))


def test_the_choice_stands_in_the_run(auto_run: Result) -> None:
    model = load_model(auto_run.folder / "best")
    assert set(model.committees) == set(model.description.chosen) == {"action_quality", "gender"}
    assert not model.svms
    stated = read_json(auto_run.folder / "metrics.json")["chosen"]["action_quality"]
    assert stated["name"] == auto_run.chosen["action_quality"].name
    assert set(stated["scores"]) >= {ALONE, stated["name"]}
    assert auto_run.reports["action_quality"].balanced_accuracy > 0.8


def test_test_people_do_not_take_part_in_the_choice(auto_run: Result, tmp_path: Path) -> None:
    """Other features of the test people leave the committees as they are."""
    dataset = people(N_TRAINED)
    test = set(read_json(auto_run.folder / "split.json")["test"]["subjects"])
    features = tuple(
        {name: tuple(10 * v for v in values) for name, values in own.items()} if row.subject in test else own
        for own, row in zip(dataset.features, dataset.rows, strict=True)
    )
    train(replace(dataset, features=features), tmp_path / "run", AUTO, SMALL, RunOptions(cpu=True))
    for name in ("action_committee.npz", "gender_committee.npz"):
        assert (tmp_path / "run" / "best" / name).read_bytes() == (auto_run.folder / "best" / name).read_bytes()


def test_the_same_seed_gives_the_same_choice_also_after_a_resume(auto_run: Result, tmp_path: Path) -> None:
    again = train(people(N_TRAINED), tmp_path / "again", AUTO, SMALL, RunOptions(cpu=True))
    resumed = train(people(N_TRAINED), tmp_path / "again", AUTO, SMALL, RunOptions(cpu=True, resume=True))
    assert again.chosen == resumed.chosen == auto_run.chosen
    for name in ("action_committee.npz", "model.json"):
        assert (tmp_path / "again" / "best" / name).read_bytes() == (auto_run.folder / "best" / name).read_bytes()


@pytest.mark.usefixtures("auto_run")
def test_half_networks_see_half_of_the_people(halves_of_runs: list[tuple[Half, ...]]) -> None:
    ((first, second),) = halves_of_runs
    assert np.array_equal(first.seen, ~second.seen)
    assert not np.array_equal(first.features, second.features)


def test_other_recipes_choose_nothing() -> None:
    assert Choosing().tasks == {} and Choosing().halves == ()


def test_an_evaluation_counts_what_was_chosen_in_its_folds(tmp_path: Path) -> None:
    more = people(8)
    answers = cross_validate(more, tmp_path / "f", AUTO, SMALL, FoldOptions("grouped", 2, cpu=True), n_jobs=1)
    assert sum(describe(more, tmp_path / "f", answers)["chosen"]["action_quality"].values()) == 2
