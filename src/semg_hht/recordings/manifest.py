"""The predicted tasks and their classes; labels of recordings from file names and manifest tables.

It works on names and tables and does not know signals, matrices or networks.
"""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from semg_hht.errors import InputError
from semg_hht.recordings.spelling import require_one_spelling, spelling_key
from semg_hht.system.files import require_file

TASKS = ("action_quality", "gender")  # keys of the prediction JSON
LABEL_COLUMN = {"action_quality": "movement", "gender": "gender"}

# Tokens of a file name. Whole tokens are compared, in lower case.
MOVEMENT_TOKENS = {"fatiguetest": "full", "full": "full", "half": "half", "invalid": "invalid", "wrong": "invalid"}
GENDER_TOKENS = {"m": "M", "f": "F"}
# People type manifests by hand; these spellings of the two recorded genders are equivalent.
GENDER_SPELLINGS = {"m": "M", "male": "M", "男": "M", "f": "F", "female": "F", "女": "F"}

# Label sets of which `check` says what is missing.
COMPLETE_SETS = (("full", "half", "invalid"), ("low", "mid", "high"), ("fresh", "tired"))
# Label sets with a natural order, which no sorting gives, are listed in that order.
KNOWN_ORDERS = (
    *COMPLETE_SETS, ("low", "medium", "high"),
    ("light", "moderate", "heavy"), ("none", "mild", "moderate", "severe"), ("small", "medium", "large"),
    ("slow", "medium", "fast"), ("slow", "normal", "fast"), ("低", "中", "高"), ("轻", "中", "重"), ("小", "中", "大"),
    ("慢", "中", "快"), ("轻度", "中度", "重度"), ("无", "轻度", "中度", "重度"), ("低强度", "中强度", "高强度"),
)  # fmt: skip

# pandas and spreadsheets write these for an empty cell.
NOTHING = ("nan", "NaN", "<NA>", "n/a", "N/A", "#N/A")

MANIFEST_COLUMNS = (
    "file", "subject", "session", "repetition", "muscle", "movement", "gender",
    "rate_hz", "units", "start_s", "stop_s", "channels",
)  # fmt: skip

LABELS = ("subject", "session", "repetition", "muscle", "movement", "gender")  # columns of names

_SUBJECT = re.compile(r"s\d+", re.IGNORECASE)
_SESSION = re.compile(r"e\d+", re.IGNORECASE)


@dataclass(frozen=True)
class ManifestRow:
    """One row of a manifest, or the labels in a file name. Empty text: not stated.

    file : path as written in the manifest, relative to the manifest, with forward slashes.
    start_s, stop_s : the repetition within the recording, in seconds; None: its start, its end.
    channels : names of the channels to use, or their numbers in the file, from 1; empty: all EMG channels.
    extra : the user's own columns, passed on unchanged.
    rate_source : the file that states ``rate_hz``, for messages; empty: the command line or the caller.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.ManifestRow("curl.csv", movement="half", start_s=1.5, stop_s=3.0).label("action_quality")
    'half'
    """

    file: str
    subject: str = ""
    session: str = ""
    repetition: str = ""
    muscle: str = ""
    movement: str = ""
    gender: str = ""
    rate_hz: float | None = None
    units: str = ""
    start_s: float | None = None
    stop_s: float | None = None
    channels: tuple[str, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)
    rate_source: str = field(default="", compare=False)

    def label(self, task: str) -> str:
        """The class for ``task``; empty if it is unknown."""
        return str(getattr(self, LABEL_COLUMN[task]))


def is_test_name(name: str) -> bool:
    """Whether a file has no label and is to be predicted: its name starts with ``Test``, in any case."""
    return name.lower().startswith("test")


def parse_file_name(name: str) -> ManifestRow:
    """Labels from ``[S01_][E02_]MUSCLE_movement_GENDER[_NNN].ext``; whole words between ``_``, ``-`` or a space.

    Raises
    ------
    InputError
        The name neither starts with ``Test`` nor contains exactly one movement and one gender.
    """
    base = PurePosixPath(name.replace("\\", "/")).name
    if is_test_name(base):
        return ManifestRow(file=name)
    tokens = re.split(r"[_-]|\s+", base.rsplit(".", 1)[0])
    subject = session = ""
    if len(tokens) > 1 and _SUBJECT.fullmatch(tokens[0]):
        subject = tokens.pop(0).upper()
    if len(tokens) > 1 and _SESSION.fullmatch(tokens[0]):
        session = tokens.pop(0).upper()
    muscle = tokens[0]  # never a label: a muscle may be named FULL or M
    rest = tokens[1:]
    movements = {MOVEMENT_TOKENS[t.lower()] for t in rest if t.lower() in MOVEMENT_TOKENS}
    genders = {GENDER_TOKENS[t.lower()] for t in rest if t.lower() in GENDER_TOKENS}
    if len(movements) != 1 or len(genders) != 1:
        found = f"movement {_listed(movements)}, gender {_listed(genders)}"
        raise InputError(
            f"{name}: expected MUSCLE_movement_GENDER_NNN with one movement of {', '.join(MOVEMENT_TOKENS)} "
            f"and one gender of M, F, or a name that starts with Test; found {found}. "
            "A manifest.csv can state the labels instead"
        )
    numbers = [t for t in rest if t.isdigit()]
    return ManifestRow(
        file=name,
        subject=subject,
        session=session,
        repetition=numbers[-1] if numbers else "",
        muscle=muscle,
        movement=movements.pop(),
        gender=genders.pop(),
    )


