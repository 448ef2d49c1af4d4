"""The sift in NumPy: the readable reference for tests of the compiled kernel, and its replacement if it was not built.

It sifts one signal at a time. The method is that of Huang et al. 1998 (doi 10.1098/rspa.1998.0193) with the end
treatment of Rilling, Flandrin and Goncalves 2003 ("On empirical mode decomposition and its algorithms", IEEE-EURASIP
NSIP).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.hht.stopping import StoppingRule

Array = NDArray[np.float64]
Knots = tuple[Array, Array]  # positions, values

N_MIRRORED = 2  # extrema of each kind mirrored past each end (Rilling et al. 2003)


@dataclass
class Envelopes:
    """Upper and lower envelope with the knots of their splines."""

    upper: Array  # (n_samples,)
    lower: Array  # (n_samples,)
    max_knots: Knots
    min_knots: Knots


@dataclass
class Stream:
    """A signal ``x`` during its decomposition, highest frequency first.

    rest : the signal less its modes so far.
    total : sum of the modes so far; PyEMD computes the rest from it, which decides the rounding.
    """

    x: Array
    rest: Array
    total: Array
    n_modes: int = 0
    done: bool = False


def open_stream(x: Array) -> Stream:
    return Stream(x=x, rest=x.copy(), total=np.zeros_like(x))


def next_mode(stream: Stream, rule: StoppingRule) -> tuple[Array | None, int]:
    """The next mode, or None if there are no more, and its number of sifts; the mode is subtracted from the rest."""
    if stream.done or stream.n_modes >= rule.max_imfs or _is_spent(stream, rule):
        stream.done = True
        return None, 0
    mode, n_sifts, n_extrema = extract_mode(stream.rest, rule)
    if mode is None:
        stream.done = True
        return None, n_sifts
    before = stream.rest, stream.total
    stream.n_modes += 1
    stream.total = stream.total + mode
    stream.rest = stream.x - stream.total if rule.name == "pyemd" else stream.rest - mode
    is_last = rule.name == "pyemd" and (_is_spent(stream, rule) or stream.n_modes == rule.max_imfs)
    if is_last and n_extrema <= 2:  # PyEMD drops such a last mode
        stream.rest, stream.total = before
        stream.done = True
        return None, n_sifts
    return mode, n_sifts


def _is_spent(stream: Stream, rule: StoppingRule) -> bool:
    """Whether the rest is too small to sift."""
    rest = stream.rest
    if rule.name == "pyemd":
        return stream.n_modes > 0 and bool(np.ptp(rest) < 0.001 or np.abs(rest).sum() < 0.005)
    if rule.name == "upstream":
        return stream.n_modes > 0 and is_monotonic(rest)
    if rule.name == "emd":  # emd's 50 dB: 20 log10 of a ratio of energies
        loud = float(stream.x @ stream.x) <= 10**2.5 * float(rest @ rest)
        return stream.n_modes > 0 and not (loud and np.abs(rest).sum() >= 1e-8)
    # A smaller rest is rounding error of the subtraction, and its modes would have no meaning.
    return not np.ptp(rest) > 1e-10 * float(np.max(np.abs(stream.x - stream.x.mean())))


def is_monotonic(x: Array) -> bool:
    """Whether ``x`` never falls or never rises."""
    step = np.diff(x)
    return bool(np.all(step >= 0) or np.all(step <= 0))


def extract_mode(x: Array, rule: StoppingRule) -> tuple[Array | None, int, int]:
    """Sift ``x`` until the rule is satisfied: (mode, or None for a trend; number of sifts; last number of extrema)."""
    h = x
    agreed, counts = 0, (-1, -1)
    max_sifts = {"pyemd": rule.max_sifts - 1, "fixed": rule.n_sifts}.get(rule.name, rule.max_sifts)
    n_extrema = sum(t.size for t in extrema_of(h, rule))
    for done in range(max_sifts):
        envelopes = envelopes_of(h, rule)
        if envelopes is None:
            trend = done == 0 or rule.name in ("pyemd", "upstream")
            return (None if trend else h), done, n_extrema
        mean = (envelopes.upper + envelopes.lower) / 2
        if rule.name == "rilling" and _rilling_satisfied(envelopes, mean):
            return h, done, n_extrema
        before, h = h, h - mean
        if rule.name in ("sd", "emd", "upstream"):
            energy = {"sd": before @ before, "emd": h @ h, "upstream": before @ before + 1e-10}[rule.name]
            if float(mean @ mean) < rule.threshold * float(energy):
                return h, done + 1, n_extrema
            continue
        n_extrema = sum(t.size for t in extrema_of(h, rule))
        n_zeros = zero_crossings(h)
        if rule.name == "pyemd":
            if abs(n_extrema - n_zeros) < 2 and _pyemd_satisfied(envelopes, before, h):
                return h, done + 1, n_extrema
        elif rule.name == "s-number":
            agreed = agreed + 1 if counts == (n_extrema, n_zeros) and abs(n_extrema - n_zeros) < 2 else 0
            if agreed >= rule.n_sifts:
                return h, done + 1, n_extrema
            counts = (n_extrema, n_zeros)
    return h, max_sifts, n_extrema


def _rilling_satisfied(envelopes: Envelopes, mean: Array) -> bool:
    amplitude = np.abs(envelopes.upper - envelopes.lower) / 2
    too_often = float(np.mean(np.abs(mean) > 0.05 * amplitude)) > 0.05
    return not too_often and not np.any(np.abs(mean) > 0.5 * amplitude)


def _pyemd_satisfied(envelopes: Envelopes, before: Array, after: Array) -> bool:
    if np.any(envelopes.max_knots[1] < 0) or np.any(envelopes.min_knots[1] > 0) or float(after @ after) < 1e-10:
        return False
    change = after - before
    energy = float(change @ change)
    if energy / np.ptp(before) < 0.001 or energy / float(before @ before) < 0.2:
        return True
    with np.errstate(divide="ignore", invalid="ignore"):
        return bool(np.sum((change / after) ** 2) < 0.2)


def envelopes_of(x: Array, rule: StoppingRule) -> Envelopes | None:
    """Upper and lower envelope of ``x`` (n_samples,), or None if it has too few extrema for a mode.

    The envelopes are not-a-knot cubic splines through the maxima and through the minima, each extended past both ends
    by mirrored extrema (under the upstream rule by a constant).
    """
    t_max, t_min = extrema_of(x, rule)
    if min(t_max.size, t_min.size) < (2 if rule.name in ("emd", "upstream") else 1) or t_max.size + t_min.size < 3:
        return None
    if rule.name == "upstream":
        max_knots, min_knots = (t_max, _value_at(x, t_max)), (t_min, _value_at(x, t_min))
    else:
        max_knots, min_knots = _with_mirrored(x, t_max, t_min, rule)
    upper, lower = _spline(max_knots, x.size, rule), _spline(min_knots, x.size, rule)
    if upper is None or lower is None:
        return None
    return Envelopes(upper, lower, max_knots, min_knots)


def _spline(knots: Knots, n_samples: int, rule: StoppingRule) -> Array | None:
    t, y = knots
    time = np.arange(n_samples)
    if np.any(np.diff(t) <= 0):
        return None
    if rule.name == "upstream":
        inner = np.clip(time, t[0], t[-1])
        return np.interp(inner, t, y) if t.size < 4 else np.asarray(scipy.interpolate.CubicSpline(t, y)(inner))
    if t.size < 2 or t[0] > 0 or t[-1] < n_samples - 1:
        return None
    natural = rule.name == "pyemd" and t.size == 3
    return np.asarray(scipy.interpolate.CubicSpline(t, y, bc_type="natural" if natural else "not-a-knot")(time))


def extrema_of(x: Array, rule: StoppingRule) -> tuple[Array, Array]:
    """Positions of the maxima and the minima, by the rule's definition of an extremum."""
    if rule.name == "pyemd":
        return _pyemd_extrema(x)
    step = np.diff(x)
    if rule.name == "emd":  # a plateau is not an extremum
        turn = np.arange(1, x.size - 1, dtype=float)
        return turn[(step[:-1] > 0) & (step[1:] < 0)], turn[(step[:-1] < 0) & (step[1:] > 0)]
    if rule.name == "upstream":  # a rise followed by a plateau or a fall; end points are extrema
        position = np.arange(x.size, dtype=float)
        before, after = np.concatenate([[-step[0]], step]), np.concatenate([step, [-step[-1]]])
        is_max, is_min = (before > 0) & (after <= 0), (before < 0) & (after >= 0)
        return position[is_max], position[is_min]
    return find_extrema(x)


