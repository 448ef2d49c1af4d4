"""A calibrated RBF SVM on features: StandardScaler, then the SVM, as one scikit-learn Pipeline.

Answers gender on the trained encoder's features; what a recipe joins, and the baselines, go the same way. Knows feature
arrays: nothing of torch, matrices or what the classes mean.
"""

from __future__ import annotations

import io
import logging
import re
import time
import zipfile
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
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
# An SVM's time grows with the square of its rows or faster, and so does the memory of their distances: 0.5 GB of these.
MAX_ROWS = 8000
SCHEMA = "schema.json"  # of a skops file
# Everything a saved SVM may contain beyond what skops trusts by itself. Nothing else is ever loaded.
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
    """Fit the SVM and calibrate its probabilities on people it was not fitted on (though the encoder may have been).

    Of more than `MAX_ROWS` examples as many are taken, in equal parts of each group and class.

    Parameters
    ----------
    features : (n_examples, n_features).
    labels : class name of each example.
    groups : subject (or repetition) of each example; no group stands on both sides of a fold.
    what, by : the task and what the groups are, for messages.

    Returns
    -------
    A fitted scikit-learn Pipeline; ``classes_`` are the class names.

    Raises
    ------
    InputError
        A class has a single example.
    """
    from sklearn.base import clone
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from semg_hht.learning.svm_kernel import Rows, SvcOnRows, on_features

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
        search = GridSearchCV(
            clone(machine).set_params(class_weight="balanced"),
            {"C": list(options.costs), "gamma": list(options.gammas)},
            cv=folds,
            scoring="balanced_accuracy",
        )
        chosen = search.fit(x, y).best_params_
    svm = CalibratedClassifierCV(machine.set_params(**chosen), method="sigmoid", ensemble=False, cv=folds)
    # Classes weigh the same in the SVM and in its calibration. Were it in the SVM alone, the calibration would answer
    # with the commonest class wherever in doubt (balanced accuracy 0.50 instead of 0.70, experiments/LOG.md).
    names, counts = np.unique(y, return_counts=True)
    weight = len(y) / (len(names) * counts)
    weights = weight[np.searchsorted(names, y)]
    svm.fit(x, y, sample_weight=weights)
    (fitted,) = svm.calibrated_classifiers_
    fitted.estimator = on_features(fitted.estimator, y, weights, **chosen)
    svm.estimator, svm.n_features_in_ = SVC(**chosen), scaled.shape[1]
    svm.cv = None  # the folds are spent; a saved model does not list its people
    return make_pipeline(scaler, svm)


def spread(kinds: Sequence[Hashable], n_most: int, seed: int) -> NDArray[np.intp]:
    """Numbers of at most ``n_most`` rows, in order, drawn so that each kind gives as many as it has or as any other."""
    if len(kinds) <= n_most:
        return np.arange(len(kinds))
    order = np.random.default_rng(seed).permutation(len(kinds))
    seen: Counter[Hashable] = Counter()
    turns = np.empty(len(kinds), dtype=np.intp)  # how many of its kind come before it
    for place, number in enumerate(order):
        turns[place] = seen[kinds[number]]
        seen[kinds[number]] += 1
    return np.sort(order[np.argsort(turns, kind="stable")[:n_most]])


def _folds(y: NDArray[np.str_], who: NDArray[np.str_], what: str, by: str, seed: int, level: int) -> list[Any]:
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(int(np.sum(y == name)) for name in set(y))
    if fewest < 2:
        raise InputError(f"{what}: expected at least two examples of each to calibrate on; found {fewest}")
    n_folds = min(MAX_FOLDS, *(len(set(who[y == name])) for name in set(y)))
    if n_folds < 2:
        told = "a class of %s has only one %s: probabilities are calibrated on its own examples, and optimistic"
        log.log(level, told, what.replace("_", " "), by)
        who = np.arange(len(y)).astype(str)
        n_folds = min(MAX_FOLDS, fewest)
    return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(y, y, who))


def probabilities(svm: Any, features: NDArray[Any], classes: Sequence[str]) -> NDArray[np.float64]:
    """(n, n_classes), columns brought, by name, into the order of ``classes``; 0 for one the SVM never met."""
    found = np.zeros((len(features), len(classes)))
    found[:, [list(classes).index(name) for name in svm.classes_]] = svm.predict_proba(features.astype(np.float64))
    return found


def save_svm(pipeline: Any, path: Path) -> None:
    """Write without pickle (skops); the same SVM gives the same bytes.

    skops dates its parts and names them after where they lay in memory: here they are counted, and have no date.
    """
    import skops.io

    numbers: dict[str, str] = {}

    def counted(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], str(len(numbers)))

    with _years_of_zip():
        content = skops.io.dumps(pipeline)
    with zipfile.ZipFile(io.BytesIO(content)) as dumped, zipfile.ZipFile(path, "w") as archive:
        schema = re.sub(r'(?<="__id__": )\d+|(?<="file": ")\d+', counted, dumped.read(SCHEMA).decode())
        archive.writestr(zipfile.ZipInfo(SCHEMA), schema)
        for name in dumped.namelist():
            if name != SCHEMA:
                stem, _, ending = name.partition(".")
                archive.writestr(zipfile.ZipInfo(f"{numbers[stem]}.{ending}"), dumped.read(name))


@contextmanager
def _years_of_zip() -> Iterator[None]:
    """Archives made meanwhile are of 1980: zip can't tell the year of a clock that stands at 1970, as on a board that
    has no battery."""

    class Clock:
        time = time.time

        @staticmethod
        def localtime(_: float) -> Any:
            return time.struct_time((1980, 1, 1, 0, 0, 0, 1, 1, -1))

    setattr(zipfile, "time", Clock)  # noqa: B010 - what it is to mypy is no module to be replaced
    try:
        yield
    finally:
        setattr(zipfile, "time", time)  # noqa: B010


def load_svm(path: Path) -> Any:
    """Read a file of `save_svm`.

    Raises
    ------
    InputError
        The file is no skops file, or holds a type that is not on the list: it is refused, not run.
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
    except Exception as error:  # skops raises whatever a damaged archive leads it to
        raise InputError(f"{path}: can't be read as a skops file; {error}") from error
    if not isinstance(svm, Pipeline):
        raise InputError(f"{path}: expected a scikit-learn Pipeline; found {type(svm).__name__}")
    _require_whole(path, svm)
    return svm


def _require_whole(path: Path, svm: Any) -> None:
    """The arrays fit each other. libsvm trusts their sizes and would read beyond them."""
    try:
        (calibrated,) = svm[-1].calibrated_classifiers_
        machine = calibrated.estimator
        n_classes, (n_vectors, n_features) = len(svm.classes_), machine.support_vectors_.shape
        found = {
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
        wrong = [name for name, value in expected.items() if found[name] != value]
        if wrong or (machine._n_support < 0).any():
            raise ValueError(f"{', '.join(wrong) or 'numbers of vectors'} don't fit each other")
        answer = svm.predict_proba(np.zeros((1, n_features)))
        if answer.shape != (1, n_classes) or not np.isfinite(answer).all():
            raise ValueError("it gives no probabilities")
    except Exception as error:  # whatever is missing or of another kind
        raise InputError(f"{path}: expected a calibrated SVM whose parts fit each other; {error}") from None
