"""Reader of Intan recordings (.rhd) in the traditional format, which has header and samples in one file, with neo."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, Signal, decode_signals
from semg_hht.system.files import require_modest

if TYPE_CHECKING:
    from neo.rawio.intanrawio import IntanRawIO

Array = NDArray[np.float64]

MAGIC = (0xC6912702).to_bytes(4, "little")
AMPLIFIER = "0"  # neo's name of the stream of electrodes
# What neo's streams of other signals hold; beside electrodes the inputs of the board are not EMG either.
KINDS = {"1": "AUX", "2": "BATTERY", "3": "AUX", "4": "DIGITAL", "5": "DIGITAL", "20": "TEMPERATURE"}
_HEADER_ONLY = "info.rhd"
# What neo raises over damaged headers.
BROKEN_RHD = (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError)


def read_rhd(path: Path) -> DecodedRecording:
    """Read the electrodes in microvolts, and other signals that have their rate.

    Raises
    ------
    InputError
        The file is not RHD, is cut short or damaged, lacks samples, or its samples are in other files.
    """
    from neo import rawio

    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InputError(f"{path}: can't be read as RHD; expected the bytes {MAGIC.hex()} at its start")
    if path.name.lower() == _HEADER_ONLY:
        raise InputError(
            f"{path}: holds the header alone; expected header and samples in one file, Intan's traditional format"
        )
    require_modest(path, 4 * path.stat().st_size)  # samples of 16 bits become numbers of 64 bits
    try:
        if path.suffix == ".rhd":
            return _decode(path, rawio.IntanRawIO(str(path), ignore_integrity_checks=True))
        with tempfile.TemporaryDirectory() as folder:  # neo refuses a suffix in capital letters
            copy = Path(folder) / "a.rhd"
            shutil.copyfile(path, copy)
            return _decode(path, rawio.IntanRawIO(str(copy), ignore_integrity_checks=True))
    except InputError:  # which is a ValueError
        raise
    except BROKEN_RHD as error:
        raise InputError(f"{path}: can't be read as RHD, is cut short or damaged; {error}") from None


def _decode(path: Path, reader: IntanRawIO) -> DecodedRecording:
    reader.parse_header()
    channels = reader.header["signal_channels"]
    streams = [str(stream) for stream in reader.header["signal_streams"]["id"]]
    signals = []
    for at, stream in enumerate(streams):
        of_stream = [channel for channel in channels if channel["stream_id"] == stream]
        for i, channel in enumerate(of_stream):
            kind = "" if stream == "3" and AMPLIFIER not in streams else KINDS.get(stream, "")
            name = str(channel["name"]).strip() or str(channel["id"])
            rate_hz = float(channel["sampling_rate"])
            signals.append(Signal(name, str(channel["units"]), rate_hz, partial(_read, reader, at, i, channel), kind))
    if reader.discontinuous_timestamps:
        _raise_gap(path, reader, max(signal.rate_hz for signal in signals))
    return decode_signals(signals)


def _raise_gap(path: Path, reader: IntanRawIO, rate_hz: float) -> None:
    numbers = np.asarray(reader.get_intan_timestamps()).astype(np.int64)
    first = int(np.flatnonzero(np.diff(numbers) != 1)[0])
    raise InputError(
        f"{path}: the numbers of the samples jump from {numbers[first]} to {numbers[first + 1]} at "
        f"{(first + 1) / rate_hz:.3f} s; expected one unbroken recording"
    )


def _read(reader: IntanRawIO, stream: int, at: int, channel: Any) -> Array:
    counts = np.asarray(reader.get_analogsignal_chunk(stream_index=stream, channel_indexes=[at]))[:, 0]
    return counts * float(channel["gain"]) + float(channel["offset"])
