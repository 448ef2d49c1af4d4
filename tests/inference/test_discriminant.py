"""discriminant.py: the repetitions of a person answered together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semg_hht.errors import InputError
from semg_hht.inference.discriminant import Committee, Discriminant, Together, read_committee, write_committee

# Two classes at -1 and 1; people shift all of their scores by far more than that.
ONE = Discriminant(
    mean=np.zeros(1), scale=np.ones(1), weights=np.ones((1, 1)), offset=np.zeros(1),
    centres=np.array([[-1.0], [1.0]]), within=np.array([[0.04]]), between=np.array([[9.0]]),
    concentration=np.array(0.5),
)  # fmt: skip


def together(people: list[str], recordings: list[str] | None = None, known: list[int] | None = None) -> Together:
    return Together(people, recordings or people, np.array(known or [-1] * len(people)))


def test_other_repetitions_tell_the_shift_of_a_person() -> None:
    scores = np.array([[3.0], [3.1], [5.0], [4.9]])  # a person who is shifted by 4
    alone, of_person = ONE.alone(scores), ONE.probabilities(scores, together(["a"] * 4))
    assert alone[0].max() < 0.9
    assert of_person.argmax(axis=1).tolist() == [0, 0, 1, 1]
    assert of_person.max(axis=1).min() > 0.95


def test_one_class_alone_stays_unsure() -> None:
    """Four repetitions of one class could be of either: their number must not make the answer sure."""
    scores = np.array([[3.0], [3.1], [2.9], [3.0]])
    answers = ONE.probabilities(scores, together(["a"] * 4))
    assert np.ptp(answers[:, 0]) < 0.01
    assert 0.5 < answers[:, 1].max() < 0.9


def test_people_do_not_answer_for_each_other() -> None:
    scores = np.array([[3.0], [5.0], [-6.0], [-4.0]])
    answers = ONE.probabilities(scores, together(["a", "a", "b", "b"]))
    assert np.allclose(answers[:2], ONE.probabilities(scores[:2], together(["a", "a"])))
    assert answers.argmax(axis=1).tolist() == [0, 1, 0, 1]


def test_labelled_repetitions_decide_and_keep_their_label() -> None:
    scores = np.array([[3.0], [3.1], [5.0]])
    people = ["a"] * 3
    low = ONE.probabilities(scores, together(people, ["1", "2", "3"], [1, -1, -1]))
    assert low[:2].argmax(axis=1).tolist() == [1, 1]
    assert low[0, 1] == pytest.approx(1)
    high = ONE.probabilities(scores, together(people, ["1", "2", "3"], [0, -1, -1]))
    assert high[:2].argmax(axis=1).tolist() == [0, 0]
    assert high[1, 0] > 0.95


def test_the_order_of_the_repetitions_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    scores, order = rng.normal(scale=2, size=(9, 1)), rng.permutation(9)
    people = np.repeat(["a", "b", "c"], 3)
    answers = ONE.probabilities(scores, together(people.tolist()))
    assert np.allclose(ONE.probabilities(scores[order], together(people[order].tolist())), answers[order])


def test_a_committee_answers_with_the_weighted_mean() -> None:
    table = np.array([[3.0], [5.0]])
    flat = replace(ONE, weights=np.zeros((1, 1)))
    of_two = together(["a", "a"])
    committee = Committee((ONE, flat), (0.75, 0.25))
    mean = 0.75 * ONE.probabilities(table, of_two) + 0.25 * flat.probabilities(table * 0, of_two)
    assert np.allclose(committee.probabilities(table, of_two), mean)
    assert np.allclose(committee.alone(table), 0.75 * ONE.alone(table) + 0.25 * flat.alone(table * 0))
    assert np.allclose(committee.mean, 0)


def test_a_person_with_several_recordings_has_a_temperature_of_its_own() -> None:
    table = np.array([[0.3], [-0.2], [0.3], [-0.2], [0.3]])
    people, recordings = ["a", "a", "b", "b", "c"], ["a1", "a2", "b1", "b1", "c1"]
    plain = Committee((ONE,), (1.0,)).probabilities(table, together(people, recordings))
    sure = Committee((ONE,), (1.0,), 0.5).probabilities(table, together(people, recordings))
    assert np.allclose(sure[:2], plain[:2] ** 2 / (plain[:2] ** 2).sum(axis=1, keepdims=True))
    assert np.array_equal(sure[2:], plain[2:])


def test_a_committee_survives_its_file(tmp_path: Path) -> None:
    committee = Committee((ONE, replace(ONE, offset=np.ones(1))), (0.9, 0.1), 0.7)
    write_committee(committee, tmp_path / "c.npz")
    read = read_committee(tmp_path / "c.npz", 1, 2)
    assert (read.weights, read.temperature) == (committee.weights, committee.temperature)
    table = np.array([[0.3], [2.0]])
    assert np.array_equal(read.alone(table), committee.alone(table))
    first = (tmp_path / "c.npz").read_bytes()
    write_committee(committee, tmp_path / "c.npz")
    assert (tmp_path / "c.npz").read_bytes() == first


def test_a_committee_of_an_older_run_still_loads(tmp_path: Path) -> None:
    """It has no temperature."""
    write_committee(Committee((ONE,), (1.0,)), tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as new:
        np.savez(tmp_path / "c.npz", **{name: new[name] for name in new.files if name != "temperature"})
    read = read_committee(tmp_path / "c.npz", 1, 2)
    table, of_two = np.array([[3.0], [5.0]]), together(["a", "a"])
    assert np.array_equal(read.probabilities(table, of_two), Committee((ONE,), (1.0,)).probabilities(table, of_two))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.zeros(2)}, r"expected 'mean' of shape \(1,\), finite; found float64 \(2,\)"),
        ({"centres": np.full((2, 1), np.nan)}, r"expected 'centres' of shape \(2, 1\), finite"),
        ({"within": np.array([[-1.0]])}, "expected 'within' to be positive; found -1"),
        ({"concentration": np.array(0.0)}, "expected 'concentration' to be positive; found 0"),
    ],
)
def test_a_damaged_committee_is_refused(change: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    write_committee(Committee((replace(ONE, **change),), (1.0,)), tmp_path / "c.npz")
    with pytest.raises(InputError, match=message):
        read_committee(tmp_path / "c.npz", 1, 2)


@pytest.mark.parametrize("weights", [(0.5, 0.4), (1.5, -0.5), (1.0,), (np.nan, 1.0)])
def test_weights_that_are_no_shares_are_refused(weights: tuple[float, ...], tmp_path: Path) -> None:
    write_committee(Committee((ONE, ONE), weights), tmp_path / "c.npz")
    with pytest.raises(InputError, match="expected 2 weights with sum 1; found"):
        read_committee(tmp_path / "c.npz", 1, 2)


@pytest.mark.parametrize("temperature", [0.0, np.nan, np.inf])
def test_a_temperature_that_is_none_is_refused(temperature: float, tmp_path: Path) -> None:
    write_committee(Committee((ONE,), (1.0,), temperature), tmp_path / "c.npz")
    with pytest.raises(InputError, match="expected a temperature above 0; found"):
        read_committee(tmp_path / "c.npz", 1, 2)


def test_a_file_without_a_committee_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", mean_0=np.zeros(1))
    with pytest.raises(InputError, match="expected arrays of discriminants; found mean_0"):
        read_committee(tmp_path / "c.npz", 1, 2)
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="can't be read as the arrays of a committee"):
        read_committee(tmp_path / "c.npz", 1, 2)