def find_extrema(x: Array) -> tuple[Array, Array]:
    """Positions of the interior maxima and minima of ``x`` (n_samples,), in samples.

    A plateau (equal neighbouring samples, common in quantised recordings) that is higher or lower than both its
    neighbours counts once, at its midpoint. The midpoint may lie between two samples, so the extrema of the reversed
    signal are exactly the reversed extrema. A plateau at either end is not an extremum.
    """
    starts, ends = _runs(x)
    rising = np.diff(x[starts]) > 0
    turn = np.flatnonzero(rising[1:] != rising[:-1])  # index of the run, minus one
    middle = (starts[turn + 1] + ends[turn + 1]) / 2
    is_max = rising[turn]
    return middle[is_max], middle[~is_max]


def _runs(x: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last sample of each run of equal values."""
    starts = np.flatnonzero(np.concatenate([[True], x[1:] != x[:-1]]))
    return starts, np.concatenate([starts[1:] - 1, [x.size - 1]])


def _pyemd_extrema(x: Array) -> tuple[Array, Array]:
    """PyEMD's extrema. The position of a plateau is its middle sample, rounded to the even one of two.

    A plateau that begins at sample 1 or reaches the end is ignored. For one that begins at sample 0, the last step of
    the signal takes the place of the step before the plateau.
    """
    starts, ends = _runs(x)
    single = starts == ends
    valid = (ends < x.size - 1) & ~(single & (starts == 0)) & ~(~single & (starts == 1))
    starts, ends = starts[valid], ends[valid]
    before = np.where(starts > 0, x[starts] - x[starts - 1], x[-1] - x[-2])
    after = x[ends + 1] - x[ends]
    middle = np.round((starts + ends) / 2)
    return middle[(before > 0) & (after < 0)], middle[(before < 0) & (after > 0)]


def zero_crossings(x: Array) -> int:
    """Number of sign changes; every run of zeros counts once."""
    zero = x == 0
    return int(np.sum(x[1:] * x[:-1] < 0) + zero[0] + np.sum(zero[1:] & ~zero[:-1]))


def _value_at(x: Array, position: Array) -> Array:
    """``x`` at extremum positions. A half-sample position lies on a plateau, so both neighbours have its value."""
    return x[position.astype(np.intp)]


def _with_mirrored(x: Array, t_max: Array, t_min: Array, rule: StoppingRule) -> tuple[Knots, Knots]:
    last = x.size - 1
    left = _mirrored_at_start(x, t_max, t_min, rule)
    right = _mirrored_at_start(x[::-1], last - t_max[::-1], last - t_min[::-1], rule)
    both = []
    for inner, (t_left, x_left), (t_right, x_right) in zip((t_max, t_min), left, right, strict=True):
        t = np.concatenate([t_left[::-1], inner, last - t_right])
        y = np.concatenate([x_left[::-1], _value_at(x, inner), x_right])
        keep = np.concatenate([t[1:] != t[:-1], [True]])  # of two knots at the same position the later is kept
        both.append((t[keep], y[keep]))
    return both[0], both[1]


def _mirrored_at_start(x: Array, t_max: Array, t_min: Array, rule: StoppingRule) -> tuple[Knots, Knots]:
    """Extrema mirrored to before sample 0: ((positions, values) of maxima, the same of minima), nearest first.

    They are mirrored at the first extremum if the first sample lies between the first two extrema. Otherwise the first
    sample is itself an extremum, and they are mirrored there.
    """
    if t_max.size == 0 or (t_min.size and t_min[0] < t_max[0]):
        upper, lower = _mirrored_at_start(-x, t_min, t_max, rule)
        return (lower[0], -lower[1]), (upper[0], -upper[1])
    # From here on the first extremum is a maximum.
    if t_min.size and x[0] > _value_at(x, t_min[:1])[0]:
        mirror, t_upper, t_lower = t_max[0], t_max[1 : 1 + N_MIRRORED], t_min[:N_MIRRORED]
        farthest = min(t_upper[-1:].tolist() + t_lower[-1:].tolist())
        if 2 * mirror - farthest > 0 or (rule.name == "pyemd" and t_max.size == 1):
            # The mirrored knots would not reach the first sample: mirror there, so that no spline is extrapolated.
            # PyEMD also mirrors there if a single maximum would be mirrored onto itself.
            mirror, t_upper = 0.0, t_max[:N_MIRRORED]
    else:
        mirror, t_upper = 0.0, t_max[:N_MIRRORED]
        t_lower = np.concatenate([[0.0], t_min[: N_MIRRORED - 1]])
    return (
        (2 * mirror - t_upper, _value_at(x, t_upper)),
        (2 * mirror - t_lower, _value_at(x, t_lower)),
    )
