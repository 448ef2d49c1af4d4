"""DecodedRecording: what a reader decodes from a file, before `read_recording` checks it; remarks shared by readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.recordings.channels import ChannelDescription, distinct_names, reasons_by_description
from semg_hht.recordings.units import one_unit

MAX_DECODED_BYTES = 16 * 2**30  # of samples; a damaged or malicious file may declare any size
COUNTS_REMARK = "the amplitudes are counts of the converter; the file does not state the volts of one count"


@dataclass(frozen=True)
class DecodedRecording:
    """Samples and header of a file. None or empty: the file does not state it.

    table : (n_samples, n_channels).
    non_emg : names of channels that are not EMG according to the file (a sensor of another kind).
    channel_units, channel_types : of each channel, as the file states them; empty text: not stated.
    numbers : of each channel among the signals of the file, from 1; empty: all signals are here.
    is_decided : whether ``non_emg`` lists all channels that are not EMG, so that `decide_channels` is not needed.
    remarks : what the user should know about the reading of the file, one short sentence each, without the file's name.
    """

    table: NDArray[Any]
    rate_hz: float | None = None
    channel_names: tuple[str, ...] = ()
    units: str = ""
    non_emg: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    channel_units: tuple[str, ...] = ()
    channel_types: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    is_decided: bool = False

    def described(self, names: Sequence[str]) -> list[ChannelDescription]:
        """What the file states about each channel; ``names`` include those of channels that the file does not name."""
        blank = ("",) * len(names)
        units, types = self.channel_units or blank, self.channel_types or blank
        return [ChannelDescription(*stated) for stated in zip(names, units, types, strict=True)]


def most_common(rates: Iterable[float]) -> float:
    """The rate that most channels have; the highest of several that are equally common."""
    return max(Counter(rates).items(), key=lambda item: (item[1], item[0]))[0]


def most_common_of_emg(rates: Sequence[float], reasons: Sequence[str]) -> float:
    """The rate that most EMG channels have; of all channels if none is EMG. ``reasons``: why a channel is not EMG."""
    of_emg = [rate for rate, reason in zip(rates, reasons, strict=True) if not reason]
    return most_common(of_emg or rates)


@dataclass(frozen=True)
class Signal:
    """One signal of a file whose signals may have different rates. Empty text: the file does not state it.

    read : returns the samples in ``unit``, (n_samples,); called only if the signal has the rate of the EMG.
    """

    name: str
    unit: str
    rate_hz: float
    read: Callable[[], NDArray[Any]]
    kind: str = ""


def decode_signals(signals: Sequence[Signal]) -> DecodedRecording:
    """Read the signals that have the rate of most EMG signals (of all signals if none is EMG), in one unit of volts."""
    names = distinct_names([signal.name for signal in signals])
    described = [ChannelDescription(signal.name, signal.unit, signal.kind) for signal in signals]
    rate_hz = most_common_of_emg([signal.rate_hz for signal in signals], reasons_by_description(described))
    kept = [i for i, signal in enumerate(signals) if signal.rate_hz == rate_hz]
    units, factors = one_unit([signals[i].unit for i in kept])
    left_out = [name for i, name in enumerate(names) if i not in kept]
    return DecodedRecording(
        np.column_stack([signals[i].read() * factor for i, factor in zip(kept, factors, strict=True)]),
        rate_hz,
        tuple(names[i] for i in kept),
        units,
        remarks=tuple(remarks_on_other_rates(rate_hz, left_out)),
        channel_units=tuple(signals[i].unit for i in kept),
        channel_types=tuple(signals[i].kind for i in kept),
        numbers=tuple(i + 1 for i in kept) if left_out else (),
    )


def remarks_on_other_rates(rate_hz: float, left_out: Iterable[str]) -> list[str]:
    """A remark on the channels that were left out for their rate; none if there are none."""
    names = ", ".join(left_out)
    return [f"channels with a rate other than {rate_hz:g} Hz were left out: {names}"] if names else []
