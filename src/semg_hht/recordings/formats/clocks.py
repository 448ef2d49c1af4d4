"""Recognise columns of a table that hold times or count samples, and compute the sampling rate from them.

It works on columns and their names. It does not know files or the meaning of channels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.recordings.formats.sample_times import (
    MAX_SPREAD,
    SampleLines,
    Times,
    even_rate,
    farthest,
    printed_step,
    remark_on_ignored,
    spread,
    uneven_rate,
)

Array = NDArray[np.float64]

_UNIT = r"(?:(?P<s>s|secs?|seconds?|秒)|(?P<ms>ms|msecs?|millis|millisecs?|milliseconds?|毫秒)|"
_UNIT += r"(?P<us>[uµμ]s|micros|microseconds?|微秒)|(?P<ns>ns|nanoseconds?|纳秒)|"
_UNIT += r"(?P<min>mins?|minutes?|分钟?)|(?P<stamp>h+:mm:ss\S*))"
_TIME = re.compile(
    rf"(?:(?:rel\w*|abs\w*|elapsed|unix|system|local)?[\s_]*(?:times?|time[\s_]*stamps?|t|zeit|temps|tempo|tiempo)"
    rf"|时间戳?|時間)[\s_,]*(?:[\[(/]?\s*{_UNIT}\s*[\])]?)?",
    re.IGNORECASE,
)
# Names of Shimmer Consensys; its raw time stamps count ticks.
_SHIMMER_TIME = re.compile(
    r"(?:\w+_)?timestamp(?:sync)?_(?:unix_|formattedunix_)?cal(?:[\s_]*[\[(](?:(?P<ms>ms)|no_units)[\])])?",
    re.IGNORECASE,
)
_TIME_BY_UNIT = re.compile(rf"x\s*[\[(]\s*{_UNIT}\s*[\])]|{_UNIT.replace('?P<', '?P<only_')}", re.IGNORECASE)
_TIME_NAMES = (_TIME, _TIME_BY_UNIT, _SHIMMER_TIME)
_COUNTER = re.compile(
    r"n?seq|index|idx|samples?|(?:sub[\s_-]*)?frames?|(?:samples?|frames?|data)[\s_]*(?:no\.?|num|number|index|#)|no\.?|nr\.?|#|row|"
    r"packet\w*|counter|序号|编号|样本(?:点|号)?|帧",
    re.IGNORECASE,
)
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "stamp": 1.0}
MIN_RISING = 0.25  # of the steps of a column of times without a name
SINCE_1970_S = (946_684_800.0, 4_102_444_800.0)  # 2000 and 2100
PLAUSIBLE_HZ = (20.0, 100_000.0)  # of a column without a unit that may hold seconds


@dataclass(frozen=True)
class ColumnClock:
    """What a column of times or counts states.

    rate_hz : None if the column only counts samples.
    n : samples from the first to the last one that has a time.
    """

    rate_hz: float | None
    n: int
    remark: str = ""


@np.errstate(over="ignore", invalid="ignore")  # steps between values near the limits of float64: no clock
def find_clocks(
    table: Array, names: list[str], stamps: tuple[int, ...], lines: SampleLines, stated_hz: float | None = None
) -> dict[int, ColumnClock]:
    """Column index -> its clock, for the columns that are not channels.

    If several columns hold times, each applies to the channels to its right.

    table : (n_columns, n_samples).
    stamps : columns with times of day, in seconds.
    stated_hz : the rate that the header or the caller states; times that are not even are then ignored with a remark.

    Raises
    ------
    InputError
        A time column that is needed gives no plain rate, and ``stated_hz`` is None.
    """
    clocks: dict[int, ColumnClock] = {}
    for i, name in enumerate(names):
        if _COUNTER.fullmatch(name) and i not in stamps and (counter := _counter_clock(name, table[i], lines)):
            clocks[i] = counter
    time_columns = [i for i, name in enumerate(names) if i in stamps or is_time_name(name)]
    ends = [*time_columns, len(names)][1:]
    needed = [i for i, end in zip(time_columns, ends, strict=False) if set(range(i + 1, end)) - set(clocks)]
    for i in time_columns:
        name = names[i] or f"{i + 1}"
        if i in needed or (i == time_columns[0] and not needed):
            clocks[i] = _time_clock(
                name, table[i], lines, stamp=i in stamps, several=len(needed) > 1, stated_hz=stated_hz
            )
        else:
            clocks[i] = ColumnClock(None, table.shape[1], f"column {name!r} is a second time column and was left out")
    for i in set(range(len(names))) - set(clocks):
        if scale := _scale_since_1970(table[i]):
            name = names[i] or f"{i + 1}"
            remark = f"column {name!r} holds times since 1970"
            is_second = any(clock.rate_hz for clock in clocks.values())
            clocks[i] = (
                ColumnClock(None, table.shape[1], f"{remark} and was left out")
                if is_second
                else _clock_of_times(Times(name, table[i], scale), lines, stated_hz, remark)
            )
    is_unnamed = names[0] in ("", "Unnamed: 0") or names[0].isdecimal()
    if 0 not in clocks and is_unnamed and (unnamed := _unnamed_clock(table, lines, stated_hz)):
        clocks[0] = unnamed
    return clocks


def is_time_name(name: str) -> bool:
    """Whether the name of a column says that it holds times."""
    return any(pattern.fullmatch(name.strip()) for pattern in _TIME_NAMES)


def clock_of(column: int, clocks: dict[int, ColumnClock]) -> ColumnClock | None:
    """The clock of a channel: the nearest to its left, or the first one; None if no clock states a rate."""
    rated = [i for i, clock in clocks.items() if clock.rate_hz is not None]
    if not rated:
        return None
    return clocks[max((i for i in rated if i < column), default=min(rated))]


def _time_clock(
    name: str, column: Array, lines: SampleLines, *, stamp: bool, several: bool, stated_hz: float | None
) -> ColumnClock:
    n = column.size
    if stamp:
        return _clock_of_times(Times(name, _past_midnight(column)), lines, stated_hz)
    if several:
        # The channels of a slower sensor end earlier; from there on its times are empty or zero.
        rising = np.flatnonzero(np.isfinite(column) & (column != 0))
        n = int(rising[-1]) + 1 if rising.size else 0
    time = column[:n]
    if _unit(name) is None and n > 1 and _counts(time):
        # Such a column holds milliseconds in some files and counts samples in others.
        return ColumnClock(
            None, n, f"column {name!r} increases by 1 without a unit, so it gives no rate and was left out"
        )
    time = _past_overflow(time)
    unit, remark = _scale(name, time)
    return _clock_of_times(Times(name, time, unit), lines, stated_hz, remark)


def _clock_of_times(times: Times, lines: SampleLines, stated_hz: float | None, remark: str = "") -> ColumnClock:
    rate_hz, uneven = even_rate(times), ""
    if rate_hz is None and stated_hz is not None:
        uneven = remark_on_ignored(times, stated_hz)
        return ColumnClock(None, times.values.size, "; ".join(filter(None, (remark, uneven))))
    if rate_hz is None:
        rate_hz, uneven = uneven_rate(times, lines)
    return ColumnClock(rate_hz, times.values.size, "; ".join(filter(None, (remark, uneven))))


def _unnamed_clock(table: Array, lines: SampleLines, stated_hz: float | None) -> ColumnClock | None:
    """The clock in an unnamed first column; None if the column may be a channel."""
    first = table[0]
    if len(table) < 2 or first.size < 3 or not np.isfinite(first).all():
        return None
    counts = _is_counter(first)
    # If all columns are ramps, the first one may be a channel like the others.
    is_even = _is_even(first) and first[0] < first[-1]
    if not (counts or is_even or _is_rising_time(first)) or all(map(_is_even, table[1:])):
        return None
    if counts:
        return ColumnClock(None, first.size, "the first column has no name and counts samples; it was left out")
    step = float(first[-1] - first[0]) / (first.size - 1)
    if not PLAUSIBLE_HZ[0] <= 1 / step <= PLAUSIBLE_HZ[1]:
        return ColumnClock(
            None, first.size, f"the first column has no name, increases evenly by {step:g} and was left out"
        )
    how = f"increases evenly by {step:.6g}" if is_even else "never falls"
    remark = f"the first column has no name, {how} and is taken for time in seconds"
    return _clock_of_times(Times("1", first), lines, stated_hz, remark)


def _counter_clock(name: str, column: Array, lines: SampleLines) -> ColumnClock | None:
    """The clock in a column whose name says that it counts samples; None if it does not count."""
    integers = column.size > 1 and np.isfinite(column).all() and np.array_equal(column, np.rint(column))
    if not integers or float(np.max(np.abs(column))) > 2**53:
        return None
    step = np.diff(column)
    # A frame of a camera holds several samples, which are counted within each frame (Vicon).
    counts_frames = (step.min() >= 0 and step.max() == 1) or np.all(np.mod(step, np.ptp(column) + 1) == 1)
    if counts_frames or _is_counter(column):
        return ColumnClock(None, column.size, f"column {name!r} counts samples and was left out")
    jumps = np.flatnonzero(np.mod(step, _wrap(column)) != 1)
    if jumps.size > column.size // 2:
        return None
    at = int(jumps[0])
    remark = (
        f"column {name!r} counts samples and was left out; it jumps at {jumps.size} places, first from {column[at]:g} "
        f"to {column[at + 1]:g} in {lines.place(at + 1)}, so samples may be missing"
    )
    return ColumnClock(None, column.size, remark)


def _unit(name: str) -> str | None:
    match = next((match for pattern in _TIME_NAMES if (match := pattern.fullmatch(name.strip()))), None)
    stated = [key.removeprefix("only_") for key, value in match.groupdict().items() if value] if match else []
    return stated[0] if stated else None


def _scale(name: str, time: Array) -> tuple[float, str]:
    """The seconds of one unit of the column, and a remark if the unit was inferred."""
    unit = _unit(name)
    if unit is not None:
        return _SECONDS[unit], ""
    step = abs(float(time[-1] - time[0])) / (time.size - 1) if time.size > 1 else 1.0
    if not step > 0 or 1 / step >= PLAUSIBLE_HZ[0] or not step >= 1:
        return 1.0, ""
    for scale, unit_name in ((1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")):
        if 1 / (step * scale) >= PLAUSIBLE_HZ[0]:
            remark = f"column {name!r} states no unit and increases by {step:g} per sample; it is taken for {unit_name}"
            return scale, remark
    return 1.0, ""


def _past_midnight(seconds: Array) -> Array:
    """Times of day with a whole day added at each midnight."""
    days = np.cumsum(np.diff(seconds, prepend=seconds[:1]) < -43_200)
    return np.asarray(seconds + 86_400.0 * days)


def _past_overflow(time: Array) -> Array:
    """Whole times with 2**32 added after each overflow of a 32-bit clock, such as that of an Arduino."""
    falls = np.diff(time, prepend=time[:1]) < -(2.0**31)
    if not falls.any() or float(np.max(time)) >= 2.0**32 or not np.array_equal(time, np.rint(time)):
        return time
    return np.asarray(time + 2.0**32 * np.cumsum(falls))


def _counts(column: Array) -> bool:
    if not (np.isfinite(column).all() and column[0] == np.rint(column[0])):
        return False
    step = np.diff(column)
    return bool(step.min() == step.max() == 1)


def _is_rising_time(column: Array) -> bool:
    """Whether a column never falls and stays near an even ramp, as times of arrival do. A label keeps its values."""
    step = np.diff(column)
    return bool(
        float(step.min()) >= 0
        and np.count_nonzero(step) >= MIN_RISING * step.size
        and spread(column, float(step.mean())) <= MAX_SPREAD * float(column[-1] - column[0])
        and PLAUSIBLE_HZ[0] <= 1 / float(step.mean()) <= PLAUSIBLE_HZ[1]
    )


def _scale_since_1970(column: Array) -> float:
    """The seconds of one unit of times since 1970, which lie between 2000 and 2100; 0 for other columns."""
    if column.size < 2 or not float(np.min(column)) > SINCE_1970_S[0]:
        return 0.0
    for scale in (1.0, 1e-3, 1e-6, 1e-9):
        if SINCE_1970_S[0] < float(column[0]) * scale and float(np.max(column)) * scale < SINCE_1970_S[1]:
            rises = float(np.min(np.diff(column))) >= 0 and float(column[-1]) > float(column[0])
            rate_hz = (column.size - 1) / (float(column[-1] - column[0]) * scale) if rises else 0.0
            return scale if PLAUSIBLE_HZ[0] <= rate_hz <= PLAUSIBLE_HZ[1] else 0.0
    return 0.0


def _wrap(column: Array) -> float:
    """The number of values of a device's counter, a power of two: 16, 256 ..."""
    return float(2 ** np.ceil(np.log2(max(float(column.max()) + 1, 2))))


def _is_counter(column: Array) -> bool:
    if float(np.max(np.abs(column))) > 2**53 or not np.array_equal(column, np.rint(column)):
        return False
    if _counts(column):
        return True
    return bool(column.min() == 0 and column.max() >= 15 and np.all(np.mod(np.diff(column), _wrap(column)) == 1))


def _is_even(column: Array) -> bool:
    if column.size < 2 or not float(np.max(np.abs(column))) < 1e100:
        return False
    step = np.diff(column)
    mean = float(column[-1] - column[0]) / step.size
    slack = max(0.01 * abs(mean), min(1.001 * printed_step(column), 0.5 * abs(mean)))
    return mean != 0 and farthest(step, mean) <= slack
