"""A Recording -> a BDF file (24 bits a sample), through edfio.

Knows headers of signals, as signals/edf.py does: nothing of people or datasets.
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
from semg_hht.recordings.formats.edf import NO_EMG
from semg_hht.recordings.recording import Array, Recording
from semg_hht.recordings.units import MICROVOLTS

MAX_LABEL = 16  # characters of a channel's name in the header
_DIGITAL = (-(2**23), 2**23 - 1)
_LARGEST = 9_999_999  # with its sign the eight characters of a number in the header
_SMALLEST = 1e-4  # less would be written with an exponent, which not every reader knows
_MAX_RECORD_BYTES = 10_000_000  # what readers of the format accept as one record
_MAX_DRIFT = 0.5  # samples that the last one may stand off for a rate the header can't say
_MAX_ROUNDING = 2.0**-17  # of the channel's range: half a step of 16 bits


@dataclass(frozen=True)
class Written:
    """How true the file is. ``rounding``: the largest error of a sample, as a share of its channel's range.

    ``n_padded`` : samples at the end that repeat the last one, because a file holds whole records only.
    """

    rounding: float
    n_padded: int


def header_labels(recording: Recording) -> tuple[str, ...]:
    """The channels' names as a header can hold them: 16 characters of ASCII, no two alike.

    A channel that is EMG, but whose name begins as other signals' labels do (``Temporalis``, ``TEMP``), says so.
    """
    labels: list[str] = []
    for name in recording.channel_names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^\w .+()/-]", "_", plain).strip() or f"ch{len(labels) + 1}"
        if name not in recording.other and plain.upper().startswith(NO_EMG):
            plain = f"EMG {plain}"
        label, number = plain[:MAX_LABEL].strip(), 1
        while label in labels:
            number += 1
            ending = f"_{number}"
            label = plain[: MAX_LABEL - len(ending)].strip() + ending
        labels.append(label)
    return tuple(labels)


def write_bdf(recording: Recording, path: Path, labels: Sequence[str]) -> Written:
    """Write all channels; whole numbers that fit 24 bits exactly, others over the range that their channel has.

    The dimension in the header is V, mV or uV. Anything else is left blank, as EDF+ asks of signals that are not
    calibrated (doi 10.1016/S1388-2457(03)00123-8), and so are channels that are no EMG.

    Raises
    ------
    InputError
        edfio is not installed, or the rate or a channel's values don't fit the header.
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
        calibrated = name not in recording.other and recording.units in MICROVOLTS
        signal = BdfSignal(
            np.pad(samples, (0, n_padded), mode="edge"),
            record / duration_s,  # the rate as the header has it
            label=label,
            physical_dimension=recording.units if calibrated else "",
            physical_range=_range(recording.source, name, samples),
        )
        error = np.abs(signal.data[: len(samples)] - samples).max() / (np.ptp(samples) or 1.0)
        if error > _MAX_ROUNDING:
            raise InputError(
                f"{recording.source}: channel {name} has values from {samples.min():g} to {samples.max():g}, too "
                "narrow a range for a BDF header; expected units in which they are larger, such as uV"
            )
        rounding = max(rounding, float(error))
        signals.append(signal)
    content = io.BytesIO()  # a disk that is full is told by the file system, not by a short write inside NumPy
    Bdf(signals, data_record_duration=duration_s).write(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getbuffer())
    return Written(rounding, n_padded)


def _range(source: str, name: str, samples: Array) -> tuple[float, float]:
    """The physical values of the lowest and the highest step; edfio moves them outward to what the header can say."""
    low, high = float(samples.min()), float(samples.max())
    if _DIGITAL[0] <= low and high <= _DIGITAL[1] and np.array_equal(samples, np.rint(samples)):
        return _DIGITAL  # a step is one: counts of a converter stay what they are
    if max(-low, high) > _LARGEST:
        raise InputError(
            f"{source}: channel {name} has values from {low:g} to {high:g}; a BDF header holds no more than {_LARGEST}"
        )
    if 0 < abs(low) < _SMALLEST:
        low = -_SMALLEST if low < 0 else 0.0
    if 0 < abs(high) < _SMALLEST:
        high = _SMALLEST if high > 0 else 0.0
    return low, high if high > low else low + 1


def _record(recording: Recording) -> tuple[int, float]:
    """Samples and seconds of one data record.

    A file is a whole number of records, and a record's duration has eight characters. What fits both is taken: the
    rate true, no samples added, the record nearest to a second. One record may hold the whole file.
    """
    n_samples, rate_hz, n_channels = recording.n_samples, recording.rate_hz, len(recording.channel_names)
    most = _MAX_RECORD_BYTES // (3 * n_channels)
    sizes = {*range(max(1, round(rate_hz / 10)), min(n_samples, most, round(2 * rate_hz)) + 1)}
    sizes |= {n_samples} if n_samples <= most else set()
    if not sizes:
        raise InputError(
            f"{recording.source}: {n_channels} channels at {rate_hz:g} Hz are more than a record of a BDF file holds"
        )
    options = []
    for size in sizes:
        duration_s = round(size / rate_hz, 7 - len(str(int(size / rate_hz))))
        if _SMALLEST <= duration_s <= _LARGEST:
            drift = abs(size / duration_s / rate_hz - 1) * n_samples
            inexact = size / duration_s != rate_hz  # as readers compute it
            cost = (drift > _MAX_DRIFT, -n_samples % size, inexact, abs(math.log(size / rate_hz)))
            options.append((cost, size, duration_s))
    if not options:
        raise InputError(f"{recording.source}: a rate of {rate_hz:g} Hz does not fit the header of a BDF file")
    return min(options)[1:]
