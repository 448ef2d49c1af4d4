"""signals/tables.py with cells.py, headers.py and clocks.py: text as recorders and programs write it."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.signals import tables
from semg_hht.signals.contents import Contents
from semg_hht.signals.tables import read_table

Array = NDArray[np.float64]


def signal(n: int = 60, channels: int = 2) -> Array:
    """(n, channels) of numbers that print with few digits and are no ramp."""
    return np.round(np.random.default_rng(0).normal(0, 50, (n, channels)), 3)


def rows(table: Array, separator: str = ",", end: str = "\n", fmt: str = "{:g}") -> str:
    return "".join(separator.join(fmt.format(value) for value in row) + end for row in table)


def read(tmp_path: Path, text: str | bytes, name: str = "a.csv") -> Contents:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


def with_time(step: float, n: int = 60, digits: int = 6, channels: int = 1, start: float = 0) -> str:
    times = np.arange(n) * step + start
    return "".join(
        f"{time:.{digits}f}," + ",".join(map(str, row)) + "\n"
        for time, row in zip(times, signal(n, channels), strict=True)
    )


# Separators, decimals, quotes, encodings, line endings ----------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_table_written_any_way_gives_the_same_numbers(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(2, 30), st.integers(1, 5)))
    table = data.draw(arrays(np.float64, shape, elements=finite))
    separator = data.draw(st.sampled_from([",", ";", "\t", " ", "   ", ", "]))
    comma = data.draw(st.booleans()) and separator in (";", "\t", " ", "   ") and shape[1] > 1
    quoted = data.draw(st.booleans()) and separator in (",", ";", "\t")
    header = data.draw(st.booleans())
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]))
    newline = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    trailing = separator.strip(" ") if data.draw(st.booleans()) and shape[1] > 1 else ""
    names = [f"肌肉{i}" for i in range(shape[1])]
    cells = [[repr(float(value)) for value in row] for row in table]
    if comma:
        cells = [[cell.replace(".", ",") for cell in row] for row in cells]
    lines = ([names] if header else []) + cells
    quote = '"' if quoted else ""
    text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in row) + trailing + newline for row in lines)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    found = read_table(path)
    # A first column of drawn numbers may count 0, 1, 2 ... itself; then it is said.
    kept = table[:, 1:] if "left out" in "".join(found.remarks) or found.rate_hz else table
    assert_array_equal(found.table, kept)
    assert found.channel_names == (tuple(names) if header else ())


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "a{0}b"])
def test_what_numpy_and_csv_write_is_read(tmp_path: Path, separator: str, header: str) -> None:
    names = header.format(separator)
    np.savetxt(tmp_path / "numpy.txt", signal(), delimiter=separator, header=names)
    assert_array_equal(read_table(tmp_path / "numpy.txt").table, signal())
    assert read_table(tmp_path / "numpy.txt").channel_names == tuple(names.split(separator) if names else ())
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(
        ([names.split(separator)] if names else []) + signal().tolist()
    )
    assert_array_equal(read(tmp_path, text.getvalue()).table, signal())


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_what_pandas_writes_is_read(tmp_path: Path, index: bool, named: bool) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(signal(channels=4), columns=list("abcd") if named else None)
    frame.to_csv(tmp_path / "a.csv", index=index)
    found = read_table(tmp_path / "a.csv")
    assert_array_equal(found.table, signal(channels=4))
    assert found.channel_names == (("a", "b", "c", "d") if named else ("0", "1", "2", "3"))


def test_columns_that_are_numbered_have_numbers_for_names(tmp_path: Path) -> None:
    found = read(tmp_path, "0,1,2,3\n" + rows(signal(channels=4)))
    assert_array_equal(found.table, signal(channels=4))
    assert found.channel_names == ("0", "1", "2", "3")
    assert found.remarks == ("the first line counts 1, 2, 3 and was taken for the names of the columns",)
    found = read(
        tmp_path, ",0,1,2\n" + "".join(f"{i},{row}" for i, row in enumerate(rows(signal(channels=3)).splitlines(True)))
    )
    assert_array_equal(found.table, signal(channels=3))
    assert found.channel_names == ("0", "1", "2")


def test_a_decimal_comma_in_quotes(tmp_path: Path) -> None:
    text = '"a","b"\n' + "".join('"{:g}","{:g}"\n'.format(*row).replace(".", ",") for row in signal())
    assert '"6,287","-6,605"' in text
    assert_array_equal(read(tmp_path, text).table, signal())


def test_spaces_and_commas_mixed(tmp_path: Path) -> None:
    text = "".join("{:g} {:g}, {:g},{:g}\n".format(*row) for row in signal(channels=4))
    assert_array_equal(read(tmp_path, text).table, signal(channels=4))


def test_blank_lines_and_comments_between_samples(tmp_path: Path) -> None:
    body = rows(signal(), "\t").splitlines(keepends=True)
    text = "a\tb\n" + "\n \n".join(body[:3]) + "# a pause\n% here\n// too\n" + "".join(body[3:]) + "\n\n"
    assert_array_equal(read(tmp_path, text).table, signal())


@pytest.mark.parametrize("missing", ["", "NaN", "n/a", "NA", "null", "-", "#N/A"])
def test_missing_samples_are_nan(tmp_path: Path, missing: str) -> None:
    body = rows(signal()).splitlines()
    body[7] = f"{missing},1.5"
    found = read(tmp_path, "a,b\n" + "\n".join(body))
    assert np.isnan(found.table[7, 0])
    assert found.table[7, 1] == 1.5
    assert np.isnan(found.table).sum() == 1


def test_a_last_column_that_is_empty_is_a_column_where_the_header_names_it(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b,c\n" + rows(signal(), end=",\n"))
    assert np.isnan(found.table[:, 2]).all()
    assert read(tmp_path, "a,b,\n" + rows(signal(), end=",\n")).table.shape == (60, 2)


def test_gb18030_is_said_and_a_micro_sign_of_windows_is_known(tmp_path: Path) -> None:
    found = read(tmp_path, ("EMG 1 [µV],EMG 2 [µV]\n" + rows(signal())).encode("cp1252"))
    assert (found.units, found.channel_names) == ("uV", ("EMG 1", "EMG 2"))
    assert found.remarks == ("the text is no UTF-8 and was read as GB18030",)


def test_pieces_leave_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PIECE", 300)
    lines = ["时间,肌肉,b", *with_time(0.002, channels=2).splitlines()]
    lines[20] += "\n\n# 说明\n"
    lines[40] += " # 说明"
    found = read(tmp_path, "\r\n".join(lines).encode("gb18030"))
    assert (found.rate_hz, found.channel_names) == (500, ("肌肉", "b"))
    assert_array_equal(found.table, signal())
    assert found.table.T.flags.c_contiguous
    lines[50] = lines[50].replace(".", "x", 1)
    with pytest.raises(InputError, match=r"line 54, column '时间': found '0x098000'"):
        read(tmp_path, "\n".join(lines))
    lines[50] = lines[49]
    with pytest.raises(InputError, match=r"'时间' must rise .*; found 0.096 in line 53 and 0.096 in line 54"):
        read(tmp_path, "\n".join(lines))


# Headers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "rate_hz"),
    [
        ("# Sampling Rate (Hz):= 1000.00", 1000),
        ("% sampling frequency = 2 kHz", 2000),
        ("// Sample rate: 2,000 Hz", 2000),
        ("# Sampling frequency: 1111,111", 1111.111),
        ("# 采样率：1000", 1000),
        ("# 采样频率: 2000Hz", 2000),
        ("# fs = 512", 512),
        ("Sampling interval: 0.5 ms", 2000),
        ("Frequency:    \t1000 Hz", 1000),
        ("# EMG of the biceps, 3 contractions", None),
        ("# cut-off frequency 20 Hz", None),
    ],
)
def test_a_line_above_tells_the_rate(tmp_path: Path, line: str, rate_hz: float | None) -> None:
    found = read(tmp_path, f"{line}\nrecorded by hand\na,b\n" + rows(signal()))
    assert found.rate_hz == pytest.approx(rate_hz) if rate_hz else found.rate_hz is None
    assert found.channel_names == ("a", "b")


def test_a_long_preamble(tmp_path: Path) -> None:
    text = "".join(f"Label: sensor {i} Gain: 1000\n" for i in range(3000)) + "a,b\n" + rows(signal())
    assert_array_equal(read(tmp_path, text).table, signal())


def test_numbers_in_a_preamble_are_no_samples(tmp_path: Path) -> None:
    assert_array_equal(read(tmp_path, "patient\n12\n1000\na,b\n" + rows(signal())).table, signal())


@pytest.mark.parametrize("name", ["EMG [mV]", "EMG (mV)", "EMG,mV", "EMG_mV", "EMG (millivolts)", "EMG/mV"])
def test_the_unit_stands_behind_the_name(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, f'"{name}"\n' + rows(signal(channels=1)))
    assert (found.channel_names, found.units) == (("EMG",), "mV")
    assert_array_equal(found.table, signal(channels=1))


def test_units_that_differ_become_microvolts(tmp_path: Path) -> None:
    found = read(tmp_path, "a [mV],b [uV],Knee angle [deg]\n" + rows(signal(channels=3)))
    assert (found.units, found.channel_names, found.other) == (
        "uV",
        ("a", "b", "Knee angle [deg]"),
        ("Knee angle [deg]",),
    )
    assert_allclose(found.table, signal(channels=3) * [1000, 1, 1])


def test_a_unit_of_some_channels_is_the_unit_of_none(tmp_path: Path) -> None:
    found = read(tmp_path, "a [mV],b\n" + rows(signal()))
    assert found.units == ""
    assert found.remarks == ("no unit was taken from the header: b state none",)


def test_a_row_of_units_below_the_names(tmp_path: Path) -> None:
    found = read(tmp_path, "Time,EMG,Torque\n(ms),(mV),-\n" + with_time(0.5, channels=2))
    assert (found.rate_hz, found.units, found.channel_names) == (2000, "mV", ("EMG", "Torque"))
    assert found.other == ("Torque",)


def test_names_that_come_twice_are_told_apart(tmp_path: Path) -> None:
    assert read(tmp_path, "EMG,EMG\n" + rows(signal())).channel_names == ("EMG 1", "EMG 2")
    assert read(tmp_path, "EMG,\n" + rows(signal())).channel_names == ("EMG", "ch2")


def test_a_header_by_other_rules_than_the_samples(tmp_path: Path) -> None:
    found = read(tmp_path, "Recto Femoral\tBiceps Femoral\n" + rows(signal(), "  "))
    assert found.channel_names == ("Recto Femoral", "Biceps Femoral")


# Known programs -------------------------------------------------------------------------------------------------------


def labchart(body: str) -> str:
    return (
        "Interval=\t0.0005 s\nExcelDateTime=\t4.5352e+04\t01/03/2024 10:00:00.000\nTimeFormat=\tStartOfBlock\n"
        "DateFormat=\t\nChannelTitle=\tBiceps\tForce\nRange=\t2.000 mV\t10.000 V\nUnitName=\t*\tN\n" + body
    )


def test_labchart(tmp_path: Path) -> None:
    body = with_time(0.0005, channels=2, digits=4, start=432).replace(",", "\t").splitlines()
    body[30] += "\t#* flexion begins"
    found = read(tmp_path, labchart("\n".join(body)), "a.txt")
    assert_allclose(found.rate_hz, 2000)
    assert (found.channel_names, found.units, found.other) == (("Biceps", "Force [N]"), "mV", ("Force [N]",))
    assert_array_equal(found.table, signal(channels=2))


def test_labchart_without_its_time_column(tmp_path: Path) -> None:
    found = read(tmp_path, labchart(rows(signal(), "\t")), "a.txt")
    assert_allclose(found.rate_hz, 2000)
    assert found.table.shape == (60, 2)


def test_a_second_block_of_labchart_is_named(tmp_path: Path) -> None:
    body = with_time(0.0005, channels=2).replace(",", "\t")
    with pytest.raises(InputError, match=r"line 68 has 2 cells, expected 3 as above it"):
        read(tmp_path, labchart(body + labchart(body)), "a.txt")


def opensignals(**changes: object) -> str:
    device: dict[str, object] = {
        "sensor": ["EMG", "EDA"], "column": ["nSeq", "DI", "CH1", "CH2"], "sampling rate": 1000,
        "label": ["CH1", "CH2"], "resolution": [16, 16], "channels": [1, 2], "date": "2017-5-22",
    }  # fmt: skip
    header = json.dumps({"00:07:80:D8:AB:58": device | changes})
    return f"# OpenSignals Text File Format\n# {header}\n# EndOfHeader\n"


def counts(n: int = 60) -> Array:
    return np.random.default_rng(1).integers(30_000, 35_000, (n, 2)).astype(float)


def test_opensignals(tmp_path: Path) -> None:
    body = "".join(f"{i % 16}\t0\t{a:.0f}\t{b:.0f}\t\n" for i, (a, b) in enumerate(counts()))
    found = read(tmp_path, opensignals() + body, "a.txt")
    assert (found.rate_hz, found.channel_names, found.units, found.other) == (1000, ("CH1", "CH2"), "adc", ("CH2",))
    assert_array_equal(found.table, counts())
    assert found.remarks == (
        "column 'nSeq' counts samples and was left out",
        "left out, no signals by the header: DI",
        "amplitudes are the converter's own counts: the file does not say what one is in volts",
        "not taken for EMG, by name: CH2",
    )


def test_bitalino_with_labels_of_a_person_and_a_lost_packet(tmp_path: Path) -> None:
    head = opensignals(column=["nSeq", "I1", "A1", "A2"], label=["biceps", "triceps"], sensor=["RAW", "RAW"])
    body = "".join(f"{(i + (i > 20)) % 16}\t0\t{a:.0f}\t{b:.0f}\n" for i, (a, b) in enumerate(counts()))
    found = read(tmp_path, head + body, "a.txt")
    assert (found.channel_names, found.other) == (("biceps", "triceps"), ())
    assert found.remarks[0].endswith("it jumps at 1 places, first from 4 to 6 in line 25: samples may be missing")


def test_opensignals_of_two_devices_or_another_number_of_columns(tmp_path: Path) -> None:
    two = json.dumps({key: {"column": ["nSeq", "A1"], "sampling rate": 1000} for key in ("a", "b")})
    with pytest.raises(InputError, match=r"a\.txt: holds 2 devices; expected one"):
        read(tmp_path, f"# {two}\n# EndOfHeader\n" + rows(counts(), "\t"), "a.txt")
    with pytest.raises(InputError, match=r"a\.txt: the header names 4 columns; the lines below have 2"):
        read(tmp_path, opensignals() + rows(counts(), "\t"), "a.txt")


def test_opensignals_with_a_header_that_is_broken(tmp_path: Path) -> None:
    found = read(tmp_path, '# {"a": {"sampling rate": 500,\n# EndOfHeader\n' + rows(counts(), "\t"), "a.txt")
    assert (found.rate_hz, found.table.shape) == (500, (60, 2))


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("quote", ['"', ""])
def test_noraxon(tmp_path: Path, separator: str, quote: str) -> None:
    names = ["Time,s", '"LT BICEPS BR.,uV"', '"RT BICEPS BR.,uV"']
    text = "Subject: 1\n\n" + separator.join([quote + names[0] + quote, *names[1:]]) + "\n"
    found = read(tmp_path, text + with_time(1 / 1500, channels=2).replace(",", separator))
    assert_allclose(found.rate_hz, 1500)
    assert (found.channel_names, found.units) == (("LT BICEPS BR.", "RT BICEPS BR."), "uV")


def delsys(tmp_path: Path, fill: str) -> Contents:
    """A time column for each channel; the slower accelerometer ends before."""
    emg, acc = signal(60, 2), signal(8, 1)
    text = "Label: Trigno IM sensor 1: EMG 1 (IM) Sampling frequency: 2000.000 Number of points: 60 Unit: V\n"
    text += "Label: Trigno IM sensor 1: ACC.X 1 (IM) Sampling frequency: 250.000 Number of points: 8 Unit: g\n\n"
    text += "X[s],R biceps: EMG 1 [V],X[s],R biceps: ACC.X 1 [g],X[s],R triceps: EMG 2 [V]\n"
    for i in range(60):
        slow = f"{i / 250},{acc[i, 0]}" if i < 8 else f"{fill},{fill}"
        text += f"{i / 2000},{emg[i, 0]},{slow},{i / 2000},{emg[i, 1]}\n"
    return read(tmp_path, text)


@pytest.mark.parametrize("fill", ["", "0"])
def test_delsys(tmp_path: Path, fill: str) -> None:
    found = delsys(tmp_path, fill)
    assert_allclose(found.rate_hz, 2000)
    assert (found.channel_names, found.units) == (("R biceps: EMG 1", "R triceps: EMG 2"), "V")
    assert found.remarks == ("left out, of another rate than 2000 Hz: R biceps: ACC.X 1 [g]",)
    assert_array_equal(found.table, signal(60, 2))


def test_bts(tmp_path: Path) -> None:
    text = "BTS ASCII format\n\nType:         \tEmg tracks\nMeasure unit: \tV\n\nTracks:       \t2\n"
    text += "Frequency:    \t1000 Hz\nFrames:       \t60\nStart time:   \t0.000\n\n"
    text += " Frame\t  Time\tVoltage:LDA~2\tVoltage:LDA~3\t\n"
    text += "".join(f"{i + 1:4d}\t{i / 1000:8.3f}\t{a}\t{b}\t\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, text.replace("\n", "\r\n"), "a.txt")
    assert (found.rate_hz, found.units, found.channel_names) == (1000, "V", ("Voltage:LDA~2", "Voltage:LDA~3"))
    assert found.remarks == ("column 'Frame' counts samples and was left out",)
    assert_array_equal(found.table, signal())


def test_myo_with_a_time_in_microseconds(tmp_path: Path) -> None:
    body = "".join(f"{1456704054738000 + 5000 * i},{a:.0f},{b:.0f}\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, "timestamp,emg1,emg2\n" + body)
    assert_allclose(found.rate_hz, 200)
    assert found.remarks == ("column 'timestamp' states no unit and rises by 5000 a sample: taken for microseconds",)


@pytest.mark.parametrize("time", ["milliSec", "sec", ""])
def test_acqknowledge(tmp_path: Path, time: str) -> None:
    step = {"milliSec": "{:g},", "sec": "{:g}e-3,", "": ""}[time]
    text = "C:\\emg\\a.acq\n0.5 msec/sample\n2 channels\nEMG100C\nmV\nForce\nkg\n"
    text += (f"{time},CH1,CH2,\n,60,60,\n") if time else "CH1,CH2,\n"
    text += "".join(f"{step.format(i / 2)}{a},{b},\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, text, "a.txt")
    assert_allclose(found.rate_hz, 2000)
    assert (found.channel_names, found.table.shape) == (("EMG100C", "Force"), (60, 2))
    assert (found.units, found.other) == ("mV", ("Force",))
    assert_array_equal(found.table, signal())


def test_vicon(tmp_path: Path) -> None:
    body = "".join(f"{i // 10 + 1},{i % 10},{a},{b}\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, "Devices,,,\n1000,,,\n,,EMG,\nFrame,Sub Frame,left,right\n,,V,V\n" + body)
    assert (found.rate_hz, found.channel_names, found.units) == (1000, ("left", "right"), "V")
    assert_array_equal(found.table, signal())


def test_openbci_with_stamps_of_whole_seconds(tmp_path: Path) -> None:
    text = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n"
    text += "Sample Index, EXG Channel 0, EXG Channel 1, Timestamp (Formatted)\n"
    for i, (a, b) in enumerate(signal(600)):
        text += f"{i % 256}, {a}, {b}, 2021-06-12 10:00:{(i + 40) // 250:02d}\n"
    found = read(tmp_path, text, "a.txt")
    assert (found.rate_hz, found.channel_names) == (250, ("EXG Channel 0", "EXG Channel 1"))
    assert_array_equal(found.table, signal(600))


@pytest.mark.parametrize("n", [60, 200])
def test_stamps_too_coarse_to_tell_a_rate_are_an_error(tmp_path: Path, n: int) -> None:
    body = "".join(f"10:00:{i // 80:02d},{i % 7}\n" for i in range(n))
    with pytest.raises(
        InputError, match="column 'time' must rise from line to line to be a time; found 36000 in line 2"
    ):
        read(tmp_path, "time,EMG\n" + body)


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "step"),
    [("time", 0.002), ("Time (s)", 0.002), ("X[s]", 0.002), ("X [s]", 0.002), ("时间", 0.002), ("时间(秒)", 0.002),
     ("Timestamp", 0.002), ("time stamp [ms]", 2), ("ms", 2), ("t_us", 2000), ("Elapsed time", 0.002), ("time", 2),
     ("Time_ms", 2), ("milliSec", 2), ("min", 0.002 / 60)],
)  # fmt: skip
def test_time_columns(tmp_path: Path, name: str, step: float) -> None:
    found = read(tmp_path, f"{name},EMG\n" + with_time(step, digits=9))
    assert_allclose(found.rate_hz, 500, rtol=1e-4)
    assert found.channel_names == ("EMG",)
    assert_array_equal(found.table, signal(channels=1))


@pytest.mark.parametrize("name", ["x", "tibialis", "timing", "trapezius", "m", "biceps"])
def test_names_that_only_look_like_time_are_channels(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"{name},EMG\n" + with_time(0.002)).channel_names == (name, "EMG")


@pytest.mark.parametrize(
    ("stamp", "rate_hz"),
    [("2024-01-02 10:00:{:06.3f}", 100), ("10:00:{:06.3f}", 100), ("2024-01-02T10:00:{:09.6f}+08:00", 100),
     ("00:{:06.3f}", 100), ("2024/01/02 10:00:{:06.3f}", 100)],
)  # fmt: skip
def test_stamps_of_date_and_time(tmp_path: Path, stamp: str, rate_hz: float) -> None:
    body = "".join(f"{stamp.format(i / 100)},{value}\n" for i, value in enumerate(signal(channels=1)[:, 0]))
    found = read(tmp_path, "time,EMG\n" + body)
    assert_allclose(found.rate_hz, rate_hz)
    assert_array_equal(found.table, signal(channels=1))


def test_stamps_pass_midnight(tmp_path: Path) -> None:
    seconds = 86_400 - 0.3 + np.arange(60) / 100
    stamps = [f"{int(s % 86_400 // 3600)}:{int(s % 3600 // 60):02d}:{s % 60:06.3f}" for s in seconds]
    body = "".join(f"{stamp},{value}\n" for stamp, value in zip(stamps, signal(channels=1)[:, 0], strict=True))
    assert stamps[0].startswith("23:59:59") and stamps[-1].startswith("0:00:00")
    assert_allclose(read(tmp_path, "time,EMG\n" + body).rate_hz, 100)


def test_a_stamp_that_is_none_is_named(tmp_path: Path) -> None:
    body = "".join(f"10:00:{i / 100:06.3f},{i % 7}\n" for i in range(60)).replace("10:00:00.300", "later")
    with pytest.raises(
        InputError, match=r"a\.csv: .*line 32, column 'time': found 'later', expected a time of the day"
    ):
        read(tmp_path, "time,EMG\n" + body)


@pytest.mark.parametrize(("rate_hz", "digits"), [(2048, 3), (1500, 3), (4000, 3), (1000, 3), (2000, 4), (1024, 2)])
def test_times_printed_with_few_digits_give_the_rate(tmp_path: Path, rate_hz: float, digits: int) -> None:
    found = read(tmp_path, "time,EMG\n" + with_time(1 / rate_hz, n=9000, digits=digits))
    assert_allclose(found.rate_hz, rate_hz, rtol=1e-3)
    assert found.rate_hz in (rate_hz, pytest.approx(rate_hz, rel=2 * 10**-digits * rate_hz / 9000))


def test_jitter_of_less_than_half_a_step_is_tolerated(tmp_path: Path) -> None:
    times = np.arange(60) / 500 + np.random.default_rng(0).uniform(0, 0.0008, 60)
    body = "".join(f"{time},{value}\n" for time, value in zip(times, signal(channels=1)[:, 0], strict=True))
    assert_allclose(read(tmp_path, "time,EMG\n" + body).rate_hz, 500, rtol=0.02)


def test_a_time_column_that_tells_another_rate_than_the_header(tmp_path: Path) -> None:
    found = read(tmp_path, "# sampling rate: 1000 Hz\ntime,EMG\n" + with_time(0.002))
    assert_allclose(found.rate_hz, 500)
    assert found.remarks == ("the header states 1000 Hz, the time column 500 Hz, which was taken",)


def test_several_rates_without_a_time_column_are_none(tmp_path: Path) -> None:
    found = read(tmp_path, "# sampling rate: 1000 Hz\n# sampling rate: 148 Hz\n" + rows(signal()))
    assert found.rate_hz is None
    assert found.remarks == ("the header states several rates (1000, 148 Hz), so none was taken",)


def test_a_time_column_behind_another_is_left_out(tmp_path: Path) -> None:
    stamped = with_time(0.002).replace("\n", ",17.25\n")
    found = read(tmp_path, "time,EMG,timestamp\n" + stamped)
    assert (found.rate_hz, found.channel_names) == (500, ("EMG",))
    assert found.remarks == ("column 'timestamp' is time beside another and was left out",)


def test_a_column_without_a_name_that_is_time(tmp_path: Path) -> None:
    found = read(tmp_path, with_time(0.002, channels=2))
    assert_allclose(found.rate_hz, 500)
    assert_array_equal(found.table, signal(channels=2))
    remark = "the first column has no name, rises evenly by 0.002 and was taken for time in seconds"
    assert found.remarks == (remark,)
    assert read(tmp_path, ",a\n" + with_time(0.002)).remarks == (remark,)


@pytest.mark.parametrize("count", [lambda i: i, lambda i: i + 1, lambda i: i % 16, lambda i: (i + 5) % 256 + 0])
def test_a_column_without_a_name_that_counts(tmp_path: Path, count: object) -> None:
    assert callable(count)
    body = "".join(f"{count(i)},{a},{b}\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, body)
    assert_array_equal(found.table, signal())
    assert (found.rate_hz, found.remarks) == (
        None, ("the first column has no name and counts samples; it was left out",)
    )  # fmt: skip


def test_a_ramp_without_a_name_is_left_out_and_tells_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, with_time(2.5, digits=1))
    assert (found.rate_hz, found.table.shape) == (None, (60, 1))
    assert found.remarks == ("the first column has no name and rises evenly by 2.5; it was left out",)


def test_time_that_counts_by_one_tells_no_rate(tmp_path: Path) -> None:
    found = read(tmp_path, "Time,EMG\n" + with_time(1, digits=0))
    assert (found.rate_hz, found.channel_names) == (None, ("EMG",))
    assert found.remarks == ("column 'Time' rises by 1 and states no unit: it tells no rate and was left out",)


def test_ramps_alone_are_channels(tmp_path: Path) -> None:
    ramps = np.stack([np.arange(40.0), -np.arange(40.0)], axis=1)
    assert_array_equal(read(tmp_path, rows(ramps)).table, ramps)


@pytest.mark.parametrize("name", ["nSeq", "Sample", "Sample Index", "frame", "序号", "Index", "No."])
def test_columns_that_count_by_name(tmp_path: Path, name: str) -> None:
    body = "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, f"{name},a,b\n" + body)
    assert (found.channel_names, found.remarks) == (("a", "b"), (f"column {name!r} counts samples and was left out",))


# What is wrong --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((10, "0.018,much,1"), r"line 11, column 'b': found 'much', expected a number"),
        ((10, "0.018,1_000,1"), r"line 11, column 'b': found '1_000', expected a number"),
        ((10, "0.018,1"), r"line 11 has 2 cells, expected 3 as above it"),
        ((3, "0.004,1,2,3"), r"line 4 has 4 cells, expected 3 as above it"),
        ((60, "0.118,1,2,3"), r"line 61 has 4 cells, expected 3 as above it"),
        ((2, "0.002,1,x"), r"line 3, column 'c': found 'x', expected a number"),
        ((10, "0.010,1,1"), r"column 'time' must rise .*; found 0.016 in line 10 and 0.01 in line 11"),
        ((10, "0.016,1,1"), r"column 'time' must rise .*; found 0.016 in line 10 and 0.016 in line 11"),
        ((10, "nan,1,1"), r"column 'time' has no time in line 11; expected one for each sample"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, change: tuple[int, str], message: str) -> None:
    lines = ["time,b,c", *with_time(0.002, channels=2).splitlines()]
    lines[change[0]] = change[1]
    with pytest.raises(InputError, match=rf"a\.csv: .*{message}"):
        read(tmp_path, "\n".join(lines) + "\n")


def test_a_gap_says_where(tmp_path: Path) -> None:
    lines = ["# a comment", "time,b", *with_time(0.002).splitlines()]
    del lines[30:40]
    with pytest.raises(InputError, match=r"'time' has gaps \(steps of 0.002 to 0.022 s\), the longest before line 31;"):
        read(tmp_path, "\n".join(lines))


def test_a_gap_in_rounded_times_is_found(tmp_path: Path) -> None:
    lines = ["time,b", *with_time(1 / 2048, n=4000, digits=3).splitlines()]
    del lines[2000:2020]
    with pytest.raises(InputError, match=r"'time' must rise from line to line|'time' has gaps"):
        read(tmp_path, "\n".join(lines))


def test_lines_of_two_widths_are_never_a_preamble(tmp_path: Path) -> None:
    text = rows(signal(5, 3)) + rows(signal(5, 2))
    with pytest.raises(InputError, match=r"line 6 has 2 cells, expected 3 as above it"):
        read(tmp_path, text)


def test_a_column_of_words_is_named(tmp_path: Path) -> None:
    body = "".join(f"{a},{b},fist\n" for a, b in signal())
    with pytest.raises(InputError, match=r"line 2, column 'gesture': found 'fist', expected a number"):
        read(tmp_path, "a,b,gesture\n" + body)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n\0\0\0", r"can't be read as CSV; found NUL bytes, expected text"),
        (b"1,2\n" * 300_000 + b"\0\n", r"can't be read as CSV; found NUL characters, expected text"),
        (b"caf\xe9,b\n1,2\n", r"found a byte 0xe9 that is none of text in UTF-8 or GB18030"),
        (b"\xff\xfe1\x00,\x00\x00\xd8", r"none of text in UTF-16, as its byte order mark says"),
        (b"\n \n", r"expected one line a sample; found none"),
    ],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.csv: .*{message}"):
        read(tmp_path, content)


def test_a_table_that_would_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_BYTES", 800)
    with pytest.raises(InputError, match=r"a\.csv: 60 lines of 2 columns; expected no more than 100 values"):
        read(tmp_path, rows(signal()))


# Memory ---------------------------------------------------------------------------------------------------------------


def test_the_samples_are_held_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    block = with_time(0.0005, n=500, channels=8).split("\n", 1)[1]
    lines = [line.split(",", 1)[1] for line in block.splitlines()]
    with path.open("w") as handle:
        handle.write("time_s," + ",".join(f"EMG{i} [mV]" for i in range(8)) + "\n\n")
        for i in range(250_000):
            handle.write(f"{i / 2000:.4f},{lines[i % len(lines)]}\n")
    tracemalloc.start()
    found = read_table(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.table.shape == (250_000, 8)
    assert found.table.T.flags.c_contiguous
    assert peak < 1.6 * found.table.nbytes
    assert_array_equal(found.table[-1], np.array(lines[249_999 % len(lines)].split(","), dtype=float))
    assert np.shares_memory(np.ascontiguousarray(found.table.T), found.table)
