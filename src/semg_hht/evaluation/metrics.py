"""Scores with intervals, computed from labels, probabilities and subjects.

Intervals are over subjects, because repetitions of one person are not independent (see `intervals`). The module works
on arrays and does not know networks or files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.evaluation.intervals import MIN_SUBJECTS, Interval, rarely_shown, score_interval

Array = NDArray[np.float64]

N_BINS = 10  # bins of confidence with equal numbers of repetitions
STEP = 1e-4  # change of a person's weight in a numerical derivative


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
) -> Report:
    """Score predictions, one row per repetition.

    Parameters
    ----------
    labels : true class names, each one of ``classes``.
    probabilities : (n, n_classes) in the order of ``classes``; the largest is the prediction.
    subjects : subject of each row; intervals are over subjects.
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
    counted = _intervals(by_person) if enough else [None, None, None]
    ranked = _ranked_intervals(true, probabilities, who, by_person.sum(axis=-1)) if enough else [None, None]
    return Report(
        classes=classes,
        n=len(labels),
        accuracy=float(_accuracy(confusion)),
        balanced_accuracy=float(balanced_accuracy(confusion)),
        macro_f1=float(_macro_f1(confusion)),
        auroc=auroc(true, probabilities),
        ece=ece(true, probabilities),
        accuracy_interval=counted[0],
        balanced_accuracy_interval=counted[1],
        macro_f1_interval=counted[2],
        auroc_interval=ranked[0],
        ece_interval=ranked[1],
        per_class=_per_class(confusion, classes),
        per_subject={person: float(balanced_accuracy(c)) for person, c in zip(people, by_person, strict=True)},
        confusion=confusion,
        reliability=reliability(true, probabilities),
        too_few_people_of=tuple(classes[c] for c in rare) if len(people) >= MIN_SUBJECTS else (),
    )


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
    return tuple(Bin(float(confidence[i].mean()), float(right[i].mean()), int(i.size)) for i in _bins(probabilities))


def _bins(probabilities: Array) -> list[NDArray[np.intp]]:
    """Rows of each bin of confidence."""
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    return np.array_split(order, min(N_BINS, len(order)))


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


def balanced_accuracy(confusion: NDArray[Any]) -> Any:
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


def _intervals(by_person: NDArray[np.intp]) -> list[Interval | None]:
    """Intervals of accuracy, balanced accuracy and macro F1; by_person : (n_people, n_classes, n_classes)."""
    confusion = by_person.sum(axis=0)
    support = by_person.sum(axis=-1)  # (n_people, n_classes)
    repetitions = support.sum(axis=-1, keepdims=True)  # (n_people, 1)
    scores = ((_accuracy, repetitions), (balanced_accuracy, support), (_macro_f1, support))
    return [score_interval(float(score(confusion)), influences(score, by_person), n) for score, n in scores]


def influences(score: Callable[[NDArray[Any]], Any], by_person: NDArray[np.intp]) -> Array:
    """Derivative of a score by the weight of each person, (n_people,), at weights of one.

    by_person : (n_people, n_classes, n_classes) counts; ``score`` takes their sum, or many sums at once.
    """
    confusion = by_person.sum(axis=0)
    return np.asarray((score(confusion + STEP * by_person) - score(confusion - STEP * by_person)) / (2 * STEP))


def _ranked_intervals(
    true: NDArray[np.intp], probabilities: Array, who: NDArray[np.intp], support: NDArray[np.intp]
) -> list[Interval | None]:
    """Intervals of AUROC and calibration error; support : (n_people, n_classes)."""

    def by_person(of_repetitions: Array) -> Array:
        return np.asarray(np.bincount(who, of_repetitions, len(support)), dtype=np.float64)

    area = auroc(true, probabilities)
    of_area = by_person(_auroc_influences(true, probabilities))
    of_error = by_person(_ece_influences(true, probabilities))
    repetitions = support.sum(axis=-1, keepdims=True)
    return [
        None if area is None else score_interval(area, of_area, support),
        score_interval(ece(true, probabilities), of_error, repetitions),
    ]


def _auroc_influences(true: NDArray[np.intp], probabilities: Array) -> Array:
    """Influence of each repetition on the AUROC, (n,): its share of the other side ranked right, less the area.

    Added up over the repetitions of a person, it is the clustered ROC analysis of Obuchowski (1997, doi
    10.2307/2533958).
    """
    total = np.zeros(true.size)
    n_areas = 0
    for c in range(probabilities.shape[1]):
        positive = true == c
        if not 0 < positive.sum() < true.size:
            continue
        n_areas += 1
        ranks = scipy.stats.rankdata(probabilities[:, c])
        below = {side: ranks[positive == side] - scipy.stats.rankdata(probabilities[positive == side, c])
                 for side in (True, False)}  # number of the other side that ranks below, ties half  # fmt: skip
        n_positive, n_negative = below[True].size, below[False].size
        right = {True: below[True] / n_negative, False: 1 - below[False] / n_positive}
        for side in (True, False):
            total[positive == side] += (right[side] - right[side].mean()) / right[side].size
    return total / max(n_areas, 1)


def _ece_influences(true: NDArray[np.intp], probabilities: Array) -> Array:
    """Influence of each repetition on the calibration error, (n,), with the bins held fixed."""
    excess = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == true)
    error = np.zeros(true.size)
    for rows in _bins(probabilities):
        error[rows] = excess[rows] * np.sign(excess[rows].mean())
    return np.asarray((error - error.mean()) / true.size)


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
