"""A visit's recordings with what a person stated about them as one file, and back; and the folder of kept sessions.

The file is a zip of session.json and the recordings. Opening one trusts nothing in it: members are read by the list in
session.json alone, get new names, and may unpack to a limited number of bytes.
"""

from __future__ import annotations

import json
import secrets
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from semg_hht.system.files import BROKEN_NPZ, whole_file
from semg_hht.web import editing
from semg_hht.web.repetition_table import Problem, Refused, one_line
from semg_hht.web.uploads import require_space, safe_name
from semg_hht.web.visit import MAX_FILES, Visit, VisitFile

SUFFIX = ".semg.zip"
VERSION = 1
DESCRIPTION = "session.json"
MAX_DESCRIPTION = 20_000_000  # bytes of session.json: 40 files of 500 repetitions with the columns of a sensor
CHUNK = 2**20
MAX_KEPT = 2000  # sessions that are listed
EXTRA_COLUMNS = ("labelled_by", "sensor_label", "confidence")


def write_session(visit: Visit, to: BinaryIO, files: Iterable[VisitFile] | None = None) -> None:
    """Write the recordings of a visit, or some of them, with their repetitions, labels, facts and maxima."""
    with visit.lock:
        chosen = [file for file in (visit.files.values() if files is None else files) if file.problem is None]
        parts = {p.name: p for p in visit.recordings.iterdir() if not p.name.startswith(".")}
        listed = []
        for i, file in enumerate(chosen):
            maximum = visit.maximum(file)
            places = {other.number: j for j, other in enumerate(chosen)}
            listed.append({
                "name": file.name, "member": f"recordings/{i}", "about": asdict(file.about),
                "repetitions": None if file.recorded is None else [
                    {"start_s": row.start_s, "stop_s": row.stop_s, "label": row.movement,
                     "extra": {name: row.extra[name] for name in EXTRA_COLUMNS if name in row.extra}}
                    for row in file.rows
                ],
                "maximum": None if maximum is None or maximum.file not in places
                else [places[maximum.file], maximum.start_s, maximum.stop_s, maximum.is_whole],
            })  # fmt: skip
    own = {file.name for file in visit.files.values()}
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:
        for i, file in enumerate(chosen):
            archive.write(file.path, f"recordings/{i}")
        beside = [p for name, p in parts.items() if name not in own and p.suffix.lower() in (".hea", ".dat")]
        for i, part in enumerate(beside):
            archive.write(part, f"parts/{i}")
        content = {"version": VERSION, "files": listed,
                   "parts": [{"name": p.name, "member": f"parts/{i}"} for i, p in enumerate(beside)]}  # fmt: skip
        archive.writestr(DESCRIPTION, json.dumps(content, ensure_ascii=False), zipfile.ZIP_DEFLATED)


def open_session(visit: Visit, path: Path, filters: Any, *, max_bytes: int, kept: str = "") -> None:
    """Add the files of a session to the visit.

    max_bytes : that all recordings may unpack to. kept : the name of the session in the folder of kept ones.

    Raises
    ------
    Refused
        It is no session, or it is too large.
    """
    with visit.lock:
        visit.problems = ()
        visit.n_opening += 1
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(_member(archive, DESCRIPTION, MAX_DESCRIPTION))
            files, parts = content["files"], content.get("parts", [])
            if content["version"] != VERSION or len(files) + len(visit.files) > MAX_FILES or len(parts) > MAX_FILES:
                raise Refused("app_too_many_files", most=MAX_FILES)
            left = max_bytes
            numbers: dict[int, int] = {}
            for part in parts:
                target = visit.recordings / safe_name(part["name"])
                if not target.exists():
                    left -= _unpack(archive, part["member"], target, left)
            for i, item in enumerate(files):
                stored = visit.folder / f"upload-{secrets.token_hex(8)}"
                try:
                    left -= _unpack(archive, item["member"], stored, left)
                    numbers[i] = _add(visit, stored, item, filters)
                finally:
                    stored.unlink(missing_ok=True)
            _restore_maxima(visit, files, numbers)
        _mark_kept(visit, list(numbers.values()), kept)
    except BROKEN_NPZ:
        raise Refused("app_no_session", file=path.name if not path.name.startswith("upload-") else SUFFIX) from None
    finally:
        with visit.lock:
            visit.n_opening -= 1


