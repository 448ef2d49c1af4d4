"""recordings/formats/headers.py: the lines above the samples, as known programs write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from builders import read_text_table as read
from builders import rows, signal, with_time
from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording

Array = NDArray[np.float64]


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
def test_a_line_above_the_samples_states_the_rate(tmp_path: Path, line: str, rate_hz: float | None) -> None:
    found = read(tmp_path, f"{line}\nrecorded by hand\na,b\n" + rows(signal()))
    assert found.rate_hz == pytest.approx(rate_hz) if rate_hz else found.rate_hz is None
    assert found.channel_names == ("a", "b")


def test_a_long_preamble(tmp_path: Path) -> None:
    text = "".join(f"Label: sensor {i} Gain: 1000\n" for i in range(3000)) + "a,b\n" + rows(signal())
    assert_array_equal(read(tmp_path, text).table, signal())


def test_numbers_in_a_preamble_are_not_samples(tmp_path: Path) -> None:
    assert_array_equal(read(tmp_path, "patient\n12\n1000\na,b\n" + rows(signal())).table, signal())


@pytest.mark.parametrize("name", ["EMG [mV]", "EMG (mV)", "EMG,mV", "EMG_mV", "EMG (millivolts)", "EMG/mV"])
def test_the_unit_follows_the_name(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, f'"{name}"\n' + rows(signal(channels=1)))
    assert (found.channel_names, found.units) == (("EMG",), "mV")
    assert_array_equal(found.table, signal(channels=1))


def test_different_units_become_microvolts(tmp_path: Path) -> None:
    found = read(tmp_path, "a [mV],b [uV],Knee angle [deg]\n" + rows(signal(channels=3)))
    assert (found.units, found.channel_names) == ("uV", ("a", "b", "Knee angle [deg]"))
    assert found.non_emg == ("Knee angle [deg]",)
    assert_allclose(found.table, signal(channels=3) * [1000, 1, 1])


def test_units_of_only_some_channels_are_not_used(tmp_path: Path) -> None:
    found = read(tmp_path, "a [mV],b\n" + rows(signal()))
    assert found.units == ""
    assert found.remarks == ("the units in the header are not used, because these channels have none: b",)


def test_a_row_of_units_below_the_names(tmp_path: Path) -> None:
    found = read(tmp_path, "Time,EMG,Torque\n(ms),(mV),-\n" + with_time(0.5, channels=2))
    assert (found.rate_hz, found.units, found.channel_names) == (2000, "mV", ("EMG", "Torque"))
    assert found.non_emg == ("Torque",)


def test_repeated_names_become_distinct(tmp_path: Path) -> None:
    assert read(tmp_path, "EMG,EMG\n" + rows(signal())).channel_names == ("EMG 1", "EMG 2")
    assert read(tmp_path, "EMG,\n" + rows(signal())).channel_names == ("EMG", "ch2")


def test_a_header_with_another_separator_than_the_samples(tmp_path: Path) -> None:
    found = read(tmp_path, "Recto Femoral\tBiceps Femoral\n" + rows(signal(), "  "))
    assert found.channel_names == ("Recto Femoral", "Biceps Femoral")


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
    assert (found.channel_names, found.units, found.non_emg) == (("Biceps", "Force [N]"), "mV", ("Force [N]",))
    assert_array_equal(found.table, signal(channels=2))


def test_labchart_without_its_time_column(tmp_path: Path) -> None:
    found = read(tmp_path, labchart(rows(signal(), "\t")), "a.txt")
    assert_allclose(found.rate_hz, 2000)
    assert found.table.shape == (60, 2)


def test_a_second_block_of_labchart_is_an_error_with_its_place(tmp_path: Path) -> None:
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
    assert (found.rate_hz, found.channel_names, found.units, found.non_emg) == (1000, ("CH1", "CH2"), "adc", ("CH2",))
    assert_array_equal(found.table, counts())
    assert found.remarks == (
        "column 'nSeq' counts samples and was left out",
        "columns that are not signals, by the header, were left out: DI",
        "the amplitudes are counts of the converter; the file does not state the volts of one count",
        "channels that are not EMG, by the types that the file states: CH2",
    )


def test_bitalino_with_the_users_labels_and_a_lost_packet(tmp_path: Path) -> None:
    head = opensignals(column=["nSeq", "I1", "A1", "A2"], label=["biceps", "triceps"], sensor=["RAW", "RAW"])
    body = "".join(f"{(i + (i > 20)) % 16}\t0\t{a:.0f}\t{b:.0f}\n" for i, (a, b) in enumerate(counts()))
    found = read(tmp_path, head + body, "a.txt")
    assert (found.channel_names, found.non_emg) == (("biceps", "triceps"), ())
    assert found.remarks[0].endswith("it jumps at 1 places, first from 4 to 6 in line 25, so samples may be missing")


def test_opensignals_with_two_devices_or_another_number_of_columns_is_an_error(tmp_path: Path) -> None:
    two = json.dumps({key: {"column": ["nSeq", "A1"], "sampling rate": 1000} for key in ("a", "b")})
    with pytest.raises(InputError, match=r"a\.txt: expected one device; found 2"):
        read(tmp_path, f"# {two}\n# EndOfHeader\n" + rows(counts(), "\t"), "a.txt")
    with pytest.raises(InputError, match=r"a\.txt: the header names 4 columns; expected 2, as in the lines below it"):
        read(tmp_path, opensignals() + rows(counts(), "\t"), "a.txt")


def test_opensignals_with_a_damaged_header(tmp_path: Path) -> None:
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


def delsys(tmp_path: Path, fill: str) -> DecodedRecording:
    """A time column for each channel; the slower accelerometer ends earlier."""
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
    assert found.remarks == ("channels with a rate other than 2000 Hz were left out: R biceps: ACC.X 1 [g]",)
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
    assert found.remarks == (
        "column 'timestamp' states no unit and increases by 5000 per sample; it is taken for microseconds",
    )


@pytest.mark.parametrize("time", ["milliSec", "sec", ""])
def test_acqknowledge(tmp_path: Path, time: str) -> None:
    step = {"milliSec": "{:g},", "sec": "{:g}e-3,", "": ""}[time]
    text = "C:\\emg\\a.acq\n0.5 msec/sample\n2 channels\nEMG100C\nmV\nForce\nkg\n"
    text += (f"{time},CH1,CH2,\n,60,60,\n") if time else "CH1,CH2,\n"
    text += "".join(f"{step.format(i / 2)}{a},{b},\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, text, "a.txt")
    assert_allclose(found.rate_hz, 2000)
    assert (found.channel_names, found.table.shape) == (("EMG100C", "Force"), (60, 2))
    assert (found.units, found.non_emg) == ("mV", ("Force",))
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
def test_stamps_too_coarse_to_give_a_rate_are_an_error(tmp_path: Path, n: int) -> None:
    body = "".join(f"10:00:{i // 80:02d},{i % 7}\n" for i in range(n))
    with pytest.raises(
        InputError, match="column 'time' must increase from line to line to be a time; found 36000 in line 2"
    ):
        read(tmp_path, "time,EMG\n" + body)


def test_a_first_line_of_column_numbers_is_taken_for_names(tmp_path: Path) -> None:
    found = read(tmp_path, "0,1,2,3\n" + rows(signal(channels=4)))
    assert_array_equal(found.table, signal(channels=4))
    assert found.channel_names == ("0", "1", "2", "3")
    assert found.remarks == ("the first line counts 1, 2, 3 and is taken for the names of the columns",)
    found = read(
        tmp_path, ",0,1,2\n" + "".join(f"{i},{row}" for i, row in enumerate(rows(signal(channels=3)).splitlines(True)))
    )
    assert_array_equal(found.table, signal(channels=3))
    assert found.channel_names == ("0", "1", "2")


def test_too_many_columns_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2 has 5001 cells; expected .* at most 4096 columns"):
        read(tmp_path, "a," * 5000 + "b\n" + "1,2" * 5000 + "\n")


@pytest.mark.parametrize("n_lines", [1, 3])
def test_lines_of_thousands_of_values_are_channels(tmp_path: Path, n_lines: int) -> None:
    table = signal(5000, n_lines)
    found = read(tmp_path, rows(table.T), name="a.txt")
    assert_array_equal(found.table, table)
    lines = "one line" if n_lines == 1 else "3 lines"
    assert found.remarks[0] == f"the text is {lines} of 5000 values, so each line was read as a channel"


def test_biometrics_datalog(tmp_path: Path) -> None:
    table = np.hstack([signal(60, 2) / 1000, np.linspace(10, 30, 60).reshape(-1, 1), np.full((60, 1), 31)])
    found = read(tmp_path, (
        "File Name: x.log\nChannel 1: 'Recto, femoral', 60 values, engineering units: mV, no filters.\n"
        "Channel 2: 'Biceps', 60 values, engineering units: mV, no filters.\n"
        "Channel 5: 'Flexo', 3 values, engineering units: deg, no filters, "
        "extrapolated from 50 to 1000 samples per second.\n"
        "Digitals combined (event=16, d=8, c=4, b=2, a=1): 60 values, .\n\n"
    ) + rows(table, "\t"), name="a.txt")  # fmt: skip
    assert found.channel_names == ("Recto, femoral", "Biceps", "Flexo [deg]", "Digitals")
    assert (found.units, found.rate_hz) == ("mV", None)
    assert set(found.non_emg) == {"Flexo [deg]", "Digitals"}


def test_shimmer_consensys(tmp_path: Path) -> None:
    body = "".join(f"{1690981000000 + 5 * i}.0\t128.0\t{a}\t{b}\t-1.0\t\n" for i, (a, b) in enumerate(signal()))
    names = "S_Timestamp_Unix_CAL\tS_Status1_CAL\tS_EMG_CH1_CAL\tS_EMG_CH2_CAL\tS_Event_CAL\t\n"
    found = read(tmp_path, '"sep=\t"\n' + names + "ms\tno_units\tmV\tmV\tno_units\t\n" + body)
    assert (found.rate_hz, found.units) == (200, "mV")
    assert found.channel_names == ("S_Status1_CAL", "S_EMG_CH1_CAL", "S_EMG_CH2_CAL", "S_Event_CAL")
    assert set(found.non_emg) == {"S_Status1_CAL", "S_Event_CAL"}
    assert not any("no unit" in remark for remark in found.remarks)
    assert_array_equal(found.table[:, 1:3], signal())


def test_openbci_with_bursts_of_stamps(tmp_path: Path) -> None:
    header = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI\n"
    header += "Sample Index, EXG Channel 0, EXG Channel 1, Not Used, Timestamp, Marker Channel, Timestamp (Formatted)\n"
    body = "".join(
        f"{i % 256}.0, {a}, {b}, 192.0, {1714148521 + i // 10 * 0.04 + i % 10 * 1e-6:.6f}, 0.0, 2024-04-26 12:22:01\n"
        for i, (a, b) in enumerate(signal(400))
    )
    found = read(tmp_path, header + body, name="a.txt")
    assert found.rate_hz == 250
    assert found.channel_names == ("EXG Channel 0", "EXG Channel 1", "Not Used", "Marker Channel")
    assert set(found.non_emg) == {"Not Used", "Marker Channel"}
