"""Reader of spreadsheets (.xlsx, .ods), with python-calamine: the rows of a sheet are decoded as a text table is.

calamine allocates every cell up to the farthest, and ends the process where memory is short. So the archive is unpacked
and measured here, and calamine gets a copy of the XML that was measured. It evaluates no formulas and runs no macros.
"""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from xml.parsers import expat

from semg_hht.errors import InputError
from semg_hht.recordings.formats.cells import MISSING, find_samples, seconds_of_day
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.tables import Text, decode_text
from semg_hht.recordings.formats.typed_numbers import decimal_separator, is_number, with_decimal_point
from semg_hht.system.files import require_modest, require_modest_zip

COMPOUND_FILE = bytes.fromhex("d0cf11e0a1b11ae1")  # starts .xls files, and .xlsx files with a password
BYTES_PER_CELL = 32  # of calamine
MIN_ROWS = 32  # of a sheet that may hold samples
_MARKS = str.maketrans('\t\r\n"', "   '")  # that would end a cell or a line of the text


def read_sheet(path: Path, rate_hz: float | None = None) -> DecodedRecording:
    """Read the first sheet that holds samples; see `read_table` for what its rows may hold.

    Raises
    ------
    InputError
        The file is no spreadsheet, unpacks to too much, or no sheet holds a table of samples.
    """
    from python_calamine import CalamineWorkbook

    with path.open("rb") as handle:
        if handle.read(len(COMPOUND_FILE)) == COMPOUND_FILE:
            found = "is protected by a password or holds an older format"
            raise InputError(f"{path}: {found}; save it as .xlsx without a password")
    archive = _measured(path)
    sheets: dict[str, Text] = {}
    unclear: dict[str, str] = {}  # sheet -> why its numbers can't be told
    try:
        with CalamineWorkbook.from_filelike(archive) as book:
            for name in book.sheet_names:
                sheet = book.get_sheet_by_name(name)
                blank = ["\n"] * (sheet.start[0] if sheet.start else 0)  # so that lines have the numbers of rows
                try:
                    sheets[name] = _text([*blank, *_lines(list(sheet.iter_rows()))])
                except ValueError as error:
                    unclear[name] = str(error)
                    sheets[name] = _text(blank)
    except Exception as error:
        raise InputError(f"{path}: can't be read as {path.suffix[1:].upper()}; {error}") from None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of a library in Rust; it is no Exception
            raise InputError(f"{path}: can't be read as {path.suffix[1:].upper()}; it is damaged") from None
        raise
    if not sheets:
        raise InputError(f"{path}: expected a sheet; found none")
    filled = [name for name, text in sheets.items() if name in unclear or _holds_samples(text)]
    name = filled[0] if filled else next(iter(sheets))
    if name in unclear:
        raise InputError(f"{path}: can't be read as {path.suffix[1:].upper()}; sheet {name!r}: {unclear[name]}")
    text = sheets[name]
    if len(filled) > 1:
        remark = f"the sheet {name!r} was read, and these were left out: {', '.join(filled[1:])}"
        text = Text(text.open, text.n_lines, (f"{remark}; save each as a file of its own",))
    return decode_text(path, text, rate_hz)


def _lines(rows: list[list[Any]]) -> list[str]:
    """Rows as lines of a table. Numbers that were typed as text get a decimal point and lose their marks of thousands.

    Raises
    ------
    ValueError
        What the marks of such numbers mean can't be told.
    """
    typed = [_is_typed(row) for row in rows]
    in_text = (cell for row, is_typed in zip(rows, typed, strict=True) if is_typed for cell in row)
    decimal = decimal_separator(cell for cell in in_text if isinstance(cell, str))
    return [
        "\t".join(
            with_decimal_point(_cell(cell), decimal) if is_typed and isinstance(cell, str) else _cell(cell)
            for cell in row
        )
        + "\n"
        for row, is_typed in zip(rows, typed, strict=True)
    ]


