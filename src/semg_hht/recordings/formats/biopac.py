"""Reader of BIOPAC AcqKnowledge and BSL recordings (.acq), with bioread."""

from __future__ import annotations

import io
import logging
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, Signal, decode_signals
from semg_hht.recordings.formats.edf import text_of_header
from semg_hht.system.files import require_modest

if TYPE_CHECKING:
    from bioread.biopac import Channel
    from bioread.reader import Reader

Array = NDArray[np.float64]

MAX_HEADERS = 4000  # headers, markers and their texts; bioread needs a millisecond for each
# Types of channels in a row. Where bioread finds no valid ones, it tries the next 4096 bytes; they lie at the first or
# second in files of AcqKnowledge 3.0 to 5.0.
MAX_TYPES = 600
_TYPE_BYTES = 4
_HEADER_BYTES = 2**14  # longer reads are samples
MAX_PATTERN = 2**20  # samples after which the order of the channels repeats; real files have up to some thousands
MAX_LOST_S = 0.1
_APPENDED = "Segment "  # text of the marker at the start of each segment; AcqKnowledge 4 gives it a type as well
# What bioread raises over damaged headers.
BROKEN_ACQ = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError, EOFError, struct.error,
)  # fmt: skip


def read_acq(path: Path) -> DecodedRecording:
    """Read the channels with the most common rate of EMG, in the units of the header.

    Raises
    ------
    InputError
        The file is not of AcqKnowledge, or is cut short or damaged.
    """
    from bioread import reader as bioread

    with _silent(), _FewHeaders(path) as file:
        reader, reason = bioread.Reader(file), ""
        try:
            # The public read_headers drops all that it has read if a journal, which is not needed, is damaged.
            reader._read_headers()
        except BROKEN_ACQ as error:
            reason = str(error)
        if reader.datafile is None or not reader.datafile.channels:
            raise InputError(f"{path}: can't be read as AcqKnowledge; {reason or 'expected at least one channel'}")
        _check(path, reader)
        channels = reader.datafile.channels
        read = _compressed if reader.is_compressed else _interleaved
        samples = read(path, reader, file)
    headers = [header.data for header in reader.channel_headers]
    # bioread drops the letters of a unit that are not UTF-8, so that "µV" becomes "V".
    texts = [(text_of_header(h["szCommentText"]), text_of_header(h["szUnitsText"])) for h in headers]
    shared: dict[int, int] = {}  # number of samples that all channels of a divider have
    for channel in channels:
        shared[channel.frequency_divider] = min(channel.point_count, shared.get(channel.frequency_divider, 2**31))
    decoded = decode_signals(
        [
            Signal(name, unit, channel.samples_per_second, partial(_scaled, channel, values, shared))
            for (name, unit), channel, values in zip(texts, channels, samples, strict=True)
        ]
    )
    kept = [channel for channel in channels if channel.samples_per_second == decoded.rate_hz]
    return replace(decoded, remarks=(*decoded.remarks, *_remarks(reader, kept, len(decoded.table))))


