"""Reader of EDF, EDF+, BDF and BDF+ recordings, with pyedflib."""

from __future__ import annotations

import codecs
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, Signal, decode_signals
from semg_hht.recordings.formats.encodings import legacy_encoding

if TYPE_CHECKING:
    from pyedflib import EdfReader

MAX_LABEL = 16  # characters of a label in the header
_FIXED_HEADER = 256  # bytes, and as many for each signal
_VERSION = 8
_BEFORE_DIMENSION = MAX_LABEL + 80  # bytes per signal: label and transducer
_DIMENSION = 8
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")  # labels of signals that hold no samples


def read_edf(path: Path) -> DecodedRecording:
    """Read the signals with the most common rate of EMG, in the physical units of the header.

    Raises
    ------
    InputError
        The file is not EDF or BDF, is cut short, has pauses (EDF+D) or has no signal.
    """
    from pyedflib import EdfReader

    try:
        header = _read_header(path)
        if header.isascii():
            with EdfReader(str(path)) as file:
                return _decode(path, file)
        # pyedflib refuses names and units that are not ASCII, though recorders write them.
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"a{path.suffix}"
            shutil.copyfile(path, copy)
            with copy.open("r+b") as handle:
                handle.seek(_VERSION)
                handle.write(bytes(byte if byte < 128 else ord("_") for byte in header))
            with EdfReader(str(copy)) as file:
                texts = zip(_fields(header, 0, MAX_LABEL), _fields(header, _BEFORE_DIMENSION, _DIMENSION), strict=True)
                return _decode(path, file, [text for text in texts if text[0] not in _ANNOTATIONS])
    except OSError as error:
        if "discontinuous" in str(error).lower():
            message = f"{path}: has pauses between its segments (EDF+D); expected one unbroken recording"
            raise InputError(message) from None
        raise InputError(f"{path}: can't be read as EDF or BDF; {error}") from None


def _read_header(path: Path) -> bytes:
    """The header without the eight bytes of the version, which begin with 0xFF in BDF; empty if it is damaged."""
    with path.open("rb") as handle:
        fixed = handle.read(_FIXED_HEADER)
        n_signals = fixed[-4:].strip()
        return (fixed + handle.read(int(n_signals) * _FIXED_HEADER))[_VERSION:] if n_signals.isdigit() else b""


def _fields(header: bytes, start: int, width: int) -> list[str]:
    """The texts of one field of all signals; ``start``: the bytes per signal of the fields before it."""
    n_signals = int(header[_FIXED_HEADER - _VERSION - 4 : _FIXED_HEADER - _VERSION])
    at = _FIXED_HEADER - _VERSION + n_signals * start
    return [text_of_header(header[at + i * width : at + (i + 1) * width]) for i in range(n_signals)]


def text_of_header(field: bytes) -> str:
    """Text of a header in UTF-8, of which a fixed width may cut the last character, GB18030 or Windows-1252."""
    field = field.strip(b"\0")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(field.rstrip()).strip()
    except UnicodeDecodeError:
        return field.decode(legacy_encoding(field), "replace").strip()


def _decode(path: Path, file: EdfReader, texts: list[tuple[str, str]] | None = None) -> DecodedRecording:
    """``texts``: label and dimension of each signal, where pyedflib could not decode them."""
    if texts is None:
        texts = [
            (label.strip(), file.getPhysicalDimension(i).strip()) for i, label in enumerate(file.getSignalLabels())
        ]
    if not texts:
        raise InputError(f"{path}: expected at least one signal; found none")
    return decode_signals(
        [
            Signal(label, dimension, float(file.getSampleFrequency(i)), partial(file.readSignal, i))
            for i, (label, dimension) in enumerate(texts)
        ]
    )
