"""Noise-assisted and masked sifts: EEMD, CEEMDAN, ICEEMDAN, masked sift, and the upstream tool's recipe.

Knows arrays of numbers only. Noise comes from a seed and a trial's number, so a signal's result depends neither on its
place in a batch nor on threads. Every function takes (n_samples,) or (n_signals, n_samples) and returns
(..., n_imfs + 1, n_samples) whose last row is the residue and whose rows add up to the signal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from semg_hht.hht.emd import as_signals
from semg_hht.hht.kernel import Streams, ensemble_mean, first_mode, over_threads
from semg_hht.hht.noise import white_noise
from semg_hht.hht.sifting import extrema_of, zero_crossings
from semg_hht.hht.stopping import Rule, rule_named

Array = NDArray[np.float64]


def eemd(
    x: ArrayLike,
    n_trials: int = 100,
    noise_std: float = 0.2,
    seed: int = 0,
    *,
    stopping: str = "sd",
    max_imfs: int | None = None,
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Ensemble EMD: the mean of the IMFs of many noisy copies (Wu and Huang 2009, doi 10.1142/S1793536909000047).

    Parameters
    ----------
    x : (n_samples,) or (n_signals, n_samples), any real dtype, finite.
    n_trials : noisy copies.
    noise_std : standard deviation of the noise, in standard deviations of the signal.
    seed : of the noise; the same for every signal of a batch.
    stopping, max_imfs, n_threads : as for :func:`emd`.
    noise : (n_trials, n_samples) of unit variance, instead of the seeded one.

    Returns
    -------
    (..., n_imfs + 1, n_samples). What the noise left behind, which does not average out wholly, is in the residue.

    Raises
    ------
    ValueError
        What :func:`emd` raises, no trials, a negative ``noise_std``, or noise of another shape.
    """
    rule = rule_named(stopping, max_imfs=max_imfs)

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        given = _noise_for(signal, n_trials, noise_std, seed, noise, n_threads)
        trials = signal + noise_std * signal.std() * given
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
    stopping: str = "sd",
    max_imfs: int | None = None,
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Complete ensemble EMD with adaptive noise (Torres et al. 2011, doi 10.1109/ICASSP.2011.5947265), as in PyEMD.

    The first IMF is the mean first IMF of the noisy copies; each further one is what the mean local mean of the noisy
    residues leaves of the residue. The noise added at level k is the k-th IMF of white noise, in standard deviations of
    the residue. With ``stopping="pyemd"`` and the same noise the result is PyEMD 1.10's (there ``epsilon`` is
    ``noise_std``, and 0.005). ``noise="bank"`` takes the trials' noise from one long decomposition, as
    :func:`iceemdan` says. Parameters, result and errors are those of :func:`eemd`.
    """
    rule = rule_named(stopping, max_imfs=max_imfs)

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        scale = signal.std()
        whole = signal / scale
        bank = _noise_modes(signal, n_trials, noise_std, seed, noise, rule, n_threads)
        first = bank.next()
        unit = first.std(signal.size)
        modes = [first.mean_modes(whole, noise_std / unit, rule, local_mean=False, n_threads=n_threads)]
        total, rest = modes[0].copy(), whole - modes[0]
        while len(modes) < rule.max_imfs and not _is_trend(whole - total, whole, rule):
            beta = noise_std * rest.std() / unit
            mean = bank.next().mean_modes(rest, beta, rule, local_mean=True, n_threads=n_threads)
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
    stopping: str = "sd",
    max_imfs: int | None = None,
    noise: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Array:
    """Improved CEEMDAN (Colominas, Schlotthauer and Torres 2014, doi 10.1016/j.bspc.2014.06.009).

    Every residue, the first too, is the mean local mean of noisy copies of the residue before; the noise at level k is
    the k-th IMF of white noise, times ``noise_std`` and the standard deviation of the residue, at the first level also
    over its own standard deviation. ``noise="bank"`` decomposes one noise of twenty times the length instead of one a
    trial, and gives every two trials a stretch of it and the same turned over (the economy of ICEEMDAN-MKL): half the
    time, trials that depend on each other. Parameters, result and errors are those of :func:`eemd`.
    """
    rule = rule_named(stopping, max_imfs=max_imfs)

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        bank = _noise_modes(signal, n_trials, noise_std, seed, noise, rule, n_threads)
        rest, modes = signal, list[Array]()
        while len(modes) < rule.max_imfs and not _is_trend(rest, signal, rule):
            added = bank.next()
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
    stopping: str = "sd",
    max_imfs: int | None = None,
    n_threads: int | None = None,
) -> Array:
    """Masked sift: a sine in place of noise (Deering and Kaiser 2005, doi 10.1109/ICASSP.2005.1416051).

    Each IMF is the mean, over ``n_phases`` phases of a sine, of the first IMF of residue plus sine less the sine. The
    first sine has a quarter of the zero-crossing count of the signal's first IMF as its cycles a signal, each further
    one half of that (as emd, doi 10.21105/joss.02977, sets them); ``mask_std`` is its amplitude in standard deviations
    of the residue. Nothing is random. Other parameters, result and errors are those of :func:`emd`.
    """
    rule = rule_named(stopping, max_imfs=max_imfs)
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
            much = np.full(n_phases, mask_std * rest.std())
            mode = ensemble_mean(rest, masks, much, rule, local_mean=False, n_threads=n_threads)
            modes.append(mode - much[0] * masks.mean(axis=0))
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
    """The decomposition most of our users' present matrices were made with, to reproduce them.

    At most ten levels; level k = 0, 1, ... adds to the residue fresh white noise of ``noise_std * std(x) / (k + 1)``
    and takes the mean of the first IMFs, each sifted until ``sum(mean**2) / sum(h**2) < 0.05``; end points are extrema.
    The original is not seeded; ``noise`` (10, n_trials, n_samples) of unit variance injects what it drew. Other
    parameters, result and errors are those of :func:`eemd`. For new data prefer another method.
    """
    rule = rule_named("upstream")

    def modes_of(signal: Array, n_threads: int | None) -> list[Array]:
        modes: list[Array] = []
        rest = signal
        while len(modes) < rule.max_imfs:
            step = np.diff(rest)
            level = len(modes)
            if level and (np.all(step >= 0) or np.all(step <= 0)):
                break
            given = None if noise is None else np.asarray(noise, dtype=np.float64)[level]
            fresh = _noise_for(signal, n_trials, noise_std, seed, given, n_threads, level * n_trials)
            much = np.full(n_trials, noise_std * signal.std() / (level + 1))
            modes.append(ensemble_mean(rest, fresh, much, rule, local_mean=False, n_threads=n_threads))
            rest = rest - modes[-1]
        return modes

    return _over_signals(x, modes_of, n_threads)


@dataclass
class _Level:
    """One IMF of every trial's noise: where each begins in ``numbers``, and which side up."""

    numbers: Array
    starts: NDArray[np.int64]
    signs: Array

    def std(self, n_samples: int) -> Array:
        """(n_trials,) standard deviations, never 0."""
        starts, trial = np.unique(self.starts, return_inverse=True)
        stds = sliding_window_view(self.numbers.ravel(), n_samples)[starts].std(axis=1)
        return np.asarray(np.maximum(stds, np.finfo(float).tiny)[trial])

    def mean_modes(self, base: Array, beta: Array, rule: Rule, *, local_mean: bool, n_threads: int | None) -> Array:
        """:func:`ensemble_mean` of ``base`` and ``beta`` (n_trials,) times this noise."""
        much, starts = beta * self.signs, self.starts
        return ensemble_mean(base, self.numbers, much, rule, local_mean=local_mean, starts=starts, n_threads=n_threads)


