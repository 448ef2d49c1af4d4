"""The steps of a visitor that change files: adding, describing, dividing into repetitions, labelling.

It reads files in processes of their own. It does not know runs, requests or other visitors.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.web.isolated import run_isolated
from semg_hht.web.measured_repetitions import maximal_amplitudes, measured, with_percent
from semg_hht.web.repetition_table import Problem, Refused, one_line, read_repetitions, rows_of
from semg_hht.web.uploads import MAX_READ_BYTES, ReadFile, StatedFacts, problem_of, read_upload
from semg_hht.web.visit import MAX_FILES, About, Maximum, ReadRecording, Visit, VisitFile

UNITS = ("", "V", "mV", "uV")
MAX_TEXT = {"person": 60, "muscle": 60, "side": 20, "note": 500}
RATE_HZ = (1.0, 1e6)
SENSOR_TIMEOUT_S = 60.0
MAX_PROBLEMS = 20  # of tables that are shown


def add(visit: Visit, stored: Path, name: str, filters: Any) -> int:
    """Take a stored upload into the visit: a recording or a matrix as a file of its own, a table to its recordings.

    Returns
    -------
    The number of the file, which may be gone again: a table, or a part of another file.
    """
    with visit.lock:
        if len(visit.files) >= MAX_FILES:
            raise Refused("app_too_many_files", most=MAX_FILES)
        path = visit.next_path(name)
        stored.rename(path)
        visit.n_files += 1
        number = visit.n_files
        stated = StatedFacts(visit.stated.get(path.name, ()))
        drawn = visit.next_drawn(number)
        # Its place in the list is taken now: several files may be read at once.
        visit.files[number] = VisitFile(number, path, problem=Problem("app_reading", {"file": path.name}))
    read = read_upload(path, stated, filters, drawn)
    with visit.lock:
        visit.problems = _still_true(visit, path.name)
        if not _is_as_read(visit, number, stated):
            drawn.unlink(missing_ok=True)
            return number
        if read.table is not None:
            visit.remove(number)
            otherwise = _take_table(visit, path.name, read.table)
        else:
            _put_read(visit, visit.files[number], read)
            _join_parts(visit, visit.files[number], read)
            otherwise = []
    for file in otherwise:
        read_again(visit, file, filters)
    return number


def _still_true(visit: Visit, added: str) -> tuple[Problem, ...]:
    """Of the problems, those of tables: of recordings that are not here yet, and of rows that do not fit theirs.

    added : the name of the file that is added now; a table that comes again replaces what was said of it.
    """
    here = {file.name for file in visit.files.values()}
    tables = [problem for problem in visit.problems if problem.values.get("file") != added]
    return tuple(
        table
        for table in tables
        if table.name == "app_in_table"
        or (table.name == "app_table_waits" and not set(table.values["names"].split(", ")) <= here)
    )


def read_again(visit: Visit, file: VisitFile, filters: Any) -> None:
    """Read a file again, with the rate and the units that the visitor states; no other file changes."""
    with visit.lock:
        stated = StatedFacts(visit.stated.get(file.name, ()), file.about.rate_hz, file.about.units)
        drawn = visit.next_drawn(file.number)
    read = read_upload(file.path, stated, filters, drawn)
    with visit.lock:
        if _is_as_read(visit, file.number, stated):
            _put_read(visit, visit.files[file.number], read)
        else:
            drawn.unlink(missing_ok=True)


def _is_as_read(visit: Visit, number: int, stated: StatedFacts) -> bool:
    """Whether the file is still here, and what is stated of it is what it was read with."""
    now = visit.files.get(number)
    if now is None or visit.stated.get(now.name, ()) != stated.rows:
        return False
    return (now.about.rate_hz, now.about.units) == (stated.rate_hz, stated.units)


def _put_read(visit: Visit, file: VisitFile, read: ReadFile) -> None:
    about, before = file.about, file.recorded
    if read.recorded is not None:
        shared = read.recorded.shared
        about = replace(about, person=about.person or shared.subject, muscle=about.muscle or shared.muscle,
                        date=about.date or _date(shared.session, lenient=True))  # fmt: skip
    file = replace(file, about=about, recorded=read.recorded, problem=read.problem, needs_rate=read.needs_rate,
                   rows=read.rows).without_answers()  # fmt: skip
    visit.put(file)  # its own maximum may be in it
    if before is not None:
        before.samples.unlink(missing_ok=True)
        if read.recorded is None or read.recorded.duration_s != before.duration_s:
            visit.drop_maxima(file.number)  # their times are of the former rate
    visit.put(measured(file, reference_of(visit, file)))


def _join_parts(visit: Visit, file: VisitFile, read: ReadFile) -> None:
    """Drop files that turned out to be parts of another, such as the signals of a WFDB header; they stay stored."""
    for other in [other for other in visit.files.values() if other.name in read.parts and other.number != file.number]:
        del visit.files[other.number]


def _take_table(visit: Visit, name: str, table: Mapping[str, tuple[ManifestRow, ...]]) -> list[VisitFile]:
    """The repetitions of a table: of files that are here now, and of those that come later.

    Returns
    -------
    Files that are to be read again: they could not be read, are being read, or were read with another rate or units.
    """
    visit.stated |= table
    problems, otherwise = [], []
    waiting = set(table)
    for file in [f for f in visit.files.values() if f.name in table]:
        waiting.discard(file.name)
        stated = table[file.name]
        if file.recorded is None or not _reads_as(file.recorded, stated[0]):
            otherwise.append(file)
            continue
        try:
            rows = _rows_with_times(file, stated) if _states_times(stated) else _labelled_as(file.rows, stated[0])
        except Refused as refused:
            problems.append(Problem("app_in_table", {"file": name, "of": file.name, "why": refused.problem}))
            del visit.stated[file.name]
            continue
        about = replace(file.about, person=stated[0].subject or file.about.person,
                        muscle=stated[0].muscle or file.about.muscle)  # fmt: skip
        file = replace(file, about=about, rows=rows).without_answers()
        visit.put(measured(file, reference_of(visit, file)))
    if waiting:
        problems.append(Problem("app_table_waits", {"file": name, "names": ", ".join(sorted(waiting)[:5])}))
    visit.problems = (*visit.problems, *problems)[-MAX_PROBLEMS:]
    visit.touch()
    return otherwise


def _reads_as(recorded: ReadRecording, stated: ManifestRow) -> bool:
    """Whether a recording was read with the rate and the units that a table states, where it states them."""
    is_rate = stated.rate_hz in (None, recorded.shared.rate_hz)
    return is_rate and stated.units in ("", recorded.shared.units)


def _states_times(rows: Sequence[ManifestRow]) -> bool:
    return any(row.start_s is not None or row.stop_s is not None for row in rows)


def _rows_with_times(file: VisitFile, stated: Sequence[ManifestRow]) -> tuple[ManifestRow, ...]:
    assert file.recorded is not None
    end_s = file.recorded.duration_s
    rows = [replace(row, start_s=row.start_s or 0.0, stop_s=row.stop_s or end_s) for row in stated]
    items = [{"start_s": row.start_s, "stop_s": row.stop_s, "label": row.movement} for row in rows]
    return rows_of(read_repetitions(items, end_s), file.recorded.shared, rows)


def _labelled_as(rows: Sequence[ManifestRow], stated: ManifestRow) -> tuple[ManifestRow, ...]:
    """The repetitions that were found, with the label of a whole recording where nobody gave them another."""
    return tuple(row if row.movement else replace(row, movement=stated.movement) for row in rows)


def describe(visit: Visit, number: Any, stated: Mapping[str, Any], filters: Any) -> None:
    """Take facts of one file; where the rate or the units change, that file is read again, and no other."""
    with visit.lock:
        file = visit.file(number)
        about = _about(file.about, stated)
        if about == file.about:
            return
        is_other_person = about.person != file.about.person
        key = visit.person_key(file)
        changed = replace(file, about=about)
        if is_other_person:
            others = {other.about.person for other in visit.files.values() if other.number != file.number} - {""}
            if others & {about.person, file.about.person}:  # a run may answer the recordings of a person together
                changed = changed.without_answers()
            if not file.about.person and key in visit.maxima:  # of the file, now of the person
                visit.maxima.setdefault(about.person, visit.maxima.pop(key))
        visit.put(with_percent(changed, reference_of(visit, changed)))
    if (about.rate_hz, about.units) != (file.about.rate_hz, file.about.units):
        read_again(visit, changed, filters)


def _about(about: About, stated: Mapping[str, Any]) -> About:
    values: dict[str, Any] = {name: one_line(stated[name], most) for name, most in MAX_TEXT.items() if name in stated}
    if "date" in stated:
        values["date"] = _date(stated["date"])
    if "units" in stated:
        if stated["units"] not in UNITS:
            raise Refused("app_bad_units")
        values["units"] = stated["units"]
    if "rate_hz" in stated:
        values["rate_hz"] = _rate(stated["rate_hz"])
    return replace(about, **values)


def _date(text: Any, *, lenient: bool = False) -> str:
    """A date as YYYY-MM-DD, or nothing.

    Raises
    ------
    Refused
        It is no date; with ``lenient`` nothing is returned instead.
    """
    if not text:
        return ""
    try:
        return datetime.date.fromisoformat(str(text)[:20]).isoformat()
    except ValueError:
        if lenient:
            return ""
        raise Refused("app_bad_date") from None


def _rate(typed: Any) -> float | None:
    if typed in (None, ""):
        return None
    try:
        rate_hz = float(str(typed).replace(",", "."))
    except ValueError:
        rate_hz = math.nan
    if not RATE_HZ[0] <= rate_hz <= RATE_HZ[1]:
        raise Refused("app_bad_rate")
    return rate_hz


def set_repetitions(visit: Visit, number: Any, items: Any) -> None:
    """Replace the repetitions of a recording; nothing changes where one of them can't be used."""
    with visit.lock:
        file, recorded = visit.recording(number)
        rows = rows_of(read_repetitions(items, recorded.duration_s), recorded.shared, file.rows)
        changed = replace(file, rows=rows, why={})
        if [(row.start_s, row.stop_s) for row in rows] != [(row.start_s, row.stop_s) for row in file.rows]:
            changed = measured(changed, reference_of(visit, file))
        else:
            changed = replace(changed, why=file.why)
        visit.put(changed)


