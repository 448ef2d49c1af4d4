"""How a value drifts over repetitions: the slope with an interval. Of a median frequency, that is fatigue.

Knows numbers and the times they belong to: nothing of samples or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]

MIN_VALUES = 4
# How strongly one repetition's error may lead on to the next: all equally likely beforehand.
FOLLOWING = np.linspace(0, 0.95, 20)


@dataclass(frozen=True)
class Trend:
    """A straight line through ``n`` values, and how sure its slope is.

    slope, low, high : change of the value per unit of time, and its interval.
    start : the line's value at the first time; the percentages are of it.
    """

    slope: float
    low: float
    high: float
    start: float
    n: int

    @property
    def percent(self) -> tuple[float, float, float]:
        """Slope, low and high in percent of the start value per unit of time; NaN where it starts at 0."""
        scale = 100 / self.start if self.start else np.nan
        return self.slope * scale, self.low * scale, self.high * scale


def trend(values: ArrayLike, times: ArrayLike | None = None, confidence: float = 0.95) -> Trend:
    """Straight line through values (n,), one a repetition, whose errors may follow one another.

    times : (n,), rising: the slope is per unit of it, so give minutes for a slope per minute; None: 1, 2, 3 ...

    Each strength of first-order autocorrelation from 0 to 0.95 has its own generalised least squares; slope and
    interval are those of their mixture, weighted by how well each explains the values (Zellner and Tiao 1964,
    doi 10.2307/2283097). In simulations of 5 to 30 repetitions the 95 % interval held the slope in 95 to 100 % with
    autocorrelation 0 to 0.6, and in 89 to 94 % with 0.8. At 0.6 and 15 or 30 repetitions least squares, Theil-Sen and
    Newey-West held it in 68 to 77 %. The price: where nothing follows it is 1.4 to 1.9 times as wide as least squares.

    Raises
    ------
    InputError
        Fewer than 4 values, values that are no finite numbers, times that don't rise or are not as many, or a
        confidence outside 0..1.
    """
    y = np.asarray(values, dtype=np.float64)
    x = np.arange(1.0, y.size + 1) if times is None else np.asarray(times, dtype=np.float64)
    if y.ndim != 1 or x.shape != y.shape:
        raise InputError(f"a trend needs one time for each value; got {x.size} times and {y.size} values")
    if y.size < MIN_VALUES:
        raise InputError(f"a trend needs at least {MIN_VALUES} values; got {y.size}")
    if not (np.isfinite(y).all() and np.isfinite(x).all() and np.all(np.diff(x) > 0)):
        raise InputError("a trend needs finite values at times that rise")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1; got {confidence:g}")
    units = float(np.ptp(y)) or 1.0, float(x[-1] - x[0])  # searched in these, for indices of 1e-14 too
    slopes, spreads, starts, weights = _fits((y - y[0]) / units[0], (x - x[0]) / units[1])
    freedom = y.size - 2
    sides = ((1 - confidence) / 2, (1 + confidence) / 2)
    low, high = (_quantile(side, slopes, spreads, weights, freedom) for side in sides)
    per_unit = units[0] / units[1]
    return Trend(
        slope=float(weights @ slopes) * per_unit,
        low=low * per_unit,
        high=high * per_unit,
        start=float(weights @ starts) * units[0] + float(y[0]),
        n=y.size,
    )


def _fits(y: Array, x: Array) -> tuple[Array, Array, Array, Array]:
    """For each strength of autocorrelation: slope, its standard error, value at x = 0, weight; (n_strengths,) each."""
    design = np.stack([np.ones(x.size), x], axis=1)  # (n, 2)
    slopes, spreads, starts, log_weights = [], [], [], []
    for following in FOLLOWING:
        white_x, white_y = _whitened(design, following), _whitened(y[:, None], following)[:, 0]
        inverse = np.linalg.inv(white_x.T @ white_x)
        start, slope = inverse @ white_x.T @ white_y
        residual = white_y - white_x @ (start, slope)
        variance = residual @ residual / (y.size - 2) + np.finfo(np.float64).eps ** 2  # a perfect line has none
        slopes.append(slope)
        starts.append(start)
        spreads.append(np.sqrt(variance * inverse[1, 1]))
        # Likelihood with line and variance integrated out: both determinants, and the energy that is left.
        determinants = np.linalg.slogdet(inverse)[1] + np.log(1 - following**2)
        log_weights.append(0.5 * (determinants - (y.size - 2) * np.log(variance)))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    return np.array(slopes), np.array(spreads), np.array(starts), weights / weights.sum()


def _whitened(columns: Array, following: float) -> Array:
    """Columns (n, k) less what each row inherits from the one before; the first stands for all before it."""
    first = columns[:1] * np.sqrt(1 - following**2)
    return np.concatenate([first, columns[1:] - following * columns[:-1]])


def _quantile(share: float, centres: Array, spreads: Array, weights: Array, freedom: int) -> float:
    """Where a mixture of Student's t distributions has ``share`` of its weight below."""
    of_each = centres + scipy.special.stdtrit(freedom, share) * spreads
    low, high = float(of_each.min()), float(of_each.max())  # the mixture's own lies between
    if high - low < 1e-12:
        return (low + high) / 2
    return float(
        scipy.optimize.brentq(
            lambda x: float(weights @ scipy.special.stdtr(freedom, (x - centres) / spreads)) - share, low, high
        )
    )
