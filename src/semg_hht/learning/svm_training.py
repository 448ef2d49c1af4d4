"""Fit, save and load a calibrated RBF SVM: StandardScaler and SVM in one scikit-learn Pipeline.

The SVM predicts gender from the features of the trained encoder. The blocks of a recipe and the baselines use the same
functions. They work on feature arrays and do not know torch, matrices or the meaning of the classes.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.system.files import require_modest_zip

log = logging.getLogger(__name__)

C = 10.0
MAX_FOLDS = 5
# Time grows at least with the square of the number of rows, and so does the memory for their distances: 0.5 GB here.
MAX_ROWS = 8000
SCHEMA = "schema.json"  # member of a skops file
# Types of a saved SVM that skops does not trust by default. No other type is loaded.
TRUSTED_TYPES: tuple[str, ...] = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)


@dataclass(frozen=True)
class SvmOptions:
    """How an SVM is fitted.

    costs, gammas : candidates for C and gamma; of several, the pair with the highest balanced accuracy on groups left
        out is chosen.
    widths : number of columns of each block of features, so that all blocks weigh the same; empty: one block.
    warning_level : level of the log message about a class that only one group shows.
    """

    costs: Sequence[float] = (C,)
    gammas: Sequence[float | str] = ("scale",)
    widths: Sequence[int] = ()
    warning_level: int = logging.WARNING


def fit_svm(
    features: NDArray[Any],
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    what: str,
    by: str,
    seed: int,
    options: SvmOptions = SvmOptions(),
) -> Any:
    """Fit an SVM and calibrate it on people that it was not fitted on (the encoder may have been trained on them).

    Of more than `MAX_ROWS` examples a subset of that size is used, with equal shares of each group and class.

    Parameters
    ----------
    features : (n_examples, n_features).
    labels : class name of each example.
    groups : subject (or repetition) of each example; no group is on both sides of a fold.
    what, by : name of the task and of the groups (``subject``), for messages.

    Returns
    -------
    A fitted scikit-learn Pipeline; ``classes_`` are the class names.

    Raises
    ------
    InputError
        A class has a single example.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from semg_hht.learning.svm_kernel import Rows, SvcOnRows, best_pair, on_features

    rows = spread(list(zip(groups, labels, strict=True)), MAX_ROWS, seed)
    y, features = np.array(labels)[rows], features[rows]
    folds = _folds(y, np.array(groups)[rows], what, by, seed, options.warning_level)
    scaler = StandardScaler().fit(features.astype(np.float64))
    if options.widths:
        scaler.scale_ = scaler.scale_ * np.repeat(np.sqrt(options.widths), options.widths)
    scaled = scaler.transform(features.astype(np.float64))
    machine, x = SvcOnRows(Rows(scaled)), np.arange(len(y))[:, None]
    chosen: dict[str, Any] = {"C": options.costs[0], "gamma": options.gammas[0]}
    if len(options.costs) * len(options.gammas) > 1:
        cost, gamma = best_pair(machine.rows, y, folds, options.costs, options.gammas)
        chosen = {"C": cost, "gamma": gamma}
    svm = CalibratedClassifierCV(machine.set_params(**chosen), method="sigmoid", ensemble=False, cv=folds)
    # Classes weigh the same in the SVM and in its calibration. With weights in the SVM alone, the calibration answers
    # with the most frequent class where it is unsure (balanced accuracy 0.50 instead of 0.70, experiments/LOG.md).
    names, counts = np.unique(y, return_counts=True)
    weight = len(y) / (len(names) * counts)
    weights = weight[np.searchsorted(names, y)]
    svm.fit(x, y, sample_weight=weights)
    (fitted,) = svm.calibrated_classifiers_
    fitted.estimator = on_features(fitted.estimator, y, weights, **chosen)
    svm.estimator, svm.n_features_in_ = SVC(**chosen), scaled.shape[1]
    svm.cv = None  # so that a saved model does not list the people of its folds
    return make_pipeline(scaler, svm)


def spread(kinds: Sequence[Hashable], n_most: int, seed: int) -> NDArray[np.intp]:
    """Draw at most ``n_most`` row numbers, sorted, with as equal a number of rows of each kind as possible."""
    if len(kinds) <= n_most:
        return np.arange(len(kinds))
    order = np.random.default_rng(seed).permutation(len(kinds))
    drawn: Counter[Hashable] = Counter()
    turns = np.empty(len(kinds), dtype=np.intp)  # number of rows of the same kind drawn before
    for place, number in enumerate(order):
        turns[place] = drawn[kinds[number]]
        drawn[kinds[number]] += 1
    return np.sort(order[np.argsort(turns, kind="stable")[:n_most]])


