"""DecodedRecording: what a reader decodes from a file, before `read_recording` checks it; remarks shared by readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from semg_hht.recordings.channels import ChannelDescription

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


def remarks_on_other_rates(rate_hz: float, left_out: Iterable[str]) -> list[str]:
    """A remark on the channels that were left out for their rate; none if there are none."""
    names = ", ".join(left_out)
    return [f"channels with a rate other than {rate_hz:g} Hz were left out: {names}"] if names else []
