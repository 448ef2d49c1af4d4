"""Scores with intervals, computed from labels, probabilities and subjects.

Intervals resample whole subjects, because repetitions of one person are not independent. The module works on arrays and
does not know networks or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_RESAMPLES = 2000
N_RESAMPLES_RANKED = 300  # for scores that sort the probabilities in every resample
N_BINS = 10  # bins of confidence with equal numbers of repetitions
MIN_SUBJECTS = 3  # resampling one or two people gives no interval for other people
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """Percentile bootstrap interval over subjects."""

    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """Repetitions of similar confidence: mean confidence, accuracy, and number."""

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Report:
    """Scores of one task.

    macro_f1 : mean F1 over the classes that occur.
    auroc : area under the ROC curve of each class against the others, mean over the classes that occur (Hand and Till
        2001 call it the one-against-rest form, doi 10.1023/A:1010920819831); None where only one occurs.
    ece : expected calibration error: difference of confidence and accuracy, averaged over ``reliability`` weighted by
        size (Guo et al. 2017, arXiv 1706.04599, with bins of equal size).
    *_interval : 95 % over subjects; None with fewer than three subjects, or if fewer than three show a class.
    too_few_people_of : classes shown by fewer than three subjects, if there are three or more subjects.
    confusion : (n_classes, n_classes) counts [true, predicted], in the order of ``classes``.
    per_class : class -> precision, recall, f1, support.
    per_subject : subject -> balanced accuracy over the classes that subject shows.
    """

    classes: tuple[str, ...]
    n: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auroc: float | None
    ece: float
    accuracy_interval: Interval | None
    balanced_accuracy_interval: Interval | None
    macro_f1_interval: Interval | None
    auroc_interval: Interval | None
    ece_interval: Interval | None
    per_class: dict[str, dict[str, float]]
    per_subject: dict[str, float]
    confusion: NDArray[np.intp]
    reliability: tuple[Bin, ...]
    too_few_people_of: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        def interval(value: Interval | None) -> list[float] | None:
            return None if value is None else [value.low, value.high]

        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_interval_95": interval(self.accuracy_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "balanced_accuracy_interval_95": interval(self.balanced_accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval_95": interval(self.macro_f1_interval),
            "auroc": self.auroc,
            "auroc_interval_95": interval(self.auroc_interval),
            "ece": self.ece,
            "ece_interval_95": interval(self.ece_interval),
            "per_class": self.per_class,
            "per_subject": self.per_subject,
            "confusion": {  # true class -> predicted class -> count
                true: {name: int(count) for name, count in zip(self.classes, row, strict=True)}
                for true, row in zip(self.classes, self.confusion, strict=True)
            },
            "reliability": [asdict(found) for found in self.reliability],
            "too_few_people_of": list(self.too_few_people_of),
        }


def evaluate(
    labels: Sequence[str],
    probabilities: Array,
    classes: Sequence[str],
    subjects: Sequence[str],
    *,
    intervals: bool = True,
    seed: int = 0,
) -> Report:
    """Score predictions, one row per repetition.

    Parameters
    ----------
    labels : true class names, each one of ``classes``.
    probabilities : (n, n_classes) in the order of ``classes``; the largest is the prediction.
    subjects : subject of each row; intervals resample subjects.
    intervals : False omits them, which is much faster.

    Raises
    ------
    ValueError
        No rows, different lengths, or a label that is not a class.
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
    who = np.searchsorted(people, np.array(subjects))
    by_person = np.zeros((len(people), len(classes), len(classes)), dtype=np.intp)
    np.add.at(by_person, (who, true, predicted), 1)
    confusion = by_person.sum(axis=0)
    rare = rarely_shown(by_person.sum(axis=-1))
    enough = intervals and len(people) >= MIN_SUBJECTS and not rare
    counted = _intervals(by_person, seed) if enough else [None, None, None]
    ranked = _ranked_intervals(true, probabilities, who, seed) if enough else [None, None]
    return Report(
        classes=classes,
        n=len(labels),
        accuracy=float(_accuracy(confusion)),
        balanced_accuracy=float(_balanced_accuracy(confusion)),
        macro_f1=float(_macro_f1(confusion)),
        auroc=auroc(true, probabilities),
        ece=ece(true, probabilities),
        accuracy_interval=counted[0],
        balanced_accuracy_interval=counted[1],
        macro_f1_interval=counted[2],
        auroc_interval=ranked[0],
        ece_interval=ranked[1],
        per_class=_per_class(confusion, classes),
        per_subject={person: float(_balanced_accuracy(c)) for person, c in zip(people, by_person, strict=True)},
        confusion=confusion,
        reliability=reliability(true, probabilities),
        too_few_people_of=tuple(classes[c] for c in rare) if len(people) >= MIN_SUBJECTS else (),
    )