def _is_typed(row: list[Any]) -> bool:
    """Whether a row of samples holds numbers as text: all its texts are numbers, times of day or missing samples."""
    texts = [cell for cell in row if isinstance(cell, str) and cell]
    return any(map(is_number, texts)) and all(
        is_number(text) or text.strip().lower() in MISSING or seconds_of_day(text) is not None for text in texts
    )


def _text(lines: list[str]) -> Text:
    content = "".join(lines)
    return Text(lambda: StringIO(content), len(lines))


def _holds_samples(text: Text) -> bool:
    with text.open() as handle:
        return text.n_lines >= MIN_ROWS and find_samples(handle.readlines()) is not None


def _cell(value: Any) -> str:
    """The text of a cell; times as times of day, whole numbers without a point."""
    if isinstance(value, str):
        return value.translate(_MARKS)
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, timedelta):
        return (datetime.min + value % timedelta(days=1)).time().isoformat()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _measured(path: Path) -> BytesIO:
    """A copy of the XML files of the archive, whose sheets have a modest number of cells."""
    copy, counter = BytesIO(), _CellCounter()
    try:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
            require_modest_zip(path, source)
            members = {info.filename: info for info in source.infolist()}
            for name, info in members.items():
                if name == "mimetype":
                    target.writestr(name, source.read(info))
                elif name.endswith((".xml", ".rels")):
                    content = source.read(info)
                    counter.add(content)
                    require_modest(path, counter.n_cells * BYTES_PER_CELL)
                    target.writestr(name, content)
    except InputError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds of errors over damaged archives
        raise InputError(f"{path}: can't be read as {path.suffix[1:].upper()}; {error}") from None
    copy.seek(0)
    return copy


class _CellCounter:
    """Counts the cells of sheets up to the farthest that is filled, as XLSX and ODS state their places."""

    def __init__(self) -> None:
        self.n_cells = 0
        self._new_sheet()

    def add(self, content: bytes) -> None:
        """Add the sheets of one XML file.

        Raises
        ------
        ValueError, expat.ExpatError
            It declares a document type, is not well-formed, or a place is not a number.
        """
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        if b"table-row" in content:  # ODS holds all sheets in one file
            parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _refuse_document_type
        parser.Parse(content, True)
        self._end_sheet()

    def _new_sheet(self) -> None:
        self._row = self._column = self._repeated = self._rows = self._columns = 0

    def _end_sheet(self) -> None:
        self.n_cells += self._rows * self._columns
        self._new_sheet()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag if tag == "v" else tag.rpartition(":")[2]
        if local == "c":
            reference = attributes.get("r")
            if reference:
                letters = reference.rstrip("0123456789")
                self._row, self._column = int(reference[len(letters) :]), _column(letters)
            else:
                self._column += 1
            self._fill(self._row)
        elif local == "row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), 0
        elif local == "table-row":
            self._repeated, self._column = int(attributes.get("table:number-rows-repeated", 1)), 0
        elif local.endswith("table-cell"):
            self._column += int(attributes.get("table:number-columns-repeated", 1))
            if any(key.endswith("value-type") for key in attributes):
                self._fill(self._row + self._repeated)

    def _end(self, tag: str) -> None:
        if tag.endswith("table-row"):
            self._row += self._repeated
        elif tag.endswith("table"):
            self._end_sheet()

    def _fill(self, row: int) -> None:
        self._rows, self._columns = max(self._rows, row), max(self._columns, self._column)


@cache
def _column(letters: str) -> int:
    """The number of a column, from 1: ``AB`` -> 28."""
    column = 0
    for letter in letters.upper():
        if not "A" <= letter <= "Z":
            raise ValueError(f"{letters[:20]!r} is no name of a column")
        column = 26 * column + ord(letter) - ord("A") + 1
    return column


def _refuse_document_type(*_: object) -> None:
    raise ValueError("it declares a document type, which no spreadsheet has")
