"""Calibration: a temperature for probabilities, and a threshold for sets of possible classes.

Calibration uses people held out from training. The module works on arrays and does not know networks or files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.evaluation.metrics import pool

Array = NDArray[np.float64]

LOG_TEMPERATURES = (-2.0, 3.0)  # range of the search: temperatures from 0.14 (surer) to 20 (nearly uniform)
TINY = 1e-12
PROMISE = 0.9  # share of repetitions whose set of possible classes contains the true class


@dataclass(frozen=True)
class Calibration:
    """Calibration of one task.

    temperature : divisor of the logarithms of the probabilities; 1: no change.
    threshold : smallest probability of a class in the set of possible classes; 0: no coverage is promised.
    promise : promised coverage, the share of repetitions whose set contains the true class.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    promise: float = PROMISE


def calibrate(probabilities: Array, repetitions: Sequence[str], labels: Sequence[int]) -> Calibration:
    """Fit temperature and threshold on people held out from training; parameters as in `fit_temperature`."""
    temperature = fit_temperature(probabilities, repetitions, labels)
    keys, pooled = pool(with_temperature(probabilities, temperature), repetitions)
    first = {key: label for key, label in zip(reversed(repetitions), reversed(labels), strict=True)}
    return Calibration(temperature, set_threshold(pooled, [first[key] for key in keys]))


def softmax(logits: NDArray[np.float32]) -> Array:
    """Logits (n, n_classes) -> probabilities."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def with_temperature(probabilities: Array, temperature: float) -> Array:
    """Probabilities (n, n_classes) raised to 1 / temperature and normalised; above 1 they become less sure.

    For a softmax this divides the logits (Guo et al. 2017, arXiv 1706.04599). The order of the classes stays the same.
    """
    if temperature == 1:
        return probabilities
    scaled = np.log(np.maximum(probabilities, TINY)) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(
    probabilities: Array, repetitions: Sequence[str], labels: Sequence[int], people: Sequence[str] = ()
) -> float:
    """The temperature with the largest likelihood of the true classes, on probabilities averaged over each repetition.

    With ``people`` each person counts as one observation, and the logarithm of the temperature has a standard normal
    prior: of a few people all may be answered right by chance, and the likeliest temperature would then make the
    answers about the next person much too sure.

    Parameters
    ----------
    probabilities : (n, n_classes), one row per matrix.
    repetitions : key of each row's repetition; rows of one repetition are averaged after applying the temperature.
    labels : index of the true class of each row.
    people : person of each row.
    """
    first = {key: label for key, label in zip(reversed(repetitions), reversed(labels), strict=True)}
    person_of = dict(zip(repetitions, people, strict=True)) if people else {}
    counts = Counter(person_of.values())

    def surprise(log_temperature: float) -> float:
        keys, pooled = pool(with_temperature(probabilities, float(np.exp(log_temperature))), repetitions)
        true = pooled[np.arange(len(keys)), [first[key] for key in keys]]
        logs = np.log(np.maximum(true, TINY))
        if not people:
            return float(-np.mean(logs))
        return float(log_temperature**2 / 2 - logs @ [1 / counts[person_of[key]] for key in keys])

    fit = scipy.optimize.minimize_scalar(surprise, bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(fit.x))


def set_threshold(probabilities: Array, labels: Sequence[int], promise: float = PROMISE) -> float:
    """Smallest probability of a class in the set of possible classes, so that sets reach the promised coverage.

    Split conformal prediction (Vovk, Gammerman and Shafer 2005, doi 10.1007/b106715): the set of a new repetition
    contains the true class with probability ``promise`` or more, if the repetition is exchangeable with those given
    here. People differ, so the coverage varies if there are few of them. With too few repetitions the threshold is 0,
    which includes every class.

    Parameters
    ----------
    probabilities : (n, n_classes), one row per repetition, of people held out from training.
    labels : index of the true class of each row.
    """
    n = len(labels)
    rank = int(np.ceil((n + 1) * promise))
    if rank > n:
        return 0.0
    true = np.sort(probabilities[np.arange(n), list(labels)])[::-1]
    return float(true[rank - 1])


def answer_sets(probabilities: Array, threshold: float, promise: float = PROMISE) -> NDArray[np.bool_]:
    """(n, n_classes): whether a class is in the set of possible classes, of which there is always one.

    Where no class reaches the threshold, the repetition is unlike those of the calibration: its set holds the likeliest
    classes whose probabilities add up to the promise, so that a doubtful answer does not look sure.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    descending = np.take_along_axis(probabilities, order, axis=1)
    likeliest = np.empty(probabilities.shape, dtype=bool)
    np.put_along_axis(likeliest, order, np.cumsum(descending, axis=1) - descending < promise, axis=1)
    reached = probabilities >= threshold
    return np.where(reached.any(axis=1, keepdims=True), reached, likeliest)
