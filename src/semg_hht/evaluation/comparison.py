"""Findings of a cross-validation: scores of each method, comparison of methods, and coverage of the answer sets.

It works on labels, subjects and probabilities, and does not know networks or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.evaluation.calibration import PROMISE, answer_sets, set_threshold
from semg_hht.evaluation.intervals import MIN_SUBJECTS, Interval, difference_interval, rarely_shown
from semg_hht.evaluation.metrics import Report, balanced_accuracy, evaluate, influences

PROTOCOLS = ("loso", "grouped", "random")  # what is held out: each person, groups of people, repetitions
FINDINGS = "findings.json"  # file of each protocol, in a folder with its name
OURS = "network"  # name of our method among the methods
N_WORST = 12
MIN_GROUP = 5  # smallest number of repetitions of a muscle or gender that is scored


@dataclass(frozen=True)
class HeldOutAnswers:
    """Answers of one method for the held-out repetitions of one task, over all folds.

    files : file of one example of each repetition.
    probabilities : (n, n_classes) in the order of ``classes``, from models that were not trained on the subject.
    in_set : (n, n_classes) whether a class is in the set of possible classes; None without a promised coverage.
    """

    task: str
    method: str
    classes: tuple[str, ...]
    repetitions: tuple[str, ...]
    labels: tuple[str, ...]
    subjects: tuple[str, ...]
    muscles: tuple[str, ...]
    genders: tuple[str, ...]
    files: tuple[str, ...]
    probabilities: NDArray[np.float64]
    in_set: NDArray[np.bool_] | None = None

    @property
    def true(self) -> NDArray[np.intp]:
        """(n,) index of the true class."""
        return np.array([self.classes.index(label) for label in self.labels])

    def report(self, chosen: Sequence[int] | None = None) -> Report:
        """Scores of the repetitions with numbers ``chosen``; None: of all."""
        rows = list(range(len(self.labels))) if chosen is None else list(chosen)
        return evaluate(
            [self.labels[i] for i in rows], self.probabilities[rows], self.classes, [self.subjects[i] for i in rows]
        )


@dataclass(frozen=True)
class Difference:
    """Difference of two methods in balanced accuracy on the same repetitions, with a 95 % interval over subjects."""

    value: float
    interval: Interval | None


def compare(first: HeldOutAnswers, second: HeldOutAnswers) -> Difference:
    """Balanced accuracy of ``first`` minus that of ``second``, on the repetitions that both answered."""
    place = {key: i for i, key in enumerate(second.repetitions)}
    rows = [i for i, key in enumerate(first.repetitions) if key in place]
    others = [place[first.repetitions[i]] for i in rows]
    true = first.true[rows]
    people = sorted({first.subjects[i] for i in rows})
    who = np.searchsorted(people, [first.subjects[i] for i in rows])
    n_classes = len(first.classes)
    counts = np.zeros((2, len(people), n_classes, n_classes), dtype=np.intp)
    for by_person, answers, chosen in zip(counts, (first, second), (rows, others), strict=True):
        np.add.at(by_person, (who, true, answers.probabilities[chosen].argmax(axis=1)), 1)
    scores = float(balanced_accuracy(counts[0].sum(axis=0))), float(balanced_accuracy(counts[1].sum(axis=0)))
    value = scores[0] - scores[1]
    support = counts[0].sum(axis=-1)  # (n_people, n_classes)
    if len(people) < MIN_SUBJECTS or rarely_shown(support):
        return Difference(value, None)
    changes = influences(balanced_accuracy, counts[0]), influences(balanced_accuracy, counts[1])
    return Difference(value, difference_interval(scores, changes, support))


def task_findings(answers: Sequence[HeldOutAnswers]) -> dict[str, Any]:
    """Task -> its findings in ``report.json``.

    They hold scores of the network and of the baselines, the ``duel`` of the network with each baseline, the coverage
    of the answer sets (``unsure`` with the calibration of each run, ``unsure_across_people`` calibrated across people),
    scores per muscle and per gender, and the ``worst`` mistakes.
    """
    findings = {}
    for task in dict.fromkeys(a.task for a in answers):
        by_method = {a.method: a for a in answers if a.task == task}
        ours = by_method.pop(OURS)
        reports = {method: a.report() for method, a in by_method.items()}
        findings[task] = {
            "classes": list(ours.classes),
            "network": ours.report().to_json(),
            "baselines": {method: report.to_json() for method, report in reports.items()},
            "duel": _duel(ours, by_method, reports),
            "unsure": _coverage(ours, ours.in_set),
            "unsure_across_people": _coverage(ours, _across_people(ours)),
            "per_muscle": _per_group(ours, ours.muscles),
            "per_gender": _per_group(ours, ours.genders) if task != "gender" else {},
            "worst": _worst_mistakes(ours),
        }
    return findings


def _duel(ours: HeldOutAnswers, others: dict[str, HeldOutAnswers], reports: dict[str, Report]) -> dict[str, Any]:
    """Compare the network with each baseline; ``decides``: the network is not shown to be better."""
    duel = {}
    for method, answers in others.items():
        difference = compare(ours, answers)
        interval = difference.interval
        duel[method] = {
            "balanced_accuracy": reports[method].balanced_accuracy,
            "network_is_better_by": difference.value,
            "interval_95": None if interval is None else [interval.low, interval.high],
            "decides": _is_not_shown_better(difference),
        }
    return duel


def _is_not_shown_better(difference: Difference) -> bool:
    """Whether the interval includes zero or less; without an interval the network is not shown to be better."""
    return difference.interval is None or difference.interval.low <= 0


def _across_people(ours: HeldOutAnswers) -> NDArray[np.bool_] | None:
    """Answer sets of each person, calibrated on the answers about all other people; None below three people.

    They show the coverage of a run that is calibrated on all people. The calibration of a single run uses its few
    validation people (cross-validation+, Barber et al. 2021, doi 10.1214/20-AOS1965).
    """
    people = sorted(set(ours.subjects))
    if len(people) < MIN_SUBJECTS:
        return None
    sets = np.zeros(ours.probabilities.shape, dtype=bool)
    for person in people:
        own = np.array([subject == person for subject in ours.subjects])
        threshold = set_threshold(ours.probabilities[~own], ours.true[~own].tolist())
        sets[own] = answer_sets(ours.probabilities[own], threshold)
    return sets


def _coverage(ours: HeldOutAnswers, sets: NDArray[np.bool_] | None) -> dict[str, Any] | None:
    """Coverage of the answer sets, and how often a set has more than one class."""
    if sets is None:
        return None
    covered = sets[np.arange(len(ours.labels)), ours.true]
    alone = sets.sum(axis=1) == 1
    right = ours.probabilities.argmax(axis=1) == ours.true
    return {
        "promise": PROMISE,
        "coverage": float(covered.mean()),
        "share_unsure": float(1 - alone.mean()),
        "accuracy_where_sure": float(right[alone].mean()) if alone.any() else None,
        "coverage_per_class": {name: float(covered[ours.true == i].mean()) for i, name in enumerate(ours.classes)
                               if np.any(ours.true == i)},
    }  # fmt: skip


def _per_group(ours: HeldOutAnswers, groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Scores of each named group that is large enough; empty if there is only one."""
    scores: dict[str, dict[str, Any]] = {}
    for name in sorted(set(groups) - {""}):
        rows = [i for i, group in enumerate(groups) if group == name]
        if len(rows) >= MIN_GROUP:
            report = ours.report(rows)
            interval = report.balanced_accuracy_interval
            scores[name] = {
                "n": report.n,
                "balanced_accuracy": report.balanced_accuracy,
                "interval_95": None if interval is None else [interval.low, interval.high],
                "too_few_people_of": list(report.too_few_people_of),
            }
    return scores if len(scores) > 1 else {}


def _worst_mistakes(ours: HeldOutAnswers) -> list[dict[str, Any]]:
    """The wrong answers with the highest confidence."""
    predicted = ours.probabilities.argmax(axis=1)
    confidence = ours.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != ours.true)
    return [
        {
            "file": ours.files[i],
            "repetition": ours.repetitions[i],
            "subject": ours.subjects[i],
            "label": ours.labels[i],
            "prediction": ours.classes[predicted[i]],
            "confidence": float(confidence[i]),
        }
        for i in wrong[np.argsort(-confidence[wrong], kind="stable")][:N_WORST].tolist()
    ]
