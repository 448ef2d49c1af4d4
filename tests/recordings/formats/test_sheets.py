"""recordings/formats/sheets.py: spreadsheets, whose rows are decoded as text tables are."""

from __future__ import annotations

import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from recording_files import SHEET_MV, SHEET_NAMES, SHEET_ROWS, XML, write_ods, write_xlsx
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pytest.importorskip("python_calamine")
REFERENCE = Path(__file__).resolve().parents[2] / "references" / "formats" / "openpyxl.xlsx"
WRITERS = {".xlsx": write_xlsx, ".ods": write_ods}


@pytest.mark.parametrize("suffix", WRITERS)
def test_samples_rate_names_and_units(tmp_path: Path, suffix: str) -> None:
    recording = read_recording(WRITERS[suffix](tmp_path / f"a{suffix}", {"Sheet1": SHEET_ROWS}))
    assert_array_equal(recording.samples, SHEET_MV.T)
    assert (recording.rate_hz, recording.units) == (1000.0, "mV")
    assert recording.channel_names == ("EMG biceps", "EMG triceps")
    assert not recording.remarks


def test_a_workbook_of_openpyxl_with_dates() -> None:
    recording = read_recording(REFERENCE)
    assert_array_equal(recording.samples, np.round(0.3 * np.random.default_rng(0).standard_normal((60, 2)), 4).T)
    assert (recording.rate_hz, recording.units) == (1000.0, "mV")
    assert recording.channel_names == ("EMG biceps", "EMG triceps")


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_first_sheet_with_samples_is_read_and_others_are_named(tmp_path: Path, suffix: str) -> None:
    notes: list[list[object]] = [["Subject", "S1"], ["Session", 2]]
    other = [[*row[:2], 0.5] for row in SHEET_ROWS]
    sheets = {"Notes": notes, "Trial 1": SHEET_ROWS, "Trial 2": other}
    recording = read_recording(WRITERS[suffix](tmp_path / f"a{suffix}", sheets))
    assert_array_equal(recording.samples, SHEET_MV.T)
    start = "the sheet 'Trial 1' was read, and these were left out: Trial 2"
    assert recording.remarks == (f"{start}; save each as a file of its own",)


