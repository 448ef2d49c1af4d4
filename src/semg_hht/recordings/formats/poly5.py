"""Reader of Poly5 recordings, which the programs of TMSi write (Polybench, the interfaces of SAGA)."""

# neo and MNE do not read Poly5, and no package on PyPI does. The layout is that of TMSi's interfaces for Python and
# MATLAB and of FieldTrip's read_tmsi_poly5.m.

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, Signal, decode_signals
from semg_hht.recordings.formats.edf import text_of_header

Array = NDArray[np.float64]

MAGIC = b"POLY SAMPLE FILEversion 2.03\r\n\x1a"
# After the version and the name: the rate, the numbers of signals, samples, blocks and samples of a block.
_HEADER = struct.Struct("<31s2x81xH3xHI18xIH2xH64x")
_SIGNAL = struct.Struct("<x40s5x10s4f64x")  # name, unit, ranges of the unit and of the converter; texts have a length
_BLOCK_HEADER = 86  # bytes before the samples of a block
_LOW, _HIGH = "(Lo) ", "(Hi) "  # a channel of 32 bits is described as two signals of 16 bits


@dataclass(frozen=True)
class _Header:
    rate_hz: float
    n_signals: int
    n_samples: int
    n_blocks: int
    samples_per_block: int

    @property
    def n_channels(self) -> int:
        return self.n_signals // 2

    @property
    def start(self) -> int:
        """The byte of the first block."""
        return _HEADER.size + self.n_signals * _SIGNAL.size

    def bytes_of(self, n_samples: int) -> int:
        """The bytes of a block."""
        return _BLOCK_HEADER + 4 * n_samples * self.n_channels

    @property
    def n_in_last(self) -> int:
        return self.n_samples - (self.n_blocks - 1) * self.samples_per_block


def read_poly5(path: Path) -> DecodedRecording:
    """Read all channels, in the units of the header.

    Raises
    ------
    InputError
        The file is not Poly5 of version 2.03, is cut short or damaged, is compressed, or holds signals of 16 bits.
    """
    with path.open("rb") as file:
        header = _read_header(path, file)
        parts = [_SIGNAL.unpack(file.read(_SIGNAL.size)) for _ in range(header.n_signals)]
        names = [text_of_header(name) for name, *_ in parts]
        for low, high in zip(names[::2], names[1::2], strict=True):
            if not (low.startswith(_LOW) and high.startswith(_HIGH)):
                raise InputError(f"{path}: expected channels of 32 bits, named {_LOW}and {_HIGH}; found {low}, {high}")
        table = np.empty((header.n_samples, header.n_channels), np.float32)
        for at in range(header.n_blocks):
            first = at * header.samples_per_block
            n = min(header.samples_per_block, header.n_samples - first)
            file.seek(header.start + at * header.bytes_of(header.samples_per_block) + _BLOCK_HEADER)
            values = np.frombuffer(file.read(4 * n * header.n_channels), "<f4")
            table[first : first + n] = values.reshape(n, header.n_channels)  # (n_samples, n_channels)
    return decode_signals(
        [
            Signal(name.removeprefix(_LOW), text_of_header(unit), header.rate_hz, partial(_scaled, table[:, i], ranges))
            for i, (name, (_, unit, *ranges)) in enumerate(zip(names[::2], parts[::2], strict=True))
        ]
    )


def _read_header(path: Path, file: BinaryIO) -> _Header:
    size = os.fstat(file.fileno()).st_size
    content = file.read(_HEADER.size)
    if len(content) < _HEADER.size or not content.startswith(MAGIC):
        raise InputError(f"{path}: can't be read as Poly5; expected {MAGIC[:28].decode()!r} and a header at its start")
    _, rate_hz, n_signals, n_samples, n_blocks, samples_per_block, compression = _HEADER.unpack(content)
    header = _Header(float(rate_hz), n_signals, n_samples, n_blocks, samples_per_block)
    if compression:
        raise InputError(f"{path}: the samples are compressed; expected plain samples")
    if n_signals < 2 or n_signals % 2 or not n_samples:
        raise InputError(
            f"{path}: declares {n_signals} signals of {n_samples} samples; expected two signals for each channel"
        )
    if not 0 < header.n_in_last <= samples_per_block:
        raise InputError(
            f"{path}: declares {n_samples} samples in {n_blocks} blocks of {samples_per_block}; "
            "expected as many as the blocks hold"
        )
    expected = header.start + (n_blocks - 1) * header.bytes_of(samples_per_block) + header.bytes_of(header.n_in_last)
    if size < expected:
        raise InputError(f"{path}: has {size} bytes; expected {expected}, as the header states")
    return header


def _scaled(values: NDArray[np.float32], ranges: list[float]) -> Array:
    """Samples in the unit. Equal ranges, as today's devices write, mean that they are stored in it."""
    unit_low, unit_high, low, high = ranges
    with np.errstate(all="ignore"):  # a damaged file may hold any number; infinite samples are found later
        samples = values.astype(np.float64)
        if (
            (unit_low, unit_high) == (low, high)
            or unit_low == unit_high
            or low == high
            or not np.isfinite(ranges).all()
        ):
            return samples
        return (samples - low) * ((unit_high - unit_low) / (high - low)) + unit_low