def find_again(visit: Visit, number: Any, filters: Any) -> None:
    """Find the repetitions in the signal, whatever a table or the visitor stated."""
    with visit.lock:
        file, _ = visit.recording(number)
        visit.stated.pop(file.name, None)
    read_again(visit, file, filters)


def set_maximum(visit: Visit, number: Any, of: Any, start_s: Any, stop_s: Any) -> None:
    """State the maximal contraction of a file's person: a whole file, an interval of one, or none (``of`` is None)."""
    with visit.lock:
        file, _ = visit.recording(number)
        key = visit.person_key(file)
        if of is None:
            visit.maxima.pop(key, None)
        else:
            source, recorded = visit.recording(of)
            start = 0.0 if start_s is None else start_s
            stop = recorded.duration_s if stop_s is None else stop_s
            (drawn,) = read_repetitions([{"start_s": start, "stop_s": stop}], recorded.duration_s)
            maximum = Maximum(source.number, drawn.start_s, drawn.stop_s, is_whole=start_s is None)
            if not maximal_amplitudes(source, maximum):
                raise Refused("app_silent_maximum")
            visit.maxima[key] = maximum
        same = [other for other in visit.files.values() if visit.person_key(other) == key]
        visit.change_each(lambda other: with_percent(other, reference_of(visit, other)), same)


