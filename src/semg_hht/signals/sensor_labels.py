"""Label repetitions full, half or invalid from the excursion of a second sensor, such as a joint angle or a force.

It works on arrays. It does not know files or people: the caller states which repetitions share one best excursion. What
it can't tell stays without a label, with a reason in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.signals.peaks import prominent_maxima
from semg_hht.signals.sensor_alignment import FRAME_HZ, SMOOTH_S, LagSearch, Movement, noise, smooth
from semg_hht.system.arguments import checked

Array = NDArray[np.float64]

MIN_COVERED = 0.7  # of a repetition: the sensor must have samples there
MARGIN_S = 0.25  # movement this long before and after the activity belongs to it
REST_S = 3.0  # the rest of a repetition is searched this long before and after it
REST_LEVEL_S = 0.3  # the rest is the lowest mean level of this duration
EDGE_S = 0.3  # a shorter rest at an end of the recording is no rest
CUT = 0.05  # of the range: a sensor that rises more outside a repetition shows that the movement goes on there
FOOT = 0.15  # of the excursion: below it, the movement has not begun or is over
MIN_REVERSAL, MIN_REVERSAL_OF_BEST = 0.25, 0.12  # of the excursion, and of the largest one in the recording
STOP_BAND, STOP_S, STOP_LEVELS = 0.05, 0.5, (0.25, 0.65)  # a stop: within this share, this long, between these levels
MIN_STOP_OF_WAY = 0.3  # of the duration of the way up or down
MIN_CORRELATION = 0.2  # of movement and envelope; below it, the sensor does not follow the muscles
MIN_ACTIVITY = 1.25  # amplitude of the muscles over that at rest
MIN_CONFIDENCE = 0.7  # that the share is on this side of the nearest threshold; below it, there is no label
OUTLIER = 2.5  # a largest excursion this many times the next may be an artefact
STANDS_OUT = 1.5
MIN_FOR_OUTLIER = 4  # repetitions
MIN_OVER_NOISE = 6.0  # best excursion over the noise of the sensor
CLIPPED_S, CLIPPED_STEP = 0.2, 0.08  # held this long at the end of the range, after a step of this share of the range
LABELS = ("full", "half", "invalid")


@checked
@dataclass(frozen=True)
class LabelConfig:
    """Thresholds of the labels, in shares of the best excursion, and how the lag of the sensor is found.

    full_at : the full range in units of the sensor; None: the person's own best.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.LabelConfig(full_from=0.9, full_at=120.0).half_from
    0.35
    """

    full_from: float = 0.85
    half_from: float = 0.35
    half_to: float = 0.65
    invalid_below: float = 0.2
    full_at: float | None = None
    lag: LagSearch = LagSearch()

    def __post_init__(self) -> None:
        if not 0 < self.invalid_below <= self.half_from < self.half_to <= self.full_from:
            raise InputError(
                "expected 0 < invalid_below <= half_from < half_to <= full_from; got "
                f"{self.invalid_below:g}, {self.half_from:g}, {self.half_to:g} and {self.full_from:g}"
            )
        if self.full_at is not None and not (np.isfinite(self.full_at) and self.full_at > 0):
            raise InputError(f"full_at must be above 0, in units of the sensor; got {self.full_at:g}")
        if not self.lag.max_lag_s >= 0:
            raise InputError(f"max_lag_s must be 0 or more; got {self.lag.max_lag_s:g}")

    def label_of(self, share: float) -> str:
        """The label of an excursion by its share alone; empty between the classes."""
        if share < self.invalid_below:
            return "invalid"
        if share >= self.full_from:
            return "full"
        return "half" if self.half_from <= share <= self.half_to else ""

    def margin_of(self, share: float) -> float:
        """The distance of a share to the nearest threshold."""
        edges = (self.invalid_below, self.half_from, self.half_to, self.full_from)
        return min(abs(share - edge) for edge in edges)


@dataclass(frozen=True)
class Excursion:
    """What the sensor shows in one repetition.

    value : peak to rest, in units of the sensor; NaN: missing. peak_s : time of the peak.
    rest : level before and after. uncertainty : of ``value``, in units of the sensor.
    """

    value: float
    peak_s: float
    rest: tuple[float, float]
    uncertainty: float = 0.0
    stops: bool = False
    reverses: bool = False
    is_cut: bool = False
    is_clipped: bool = False
    muscle_works: bool = True

    @property
    def is_missing(self) -> bool:
        return bool(np.isnan(self.value))

    @property
    def is_whole(self) -> bool:
        """Whether it may be the best of a person."""
        return self.muscle_works and not (self.is_missing or self.stops or self.reverses)


@dataclass(frozen=True)
class SensorLabel:
    """The label of one repetition; empty: in between, or not to be told. share : of the best; remark : why, in words.

    confidence : estimated probability that the share is on this side of the nearest threshold.
    """

    label: str
    share: float
    confidence: float
    remark: str = ""


def measure(movement: Movement, spans_s: Sequence[tuple[float, float]]) -> list[Excursion]:
    """The excursion of each repetition, given as start and stop in seconds, in order of time.

    The rest is the level of the sensor just before and just after each repetition, so a drift from one to the next does
    not count.
    """
    x = smooth(movement.values, SMOOTH_S)
    spans = [(a * FRAME_HZ, b * FRAME_HZ) for a, b in spans_s]
    peaks = [_peak(x, spans, i) for i in range(len(spans))]
    windows = [_window(spans, i, x.size) for i in range(len(spans))]
    tolerance = CUT * float(np.nanmax(x) - np.nanmin(x)) if np.isfinite(x).any() else 0.0
    is_cut = [p is not None and _is_cut(x, window, p, tolerance) for p, window in zip(peaks, windows, strict=True)]
    # Between two repetitions the sensor is at rest somewhere, unless one of them ends within the movement of the other.
    tops = [None if cut else p for p, cut in zip(peaks, is_cut, strict=True)]
    quiet = _quiet_level(movement.envelope, spans)
    of_noise = noise(movement.values)
    ceiling = float(np.nanmax(movement.values)) if np.isfinite(movement.values).any() else np.nan
    floor = float(np.nanmin(movement.values)) if np.isfinite(movement.values).any() else np.nan
    rests = [
        (np.nan, np.nan) if p is None else _rests(x, spans[i], p, _limits(x, tops, i)) for i, p in enumerate(peaks)
    ]
    values = [np.nan if p is None else float(x[p] - sum(rest) / 2) for p, rest in zip(peaks, rests, strict=True)]
    largest = max((value for value in values if np.isfinite(value)), default=0.0)
    found = []
    for i, (start, stop) in enumerate(spans):
        p, value, (before, after) = peaks[i], values[i], rests[i]
        if p is None:
            found.append(Excursion(np.nan, (start + stop) / 2 / FRAME_HZ, (np.nan, np.nan)))
            continue
        min_reversal = max(MIN_REVERSAL, MIN_REVERSAL_OF_BEST * largest / value) if value > 0 else np.inf
        height = _height(x, p, (before, after), _limits(x, tops, i), value)
        found.append(
            Excursion(
                value,
                p / FRAME_HZ,
                (before, after),
                uncertainty=abs(before - after) / 4 + of_noise,
                stops=any(_stops(way) for way in height),
                reverses=_reverses(height, min_reversal),
                is_cut=is_cut[i],
                is_clipped=_is_clipped(movement.values, p, ceiling, ceiling - floor),
                muscle_works=_muscle_works(movement.envelope, start, stop, quiet),
            )
        )
    return found


def best_of(excursions: Sequence[Excursion]) -> tuple[float, str]:
    """The largest excursion of one person without stop or reversal, and a remark if it stands far above the others.

    NaN where no repetition can serve, or where the largest of at least `MIN_FOR_OUTLIER` is `OUTLIER` times the next:
    it may be an artefact, or the only full repetition, and the labels of all others depend on which.
    """
    whole = sorted((e.value for e in excursions if e.is_whole and e.value > 0), reverse=True)
    if not whole:
        return float("nan"), ""
    if len(whole) >= MIN_FOR_OUTLIER and whole[0] > OUTLIER * whole[1]:
        return float("nan"), (
            f"the largest excursion, {whole[0]:.4g}, is {whole[0] / whole[1]:.1f} times the next: it may be an "
            "artefact, so state the full range with full_at=..."
        )
    if len(whole) >= MIN_FOR_OUTLIER and whole[0] > STANDS_OUT * whole[1]:
        return whole[0], (
            f"the best excursion, {whole[0]:.4g}, is {whole[0] / whole[1]:.1f} times the next; if it is an artefact, "
            "state the full range with full_at=..."
        )
    return whole[0], ""


def label_excursions(excursions: Sequence[Excursion], best: float, config: LabelConfig) -> list[SensorLabel]:
    """The label of each repetition. ``best`` : the excursion that counts as 1, in units of the sensor."""
    is_best_clipped = any(e.is_clipped for e in excursions) and config.full_at is None
    return [_label(e, best, config, is_best_clipped) for e in excursions]


def _label(e: Excursion, best: float, config: LabelConfig, is_best_clipped: bool) -> SensorLabel:
    if e.is_missing:
        return SensorLabel("", float("nan"), 0.0, "the sensor has no samples here")
    if not (np.isfinite(best) and best > 0):
        return SensorLabel("", float("nan"), 0.0, "no repetition can serve as the person's best")
    share = max(e.value, 0.0) / best
    spread = max(e.uncertainty / best, 0.01)
    confidence = round(float(scipy.special.ndtr(config.margin_of(share) / spread)), 2)
    label = config.label_of(share)
    if not e.muscle_works:
        return SensorLabel("invalid", share, 0.9, "no muscle works")
    if e.is_cut and label != "full":
        return SensorLabel("", share, 0.0, "the movement goes on outside the repetition")
    if (is_best_clipped and label != "invalid") or (e.is_clipped and label != "full"):
        why = "clipped here" if e.is_clipped else "clipped at the best excursion, so the share is at most this"
        return SensorLabel("", share, 0.0, f"the sensor is {why}")
    if label != "invalid" and (e.reverses or e.stops):
        how = "reverses" if e.reverses else "stops"
        return SensorLabel("invalid", share, 0.9, f"the movement {how} on the way")
    if label and confidence < MIN_CONFIDENCE:
        return SensorLabel("", share, confidence, f"too near to a threshold to call it {label}")
    return SensorLabel(label, share, confidence)


def sensor_remarks(movement: Movement, excursions: Sequence[Excursion], unit: str = "") -> list[str]:
    """What a person should know about the sensor of one recording, a sentence each."""
    remarks = []
    if movement.sign < 0:
        remarks.append("the sensor falls when the muscles work, so its sign was reversed")
    if movement.is_periodic:
        remarks.append(
            f"the movement is periodic, so another lag than {movement.lag_s:.2f} s fits about as well; state it with "
            "lag_s=... if it is known"
        )
    n_missing = sum(e.is_missing for e in excursions)
    if n_missing:
        remarks.append(f"the sensor has no samples in {n_missing} of {len(excursions)} repetitions")
    n_clipped = sum(e.is_clipped for e in excursions)
    if n_clipped:
        ceiling = movement.sign * float(np.nanmax(movement.values))
        remarks.append(
            f"the sensor is clipped at {f'{ceiling:.4g} {unit}'.strip()} in {n_clipped} repetitions, so excursions are "
            "larger than it shows; state the full range with full_at=..."
        )
    return remarks


def no_movement(movement: Movement, excursions: Sequence[Excursion]) -> str:
    """Why the sensor can't label a recording; empty: it can."""
    finite = movement.values[np.isfinite(movement.values)]
    if not finite.size or all(e.is_missing for e in excursions):
        return "the sensor has no samples in any repetition"
    if np.ptp(finite) == 0:
        return f"the sensor is {movement.sign * finite[0]:.4g} throughout; expected a movement"
    largest = max(e.value for e in excursions if not e.is_missing)
    if not largest > MIN_OVER_NOISE * noise(movement.values):
        return "no movement rises above the noise of the sensor"
    if movement.correlation < MIN_CORRELATION:
        return (
            f"the sensor does not follow the muscles (correlation {movement.correlation:.2f}; expected at least "
            f"{MIN_CORRELATION:g}); is it the right channel, or is its lag above max_lag_s=...?"
        )
    return ""


