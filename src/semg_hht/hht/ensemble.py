"""Noise-assisted and masked sifts: EEMD, CEEMDAN, ICEEMDAN, the masked sift, and the upstream tool's method.

Noise depends on a seed and a trial's number only, so the result of a signal depends neither on its place in a batch nor
on threads. Every function takes (n_samples,) or (n_signals, n_samples) and returns (..., n_imfs + 1, n_samples). The
last row is the residue, and the rows add up to the signal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from semg_hht.hht.emd import as_signals
from semg_hht.hht.kernel import Streams, count_extrema, ensemble_mean, first_mode, over_threads
from semg_hht.hht.noise import check_seed, is_whole, white_noise
from semg_hht.hht.sifting import is_monotonic, zero_crossings
from semg_hht.hht.stopping import StoppingRule, stopping_rule

Array = NDArray[np.float64]


def eemd(
    x: ArrayLike,
    n_trials: int = 100,
    noise_std: float = 0.2,
    seed: int = 0,
    *,
    stopping: str | StoppingRule = "sd",
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Ensemble EMD: the mean of the IMFs of many noisy copies (Wu and Huang 2009, doi 10.1142/S1793536909000047).

    Parameters
    ----------
    x : (n_samples,) or (n_signals, n_samples), any real dtype, finite.
    n_trials : number of noisy copies.
    noise_std : standard deviation of the noise, in standard deviations of the signal.
    seed : random seed of the noise; all signals of a batch get the same noise.
    stopping : name of a rule, as for :func:`emd`, or a rule with numbers of its own, such as
        ``stopping_rule("sd", max_imfs=5)``.
    noise : (n_trials, n_samples) of unit variance, in place of the seeded noise.
    n_threads : as for :func:`emd`.

    Returns
    -------
    (..., n_imfs + 1, n_samples). The residue contains what remains of the noise after averaging.

    Raises
    ------
    ValueError
        Any error of :func:`emd`, no trials, a negative ``noise_std``, or noise of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> imfs = sh.hht.eemd(x, n_trials=10, seed=0)
    """
    rule, ensemble = stopping_rule(stopping), _Ensemble(n_trials, noise_std, seed, noise)

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        trials = signal + noise_std * signal.std() * ensemble.white_noise(signal.size, n_threads)
        streams = Streams(trials, rule, n_threads)
        modes: list[Array] = []
        while len(modes) < rule.max_imfs:
            level = streams.next()
            if np.all(streams.counts < 0):
                break
            modes.append(level.mean(axis=0))
        return modes

    return _over_signals(x, modes_of, n_threads)


