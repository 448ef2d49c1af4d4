"""Baselines that the network is compared with: an SVM on classical features, or on a single feature.

They use the features stored with the matrices and do not know networks.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from semg_hht.inference.svm_inputs import MULTIPLICATIVE, SMALLEST
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.svm_training import SvmOptions, fit_svm

Array = NDArray[np.float64]

TOGETHER = "channels together"
# Name in reports -> the features that the SVM uses; empty: all.
BASELINES: dict[str, tuple[str, ...]] = {
    "classical features": (),
    TOGETHER: (),
    "duration alone": ("duration_s",),
    "RMS alone": ("rms",),
    "MDF alone": ("mdf_hz",),
}
COSTS = (1.0, 10.0, 100.0)


def repetition_features(dataset: Dataset, method: str) -> tuple[list[str], Array] | None:
    """Repetition keys in order of appearance, and features (n_repetitions, n); None where the data has none.

    A single feature is averaged over channels, weighted by their reference amplitudes as the network's features are
    (`semg_hht.inference.svm_inputs`). All features are concatenated over channels, in the order of the recording, if
    every repetition has the same number of channels. ``channels together`` is the log covariance of the channels
    (`semg_hht.signals.covariance.log_covariance`).
    """
    if method == TOGETHER:
        if dataset.covariance is None:
            return None
        first = {key: i for i, key in reversed(list(enumerate(dataset.repetitions)))}
        keys = list(dict.fromkeys(dataset.repetitions))
        return keys, dataset.covariance[[first[key] for key in keys]]
    names = BASELINES[method]
    if not dataset.features or not all(dataset.features):
        return None
    chosen = names or tuple(dataset.features[0])
    by_repetition: dict[str, list[Array]] = {}
    weights: dict[str, list[float]] = {}
    inputs = dataset.svm_inputs.subset(_in_order_of_recording(dataset))
    for key, features, reference in zip(inputs.repetitions, inputs.features, inputs.references, strict=True):
        planes = np.array([features[name] for name in chosen]).T  # (n_planes, n_features)
        by_repetition.setdefault(key, []).extend(planes)
        weights.setdefault(key, []).extend(reference or (1.0,) * len(planes))
    is_ratio = np.array([name in MULTIPLICATIVE for name in chosen])
    rows = [np.array(planes) for planes in by_repetition.values()]  # (n_channels, n_features) each
    if names or len({row.shape for row in rows}) > 1:
        rows = [np.average(row, axis=0, weights=weights[key]) for key, row in zip(by_repetition, rows, strict=True)]
    table = np.array([np.where(is_ratio, np.log10(np.maximum(row, SMALLEST)), row).reshape(-1) for row in rows])
    return list(by_repetition), np.nan_to_num(table)


def _in_order_of_recording(dataset: Dataset) -> list[int]:
    """The examples with the channels of each repetition in the order of the recording.

    A data set has them in the order of their names, which may differ between the recordings of one set ("RF" and "Recto
    Femoral"). The files of `prepare` end with the number of the channel.
    """
    place = {key: i for i, key in enumerate(dict.fromkeys(dataset.repetitions))}
    files = [row.file for row in dataset.rows]
    return sorted(range(len(files)), key=lambda i: (place[dataset.repetitions[i]], len(files[i]), files[i]))


def baseline_probabilities(
    table: Array, labels: NDArray[np.str_], groups: NDArray[np.str_], train: Indices, test: Indices, seed: int
) -> tuple[tuple[str, ...], Array]:
    """Class names, and probabilities (n_test, n_classes) of an RBF SVM that was fitted and tuned on ``train`` alone.

    Parameters
    ----------
    table : (n_repetitions, n_features).
    groups : subject (or repetition) of each row; no group is on both sides of an inner fold.
    """
    svm = fit_svm(
        table[train], labels[train].tolist(), groups[train].tolist(), what="baseline", by="group", seed=seed,
        options=SvmOptions(costs=COSTS, warning_level=logging.DEBUG),
    )  # fmt: skip
    return tuple(map(str, svm.classes_)), np.asarray(svm.predict_proba(table[test]), dtype=np.float64)
