"""The index of a pack, ``pack.json``: written and read entry by entry, and kept in columns.

It knows JSON and the entries of an index. It does not know the file of the values.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.learning.columns import Categories, Numbers, NumberTables, Vectors
from semg_hht.matrices.matrix import split_reference
from semg_hht.system.files import BROKEN_JSON, file_as_named, require_file

FORMAT = 3
PART = 2**16  # characters that are read at a time
DIGEST_BYTES = 32
STAMPS, FILES = "stamps", "files"
BEGINS = object()


@dataclass(frozen=True)
class Stamps:
    """Names, sizes and times of change of files, to detect whether they are still the packed ones.

    sizes : (n,) in bytes; -1: there is no such file.
    times_ns : (n,) time of change.
    """

    names: Sequence[str]
    sizes: NDArray[np.int64]
    times_ns: NDArray[np.int64]

    @classmethod
    def of(cls, folder: Path, names: Sequence[str]) -> Stamps:
        """Of files in a folder."""
        sizes, times_ns = np.full(len(names), -1, np.int64), np.zeros(len(names), np.int64)
        for i, name in enumerate(names):
            try:
                status = file_as_named(folder, name).stat()
            except (OSError, ValueError):  # a zero in the name
                continue
            sizes[i], times_ns[i] = status.st_size, status.st_mtime_ns
        return cls(names, sizes, times_ns)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> list[Any]:
        return [self.names[i], int(self.sizes[i]), int(self.times_ns[i])]


@dataclass
class PackEntries:
    """The entry of each source file: position and features of its matrix, or the reason why it has none.

    numbers : position of each file's matrix; -1: it has none.
    settings : number of each file's settings in the index.
    stored : features and reference of each file, as `Matrix.stored_features`.
    reasons : number of the file -> why it has no matrix.
    digests, peaks : SHA-256 and largest value of each matrix, in the order of their positions.
    """

    numbers: array[int] = field(default_factory=lambda: array("q"))
    settings: Categories[int] = field(default_factory=Categories)
    stored: NumberTables = field(default_factory=NumberTables)
    covariance: Vectors = field(default_factory=Vectors)
    profile: Vectors = field(default_factory=Vectors)
    reasons: dict[int, str] = field(default_factory=dict)
    digests: bytearray = field(default_factory=bytearray)
    peaks: array[float] = field(default_factory=lambda: array("f"))

    def append(self, stated: dict[str, Any]) -> None:
        has = stated["number"] is not None
        if has and int(stated["number"]) != len(self.peaks):
            raise ValueError("it does not list its files one by one")
        if not has:
            self.reasons[len(self.numbers)] = str(stated["reason"])
        self.numbers.append(len(self.peaks) if has else -1)
        self.settings.append(int(stated["settings"]) if has else -1)
        self.stored.append(stated["features"] if has else {})
        self.covariance.append(stated["mixing"] if has else None)
        self.profile.append(stated["profile"] if has else None)
        if has:
            digest = bytes.fromhex(stated["digest"])
            if len(digest) != DIGEST_BYTES:
                raise ValueError(f"a digest has {len(digest)} bytes, not {DIGEST_BYTES}")
            self.digests += digest
            self.peaks.append(float(stated["peak"]))

    @property
    def held(self) -> Numbers:
        """Numbers of the files that have a matrix."""
        return np.flatnonzero(np.frombuffer(self.numbers, np.int64) >= 0) if self.numbers else np.zeros(0, np.intp)


def features_in(stored: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """The features of `PackEntries.stored`."""
    return split_reference(stored)[0]


def reference_in(stored: dict[str, tuple[float, ...]]) -> tuple[float, ...]:
    """The reference amplitudes of `PackEntries.stored`."""
    return split_reference(stored)[1]


def write_index(handle: IO[str], n_planes: int, stamps: Stamps, settings: list[Any], entries: IO[str]) -> None:
    """Write an index; ``entries`` has the text of one entry in each line."""
    handle.write(f'{{"format": {FORMAT}, "n_planes": {n_planes}, "{STAMPS}": [')
    for i in range(len(stamps)):
        handle.write(f"{', ' if i else ''}{json.dumps(stamps[i])}")
    handle.write(f'], "settings": {json.dumps(settings)}, "{FILES}": [')
    entries.seek(0)
    for i, line in enumerate(entries):
        handle.write(f"{', ' if i else ''}{line.rstrip()}")
    handle.write("]}")


@dataclass
class PackIndex:
    """What an index states, with the entries in columns."""

    n_planes: int
    settings: list[Any]
    entries: PackEntries


def read_index(path: Path, stamps: Stamps) -> PackIndex | None:
    """Read an index; None if it is of another format or of other files than ``stamps``.

    Raises
    ------
    InputError
        The index can't be read as JSON.
    KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError
        An entry is missing or has another type.
    """
    content: dict[str, Any] = {}
    entries, n_stamps = PackEntries(), 0
    for key, value in _items(path, (STAMPS, FILES)):
        if value is BEGINS:
            content[key] = BEGINS
        elif key == STAMPS:
            if n_stamps >= len(stamps) or value != stamps[n_stamps]:
                return None
            n_stamps += 1
        elif key == FILES and FILES in content:
            entries.append(value)
        else:
            content[key] = value
            if key == "format" and value != FORMAT:
                return None
    if content["format"] != FORMAT or n_stamps != len(stamps):
        return None
    if content[FILES] is not BEGINS or len(entries.numbers) != len(stamps):
        raise ValueError("it does not list its files one by one")
    for number in entries.settings.values:
        if number >= 0:
            content["settings"][number]
    return PackIndex(int(content["n_planes"]), content["settings"], entries)


def _items(path: Path, lists: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Key and value of each entry of a JSON object; of a key in ``lists`` `BEGINS`, then each item of its list."""
    require_file(path)
    try:
        with path.open(encoding="utf-8") as handle:
            text = _JsonText(handle)
            text.expect("{")
            while not text.take("}"):
                key = text.value()
                text.expect(":")
                if key in lists and text.take("["):
                    yield key, BEGINS
                    while not text.take("]"):
                        yield key, text.value()
                        text.take(",")
                else:
                    yield key, text.value()
                text.take(",")
            text.expect("")
    except OSError as error:
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    except BROKEN_JSON as error:
        raise InputError(f"{path}: expected JSON; {error}") from None


class _JsonText:
    """JSON text that is read part by part, value by value."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle, self._decode = handle, json.JSONDecoder().raw_decode
        self._part, self._at = "", 0

    def _more(self) -> bool:
        """Read another part, at least as long as what is kept; False at the end of the file."""
        rest = self._part[self._at :]
        read = self._handle.read(max(PART, len(rest)))
        self._part, self._at = rest + read, 0
        return bool(read)

    def _next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._part) and self._part[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._part) or not self._more():
                return self._part[self._at : self._at + 1]

    def take(self, character: str) -> bool:
        """Whether this character is next, which is then passed."""
        if self._next() != character:
            return False
        self._at += len(character)
        return True

    def expect(self, character: str) -> None:
        if not self.take(character):
            found = self._next() or "the end"
            raise ValueError(f"expected {character or 'the end'}; found {found}")

    def value(self) -> Any:
        """The next value."""
        self._next()
        while True:
            try:
                value, stop = self._decode(self._part, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            if stop == len(self._part) and self._more():  # a number may continue in the next part
                continue
            self._at = stop
            return value