class _FewHeaders(io.FileIO):
    """A file that ends after so many headers: lying numbers of channels and markers would cost minutes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.n_bytes = path.stat().st_size
        self.n_headers = self.n_types = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise EOFError(f"a length of {size} bytes")
        if size < _HEADER_BYTES:
            self.n_headers += 1
            self.n_types = self.n_types + 1 if size == _TYPE_BYTES else 0
            if self.n_headers > MAX_HEADERS or self.n_types > MAX_TYPES:
                raise EOFError(f"more than {MAX_HEADERS} headers and markers, or no types of channels")
        return super().read(min(size, max(self.n_bytes - self.tell(), 0)))


@contextmanager
def _silent() -> Iterator[None]:
    """Without bioread's messages on the console, which repeat its errors."""
    logger = logging.getLogger("bioread")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _check(path: Path, reader: Reader) -> None:
    """Check what bioread takes from the headers without a check, before it allocates memory."""
    channels = reader.datafile.channels
    size = path.stat().st_size
    for number, channel in enumerate(channels, 1):
        rate_hz = channel.samples_per_second
        if channel.frequency_divider < 1 or channel.point_count < 0 or not (np.isfinite(rate_hz) and rate_hz > 0):
            raise InputError(
                f"{path}: channel {number} states {channel.point_count} samples at {rate_hz:g} Hz; "
                "expected samples at more than 0 Hz"
            )
    if len(channels) != reader.graph_header.channel_count:
        raise InputError(
            f"{path}: describes {len(channels)} channels; expected {reader.graph_header.channel_count}, as it states"
        )
    require_modest(path, 8 * sum(channel.point_count for channel in channels))
    if reader.is_compressed:
        if len(reader.channel_compression_headers) != len(channels):
            raise InputError(
                f"{path}: is cut short or damaged; expected compressed samples of {len(channels)} channels"
            )
        return
    expected = reader.data_start_offset + sum(channel.data_length for channel in channels)
    if expected > size:
        raise InputError(f"{path}: has {size} bytes; expected at least {expected}, as the header states")
    pattern = math.lcm(*(channel.frequency_divider for channel in channels)) * len(channels)
    if pattern > MAX_PATTERN:
        raise InputError(f"{path}: the order of the channels repeats after {pattern} samples; expected {MAX_PATTERN}")


def _interleaved(path: Path, reader: Reader, _: _FewHeaders) -> list[NDArray[Any]]:
    samples = [np.empty(channel.point_count, channel.dtype) for channel in reader.datafile.channels]
    try:
        for buffers in reader.stream():
            for values, buffer in zip(samples, buffers, strict=True):
                values[buffer.channel_slice] = buffer.buffer
    except BROKEN_ACQ as error:
        raise InputError(f"{path}: can't be read as AcqKnowledge; {error}") from None
    return samples


def _compressed(path: Path, reader: Reader, file: _FewHeaders) -> list[NDArray[Any]]:
    samples = []
    pairs = zip(reader.datafile.channels, reader.channel_compression_headers, strict=True)
    for number, (channel, header) in enumerate(pairs, 1):
        try:
            file.seek(header.compressed_data_offset)
            # One byte more than expected shows that there are more.
            content = zlib.decompressobj().decompress(file.read(header.compressed_data_len), channel.data_length + 1)
        except (zlib.error, OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: channel {number} can't be unpacked; {error}") from None
        if len(content) != channel.data_length:
            raise InputError(
                f"{path}: channel {number} unpacks to {len(content)} bytes or more; expected {channel.data_length}"
            )
        samples.append(np.frombuffer(content, channel.dtype))
    return samples


def _scaled(channel: Channel, values: NDArray[Any], shared: dict[int, int]) -> Array:
    samples = values[: shared[channel.frequency_divider]]
    with np.errstate(all="ignore"):  # a damaged file may hold any number; infinite samples are found later
        return samples * float(channel.raw_scale_factor) + float(channel.raw_offset)


def _remarks(reader: Reader, kept: Sequence[Channel], n_samples: int) -> list[str]:
    remarks = []
    rate_hz = kept[0].samples_per_second
    # A recording that is stopped ends within a round of channels, so single samples may be missing.
    if (max(channel.point_count for channel in kept) - n_samples) / rate_hz > MAX_LOST_S:
        remarks.append(
            f"the channels differ in length; the first {n_samples / rate_hz:.3f} s, which all have, are used"
        )
    end = max(channel.point_count * channel.frequency_divider for channel in kept)
    times_s = [
        marker.sample_index / reader.samples_per_second
        for marker in reader.event_markers or ()
        if 0 < marker.sample_index < end and (marker.type_code == "apnd" or marker.text.startswith(_APPENDED))
    ]
    if times_s:
        remarks.append(
            f"the recording was stopped and continued at {', '.join(f'{time_s:.3f} s' for time_s in times_s)}; "
            "a jump there is not EMG"
        )
    return remarks
