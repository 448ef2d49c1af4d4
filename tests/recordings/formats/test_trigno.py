"""recordings/formats/trigno.py: tables as EMGworks and Trigno Discover export them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recording_files import DISCOVER, EMG_HZ, EMGWORKS, TRIGNO_V, write_discover, write_emgworks
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording


def test_emgworks(tmp_path: Path) -> None:
    recording = read_recording(write_emgworks(tmp_path, EMGWORKS))
    assert_allclose(recording.samples, TRIGNO_V)
    assert (recording.rate_hz, recording.units) == (EMG_HZ, "V")
    assert recording.channel_names == ("Sensor 1: EMG.A 1", "Sensor 2: EMG.A 2")
    assert recording.remarks[:1] == (
        "channels that are not EMG or differ from 1925.93 Hz were left out: Sensor 1: Acc.X 1",
    )


def test_without_labels_the_rate_follows_from_the_times(tmp_path: Path) -> None:
    columns = [(f"{name} [V]" if "EMG" in name else name, rate, values) for name, rate, values in EMGWORKS]
    recording = read_recording(write_emgworks(tmp_path, columns, with_labels=False))
    assert recording.rate_hz == pytest.approx(EMG_HZ, rel=1e-5)
    assert (recording.units, recording.channel_names[0]) == ("V", "Sensor 1: EMG.A 1")


@pytest.mark.parametrize("with_rates", [True, False])
def test_discover(tmp_path: Path, with_rates: bool) -> None:
    recording = read_recording(write_discover(tmp_path, DISCOVER, with_rates=with_rates))
    assert_allclose(recording.samples, TRIGNO_V * 1e3)
    assert recording.rate_hz == pytest.approx(EMG_HZ, rel=1e-5)
    assert recording.units == "mV"
    assert recording.channel_names == ("Avanti Sensor 1 (75920) EMG 1", "Avanti Sensor 3 (75922) EMG 1")
    assert "ACC X" in recording.remarks[0]


def test_channels_in_different_units_of_volts_become_microvolts(tmp_path: Path) -> None:
    columns = [("EMG 1 (mV)", EMG_HZ, TRIGNO_V[0] * 1e3), ("EMG 2 (V)", EMG_HZ, TRIGNO_V[1])]
    recording = read_recording(write_discover(tmp_path, columns))
    assert_allclose(recording.samples, TRIGNO_V * 1e6)
    assert recording.units == "uV"


def test_one_column_of_times_for_all_channels(tmp_path: Path) -> None:
    lines = [f"{i / 1000},{a!r},{b!r}" for i, (a, b) in enumerate(TRIGNO_V.T.tolist())]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["X[s],EMG1,EMG2", *lines]))
    recording = read_recording(path)
    assert_allclose(recording.samples, TRIGNO_V)
    assert recording.rate_hz == pytest.approx(1000.0)


def test_emg_of_a_rarer_rate_is_left_out_and_channels_are_cut_to_the_shortest(tmp_path: Path) -> None:
    columns = [*EMGWORKS, ("EMG 3", EMG_HZ, TRIGNO_V[0][:1990]), ("EMG 4", 2222.222, TRIGNO_V[1])]
    recording = read_recording(write_emgworks(tmp_path, columns))
    assert recording.samples.shape == (3, 1990)
    assert recording.remarks[0].endswith("were left out: Sensor 1: Acc.X 1, EMG 4")
    assert recording.remarks[1] == "channels of up to 2000 samples were cut to the shortest, 1990 samples"


def test_a_rate_with_an_exponent(tmp_path: Path) -> None:
    path = write_emgworks(tmp_path, EMGWORKS)
    path.write_text(path.read_text().replace("frequency: 1925.926", "frequency: 1.925926e+003"))
    assert read_recording(path).rate_hz == 1925.926


def test_an_export_of_trigno_discover_without_times(tmp_path: Path) -> None:
    emg, acc = TRIGNO_V[:, :400] * 1e3, np.linspace(0, 1, 30)
    cells = [[f"{a!r}", f"{acc[i]:.4f}" if i < 30 else "", f"{b!r}"] for i, (a, b) in enumerate(emg.T.tolist())]
    lines = [
        "Application:, Trigno Discover (1.6.4)", "Date/Time:, 1/1/2024 12:00:00 PM",
        "EMG 01 (00001), , EMG 02 (00002)", "sensor mode: 45, , sensor mode: 45",
        "EMG 1 (mV), ACC X (G), EMG 1 (mV)", "1925.9259 Hz, 148.1481 Hz, 1925.9259 Hz", *map(",".join, cells),
    ]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    recording = read_recording(tmp_path / "a.csv")
    assert_allclose(recording.samples, emg)
    assert (recording.rate_hz, recording.units) == (1925.9259, "mV")
    assert recording.channel_names == ("EMG 01 (00001) EMG 1", "EMG 02 (00002) EMG 1")
    assert recording.remarks[0].endswith("were left out: EMG 01 (00001) ACC X")


def test_a_stated_rate_is_a_way_out_of_damaged_times(tmp_path: Path) -> None:
    path = write_emgworks(tmp_path, EMGWORKS)
    path.write_text(path.read_text().replace("\n0.001038,", "\n0.101038,"))
    recording = read_recording(path, rate_hz=1925.926)
    assert recording.rate_hz == 1925.926
    assert "the times in column 'Sensor 1: EMG.A 1' are not even and were ignored" in recording.remarks[0]
    path.write_text(write_emgworks(tmp_path, EMGWORKS).read_text().replace("frequency: 1925.926", "frequency: 2148"))
    assert read_recording(path, rate_hz=1925.926).rate_hz == 1925.926


def test_a_table_without_emg_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: expected at least one EMG channel; found Sensor 1: Acc\.X 1"):
        read_recording(write_emgworks(tmp_path, EMGWORKS[1:2])).select(())


def test_an_empty_cell_between_samples_is_an_error(tmp_path: Path) -> None:
    path = write_emgworks(tmp_path, EMGWORKS)
    lines = path.read_text().splitlines()
    cells = lines[1000].split(",")
    cells[1] = ""
    lines[1000] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="column 2 has an empty cell between its samples"):
        read_recording(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frequency: 1925.926", "frequency: 2148", "the header states 2148 Hz for .*, but its times give 1925.93 Hz"),
        ('"X[s]","Sensor 1: EMG', '"Y[s]","Sensor 1: EMG', r"a\.csv: expected a time column before Y\[s\]; found none"),
        ("\n0.000519,", "\nnought,", "expected numbers below the names of the columns; .*nought"),
        ("\n0.001038,", "\n0.101038,", "must increase from line to line"),
        ("\n0.001038,", "\n,", "column 1 has an empty cell between its samples"),
    ],
)
def test_a_damaged_table_is_an_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_emgworks(tmp_path, EMGWORKS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_recording(path)


def test_samples_without_times_are_an_error(tmp_path: Path) -> None:
    path = write_emgworks(tmp_path, EMGWORKS[:1])
    path.write_text(path.read_text() + ",1.0\n,2.0\n")
    with pytest.raises(InputError, match="EMG.A 1 has 2002 samples at 2000 times; expected one time for each"):
        read_recording(path)


def test_channels_that_start_at_different_times_are_an_error(tmp_path: Path) -> None:
    path = write_emgworks(tmp_path, EMGWORKS)
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith('"X[s]"')) + 1
    for i in range(start, len(lines)):
        cells = lines[i].split(",")
        cells[4] = f"{float(cells[4]) + 0.2:.6f}"
        lines[i] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"EMG channels start at 0 to 0\.2 s; expected the same start"):
        read_recording(path)


def test_a_table_without_a_line_of_names_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Label: EMG 1 of X[s]\n1,2\n")
    with pytest.raises(InputError, match=r"names of time columns, X\[s\], or of rates in Hz; found none"):
        read_recording(path)


def test_an_unclosed_quote_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('X[s],EMG\n"' + "1" * 200_000)
    with pytest.raises(InputError, match="can't be read as CSV; field larger than field limit"):
        read_recording(path)
