"""Folds of each protocol."""

from __future__ import annotations

import numpy as np
import pytest

from builders import make_dataset
from semg_hht.errors import InputError
from semg_hht.learning.folds import make_folds


@pytest.mark.parametrize("protocol", ["loso", "grouped", "random"])
def test_every_person_is_held_out_once_and_is_in_no_other_part(protocol: str) -> None:
    dataset = make_dataset(n_subjects=7, n_repetitions=2, n_channels=2)
    folds = make_folds(dataset, protocol, 3, 0.2, seed=1)
    tested = np.concatenate([fold.split.test for fold in folds])
    assert sorted(tested) == list(range(len(dataset)))
    groups = np.array(dataset.repetitions if protocol == "random" else dataset.subjects)
    for fold in folds:
        sides = [set(groups[side]) for side in (fold.split.train, fold.split.validation, fold.split.test)]
        assert all(sides)
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert sum(map(len, (fold.split.train, fold.split.validation, fold.split.test))) == len(dataset)
    assert len(folds) == (7 if protocol == "loso" else 3)


def test_groups_have_similar_size_and_depend_on_the_seed() -> None:
    dataset = make_dataset(n_subjects=8)
    first, again, other = (make_folds(dataset, "grouped", 4, 0.2, seed) for seed in (1, 1, 2))
    assert [len(fold.held_out) for fold in first] == [2] * 4
    assert [fold.held_out for fold in first] == [fold.held_out for fold in again]
    assert [fold.held_out for fold in first] != [fold.held_out for fold in other]


def test_a_random_split_puts_one_person_on_both_sides() -> None:
    dataset = make_dataset(n_subjects=3, n_repetitions=4)
    subjects = np.array(dataset.subjects)
    fold, *_ = make_folds(dataset, "random", 3, 0.2, seed=0)
    assert set(subjects[fold.split.test]) & set(subjects[fold.split.train])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "loco"}, "protocol 'loco' is unknown; expected one of loso, grouped, random"),
        ({"n_subjects": 2}, "protocol loso needs at least 3 subjects; found 2"),
        ({"protocol": "grouped", "n_folds": 9}, "expected 2 to 5 folds for 5 groups; got 9"),
        ({"subject": ""}, "the subject of p0_full_0_ch0.npz is not known"),
    ],
)
def test_too_little_data_or_a_wrong_protocol_is_an_error(options: dict[str, object], message: str) -> None:
    made = {name: options[name] for name in ("n_subjects", "subject") if name in options}
    dataset = make_dataset(**made)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        make_folds(dataset, str(options.get("protocol", "loso")), int(str(options.get("n_folds", 3))), 0.2, 0)
