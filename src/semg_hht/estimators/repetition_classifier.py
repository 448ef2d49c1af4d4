"""A classifier of scikit-learn that answers as `semg-hht train` does: from measures, from the network, or from both."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from semg_hht.errors import InputError, missing_library
from semg_hht.estimators.validated import Array, OfRepetitions
from semg_hht.inference.description import Chosen
from semg_hht.learning.array_answers import (
    ArrayRepetitions,
    ArrayTask,
    FittedCommittee,
    FittedNetwork,
    few_people,
    fit_committee,
    fit_network,
)
from semg_hht.matrices.transform import PipelineConfig, configure
from semg_hht.signals.features import features_of

if TYPE_CHECKING:
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize

log = logging.getLogger(__name__)

METHODS = ("measures", "network", "auto")


class RepetitionClassifier(ClassifierMixin, OfRepetitions):  # type: ignore[misc]
    """Answer repetitions as `semg-hht train` does, with people left out in turn inside `fit`.

    ``measures`` is the committee of the recipe ``auto`` without a network: linear discriminants with a random effect of
    the person (Ioffe 2006, doi 10.1007/11744085_41) on classical features, power profile, channel covariance and
    amplitude, weighted by their answers about people left out (Yao et al. 2018, doi 10.1214/17-BA1091).

    Parameters
    ----------
    rate_hz : samples per second.
    method : ``measures``; ``network``, the encoder and head of the original README; or ``auto``, which joins both. The
        last two need torch, which the extra ``train`` installs.
    band_hz : pass band that X was filtered with, in Hz; also the frequency axis of the network's matrices.
    scaling : of these matrices, one of `semg_hht.matrices.scaling.SCALINGS`.
    training : how the network is trained; its recipe and seed are set here. None: 100 epochs, as `semg-hht train`.
    size : layers and channels of the network; None: 7 and 64.
    random_state : of the network, and of the groups that are left out where no people are given.

    Attributes
    ----------
    classes_ : (n_classes,) labels, in the order of the columns of `predict_proba`.
    chosen_ : what was chosen, and the balanced accuracy of each candidate on people left out; None for ``network``.
    n_features_in_ : number of channels of X; of X (n_repetitions, n_samples) the number of samples.

    Raises
    ------
    InputError
        A single class, an unknown method, torch is missing, NaN inside a repetition, or X of another shape.

    Notes
    -----
    A fitted classifier is meant for the process that fitted it. To keep one without a pickle, train a run with
    `semg-hht train`, which `semg_hht.open_run` opens.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.estimators import RepetitionClassifier
    >>> rng = np.random.default_rng(0)
    >>> effort = np.tile(["low", "high"], 12)
    >>> people = np.repeat(["P1", "P2", "P3", "P4"], 6)
    >>> loud = np.where(effort == "high", 3.0, 1.0)[:, None, None]
    >>> X = rng.normal(size=(24, 2, 400)) * loud  # 24 repetitions of 2 channels, 0.4 s
    >>> classifier = RepetitionClassifier(rate_hz=1000).fit(X, effort, groups=people)
    >>> classifier.predict(X[:4]).tolist()
    ['low', 'high', 'low', 'high']
    >>> classifier.predict_proba(X[:4]).shape
    (4, 2)
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        method: str = "measures",
        band_hz: tuple[float, float] = (20.0, 450.0),
        scaling: str | None = None,
        training: TrainingConfig | None = None,
        size: NetworkSize | None = None,
        random_state: Any = 0,
    ) -> None:
        self.rate_hz = rate_hz
        self.method = method
        self.band_hz = band_hz
        self.scaling = scaling
        self.training = training
        self.size = size
        self.random_state = random_state

    classes_: NDArray[Any]
    chosen_: Chosen | None
    config_: PipelineConfig
    fitted_: FittedCommittee | FittedNetwork

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on labelled repetitions.

        Parameters
        ----------
        X : (n_repetitions, n_channels, n_samples), or (n_repetitions, n_samples) of one channel; filtered.
        y : (n_repetitions,) labels.
        groups : (n_repetitions,) person of each repetition, so that no person is on both sides of the inner validation.
            None, or too few people: repetitions are left out instead, and probabilities are too sure of new people.
        """
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r} is unknown; expected one of {', '.join(METHODS)}")
        repetitions, labels = self._repetitions(X, reset=True, y=y)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(column_or_1d(labels, warn=True), return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise InputError(f"expected repetitions of two classes or more; found one class, {self.classes_[0]}")
        if np.bincount(numbers).min() < 2:
            raise InputError("expected two repetitions of each class or more; a class has one")
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31))
        people = self._keys(groups, len(repetitions), random.permutation(len(repetitions)))
        reason = few_people(numbers.tolist(), people, n_classes) if groups is not None else ""
        if reason:
            log.warning("repetitions are left out instead of people, and probabilities are too sure; %s", reason)
            people = self._keys(None, len(repetitions), random.permutation(len(repetitions)))
        self.config_ = configure(band_hz=self.band_hz, scaling=self.scaling)
        task = ArrayTask.of(numbers.tolist(), n_classes, people)
        arrays = self._measured(repetitions, people)
        if self.method == "measures":
            self.fitted_ = fit_committee(arrays, task, self.config_)
            self.chosen_ = self.fitted_.chosen
        else:
            self.fitted_ = self._fit_network(arrays, task, seed)
            self.chosen_ = self.fitted_.model.description.chosen.get(task.key)
        return self

    def predict_proba(self, X: Any, groups: Any = None) -> Array:
        """(n_repetitions, n_classes) calibrated probabilities, in the order of ``classes_``.

        groups : person of each repetition. The committee then answers the repetitions of a person together, which tells
            the shift of the person from the classes. None: each repetition alone.
        """
        check_is_fitted(self)
        repetitions, _ = self._repetitions(X)
        people = self._keys(groups, len(repetitions), np.arange(len(repetitions)))
        return self.fitted_.probabilities(self._measured(repetitions, people), self.config_)

    def predict(self, X: Any, groups: Any = None) -> NDArray[Any]:
        """(n_repetitions,) likeliest class; ``groups`` as in `predict_proba`."""
        likeliest = self.predict_proba(X, groups).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def score(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """Accuracy, 0 to 1; ``groups`` as in `predict_proba`."""
        return float(accuracy_score(y, self.predict(X, groups), sample_weight=sample_weight))

    def _measured(self, repetitions: list[Array], people: list[str]) -> ArrayRepetitions:
        features = [features_of(samples, self.rate_hz) for samples in repetitions]
        return ArrayRepetitions(repetitions, features, people, self.rate_hz)

    def _keys(self, groups: Any, n: int, numbers: NDArray[np.intp]) -> list[str]:
        """A key for the person of each repetition; without ``groups`` each repetition has a number of its own."""
        if groups is None:
            return [f"{number:09d}" for number in numbers]
        checked = column_or_1d(groups)
        check_consistent_length(checked, numbers)
        return [str(group) for group in checked]

    def _fit_network(self, arrays: ArrayRepetitions, task: ArrayTask, seed: int) -> FittedNetwork:
        try:
            from semg_hht.learning.epochs import TrainingConfig
            from semg_hht.learning.train import NetworkSize
        except ImportError as error:
            raise missing_library(f"the method {self.method!r}", error, "train") from None
        recipe = "auto" if self.method == "auto" else "plain"
        training = replace(self.training or TrainingConfig(), recipe=recipe, seed=seed)
        return fit_network(arrays, task, self.config_, training, self.size or NetworkSize())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # amplitudes and spectra don't have the sign of a blob's columns
        return tags