class _BankModes:
    """IMFs of one long noise in overlapping stretches, each once as it is and once turned over."""

    def __init__(self, n_trials: int, n_samples: int, seed: int, rule: Rule) -> None:
        n_long = 20 * n_samples
        self.streams = Streams(white_noise(1, n_long, seed), rule)
        trial = np.arange(n_trials)
        n_stretches = (n_trials + 1) // 2
        self.starts = trial // 2 * ((n_long - n_samples) // n_stretches)
        self.signs = np.where(trial % 2, -1.0, 1.0)

    def next(self) -> _Level:
        """Zeros once the noise has no more IMFs. Good until the next call."""
        return _Level(self.streams.next(), self.starts, self.signs)


def _noise_modes(
    signal: Array,
    n_trials: int,
    noise_std: float,
    seed: int,
    noise: ArrayLike | None,
    rule: Rule,
    n_threads: int | None,
) -> _NoiseModes | _BankModes:
    if isinstance(noise, str):
        if noise != "bank":
            raise ValueError(f"noise must be numbers or 'bank'; got {noise!r}")
        _check_ensemble(n_trials, noise_std)
        return _BankModes(n_trials, signal.size, seed, rule)
    return _NoiseModes(_noise_for(signal, n_trials, noise_std, seed, noise, n_threads), rule, n_threads)


