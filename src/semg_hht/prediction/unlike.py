"""Why the repetitions of a loaded file are unlike the training data of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from semg_hht.inference.novelty import Reason, Stated, TrainingData
from semg_hht.inference.repetition_numbers import measure

if TYPE_CHECKING:
    from semg_hht.prediction.inputs import LoadedInput


def reasons_of(training: TrainingData | None, item: LoadedInput) -> tuple[tuple[Reason, ...], ...]:
    """The reasons of each repetition, in the order of `LoadedInput.repetitions`; none for runs of early versions."""
    repetitions = item.repetitions()
    if training is None:
        return ((),) * len(repetitions)
    return tuple(_reasons(training, item, indices) for indices in repetitions)


def _reasons(training: TrainingData, item: LoadedInput, indices: Sequence[int]) -> tuple[Reason, ...]:
    covariances = item.svm_inputs.covariance
    covariance = None if covariances is None else covariances[indices[0]]
    numbers = measure(item.matrices[list(indices)], [item.svm_inputs.features[i] for i in indices], covariance)
    if training.alone is not None and not item.origins:  # a matrix file holds one of the channels
        training = training.alone
    return training.reasons(numbers, _stated(item, indices), covariance)


def _stated(item: LoadedInput, indices: Sequence[int]) -> Stated:
    if not item.origins:
        return Stated(item.rate_hz, item.units, is_foreign=item.is_foreign)
    names = [item.origins[i].channel for i in indices]
    shares = {name: item.clipped[i] for name, i in zip(names, indices, strict=True) if item.clipped}
    return Stated(item.rate_hz, item.units, tuple(part for name in names for part in name.split("+")), clipped=shares)
