"""What the network has to beat: classical features with an SVM, and one number alone.

Knows features that lie beside the matrices: nothing of networks. If one number decides, the report says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semg_hht.learning.dataset import Dataset, Indices

Array = NDArray[np.float64]

TOGETHER = "channels together"
# Name in reports -> the features it is given; empty: all.
BASELINES: dict[str, tuple[str, ...]] = {
    "classical features": (),
    TOGETHER: (),
    "duration alone": ("duration_s",),
    "RMS alone": ("rms",),
    "MDF alone": ("mdf_hz",),
}
MULTIPLICATIVE = ("rms", "mav", "var", "wl", "ttp", "finsm5")  # they are compared by ratio, so by logarithm
COSTS = (1.0, 10.0, 100.0)
MAX_FOLDS = 5


def repetition_features(dataset: Dataset, method: str) -> tuple[list[str], Array] | None:
    """Keys of the repetitions in order of appearance, and their features (n_repetitions, n); None where they lack.

    Of one named feature the mean over channels; of all, the channels side by side where every repetition has as many.
    ``channels together`` is `semg_hht.signals.descriptors.mixing`.
    """
    if method == TOGETHER:
        if dataset.mixing is None:
            return None
        first = {key: i for i, key in reversed(list(enumerate(dataset.repetitions)))}
        keys = list(dict.fromkeys(dataset.repetitions))
        return keys, dataset.mixing[[first[key] for key in keys]]
    names = BASELINES[method]
    if not dataset.features or not all(dataset.features):
        return None
    chosen = names or tuple(dataset.features[0])
    by_repetition: dict[str, list[Array]] = {}
    for key, found in zip(dataset.repetitions, dataset.features, strict=True):
        planes = np.array([_column(name, found[name]) for name in chosen]).T  # (n_planes, n_features)
        by_repetition.setdefault(key, []).extend(planes)
    rows = [np.array(planes) for planes in by_repetition.values()]  # (n_channels, n_features) each
    side_by_side = not names and len({row.shape for row in rows}) == 1
    table = np.array([row.reshape(-1) if side_by_side else row.mean(axis=0) for row in rows])
    return list(by_repetition), np.nan_to_num(table)


def _column(name: str, values: tuple[float, ...]) -> Array:
    column = np.array(values)
    return np.log10(np.maximum(column, np.finfo(float).tiny)) if name in MULTIPLICATIVE else column


def baseline_probabilities(
    table: Array, labels: NDArray[np.str_], groups: NDArray[np.str_], train: Indices, test: Indices, seed: int
) -> tuple[tuple[str, ...], Array]:
    """Classes, and (n_test, n_classes) of a calibrated RBF SVM whose C was chosen among the training people alone.

    table : (n_repetitions, n_features); groups : subject (or repetition) of each; no group stands on both sides of an
        inner fold.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    y, who = labels[train], groups[train]
    fewest = min(len(set(who[y == name])) for name in set(y))
    if fewest < 2:  # a class that one person shows: parted by repetition, as there is no other way
        who = np.arange(len(y)).astype(str)
        fewest = min(int(np.sum(y == name)) for name in set(y))
    folds = StratifiedGroupKFold(max(2, min(MAX_FOLDS, fewest)), shuffle=True, random_state=seed)
    inner = list(folds.split(table[train], y, who))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVC(class_weight="balanced")),
        {"svc__C": list(COSTS)},
        cv=inner,
        scoring="balanced_accuracy",
    )
    search.fit(table[train], y)
    calibrated = CalibratedClassifierCV(
        SVC(C=search.best_params_["svc__C"]), method="sigmoid", ensemble=False, cv=inner
    )
    names, counts = np.unique(y, return_counts=True)
    weight = len(y) / (len(names) * counts)  # in the SVM and in its calibration: see learning/gender.py
    svm = make_pipeline(StandardScaler(), calibrated)
    svm.fit(table[train], y, calibratedclassifiercv__sample_weight=weight[np.searchsorted(names, y)])
    return tuple(map(str, svm.classes_)), np.asarray(svm.predict_proba(table[test]), dtype=np.float64)