def _mark_kept(visit: Visit, numbers: list[int], kept: str) -> None:
    """From now on the kept session has what the visit has, unless a recording of it could not be read again."""
    with visit.lock:
        files = [visit.files[number] for number in numbers if number in visit.files]
        if all(file.problem is None for file in files):
            visit.change_each(lambda file: replace(file, kept=kept), files)


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as member:
        content = member.read(most + 1)
    if len(content) > most:
        raise Refused("app_session_too_big")
    return content


def _unpack(archive: zipfile.ZipFile, name: str, to: Path, most: int) -> int:
    """Unpack a member in chunks, and count: an archive may state any size."""
    n_bytes = 0
    with archive.open(name) as member, to.open("wb") as out:
        while chunk := member.read(CHUNK):
            n_bytes += len(chunk)
            require_space(to.parent, len(chunk))
            if n_bytes > most:
                to.unlink()
                raise Refused("app_session_too_big")
            out.write(chunk)
    return n_bytes


def _add(visit: Visit, stored: Path, item: dict[str, Any], filters: Any) -> int:
    """Add one recording of a session; its repetitions are checked as those that a visitor draws."""
    about = item["about"] if isinstance(item["about"], dict) else {}
    number = editing.add(visit, stored, safe_name(item["name"]), filters)
    if number not in visit.files:
        return number
    try:
        editing.describe(visit, number, about, filters)
        if item["repetitions"] is not None and visit.files[number].recorded is not None:
            editing.set_repetitions(visit, number, item["repetitions"])
            _restore_columns(visit, number, item["repetitions"])
    except Refused as refused:
        visit.problems = (*visit.problems, Problem("app_in_table", {
            "file": DESCRIPTION, "of": visit.files[number].name, "why": refused.problem}))  # fmt: skip
    return number


def _restore_columns(visit: Visit, number: int, items: list[dict[str, Any]]) -> None:
    file = visit.files[number]
    items = sorted(items, key=lambda item: float(item["start_s"]))
    rows = []
    for row, item in zip(file.rows, items, strict=True):
        extra = item.get("extra") or {}
        own = {name: one_line(extra[name], 40) for name in EXTRA_COLUMNS if name in extra}
        rows.append(replace(row, extra=own))
    visit.put(replace(file, rows=tuple(rows)))


def _restore_maxima(visit: Visit, files: list[dict[str, Any]], numbers: dict[int, int]) -> None:
    for i, item in enumerate(files):
        stated = item.get("maximum")
        file = visit.files.get(numbers[i])
        if not stated or file is None or visit.person_key(file) in visit.maxima:
            continue
        place, start_s, stop_s, is_whole = stated
        times = (None, None) if is_whole else (start_s, stop_s)
        editing.set_maximum(visit, file.number, numbers[int(place)], *times)


class KeptSessions:
    """Sessions in a folder of the owner: one file for each person of a visit, or for a visit without persons.

    A session that was opened from the folder is written to its own file again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))[:MAX_KEPT]

    def path(self, name: Any) -> Path:
        """The file of a kept session; only a name of `names` leads to one."""
        if name not in self.names():
            raise Refused("app_no_such_file")
        return self.folder / f"{name}{SUFFIX}"

    def keep(self, visit: Visit) -> None:
        """Write the sessions of a visit that changed since they were written."""
        with visit.lock:
            changed = visit.changed
            if visit.saved == changed or visit.n_opening:
                return
            for file in [f for f in visit.usable() if not f.kept and f.recorded is not None]:
                visit.files[file.number] = replace(file, kept=self._name_for(visit, file))
            groups: dict[str, list[VisitFile]] = {}
            for file in visit.usable():
                if file.kept:
                    groups.setdefault(file.kept, []).append(file)
        for name, files in groups.items():
            with whole_file(self.folder / f"{name}{SUFFIX}") as part, part.open("wb") as to:
                write_session(visit, to, files)
        visit.saved = changed

    def _name_for(self, visit: Visit, file: VisitFile) -> str:
        """The name of the session of the same person in this visit, or a new one."""
        same = (f.kept for f in visit.files.values() if f.kept and f.about.person == file.about.person)
        known = next(same, "")
        if known:
            return known
        person = "".join(c for c in file.about.person if c.isalnum() or c in "-_")[:40] or "session"
        return f"{person}_{file.about.date or 'undated'}_{secrets.token_hex(4)}"
