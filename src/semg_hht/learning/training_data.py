"""Describe what the training repetitions of a run looked like, for `semg_hht.inference.novelty`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from semg_hht.inference.novelty import Reason, Stated, TrainingData, TrainingRepetition, describe_training
from semg_hht.inference.repetition_numbers import measure, n_channels_of
from semg_hht.learning.dataset import Dataset

MAX_REPETITIONS = 2000  # more of them change the description little


def training_data_of(people: Dataset) -> TrainingData:
    """What these examples look like, repetition by repetition and, where these have several matrices, one by one."""
    members: dict[str, list[int]] = {}
    for i, repetition in enumerate(people.repetitions):
        members.setdefault(repetition, []).append(i)
    training = _described(people, [*members.values()])
    if len(members) == len(people):
        return training
    return replace(training, alone=_described(people, [[i] for i in range(len(people))]))


def _described(people: Dataset, repetitions: Sequence[list[int]]) -> TrainingData:
    step = -(-len(repetitions) // MAX_REPETITIONS)  # rounded up
    return describe_training([_repetition(people, indices) for indices in repetitions[::step]], people.settings)


def _repetition(people: Dataset, indices: list[int]) -> TrainingRepetition:
    row = people.rows[indices[0]]
    covariance = None if people.covariance is None else people.covariance[indices[0]]
    features = [people.features[i] for i in indices] if people.features else [{}] * len(indices)
    names = people.channel_orders.get(people.repetitions[indices[0]], ())
    stated = Stated(row.rate_hz, row.units, names, is_foreign=people.settings is None)
    n_channels = 0 if covariance is None else n_channels_of(covariance)
    return TrainingRepetition(row.subject, stated, measure(people.matrices[indices], features, covariance), n_channels)


def reasons_of_matrix(training: TrainingData | None, people: Dataset, i: int) -> tuple[Reason, ...]:
    """Why a single matrix of a data set is unlike the training data."""
    if training is None:
        return ()
    own = _repetition(people, [i])
    covariance = None if people.covariance is None else people.covariance[i]
    return (training.alone or training).reasons(own.numbers, replace(own.stated, channels=()), covariance)