def test_rows_above_the_names_state_the_rate(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Recorded by X"], [], ["Sampling rate: 500 Hz"], *([*row[1:]] for row in SHEET_ROWS)]
    assert read_recording(write_xlsx(tmp_path / "a.xlsx", {"Sheet1": rows})).rate_hz == 500.0


def test_cells_in_the_format_of_a_time_are_a_clock(tmp_path: Path) -> None:
    start = datetime(2024, 1, 2, 10)
    clock = [(start + timedelta(milliseconds=5 * i)).time() for i in range(200)]
    rows = [SHEET_NAMES, *([time, *row[1:]] for time, row in zip(clock, SHEET_ROWS[1:], strict=True))]
    recording = read_recording(write_xlsx(tmp_path / "a.xlsx", {"Sheet1": rows}))
    assert recording.rate_hz == pytest.approx(200.0, rel=1e-4)
    assert_array_equal(recording.samples, SHEET_MV.T)


def test_text_among_the_samples_is_reported_with_its_row(tmp_path: Path) -> None:
    rows = [list(row) for row in SHEET_ROWS]
    rows[10][1] = "artefact"
    with pytest.raises(InputError, match=r"can't be read as XLSX; line 11, column 'EMG biceps .*found 'artefact'"):
        read_recording(write_xlsx(tmp_path / "a.xlsx", {"Sheet1": rows}))


def typed(value: float, decimal: str, thousands: str) -> str:
    return f"{value:,.4f}".translate(str.maketrans({".": decimal, ",": thousands}))


@pytest.mark.parametrize(("decimal", "thousands"), [(",", "."), (".", ","), (",", "\u202f"), (".", "'"), (",", "")])
@pytest.mark.parametrize("suffix", WRITERS)
def test_numbers_typed_as_text_are_read_as_meant(tmp_path: Path, suffix: str, decimal: str, thousands: str) -> None:
    big = np.round(5000 * SHEET_MV, 4)
    rows = [[float(i) / 1000, *(typed(v, decimal, thousands) for v in row)] for i, row in enumerate(big)]
    notes: list[list[object]] = [["Sampling rate", "1,000"], [], SHEET_NAMES]
    recording = read_recording(WRITERS[suffix](tmp_path / f"a{suffix}", {"Sheet1": [*notes, *rows]}))
    assert_array_equal(recording.samples, big.T)
    assert recording.rate_hz == 1000


def test_text_among_numbers_is_read_with_the_separator_that_text_has(tmp_path: Path) -> None:
    rows = [list(row) for row in SHEET_ROWS]
    rows[5][1], rows[9][2], rows[12][1] = "0,5", "1.234", "\u22120,25"
    recording = read_recording(write_xlsx(tmp_path / "a.xlsx", {"Sheet1": rows}))
    assert (recording.samples[0, 4], recording.samples[1, 8], recording.samples[0, 11]) == (0.5, 1234, -0.25)


@pytest.mark.parametrize(
    ("cells", "message"),
    [(("1,234", "2,345"), "found '1,234', which may be 1234 or 1.234"), (("0.5", "0,5"), "found '0.5' and '0,5'")],
)
def test_numbers_as_text_that_may_mean_two_things_are_refused(
    tmp_path: Path, cells: tuple[str, str], message: str
) -> None:
    rows = [list(row) for row in SHEET_ROWS]
    rows[5][1], rows[9][2] = cells
    with pytest.raises(InputError, match=rf"a\.xlsx: can't be read as XLSX; sheet 'EMG': {message}"):
        read_recording(write_xlsx(tmp_path / "a.xlsx", {"Notes": [["Subject", "S1"]], "EMG": rows}))


def test_an_error_of_a_formula_is_a_missing_sample(tmp_path: Path) -> None:
    rows = [list(row) for row in SHEET_ROWS]
    rows[5][1] = "#DIV/0!"
    recording = read_recording(write_xlsx(tmp_path / "a.xlsx", {"Sheet1": rows}))
    assert recording.remarks == ("channel EMG biceps: 1 gap was filled by interpolation, the longest of 1.0 ms",)
    assert recording.samples.shape == SHEET_MV.T.shape


def test_a_workbook_without_samples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.xlsx: expected one line per sample"):
        read_recording(write_xlsx(tmp_path / "a.xlsx", {"Sheet1": []}))


def with_member(path: Path, name: str, content: str) -> Path:
    """The archive with another content of one member."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, old in members.items():
            archive.writestr(member, content if member == name else old)
    return path


def test_a_cell_far_away_is_refused_before_memory_is_allocated(tmp_path: Path) -> None:
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    sheet = f"{XML}<worksheet><sheetData>{far}</sheetData></worksheet>"
    path = with_member(write_xlsx(tmp_path / "a.xlsx", {"A": SHEET_ROWS}), "xl/worksheets/sheet1.xml", sheet)
    with pytest.raises(InputError, match=r"a\.xlsx: unpacks to 549755813888 bytes; expected no more than"):
        read_recording(path)


def test_a_cell_repeated_too_often_is_refused(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", {"A": SHEET_ROWS})
    with zipfile.ZipFile(path) as archive:
        content = archive.read("content.xml").decode()
    cell = '<table:table-cell office:value-type="float"'
    repeated = content.replace(cell, f'{cell} table:number-columns-repeated="1000000000"', 1)
    with pytest.raises(InputError, match=r"a\.ods: unpacks to \d+ bytes; expected no more than"):
        read_recording(with_member(path, "content.xml", repeated))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "it declares a document type"),
        ("<worksheet><sheetData>", "can't be read as XLSX"),
        ('<a><c r="Ä1"/></a>', "is no name of a column"),
        ('<a><row r="x"/></a>', "invalid literal"),
    ],
)
def test_damaged_xml_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": SHEET_ROWS})
    with pytest.raises(InputError, match=message):
        read_recording(with_member(path, "xl/worksheets/sheet1.xml", content))


def test_a_file_that_is_no_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(InputError, match=r"a\.xlsx: can't be read as XLSX; File is not a zip file"):
        read_recording(tmp_path / "a.xlsx")


def test_a_workbook_with_a_password_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    with pytest.raises(InputError, match=r"a\.xlsx: is protected by a password or holds an older format; save it as"):
        read_recording(tmp_path / "a.xlsx")
