"""Sessions in a folder of the owner: one file for each person of a visit, or for a visit without persons.

A session that was opened from the folder is written to its own file again, unless somebody else has changed that file
meanwhile: then it is written to a new file beside it, and the visit knows of both.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.system.files import whole_file
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.session_file import SUFFIX, describe_session, open_session, write_session
from semg_hht.web.uploads import without_folder
from semg_hht.web.visit import KeptSession, SessionConflict, Visit, VisitFile

MAX_KEPT = 2000  # sessions that are listed


class KeptSessions:
    """The folder of kept sessions; all visits share it, and other servers may."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writing = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))[:MAX_KEPT]

    def path(self, name: Any) -> Path:
        """The file of a kept session; only a name of `names` leads to one."""
        if name not in self.names():
            raise Refused("app_no_such_file")
        return self.folder / f"{name}{SUFFIX}"

    def open(self, visit: Visit, name: Any, filters: Any, *, max_bytes: int) -> None:
        """Add the files of a kept session to the visit. Raises as `open_session`."""
        path, stamp = self.path(name), self._stamp(name)
        with visit.lock:
            visit.n_opening += 1
        try:
            open_session(visit, path, filters, max_bytes=max_bytes, kept=name)
            with visit.lock:
                files = [file for file in visit.usable() if file.kept == name]
                visit.kept[name] = KeptSession(stamp, describe_session(visit, files))
        finally:
            with visit.lock:
                visit.n_opening -= 1

    def set_aside(self, visit: Visit, name: Any) -> None:
        """Take the copy of a session that somebody else changed out of the visit; it stays in the folder."""
        conflict = self._conflict(visit, name)
        self.keep(visit)
        with visit.lock:
            for file in [file for file in visit.usable() if file.kept == conflict.copy]:
                visit.remove(file.number)
        self.go_on(visit, name)

    def go_on(self, visit: Visit, name: Any) -> None:
        """Go on with the copy; the session of the other stays as it is."""
        conflict = self._conflict(visit, name)
        visit.conflicts = tuple(other for other in visit.conflicts if other != conflict)
        visit.touch()

    def _conflict(self, visit: Visit, name: Any) -> SessionConflict:
        found = next((conflict for conflict in visit.conflicts if conflict.name == name), None)
        if found is None:
            raise Refused("app_no_such_file")
        return found

    def keep(self, visit: Visit) -> None:
        """Write the sessions of a visit that changed since they were written.

        Raises
        ------
        InputError
            The folder can't be written; the visit says so as well, until it can.
        """
        with self._writing:
            with visit.lock:
                changed = visit.changed
                if visit.saved == changed or visit.n_opening:
                    return
                for file in [f for f in visit.usable() if not f.kept and f.recorded is not None]:
                    visit.files[file.number] = replace(file, kept=self._name_for(visit, file))
                names = dict.fromkeys(file.kept for file in visit.usable() if file.kept)
            try:
                for name in names:
                    self._keep_one(visit, name)
            except (OSError, InputError) as error:
                self._tell(visit, Problem("app_not_kept", {"said": without_folder(str(error), self.folder)}))
                raise
            self._tell(visit, None)
            if visit.changed == changed:
                visit.saved = changed

    def _tell(self, visit: Visit, problem: Problem | None) -> None:
        with visit.lock:
            if visit.not_kept != problem:
                visit.not_kept = problem
                visit.touch()

    def _keep_one(self, visit: Visit, name: str) -> None:
        """Write one session, unless it has not changed; to a copy where somebody else wrote its file meanwhile."""
        with visit.lock:
            files = [file for file in visit.usable() if file.kept == name]
            known, stamp = visit.kept.get(name), self._stamp(name)
            if known is not None and known.description == describe_session(visit, files):
                return
            if stamp and (known is None or known.stamp != stamp):
                copy = self._new_name(files[0])
                visit.change_each(lambda file: replace(file, kept=copy), files)
                visit.conflicts = (*visit.conflicts, SessionConflict(name, copy))
                name, files = copy, [file for file in visit.usable() if file.kept == copy]
        with whole_file(self.folder / f"{name}{SUFFIX}") as part, part.open("wb") as to:
            description = write_session(visit, to, files)
        visit.kept[name] = KeptSession(self._stamp(name), description)

    def _stamp(self, name: str) -> tuple[int, ...]:
        """What changes where the file of a session is written; empty: there is no file."""
        with suppress(OSError):
            state = (self.folder / f"{name}{SUFFIX}").stat()
            return state.st_mtime_ns, state.st_size, state.st_ino
        return ()

    def _name_for(self, visit: Visit, file: VisitFile) -> str:
        """The name of the session of the same person in this visit, or a new one."""
        same = (f.kept for f in visit.files.values() if f.kept and f.about.person == file.about.person)
        return next(same, "") or self._new_name(file)

    @staticmethod
    def _new_name(file: VisitFile) -> str:
        person = "".join(c for c in file.about.person if c.isalnum() or c in "-_")[:40] or "session"
        return f"{person}_{file.about.date or 'undated'}_{secrets.token_hex(4)}"
