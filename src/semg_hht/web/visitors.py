"""The visits in progress: each visitor has a private folder, which is removed when the visitor leaves.

This module works on folders and clocks, and does not know about recordings, networks or pages.
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
from semg_hht.system.files import LOCK_FILE, locked_folder
from semg_hht.web.visit import Visit

PREFIX = "semg-hht-app-"
MIN_LEFTOVER_AGE_S = 10.0  # a server that is just starting has not locked its folder yet
MAX_VISITORS = 100  # one more, and the visitor who has been idle longest is removed
MIN_IDLE_S = 120.0  # but only one who has been idle for this long
MAX_IDLE_S = 3600.0  # a visitor who has been idle for longer is removed
CLOSED_PAGE_S = 15.0  # a visitor whose page is closed is removed this long after the last step
STEP_WAIT_S = 3.0  # a step waits this long for the previous step of the same visitor
MAX_UPLOAD_AGE_S = 60.0  # an upload that no visit has taken is removed after this time


@dataclass
class _ActiveVisit:
    visit: Visit
    last_used_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitors:
    """Visits by the visitor's key.

    ``uploads`` is the folder that the server writes uploads to; it lies in ``folder``, which is removed at the end.
    """

    def __init__(
        self, *, max_visitors: int = MAX_VISITORS, min_idle_s: float = MIN_IDLE_S, max_idle_s: float = MAX_IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        remove_leftovers(Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # of mode 0700
        self._claim = contextlib.ExitStack()
        self._claim.enter_context(locked_folder(self.folder))
        self.uploads = self.folder / "uploads"
        self._visit_folders = self.folder / "visits"
        self.uploads.mkdir()
        self._visit_folders.mkdir()
        self._max_visitors, self._min_idle_s, self._max_idle_s = max_visitors, min_idle_s, max_idle_s
        self._clock = clock
        self._active: dict[str, _ActiveVisit] = {}
        self._lock = threading.Lock()

    def update(self, key: str, work: Callable[[Visit], Visit]) -> Visit:
        """Replace a visit by ``work(visit)``; the steps of one visitor run one after the other.

        Raises
        ------
        InputError
            There are too many visitors, none of them idle; or the visitor's previous step has not ended.
        """
        active = self._active_visit(key)
        if not active.lock.acquire(timeout=STEP_WAIT_S):
            raise InputError("your last step is still under way; try again when it has ended")
        try:
            active.visit = work(active.visit)
            active.last_used_s = self._clock()
            return active.visit
        finally:
            active.lock.release()

    def remove(self, key: str) -> None:
        with self._lock:
            active = self._active.pop(key, None)
        if active is not None:
            with active.lock:  # a step in progress ends first
                shutil.rmtree(active.visit.folder, ignore_errors=True)

    def remove_idle(self, open_pages: Container[str] | None = None) -> None:
        """Remove visitors who have been idle too long, and uploads that no visit has taken.

        open_pages : keys of the visitors whose page is open, where they are known; the others are removed sooner.
        """
        now = self._clock()
        for key, active in list(self._active.items()):
            is_closed = open_pages is not None and key not in open_pages
            if now - active.last_used_s > (CLOSED_PAGE_S if is_closed else self._max_idle_s):
                self.remove(key)
        for path in list(self.uploads.iterdir()):
            with contextlib.suppress(OSError):  # taken or removed meanwhile
                _remove_if_older(path, time.time() - MAX_UPLOAD_AGE_S)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that must be set before Gradio is imported.

        They set the folder for uploads, switch off telemetry, and switch off statistics that Gradio would recompute
        over its last ten thousand events at each event.
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
            self._claim.close()  # Windows can't remove a file that is open
        shutil.rmtree(self.folder, ignore_errors=True)
        self._claim.close()

    def _active_visit(self, key: str) -> _ActiveVisit:
        """Return the visit with this key, a new one where there is none."""
        idlest = None
        with self._lock:
            if key in self._active:
                return self._active[key]
            if len(self._active) >= self._max_visitors:
                idlest = min(self._active, key=lambda other: self._active[other].last_used_s)
                if self._clock() - self._active[idlest].last_used_s < self._min_idle_s:
                    raise InputError(f"{len(self._active)} visitors are busy here; expected fewer: try again later")
            visit = Visit(Path(tempfile.mkdtemp(dir=self._visit_folders)))
            active = self._active[key] = _ActiveVisit(visit, self._clock())
        if idlest is not None:
            self.remove(idlest)
        return active


def remove_leftovers(temporary: Path) -> None:
    """Remove the folders of killed servers; a running server holds a lock, which the system releases at its end."""
    for folder in temporary.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, InputError):  # another user's, locked, or removed meanwhile
            is_ours = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            is_leftover = is_ours and (folder / LOCK_FILE).is_file() and not folder.is_symlink()
            if is_leftover and time.time() - folder.stat().st_mtime > MIN_LEFTOVER_AGE_S:
                with locked_folder(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_older(path: Path, time_s: float) -> None:
    """Remove an upload from before ``time_s``; the time of a folder is that of the last file created in it."""
    if path.stat().st_mtime > time_s:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