def reference_of(visit: Visit, file: VisitFile) -> dict[str, float]:
    """The maximal amplitude of each channel of the file's person, where its units are those of the file."""
    maximum = visit.maximum(file)
    source = None if maximum is None else visit.files.get(maximum.file)
    if maximum is None or source is None or source.recorded is None or file.recorded is None:
        return {}
    if source.recorded.units != file.recorded.units:
        return {}
    return maximal_amplitudes(source, maximum)


def label_from_sensor(visit: Visit, number: Any, sensor: Any) -> None:
    """Label the repetitions of a recording from one of its sensors; the label of a person stays."""
    with visit.lock:
        file, recorded = visit.recording(number)
    name = one_line(sensor, 200)
    if not file.rows:
        raise Refused("app_no_repetition")
    try:
        rows, remarks = run_isolated(
            _labelled, file.path, file.manifest_rows(), name, timeout_s=SENSOR_TIMEOUT_S, max_bytes=MAX_READ_BYTES
        )
    except InputError as error:
        raise Refused("app_says", said=problem_of(error, visit.recordings).values["said"]) from None
    except (MemoryError, TimeoutError):
        raise Refused("app_too_slow", file=file.name) from None
    with visit.lock:
        now = visit.files.get(file.number)
        if now is None or now.rows != file.rows or now.recorded is not recorded:
            raise Refused("app_changed_meanwhile")
        known = (*recorded.remarks, *(remark for remark in remarks if remark not in recorded.remarks))
        own = [replace(row, subject=before.subject, session=before.session, muscle=before.muscle)
               for row, before in zip(rows, now.rows, strict=True)]  # fmt: skip
        visit.put(replace(now, rows=tuple(own), recorded=replace(recorded, remarks=known)))


def _labelled(path: Path, rows: list[ManifestRow], sensor: str) -> tuple[list[ManifestRow], list[str]]:
    from semg_hht.datasets.label import LabelOptions, SensorSource, label_jobs
    from semg_hht.recordings.jobs import Job

    options = LabelOptions(pictures=False)
    found = label_jobs([Job(path, tuple(rows))], SensorSource(sensor), None, options, n_jobs=1)
    return list(found.rows), [remark.text for remark in found.remarks]
