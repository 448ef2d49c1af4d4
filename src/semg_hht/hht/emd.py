"""Empirical mode decomposition: sift a signal into IMFs and a residue.

Knows arrays of numbers only: nothing of rates, muscles or files. This is the readable reference.

The method is Huang et al. 1998 (doi 10.1098/rspa.1998.0193) with the end treatment of Rilling, Flandrin and
Goncalves 2003 ("On empirical mode decomposition and its algorithms", IEEE-EURASIP NSIP).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]

MIN_SAMPLES = 8
N_MIRRORED = 2  # extrema of each kind continued past each end (Rilling et al. 2003)
STOPPING_RULES = ("sd",)


def emd(
    x: ArrayLike,
    *,
    stopping: str = "sd",
    sd_threshold: float = 0.1,
    max_imfs: int = 12,
    max_sifts: int = 100,
) -> Array:
    """Decompose signals into intrinsic mode functions (IMFs), fastest first, and a residue.

    Parameters
    ----------
    x : (n_samples,) or (n_signals, n_samples), any real dtype, finite.
    stopping : ``"sd"``: an IMF is taken as soon as one sift changes it by less than ``sd_threshold``, measured as
        ``sum(mean_envelope**2) / sum(h**2)`` (the standard deviation rule of Huang et al. 1998, in the form
        that does not divide by single samples). The rule is a ratio, so millivolts and volts sift alike.
    max_imfs : most IMFs taken; what is left stays in the residue.
    max_sifts : most sifts spent on one IMF.

    Returns
    -------
    (..., n_imfs + 1, n_samples) float64; the last row is the residue, and the rows add up to ``x``. In a batch, signals
    with fewer IMFs than the richest have rows of zeros before their residue.

    Raises
    ------
    ValueError
        Fewer than 8 samples, a value that is not finite, a constant signal, a complex or non-numeric dtype, an
        unknown rule.
    """
    if stopping not in STOPPING_RULES:
        raise ValueError(f"stopping rule {stopping!r} is unknown; expected one of {', '.join(STOPPING_RULES)}")
    signals = _as_signals(x)
    if signals.ndim == 1:
        return _decompose(signals, sd_threshold, max_imfs, max_sifts)
    parts = [_decompose(signal, sd_threshold, max_imfs, max_sifts) for signal in signals]
    n_rows = max(part.shape[0] for part in parts)
    batch = np.zeros((len(parts), n_rows, signals.shape[1]))
    for row, part in zip(batch, parts, strict=True):
        row[: part.shape[0] - 1] = part[:-1]
        row[-1] = part[-1]
    return batch


def _as_signals(x: ArrayLike) -> Array:
    raw = np.asarray(x)
    if raw.dtype.kind not in "biuf":
        raise ValueError(f"a signal must hold real numbers; got dtype {raw.dtype}")
    if raw.ndim not in (1, 2) or raw.shape[0] == 0:
        raise ValueError(f"expected a signal (n_samples,) or a batch (n_signals, n_samples); got shape {raw.shape}")
    if raw.shape[-1] < MIN_SAMPLES:
        raise ValueError(f"a signal needs at least {MIN_SAMPLES} samples; got {raw.shape[-1]}")
    signals = raw.astype(np.float64)
    n_bad = int(np.count_nonzero(~np.isfinite(signals)))
    if n_bad:
        raise ValueError(f"a signal must be finite; {n_bad} of {signals.size} samples are NaN or infinite")
    if np.any(np.ptp(signals, axis=-1) == 0):
        raise ValueError("a signal must vary; got the same value in every sample")
    return signals


def _decompose(x: Array, sd_threshold: float, max_imfs: int, max_sifts: int) -> Array:
    """One signal (n_samples,) -> (n_imfs + 1, n_samples)."""
    rows: list[Array] = []
    residue = x.copy()
    # Below this the residue is rounding noise of the subtraction: sifting it would invent modes.
    smallest = 1e-10 * float(np.max(np.abs(x - x.mean())))
    while len(rows) < max_imfs and np.ptp(residue) > smallest:
        imf = _extract_imf(residue, sd_threshold, max_sifts)
        if imf is None:
            break
        rows.append(imf)
        residue = residue - imf
    rows.append(residue)
    return np.stack(rows)


def _extract_imf(x: Array, sd_threshold: float, max_sifts: int) -> Array | None:
    """Sift ``x`` until one more sift would hardly change it; None where it has too few extrema to carry a mode."""
    h = x
    for n_sifts in range(max_sifts):
        mean = mean_envelope(h)
        if mean is None:
            return None if n_sifts == 0 else h
        energy = float(h @ h)
        h = h - mean
        if float(mean @ mean) < sd_threshold * energy:
            break
    return h


def mean_envelope(x: Array) -> Array | None:
    """Mean of the upper and lower envelope of ``x`` (n_samples,), or None where it has fewer than three extrema.

    Envelopes are not-a-knot cubic splines through the maxima and through the minima, each continued past both ends by
    mirrored extrema.
    """
    t_max, t_min = find_extrema(x)
    if t_max.size + t_min.size < 3:
        return None
    left_max, left_min = _mirrored_at_start(x, t_max, t_min)
    last = x.size - 1
    right_max, right_min = _mirrored_at_start(x[::-1], last - t_max[::-1], last - t_min[::-1])
    time = np.arange(x.size)
    total = np.zeros(x.size)
    for inner, (t_left, x_left), (t_right, x_right) in (
        (t_max, left_max, right_max),
        (t_min, left_min, right_min),
    ):
        knots = np.concatenate([t_left[::-1], inner, last - t_right])
        values = np.concatenate([x_left[::-1], _value_at(x, inner), x_right])
        total += CubicSpline(knots, values, bc_type="not-a-knot")(time)
    return total / 2


def find_extrema(x: Array) -> tuple[Array, Array]:
    """Positions of the interior maxima and minima of ``x`` (n_samples,), in samples.

    A plateau (equal neighbouring samples, common in quantised recordings) that is higher or lower than both its
    neighbours counts once, at its midpoint, which may lie between two samples: so reversing the signal reverses its
    extrema exactly. A plateau at either end is no extremum.
    """
    starts = np.flatnonzero(np.concatenate([[True], x[1:] != x[:-1]]))  # first sample of each run of equal values
    ends = np.concatenate([starts[1:] - 1, [x.size - 1]])
    rising = np.diff(x[starts]) > 0
    turn = np.flatnonzero(rising[1:] != rising[:-1])  # run index, less one
    middle = (starts[turn + 1] + ends[turn + 1]) / 2
    is_max = rising[turn]
    return middle[is_max], middle[~is_max]


def _value_at(x: Array, position: Array) -> Array:
    """``x`` at extremum positions; a half-sample position lies on a plateau, so either neighbour holds its value."""
    return x[position.astype(np.intp)]


Knots = tuple[Array, Array]


def _mirrored_at_start(x: Array, t_max: Array, t_min: Array) -> tuple[Knots, Knots]:
    """Extrema mirrored to before sample 0: ((positions, values) of maxima, the same of minima), nearest first.

    The mirror stands at the first extremum where the first sample lies within the range of the signal there; else
    the first sample is an extremum itself and the mirror stands on it.
    """
    if t_max.size == 0 or (t_min.size and t_min[0] < t_max[0]):
        upper, lower = _mirrored_at_start(-x, t_min, t_max)
        return (lower[0], -lower[1]), (upper[0], -upper[1])
    # From here on the first extremum is a maximum.
    if t_min.size and x[0] > _value_at(x, t_min[:1])[0]:
        mirror, t_upper, t_lower = t_max[0], t_max[1 : 1 + N_MIRRORED], t_min[:N_MIRRORED]
        if 2 * mirror - min(t_upper[-1:].tolist() + t_lower[-1:].tolist()) > 0:
            # Mirrored knots would not reach the first sample: mirror at the edge, so that nothing is extrapolated.
            mirror, t_upper = 0.0, t_max[:N_MIRRORED]
    else:
        mirror, t_upper = 0.0, t_max[:N_MIRRORED]
        t_lower = np.concatenate([[0.0], t_min[: N_MIRRORED - 1]])
    return (
        (2 * mirror - t_upper, _value_at(x, t_upper)),
        (2 * mirror - t_lower, _value_at(x, t_lower)),
    )