def _window(spans: Sequence[tuple[float, float]], i: int, n: int) -> tuple[int, int]:
    """Frames of a repetition with a margin that does not reach beyond the middle of the rest on either side."""
    start, stop = spans[i]
    margin = MARGIN_S * FRAME_HZ
    low = start - margin if i == 0 else max(start - margin, (spans[i - 1][1] + start) / 2)
    high = stop + margin if i == len(spans) - 1 else min(stop + margin, (stop + spans[i + 1][0]) / 2)
    return max(0, round(min(low, start))), min(n, max(round(high), round(start) + 1))


def _peak(x: Array, spans: Sequence[tuple[float, float]], i: int) -> int | None:
    low, high = _window(spans, i, x.size)
    part = x[low:high]
    if not part.size or np.isfinite(part).mean() < MIN_COVERED:
        return None
    return low + int(np.nanargmax(part))


def _limits(x: Array, peaks: Sequence[int | None], i: int) -> tuple[int, int]:
    """The peaks of the neighbours, or the ends of the recording."""
    left = next((p for p in reversed(peaks[:i]) if p is not None), 0)
    right = next((p for p in peaks[i + 1 :] if p is not None), x.size - 1)
    return left, right


def _rests(x: Array, span: tuple[float, float], p: int, limits: tuple[int, int]) -> tuple[float, float]:
    """Level of the sensor at rest, before and after a repetition with its peak at ``p``."""
    start, stop = span
    left, right = limits
    margin = MARGIN_S * FRAME_HZ
    first = max(left, round(start - REST_S * FRAME_HZ), 0)
    last = min(right, round(stop + REST_S * FRAME_HZ), x.size - 1)
    before = _rest_level(x[first : max(first + 1, min(p, round(start + margin))) + 1])
    after = _rest_level(x[min(p, last, max(p, round(stop - margin))) : last + 1])
    before, after = (after if np.isnan(before) else before), (before if np.isnan(after) else after)
    height = x[p] - min(before, after)
    # At an end of the recording the movement may have begun before it, or go on after it.
    if start < EDGE_S * FRAME_HZ and before - after > 0.25 * height:
        before = after
    if stop > x.size - EDGE_S * FRAME_HZ and after - before > 0.25 * height:
        after = before
    return before, after


