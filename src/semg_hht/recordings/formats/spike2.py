"""Reader of Spike2 recordings of 32 bits (.smr): the channels of waveforms; events and markers are passed over."""

# neo multiplies the parts of a sampling interval as integers of 16 bits: under NumPy 2 a channel slower than 31 Hz gets
# a wrong rate or an error. It also loses channels of more than 32767 blocks, joins channels with different pauses, and
# follows damaged links for minutes. CED's own sonpy has no wheels for current versions of Python. The layout is that of
# CED's SON filing system (sonintl.h), which neo's source describes.

from __future__ import annotations

import os
import struct
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, Signal, decode_signals
from semg_hht.recordings.formats.edf import text_of_header

Array = NDArray[np.float64]

COPYRIGHT = b"(C) CED 87"
# System, copyright, microseconds per tick, number of channels, order of bytes, seconds of a microsecond.
_HEADER = struct.Struct("<h10s8xH8xH6xH4xd460x")
# First block, number of blocks, its upper half, title, ideal rate, kind, scale, offset, unit.
_CHANNEL = struct.Struct("<6xi4xH4xH86x10sfBxff6s2x")
_BLOCK = struct.Struct("<iiiiHH")  # block before, block after, first and last time, number of the channel, samples
_SCALES_SECONDS, _LONG = 6, 9  # from these systems on: the header scales ticks; positions are in units of 512 bytes
INTEGERS, FLOATS = 1, 9  # kinds of channels
_STEPS = 6553.6  # of the converter, for each volt
RATE_TOLERANCE = 0.01
MAX_LOST_S = 0.1


@dataclass(frozen=True)
class _Wave:
    """One channel. ``blocks``: positions and numbers of samples; ``start``, ``interval``: in ticks."""

    name: str
    unit: str
    factor: float
    offset: float
    dtype: str
    ideal_hz: float
    start: int
    interval: int
    blocks: list[tuple[int, int]]

    @property
    def n_samples(self) -> int:
        return sum(n for _, n in self.blocks)


@dataclass(frozen=True)
class _File:
    path: Path
    handle: BinaryIO
    size: int
    system: int
    tick_s: float
    n_channels: int

    def unpack(self, form: struct.Struct, at: int) -> tuple[Any, ...]:
        if at < 0 or at + form.size > self.size:
            raise InputError(f"{self.path}: is cut short or damaged; expected a header at byte {at} of {self.size}")
        self.handle.seek(at)
        return form.unpack(self.handle.read(form.size))


def read_spike2(path: Path) -> DecodedRecording:
    """Read the waveforms with the most common rate of EMG, in the units of the file, over the time that they share.

    The rate follows from the times of the samples.

    Raises
    ------
    InputError
        The file is not a Spike2 file of 32 bits, is cut short or damaged, has pauses, or holds no waveform.
    """
    with path.open("rb") as handle:
        file = _open(path, handle)
        waves = _read_waves(file)
        if not waves:
            raise InputError(f"{path}: expected at least one channel of waveforms; found none")
        by_interval: dict[int, list[_Wave]] = defaultdict(list)
        for wave in waves:
            by_interval[wave.interval].append(wave)
        shared = {interval: _shared(path, group, file.tick_s) for interval, group in by_interval.items()}
        decoded = decode_signals(
            [
                Signal(wave.name, wave.unit, _rate_hz(wave, file), partial(_read, file, wave, *shared[wave.interval]))
                for wave in waves
            ]
        )
    kept = next(group for group in by_interval.values() if _rate_hz(group[0], file) == decoded.rate_hz)
    return replace(decoded, remarks=(*decoded.remarks, *_remarks(kept, file, shared[kept[0].interval][1])))


def _open(path: Path, handle: BinaryIO) -> _File:
    size = os.fstat(handle.fileno()).st_size
    content = handle.read(_HEADER.size)
    if content.startswith(b"S64"):
        raise InputError(f"{path}: is a Spike2 file of 64 bits (.smrx); export it from Spike2 as text (.txt)")
    if len(content) < _HEADER.size or content[2:12] != COPYRIGHT:
        raise InputError(f"{path}: can't be read as Spike2; expected {COPYRIGHT.decode()!r} in a header of 512 bytes")
    system, _, microseconds, n_channels, byte_order, second = _HEADER.unpack(content)
    if not 1 <= system <= _LONG or byte_order:
        raise InputError(
            f"{path}: states system {system} and order of bytes {byte_order}; expected system 1 to {_LONG} and order 0"
        )
    tick_s = microseconds * (second if system >= _SCALES_SECONDS else 1e-6)
    if not (np.isfinite(tick_s) and tick_s > 0):
        raise InputError(f"{path}: states a clock tick of {tick_s:g} s; expected more than 0 s")
    return _File(path, handle, size, system, tick_s, n_channels)


