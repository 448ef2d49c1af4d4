"""Who is here, each with a folder of a name that can't be guessed; nothing of theirs stays once they have left.

Knows folders and clocks: nothing of recordings, networks or pages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.system.files import CLAIM, claimed
from semg_hht.web.visit import Visit

PREFIX = "semg-hht-app-"
YOUNG_S = 10.0  # the folder of a server that is just starting is not locked yet
AT_MOST = 100  # visitors at once; one more, and who has been idle longest is sent away
SPARED_S = 120.0  # but nobody who has been idle for less
IDLE_S = 3600.0  # as long as that, and a visitor is taken to have left
GONE_S = 15.0  # since the last step of somebody whose page is closed
STEP_S = 3.0  # that a step waits for the same visitor's last one: in its way stand others
UPLOAD_S = 60.0  # what nobody has taken of the uploads by then


@dataclass
class _Place:
    visit: Visit
    used: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitors:
    """Visits by key. ``uploads`` is where the server writes what arrives, ``folder`` is removed at the end."""

    def __init__(
        self, *, at_most: int = AT_MOST, spared_s: float = SPARED_S, idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        remove_leftovers(Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # of mode 0700
        self._claim = contextlib.ExitStack()
        self._claim.enter_context(claimed(self.folder))
        self.uploads = self.folder / "uploads"
        self._homes = self.folder / "visits"
        self.uploads.mkdir()
        self._homes.mkdir()
        self._at_most, self._spared_s, self._idle_s, self._clock = at_most, spared_s, idle_s, clock
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()

    def change(self, key: str, work: Callable[[Visit], Visit]) -> Visit:
        """Put ``work`` of a visit in its place; one change of a visitor at a time.

        Raises
        ------
        InputError
            Somebody new, and all the others are busy; or the visitor's last step takes long.
        """
        place = self._place(key)
        if not place.lock.acquire(timeout=STEP_S):
            raise InputError("your last step is still under way; try again when it has ended")
        try:
            place.visit = work(place.visit)
            place.used = self._clock()
            return place.visit
        finally:
            place.lock.release()

    def leave(self, key: str) -> None:
        with self._lock:
            place = self._places.pop(key, None)
        if place is not None:
            with place.lock:  # what is being answered ends first
                shutil.rmtree(place.visit.folder, ignore_errors=True)

    def sweep(self, here: Container[str] | None = None) -> None:
        """Send away who has been idle too long, and remove uploads that nobody has taken.

        here : whose pages are open, where that is known; what was still being done as somebody left goes after them.
        """
        now = self._clock()
        for key, place in list(self._places.items()):
            is_gone = here is not None and key not in here
            if now - place.used > (GONE_S if is_gone else self._idle_s):
                self.leave(key)
        for path in list(self.uploads.iterdir()):
            with contextlib.suppress(OSError):  # taken or removed meanwhile
                _remove_if_old(path, time.time() - UPLOAD_S)

    @property
    def environment(self) -> dict[str, str]:
        """What the server must find in its environment when it is imported.

        Where uploads go, not to call home, and not to keep statistics of ten thousand clicks, drawn up at each of them.
        """
        return {
            "GRADIO_TEMP_DIR": str(self.uploads), "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_ANALYTICS_MAX_EVENTS": "10", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9),
        }  # fmt: skip

    def __enter__(self) -> Visitors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if os.name == "nt":
            self._claim.close()  # there an open file can't be removed
        shutil.rmtree(self.folder, ignore_errors=True)
        self._claim.close()

    def _place(self, key: str) -> _Place:
        idlest = None
        with self._lock:
            if key in self._places:
                return self._places[key]
            if len(self._places) >= self._at_most:
                idlest = min(self._places, key=lambda other: self._places[other].used)
                if self._clock() - self._places[idlest].used < self._spared_s:
                    raise InputError(f"{len(self._places)} visitors are busy here; expected fewer: try again later")
            place = self._places[key] = _Place(Visit(Path(tempfile.mkdtemp(dir=self._homes))), self._clock())
        if idlest is not None:
            self.leave(idlest)
        return place


def remove_leftovers(temporary: Path) -> None:
    """Folders of servers that were killed; who lives holds a lock, which the system takes from the dead."""
    for folder in temporary.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, InputError):  # somebody else's, alive, or removed meanwhile
            is_ours = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            is_left = is_ours and (folder / CLAIM).is_file() and not folder.is_symlink()
            if is_left and time.time() - folder.stat().st_mtime > YOUNG_S:
                with claimed(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_old(path: Path, before: float) -> None:
    """A folder of uploads bears the time when the last file came into it."""
    if path.stat().st_mtime > before:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