def _folds(y: NDArray[np.str_], who: NDArray[np.str_], what: str, by: str, seed: int, level: int) -> list[Any]:
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(int(np.sum(y == name)) for name in set(y))
    if fewest < 2:
        raise InputError(f"{what}: expected at least two examples of each to calibrate on; found {fewest}")
    n_folds = min(MAX_FOLDS, *(len(set(who[y == name])) for name in set(y)))
    if n_folds < 2:
        text = "a class of %s has only one %s: probabilities are calibrated on its own examples, and optimistic"
        log.log(level, text, what.replace("_", " "), by)
        who = np.arange(len(y)).astype(str)
        n_folds = min(MAX_FOLDS, fewest)
    return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(y, y, who))


def probabilities(svm: Any, features: NDArray[Any], classes: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities (n, n_classes) in the order of ``classes``; 0 for a class that the SVM does not have."""
    columns = np.zeros((len(features), len(classes)))
    columns[:, [list(classes).index(name) for name in svm.classes_]] = svm.predict_proba(features.astype(np.float64))
    return columns


def save_svm(pipeline: Any, path: Path) -> None:
    """Write a skops file, which holds no pickle; the same SVM gives the same bytes.

    skops writes the date into its members and names them by memory address. Here they are numbered and have no date.
    """
    import skops.io

    numbers: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], str(len(numbers)))

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as dumped, zipfile.ZipFile(path, "w") as archive:
        schema = re.sub(r'(?<="__id__": )\d+|(?<="file": ")\d+', numbered, dumped.read(SCHEMA).decode())
        archive.writestr(zipfile.ZipInfo(SCHEMA), schema)
        for name in dumped.namelist():
            if name != SCHEMA:
                stem, _, ending = name.partition(".")
                archive.writestr(zipfile.ZipInfo(f"{numbers[stem]}.{ending}"), dumped.read(name))


def load_svm(path: Path) -> Any:
    """Read a file of `save_svm`.

    Raises
    ------
    InputError
        The file is not a skops file, or holds a type outside `TRUSTED_TYPES`; no code of the file runs.
    """
    import skops.io
    from sklearn.pipeline import Pipeline

    try:
        with zipfile.ZipFile(path) as archive:
            require_modest_zip(path, archive)
        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
        if foreign:
            raise InputError(f"{path}: holds types that this project does not write ({', '.join(foreign)}); refused")
        svm = skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except InputError:
        raise
    except Exception as error:  # a damaged archive makes skops raise errors of many types
        raise InputError(f"{path}: can't be read as a skops file; {error}") from error
    if not isinstance(svm, Pipeline):
        raise InputError(f"{path}: expected a scikit-learn Pipeline; found {type(svm).__name__}")
    _require_whole(path, svm)
    return svm


def _require_whole(path: Path, svm: Any) -> None:
    """Check that the arrays fit each other: libsvm trusts the sizes of the private ones and would read beyond them."""
    try:
        (calibrated,) = svm[-1].calibrated_classifiers_
        machine = calibrated.estimator
        n_classes, (n_vectors, n_features) = len(svm.classes_), machine.support_vectors_.shape
        stored = {
            "classes": (svm.classes_.dtype.kind, svm.classes_.shape, machine.classes_.shape),
            "numbers read": (svm.n_features_in_, machine.n_features_in_, machine.shape_fit_[1]),
            "vectors of a class": (machine._n_support.dtype, machine._n_support.shape, int(machine._n_support.sum())),
            "vectors": (machine.support_.shape, machine.dual_coef_.shape, machine._dual_coef_.shape),
            "offsets": (machine.intercept_.shape, machine._intercept_.shape, machine.kernel),
        }
        n_pairs = (n_classes * (n_classes - 1) // 2,)
        expected = {
            "classes": ("U", (n_classes,), (n_classes,)),
            "numbers read": (n_features,) * 3,
            "vectors of a class": (np.dtype(np.int32), (n_classes,), n_vectors),
            "vectors": ((n_vectors,), *((n_classes - 1, n_vectors),) * 2),
            "offsets": (n_pairs, n_pairs, "rbf"),
        }
        wrong = [name for name, value in expected.items() if stored[name] != value]
        if wrong or (machine._n_support < 0).any():
            raise ValueError(f"{', '.join(wrong) or 'numbers of vectors'} don't fit each other")
        answer = svm.predict_proba(np.zeros((1, n_features)))
        if answer.shape != (1, n_classes) or not np.isfinite(answer).all():
            raise ValueError("it gives no probabilities")
    except Exception as error:  # a part is missing or has another type
        raise InputError(f"{path}: expected a calibrated SVM whose parts fit each other; {error}") from None
