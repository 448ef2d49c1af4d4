"""Write a Recording to a BDF file (24 bits per sample), with edfio.

It works on signals and their headers. It does not know people or datasets.
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.channels import ChannelDescription, reasons_by_description
from semg_hht.recordings.formats.edf import MAX_LABEL
from semg_hht.recordings.recording import Array, Recording
from semg_hht.recordings.units import MICROVOLTS

_DIGITAL = (-(2**23), 2**23 - 1)
_LARGEST = 9_999_999  # with its sign it fills the eight characters of a number in the header
_SMALLEST = 1e-4  # smaller numbers need an exponent, which some readers do not accept
_MAX_RECORD_BYTES = 10_000_000  # the largest record that readers of the format accept
_MAX_DRIFT = 0.5  # samples by which the last sample may be displaced if the header can't hold the exact rate
_MAX_ROUNDING = 2.0**-17  # of the channel's range: half a step of 16 bits


@dataclass(frozen=True)
class WrittenBdf:
    """How the file differs from the recording.

    rounding : the largest error of a sample, as a share of its channel's range.
    n_padded : copies of the last sample at the end, because a file consists of whole records.
    """

    rounding: float
    n_padded: int


def header_labels(recording: Recording) -> tuple[str, ...]:
    """Channel names as the header can hold them: 16 characters of ASCII, all different.

    ``EMG`` is put before the names of all EMG channels where the labels alone would not show which channels are EMG.
    """
    plain_names = []
    for number, name in enumerate(recording.channel_names, start=1):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain_names.append(re.sub(r"[^\w .+()/-]", "_", plain).strip() or f"ch{number}")
    is_emg = [name not in recording.non_emg for name in recording.channel_names]
    reasons = reasons_by_description([ChannelDescription(plain) for plain in plain_names])
    is_clear = all(emg != bool(reason) for emg, reason in zip(is_emg, reasons, strict=True))
    labels: list[str] = []
    for plain, emg in zip(plain_names, is_emg, strict=True):
        if emg and not is_clear and "emg" not in plain.lower():
            plain = f"EMG {plain}"
        label, number = plain[:MAX_LABEL].strip(), 1
        while label in labels:
            number += 1
            ending = f"_{number}"
            label = plain[: MAX_LABEL - len(ending)].strip() + ending
        labels.append(label)
    return tuple(labels)


def write_bdf(recording: Recording, path: Path, labels: Sequence[str]) -> WrittenBdf:
    """Write all channels: whole numbers of up to 24 bits exactly, other values scaled to the range of their channel.

    The dimension in the header is V, mV or uV. It is blank for other units, as EDF+ prescribes for signals that are not
    calibrated (doi 10.1016/S1388-2457(03)00123-8), and for channels that are not EMG.

    Raises
    ------
    InputError
        edfio is not installed, or the rate or the values of a channel don't fit the header.
    """
    try:
        from edfio import Bdf, BdfSignal
    except ImportError:
        raise InputError(f"{recording.source}: writing BDF needs edfio: pip install 'semg-hht[readers]'") from None
    record, duration_s = _record(recording)
    n_padded = -recording.n_samples % record
    signals = []
    rounding = 0.0
    for name, label, samples in zip(recording.channel_names, labels, recording.samples, strict=True):
        calibrated = name not in recording.non_emg and recording.units in MICROVOLTS
        signal = BdfSignal(
            np.pad(samples, (0, n_padded), mode="edge"),
            record / duration_s,  # the rate as the header states it
            label=label,
            physical_dimension=recording.units if calibrated else "",
            physical_range=_range(recording.source, name, samples),
        )
        error = np.abs(signal.data[: len(samples)] - samples).max() / (np.ptp(samples) or 1.0)
        if error > _MAX_ROUNDING:
            raise InputError(
                f"{recording.source}: channel {name} has values from {samples.min():g} to {samples.max():g}, too "
                "narrow a range for a BDF header; expected units with larger numbers, such as uV"
            )
        rounding = max(rounding, float(error))
        signals.append(signal)
    content = io.BytesIO()  # writing the file at once makes a full disk an error of the file system, not of NumPy
    Bdf(signals, data_record_duration=duration_s).write(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getbuffer())
    return WrittenBdf(rounding, n_padded)


def _range(source: str, name: str, samples: Array) -> tuple[float, float]:
    """The physical values of the lowest and the highest step; edfio widens them to numbers that the header can hold."""
    low, high = float(samples.min()), float(samples.max())
    if _DIGITAL[0] <= low and high <= _DIGITAL[1] and np.array_equal(samples, np.rint(samples)):
        return _DIGITAL  # one step is one count, so counts of a converter are stored exactly
    if max(-low, high) > _LARGEST:
        raise InputError(
            f"{source}: channel {name} has values from {low:g} to {high:g}; a BDF header holds at most {_LARGEST}"
        )
    if 0 < abs(low) < _SMALLEST:
        low = -_SMALLEST if low < 0 else 0.0
    if 0 < abs(high) < _SMALLEST:
        high = _SMALLEST if high > 0 else 0.0
    return low, high if high > low else low + 1


def _record(recording: Recording) -> tuple[int, float]:
    """The number of samples and the duration in seconds of one data record.

    A file consists of whole records, and the duration of a record has eight characters. The choice prefers, in this
    order, an accurate rate, no padding, an exact rate, and a record close to one second. A single record may hold the
    whole file.
    """
    n_samples, rate_hz, n_channels = recording.n_samples, recording.rate_hz, len(recording.channel_names)
    most = _MAX_RECORD_BYTES // (3 * n_channels)
    sizes = {*range(max(1, round(rate_hz / 10)), min(n_samples, most, round(2 * rate_hz)) + 1)}
    sizes |= {n_samples} if n_samples <= most else set()
    if not sizes:
        raise InputError(
            f"{recording.source}: {n_channels} channels at {rate_hz:g} Hz do not fit into a record of a BDF file"
        )
    options = []
    for size in sizes:
        duration_s = round(size / rate_hz, 7 - len(str(int(size / rate_hz))))
        if _SMALLEST <= duration_s <= _LARGEST:
            drift = abs(size / duration_s / rate_hz - 1) * n_samples
            inexact = size / duration_s != rate_hz  # by the division that readers do
            cost = (drift > _MAX_DRIFT, -n_samples % size, inexact, abs(math.log(size / rate_hz)))
            options.append((cost, size, duration_s))
    if not options:
        raise InputError(f"{recording.source}: a rate of {rate_hz:g} Hz does not fit the header of a BDF file")
    return min(options)[1:]
