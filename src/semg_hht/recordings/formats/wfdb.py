"""Recordings of PhysioNet's kind (WFDB): a header ``.hea`` and its ``.dat`` files, through the library wfdb.

Knows headers, segments and frames: nothing of what a recording must be. Reads files beside the header, never a network:
wfdb's grammar of headers admits names, no paths and no addresses, and a local path is all it is given here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.channels import distinct, is_other
from semg_hht.recordings.formats.contents import Contents
from semg_hht.recordings.units import one_unit
from semg_hht.system.files import require_file

if TYPE_CHECKING:
    from wfdb import MultiRecord, Record

MAX_SAMPLES = 2 * 2**30  # a damaged or hostile header may declare any number; these are 16 GiB
# Bytes that a sample takes in each format of a signal file (WFDB Applications Guide, signal(5)). The compressed formats
# 508, 516 and 524 are missing: their sizes can't be foretold, and the decoder itself notices where an end is missing.
BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "61": 2, "80": 1, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3}
GAP = "~"  # in place of a segment's name, or of a file in a header that only lays channels out
# What wfdb raises over headers and signal files that are not as it expects.
BROKEN_WFDB = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, UnicodeError)


def read_wfdb(path: Path) -> Contents:
    """The signals of a record that share the commonest rate, in the units of the header; segments in a row.

    Raises
    ------
    InputError
        wfdb is not installed, the header can't be read or names files elsewhere, a signal file is missing or shorter
        than the header says, or there are gaps between segments.
    """
    try:
        from wfdb import MultiRecord, rdheader, rdrecord
    except ImportError:
        raise InputError(f"{path}: reading {path.suffix} needs wfdb: pip install 'semg-hht[wfdb]'") from None
    name = str(path.resolve().with_suffix(""))
    if "::" in name or "://" in name:  # fsspec, which opens the files for wfdb, would take these for an address
        raise InputError(f"{path}: expected a path without '::' and '://' for a WFDB record; found {name}")
    try:
        header = rdheader(name)
        if isinstance(header, MultiRecord):
            _check_lengths(path, header)
            parts = {}
            for segment in set(header.seg_name):
                _require_part(path, f"{segment}.hea")
                parts[segment] = rdheader(str(path.resolve().parent / segment))
            for segment, part in parts.items():
                if isinstance(part, MultiRecord):
                    raise InputError(f"{path}: segment {segment} has segments of its own; expected signals")
                _check_files(path, part)
            _check_likeness(path, header, [parts[name] for name in header.seg_name])
        else:
            _check_files(path, header)
        # Frames hold several samples of a fast signal: without smoothing, none of them is averaged away.
        record = rdrecord(name, smooth_frames=False)
    except InputError:
        raise
    except BROKEN_WFDB as error:
        raise InputError(f"{path}: can't be read as WFDB; {error}") from None
    return _contents(path, record)


def segment_headers(headers: Iterable[Path]) -> set[Path]:
    """Those of these ``.hea`` files that others of them name as their segments: parts, no recordings of their own."""
    return {part for header in headers for part in _named(header) if part.suffix == ".hea"}


def record_files(header: Path) -> tuple[Path, ...]:
    """All files that a record is read from and that are there: its header, those of its segments, the signal files."""
    parts = [header]
    for part in _named(header):
        parts += [part, *_named(part)] if part.suffix == ".hea" else [part]
    return tuple(dict.fromkeys(part for part in parts if part.is_file()))


def _named(header: Path) -> list[Path]:
    """The files that a header names: signal files, or headers of segments where the record line counts some."""
    try:
        require_file(header)
        text = header.read_text("ascii", "ignore")
    except (InputError, OSError):
        return []  # reading the record says why
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return []
    ending = ".hea" if re.fullmatch(r"[-\w]+/\d+", lines[0][0]) else ""
    return [header.parent / f"{line[0]}{ending}" for line in lines[1:] if re.fullmatch(r"[-\w]+(\.\w+)?", line[0])]


def _check_lengths(path: Path, header: MultiRecord) -> None:
    _check_size(path, header.sig_len, header.n_sig)
    start = 0
    for segment, length in zip(header.seg_name, header.seg_len, strict=True):
        if segment == GAP and length:
            raise InputError(
                f"{path}: has a gap of {length / header.fs:g} s at {start / header.fs:g} s; "
                "expected one unbroken recording"
            )
        start += length
    if start != header.sig_len:
        raise InputError(f"{path}: says {header.sig_len} samples; its segments hold {start}")


def _check_likeness(path: Path, header: MultiRecord, parts: list[Record]) -> None:
    """wfdb takes names, units and rate of all segments from one: they must have the same."""
    signals = [part for part in parts if part.sig_len != 0]  # without the one that only lays channels out
    names = [part.sig_name for part in signals]
    if header.layout == "fixed" and any(other != names[0] for other in names):
        raise InputError(f"{path}: segments have the channels {names}; expected the same in all")
    units: dict[str, str] = {}
    for part in signals:
        if part.fs != header.fs:
            raise InputError(f"{path}: segment {part.record_name} has {part.fs:g} Hz; the record has {header.fs:g} Hz")
        for name, unit in zip(part.sig_name, part.units, strict=True):
            if units.setdefault(name, unit) != unit:
                raise InputError(f"{path}: channel {name} is in {units[name]} and in {unit}; expected one unit")


def _check_files(path: Path, header: Record) -> None:
    """Every signal file lies beside the header, and is as long as the header says."""
    if not header.n_sig or not header.file_name:
        raise InputError(f"{path}: expected at least one signal; found none")
    bytes_a_frame: dict[str, float] = {}
    offsets: dict[str, int] = {}
    for i, file in enumerate(header.file_name):
        if file != GAP:
            n_bytes = BYTES.get(str(header.fmt[i]), 0) * (header.samps_per_frame[i] or 1)
            bytes_a_frame[file] = bytes_a_frame.get(file, 0.0) + n_bytes
            offsets[file] = header.byte_offset[i] or 0
    for file in bytes_a_frame:
        _require_part(path, file)
    if header.sig_len is None:
        return  # then the length of the file is the length of the recording
    _check_size(path, header.sig_len, sum(n or 1 for n in header.samps_per_frame))
    for file, n_bytes in bytes_a_frame.items():
        found = (path.parent / file).stat().st_size
        expected = offsets[file] + ceil(header.sig_len * n_bytes)
        if found < expected:
            raise InputError(f"{path}: {file} holds {found} bytes; the header says {expected}")


def _require_part(path: Path, name: str) -> None:
    try:
        require_file(path.parent / name)
    except InputError as error:
        raise InputError(f"{path}: can't be read as WFDB; {error}") from None


def _check_size(path: Path, n_samples: int, n_signals: int) -> None:
    if n_samples * n_signals > MAX_SAMPLES:
        raise InputError(
            f"{path}: declares {n_samples * n_signals} samples in all; expected no more than {MAX_SAMPLES}"
        )


def _contents(path: Path, record: Record) -> Contents:
    frames = [n or 1 for n in record.samps_per_frame]
    commonest = max(Counter(frames).items(), key=lambda item: (item[1], item[0]))[0]
    kept = [i for i, n in enumerate(frames) if n == commonest]
    names = distinct([name or "" for name in record.sig_name])
    rate_hz = float(record.fs) * commonest
    units, factors = one_unit([record.units[i] or "" for i in kept])
    table = np.column_stack([record.e_p_signal[i] * factor for i, factor in zip(kept, factors, strict=True)])
    left = [names[i] for i in range(len(names)) if i not in kept]
    other = tuple(names[i] for i in kept if is_other(names[i]))
    remarks = []
    if left:
        remarks.append(f"signals of another rate than {rate_hz:g} Hz were left out: {', '.join(left)}")
    if other:
        remarks.append(f"not taken for EMG, by name: {', '.join(other)}")
    return Contents(table, rate_hz, tuple(names[i] for i in kept), units, other, tuple(remarks))
