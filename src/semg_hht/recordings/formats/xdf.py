"""Reader of LabStreamingLayer recordings (XDF), with pyxdf."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.channels import distinct_names
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.safe_xml import read_xml
from semg_hht.recordings.units import one_unit

FILE_HEADER, STREAM_HEADER, SAMPLES, STREAM_FOOTER = 1, 2, 3, 6  # tags of chunks
BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}  # per value; strings vary
# The host's scheduling delays stamps, so shorter losses can't be distinguished from late stamps.
MIN_GAP_S = 0.1
MIN_GAP_SAMPLES = 2
RATE_TOLERANCE = 0.01
# What pyxdf raises over damaged chunks.
BROKEN_XDF = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, struct.error, MemoryError)


@dataclass
class _XdfStream:
    header: Element
    n_samples: int = 0
    has_footer: bool = False

    def text(self, key: str) -> str:
        return (self.header.findtext(key) or "").strip()

    @property
    def rate_hz(self) -> float:
        return float(self.text("nominal_srate"))

    @property
    def n_channels(self) -> int:
        return int(self.text("channel_count"))

    @property
    def kind(self) -> str:
        return self.text("channel_format")

    @property
    def is_signal(self) -> bool:
        return self.kind in BYTES and self.rate_hz > 0

    def __str__(self) -> str:
        return f"{self.text('name') or 'no name'} ({self.text('type') or 'no type'}, {self.kind}, {self.rate_hz:g} Hz)"


def read_xdf(path: Path) -> DecodedRecording:
    """Read the stream of type EMG, or else the only stream of numbers with a rate.

    The rate is the nominal one, unless the rate of the time stamps differs from it by more than 1 %.

    Raises
    ------
    InputError
        The file is damaged or cut short, no single stream is the EMG, or samples were lost for
        more than 0.1 s.
    """
    from pyxdf import load_xdf

    streams = _streams(path)
    emg = _choose(path, streams)
    try:
        with np.errstate(all="ignore"):  # pyxdf computes a rate, and divides by zero if all stamps are equal
            # Clocks of other computers matter only to other streams.
            (content,), _ = load_xdf(
                path, [emg], synchronize_clocks=False, jitter_break_threshold_seconds=MIN_GAP_S,
                jitter_break_threshold_samples=MIN_GAP_SAMPLES,
            )  # fmt: skip
    except BROKEN_XDF as error:
        raise InputError(f"{path}: can't be read as XDF; {error}") from None
    left_out = [str(stream) for key, stream in streams.items() if key != emg]
    return _decode(path, streams[emg], content, left_out)


def _streams(path: Path) -> dict[int, _XdfStream]:
    """The headers of all streams. Every chunk is measured, because pyxdf reads past the end of a damaged file."""
    streams: dict[int, _XdfStream] = {}
    with path.open("rb") as file:
        if file.read(4) != b"XDF:":
            raise InputError(f"{path}: can't be read as XDF; expected 'XDF:' at its start")
        try:
            for tag, end in _chunks(path, file):
                if tag == FILE_HEADER:
                    read_xml(path, file.read(end - file.tell()), "the header")
                elif tag in (STREAM_HEADER, STREAM_FOOTER):
                    key = int(struct.unpack("<I", file.read(4))[0])
                    root = read_xml(path, file.read(end - file.tell()), f"the description of stream {key}")
                    if tag == STREAM_HEADER:
                        streams[key] = _XdfStream(root)
                        str(streams[key])  # raises ValueError if the rate is not a number
                    else:
                        streams[key].has_footer = True
                elif tag == SAMPLES:
                    stream = streams[int(struct.unpack("<I", file.read(4))[0])]
                    n_samples = _length(file)
                    # A sample has at least one byte, which tells whether a time stamp follows, and its values.
                    min_bytes = n_samples * (1 + stream.n_channels * BYTES.get(stream.kind, 1))
                    if min_bytes > end - file.tell():
                        raise InputError(
                            f"{path}: a chunk of {end - file.tell()} bytes declares {n_samples} samples of stream "
                            f"{stream}; expected at least {min_bytes} bytes"
                        )
                    stream.n_samples += n_samples
        except (struct.error, KeyError, ValueError) as error:
            raise InputError(f"{path}: can't be read as XDF; chunk before byte {file.tell()}: {error}") from None
    return streams


def _chunks(path: Path, file: BinaryIO) -> Iterator[tuple[int, int]]:
    """The tag and the end of every chunk; the file position is behind the tag."""
    size = os.fstat(file.fileno()).st_size
    while file.tell() < size:
        start = file.tell()
        length = _length(file)
        end = file.tell() + length
        if end > size or length < 2:
            raise InputError(f"{path}: is cut short or damaged at byte {start} of {size}; expected whole chunks")
        yield int(struct.unpack("<H", file.read(2))[0]), end
        file.seek(end)


def _length(file: BinaryIO) -> int:
    """A length as XDF stores it: the number of its bytes, then the bytes."""
    width = file.read(1)
    form = {b"\x01": "<B", b"\x04": "<I", b"\x08": "<Q"}.get(width)
    if form is None:
        raise ValueError(f"a length of {width!r} bytes; expected 1, 4 or 8")
    return int(struct.unpack(form, file.read(width[0]))[0])


def _choose(path: Path, streams: dict[int, _XdfStream]) -> int:
    """The key of the stream to read."""
    signals = {key: stream for key, stream in streams.items() if stream.is_signal}
    named = [key for key, stream in signals.items() if stream.text("type").upper() == "EMG"]
    candidates = named or list(signals)
    if len(candidates) != 1:
        found = "; ".join(str(stream) for stream in streams.values()) or "none"
        raise InputError(f"{path}: expected one stream of type EMG, or a single one with a rate; found {found}")
    if not streams[candidates[0]].n_samples:
        raise InputError(f"{path}: stream {streams[candidates[0]]} holds no samples")
    return candidates[0]


def _decode(path: Path, stream: _XdfStream, content: dict[str, Any], left_out: list[str]) -> DecodedRecording:
    table = np.asarray(content["time_series"])  # (n_samples, n_channels)
    stamps = np.asarray(content["time_stamps"], dtype=np.float64)
    # pyxdf removes the jitter between two jumps, so late stamps of one bundle leave no gap.
    jumps_s = np.diff(stamps) - 1 / stream.rate_hz
    broken = np.flatnonzero(np.abs(jumps_s) > MIN_GAP_S)
    if broken.size:
        raise InputError(
            f"{path}: the time stamps jump by {jumps_s[broken[0]]:.3g} s at {stamps[broken[0]] - stamps[0]:.3f} s; "
            "expected one unbroken recording"
        )
    rate_hz, remarks = stream.rate_hz, []
    duration_s = float(stamps[-1] - stamps[0]) if stamps.size else 0.0
    measured_hz = (stamps.size - 1) / duration_s if duration_s > 0 else rate_hz
    if abs(measured_hz - rate_hz) > RATE_TOLERANCE * rate_hz:
        remarks.append(
            f"the header states {rate_hz:g} Hz, but the time stamps give {measured_hz:.6g} Hz, which is used"
        )
        rate_hz = measured_hz
    if len(table) != stream.n_samples:
        remarks.append(f"{stream.n_samples - len(table)} of {stream.n_samples} samples are damaged and were left out")
    if not stream.has_footer:
        remarks.append("the file ends without the footer of the stream, so the recording may be incomplete")
    if left_out:
        remarks.append(f"other streams were left out: {'; '.join(left_out)}")
    labels, kinds, units = (_described(stream, key) for key in ("label", "type", "unit"))
    names = distinct_names(labels)
    unit, factors = one_unit(units)
    return DecodedRecording(
        table * np.array(factors),
        rate_hz,
        names,
        unit,
        remarks=tuple(remarks),
        channel_units=tuple(units),
        channel_types=tuple(kinds),
    )


def _described(stream: _XdfStream, key: str) -> list[str]:
    """The entry ``key`` of each channel; empty if it is missing or the number of described channels differs."""
    channels = stream.header.findall("desc/channels/channel")
    if len(channels) != stream.n_channels:
        return [""] * stream.n_channels
    texts = [(channel.findtext(key) or "").strip() for channel in channels]
    return [text.upper() for text in texts] if key == "type" else texts
