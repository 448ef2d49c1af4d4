"""Writers of small valid recordings in formats of single makers, byte by byte from their published layouts.

They know how files are laid out and do not know the readers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COUNTS = np.random.default_rng(0).integers(-20_000, 20_000, (2000, 2)).astype("<i2")

# Poly5 (TMSi's interface for Python, poly5_file_writer.py)

POLY5_UV = (300 * np.random.default_rng(0).standard_normal((250, 2))).astype("<f4")


@dataclass(frozen=True)
class Poly5:
    """The last block is full, with zeros after the samples, or ends with them."""

    table: NDArray[np.float32] = field(default_factory=lambda: POLY5_UV)
    names: Sequence[str] = ("biceps", "TRIGGERS")
    units: Sequence[bytes] = (b"\xc2\xb5Volt", b"")
    rate_hz: int = 2000
    per_block: int = 100
    ranges: tuple[float, ...] = (0, 1000, 0, 1000)
    is_last_full: bool = True

    def content(self) -> bytes:
        n_samples, n_channels = self.table.shape
        n_blocks = -(-n_samples // self.per_block)
        header = struct.pack(
            "<31sH81pHHBHI4x7HIHHH64x", b"POLY SAMPLE FILEversion 2.03\r\n\x1a", 203, b"curl", self.rate_hz,
            self.rate_hz, 0, 2 * n_channels, n_samples, 2026, 11, 28, 6, 12, 0, 0, n_blocks, self.per_block,
            4 * n_channels * self.per_block, 0,
        )  # fmt: skip
        signals = [
            struct.pack("<41p4x11p4fH62x", f"({half}) {name}".encode(), unit, *self.ranges, i)
            for i, (name, unit) in enumerate(zip(self.names, self.units, strict=True))
            for half in ("Lo", "Hi")
        ]
        blocks = []
        for at in range(0, n_samples, self.per_block):
            part = self.table[at : at + self.per_block]
            if self.is_last_full:
                part = np.pad(part, ((0, self.per_block - len(part)), (0, 0)))
            blocks.append(struct.pack("<i4x7H64x", at, *[1] * 7) + part.astype("<f4").tobytes())
        return header + b"".join(signals + blocks)


def write_poly5(folder: Path, content: bytes | None = None) -> Path:
    path = folder / "a.poly5"
    path.write_bytes(Poly5().content() if content is None else content)
    return path


# Spike2 of 32 bits (CED's SON filing system)


@dataclass(frozen=True)
class SonChannel:
    """``interval``, ``start``: in ticks; ``gaps``: ticks without samples before each block."""

    name: str = "biceps"
    unit: bytes = b"mV"
    values: NDArray[np.generic] = field(default_factory=lambda: COUNTS[:500, 0])
    interval: int = 500
    start: int = 0
    per_block: int = 200
    gaps: dict[int, int] = field(default_factory=dict)
    ideal_hz: float = 1000.0
    scale: float = 2.0
    offset: float = 0.5

    @property
    def kind(self) -> int:
        return 9 if self.values.dtype.kind == "f" else 1


def son_content(channels: Sequence[SonChannel], *, system: int = 8, tick_us: int = 2) -> bytes:
    """Systems before 6 state the interval as a number of conversions, here of 100 ticks each."""
    unit = 512 if system == 9 else 1
    at = -(-(512 + 140 * len(channels)) // 512) * 512
    headers, data = [], bytearray()
    for number, channel in enumerate(channels):
        starts = list(range(0, len(channel.values), channel.per_block))
        positions, blocks, tick = [], [], channel.start
        for i, first in enumerate(starts):
            part = channel.values[first : first + channel.per_block]
            tick += channel.gaps.get(i, 0)
            end = tick + (len(part) - 1) * channel.interval
            positions.append((at + len(data)) // unit)
            block = struct.pack("<iiHH", tick, end, number + 1, len(part)) + part.tobytes()
            blocks.append(block)
            data += bytes(8) + block + bytes(-(8 + len(block)) % 512)
            tick = end + channel.interval
        for i, position in enumerate(positions):
            before = positions[i - 1] if i else -1
            after = positions[i + 1] if i + 1 < len(positions) else -1
            struct.pack_into("<ii", data, position * unit - at, before, after)
        headers.append(
            struct.pack(
                "<hiiihhhHhh72piih10pfBBff6ph", 0, 0, positions[0] if positions else -1,
                positions[-1] if positions else -1, len(positions), 0, 0, 0, 0, 0, b"", 0,
                channel.interval if system >= 6 else 0, number, channel.name.encode(), channel.ideal_hz, channel.kind,
                0, channel.scale, channel.offset, channel.unit, channel.interval // 100 if system < 6 else 1,
            )
        )  # fmt: skip
    header = struct.pack(
        "<h10s8shhhihhhhhid460x",
        system,
        b"(C) CED 87",
        b"Spike2",
        tick_us,
        100,
        0,
        at,
        len(channels),
        0,
        0,
        0,
        0,
        0,
        1e-6,
    )
    return (header + b"".join(headers)).ljust(at, b"\0") + bytes(data)


def write_spike2(folder: Path, channels: Sequence[SonChannel] = (SonChannel(),), *, system: int = 8) -> Path:
    path = folder / "a.smr"
    path.write_bytes(son_content(channels, system=system))
    return path


# RHD, Intan's traditional format (RHD data file formats, intantech.com)

RHD_COUNTS = (32768 + COUNTS[:1280].astype(np.int64)).astype("<u2")  # as many samples as fill ten blocks


def _qstring(text: str) -> bytes:
    content = text.encode("utf-16-le")
    return struct.pack("<I", len(content)) + content


def _rhd_channel(native: str, custom: str, kind: int, order: int) -> bytes:
    return (
        _qstring(native) + _qstring(custom) + struct.pack("<10h2f", order, order, kind, 1, order, 0, 0, 0, 0, 0, 0, 0)
    )


def write_rhd(folder: Path, *, rate_hz: float = 2000.0, first: int = 0, jump: int = 0) -> Path:
    """Version 3.0: two electrodes, an auxiliary input, the supply voltage and an input of the board.

    first : number of the first sample; jump : numbers that are missing before the sixth block.
    """
    per_block, n_blocks = 128, len(RHD_COUNTS) // 128
    channels = [_rhd_channel(f"A-00{i}", name, 0, i) for i, name in enumerate(("biceps", ""))]
    channels += [_rhd_channel("A-AUX1", "A-AUX1", 1, 0), _rhd_channel("A-VDD1", "A-VDD1", 2, 0)]
    channels += [_rhd_channel("ANALOG-IN-1", "force", 3, 0)]
    header = (
        struct.pack("<Ihhfh6fh2f", 0xC6912702, 3, 0, rate_hz, 1, 1, 1, 500, 1, 1, 500, 0, 1000, 1000)
        + _qstring("curl") + _qstring("") * 2 + struct.pack("<hh", 0, 0) + _qstring("n/a") + struct.pack("<h", 1)
        + _qstring("Port A") + _qstring("A") + struct.pack("<hhh", 1, len(channels), 2) + b"".join(channels)
    )  # fmt: skip
    blocks = []
    for at in range(0, n_blocks * per_block, per_block):
        numbers = first + at + (jump if at >= 5 * per_block else 0) + np.arange(per_block, dtype="<i4")
        electrodes = RHD_COUNTS[at : at + per_block].T.tobytes()  # (n_samples, n_channels) -> (n_channels, n_samples)
        slow = np.full(per_block // 4 + 1, 1000, "<u2").tobytes()  # the auxiliary input, and the supply voltage once
        blocks.append(numbers.astype("<i4").tobytes() + electrodes + slow + np.arange(per_block, dtype="<u2").tobytes())
    path = folder / "a.rhd"
    path.write_bytes(header + b"".join(blocks))
    return path


# AcqKnowledge 3.8.1 (BIOPAC Application Note 156, and bioread's headers.py where the note ends)

ACQ_COUNTS = COUNTS[:400, 0]


@dataclass(frozen=True)
class AcqChannel:
    name: bytes = b"EMG biceps"
    unit: bytes = b"mV"
    values: NDArray[np.generic] = field(default_factory=lambda: ACQ_COUNTS)
    divider: int = 1
    scale: float = 1e-4
    offset: float = 0.25

    @property
    def is_float(self) -> bool:
        return self.values.dtype.kind == "f"


def acq_content(
    channels: Sequence[AcqChannel], *, is_compressed: bool = False, sample_ms: float = 0.5, segments: Sequence[int] = ()
) -> bytes:
    """segments : numbers of the samples at which the recording was continued."""
    graph = bytearray(1944)
    struct.pack_into("<hiih4xd", graph, 0, 0, 41, len(graph), len(channels), sample_ms)
    struct.pack_into("<i", graph, 1936, is_compressed)
    headers = []
    for number, channel in enumerate(channels):
        header = bytearray(254)
        struct.pack_into("<ih40s", header, 0, len(header), number, channel.name)
        struct.pack_into(
            "<20siddh", header, 68, channel.unit, len(channel.values), channel.scale, channel.offset, number
        )
        struct.pack_into("<h", header, 250, channel.divider)
        headers.append(bytes(header))
    foreign = struct.pack("<hh", 4, 0)
    types = b"".join(struct.pack("<hh", *((8, 1) if channel.is_float else (2, 2))) for channel in channels)
    markers = struct.pack("<ii", 0, len(segments)) + b"".join(
        struct.pack("<ihhhh", at, 0, 0, 0, 9) + b"Segment 2\0" for at in segments
    )
    markers += struct.pack("<4xi76x", len(segments))  # colors of the markers
    markers += b"".join(struct.pack("<4xi20x", number + 1) for number in range(len(segments)))
    journal = b"\x44\x33\x22\x11" + struct.pack("<hi", 0, 0)
    start = bytes(graph) + b"".join(headers) + foreign + types
    if not is_compressed:
        return start + _interleaved(channels) + markers + journal
    packed = struct.pack("<34xi", 0)
    for channel in channels:
        content = channel.values.tobytes()
        small = zlib.compress(content)
        lengths = struct.pack("<44x4i", len(channel.name), len(channel.unit), len(content), len(small))
        packed += lengths + channel.name + channel.unit + small
    return start + markers + journal + packed


def _interleaved(channels: Sequence[AcqChannel]) -> bytes:
    """Samples in the order in which they were taken; a slower channel has one in every ``divider`` rounds."""
    n_rounds = max(len(channel.values) * channel.divider for channel in channels)
    parts = []
    for at in range(n_rounds):
        for channel in channels:
            if at % channel.divider == 0 and at // channel.divider < len(channel.values):
                parts.append(channel.values[at // channel.divider].tobytes())
    return b"".join(parts)


def write_acq(folder: Path, content: bytes | None = None) -> Path:
    path = folder / "a.acq"
    path.write_bytes(acq_content([AcqChannel()]) if content is None else content)
    return path
