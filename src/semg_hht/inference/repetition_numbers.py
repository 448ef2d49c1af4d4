"""Describe a repetition by numbers: its amplitude, duration, spectrum, course over time and channel pattern.

It works on matrices and on what is stored with them, so that a recording and its prepared matrices have the same
numbers. It does not know training data or people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from semg_hht.matrices.matrix import SIZE

Array = NDArray[np.float64]
Numbers = dict[str, Array]  # kind -> what is measured of a repetition, (n,)

CELLS = 16  # bands and spans into which a matrix is averaged
N_LAGS = 4  # of the channel covariance, see `semg_hht.signals.covariance`
SMALLEST = 1e-12
MAX_LOG = 50.0  # of an eigenvalue; a file may hold any number
MIN_SPREAD_CHANNELS = 4  # two channels may be equally strong by chance
SPECTRAL = ("mnf_hz", "mdf_hz", "zc", "ssc", "wl")
MDF = SPECTRAL.index("mdf_hz")  # position of the median frequency among the numbers of ``spectrum``


def measure(
    matrices: NDArray[np.float32], features: Sequence[Mapping[str, Sequence[float]]], covariance: Array | None
) -> Numbers:
    """Kind -> numbers of one repetition.

    Parameters
    ----------
    matrices : of its channels, (n, n_planes, 256, 256).
    features : classical features of each matrix, name -> one value per plane; empty where unknown.
    covariance : log covariance of its channels (see `semg_hht.signals.covariance`); None where unknown.
    """
    width = SIZE // CELLS
    blocks = matrices.reshape(-1, CELLS, width, CELLS, width)  # (n, n_planes, 256, 256) -> (n_channels, 16, w, 16, w)
    return measure_cells(blocks.mean(axis=(2, 4), dtype=np.float64), features, covariance)


def measure_cells(cells: Array, features: Sequence[Mapping[str, Sequence[float]]], covariance: Array | None) -> Numbers:
    """`measure` from averages of each matrix, (n_channels, 16 bands, 16 spans)."""
    bands = cells.mean(axis=2)  # (n_channels, 16)
    spans = np.sort(cells.mean(axis=(0, 1)).reshape(-1, 2).mean(axis=1))  # (16,) -> (8,), whatever the order in time
    spectrum = [(bands - bands.mean(axis=1, keepdims=True)).mean(axis=0)]
    course = [spans - spans.mean(), [cells.std(axis=2).mean()]]
    numbers: Numbers = {}
    table = {name: np.concatenate([np.ravel(of[name]) for of in features]) for name in _shared(features)}
    if {"rms", "mav", "duration_s", *SPECTRAL} <= set(table):
        duration_s, rms = float(table["duration_s"].max()), np.maximum(table["rms"], SMALLEST)
        level = np.log10(rms)  # (n_channels,)
        numbers["amplitude"] = np.array([level.mean()])
        if level.size > 1:
            numbers["quietest"] = np.array([level.min() - level.mean()])
        if level.size >= MIN_SPREAD_CHANNELS:
            numbers["contrast"] = np.array([math.log10(max(float(level.std()), SMALLEST))])
        numbers["duration"] = np.array([math.log10(max(duration_s, SMALLEST))])
        per_s = {"zc": (table["zc"] + 1) / duration_s, "ssc": (table["ssc"] + 1) / duration_s}
        per_s["wl"] = table["wl"] / rms / duration_s
        spectral = [np.log(np.maximum(per_s.get(name, table[name]), SMALLEST)).mean() for name in SPECTRAL]
        shape = np.log(np.maximum(table["mav"], SMALLEST) / rms).mean()  # of the distribution of the samples
        spectrum = [[*spectral, shape], *spectrum]
    if covariance is not None and n_channels_of(covariance):
        pattern, lagged = _pattern(covariance)
        spectrum.append(lagged)
        if pattern.size:
            numbers["channels"] = pattern
    numbers |= {"spectrum": np.concatenate(spectrum), "course": np.concatenate(course)}
    return {kind: values for kind, values in numbers.items() if np.isfinite(values).all()}


def _shared(features: Sequence[Mapping[str, Sequence[float]]]) -> set[str]:
    """The names that all have."""
    return set.intersection(*(set(of) for of in features)) if features else set()


def n_channels_of(covariance: Array) -> int:
    """Number of channels that a log covariance describes: it has 4n (4n + 1) / 2 numbers. 0: none has as many."""
    n = (math.isqrt(8 * covariance.size + 1) - 1) // (2 * N_LAGS)
    return n if N_LAGS * n * (N_LAGS * n + 1) // 2 == covariance.size else 0


def _pattern(covariance: Array) -> tuple[Array, Array]:
    """The pattern of the channels, and their autocorrelation at each lag, averaged.

    The pattern is the logarithm of each channel's amplitude relative to their mean (n,), and the correlation of each
    pair; empty for a single channel.
    """
    n = n_channels_of(covariance)
    matrix = np.zeros((N_LAGS * n, N_LAGS * n))
    rows, columns = np.triu_indices(N_LAGS * n)
    matrix[rows, columns] = covariance / np.where(rows == columns, 1.0, np.sqrt(2.0))
    matrix[columns, rows] = matrix[rows, columns]
    values, vectors = np.linalg.eigh(matrix)
    powers = np.exp(np.clip(values, -MAX_LOG, MAX_LOG))
    lagged = ((vectors * powers) @ vectors.T).reshape(N_LAGS, n, N_LAGS, n)  # (4n, 4n) -> [lag, i, lag, j]
    variance = np.maximum(np.diagonal(lagged[0, :, 0]), SMALLEST)  # (n,)
    lags = np.array([(np.diagonal(lagged[0, :, lag]) / variance).mean() for lag in range(1, N_LAGS)])
    if n == 1:
        return np.zeros(0), lags
    amplitude = np.log10(variance)
    correlation = (lagged[0, :, 0] / np.sqrt(np.outer(variance, variance)))[np.triu_indices(n, 1)]
    return np.concatenate([amplitude - amplitude.mean(), correlation]), lags