def parse_file_names(names: Iterable[str]) -> Iterator[ManifestRow]:
    """`parse_file_name` of each name; the error of the first that has no labels counts the others like it."""
    wrong, n_names = [], 0
    for n_names, name in enumerate(names, 1):  # noqa: B007 - their number is used below
        try:
            yield parse_file_name(name)
        except InputError as error:
            wrong.append(error)
    if len(wrong) > 1:
        raise InputError(f"{wrong[0]}. {len(wrong) - 1} more of {n_names} names are so; semg-hht check lists all")
    if wrong:
        raise wrong[0]


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels in output order: their natural order (low, mid, high) if they have one, else alphabetical.

    Numbers in labels count as numbers: 5 %, 10 %, 100 %.

    Raises
    ------
    InputError
        Two labels are spellings of one name, so they probably mean the same class.
    """
    names = {label for label in labels if label}
    require_one_spelling(dict.fromkeys(names, ""), "class")
    order = known_order(names)
    if order is not None:
        return tuple(sorted(names, key=lambda name: order.index(spelling_key(name))))
    return tuple(sorted(names, key=_by_number))


def known_order(labels: Iterable[str]) -> tuple[str, ...] | None:
    """The first of `KNOWN_ORDERS` that has all of these labels, in any case; None: there is none."""
    keys = set(map(spelling_key, labels))
    return next((order for order in KNOWN_ORDERS if keys <= set(order)), None)


def _by_number(name: str) -> tuple[list[tuple[float, str]], str]:
    """Sort key: text in the order of characters, digits in the order of the numbers that they write."""
    sign = -1.0 if re.match(r"[-\u2212]\d", name) else 1.0
    parts = re.split(r"(\d+(?:\.\d+)?)", name.lstrip("-\u2212") if sign < 0 else name)
    # (text, number, text, number, ..., text): a number stands before any text, as digits stand before letters
    return [(sign * float(part), "") if i % 2 else (math.inf, part) for i, part in enumerate(parts) if part], name


def require_one_spelling_of_people(rows: Iterable[ManifestRow]) -> None:
    """Require that no person stands under two spellings: such a person would be trained on and scored on.

    Raises
    ------
    InputError
        Two subjects are spellings of one name; the text shows both, with a file of each.
    """
    files: dict[str, str] = {}
    for row in rows:
        files.setdefault(row.subject, row.file)
    require_one_spelling(files, "subject")


def gender_of(text: str) -> str:
    """``M`` or ``F`` for the spellings of the two recorded genders; other texts as they are."""
    return GENDER_SPELLINGS.get(spelling_key(text), text)


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read the rows of a manifest.csv: UTF-8 with or without BOM, with a header that contains at least ``file``.

    Columns are separated by commas, semicolons or tabs, and numbers may have a decimal comma, because spreadsheets of
    different countries save them so.

    Raises
    ------
    InputError
        The file is not text, has no column ``file`` or no rows, a cell is not a number, a stop is before its start, or
        a row is repeated.
    """
    return list(iterate_manifest(path))


