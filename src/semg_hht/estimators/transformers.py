"""Transformers of scikit-learn: Hilbert spectra, classical features and channel covariance of repetitions.

Each calls the function that the command line uses. All of them are fitted on shapes alone: what they give for a
repetition does not depend on the others. They take filtered samples, because a filter needs the whole recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from semg_hht.errors import InputError
from semg_hht.estimators.validated import Array, OfRepetitions
from semg_hht.inference.svm_inputs import on_scales
from semg_hht.matrices.transform import PipelineConfig, configure, matrix_of
from semg_hht.signals.covariance import N_LAGS, lag_samples, log_covariance
from semg_hht.signals.features import FEATURES, features_of


class HilbertSpectrumTransformer(TransformerMixin, OfRepetitions):  # type: ignore[misc]
    """The 256 x 256 matrix of each channel of a repetition: its Hilbert spectrum as `semg-hht prepare` makes it.

    Empirical mode decomposition, instantaneous amplitude and frequency (Huang et al. 1998, doi 10.1098/rspa.1998.0193),
    power on a grid of frequency and time, smoothed to a density and scaled.

    Parameters
    ----------
    rate_hz : samples per second.
    band_hz : lowest and highest frequency of the grid, in Hz.
    decomposition : one of `semg_hht.hht.DECOMPOSITIONS`.
    scaling : one of `semg_hht.matrices.scaling.SCALINGS`; None: ``log``. For ``mvc`` and ``subject`` divide X by the
        reference amplitude first.
    flat : whether `transform` gives rows (n_repetitions, n_channels * 65536) or matrices (n_repetitions, n_channels,
        256, 256) [frequency, time].
    n_threads : threads for the channels of a repetition; None: all cores. The result does not depend on it.
    random_state : seed of the noise of an ensemble such as ``ceemdan``; other decompositions have none.

    Attributes
    ----------
    config_ : the settings, as `semg-hht prepare` stores them with its matrices.
    n_features_in_ : number of channels of X; of X (n_repetitions, n_samples) the number of samples.

    Raises
    ------
    InputError
        An unknown decomposition or scaling, an empty band, NaN inside a repetition, or X of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.estimators import HilbertSpectrumTransformer
    >>> X = np.random.default_rng(0).normal(size=(3, 2, 400))  # 3 repetitions of 2 channels, 0.4 s
    >>> HilbertSpectrumTransformer(rate_hz=1000, flat=False).fit_transform(X).shape
    (3, 2, 256, 256)
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        band_hz: tuple[float, float] = (20.0, 450.0),
        decomposition: str = "emd",
        scaling: str | None = None,
        flat: bool = True,
        n_threads: int | None = 1,
        random_state: Any = 0,
    ) -> None:
        self.rate_hz = rate_hz
        self.band_hz = band_hz
        self.decomposition = decomposition
        self.scaling = scaling
        self.flat = flat
        self.n_threads = n_threads
        self.random_state = random_state

    config_: PipelineConfig

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the settings and the shape of X; nothing is learned from its values."""
        self._repetitions(X, reset=True)
        seed = int(check_random_state(self.random_state).randint(2**31))
        self.config_ = configure(
            band_hz=self.band_hz, decomposition=self.decomposition, scaling=self.scaling, seed=seed
        )
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """X -> (n_repetitions, n_channels * 65536), or (n_repetitions, n_channels, 256, 256) unless ``flat``."""
        check_is_fitted(self)
        repetitions, _ = self._repetitions(X)
        matrices = np.stack(
            [matrix_of(samples, self.rate_hz, self.config_, n_threads=self.n_threads) for samples in repetitions]
        )
        return matrices.reshape(len(matrices), -1) if self.flat else matrices  # (n, c, 256, 256) -> (n, c * 65536)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # always float32, which a network reads
        return tags


class EmgFeatures(TransformerMixin, OfRepetitions):  # type: ignore[misc]
    """The classical features of each channel of a repetition, channel after channel, as `semg-hht features` has them.

    Definitions follow Phinyomark, Phukpattaranont and Limsakul (2012, doi 10.1016/j.eswa.2012.01.102) unless
    `semg_hht.signals.features` names another source.

    Parameters
    ----------
    rate_hz : samples per second.
    features : names of `semg_hht.signals.features.FEATURES`, which has their units; None: all of them.
    logarithm : replace amplitudes and powers, whose ratios count, by their decimal logarithms, as the baselines of
        `semg-hht evaluate` do. A frequency that a constant channel lacks is 0.

    Attributes
    ----------
    n_features_in_ : number of channels of X; of X (n_repetitions, n_samples) the number of samples.
    n_channels_ : number of channels.

    Raises
    ------
    InputError
        An unknown feature, NaN inside a repetition, or X of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.estimators import EmgFeatures
    >>> X = np.random.default_rng(0).normal(size=(3, 2, 400))  # 3 repetitions of 2 channels, 0.4 s
    >>> features = EmgFeatures(rate_hz=1000, features=("rms", "mdf_hz")).fit(X)
    >>> features.transform(X).shape
    (3, 4)
    >>> list(features.get_feature_names_out())
    ['ch1_rms', 'ch1_mdf_hz', 'ch2_rms', 'ch2_mdf_hz']
    """

    def __init__(self, rate_hz: float, *, features: Sequence[str] | None = None, logarithm: bool = True) -> None:
        self.rate_hz = rate_hz
        self.features = features
        self.logarithm = logarithm

    n_channels_: int

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the settings and the shape of X; nothing is learned from its values."""
        repetitions, _ = self._repetitions(X, reset=True)
        unknown = [name for name in self._names if name not in FEATURES]
        if unknown:
            raise InputError(f"feature {unknown[0]!r} is unknown; expected some of {', '.join(FEATURES)}")
        self.n_channels_ = len(repetitions[0])
        return self

    def transform(self, X: Any) -> Array:
        """X -> (n_repetitions, n_channels * n_features)."""
        check_is_fitted(self)
        repetitions, _ = self._repetitions(X)
        rows = [features_of(samples, self.rate_hz, self._names) for samples in repetitions]
        table = np.array([list(row.values()) for row in rows])  # (n_repetitions, n_features, n_channels)
        table = table.swapaxes(1, 2)  # -> (n_repetitions, n_channels, n_features)
        if self.logarithm:
            table = on_scales(list(self._names), table)
        return np.nan_to_num(table).reshape(len(rows), -1)  # -> (n_repetitions, n_channels * n_features)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the columns: number of the channel, from 1, and feature."""
        check_is_fitted(self)
        names = [f"ch{channel}_{name}" for channel in range(1, self.n_channels_ + 1) for name in self._names]
        return np.array(names, dtype=object)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(FEATURES) if self.features is None else tuple(self.features)


