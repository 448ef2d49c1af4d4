"""Recordings of LabStreamingLayer (XDF), through pyxdf.

Knows chunks, streams and time stamps: nothing of what a recording must be.
"""

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
from semg_hht.recordings.channels import distinct, is_other
from semg_hht.recordings.formats.contents import Contents
from semg_hht.recordings.formats.safe_xml import read_xml
from semg_hht.recordings.units import one_unit

FILE_HEADER, STREAM_HEADER, SAMPLES, STREAM_FOOTER = 1, 2, 3, 6  # tags of chunks
BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}  # a value takes; strings vary
# Stamps jitter by the host's scheduling, so shorter losses can't be told from late stamps.
MIN_GAP_S = 0.1
MIN_GAP_SAMPLES = 2
RATE_TOLERANCE = 0.01
# What pyxdf raises over chunks that are not as it expects.
BROKEN_XDF = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, struct.error, MemoryError)


@dataclass
class _Stream:
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


def read_xdf(path: Path) -> Contents:
    """The stream of type EMG, else the only one that holds samples at a rate.

    The rate is the nominal one, unless the time stamps say otherwise by more than 1 %.

    Raises
    ------
    InputError
        pyxdf is not installed, the file is damaged or cut short, no stream or more than one could be the EMG, or
        samples were lost for more than 0.1 s.
    """
    try:
        from pyxdf import load_xdf
    except ImportError:
        raise InputError(f"{path}: reading {path.suffix} needs pyxdf: pip install 'semg-hht[readers]'") from None
    streams = _streams(path)
    chosen = _choose(path, streams)
    try:
        with np.errstate(all="ignore"):  # stamps that are all alike have no rate, which pyxdf would divide for
            # Clocks of other computers matter only to other streams.
            (found,), _ = load_xdf(
                path, [chosen], synchronize_clocks=False, jitter_break_threshold_seconds=MIN_GAP_S,
                jitter_break_threshold_samples=MIN_GAP_SAMPLES,
            )  # fmt: skip
    except BROKEN_XDF as error:
        raise InputError(f"{path}: can't be read as XDF; {error}") from None
    left = [str(stream) for key, stream in streams.items() if key != chosen]
    return _contents(path, streams[chosen], found, left)


def _streams(path: Path) -> dict[int, _Stream]:
    """Headers of all streams. pyxdf reads on over the end of a damaged file, so every chunk is measured first."""
    streams: dict[int, _Stream] = {}
    with path.open("rb") as file:
        if file.read(4) != b"XDF:":
            raise InputError(f"{path}: can't be read as XDF; it does not begin with 'XDF:'")
        try:
            for tag, end in _chunks(path, file):
                if tag == FILE_HEADER:
                    read_xml(path, file.read(end - file.tell()), "the header")
                elif tag in (STREAM_HEADER, STREAM_FOOTER):
                    key = int(struct.unpack("<I", file.read(4))[0])
                    root = read_xml(path, file.read(end - file.tell()), f"the description of stream {key}")
                    if tag == STREAM_HEADER:
                        streams[key] = _Stream(root)
                        str(streams[key])  # a rate that is no number shows here
                    else:
                        streams[key].has_footer = True
                elif tag == SAMPLES:
                    stream = streams[int(struct.unpack("<I", file.read(4))[0])]
                    n_samples = _number(file)
                    # A sample is at least one byte, which says whether a time stamp follows, and its values.
                    least = n_samples * (1 + stream.n_channels * BYTES.get(stream.kind, 1))
                    if least > end - file.tell():
                        raise InputError(
                            f"{path}: a chunk of {end - file.tell()} bytes declares {n_samples} samples of stream "
                            f"{stream}; expected at least {least} bytes"
                        )
                    stream.n_samples += n_samples
        except (struct.error, KeyError, ValueError) as error:
            raise InputError(f"{path}: can't be read as XDF; chunk before byte {file.tell()}: {error}") from None
    return streams


