"""95 % intervals over people for scores and for differences of scores.

Repetitions of one person are not independent, so the spread between people decides, with Student's t. The module works
on the influence of each person on a score. It does not know labels, probabilities or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_SUBJECTS = 3  # one or two people give no interval for other people
COVERAGE = 0.95
SAME = 1e-12  # influences below it are rounding: all people have the same score


@dataclass(frozen=True)
class Interval:
    """95 % interval over people."""

    low: float
    high: float


def rarely_shown(support: NDArray[Any]) -> list[int]:
    """Classes that fewer than three subjects show; support : (n_subjects, n_classes) numbers of repetitions.

    The spread between one or two people says nothing of others.
    """
    n_people = (support > 0).sum(axis=0)
    return np.flatnonzero((n_people > 0) & (n_people < MIN_SUBJECTS)).tolist()


def score_interval(score: float, influence: Array, support: NDArray[Any]) -> Interval:
    """Interval of a score between 0 and 1: Student's t over people, on the logit scale.

    On that scale the interval stays within 0 and 1 and is longer towards the middle, as the spread of people is. If all
    people have the same score, their spread is unknown and the exact binomial interval of the repetitions takes its
    place (Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404).

    Parameters
    ----------
    influence : (n_people,) derivative of the score by each person's weight, at equal weights; the sum is zero.
    support : (n_people, n_groups) numbers of repetitions; the score averages groups, such as classes.
    """
    if np.abs(influence).max() < SAME or not 0 < score < 1:
        n = int(support.sum())
        exact = scipy.stats.binomtest(round(score * n), n).proportion_ci(COVERAGE)
        return Interval(float(exact.low), float(exact.high))
    degrees, correction = _degrees_of_freedom(support)
    error = np.sqrt(correction * (influence**2).sum()) / (score * (1 - score))  # the logit's derivative
    half = scipy.stats.t.ppf((1 + COVERAGE) / 2, degrees) * error
    centre = scipy.special.logit(score)
    low, high = scipy.special.expit([centre - half, centre + half])
    return Interval(float(low), float(high))


def difference_interval(
    scores: tuple[float, float], influences: tuple[Array, Array], support: NDArray[Any]
) -> Interval:
    """Interval of the difference of two scores of the same people: Student's t over their differences.

    If all people have the same difference, their spread is unknown and that of two binomial shares takes its place.
    Parameters are those of `score_interval`, one for each method.
    """
    influence = influences[0] - influences[1]
    degrees, correction = _degrees_of_freedom(support)
    variance = correction * float((influence**2).sum())
    if np.abs(influence).max() < SAME and scores[0] != scores[1]:
        n = float(support.sum())
        shares = (np.array(scores) * n + 2) / (n + 4)  # Agresti and Coull 1998, doi 10.2307/2685469
        variance = float((shares * (1 - shares)).sum() / n)
    half = float(scipy.stats.t.ppf((1 + COVERAGE) / 2, degrees) * np.sqrt(variance))
    value = scores[0] - scores[1]
    return Interval(value - half, value + half)


def _degrees_of_freedom(support: NDArray[Any]) -> tuple[float, float]:
    """Degrees of freedom of the sum of squared influences, and the factor that makes it an unbiased variance.

    Both follow from the numbers of repetitions if people differ by independent, equally large amounts (Bell and
    McCaffrey 2002; Imbens and Kolesar 2016, doi 10.1162/REST_a_00552). With equal numbers they are those of the mean of
    n people: n - 1 and n / (n - 1). If each person shows one class, they follow from the people of each class.
    """
    shown = support[:, support.sum(axis=0) > 0]
    share = shown / shown.sum(axis=0)  # (n_people, n_groups), each column adds up to 1
    weight = share / share.shape[1]
    centred = np.diag(weight.sum(axis=1)) - weight @ share.T  # person's amounts -> influences, (n_people, n_people)
    squares = centred @ centred.T
    expected = np.trace(squares)
    return float(expected**2 / (squares**2).sum()), float((weight.sum(axis=1) ** 2).sum() / expected)