class _NoiseModes:
    """IMFs of each trial's own noise, one level at a time."""

    def __init__(self, noise: Array, rule: Rule, n_threads: int | None) -> None:
        self.streams, self.rule = Streams(noise, rule, n_threads), rule
        n_trials, n_samples = noise.shape
        self.starts, self.signs = np.arange(n_trials) * n_samples, np.ones(n_trials)

    def next(self) -> _Level:
        """Zeros for a trial whose noise has no such IMF. Good until the next call."""
        streams = self.streams
        before = streams.counts.copy()
        modes = streams.next()
        if self.rule.name == "pyemd":  # there the residue counts as one more IMF of the noise
            for trial in np.flatnonzero((before >= 0) & (streams.counts < 0)):
                if not np.allclose(streams.rest[trial], 0):
                    modes[trial] = streams.rest[trial]
        return _Level(modes, self.starts, self.signs)


def _is_trend(rest: Array, whole: Array, rule: Rule) -> bool:
    """Whether an ensemble ends here: too little is left, or what is left carries no mode."""
    if rule.name == "pyemd":
        mode, n_extrema = first_mode(rest, rule)
        return mode is None or n_extrema <= 2 or bool(np.ptp(rest) < 0.01 or np.abs(rest).sum() < 0.05)
    t_max, t_min = extrema_of(rest, rule)
    return t_max.size + t_min.size < 3 or not np.ptp(rest) > 1e-10 * np.ptp(whole)


def _noise_for(
    signal: Array,
    n_trials: int,
    noise_std: float,
    seed: int,
    noise: ArrayLike | None,
    n_threads: int | None,
    first_trial: int = 0,
) -> Array:
    """Noise (n_trials, n_samples), checked where it was given."""
    _check_ensemble(n_trials, noise_std)
    if noise is None:
        return white_noise(n_trials, signal.size, seed, first_trial, n_threads)
    given = np.ascontiguousarray(noise, dtype=np.float64)
    if given.shape != (n_trials, signal.size):
        raise ValueError(f"noise must be (n_trials, n_samples) = {(n_trials, signal.size)}; got {given.shape}")
    return given


def _check_ensemble(n_trials: int, noise_std: float) -> None:
    if n_trials < 1 or not noise_std >= 0:
        raise ValueError(f"an ensemble needs a trial and noise of no negative size; got {n_trials} and {noise_std:g}")


def _over_signals(x: ArrayLike, modes_of: Callable[[Array, int | None], list[Array]], n_threads: int | None) -> Array:
    """Modes of one signal, its trials spread over threads, or of a batch, its signals spread over them."""
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
            row[-1] -= mode  # in the order of the modes, so that the rows add up to rounding
    return rows if signals.ndim == 2 else rows[0]