def _read_waves(file: _File) -> list[_Wave]:
    waves, n_bytes = [], 0
    for at in range(file.n_channels):
        first, n_blocks, upper, title, ideal_hz, kind, scale, offset, unit = file.unpack(
            _CHANNEL, _HEADER.size + at * _CHANNEL.size
        )
        if file.system == _LONG:
            n_blocks += upper << 16
        if kind not in (INTEGERS, FLOATS) or not n_blocks:
            continue
        n_bytes += n_blocks * _BLOCK.size  # a damaged file may declare any number, and link blocks to each other
        if n_bytes > file.size:
            raise InputError(f"{file.path}: declares {n_blocks} blocks of channel {at + 1}; expected no more than fit")
        start, interval, blocks = _read_blocks(file, at, first, n_blocks, 2 if kind == INTEGERS else 4)
        if interval:
            waves.append(
                _Wave(
                    _pascal(title), _pascal(unit), scale / _STEPS if kind == INTEGERS else 1.0,
                    offset if kind == INTEGERS else 0.0, "<i2" if kind == INTEGERS else "<f4", ideal_hz, start,
                    interval, blocks,
                )
            )  # fmt: skip
    return waves


def _pascal(field: bytes) -> str:
    """A text that begins with its length."""
    return text_of_header(field[1 : 1 + field[0]])


def _read_blocks(
    file: _File, channel: int, first: int, n_blocks: int, n_bytes: int
) -> tuple[int, int, list[tuple[int, int]]]:
    """The first time, the interval between samples (0: fewer than two samples) and all blocks of a channel."""
    unit = 512 if file.system == _LONG else 1
    blocks: list[tuple[int, int]] = []
    start = interval = end = n_read = 0
    following, before = first, -1
    for number in range(n_blocks):
        at = following * unit
        link, following_next, begin, stop, of_channel, n = file.unpack(_BLOCK, at)
        n_read += _BLOCK.size + n * n_bytes
        is_whole = link == before and of_channel == channel + 1 and n and at + _BLOCK.size + n * n_bytes <= file.size
        if n > 1 and not interval:
            interval = (stop - begin) // (n - 1)
        if not is_whole or n_read > file.size or stop - begin != (n - 1) * interval or (n > 1 and interval < 1):
            raise InputError(f"{file.path}: the block of channel {channel + 1} at byte {at} is cut short or damaged")
        if number and begin - end != interval:
            raise InputError(
                f"{file.path}: channel {channel + 1} has a pause of {(begin - end) * file.tick_s:.3g} s at "
                f"{end * file.tick_s:.3f} s; expected one unbroken recording"
            )
        start = start if number else begin
        blocks.append((at + _BLOCK.size, n))
        before, following, end = following, following_next, stop
    return start, interval, blocks


def _rate_hz(wave: _Wave, file: _File) -> float:
    return float(f"{1 / (wave.interval * file.tick_s):.10g}")  # without the rounding of the tick, such as 2e-6


def _shared(path: Path, waves: list[_Wave], tick_s: float) -> tuple[int, int]:
    """The first tick and the number of samples that all these channels have."""
    interval = waves[0].interval
    start = max(wave.start for wave in waves)
    n_samples = min(wave.n_samples - _skipped(wave, start) for wave in waves)
    if n_samples < 1:
        names = ", ".join(wave.name for wave in waves)
        raise InputError(f"{path}: {names} share no time; expected channels of {1 / (interval * tick_s):g} Hz to do so")
    return start, n_samples


def _skipped(wave: _Wave, start: int) -> int:
    """Samples before a tick, to the nearest one: the converter reads the channels one after the other."""
    return (start - wave.start + wave.interval // 2) // wave.interval


def _read(file: _File, wave: _Wave, start: int, n_samples: int) -> Array:
    counts = np.empty(wave.n_samples, wave.dtype)
    at = 0
    for position, n in wave.blocks:
        file.handle.seek(position)
        counts[at : at + n] = np.frombuffer(file.handle.read(n * counts.itemsize), wave.dtype)
        at += n
    skipped = _skipped(wave, start)
    with np.errstate(all="ignore"):  # a damaged file may hold any number; infinite samples are found later
        return counts[skipped : skipped + n_samples].astype(np.float64) * wave.factor + wave.offset


def _remarks(waves: list[_Wave], file: _File, n_samples: int) -> list[str]:
    remarks = []
    interval_s = waves[0].interval * file.tick_s
    lost_s = (max(wave.n_samples for wave in waves) - n_samples) * interval_s
    if lost_s > MAX_LOST_S:
        remarks.append(
            f"the channels do not start and end together; the {n_samples * interval_s:.3f} s that all have are used"
        )
    for wave in waves:
        if wave.ideal_hz > 0 and abs(wave.ideal_hz * interval_s - 1) > RATE_TOLERANCE:
            remarks.append(
                f"channel {wave.name}: {wave.ideal_hz:g} Hz were wanted; the times of the samples give "
                f"{1 / interval_s:g} Hz, which is used"
            )
    return remarks