def _rest_level(x: Array) -> float:
    """The lowest mean level of `REST_LEVEL_S` in (n_frames,)."""
    finite = x[np.isfinite(x)]
    if not finite.size:
        return float("nan")
    n = min(finite.size, round(REST_LEVEL_S * FRAME_HZ))
    return float(np.convolve(finite, np.ones(n) / n, "valid").min())


def _height(x: Array, p: int, rest: tuple[float, float], limits: tuple[int, int], value: float) -> tuple[Array, Array]:
    """The ways from rest to the peak and, backwards in time, from the rest after it: in shares of the excursion."""
    if not value > 0:
        return np.zeros(0), np.zeros(0)
    height = np.nan_to_num((x - np.where(np.arange(x.size) < p, rest[0], rest[1])) / value, nan=-1.0)
    left, right = p, p
    while left > limits[0] and height[left - 1] > FOOT:
        left -= 1
    while right < limits[1] and height[right + 1] > FOOT:
        right += 1
    return height[left : p + 1], height[p : right + 1][::-1]


def _reverses(ways: tuple[Array, Array], min_reversal: float) -> bool:
    """Whether the movement goes back by this share of the excursion on its way, and then on again."""
    hump = np.concatenate([[FOOT], ways[0], ways[1][::-1][1:], [FOOT]])
    return len(prominent_maxima(hump, min_reversal)) > 1


