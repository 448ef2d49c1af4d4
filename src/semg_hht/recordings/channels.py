"""Channels: decide which channels of a file are EMG, and make repeated names distinct.

The decision rests on a channel's name, its unit, its type where the format states one, and its samples. The words and
units that it knows are in ``channel_words.json``. It works on names and arrays and does not know files.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.recordings.units import COUNTS, volts

# A channel in counts, or in shares of the MVC, may be EMG even where others are in volts, if its name says EMG.
RELATIVE_UNITS = (*COUNTS, "%", "%mvc", "% mvc")
MAX_FALLING = 0.05  # of the steps of a ramp or a counter; an alternating signal falls at half of its steps
MIN_RISING = 0.25
# A label or a trigger keeps each value for many samples; a muscle at rest, in whole counts, keeps it for a few.
MIN_MEAN_RUN = 20  # samples
LONG_RUN = 10  # samples
MIN_LONG_RUNS = 0.4  # of all runs; short bursts after a rest of equal values have many short runs
MAX_LABELS = 100
# A rectified signal, an envelope or a force is mostly near one end of its range, which is near 0. The place of the
# median between the 1st and the 99th percentile: at least 0.35 in those of 5,865 real channels that have an offset,
# 0.26 in rectified noise, and less in contractions with rests.
MAX_MEDIAN, MAX_LOWEST = 0.3, 0.2
N_SAMPLED = 10_000  # samples of a channel, for quantiles

BY_TYPE = "by the types that the file states"
BY_UNIT = "by their units"
BY_NAME = "by their names"
NOT_NAMED_EMG = "because other channels say EMG in their names"
CONSTANT = "all samples have the same value"
RISING = "because they rise throughout, as times and counters do"
ONE_SIDED = "because they lie on one side of 0, as rectified signals, envelopes and forces do"
LABEL = "because they keep few different values for long, as labels and triggers do"

_BRACKETED = re.compile(r"[\[(（【]\s*([^\[\]()（）【】]+?)\s*[\])）】]\s*$")


@dataclass(frozen=True)
class ChannelDescription:
    """What a file states about a channel; empty: nothing."""

    name: str
    unit: str = ""
    kind: str = ""


@dataclass(frozen=True)
class ChannelDecision:
    """The names of the channels that are not EMG, and a remark for each reason, which names its channels."""

    non_emg: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def decide_channels(
    channels: Sequence[ChannelDescription], samples: Sequence[NDArray[Any]], stated: Iterable[str] = ()
) -> ChannelDecision:
    """Decide which channels are EMG.

    samples : of each channel, (n_samples,); those that are not finite are passed over.
    stated : names of channels that are not EMG according to the file itself.

    Samples alone exclude a channel only where another EMG channel remains.
    """
    samples = [values if np.isfinite(values).all() else values[np.isfinite(values)] for values in samples]
    reasons = reasons_by_description(channels)
    stated = set(stated)
    for i, channel in enumerate(channels):
        if channel.name in stated and not reasons[i]:
            reasons[i] = BY_TYPE
    constant = [bool(np.all(values == values[:1])) for values in samples]
    _exclude(reasons, [CONSTANT if is_constant else "" for is_constant in constant])
    _exclude(reasons, [RISING if not reason and is_rising(values) else ""
                       for reason, values in zip(reasons, samples, strict=True)])  # fmt: skip
    _exclude(reasons, [LABEL if not reason and not says_emg_or_muscle(channel.name) and is_label(values) else ""
                       for reason, channel, values in zip(reasons, channels, samples, strict=True)])  # fmt: skip
    if any(not reason and _is_two_sided(values) for reason, values in zip(reasons, samples, strict=True)):
        _exclude(reasons, [ONE_SIDED if not reason and is_one_sided(values) else ""
                           for reason, values in zip(reasons, samples, strict=True)])  # fmt: skip
    names = {reason: [channel.name for channel, own in zip(channels, reasons, strict=True) if own == reason]
             for reason in dict.fromkeys(filter(None, reasons))}  # fmt: skip
    remarks = tuple(
        f"nothing was recorded on {', '.join(names[reason])}: {CONSTANT}, so it is not used"
        if reason == CONSTANT
        else f"channels that are not EMG, {reason}: {', '.join(names[reason])}"
        for reason in names
    )
    return ChannelDecision(tuple(c.name for c, reason in zip(channels, reasons, strict=True) if reason), remarks)


def remarks_on_stated(names: Sequence[str]) -> tuple[str, ...]:
    """A remark on the channels that are not EMG according to the file; none if there are none."""
    return (f"channels that are not EMG, {BY_TYPE}: {', '.join(names)}",) if names else ()


def reasons_by_description(channels: Sequence[ChannelDescription]) -> list[str]:
    """Why each channel is not EMG, by its name, unit and type; empty: it may be EMG."""
    kinds = [channel.kind.upper() for channel in channels]
    types_differ = any("EMG" in kind for kind in kinds) and not all("EMG" in kind for kind in kinds)
    says_emg = [
        _says("emg", c.name) or (types_differ and "EMG" in kind) for c, kind in zip(channels, kinds, strict=True)
    ]
    reasons = [""] * len(channels)
    for i, (channel, kind) in enumerate(zip(channels, kinds, strict=True)):
        if kind and "EMG" not in kind and (types_differ or is_not_emg(kind)):
            reasons[i] = BY_TYPE
        elif _is_other_unit(_unit(channel), says_emg[i]):
            reasons[i] = BY_UNIT
        elif not says_emg[i] and is_not_emg(channel.name):
            reasons[i] = BY_NAME
    if any(volts(_unit(channel)) for channel, reason in zip(channels, reasons, strict=True) if not reason):
        no_volts = [_is_no_volts(channel.unit, is_emg) for channel, is_emg in zip(channels, says_emg, strict=True)]
        _exclude(reasons, [BY_UNIT if is_excluded else "" for is_excluded in no_volts])
    # A type EMG distinguishes a channel as a name with EMG does, but not where all channels have it.
    if any(_says("emg", channel.name) for channel, reason in zip(channels, reasons, strict=True) if not reason):
        _exclude(reasons, [
            "" if is_emg or says_emg_or_muscle(channel.name) else NOT_NAMED_EMG
            for channel, is_emg in zip(channels, says_emg, strict=True)
        ])  # fmt: skip
    return reasons


def is_not_emg(name: str) -> bool:
    """Whether the name shows that a channel is not EMG. A name that says EMG is EMG, whatever else it says."""
    match = _BRACKETED.search(name)
    if match and _is_other_unit(match[1], _says("emg", name)):
        return True
    if _says("emg", name):
        return False
    return _says("other_sensors", name) or (
        _says("other_sensors_unless_a_muscle_is_named", name) and not _says("muscles", name)
    )


def says_emg_or_muscle(name: str) -> bool:
    """Whether the name says EMG or names a muscle."""
    return _says("emg", name) or (_says("muscles", name) and not is_not_emg(name))


def muscle_of(name: str) -> str:
    """The Latin name of the muscle that a name states, in one of several languages; empty if it states none or two."""
    stated = set()
    for text in _texts_of(name):
        spans = {
            (muscle, match.span())
            for muscle in _words()["names_of_a_muscle"]
            for match in _pattern("names_of_a_muscle", muscle).finditer(text)
        }
        stated |= {
            muscle
            for muscle, (start, stop) in spans  # the "biceps" of "biceps femoris" is no other muscle
            if not any(a <= start and stop <= b and (a, b) != (start, stop) for _, (a, b) in spans)
        }
    return stated.pop() if len(stated) == 1 else ""


def is_rising(values: NDArray[Any]) -> bool:
    """Whether the samples rise throughout or in a saw tooth, as times and counters do."""
    if values.size < 2:
        return False
    n_rising = int(np.count_nonzero(values[1:] > values[:-1]))
    n_falling = int(np.count_nonzero(values[1:] < values[:-1]))
    return n_rising >= MIN_RISING * (values.size - 1) and n_falling <= MAX_FALLING * (values.size - 1)


def is_one_sided(values: NDArray[Any]) -> bool:
    """Whether the samples lie on one side of 0, mostly near it, as those of a rectified signal or an envelope do."""
    if not values.size:
        return False
    sampled = values[:: max(1, values.size // N_SAMPLED)].astype(np.float64)
    # "lower": between two samples near the limits of float64 nothing can be interpolated
    if np.quantile(sampled, 0.5, method="lower") < 0:
        sampled = -sampled
    low, middle, high = np.quantile(sampled, (0.01, 0.5, 0.99), method="lower")
    return bool(0 <= low < MAX_LOWEST * high and middle - low < MAX_MEDIAN * (high - low))


def _is_two_sided(values: NDArray[Any]) -> bool:
    """Whether the samples lie on both sides of 0, as those of EMG without an offset do."""
    if not values.size:
        return False
    low, high = np.quantile(values[:: max(1, values.size // N_SAMPLED)].astype(np.float64), (0.1, 0.9), method="lower")
    return bool(low < 0 < high)


def is_label(values: NDArray[Any]) -> bool:
    """Whether the samples hold few different whole values, or two values of any kind, each for many samples."""
    changes = np.flatnonzero(values[1:] != values[:-1])
    if not 0 < changes.size <= values.size / MIN_MEAN_RUN:
        return False
    runs = np.diff(changes, prepend=-1, append=values.size - 1)
    distinct = np.unique(values[[*changes, values.size - 1]])
    is_whole = bool(np.all(np.isfinite(distinct)) and np.array_equal(distinct, np.rint(distinct)))
    few = distinct.size == 2 or (is_whole and distinct.size <= MAX_LABELS)
    return few and float(np.mean(runs >= LONG_RUN)) >= MIN_LONG_RUNS


def distinct_names(names: list[str], numbers: Sequence[int] = ()) -> tuple[str, ...]:
    """The names, each repeated one followed by the number of its channel; an empty name becomes ``ch`` and the number.

    numbers : of the channels; empty: 1, 2, 3 ...
    """
    return tuple(
        name if name and names.count(name) == 1 else f"{name} {i}" if name else f"ch{i}"
        for i, name in zip(numbers or range(1, len(names) + 1), names, strict=True)
    )


def _exclude(reasons: list[str], more: Sequence[str]) -> None:
    """Add these reasons in place, unless no EMG channel would remain."""
    if any(not reason and not new for reason, new in zip(reasons, more, strict=True)):
        reasons[:] = [reason or new for reason, new in zip(reasons, more, strict=True)]


def _unit(channel: ChannelDescription) -> str:
    """The stated unit, or else that in brackets at the end of the name."""
    match = _BRACKETED.search(channel.name)
    return channel.unit.strip() or (match[1] if match else "")


def _is_other_unit(unit: str, says_emg: bool) -> bool:
    """Whether the unit belongs to another quantity than voltage, such as an acceleration or an angle."""
    return not (says_emg and unit.startswith("%")) and bool(_units_of_other_quantities().fullmatch(_plain(unit)))


def _is_no_volts(unit: str, says_emg: bool) -> bool:
    """Whether a stated unit excludes EMG where other channels are in volts."""
    return bool(unit.strip()) and not volts(unit) and not (says_emg and unit.strip().lower() in RELATIVE_UNITS)


@cache
def _says(key: str, name: str) -> bool:
    """Whether the name holds a word of one list."""
    return any(_pattern(key).search(text) for text in _texts_of(name))


def _texts_of(name: str) -> tuple[str, str]:
    """The name in lower case, as it stands and parted before capitals."""
    # "AccX" and "EMGBiceps" hold two words each; "IMUx" and "SpO2" are single words.
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return _plain(name.replace("_", " ")), _plain(parted.replace("_", " "))


@cache
def _pattern(key: str, group: str = "") -> re.Pattern[str]:
    content = _words()[key][group] if group else _words()[key]
    words = content if isinstance(content, list) else [word for group in content.values() for word in group]
    latin = "|".join(
        re.escape(word).replace(r"\*", "[a-z]*").replace(r"\ ", r"[\s.-]*") for word in words if word.isascii()
    )
    others = "|".join(re.escape(word) for word in words if not word.isascii())
    axis = r"(?:[\s.-]*[xyzw])?" if key.startswith("other") else ""
    return re.compile(rf"(?<![a-z])(?:{latin}){axis}(?![a-z])" + (f"|{others}" if others else ""))


@cache
def _units_of_other_quantities() -> re.Pattern[str]:
    units = (re.escape(_plain(unit)).replace(r"\*", r"\S*") for unit in _words()["units_of_other_quantities"])
    return re.compile("|".join(units))


@cache
def _words() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files(__package__) / "channel_words.json").read_text(encoding="utf-8"))
    return content


def _plain(text: str) -> str:
    """The text in lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.strip())
    return "".join(character for character in decomposed if not unicodedata.combining(character)).lower()
