"""Reader of WFDB recordings (PhysioNet): a header ``.hea`` and its ``.dat`` files, with the library wfdb.

It reads only files beside the header and never a network: wfdb accepts names in headers, but no paths and no addresses,
and it is given a local path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import MAX_DECODED_BYTES, DecodedRecording, Signal, decode_signals
from semg_hht.system.files import require_file

if TYPE_CHECKING:
    from wfdb import MultiRecord, Record

MAX_SAMPLES = MAX_DECODED_BYTES // 8
# Bytes per sample in each format of a signal file (WFDB Applications Guide, signal(5)). The compressed formats 508, 516
# and 524 are missing: their sizes depend on the samples, and their decoder notices a missing end by itself.
BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "61": 2, "80": 1, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3}
GAP = "~"  # instead of the name of a segment, or of a file in a header that only describes the layout of channels
# What wfdb raises over damaged headers and signal files.
BROKEN_WFDB = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, UnicodeError)


def read_wfdb(path: Path) -> DecodedRecording:
    """Read the signals with the most common rate of EMG, in the units of the header; segments are joined.

    Raises
    ------
    InputError
        The header is damaged or names files elsewhere, a signal file is missing or shorter than
        the header states, or there are gaps between segments.
    """
    from wfdb import MultiRecord, rdheader, rdrecord

    name = str(path.resolve().with_suffix(""))
    if "::" in name or "://" in name:  # fsspec, which opens the files for wfdb, would treat them as addresses
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
            _check_segments_match(path, header, [parts[name] for name in header.seg_name])
        else:
            _check_files(path, header)
        # A frame holds several samples of a faster signal; smoothing would average them.
        record = rdrecord(name, smooth_frames=False)
    except InputError:
        raise
    except BROKEN_WFDB as error:
        raise InputError(f"{path}: can't be read as WFDB; {error}") from None
    return _decode(record)


def segment_headers(headers: Iterable[Path]) -> set[Path]:
    """The ``.hea`` files that other headers among these name as their segments; they are not recordings themselves."""
    return {part for header in headers for part in _files_in_header(header) if part.suffix == ".hea"}


def record_files(header: Path) -> tuple[Path, ...]:
    """All existing files of a record: its header, the headers of its segments, and the signal files."""
    parts = [header]
    for part in _files_in_header(header):
        parts += [part, *_files_in_header(part)] if part.suffix == ".hea" else [part]
    return tuple(dict.fromkeys(part for part in parts if part.is_file()))


def _files_in_header(header: Path) -> list[Path]:
    """The files that a header names: signal files, or headers of segments if the record line states their number."""
    try:
        require_file(header)
        text = header.read_text("ascii", "ignore")
    except (InputError, OSError):
        return []  # reading the record reports the error
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
        raise InputError(f"{path}: states {header.sig_len} samples; expected the {start} samples of its segments")


def _check_segments_match(path: Path, header: MultiRecord, parts: list[Record]) -> None:
    """Check that all segments have the same names, units and rate, because wfdb takes them from a single segment."""
    signals = [part for part in parts if part.sig_len != 0]  # without a segment that only describes the layout
    names = [part.sig_name for part in signals]
    if header.layout == "fixed" and any(other != names[0] for other in names):
        raise InputError(f"{path}: segments have the channels {names}; expected the same in all")
    units: dict[str, str] = {}
    for part in signals:
        if part.fs != header.fs:
            raise InputError(
                f"{path}: segment {part.record_name} has {part.fs:g} Hz; expected {header.fs:g} Hz as in the record"
            )
        for name, unit in zip(part.sig_name, part.units, strict=True):
            if units.setdefault(name, unit) != unit:
                raise InputError(f"{path}: channel {name} is in {units[name]} and in {unit}; expected one unit")


def _check_files(path: Path, header: Record) -> None:
    """Check that every signal file exists beside the header and has the length that the header states."""
    if not header.n_sig or not header.file_name:
        raise InputError(f"{path}: expected at least one signal; found none")
    bytes_per_frame: dict[str, float] = {}
    offsets: dict[str, int] = {}
    for i, file in enumerate(header.file_name):
        if file != GAP:
            n_bytes = BYTES.get(str(header.fmt[i]), 0) * (header.samps_per_frame[i] or 1)
            bytes_per_frame[file] = bytes_per_frame.get(file, 0.0) + n_bytes
            offsets[file] = header.byte_offset[i] or 0
    for file in bytes_per_frame:
        _require_part(path, file)
    if header.sig_len is None:
        return  # the file's length determines the recording's length
    _check_size(path, header.sig_len, sum(n or 1 for n in header.samps_per_frame))
    for file, n_bytes in bytes_per_frame.items():
        found = (path.parent / file).stat().st_size
        expected = offsets[file] + ceil(header.sig_len * n_bytes)
        if found < expected:
            raise InputError(f"{path}: {file} has {found} bytes; expected {expected}, as the header states")


def _require_part(path: Path, name: str) -> None:
    try:
        require_file(path.parent / name)
    except InputError as error:
        raise InputError(f"{path}: can't be read as WFDB; {error}") from None


def _check_size(path: Path, n_samples: int, n_signals: int) -> None:
    if n_samples * n_signals > MAX_SAMPLES:
        raise InputError(f"{path}: declares {n_samples * n_signals} samples in all; expected at most {MAX_SAMPLES}")


def _decode(record: Record) -> DecodedRecording:
    parts = zip(record.sig_name, record.units, record.samps_per_frame, record.e_p_signal, strict=True)
    return decode_signals(
        [
            Signal(name or "", unit or "", float(record.fs) * (per_frame or 1), partial(np.asarray, samples))
            for name, unit, per_frame, samples in parts
        ]
    )
