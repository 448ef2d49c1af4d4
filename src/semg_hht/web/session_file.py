"""A visit's recordings with what a person stated about them and the answers of a run as one file, and back.

The file is a zip of session.json and the recordings. Opening one trusts nothing in it: members are read by the list in
session.json alone, get new names, and may unpack to a limited number of bytes.
"""

from __future__ import annotations

import errno
import json
import lzma
import os
import secrets
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from semg_hht.system.files import BROKEN_NPZ
from semg_hht.web import editing
from semg_hht.web.repetition_table import Problem, Refused, one_line
from semg_hht.web.saved_answers import answers_to_json, with_answers
from semg_hht.web.uploads import require_space, safe_name
from semg_hht.web.visit import MAX_FILES, Visit, VisitFile

SUFFIX = ".semg.zip"
VERSION = 1
DESCRIPTION = "session.json"
MAX_DESCRIPTION = 20_000_000  # bytes of session.json: 60 files of 500 repetitions with the columns of a sensor
CHUNK = 2**20
EXTRA_COLUMNS = ("labelled_by", "sensor_label", "confidence")
BROKEN_ARCHIVE = (*BROKEN_NPZ, lzma.LZMAError)
# Errors of the computer and not of the file.
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
OF_THE_SYSTEM = {errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT, errno.EISDIR, errno.EMFILE, errno.ENFILE,
                 errno.EROFS, errno.ESTALE}  # fmt: skip


def describe_session(visit: Visit, files: Iterable[VisitFile]) -> str:
    """The session.json of files of a visit: their repetitions, labels, facts, maxima and answers.

    Where it would be too long to be opened again, answers are left out.
    """
    with visit.lock:
        chosen = list(files)
        places = {file.number: i for i, file in enumerate(chosen)}
        listed = []
        for i, file in enumerate(chosen):
            maximum = visit.maximum(file)
            listed.append({
                "name": file.name, "member": f"recordings/{i}", "about": _facts_of(visit, file),
                "repetitions": None if file.recorded is None else [
                    {"start_s": row.start_s, "stop_s": row.stop_s, "label": row.movement,
                     "extra": {name: row.extra[name] for name in EXTRA_COLUMNS if name in row.extra}}
                    for row in file.rows
                ],
                "maximum": None if maximum is None or maximum.file not in places
                else [places[maximum.file], maximum.start_s, maximum.stop_s, maximum.is_whole],
                "answers": answers_to_json(file),
            })  # fmt: skip
        parts = [{"name": part.name, "member": f"parts/{i}"} for i, part in enumerate(_parts_beside(visit))]
    text = json.dumps({"version": VERSION, "files": listed, "parts": parts}, ensure_ascii=False)
    if len(text.encode()) > MAX_DESCRIPTION:
        listed = [{**item, "answers": None} for item in listed]
        text = json.dumps({"version": VERSION, "files": listed, "parts": parts}, ensure_ascii=False)
    return text


def _facts_of(visit: Visit, file: VisitFile) -> dict[str, Any]:
    """What is stated about a file, by the visitor or by a table: the table is not part of the session."""
    about = asdict(file.about)
    for row in visit.stated.get(file.name, ())[:1]:
        about["rate_hz"] = row.rate_hz or about["rate_hz"]
        about["units"] = (row.units in editing.UNITS and row.units) or about["units"]
    return about


def _parts_beside(visit: Visit) -> list[Path]:
    """Stored files that belong to others, such as the signals of a WFDB header."""
    own = {file.name for file in visit.files.values()}
    beside = (path for path in visit.recordings.iterdir() if path.name not in own and not path.name.startswith("."))
    return sorted(path for path in beside if path.suffix.lower() in (".hea", ".dat"))


def write_session(visit: Visit, to: BinaryIO, files: Iterable[VisitFile]) -> str:
    """Write files of a visit as a session, and return its `describe_session`."""
    with visit.lock:
        chosen = list(files)
        text, parts = describe_session(visit, chosen), _parts_beside(visit)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:
        for i, file in enumerate(chosen):
            archive.write(file.path, f"recordings/{i}")
        for i, part in enumerate(parts):
            archive.write(part, f"parts/{i}")
        archive.writestr(DESCRIPTION, text, zipfile.ZIP_DEFLATED)
    return text


def open_session(visit: Visit, path: Path, filters: Any, *, max_bytes: int, kept: str = "", called: str = "") -> None:
    """Add the files of a session to the visit.

    max_bytes : that all recordings may unpack to. kept : the name of the session in the folder of kept ones.
    called : the visitor's name of the file; empty: that of ``path``.

    Raises
    ------
    Refused
        It is no session, it is too large, or the system can't read it or write its recordings.
    """
    with visit.lock:
        visit.problems = ()
        visit.n_opening += 1
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(_member(archive, DESCRIPTION, MAX_DESCRIPTION))
            files, parts = content["files"], content.get("parts", [])
            if content["version"] != VERSION:
                raise Refused("app_no_session", file=called or path.name)
            if len(files) + len(visit.files) > MAX_FILES or len(parts) > MAX_FILES:
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
    except BROKEN_ARCHIVE as error:
        file = called or path.name
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise Refused("app_disk_full") from None
        if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
            raise Refused("app_session_unreadable", file=file, why=os.strerror(error.errno)) from None
        raise Refused("app_no_session", file=file) from None
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
        if item.get("answers") is not None and visit.files[number].problem is None:
            visit.put(with_answers(visit.files[number], item["answers"]))
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