def ceemdan(
    x: ArrayLike,
    n_trials: int = 100,
    noise_std: float = 0.2,
    seed: int = 0,
    *,
    stopping: str | StoppingRule = "sd",
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Complete ensemble EMD with adaptive noise (Torres et al. 2011, doi 10.1109/ICASSP.2011.5947265), as in PyEMD.

    The first IMF is the mean first IMF of the noisy copies. Each further IMF is the residue less the mean local mean of
    noisy copies of the residue. The noise at level k is the k-th IMF of white noise, in standard deviations of the
    residue. With ``stopping="pyemd"`` and the same noise the result is that of PyEMD 1.10, where ``noise_std`` is
    called ``epsilon`` and is 0.005. ``noise="bank"`` takes the noise of all trials from one long decomposition, as in
    :func:`iceemdan`. Parameters, result and errors are those of :func:`eemd`.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> imfs = sh.hht.ceemdan(x, n_trials=10, seed=0)
    >>> np.allclose(imfs.sum(axis=0), x)
    True
    """
    rule, ensemble = stopping_rule(stopping), _Ensemble(n_trials, noise_std, seed, noise)

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        scale = signal.std()
        scaled = signal / scale
        noise_modes = _noise_modes(ensemble, signal.size, rule, n_threads)
        first = noise_modes.next()
        unit = first.std(signal.size)
        modes = [first.mean_modes(scaled, noise_std / unit, rule, local_mean=False, n_threads=n_threads)]
        total, rest = modes[0].copy(), scaled - modes[0]
        while len(modes) < rule.max_imfs and not _is_trend(scaled - total, scaled, rule):
            beta = noise_std * rest.std() / unit
            mean = noise_modes.next().mean_modes(rest, beta, rule, local_mean=True, n_threads=n_threads)
            modes.append(rest - mean)
            total += modes[-1]
            rest = mean
        return [scale * mode for mode in modes]

    return _over_signals(x, modes_of, n_threads)


def iceemdan(
    x: ArrayLike,
    n_trials: int = 100,
    noise_std: float = 0.2,
    seed: int = 0,
    *,
    stopping: str | StoppingRule = "sd",
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Improved CEEMDAN (Colominas, Schlotthauer and Torres 2014, doi 10.1016/j.bspc.2014.06.009).

    Every residue, the first included, is the mean local mean of noisy copies of the previous residue. The noise at
    level k is the k-th IMF of white noise, times ``noise_std`` and the standard deviation of the residue; at the first
    level it is also divided by its own standard deviation. ``noise="bank"`` decomposes one noise of twenty times the
    signal's length instead of one noise per trial. Two trials share a stretch of it, one of them with inverted sign (as
    in ICEEMDAN-MKL). This takes half the time, but the trials are not independent. Parameters, result and errors are
    those of :func:`eemd`.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> imfs = sh.hht.iceemdan(x, n_trials=10, seed=0)
    """
    rule, ensemble = stopping_rule(stopping), _Ensemble(n_trials, noise_std, seed, noise)

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        noise_modes = _noise_modes(ensemble, signal.size, rule, n_threads)
        rest, modes = signal, list[Array]()
        while len(modes) < rule.max_imfs and not _is_trend(rest, signal, rule):
            added = noise_modes.next()
            beta = np.full(n_trials, noise_std * rest.std())
            if not modes:
                beta /= added.std(signal.size)
            mean = added.mean_modes(rest, beta, rule, local_mean=True, n_threads=n_threads)
            modes.append(rest - mean)
            rest = mean
        return modes

    return _over_signals(x, modes_of, n_threads)


def masked_sift(
    x: ArrayLike,
    mask_std: float = 1.0,
    n_phases: int = 4,
    *,
    stopping: str | StoppingRule = "sd",
    max_imfs: int | None = None,
    n_threads: int | None = None,
) -> Array:
    """Masked sift: a sine takes the place of noise (Deering and Kaiser 2005, doi 10.1109/ICASSP.2005.1416051).

    Each IMF is the mean, over ``n_phases`` phases of a sine, of the first IMF of the residue plus the sine, less the
    sine. The number of cycles of the first sine is a quarter of the number of zero crossings of the signal's first IMF;
    each further sine has half as many cycles as the previous one (as in emd, doi 10.21105/joss.02977). ``mask_std`` is
    the amplitude in standard deviations of the residue. Nothing is random. Other parameters, result and errors are
    those of :func:`emd`.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> imfs = sh.hht.masked_sift(x)
    """
    rule = stopping_rule(stopping, max_imfs=max_imfs)
    if n_phases < 2 or not mask_std > 0:
        raise ValueError(f"a masked sift needs two phases and a positive mask; got {n_phases} and {mask_std:g}")

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        n_samples = signal.size
        probe, _ = first_mode(signal, rule)
        cycles = 0.0 if probe is None else zero_crossings(probe) / 4
        time = np.arange(n_samples) / n_samples
        rest, modes = signal, list[Array]()
        while len(modes) < rule.max_imfs and cycles > 0.5 and not _is_trend(rest, signal, rule):
            phase = np.arange(n_phases)[:, None] / n_phases
            masks = np.cos(2 * np.pi * (cycles * time + phase))  # (n_phases, n_samples), zero mean over phases
            scale = np.full(n_phases, mask_std * rest.std())
            mode = ensemble_mean(rest, masks, scale, rule, local_mean=False, n_threads=n_threads)
            modes.append(mode - scale[0] * masks.mean(axis=0))
            rest = rest - modes[-1]
            cycles /= 2
        return modes

    return _over_signals(x, modes_of, n_threads)


def upstream_ceemdan(
    x: ArrayLike,
    n_trials: int = 30,
    noise_std: float = 0.2,
    seed: int = 0,
    *,
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Reproduce the decomposition that made most users' earlier matrices. For new data prefer another method.

    There are at most ten levels. Level k = 0, 1, ... adds to the residue new white noise of
    ``noise_std * std(x) / (k + 1)`` and takes the mean of the first IMFs, each sifted until
    ``sum(mean**2) / sum(h**2) < 0.05``; end points are extrema. The original has no seed; ``noise`` (10, n_trials,
    n_samples) of unit variance passes in the noise that it drew. Other parameters, result and errors are those of
    :func:`eemd`.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> imfs = sh.hht.upstream_ceemdan(x)
    """
    rule = stopping_rule("upstream")

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        modes: list[Array] = []
        rest = signal
        while len(modes) < rule.max_imfs and not (modes and is_monotonic(rest)):
            level = len(modes)
            of_level = None if noise is None else np.asarray(noise, dtype=np.float64)[level]
            white = _Ensemble(n_trials, noise_std, seed, of_level).white_noise(signal.size, n_threads, level)
            scale = np.full(n_trials, noise_std * signal.std() / (level + 1))
            modes.append(ensemble_mean(rest, white, scale, rule, local_mean=False, n_threads=n_threads))
            rest = rest - modes[-1]
        return modes

    return _over_signals(x, modes_of, n_threads)


@dataclass(frozen=True)
class _Ensemble:
    """Noise of the trials: seeded, or given as an array, or ``"bank"``."""

    n_trials: int
    noise_std: float
    seed: int
    noise: ArrayLike | None

    def __post_init__(self) -> None:
        if not is_whole(self.n_trials) or self.n_trials < 1 or not self.noise_std >= 0:
            raise ValueError(
                f"an ensemble needs at least one trial and noise_std >= 0; got {self.n_trials} and {self.noise_std:g}"
            )
        check_seed(self.seed)

    def white_noise(self, n_samples: int, n_threads: int | None, level: int = 0) -> Array:
        """Noise (n_trials, n_samples) of unit variance. Seeded noise differs from level to level."""
        if self.noise is None:
            return white_noise(self.n_trials, n_samples, self.seed, level * self.n_trials, n_threads)
        noise = np.ascontiguousarray(self.noise, dtype=np.float64)
        if noise.shape != (self.n_trials, n_samples):
            raise ValueError(f"noise must be (n_trials, n_samples) = {(self.n_trials, n_samples)}; got {noise.shape}")
        return noise


@dataclass
class _NoiseLevel:
    """One IMF of the noise of every trial: where each trial's begins in ``numbers``, and its sign."""

    numbers: Array
    starts: NDArray[np.int64]
    signs: Array

    def std(self, n_samples: int) -> Array:
        """Standard deviations (n_trials,), never 0."""
        starts, trial = np.unique(self.starts, return_inverse=True)
        stds = sliding_window_view(self.numbers.ravel(), n_samples)[starts].std(axis=1)
        return np.asarray(np.maximum(stds, np.finfo(float).tiny)[trial])

    def mean_modes(
        self, base: Array, beta: Array, rule: StoppingRule, *, local_mean: bool, n_threads: int | None
    ) -> Array:
        """:func:`ensemble_mean` of ``base`` plus ``beta`` (n_trials,) times this noise."""
        scale, starts = beta * self.signs, self.starts
        return ensemble_mean(base, self.numbers, scale, rule, local_mean=local_mean, starts=starts, n_threads=n_threads)


@dataclass
class _NoiseModes:
    """IMFs of the noise of all trials, one level at a time.

    starts, signs : (n_trials,) as in `_NoiseLevel`.
    with_residue : whether the residue of a trial's noise counts as its last IMF, as in PyEMD.
    """

    streams: Streams
    starts: NDArray[np.int64]
    signs: Array
    with_residue: bool

    def next(self) -> _NoiseLevel:
        """The next IMFs, zeros where the noise has no more. The arrays are valid until the next call."""
        streams = self.streams
        before = streams.counts.copy()
        modes = streams.next()
        if self.with_residue:
            for trial in np.flatnonzero((before >= 0) & (streams.counts < 0)):
                if not np.allclose(streams.rest[trial], 0):
                    modes[trial] = streams.rest[trial]
        return _NoiseLevel(modes, self.starts, self.signs)


def _noise_modes(ensemble: _Ensemble, n_samples: int, rule: StoppingRule, n_threads: int | None) -> _NoiseModes:
    """IMFs of each trial's own noise, or with ``"bank"`` stretches of the IMFs of one long noise, each used twice."""
    trial = np.arange(ensemble.n_trials)
    if not isinstance(ensemble.noise, str):
        streams = Streams(ensemble.white_noise(n_samples, n_threads), rule, n_threads)
        return _NoiseModes(streams, trial * n_samples, np.ones(trial.size), with_residue=rule.name == "pyemd")
    if ensemble.noise != "bank":
        raise ValueError(f"noise must be numbers or 'bank'; got {ensemble.noise!r}")
    n_long = 20 * n_samples
    n_stretches = (ensemble.n_trials + 1) // 2
    starts = trial // 2 * ((n_long - n_samples) // n_stretches)
    streams = Streams(white_noise(1, n_long, ensemble.seed), rule)
    return _NoiseModes(streams, starts, np.where(trial % 2, -1.0, 1.0), with_residue=False)


def _is_trend(rest: Array, signal: Array, rule: StoppingRule) -> bool:
    """Whether the decomposition ends: the rest is too small, or has too few extrema for another IMF."""
    if rule.name == "pyemd":
        mode, n_extrema = first_mode(rest, rule)
        return mode is None or n_extrema <= 2 or bool(np.ptp(rest) < 0.01 or np.abs(rest).sum() < 0.05)
    return count_extrema(rest, rule) < 3 or not np.ptp(rest) > 1e-10 * np.ptp(signal)


def _over_signals(x: ArrayLike, modes_of: Callable[[Array, int | None], list[Array]], n_threads: int | None) -> Array:
    """Rows of one signal, whose trials share the threads, or of a batch, whose signals share the threads."""
    signals = as_signals(x)
    batch = np.atleast_2d(signals)
    if len(batch) == 1:
        parts = [modes_of(batch[0], n_threads)]
    else:
        parts = over_threads(lambda start, _: modes_of(batch[start], 1), len(batch), n_threads)
    n_imfs = max(len(modes) for modes in parts)
    rows = np.zeros((len(parts), n_imfs + 1, signals.shape[-1]))
    for row, signal, modes in zip(rows, batch, parts, strict=True):
        row[-1] = signal
        for k, mode in enumerate(modes):
            row[k] = mode
            row[-1] -= mode  # in the order of the modes, so that the rows add up to the signal within rounding
    return rows if signals.ndim == 2 else rows[0]
