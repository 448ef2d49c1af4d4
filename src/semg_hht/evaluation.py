"""Labels, probabilities and subjects in; scores with intervals out.

Knows labels and arrays: nothing of networks, torch or files. Every score is computed from a confusion matrix, and an
interval resamples whole subjects, because repetitions of one person are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_RESAMPLES = 2000
MIN_SUBJECTS = 3  # resampling one or two people says nothing about others
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """Percentile bootstrap over subjects; None below three subjects, which leave too little to resample."""

    low: float
    high: float


@dataclass(frozen=True)
class Report:
    """Scores of one task.

    confusion : (n_classes, n_classes) counts [true, predicted], in the order of ``classes``.
    per_class : class -> precision, recall, f1, support.
    per_subject : subject -> balanced accuracy over the classes that subject shows.
    """

    classes: tuple[str, ...]
    n: int
    accuracy: float
    balanced_accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy_interval: Interval | None
    per_class: dict[str, dict[str, float]]
    per_subject: dict[str, float]
    confusion: NDArray[np.intp]

    def to_json(self) -> dict[str, Any]:
        def interval(value: Interval | None) -> list[float] | None:
            return None if value is None else [value.low, value.high]

        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_interval_95": interval(self.accuracy_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "balanced_accuracy_interval_95": interval(self.balanced_accuracy_interval),
            "per_class": self.per_class,
            "per_subject": self.per_subject,
            "confusion": {  # true class -> predicted class -> count
                true: {name: int(count) for name, count in zip(self.classes, row, strict=True)}
                for true, row in zip(self.classes, self.confusion, strict=True)
            },
        }


def evaluate(
    labels: Sequence[str], probabilities: Array, classes: Sequence[str], subjects: Sequence[str], *, seed: int = 0
) -> Report:
    """Score predictions, one row a repetition.

    Parameters
    ----------
    labels : true class names, each one of ``classes``.
    probabilities : (n, n_classes) in the order of ``classes``; the largest is the prediction.
    subjects : who each row is of; the interval resamples them.

    Raises
    ------
    ValueError
        No rows, lengths that differ, or a label that is no class.
    """
    classes = tuple(classes)
    if len(labels) == 0 or probabilities.shape != (len(labels), len(classes)) or len(subjects) != len(labels):
        raise ValueError(
            f"expected as many labels, subjects and rows of {len(classes)} probabilities; "
            f"got {len(labels)}, {len(subjects)} and {probabilities.shape}"
        )
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise ValueError(f"labels {', '.join(unknown)} are not among the classes {', '.join(classes)}")
    true = np.array([classes.index(label) for label in labels])
    predicted = probabilities.argmax(axis=1)
    people = sorted(set(subjects))
    by_person = np.zeros((len(people), len(classes), len(classes)), dtype=np.intp)
    np.add.at(by_person, (np.searchsorted(people, np.array(subjects)), true, predicted), 1)
    confusion = by_person.sum(axis=0)
    intervals = _intervals(by_person, seed)
    return Report(
        classes=classes,
        n=len(labels),
        accuracy=float(_accuracy(confusion)),
        balanced_accuracy=float(_balanced_accuracy(confusion)),
        accuracy_interval=intervals[0],
        balanced_accuracy_interval=intervals[1],
        per_class=_per_class(confusion, classes),
        per_subject={person: float(_balanced_accuracy(c)) for person, c in zip(people, by_person, strict=True)},
        confusion=confusion,
    )


def pool(probabilities: Array, keys: Sequence[str]) -> tuple[list[str], Array]:
    """Mean over the rows that share a key: (n, n_classes) -> keys in order of appearance, (n_keys, n_classes)."""
    order = list(dict.fromkeys(keys))
    position = {key: i for i, key in enumerate(order)}
    member = np.array([position[key] for key in keys])
    total = np.zeros((len(order), probabilities.shape[1]))
    np.add.at(total, member, probabilities)
    return order, total / np.bincount(member)[:, None]


def _accuracy(confusion: NDArray[Any]) -> Any:
    """(..., n_classes, n_classes) -> (...)."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def _balanced_accuracy(confusion: NDArray[Any]) -> Any:
    """Mean recall over the classes that occur: (..., n_classes, n_classes) -> (...)."""
    support = confusion.sum(axis=-1)
    recall = np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(support, 1)
    return recall.sum(axis=-1) / (support > 0).sum(axis=-1)


def _intervals(by_person: NDArray[np.intp], seed: int) -> tuple[Interval | None, Interval | None]:
    n_people = by_person.shape[0]
    if n_people < MIN_SUBJECTS:
        return None, None
    drawn = np.random.default_rng(seed).integers(n_people, size=(N_RESAMPLES, n_people))
    resampled = by_person[drawn].sum(axis=1)  # (n_resamples, n_people, c, c) -> (n_resamples, c, c)
    edges = [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
    low_high = [np.quantile(score(resampled), edges) for score in (_accuracy, _balanced_accuracy)]
    return Interval(*map(float, low_high[0])), Interval(*map(float, low_high[1]))


def _per_class(confusion: NDArray[np.intp], classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    scores = {}
    for i, name in enumerate(classes):
        hits, support, claimed = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
        scores[name] = {
            "precision": hits / claimed if claimed else 0.0,
            "recall": hits / support if support else 0.0,
            "f1": 2 * hits / (support + claimed) if support + claimed else 0.0,
            "support": support,
        }
    return scores
