"""Gender from the trained encoder's features: StandardScaler, then a calibrated RBF SVM, as one scikit-learn Pipeline.

Knows feature arrays: nothing of torch, matrices or files.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError

log = logging.getLogger(__name__)

C = 10.0
MAX_FOLDS = 5
# Everything a saved SVM may contain beyond what skops trusts by itself. Nothing else is ever loaded.
TRUSTED_TYPES: tuple[str, ...] = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)


def fit_gender_svm(
    features: NDArray[np.float32], labels: tuple[str, ...], groups: Sequence[str], *, by: str, seed: int
) -> Any:
    """Fit the SVM and calibrate its probabilities on people it was not fitted on (though the encoder may have been).

    Parameters
    ----------
    features : (n_examples, n_features) of the trained encoder.
    labels : class name of each example.
    groups : subject (or repetition) of each example; no group stands on both sides of a calibration fold.
    by : what the groups are, for messages.

    Returns
    -------
    A fitted scikit-learn Pipeline; ``classes_`` are the class names.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    y = np.array(labels)
    who = np.array(groups)
    fewest = min(labels.count(name) for name in set(labels))
    if fewest < 2:
        raise InputError(f"gender: expected at least two examples of each to calibrate on; found {fewest}")
    n_folds = min(MAX_FOLDS, *(len(set(who[y == name])) for name in set(labels)))
    if n_folds < 2:
        log.warning("a gender has only one %s: probabilities are calibrated on its own examples, and optimistic", by)
        who = np.arange(len(y)).astype(str)
        n_folds = 2
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    svm = CalibratedClassifierCV(
        SVC(C=C, gamma="scale"),
        method="sigmoid",
        ensemble=False,
        cv=list(folds.split(features, y, who)),
    )
    pipeline = make_pipeline(StandardScaler(), svm)
    # Both genders weigh the same in the SVM and in its calibration. Were it in the SVM alone, the calibration would
    # answer with the commoner gender wherever in doubt (balanced accuracy 0.50 instead of 0.70, experiments/LOG.md).
    names, counts = np.unique(y, return_counts=True)
    weight = len(y) / (len(names) * counts)
    pipeline.fit(
        features.astype(np.float64), y, calibratedclassifiercv__sample_weight=weight[np.searchsorted(names, y)]
    )
    svm.cv = None  # the folds are spent; a saved model does not list its people
    return pipeline


def save_gender_svm(pipeline: Any, path: Path) -> None:
    """Write without pickle (skops)."""
    import skops.io

    skops.io.dump(pipeline, path)


def load_gender_svm(path: Path) -> Any:
    """Read a file of `save_gender_svm`.

    Raises
    ------
    InputError
        The file is no skops file, or holds a type that is not on the list: it is refused, not run.
    """
    import skops.io
    from sklearn.pipeline import Pipeline

    try:
        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
        if foreign:
            raise InputError(f"{path}: holds types that this project does not write ({', '.join(foreign)}); refused")
        svm = skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except InputError:
        raise
    except Exception as error:  # skops raises whatever a damaged archive leads it to
        raise InputError(f"{path}: can't be read as a skops file; {error}") from error
    if not isinstance(svm, Pipeline):
        raise InputError(f"{path}: expected a scikit-learn Pipeline; found {type(svm).__name__}")
    return svm
