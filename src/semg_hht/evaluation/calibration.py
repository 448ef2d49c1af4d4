"""Probabilities that keep their word on new people: a temperature, and a set of answers that holds the true one.

Knows arrays: nothing of networks or files. Both are fitted on people who were not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.evaluation.metrics import pool

Array = NDArray[np.float64]

LOG_TEMPERATURES = (-2.0, 3.0)  # searched between: from 0.14, sharper, to 20, all but undecided
TINY = 1e-12
PROMISE = 0.9  # share of repetitions whose set of answers holds the true one


@dataclass(frozen=True)
class Calibration:
    """How the probabilities of one task are read.

    temperature : what they are divided by on the logarithmic scale; 1: as they are.
    threshold : how likely a class must be to belong to the set of answers; 0: nothing is promised.
    promise : share of repetitions whose set is to hold the true class.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    promise: float = PROMISE


def calibrate(probabilities: Array, repetitions: Sequence[str], labels: Sequence[int]) -> Calibration:
    """Fit both on rows (n, n_classes) of people who were not trained on; see `fit_temperature` for the parameters."""
    temperature = fit_temperature(probabilities, repetitions, labels)
    keys, pooled = pool(with_temperature(probabilities, temperature), repetitions)
    first = {key: label for key, label in zip(reversed(repetitions), reversed(labels), strict=True)}
    return Calibration(temperature, set_threshold(pooled, [first[key] for key in keys]))


def softmax(logits: NDArray[np.float32]) -> Array:
    """Logits (n, n_classes) -> probabilities."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def with_temperature(probabilities: Array, temperature: float) -> Array:
    """Probabilities (n, n_classes) raised to 1 / temperature and normalised: above 1 less sure, below 1 surer.

    Of a softmax that is the division of its logits (Guo et al. 2017, arXiv 1706.04599). The order of classes stays.
    """
    if temperature == 1:
        return probabilities
    scaled = np.log(np.maximum(probabilities, TINY)) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Array, repetitions: Sequence[str], labels: Sequence[int]) -> float:
    """The temperature under which the true classes of repetitions, pooled over their rows, are likeliest.

    Parameters
    ----------
    probabilities : (n, n_classes), a row a matrix.
    repetitions : key of the repetition of each row; rows that share one are averaged, after the temperature.
    labels : index of the true class of each row.
    """
    first = {key: label for key, label in zip(reversed(repetitions), reversed(labels), strict=True)}

    def surprise(log_temperature: float) -> float:
        keys, pooled = pool(with_temperature(probabilities, float(np.exp(log_temperature))), repetitions)
        true = pooled[np.arange(len(keys)), [first[key] for key in keys]]
        return float(-np.mean(np.log(np.maximum(true, TINY))))

    found = scipy.optimize.minimize_scalar(surprise, bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def set_threshold(probabilities: Array, labels: Sequence[int], promise: float = PROMISE) -> float:
    """How likely a class must be to belong to the set of answers, so that the set keeps its promise.

    Split conformal prediction (Vovk, Gammerman and Shafer 2005, doi 10.1007/b106715): the true class of a new
    repetition lies in the set with at least this probability if it is exchangeable with those given here. People
    differ, so with few of them the share that is kept wanders. 0, which takes every class in, where there are too few
    repetitions to promise anything.

    Parameters
    ----------
    probabilities : (n, n_classes), a row a repetition, of people who were not trained on.
    labels : index of the true class of each row.
    """
    n = len(labels)
    rank = int(np.ceil((n + 1) * promise))
    if rank > n:
        return 0.0
    true = np.sort(probabilities[np.arange(n), list(labels)])[::-1]
    return float(true[rank - 1])


def answer_sets(probabilities: Array, threshold: float) -> NDArray[np.bool_]:
    """(n, n_classes): which classes are likely enough; the likeliest always is, so that no set is empty."""
    sets = probabilities >= threshold
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets
