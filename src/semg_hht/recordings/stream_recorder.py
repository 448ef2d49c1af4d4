"""Save a signal while it arrives, and give it its final name, complete, when it ends. It knows nothing of repetitions.

The samples lie in a temporary file, so that a stream of hours needs no memory.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.recording import MIN_SAMPLES, Array, write_recording
from semg_hht.recordings.stream import StreamDescription


@dataclass(frozen=True)
class SavedPart:
    """A file that was saved, and its duration."""

    path: Path
    duration_s: float


def path_of(description: StreamDescription, folder: Path = Path()) -> Path:
    """A file in ``folder`` for a recording that begins now: the name of the stream and the time."""
    name = re.sub(r"[^\w.-]+", "_", description.name).strip("._") or "stream"
    return folder / f"{name}_{datetime.now():%Y%m%d_%H%M%S}.npz"


class StreamRecorder:
    """Writes the samples of a stream to ``path``, an .npz, when it is closed; a part after an interruption to a file of
    its own, so that what does not continue is not joined.

    No file is replaced: a part whose name is taken gets the next number. A part of fewer than 32 samples, which no
    reader takes, is not saved.

    Raises
    ------
    InputError
        ``path`` exists or is no .npz.
    """

    def __init__(self, path: Path, description: StreamDescription) -> None:
        self.require_free(path)
        self.path = path
        self.saved: list[SavedPart] = []
        self._description = description
        self._file: BinaryIO | None = None
        self._n_parts = 0

    @staticmethod
    def require_free(path: Path) -> None:
        """Require a name ending in .npz that no file has."""
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path}: a stream is saved as .npz; found {path.suffix or 'no suffix'}")
        if path.exists():
            raise InputError(f"{path}: exists already; expected the name of a new file")

    def __enter__(self) -> StreamRecorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end_part()

    @property
    def _spool(self) -> Path:
        return self.path.with_name(f".{self.path.name}.{os.getpid()}.samples.part")

    def add(self, samples: Array) -> None:
        """Keep samples (n_channels, n_samples) that continue those before."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._spool.open("wb")
        # (n_channels, n_samples) -> (n_samples, n_channels), so that the file grows at its end
        self._file.write(np.ascontiguousarray(samples.T, dtype=np.float64).tobytes())

    def end_part(self) -> None:
        """Save what has arrived since the last part ended; what comes next is a part of its own."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        self._n_parts += 1
        n_channels = len(self._description.channel_names)
        try:
            n_samples = self._spool.stat().st_size // (8 * n_channels)
            if n_samples >= MIN_SAMPLES:
                table = np.memmap(self._spool, np.float64, "r", shape=(n_samples, n_channels))
                path = self._free_path()
                write_recording(self._description.recording(table.T), path)
                self.saved.append(SavedPart(path, n_samples / self._description.rate_hz))
                del table  # Windows can't remove a mapped file
        finally:
            with suppress(OSError):
                self._spool.unlink(missing_ok=True)

    def _free_path(self) -> Path:
        """The name of the part, or the next that is free."""
        path, number = self.path, self._n_parts
        if number > 1:
            path = self.path.with_stem(f"{self.path.stem}_part{number}")
        while path.exists():
            number += 1
            path = self.path.with_stem(f"{self.path.stem}_part{number}")
        return path
