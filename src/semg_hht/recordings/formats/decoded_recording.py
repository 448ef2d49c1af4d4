"""DecodedRecording: what a reader decodes from a file, before `read_recording` checks it; remarks shared by readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

MAX_DECODED_BYTES = 16 * 2**30  # of samples; a damaged or malicious file may declare any size
COUNTS_REMARK = "the amplitudes are counts of the converter; the file does not state the volts of one count"


@dataclass(frozen=True)
class DecodedRecording:
    """Samples and header of a file. None or empty: the file does not state it.

    table : (n_samples, n_channels).
    non_emg : names of channels that are not EMG (a joint angle, a trigger, an accelerometer).
    remarks : what the user should know about the reading of the file, one short sentence each, without the file's name.
    """

    table: NDArray[Any]
    rate_hz: float | None = None
    channel_names: tuple[str, ...] = ()
    units: str = ""
    non_emg: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def most_common(rates: Iterable[float]) -> float:
    """The rate that most channels have; the highest of several that are equally common."""
    return max(Counter(rates).items(), key=lambda item: (item[1], item[0]))[0]


def remarks_on_other_rates(rate_hz: float, left_out: Iterable[str]) -> list[str]:
    """A remark on the channels that were left out for their rate; none if there are none."""
    names = ", ".join(left_out)
    return [f"channels with a rate other than {rate_hz:g} Hz were left out: {names}"] if names else []


def remarks_on_non_emg(names: Iterable[str]) -> list[str]:
    """A remark on the channels that are not EMG according to their names; none if there are none."""
    listed = ", ".join(names)
    return [f"channels that are not EMG, by their names: {listed}"] if listed else []