def _stops(way: Array) -> bool:
    """Whether a way (n_frames,) from rest to the peak stays at one level between, and then goes on."""
    reached = np.flatnonzero(way >= 0.85)
    way = way[: reached[0] + 1] if reached.size else way
    n = max(round(STOP_S * FRAME_HZ), round(MIN_STOP_OF_WAY * way.size))
    if way.size < n + 2:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(way, n)  # (n_frames - n + 1, n)
    flat = np.ptp(windows, axis=1) <= STOP_BAND
    level = windows.mean(axis=1)
    return bool(np.any(flat & (level >= STOP_LEVELS[0]) & (level <= STOP_LEVELS[1])))


def _is_cut(x: Array, window: tuple[int, int], p: int, tolerance: float) -> bool:
    """Whether the peak lies at an edge of the repetition, and the sensor rises further outside it."""
    low, high = window
    outside, step = round(0.5 * FRAME_HZ), round(SMOOTH_S * FRAME_HZ)
    if p <= low + 1:
        beyond = x[max(0, low - outside) : low + 1] if low > 0 else 2 * x[p] - x[p + step : p + step + 1]
    elif p >= high - 2:
        beyond = x[high - 1 : high + outside] if high < x.size else 2 * x[p] - x[p - step : p - step + 1]
    else:
        return False
    beyond = beyond[np.isfinite(beyond)]
    return bool(beyond.size and beyond.max() > x[p] + tolerance)


