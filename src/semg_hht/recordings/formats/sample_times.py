"""Compute the sampling rate from the times of samples: even, rounded, with jitter, in packets, or restarting per block.

It works on arrays of times. It does not know which column holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError, TimesUneven
from semg_hht.recordings.quality import MAX_GAP_S, MAX_GAP_SHARE

Array = NDArray[np.float64]

MIN_STEPS_BETWEEN_JUMPS = 100  # enough for a rate within 1 %
MIN_PACKETS = 8
MIN_BLOCKS = 3
IN_PACKET_SHARE = 0.3  # of the steps; more very short steps than this mean that samples arrive in packets
MAX_SKIP = 5  # steps; a slow loop that writes whole milliseconds skips one to three of them now and then
MAX_SPREAD = 0.05  # of the whole span; times that stray further from an even line give no plain rate


@dataclass(frozen=True)
class SampleLines:
    """Where samples are in the file, for messages: its path, and a function from sample index to 1-based line.

    word : what is counted; ``sample`` in files that have no lines.
    """

    path: Path
    of_sample: Callable[[int], int]
    word: str = "line"

    def place(self, sample: int) -> str:
        """Such as ``line 12``."""
        return f"{self.word} {self.of_sample(sample)}"


@dataclass(frozen=True)
class Times:
    """The times (n_samples,) of a column, and the seconds of one unit of it."""

    name: str
    values: Array
    scale: float = 1.0

    @property
    def span_s(self) -> float:
        return float(self.values[-1] - self.values[0]) * self.scale


def even_rate(times: Times) -> float | None:
    """Samples per second over the whole span, accurate for rounded times too; None if the times are not even."""
    time, scale = times.values, times.scale
    if time.size < 2 or not np.isfinite(time).all():
        return None
    step = np.diff(time)
    mean = float(time[-1] - time[0]) / step.size
    printed = printed_step(time)
    is_uneven = farthest(step, mean) > 0.5 * mean
    # Times rounded to more than half a step repeat and then jump.
    if is_uneven and printed > 0.5 * mean and (rate_hz := _rate_of_jumps(time, step, printed, scale)):
        return rate_hz
    if is_uneven or float(step.min()) <= 0 or spread(time, mean) > MAX_SPREAD * mean * step.size + printed:
        return None
    return _round_rate(mean * scale, printed * scale / (step.size * mean * scale))


def uneven_rate(times: Times, lines: SampleLines) -> tuple[float, str]:
    """The rate of times that are not even, and a remark on them.

    Raises
    ------
    TimesUneven
        A sample has no time, the times do not increase, too many samples are missing, or the rate stays doubtful.
    InputError
        There is one time.
    """
    time, name = times.values, times.name
    bad = np.flatnonzero(~np.isfinite(time))
    if bad.size:
        place = lines.place(int(bad[0]))
        raise TimesUneven(
            f"{lines.path}: column {name!r} has no time in {place}; expected one for each sample. State the rate with "
            "rate_hz=... to ignore the times"
        )
    if time.size < 2:
        raise InputError(f"{lines.path}: column {name!r} has {time.size} times; expected two or more to give a rate")
    step = np.diff(time)
    falls = np.flatnonzero(step < 0)
    if falls.size:
        if (restarting := _rate_of_blocks(times, falls)) is not None:
            return restarting
        raise _not_increasing(times, lines, int(falls[0]))
    marks = _marks(step)
    if marks is None or not step.any():
        raise _not_increasing(times, lines, int(np.flatnonzero(step == 0)[0]))
    return _rate_of_marks(times, lines, marks)


def remark_on_ignored(times: Times, rate_hz: float) -> str:
    """A remark on times that are not even and were ignored, because the rate is stated: how much they disagree."""
    start = f"the times in column {times.name!r} are not even and were ignored, because {rate_hz:g} Hz is stated"
    finite = times.values[np.isfinite(times.values)]
    if finite.size < times.values.size:
        return f"{start}; {times.values.size - finite.size} of {times.values.size} samples have no time"
    n_falls = int(np.count_nonzero(np.diff(finite) < 0))
    if n_falls:
        places = "one place" if n_falls == 1 else f"{n_falls} places"
        return f"{start}; they go back at {places}, so they don't show missing samples"
    if finite.size < 2 or not times.span_s > 0:
        return f"{start}; they do not increase, so they don't show missing samples"
    n_expected = round(times.span_s * rate_hz) + 1
    missing = n_expected - finite.size
    if missing > 0:
        return f"{start}; by the times, {missing} of {n_expected} samples are missing ({missing / n_expected:.1%})"
    return f"{start}; by the times, no samples are missing"


def _not_increasing(times: Times, lines: SampleLines, at: int) -> TimesUneven:
    time = times.values
    rising = np.diff(time)[np.diff(time) > 0] * times.scale
    offer = _offer(float(np.median(rising))) if rising.size else ". State the rate with rate_hz=... to ignore the times"
    return TimesUneven(
        f"{lines.path}: column {times.name!r} must increase from {lines.word} to {lines.word} to be a time; "
        f"found {time[at]:.12g} in {lines.place(at)} and {time[at + 1]:.12g} in "
        f"{lines.place(at + 1)}{offer}"
    )


def _offer(step_s: float) -> str:
    rate_hz = _round_rate(step_s, 1e-3)
    return f". If the rate is {rate_hz:g} Hz, as the median step says, state it with rate_hz=... to ignore the times"


def _rate_of_blocks(times: Times, falls: NDArray[np.intp]) -> tuple[float, str] | None:
    """The rate within blocks of one length whose times restart at the same value; None if these are no such blocks."""
    starts = np.concatenate([[0], falls + 1])
    lengths = np.diff(np.append(starts, times.values.size))
    length = int(lengths[0])
    if len(starts) < MIN_BLOCKS or length < 2 or np.any(lengths[:-1] != length) or lengths[-1] > length:
        return None
    steps = np.delete(np.diff(times.values), falls)
    mean = float(times.values[length - 1] - times.values[0]) / (length - 1)
    if farthest(steps, mean) > 0.5 * mean or np.ptp(times.values[starts]) > mean:
        return None
    rate_hz = _round_rate(mean * times.scale, printed_step(times.values) / ((length - 1) * mean))
    remark = (
        f"column {times.name!r} starts again every {length} samples; the rate of {rate_hz:g} Hz is that within a "
        "block, and whether samples are missing between blocks is not known"
    )
    return rate_hz, remark


def _marks(step: Array) -> NDArray[np.intp] | None:
    """Indices of the samples whose times count: the first of each packet, or all; None for too few packets."""
    mean = float(step.mean())
    if np.count_nonzero(step < 0.25 * mean) <= IN_PACKET_SHARE * step.size:
        return np.arange(step.size + 1)
    starts = np.flatnonzero(step > 0.5 * mean) + 1
    return starts if starts.size > MIN_PACKETS else None


def _rate_of_marks(times: Times, lines: SampleLines, marks: NDArray[np.intp]) -> tuple[float, str]:
    """The rate between the first and the last mark, and a remark on the uneven steps and on missing samples."""
    is_packed = len(marks) < times.values.size
    time_s = (times.values[marks] - times.values[0]) * times.scale
    steps_s, n_steps = np.diff(time_s), np.diff(marks)
    lag = int(np.clip(len(marks) // 8, 1, 512))
    passed_s, passed = time_s[lag:] - time_s[:-lag], marks[lag:] - marks[:-lag]
    # Most stretches of ``lag`` marks hold no gap, so their median is the step between samples that follow one another.
    typical_s = float(np.median(passed_s / passed))
    noise_s = 3 * _deviation(passed_s - passed * typical_s) * np.sqrt(len(marks) / lag)
    is_coarse = printed_step(times.values) * times.scale >= 0.5 * typical_s
    has_short_skips = is_coarse and float(steps_s.max()) <= MAX_SKIP * typical_s
    grid_s = None if is_packed or has_short_skips else _step_of_grid(steps_s, 0.95 if is_coarse else 0.75)
    typical_s = grid_s or typical_s
    span_s, n_span = float(time_s[-1] - time_s[0]), int(marks[-1] - marks[0])
    off_s = steps_s - n_steps * typical_s
    long = np.flatnonzero(off_s > max(0.5 * typical_s, 6 * _deviation(off_s)))
    excess_s = min(span_s - n_span * typical_s, float(off_s[long].sum()))
    n_missing = round(excess_s / typical_s) if grid_s or excess_s > noise_s else 0
    step_s = span_s / (n_span + max(n_missing, 0))
    longest = int(np.argmax(off_s))
    spread_s = float(np.ptp(time_s - (marks - marks[0]) * step_s)) - max(n_missing, 0) * step_s
    steps_text = f"steps of {np.diff(times.values).min() * times.scale:.3g} to {steps_s.max():.3g} s"
    place = lines.place(int(marks[longest + 1]))
    if n_missing >= 1 and (off_s[longest] > MAX_GAP_S or n_missing > MAX_GAP_SHARE * times.values.size):
        raise TimesUneven(
            f"{lines.path}: column {times.name!r} has gaps ({steps_text}), the longest before {place}; by its "
            f"times {n_missing} samples are missing; expected an even rate{_offer(typical_s)}"
        )
    if spread_s > MAX_SPREAD * span_s:
        raise TimesUneven(
            f"{lines.path}: column {times.name!r} has no even rate ({steps_text}), the longest before {place}; "
            f"expected times within {MAX_SPREAD:.0%} of even ones{_offer(typical_s)}"
        )
    rate_hz = _round_rate(step_s, spread_s / span_s)
    remark = f"column {times.name!r} is not even ({steps_text})"
    if is_packed:
        remark += f", because samples share the time of their packet; the packets give {rate_hz:g} Hz"
    else:
        remark += f"; it gives {rate_hz:g} Hz on average"
    if n_missing < 1 and is_coarse:
        return rate_hz, f"{remark}, but its times are too coarse to show single missing samples"
    if n_missing < 1:
        return rate_hz, f"{remark}, and no samples are missing by its times"
    n_expected = times.values.size + n_missing
    remark = f"{remark.replace(' on average', ' between gaps')}, and by its times {n_missing} of {n_expected} samples"
    return rate_hz, f"{remark} are missing, the first before {lines.place(int(marks[long[0] + 1]))}"


def _step_of_grid(steps_s: Array, min_share: float) -> float | None:
    """The step of which all steps are multiples, and a share of them one; each longer step shows missing samples."""
    step_s = float(np.median(steps_s))
    if step_s <= 0:
        return None
    multiples = np.rint(steps_s / step_s)
    on_grid = np.abs(steps_s - multiples * step_s) < 0.1 * step_s
    return step_s if on_grid.all() and multiples.min() >= 1 and float(np.mean(multiples == 1)) >= min_share else None


def spread(time: Array, step: float) -> float:
    """How far times stray from even ones, from the earliest to the latest."""
    off: Array = np.arange(time.size, dtype=np.float64)
    off *= -step
    off += time
    return float(np.ptp(off))


def _deviation(values: Array) -> float:
    """A robust estimate of the standard deviation around zero."""
    return 1.4826 * float(np.median(np.abs(values)))


def _rate_of_jumps(time: Array, step: Array, printed: float, scale: float) -> float | None:
    """The rate between the first and the last jump, each exact to one sample; None if these are not rounded times."""
    jumps = np.flatnonzero(step)
    if jumps.size < 2 or float(step.min()) < 0 or jumps[-1] - jumps[0] < MIN_STEPS_BETWEEN_JUMPS:
        return None
    first, n_steps = int(jumps[0]) + 1, int(jumps[-1] - jumps[0])
    mean = float(time[first + n_steps] - time[first]) / n_steps
    off: Array = np.arange(-first, time.size - first, dtype=np.float64)
    off *= mean
    off += time[first]
    off -= time  # deviation of each time from an even one
    if farthest(off, 0.0) > 1.001 * printed + mean:
        return None
    return _round_rate(mean * scale, 1 / n_steps)


def _round_rate(step_s: float, tolerance: float) -> float:
    """The whole number of hertz if the tolerance, relative to the step, allows it; otherwise the rate itself."""
    whole = float(np.rint(1 / step_s))
    return whole if whole > 0 and abs(whole * step_s - 1) <= max(tolerance, 1e-12) else 1 / step_s


def printed_step(time: Array) -> float:
    """The value of the last printed digit of the times; 0 if they have more than nine decimals."""
    last = time[-1000:]
    error = 4 * np.finfo(np.float64).eps * float(np.max(np.abs(last)))
    for digits in range(10):
        if float(np.max(np.abs(np.round(last, digits) - last))) <= error:
            return float(10.0**-digits)
    return 0.0


def farthest(values: Array, middle: float) -> float:
    """The largest distance of a value from ``middle``."""
    return max(float(values.max()) - middle, middle - float(values.min()))
