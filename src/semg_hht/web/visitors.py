"""The visits in progress: each visitor has a secret key and a private folder, which is removed when the visitor leaves.

This module works on folders, keys and clocks, and does not know about recordings, networks or pages.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.system.files import LOCK_FILE, locked_folder
from semg_hht.web.repetition_table import Refused
from semg_hht.web.visit import Visit

PREFIX = "semg-hht-app-"
MIN_LEFTOVER_AGE_S = 10.0  # a server that is just starting has not locked its folder yet
MAX_VISITORS = 100  # one more, and the visitor who has been idle longest is removed
MIN_IDLE_S = 120.0  # but only one who has been idle for this long
MAX_IDLE_S = 3600.0  # a visitor who has been idle for longer is removed
CLOSING_S = 3.0  # for work in the background to end when the page is closed
LEAVING_S = 30.0  # from closing the page; a page that is loaded anew is heard of sooner


@dataclass
class _ActiveVisit:
    visit: Visit
    last_used_s: float
    left_s: float | None = None


class Visitors:
    """Visits by the visitor's key, in a folder that is removed at the end."""

    def __init__(
        self, *, max_visitors: int = MAX_VISITORS, min_idle_s: float = MIN_IDLE_S, max_idle_s: float = MAX_IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        remove_leftovers(Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # of mode 0700
        self._claim = contextlib.ExitStack()
        self._claim.enter_context(locked_folder(self.folder))
        self._visit_folders = self.folder / "visits"
        self._visit_folders.mkdir()
        self._max_visitors, self._min_idle_s, self._max_idle_s = max_visitors, min_idle_s, max_idle_s
        self._clock = clock
        self._active: dict[str, _ActiveVisit] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._active)

    def create(self) -> tuple[str, Visit]:
        """A new visit and its key of 256 random bits.

        Raises
        ------
        Refused
            There are too many visitors, none of them idle.
        """
        idlest = None
        with self._lock:
            if len(self._active) >= self._max_visitors:
                idlest = min(self._active, key=lambda other: self._active[other].last_used_s)
                own = self._active[idlest]
                if self._clock() - own.last_used_s < self._min_idle_s or not own.visit.job.done:
                    raise Refused("app_too_many_visitors")
            key = secrets.token_urlsafe(32)
            visit = Visit(Path(tempfile.mkdtemp(dir=self._visit_folders)))
            self._active[key] = _ActiveVisit(visit, self._clock())
        if idlest is not None:
            self.remove(idlest)
        return key, visit

    def get(self, key: str) -> Visit | None:
        """The visit with this key; it counts as used now."""
        with self._lock:
            active = self._active.get(key)
            if active is not None:
                active.last_used_s, active.left_s = self._clock(), None
            return None if active is None else active.visit

    def is_here(self, key: str, *, is_used: bool) -> bool:
        """Whether the visit is here and was not left. is_used : whether it counts as used now."""
        with self._lock:
            active = self._active.get(key)
            if active is None or active.left_s is not None:
                return False
            if is_used:
                active.last_used_s = self._clock()
            return True

    def all(self) -> list[Visit]:
        with self._lock:
            return [active.visit for active in self._active.values()]

    def leave(self, key: str) -> None:
        """The page was closed or is loaded anew: the visit is removed unless it is used again soon."""
        with self._lock:
            if key in self._active:
                self._active[key].left_s = self._clock()

    def remove(self, key: str) -> None:
        with self._lock:
            active = self._active.pop(key, None)
        if active is not None:
            active.visit.job.abandon()
            with active.visit.lock:  # a step in progress ends first
                shutil.rmtree(active.visit.folder, ignore_errors=True)

    def remove_idle(self) -> None:
        """Remove visitors who left, or who have been idle too long while nothing runs for them."""
        now = self._clock()
        for key, active in list(self._active.items()):
            has_left = active.left_s is not None and now - active.left_s > LEAVING_S
            if has_left or (now - active.last_used_s > self._max_idle_s and active.visit.job.done):
                self.remove(key)
        with self._lock:
            own = {active.visit.folder for active in self._active.values()}
            strays = [folder for folder in self._visit_folders.iterdir() if folder not in own]
        for folder in strays:  # work that was being stopped, such as a training, may have made it anew
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Visitors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the work of all visits and remove their folders.

        Work is waited for: a training writes into them, and a process that ends while another thread computes crashes.
        """
        jobs, end_s = [visit.job for visit in self.all()], time.monotonic() + CLOSING_S
        for job in jobs:
            job.abandon()
        while not all(job.done for job in jobs) and time.monotonic() < end_s:
            time.sleep(0.02)
        for key in list(self._active):
            self.remove(key)
        if os.name == "nt":
            self._claim.close()  # Windows can't remove a file that is open
        shutil.rmtree(self.folder, ignore_errors=True)
        self._claim.close()


def remove_leftovers(temporary: Path) -> None:
    """Remove the folders of killed servers; a running server holds a lock, which the system releases at its end."""
    for folder in temporary.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, InputError):  # another user's, locked, or removed meanwhile
            is_ours = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            is_leftover = is_ours and (folder / LOCK_FILE).is_file() and not folder.is_symlink()
            if is_leftover and time.time() - folder.stat().st_mtime > MIN_LEFTOVER_AGE_S:
                with locked_folder(folder):
                    shutil.rmtree(folder, ignore_errors=True)
