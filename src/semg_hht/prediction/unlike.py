"""Why the repetitions of a loaded file are unlike the training data of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semg_hht.errors import InputError
from semg_hht.inference.novelty import Reason, Stated, TrainingData
from semg_hht.inference.repetition_numbers import measure

if TYPE_CHECKING:
    from semg_hht.prediction.inputs import LoadedInput


def reasons_of(training: TrainingData | None, item: LoadedInput) -> tuple[tuple[Reason, ...], ...]:
    """The reasons of each repetition, in the order of `LoadedInput.repetitions`; none for runs of early versions.

    A run does not know whether it was trained on envelopes. Where at least half of the repetitions of a rectified
    signal are unlike its training data, it was not, and none of the others is taken for EMG either.
    """
    repetitions = item.repetitions()
    if training is None:
        return ((),) * len(repetitions)
    misses = item.misses_the_muscles
    wrong_times = () if misses is None else (Reason("times", {"ratio": f"{misses:.2g}"}),)
    found = tuple(wrong_times + _reasons(training, item, indices) for indices in repetitions)
    if item.one_sided and 2 * sum(map(bool, found)) >= len(found):
        return tuple((Reason("one_sided", {"name": item.one_sided[0]}), *reasons) for reasons in found)
    return found


def require_channels(training: TrainingData | None, path: Path, names: Sequence[str], expected: Sequence[int]) -> None:
    """Require one of the ``expected`` numbers of channels.

    Raises
    ------
    InputError
        The recording has another number: what it has, what the run was trained on, and what to do.
    """
    if not expected or len(names) in expected:
        return
    orders = () if training is None else training.orders
    trained = f"{' or '.join(map(str, expected))} {'channels' if max(expected) > 1 else 'channel'}"
    if orders:
        trained = f"{trained} ({' or '.join(map(', '.join, orders))})"
    n, listed = len(names), ", ".join(names)
    if n > max(expected):
        raise InputError(
            f"{path}: this run was trained on {trained} and the recording has {n} ({listed}); choose the same ones in "
            "the column 'channels' of a manifest, or train a run on recordings like this one"
        )
    raise InputError(
        f"{path}: this run was trained on {trained} and the recording has {n} ({listed}); record the same muscles, or "
        "train a run on recordings like this one"
    )


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
