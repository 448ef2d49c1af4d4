"""Bring a second sensor to the clock of the EMG: rate, lag and sign, found by cross-correlation with the envelope.

It works on arrays. It does not know repetitions or labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.system.arguments import checked

Array = NDArray[np.float64]

FRAME_HZ = 50.0  # rate at which movement and envelope are compared
SMOOTH_S = 0.1
LONGEST_GAP_S = 0.2  # missing samples of a sensor up to this duration are interpolated
MIN_LAG_GAIN = 0.05  # in correlation over no lag; a smaller gain is no evidence of a lag
MIN_LAG_CORRELATION = 0.4  # a weaker correlation does not show a lag
MIN_SKEWNESS = 0.5  # of a movement that is mostly at rest; decides the sign where the lag can't
SAME_PEAK = 0.9  # of the correlation: a lag more than half a period away that reaches it fits about as well
LAG_PENALTY = 0.2  # of the correlation at the largest lag: of two similar peaks the smaller lag is taken


@checked
@dataclass(frozen=True)
class LagSearch:
    """``lag_s``: by how much the sensor is later than the EMG; None: found, up to ``max_lag_s`` earlier or later.

    Examples
    --------
    >>> import semg_hht as sh
    >>> no_lag = sh.LabelConfig(lag=sh.LagSearch(lag_s=0.0))
    """

    lag_s: float | None = None
    max_lag_s: float = 1.0


@dataclass(frozen=True)
class Movement:
    """A sensor on the clock of the EMG, at `FRAME_HZ`, with its sign such that it rises when the muscles work.

    values : (n_frames,) in units of the sensor, NaN where missing. envelope : (n_frames,) of the EMG.
    sign : -1 if the sensor was reversed. lag_s : by how much the sensor was later than the EMG.
    correlation : of movement and envelope at that lag. is_periodic : another lag fits about as well.
    """

    values: Array
    envelope: Array
    sign: int
    lag_s: float
    correlation: float
    is_periodic: bool = False


def envelope_of(samples: Array, rate_hz: float) -> Array:
    """(n_channels, n_samples) of filtered EMG -> (n_frames,): RMS, relative to each channel's own, averaged."""
    frames = np.sqrt(np.maximum(_frames(samples**2, rate_hz), 0))  # (n_channels, n_frames)
    scale = np.quantile(frames, 0.95, axis=1, keepdims=True)
    used = scale[:, 0] > 0
    if not used.any():
        return np.zeros(frames.shape[1])
    return np.asarray((frames[used] / scale[used]).mean(axis=0))


def align(sensor: Array, sensor_rate_hz: float, envelope: Array, search: LagSearch, period_s: float) -> Movement:
    """Bring a sensor to the clock of the envelope, find its lag by cross-correlation, and its sign.

    Parameters
    ----------
    sensor : (n_samples,), NaN where missing; both clocks start together but for the lag.
    envelope : (n_frames,) at `FRAME_HZ`.
    period_s : typical time from one repetition to the next; slower changes of the sensor are drift.
    """
    values = _on_frames(sensor, sensor_rate_hz)
    window = max(3, round(3 * period_s * FRAME_HZ))
    lags_s = [search.lag_s] if search.lag_s is not None else np.arange(
        -search.max_lag_s, search.max_lag_s + 0.5 / FRAME_HZ, 1 / FRAME_HZ
    )  # fmt: skip
    loud = _without_slow(smooth(envelope, 2 * SMOOTH_S), window)
    moved = _without_slow(smooth(values, SMOOTH_S), window)
    correlations = np.array([_correlation(_shifted(moved, round(lag * FRAME_HZ), loud.size), loud) for lag in lags_s])
    strength = np.abs(correlations)
    weights = strength
    if search.lag_s is None and search.max_lag_s > 0:
        weights = strength * (1 - LAG_PENALTY * np.abs(lags_s) / search.max_lag_s)
    best, none = int(np.argmax(weights)), int(np.argmin(np.abs(lags_s)))
    far = np.abs(np.asarray(lags_s) - lags_s[best]) > period_s / 2
    is_periodic = bool(far.any() and strength[far].max() > SAME_PEAK * strength[best])
    skewness = _skewness(moved)
    if is_periodic and abs(skewness) > MIN_SKEWNESS:
        # Half a period more and the other sign fit as well: a sensor is at rest longer than at its peak.
        best = int(np.argmax(np.where(np.sign(correlations) == np.sign(skewness), weights, 0.0)))
    elif weights[best] < max(weights[none] + MIN_LAG_GAIN, MIN_LAG_CORRELATION):
        best = none
    best = _top(strength, best) if best != none else best  # the penalty chose the peak; its top lies a little farther
    sign = -1 if correlations[best] < 0 else 1
    lag_s = round(float(lags_s[best]), 3)
    shifted = _shifted(values, round(lag_s * FRAME_HZ), envelope.size, hold=True)
    return Movement(sign * shifted, envelope, sign, lag_s, float(abs(correlations[best])), is_periodic)


