"""Splits by people and by repetitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import MOVEMENTS, as_json
from semg_hht.errors import InputError
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.split import split_dataset, warn_of_few_people
from semg_hht.recordings.manifest import ManifestRow


def people(n_subjects: int, n_repetitions: int = 2, n_channels: int = 2, *, known: bool = True) -> Dataset:
    """Rows without matrices, which a split does not use."""
    rows, repetitions = [], []
    for who in range(n_subjects):
        for movement in MOVEMENTS:
            for repetition in range(n_repetitions):
                for channel in range(n_channels):
                    repetitions.append(f"{who}{movement}{repetition}")
                    subject = f"S{who}" if known else ""
                    rows.append(
                        ManifestRow(f"{repetitions[-1]}_{channel}", subject, movement=movement, gender="FM"[who % 2])
                    )
    return Dataset(np.zeros((len(rows), 1, 1, 1), np.float32), tuple(rows), tuple(repetitions), {})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), n_subjects=st.integers(3, 12), test_size=st.floats(0.05, 0.6), known=st.booleans())
def test_parts_share_no_person_and_cover_all_examples(
    seed: int, n_subjects: int, test_size: float, known: bool
) -> None:
    dataset = people(n_subjects, known=known)
    split = split_dataset(dataset, test_size, 0.2, seed)
    sides = [split.train, split.validation, split.test]
    assert sorted(np.concatenate(sides)) == list(range(len(dataset)))
    assert all(side.size for side in sides)
    keys = dataset.subjects if known else dataset.repetitions
    whose = [{keys[i] for i in side} for side in sides]
    assert not (whose[0] & whose[1] or whose[0] & whose[2] or whose[1] & whose[2])
    repetitions = [{dataset.repetitions[i] for i in side} for side in sides]  # channels of a repetition share its key
    assert sum(map(len, repetitions)) == len(set(dataset.repetitions))
    assert split.by == ("subject" if known else "repetition")


def test_a_split_depends_on_the_seed() -> None:
    dataset = people(10)
    first, again = split_dataset(dataset, 0.2, 0.2, 1), split_dataset(dataset, 0.2, 0.2, 1)
    np.testing.assert_array_equal(first.test, again.test)
    assert len({tuple(split_dataset(dataset, 0.2, 0.2, seed).test) for seed in range(8)}) > 1


def test_test_size_is_the_share_held_out() -> None:
    dataset = people(10)
    for share in (0.1, 0.3, 0.5):
        split = split_dataset(dataset, share, 0.2, 0)
        assert len({dataset.subjects[i] for i in split.test}) == round(10 * share)


def test_every_class_is_in_every_part() -> None:
    dataset = people(10)
    for seed in range(5):
        split = split_dataset(dataset, 0.2, 0.25, seed)
        for side in (split.train, split.validation, split.test):
            assert {dataset.rows[i].gender for i in side} == {"F", "M"}
            assert {dataset.rows[i].movement for i in side} == set(MOVEMENTS)


def test_one_subject_is_split_by_repetition_with_a_loud_warning(caplog: pytest.LogCaptureFixture) -> None:
    dataset = people(1, n_repetitions=4)
    split = split_dataset(dataset, 0.2, 0.2, 0)
    assert split.by == "repetition"
    (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "there is only one subject, so the split is by repetition, not by person" in record.getMessage()
    assert split.notes == (record.getMessage(),)


def test_unknown_subjects_are_split_by_repetition_with_a_loud_warning(caplog: pytest.LogCaptureFixture) -> None:
    dataset = people(4)
    dataset = replace(dataset, rows=(replace(dataset.rows[0], subject=""), *dataset.rows[1:]))
    assert split_dataset(dataset, 0.2, 0.2, 0).by == "repetition"
    assert "subjects are not known" in caplog.text


def test_with_two_subjects_validation_uses_repetitions_of_the_training_subject(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = people(2)
    split = split_dataset(dataset, 0.2, 0.2, 0)
    assert split.by == "subject"
    assert {dataset.subjects[i] for i in split.train} == {dataset.subjects[i] for i in split.validation}
    assert {dataset.subjects[i] for i in split.test}.isdisjoint({dataset.subjects[i] for i in split.train})
    assert "one subject is left to train on" in caplog.text


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_shares_lie_between_zero_and_one(share: float) -> None:
    with pytest.raises(InputError, match="test_size must lie between 0 and 1; got"):
        split_dataset(people(4), share, 0.2, 0)
    with pytest.raises(InputError, match="validation_size must lie between 0 and 1; got"):
        split_dataset(people(4), 0.2, share, 0)


def test_too_little_data_is_an_error() -> None:
    dataset = people(1, n_repetitions=1).subset(np.arange(4))  # two repetitions
    with pytest.raises(InputError, match="too little data to split: expected at least three repetitions"):
        split_dataset(dataset, 0.2, 0.2, 0)


def test_a_split_is_written_as_json() -> None:
    dataset = people(5)
    content = as_json(split_dataset(dataset, 0.2, 0.2, 0).to_json(dataset))
    assert list(content) == ["by", "notes", "train", "validation", "test"]
    assert sorted(s for side in ("train", "validation", "test") for s in content[side]["subjects"]) == [
        f"S{i}" for i in range(5)
    ]
    assert len(content["test"]["files"]) == 12


def test_a_class_of_one_or_two_people_alone_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    dataset = people(6)
    warn_of_few_people(dataset, ("action_quality", "gender"))
    assert not caplog.text
    rows = tuple(replace(row, movement=row.movement if row.subject == "S3" else "half") for row in dataset.rows)
    warn_of_few_people(replace(dataset, rows=rows), ("action_quality", "gender"))
    (text,) = [record.getMessage() for record in caplog.records]
    assert text.startswith("movement: full is of S3, invalid is of S3 alone; a class of fewer than 3 people can't be")


@pytest.mark.parametrize(("n_subjects", "known"), [(1, True), (6, False)])
def test_where_people_are_not_known_the_split_warns_alone(
    caplog: pytest.LogCaptureFixture, n_subjects: int, known: bool
) -> None:
    warn_of_few_people(people(n_subjects, known=known), ("action_quality", "gender"))
    assert not caplog.text