def _is_clipped(values: Array, p: int, ceiling: float, span: float) -> bool:
    """Whether the sensor holds its largest value around the peak, and reached it without slowing down."""
    if not span > 0:
        return False
    near = np.flatnonzero(values[max(0, p - 25) : p + 26] >= ceiling - 1e-3 * span) + max(0, p - 25)
    if not near.size:
        return False
    left = right = int(near[np.argmin(np.abs(near - p))])
    while left > 0 and values[left - 1] >= ceiling - 1e-3 * span:
        left -= 1
    while right < values.size - 1 and values[right + 1] >= ceiling - 1e-3 * span:
        right += 1
    if right - left + 1 < CLIPPED_S * FRAME_HZ:
        return False
    n = round(0.1 * FRAME_HZ)
    steps = [ceiling - values[at] for at in (left - n, right + n) if 0 <= at < values.size]
    return bool(steps) and bool(np.nanmax(steps) > CLIPPED_STEP * span)


def _quiet_level(envelope: Array, spans: Sequence[tuple[float, float]]) -> float:
    """Amplitude of the EMG outside all repetitions; NaN if there is less than a second of it."""
    outside = np.ones(envelope.size, dtype=bool)
    for start, stop in spans:
        outside[max(0, round(start)) : round(stop)] = False
    quiet = envelope[outside]
    return float(np.quantile(quiet, 0.25)) if quiet.size >= FRAME_HZ else float("nan")


def _muscle_works(envelope: Array, start: float, stop: float, quiet: float) -> bool:
    part = envelope[max(0, round(start)) : max(round(stop), round(start) + 1)]
    return bool(np.isnan(quiet) or not part.size or np.quantile(part, 0.75) > MIN_ACTIVITY * quiet)