def _top(values: Array, i: int) -> int:
    """The local maximum that ``i`` lies below."""
    while i > 0 and values[i - 1] > values[i]:
        i -= 1
    while i < values.size - 1 and values[i + 1] > values[i]:
        i += 1
    return i


def _skewness(values: Array) -> float:
    deviation = values - values.mean()
    scale = float(np.sqrt(np.mean(deviation**2)))
    return float(np.mean(deviation**3)) / scale**3 if scale > 0 else 0.0


def _frames(values: Array, rate_hz: float) -> Array:
    """(..., n_samples) -> (..., n_frames): means over frames of 1 / `FRAME_HZ`; a slower signal is interpolated."""
    n_frames = max(1, int(values.shape[-1] / rate_hz * FRAME_HZ))
    edges = np.arange(n_frames + 1) * rate_hz / FRAME_HZ
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    at = np.minimum(edges, values.shape[-1])
    low = np.minimum(at.astype(int), values.shape[-1] - 1)
    integral = total[..., low] + (at - low) * values[..., low]  # (..., n_frames + 1)
    return np.asarray(np.diff(integral, axis=-1) * FRAME_HZ / rate_hz)


def _on_frames(sensor: Array, rate_hz: float) -> Array:
    """(n_samples,) -> (n_frames,), NaN in gaps longer than `LONGEST_GAP_S`."""
    finite = np.isfinite(sensor)
    if not finite.any():
        return np.full(max(1, int(sensor.size / rate_hz * FRAME_HZ)), np.nan)
    index = np.arange(sensor.size)
    filled = np.interp(index, index[finite], sensor[finite])
    frames: Array
    if rate_hz < FRAME_HZ:
        n_frames = max(1, int(sensor.size / rate_hz * FRAME_HZ))
        frames = np.interp((np.arange(n_frames) + 0.5) / FRAME_HZ, (index + 0.5) / rate_hz, filled)
    else:
        frames = _frames(filled, rate_hz)
    starts = np.flatnonzero(np.diff(np.concatenate([[True], finite, [True]]).astype(int)) == -1)
    stops = np.flatnonzero(np.diff(np.concatenate([[True], finite, [True]]).astype(int)) == 1)
    for start, stop in zip(starts, stops, strict=True):
        if stop - start > LONGEST_GAP_S * rate_hz:
            frames[int(start / rate_hz * FRAME_HZ) : int(np.ceil(stop / rate_hz * FRAME_HZ))] = np.nan
    return frames


def smooth(values: Array, duration_s: float) -> Array:
    """Moving average that ignores missing frames and keeps them missing."""
    n = max(1, round(duration_s * FRAME_HZ)) | 1
    finite = np.isfinite(values)
    kernel = np.ones(min(n, values.size | 1))
    weight = np.convolve(finite.astype(float), kernel, "same")[: values.size]
    total = np.convolve(np.where(finite, values, 0.0), kernel, "same")[: values.size]
    return np.where(finite, total / np.maximum(weight, 1), np.nan)


def _without_slow(values: Array, n_window: int) -> Array:
    """Subtract the moving average over ``n_window`` frames; missing frames become 0."""
    return np.nan_to_num(values - smooth(values, n_window / FRAME_HZ))


def _shifted(values: Array, n_late: int, n: int, *, hold: bool = False) -> Array:
    """``values[n_late : n_late + n]``, NaN outside; ``hold``: frames that it lacks have the value at the end."""
    out = np.full(n, np.nan)
    if hold and n_late < 0:
        out[:-n_late] = values[0]
    elif hold and n_late > 0:
        out[max(0, values.size - n_late) : values.size] = values[-1]
    start, stop = max(0, -n_late), min(n, values.size - n_late)
    if stop > start:
        out[start:stop] = values[start + n_late : stop + n_late]
    return out


def _correlation(a: Array, b: Array) -> float:
    both = np.isfinite(a)
    a, b = a[both] - a[both].mean() if both.any() else a[both], b[both]
    if a.size < 2:
        return 0.0
    b = b - b.mean()
    norm = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / norm) if norm > 0 else 0.0


def noise(values: Array) -> float:
    """Standard deviation of the sensor's noise, from its second differences."""
    second = np.diff(values, n=2)
    second = second[np.isfinite(second)]
    return float(1.4826 * np.median(np.abs(second)) / np.sqrt(6)) if second.size else 0.0
