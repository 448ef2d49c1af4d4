"""Who is here, each with a folder of a name that can't be guessed; nothing of theirs stays once they have left.

Knows folders and clocks: nothing of recordings, networks or pages.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from semg_hht.app.visit import Visit

AT_MOST = 100  # visitors at once; one more, and who has been idle longest is sent away
IDLE_S = 3600.0  # as long as that, and a visitor is taken to have left
UPLOAD_S = 60.0  # what nobody has taken of the uploads by then


@dataclass
class _Place:
    visit: Visit
    used: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitors:
    """Visits by key. ``uploads`` is where the server writes what arrives, ``folder`` is removed at the end."""

    def __init__(
        self, *, at_most: int = AT_MOST, idle_s: float = IDLE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="semg-hht-app-"))  # of mode 0700
        self.uploads = self.folder / "uploads"
        self._homes = self.folder / "visits"
        self.uploads.mkdir()
        self._homes.mkdir()
        self._at_most, self._idle_s, self._clock = at_most, idle_s, clock
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()

    def change(self, key: str, work: Callable[[Visit], Visit]) -> Visit:
        """Put ``work`` of a visit in its place; one change of a visitor at a time."""
        place = self._place(key)
        with place.lock:
            place.visit = work(place.visit)
            place.used = self._clock()
            return place.visit

    def leave(self, key: str) -> None:
        with self._lock:
            place = self._places.pop(key, None)
        if place is not None:
            with place.lock:  # what is being answered ends first
                shutil.rmtree(place.visit.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Send away who has been idle too long, and remove uploads that nobody has taken."""
        now = self._clock()
        for key in [key for key, place in list(self._places.items()) if now - place.used > self._idle_s]:
            self.leave(key)
        for path in list(self.uploads.iterdir()):
            with contextlib.suppress(OSError):  # taken or removed meanwhile
                _remove_if_old(path, time.time() - UPLOAD_S)

    @property
    def environment(self) -> dict[str, str]:
        """What the server must find in its environment when it is imported: where uploads go, and not to call home."""
        return {"GRADIO_TEMP_DIR": str(self.uploads), "GRADIO_ANALYTICS_ENABLED": "False"}

    def __enter__(self) -> Visitors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, key: str) -> _Place:
        with self._lock:
            if key not in self._places:
                home = Path(tempfile.mkdtemp(dir=self._homes))
                self._places[key] = _Place(Visit(home), self._clock())
            idlest = min(self._places, key=lambda other: (other == key, self._places[other].used))
            too_many = len(self._places) > self._at_most
            place = self._places[key]
        if too_many:
            self.leave(idlest)
        return place


def _remove_if_old(path: Path, before: float) -> None:
    """A folder of uploads bears the time when the last file came into it."""
    if path.stat().st_mtime > before:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