def _chunks(path: Path, file: BinaryIO) -> Iterator[tuple[int, int]]:
    """(tag, where the chunk ends) of every chunk; the file stands behind the tag."""
    size = os.fstat(file.fileno()).st_size
    while file.tell() < size:
        start = file.tell()
        length = _number(file)
        end = file.tell() + length
        if end > size or length < 2:
            raise InputError(f"{path}: is cut short or damaged at byte {start} of {size}; expected whole chunks")
        yield int(struct.unpack("<H", file.read(2))[0]), end
        file.seek(end)


def _number(file: BinaryIO) -> int:
    """A number whose own size stands before it, as XDF stores lengths."""
    width = file.read(1)
    form = {b"\x01": "<B", b"\x04": "<I", b"\x08": "<Q"}.get(width)
    if form is None:
        raise ValueError(f"a length of {width!r} bytes; expected 1, 4 or 8")
    return int(struct.unpack(form, file.read(width[0]))[0])


def _choose(path: Path, streams: dict[int, _Stream]) -> int:
    signals = {key: stream for key, stream in streams.items() if stream.is_signal}
    named = [key for key, stream in signals.items() if stream.text("type").upper() == "EMG"]
    candidates = named or list(signals)
    if len(candidates) != 1:
        found = "; ".join(str(stream) for stream in streams.values()) or "none"
        raise InputError(f"{path}: expected one stream of type EMG, or a single one with a rate; found {found}")
    if not streams[candidates[0]].n_samples:
        raise InputError(f"{path}: stream {streams[candidates[0]]} holds no samples")
    return candidates[0]


def _contents(path: Path, stream: _Stream, found: dict[str, Any], left: list[str]) -> Contents:
    table = np.asarray(found["time_series"])  # (n_samples, n_channels)
    stamps = np.asarray(found["time_stamps"], dtype=np.float64)
    # Jitter is taken out of each part between two jumps, so stamps that came late in one bundle leave none.
    jumps_s = np.diff(stamps) - 1 / stream.rate_hz
    broken = np.flatnonzero(np.abs(jumps_s) > MIN_GAP_S)
    if broken.size:
        raise InputError(
            f"{path}: the time stamps jump by {jumps_s[broken[0]]:.3g} s at {stamps[broken[0]] - stamps[0]:.3f} s; "
            "expected one unbroken recording"
        )
    rate_hz, remarks = stream.rate_hz, []
    lasted_s = float(stamps[-1] - stamps[0]) if stamps.size else 0.0
    effective = (stamps.size - 1) / lasted_s if lasted_s > 0 else rate_hz
    if abs(effective - rate_hz) > RATE_TOLERANCE * rate_hz:
        remarks.append(
            f"samples arrived at {effective:.6g} Hz, the header says {rate_hz:g} Hz: {effective:.6g} Hz was taken"
        )
        rate_hz = effective
    if len(table) != stream.n_samples:
        remarks.append(f"{stream.n_samples - len(table)} of {stream.n_samples} samples are damaged and were left out")
    if not stream.has_footer:
        remarks.append("the file ends without the footer of the stream: the recording may have been broken off")
    if left:
        remarks.append(f"streams that were left out: {'; '.join(left)}")
    labels, kinds, units = (_described(stream, key) for key in ("label", "type", "unit"))
    names = distinct(labels)
    has_emg = "EMG" in kinds
    other = tuple(
        name
        for name, kind in zip(names, kinds, strict=True)
        if (kind != "EMG" if has_emg and kind else is_other(name) or is_other(kind))
    )
    if other:
        remarks.append(f"not taken for EMG: {', '.join(other)}")
    unit, factors = one_unit(units)
    return Contents(table * np.array(factors), rate_hz, names, unit, other, tuple(remarks))


def _described(stream: _Stream, key: str) -> list[str]:
    """What the description says of each channel; empty where it says nothing or speaks of another number of them."""
    channels = stream.header.findall("desc/channels/channel")
    if len(channels) != stream.n_channels:
        return [""] * stream.n_channels
    texts = [(channel.findtext(key) or "").strip() for channel in channels]
    return [text.upper() for text in texts] if key == "type" else texts
