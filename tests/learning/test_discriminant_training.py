"""discriminant_training.py: directions, shifts of people, and answers about people left out."""

from __future__ import annotations

import numpy as np
import pytest

from semg_hht.learning.discriminant_training import (
    CONCENTRATIONS,
    OF_ONE_CLASS,
    Directions,
    MissingClass,
    RepetitionRows,
    answers_of_committee,
    committee_weights,
    discriminant_of,
    probabilities_of_people_left_out,
    scores_of_people_left_out,
)

N_PEOPLE, N_EACH = 12, 6
SHIFT = 4.0


def rows(n_classes: int = 2, seed: int = 0, pure: bool = False) -> RepetitionRows:
    """People with a large shift in all columns; the class is in column 0, a column of people in 1, noise in 2 and 3."""
    rng = np.random.default_rng(seed)
    people = np.repeat([f"p{i:02}" for i in range(N_PEOPLE)], N_EACH)
    labels = np.tile(np.arange(N_EACH) % n_classes, N_PEOPLE)
    shift = np.repeat(SHIFT * rng.normal(size=N_PEOPLE), N_EACH)
    table = rng.normal(scale=0.3, size=(len(labels), 4))
    table[:, 0] += labels + shift
    table[:, 1] += shift
    recordings = np.array([f"{p}-{c}" if pure else p for p, c in zip(people, labels, strict=True)])
    return RepetitionRows(table, labels, people, recordings, n_classes)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_people_left_out_are_answered_from_all_of_their_repetitions(n_classes: int, centred: bool) -> None:
    data = rows(n_classes)
    scores = scores_of_people_left_out(data, centred=centred)
    assert scores.shape == (len(data.labels), n_classes - 1)
    directions = Directions.of(data, centred=centred)
    answers, apart = probabilities_of_people_left_out(directions, scores, data, one_class=False)
    assert np.allclose(answers, apart)  # here each person has one recording
    assert (answers.argmax(axis=1) == data.labels).mean() > (0.85 if centred else 0.6)
    assert np.allclose(answers.sum(axis=1), 1)


def test_labels_without_a_pattern_are_answered_by_chance() -> None:
    data = rows()
    drawn = np.random.default_rng(1).permutation(data.labels)
    drawn = RepetitionRows(data.table[:, 2:], drawn, data.people, data.recordings, 2)
    scores = scores_of_people_left_out(drawn, centred=False)
    answers, _ = probabilities_of_people_left_out(Directions.of(drawn, centred=False), scores, drawn, one_class=False)
    assert abs((answers.argmax(axis=1) == drawn.labels).mean() - 0.5) < 0.15
    assert answers.max(axis=1).mean() < 0.75


def test_the_shift_of_people_is_told_from_the_noise() -> None:
    data = rows()
    scores = data.table[:, :1] @ np.ones((1, 1))
    directions = Directions(np.zeros(1), np.ones(1), np.ones((1, 1)), np.zeros(1))
    fitted = discriminant_of(directions, scores, data, one_class=False)
    assert np.sqrt(fitted.within[0, 0]) == pytest.approx(0.3, rel=0.2)
    assert np.sqrt(fitted.between[0, 0]) == pytest.approx(SHIFT, rel=0.5)
    assert fitted.centres[1, 0] - fitted.centres[0, 0] == pytest.approx(1, abs=0.2)


def test_the_concentration_follows_the_recordings() -> None:
    def concentration(data: RepetitionRows, one_class: bool = False) -> float:
        scores = data.table[:, :1]
        directions = Directions(np.zeros(1), np.ones(1), np.ones((1, 1)), np.zeros(1))
        return float(discriminant_of(directions, scores, data, one_class=one_class).concentration)

    assert concentration(rows(pure=True)) == pytest.approx(CONCENTRATIONS[0], rel=0.01)
    assert concentration(rows()) > 3
    assert concentration(rows(), one_class=True) == OF_ONE_CLASS


def test_a_class_that_is_missing_is_reported() -> None:
    data = rows()
    with pytest.raises(MissingClass):
        Directions.of(data.subset(data.labels == 0), centred=False)
    of_one_person = RepetitionRows(data.table, (data.people == "p00").astype(np.intp), data.people, data.recordings, 2)
    with pytest.raises(MissingClass):
        scores_of_people_left_out(of_one_person, centred=False)


def test_each_recording_alone_is_less_certain_than_all_of_a_person() -> None:
    data = rows(pure=True)
    scores = scores_of_people_left_out(data, centred=True)
    directions = Directions.of(data, centred=True)
    together, apart = probabilities_of_people_left_out(directions, scores, data, one_class=False)
    true = np.arange(len(data.labels)), data.labels
    assert together[true].mean() > apart[true].mean() + 0.1
    alone = data.apart(one_class=True)
    assert len(set(alone.people)) == len(data.labels)


def members(n_people: int, good: float, bad: float, n_each: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers (2 members, 2 kinds, n, 2 classes) that give the true class, 0, these probabilities."""
    n = n_people * n_each
    right = np.stack([np.full(n, good), np.full(n, bad)])
    answers = np.repeat(np.stack([right, 1 - right], axis=-1)[:, None], 2, axis=1)
    return answers, np.zeros(n, dtype=np.intp), np.repeat([f"p{i}" for i in range(n_people)], n_each)


def test_a_better_member_has_more_weight_and_the_more_the_more_people_show_it() -> None:
    of_few, of_many = (answers_of_committee(*members(n, 0.95, 0.4))[0] for n in (4, 40))
    assert 0.7 < of_few[0] < of_many[0]
    assert np.isclose(of_few.sum(), 1)
    assert of_few[1] > 0.5 / 5 - 1e-9  # its half of the additional person


def test_equal_members_have_equal_weights() -> None:
    assert np.allclose(answers_of_committee(*members(5, 0.8, 0.8))[0], 0.5)


def test_each_person_counts_once() -> None:
    right = np.array([[0.9] * 10 + [0.1], [0.1] * 10 + [0.9]])
    people = np.array(["many"] * 10 + ["one"])
    assert np.allclose(committee_weights(right, people), 0.5)


def test_answers_of_a_committee_do_not_use_the_labels_of_the_person() -> None:
    answers, labels, people = members(6, 0.9, 0.5)
    mine = people == "p2"
    changed = np.where(mine, 1, labels)
    before, after = (answers_of_committee(answers, own, people)[1] for own in (labels, changed))
    assert np.array_equal(before[:, mine], after[:, mine])
    assert not np.array_equal(before[:, ~mine], after[:, ~mine])