def rarely_shown(support: NDArray[Any]) -> list[int]:
    """Classes that fewer than three subjects show; support : (n_subjects, n_classes) numbers of repetitions.

    Many resamples lack such a class or contain it from one person only, so that they give no interval for others.
    """
    n_people = (support > 0).sum(axis=0)
    return np.flatnonzero((n_people > 0) & (n_people < MIN_SUBJECTS)).tolist()


def auroc(true: NDArray[np.intp], probabilities: Array) -> float | None:
    """Area under the ROC curve, each class against the rest, mean over the classes that occur beside others.

    true : (n,) index of the class; probabilities : (n, n_classes). Ties count half.
    """
    areas = []
    for c in range(probabilities.shape[1]):
        positive = true == c
        n_positive = int(positive.sum())
        if 0 < n_positive < true.size:
            ranks = scipy.stats.rankdata(probabilities[:, c])
            above = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
            areas.append(above / (n_positive * (true.size - n_positive)))
    return float(np.mean(areas)) if areas else None


def reliability(true: NDArray[np.intp], probabilities: Array) -> tuple[Bin, ...]:
    """Predictions sorted by confidence in ten bins of equal size (fewer with fewer than ten predictions)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == true
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(N_BINS, true.size))
    return tuple(Bin(float(confidence[i].mean()), float(right[i].mean()), int(i.size)) for i in parts)


def ece(true: NDArray[np.intp], probabilities: Array) -> float:
    """Expected calibration error over the bins of `reliability`."""
    return float(sum(b.n * abs(b.confidence - b.accuracy) for b in reliability(true, probabilities)) / true.size)


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


def _macro_f1(confusion: NDArray[Any]) -> Any:
    """Mean F1 over the classes that occur: (..., n_classes, n_classes) -> (...)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, claimed = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = 2 * hits / np.maximum(support + claimed, 1)
    return np.sum(f1 * (support > 0), axis=-1) / (support > 0).sum(axis=-1)


def _intervals(by_person: NDArray[np.intp], seed: int) -> list[Interval | None]:
    """Intervals of accuracy, balanced accuracy and macro F1."""
    n_people = by_person.shape[0]
    drawn = np.random.default_rng(seed).integers(n_people, size=(N_RESAMPLES, n_people))
    resampled = np.stack([by_person[people].sum(axis=0) for people in drawn])  # (n_resamples, c, c)
    return [_interval(score(resampled)) for score in (_accuracy, _balanced_accuracy, _macro_f1)]


def _ranked_intervals(
    true: NDArray[np.intp], probabilities: Array, who: NDArray[np.intp], seed: int
) -> list[Interval | None]:
    """Intervals of AUROC and calibration error."""
    n_people = int(who.max()) + 1
    members = [np.flatnonzero(who == person) for person in range(n_people)]
    areas, errors = [], []
    for drawn in np.random.default_rng(seed).integers(n_people, size=(N_RESAMPLES_RANKED, n_people)):
        rows = np.concatenate([members[person] for person in drawn])
        area = auroc(true[rows], probabilities[rows])
        errors.append(ece(true[rows], probabilities[rows]))
        if area is not None:
            areas.append(area)
    return [_interval(np.array(areas)) if areas else None, _interval(np.array(errors))]


def _interval(scores: Array) -> Interval:
    low, high = np.quantile(scores, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high))


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