class ChannelCovariance(TransformerMixin, OfRepetitions):  # type: ignore[misc]
    """The logarithm of the lagged covariance of all channels of a repetition, without its overall amplitude.

    It is what the baseline ``channels together`` of `semg-hht evaluate` reads: Euclidean distances of such vectors are
    distances of the log-Euclidean metric (Arsigny et al. 2006, doi 10.1002/mrm.20965; Barachant et al. 2013,
    doi 10.1016/j.neucom.2012.12.039).

    Parameters
    ----------
    rate_hz : samples per second.
    n_lags : copies of each channel, 5 ms apart, the first without a lag; 1: the covariance of the channels alone.

    Attributes
    ----------
    n_lags_ : the copies that fit into the shortest repetition that was fitted.
    n_features_in_ : number of channels of X; of X (n_repetitions, n_samples) the number of samples.

    Raises
    ------
    InputError
        ``n_lags`` below 1, constant channels only, NaN inside a repetition, or X of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.estimators import ChannelCovariance
    >>> X = np.random.default_rng(0).normal(size=(3, 2, 400))  # 3 repetitions of 2 channels, 0.4 s
    >>> ChannelCovariance(rate_hz=1000).fit_transform(X).shape  # 2 channels, 4 lags: 8 (8 + 1) / 2 numbers
    (3, 36)
    """

    def __init__(self, rate_hz: float, *, n_lags: int = N_LAGS) -> None:
        self.rate_hz = rate_hz
        self.n_lags = n_lags

    n_lags_: int

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the settings and the shape of X, and find how many lags fit."""
        repetitions, _ = self._repetitions(X, reset=True)
        if self.n_lags < 1:
            raise InputError(f"n_lags must be at least 1; got {self.n_lags}")
        shortest = min(samples.shape[1] for samples in repetitions)
        self.n_lags_ = min(self.n_lags, 1 + (shortest - 2) // lag_samples(self.rate_hz))
        return self

    def transform(self, X: Any) -> Array:
        """X -> (n_repetitions, m (m + 1) / 2), m = n_lags_ * n_channels."""
        check_is_fitted(self)
        repetitions, _ = self._repetitions(X)
        return np.stack([log_covariance(samples, self.rate_hz, self.n_lags_) for samples in repetitions])
