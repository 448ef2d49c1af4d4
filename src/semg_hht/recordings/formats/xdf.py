"""Reader of LabStreamingLayer recordings (XDF), with pyxdf."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import distinct_names, is_not_emg, says_emg_or_muscle
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, most_common
from semg_hht.recordings.formats.safe_xml import read_xml
from semg_hht.recordings.quality import MAX_GAP_SHARE
from semg_hht.recordings.units import one_unit

Array = NDArray[np.float64]

FILE_HEADER, STREAM_HEADER, SAMPLES, STREAM_FOOTER = 1, 2, 3, 6  # tags of chunks
BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}  # per value; strings vary
# The host's scheduling delays stamps, so shorter losses can't be distinguished from late stamps.
MIN_GAP_S = 0.1
MIN_LOSS_S = 0.01  # in all; stamps of bundles stray by some milliseconds
RATE_TOLERANCE = 0.01
MIN_SHARED = 0.5  # of the longest stream; streams that share less time are not joined
# What pyxdf raises over damaged chunks.
BROKEN_XDF = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, struct.error, MemoryError)


@dataclass
class StreamHeader:
    """The description of a stream of Lab Streaming Layer, from a file or the network, and what a file holds of it."""

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


@dataclass(frozen=True)
class _StreamSamples:
    """The samples (n_samples, n_channels) of one stream, the time of the first, and what is to be remarked."""

    stream: StreamHeader
    table: NDArray[Any]
    start_s: float
    rate_hz: float
    remarks: tuple[str, ...]

    @property
    def stop_s(self) -> float:
        return self.start_s + len(self.table) / self.rate_hz


def read_xdf(path: Path) -> DecodedRecording:
    """Read the streams of type EMG with the most common rate, or else the only stream that may be EMG.

    The rate is the nominal one, unless the rate of the time stamps differs from it by more than 1 %. Several streams
    are cut to the time that they share.

    Raises
    ------
    InputError
        The file is damaged or cut short, no single stream is the EMG, or samples were lost for
        more than 0.1 s.
    """
    from pyxdf import load_xdf

    streams = _streams(path)
    emg = _choose(path, streams)
    logging.getLogger("pyxdf").setLevel(logging.ERROR)  # its warnings name no file; the remarks do
    try:
        with np.errstate(all="ignore"):  # pyxdf divides by zero if all stamps are equal
            # The clocks of two computers differ. Stamps are left as they are: a line through them hides lost samples.
            contents, _ = load_xdf(path, emg, synchronize_clocks=len(emg) > 1, dejitter_timestamps=False)
    except BROKEN_XDF as error:
        raise InputError(f"{path}: can't be read as XDF; {error}") from None
    parts = [_part(path, streams[content["info"]["stream_id"]], content) for content in contents]
    parts, remarks = _of_one_time(parts)
    left_out = [str(stream) for stream in streams.values() if all(part.stream is not stream for part in parts)]
    if left_out:
        remarks.append(f"other streams were left out: {'; '.join(left_out)}")
    return _decode(parts, remarks)


def _streams(path: Path) -> dict[int, StreamHeader]:
    """The headers of all streams. Every chunk is measured, because pyxdf reads past the end of a damaged file."""
    streams: dict[int, StreamHeader] = {}
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
                        streams[key] = StreamHeader(root)
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


def _choose(path: Path, streams: dict[int, StreamHeader]) -> list[int]:
    """The keys of the streams to read: all of type EMG, else of ExG or named EMG, with one rate; else a single one."""
    signals = {key: stream for key, stream in streams.items() if stream.is_signal}
    said = {key: (stream.text("type").upper(), stream.text("name")) for key, stream in signals.items()}
    emg = [key for key, (kind, _) in said.items() if kind == "EMG"] or [
        key
        for key, (kind, name) in said.items()
        if kind == "EXG" or says_emg_or_muscle(kind) or says_emg_or_muscle(name)
    ]
    chosen = emg or [key for key, texts in said.items() if not any(map(is_not_emg, texts))] or list(signals)
    filled = [key for key in chosen if signals[key].n_samples]
    if not chosen or (len(filled) > 1 and not emg):
        found = "; ".join(str(stream) for stream in streams.values()) or "none"
        raise InputError(f"{path}: expected one stream of type EMG, or a single one with a rate; found {found}")
    if not filled:
        raise InputError(f"{path}: stream {signals[chosen[0]]} holds no samples")
    rate_hz = most_common(signals[key].rate_hz for key in filled for _ in range(signals[key].n_channels))
    return [key for key in filled if signals[key].rate_hz == rate_hz]


def _part(path: Path, stream: StreamHeader, content: dict[str, Any]) -> _StreamSamples:
    table = np.asarray(content["time_series"])  # (n_samples, n_channels)
    stamps = np.asarray(content["time_stamps"], dtype=np.float64)
    _require_unbroken(path, stream, stamps)
    remarks = []
    rate_hz = stream.rate_hz
    first_s, last_s = _line(stamps) if stamps.size else (0.0, 0.0)
    of_line_hz = (stamps.size - 1) / (last_s - first_s) if last_s > first_s else rate_hz
    # Late stamps make the first inexact in a short recording, and lost samples the second.
    measured = (_typical_rate(stamps) or rate_hz, of_line_hz)
    if all(abs(own_hz - rate_hz) > RATE_TOLERANCE * rate_hz for own_hz in measured):
        rate_hz = of_line_hz
        remarks.append(
            f"the header states {stream.rate_hz:g} Hz, but the time stamps give {rate_hz:.6g} Hz, which is used"
        )
    if (n_lost := _n_lost(stamps)) > MIN_LOSS_S * stream.rate_hz:
        lost = f"by the time stamps, about {n_lost} of {stamps.size + n_lost} samples are missing"
        if n_lost > MAX_GAP_SHARE * stamps.size:
            raise InputError(f"{path}: {lost}; expected at most {MAX_GAP_SHARE:.0%}")
        remarks.append(lost)
    if len(table) != stream.n_samples:
        remarks.append(f"{stream.n_samples - len(table)} of {stream.n_samples} samples are damaged and were left out")
    if not stream.has_footer:
        remarks.append("the file ends without the footer of the stream, so the recording may be incomplete")
    start_s = float(np.median(stamps - np.arange(stamps.size) / rate_hz)) if stamps.size else 0.0
    return _StreamSamples(stream, table, start_s, rate_hz, tuple(remarks))


def _require_unbroken(path: Path, stream: StreamHeader, stamps: Array) -> None:
    """Require that lines through the stamps on both sides of each jump meet; a bundle that arrives late is no gap."""
    jumps = np.flatnonzero(np.abs(np.diff(stamps) - 1 / stream.rate_hz) > MIN_GAP_S) + 1
    ends = [0, *jumps.tolist(), stamps.size]
    lines = [_line(stamps[start:stop]) for start, stop in zip(ends, ends[1:], strict=False)]
    for (_, before), (after, _) in zip(lines, lines[1:], strict=False):
        jump_s = after - before - 1 / stream.rate_hz
        if abs(jump_s) > MIN_GAP_S:
            raise InputError(
                f"{path}: the time stamps jump by {jump_s:.3g} s at {before - lines[0][0]:.3f} s; "
                "expected one unbroken recording"
            )


def _line(stamps: Array) -> tuple[float, float]:
    """The first and the last value of a straight line through the stamps."""
    at = np.arange(stamps.size) - (stamps.size - 1) / 2
    slope = float(at @ (stamps - stamps.mean()) / max(at @ at, 1.0))
    return float(stamps.mean() + slope * at[0]), float(stamps.mean() + slope * at[-1])


def _typical_rate(stamps: Array) -> float:
    """The rate of most stretches of an eighth of the recording, so that a single gap does not lower it; 0: none."""
    lag = stamps.size // 8
    step_s = float(np.median(stamps[lag:] - stamps[:-lag])) / lag if lag else 0.0
    return 1 / step_s if step_s > 0 else 0.0


def _n_lost(stamps: Array) -> int:
    """About how many samples are missing: how far the stamps move away, for good, from the rate of most of them.

    Stamps may be late, never early: the earliest of each second count, and only if all later ones are as late.
    """
    rate_hz = _typical_rate(stamps)
    n_second = max(int(rate_hz), 1)
    if stamps.size < 4 * n_second or not rate_hz:
        return 0
    late_s = stamps - np.arange(stamps.size) / rate_hz
    least = np.minimum.reduceat(late_s, np.arange(0, stamps.size - n_second + 1, n_second))
    steps = np.diff(least)
    noise_s = 6 * float(np.median(np.abs(steps - np.median(steps)))) + 2 / rate_hz
    lasting = np.diff(np.minimum.accumulate(least[::-1])[::-1])
    return round(float(lasting[lasting > noise_s].sum()) * rate_hz)


def _of_one_time(parts: list[_StreamSamples]) -> tuple[list[_StreamSamples], list[str]]:
    """Cut the streams to the time that they share, or keep the longest if that is little; and all remarks."""
    if len(parts) == 1:
        return parts, list(parts[0].remarks)
    start_s, stop_s = max(part.start_s for part in parts), min(part.stop_s for part in parts)
    longest = max(parts, key=lambda part: len(part.table))
    if stop_s - start_s < MIN_SHARED * (longest.stop_s - longest.start_s):
        names = "; ".join(str(part.stream) for part in parts)
        return [longest], [*longest.remarks, f"of the streams {names} the longest was read: they share little time"]
    firsts = [round((start_s - part.start_s) * part.rate_hz) for part in parts]
    n = min(len(part.table) - first for part, first in zip(parts, firsts, strict=True))
    last_s = [part.start_s + (first + n) / part.rate_hz for part, first in zip(parts, firsts, strict=True)]
    cut = [
        _StreamSamples(part.stream, part.table[first : first + n], start_s, part.rate_hz, part.remarks)
        for part, first in zip(parts, firsts, strict=True)
    ]
    names = " and ".join(str(part.stream) for part in parts)
    apart_s = max(np.ptp(last_s), 1 / longest.rate_hz)
    joined = f"the streams {names} were joined over the {n} samples that they share, at most {apart_s:.1g} s apart"
    return cut, [*dict.fromkeys(remark for part in parts for remark in part.remarks), joined]


def _decode(parts: list[_StreamSamples], remarks: list[str]) -> DecodedRecording:
    labels, kinds, units = (
        [text for part in parts for text in channel_texts(part.stream, key)] for key in ("label", "type", "unit")
    )
    streams = [part.stream.text("name") for part in parts for _ in range(part.stream.n_channels)]
    if len(set(labels)) < len(labels) and len(set(streams)) > 1:
        labels = [f"{stream} {label}".strip() for stream, label in zip(streams, labels, strict=True)]
    unit, factors = one_unit(units)
    return DecodedRecording(
        np.hstack([part.table for part in parts]) * np.array(factors),
        parts[0].rate_hz,
        distinct_names(labels),
        unit,
        remarks=tuple(remarks),
        channel_units=tuple(units),
        channel_types=tuple(kinds),
    )


def channel_texts(stream: StreamHeader, key: str) -> list[str]:
    """The entry ``key`` of each channel; empty if it is missing or the number of described channels differs."""
    channels = stream.header.findall("desc/channels/channel")
    if len(channels) != stream.n_channels:
        return [""] * stream.n_channels
    texts = [(channel.findtext(key) or "").strip() for channel in channels]
    return [text.upper() for text in texts] if key == "type" else texts