def iterate_manifest(path: Path) -> Iterator[ManifestRow]:
    """`read_manifest` row by row: memory need not hold the whole table."""
    require_file(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            yield from _rows(handle, path)
    except OSError as error:
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text; save the table as 'CSV UTF-8'") from None


def read_manifest_text(text: str, path: Path) -> list[ManifestRow]:
    """`read_manifest` for the text of a table; ``path`` names it in messages."""
    with io.StringIO(text, newline="") as handle:
        return list(_rows(handle, path))


def _rows(handle: IO[str], path: Path) -> Iterator[ManifestRow]:
    """The rows of a table, then the checks of all rows together."""
    files: dict[str, str] = {}  # of people
    hashes = array("q")  # 8 bytes a row, where a set of the rows themselves takes 400
    for row in _parsed(handle, path):
        files.setdefault(row.subject, row.file)
        hashes.append(hash(_identity(row)))
        yield row
    if not hashes:
        raise InputError(f"{path}: expected one row per recording or matrix; found none")
    try:
        require_one_spelling(files, "subject")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(set(hashes)) == len(hashes):
        return
    seen: set[Any] = set()
    for row in _parsed(handle, path):  # once more, since different rows may have one hash
        if _identity(row) in seen:
            raise InputError(f"{path}: {row.file} is listed twice with the same start, stop and channels")
        seen.add(_identity(row))


def _identity(row: ManifestRow) -> tuple[str, float | None, float | None, tuple[str, ...]]:
    return row.file, row.start_s, row.stop_s, row.channels


def _parsed(handle: IO[str], path: Path) -> Iterator[ManifestRow]:
    try:
        handle.seek(0)
        first = handle.readline()
        handle.seek(0)
        reader = csv.DictReader(handle, delimiter=separator_of(first))
        header = [(name or "").strip() for name in reader.fieldnames or []]
        if "file" not in header:
            found = ", ".join(header) or "nothing"
            raise InputError(f"{path}: expected a header line with a column 'file'; found {found}")
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise InputError(f"{path}: column {_listed(repeated)} occurs twice in the header; expected it once")
        reader.fieldnames = header
        for cells in reader:
            if any((cells.get(column) or "") for column in header):
                yield _row(path, reader.line_num, cells)
    except csv.Error as error:
        raise InputError(f"{path}: expected comma-separated text; {error}") from None


def separator_of(header: str) -> str:
    """The column separator of a manifest, by its header line: a comma, a semicolon or a tab."""
    return max(",;\t", key=header.count)


def manifest_text(rows: Iterable[ManifestRow]) -> str:
    """The text of a manifest.csv; `read_manifest` returns the same rows."""
    rows = list(rows)
    extras = sorted({name for row in rows for name in row.extra})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*MANIFEST_COLUMNS, *extras])
    for row in rows:
        cells = (_cell(getattr(row, column)) for column in MANIFEST_COLUMNS)
        writer.writerow([*cells, *(row.extra.get(name, "") for name in extras)])
    return out.getvalue()


def _cell(value: str | float | tuple[str, ...] | None) -> str:
    if isinstance(value, tuple):
        return ";".join(value)
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _row(path: Path, line: int, cells: dict[str, str | None]) -> ManifestRow:
    where = f"{path}, line {line}"
    text = {name: (value or "").strip() for name, value in cells.items() if isinstance(name, str)}
    text |= {name: "" for name in LABELS if text.get(name) in NOTHING}
    if None in cells:
        raise InputError(f"{where}: found more cells than columns in the header; put quotes around a cell with a comma")
    if not text["file"]:
        raise InputError(f"{where}: the column 'file' is empty")
    row = ManifestRow(
        file=text["file"].replace("\\", "/"),
        subject=text.get("subject", ""),
        session=text.get("session", ""),
        repetition=text.get("repetition", ""),
        muscle=text.get("muscle", ""),
        movement=text.get("movement", ""),
        units=text.get("units", ""),
        gender=gender_of(text.get("gender", "")),
        rate_hz=read_number(where, "rate_hz", text.get("rate_hz", "")),
        start_s=read_number(where, "start_s", text.get("start_s", "")),
        stop_s=read_number(where, "stop_s", text.get("stop_s", "")),
        channels=tuple(part.strip() for part in text.get("channels", "").split(";") if part.strip()),
        extra={name: value for name, value in text.items() if name and name not in MANIFEST_COLUMNS},
        rate_source=str(path),
    )
    if row.rate_hz is not None and row.rate_hz <= 0:
        raise InputError(f"{where}: rate_hz must be above 0; found {row.rate_hz:g}")
    if (row.start_s or 0) < 0 or (row.stop_s is not None and row.stop_s <= (row.start_s or 0)):
        raise InputError(
            f"{where}: expected 0 <= start_s < stop_s; found {text.get('start_s')} and {text.get('stop_s')}"
        )
    return row


def read_number(where: str, column: str, cell: str) -> float | None:
    """The number in a cell of a table; None if the cell is empty.

    Raises
    ------
    InputError
        The cell is not a finite number; ``where`` names the file and the line.
    """
    if not cell:
        return None
    value = parse_finite(cell)
    if value is None:
        raise InputError(f"{where}: {column} must be a number; found {cell!r}")
    return value


def parse_finite(cell: str) -> float | None:
    """A finite number with a decimal point or comma (a spreadsheet may write one); None for any other text."""
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
