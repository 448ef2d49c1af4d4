"""signals/trigno.py: tables laid out as EMGworks and Trigno Discover export them."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

EMG_HZ, ACC_HZ = 1925.926, 148.148
VOLTS = 3e-4 * np.random.default_rng(0).standard_normal((2, 2000))
ACC_G = np.linspace(0, 1, 154)

Column = tuple[str, float, NDArray[np.float64]]  # name, rate, samples


def body(columns: list[Column]) -> list[str]:
    """Columns of times and samples, the shorter ones empty at the end."""
    pairs = [[f"{i / rate:.6f},{value!r}" for i, value in enumerate(values.tolist())] for _, rate, values in columns]
    return [",".join(cells) for cells in zip_longest(*pairs, fillvalue=",")]


def emgworks(folder: Path, columns: list[Column], *, unit: str = "V", stated: bool = True) -> Path:
    about = [
        f"Label: {name} Sampling frequency: {rate} Number of points: {len(values)} start: 0 Unit: {unit} Domain Unit: s"
        for name, rate, values in columns
    ]
    names = ",".join(f'"X[s]","{name}"' for name, _, _ in columns)
    path = folder / "a.csv"
    path.write_text("\n".join([*(about if stated else []), "", names, *body(columns)]) + "\n")
    return path


def discover(folder: Path, columns: list[Column], *, with_rates: bool = True) -> Path:
    lines = [
        "Application:,Trigno Discover (2.1.0.7)",
        "Date/Time:,2026-03-01",
        "Collection Length (seconds):,1.04",
        ",".join(f"Avanti Sensor {i + 1} (7592{i})," for i in range(len(columns))),
        ",".join("sensor mode: 65," for _ in columns),
        ",".join(f"{name.rsplit(' (')[0]} Time Series (s),{name}" for name, _, _ in columns),
    ]
    if with_rates:
        lines.append(",".join(f",{rate} Hz" for _, rate, _ in columns))
        lines.append(",".join(f",{1 / rate:.6f} s" for _, rate, _ in columns) + ",Type,Name")
    path = folder / "a.csv"
    path.write_text("\n".join([*lines, *body(columns)]) + "\n")
    return path


EMGWORKS: list[Column] = [
    ("Sensor 1: EMG.A 1", EMG_HZ, VOLTS[0]),
    ("Sensor 1: Acc.X 1", ACC_HZ, ACC_G),
    ("Sensor 2: EMG.A 2", EMG_HZ, VOLTS[1]),
]
DISCOVER: list[Column] = [
    ("EMG 1 (mV)", EMG_HZ, VOLTS[0] * 1e3),
    ("ACC X (G)", ACC_HZ, ACC_G),
    ("EMG 1 (mV)", EMG_HZ, VOLTS[1] * 1e3),
]


def test_emgworks(tmp_path: Path) -> None:
    recording = read_recording(emgworks(tmp_path, EMGWORKS))
    assert_allclose(recording.samples, VOLTS)
    assert (recording.rate_hz, recording.units) == (EMG_HZ, "V")
    assert recording.channel_names == ("Sensor 1: EMG.A 1", "Sensor 2: EMG.A 2")
    assert recording.remarks[:1] == (
        "channels of another rate than 1925.93 Hz, or no EMG, were left out: Sensor 1: Acc.X 1",
    )


def test_emgworks_without_labels_has_the_rate_of_its_times(tmp_path: Path) -> None:
    columns = [(f"{name} [V]" if "EMG" in name else name, rate, values) for name, rate, values in EMGWORKS]
    recording = read_recording(emgworks(tmp_path, columns, stated=False))
    assert recording.rate_hz == pytest.approx(EMG_HZ, rel=1e-5)
    assert (recording.units, recording.channel_names[0]) == ("V", "Sensor 1: EMG.A 1")


@pytest.mark.parametrize("with_rates", [True, False])
def test_discover(tmp_path: Path, with_rates: bool) -> None:
    recording = read_recording(discover(tmp_path, DISCOVER, with_rates=with_rates))
    assert_allclose(recording.samples, VOLTS * 1e3)
    assert recording.rate_hz == pytest.approx(EMG_HZ, rel=1e-5)
    assert recording.units == "mV"
    assert recording.channel_names == ("Avanti Sensor 1 (75920) EMG 1", "Avanti Sensor 3 (75922) EMG 1")
    assert "ACC X" in recording.remarks[0]


def test_volts_of_different_kinds_become_microvolts(tmp_path: Path) -> None:
    columns = [("EMG 1 (mV)", EMG_HZ, VOLTS[0] * 1e3), ("EMG 2 (V)", EMG_HZ, VOLTS[1])]
    recording = read_recording(discover(tmp_path, columns))
    assert_allclose(recording.samples, VOLTS * 1e6)
    assert recording.units == "uV"


def test_one_column_of_times_for_all(tmp_path: Path) -> None:
    lines = [f"{i / 1000},{a!r},{b!r}" for i, (a, b) in enumerate(VOLTS.T.tolist())]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["X[s],EMG1,EMG2", *lines]))
    recording = read_recording(path)
    assert_allclose(recording.samples, VOLTS)
    assert recording.rate_hz == pytest.approx(1000.0)


def test_emg_of_the_rarer_rate_is_left_out_and_channels_are_cut_to_the_shortest_aloud(tmp_path: Path) -> None:
    columns = [*EMGWORKS, ("EMG 3", EMG_HZ, VOLTS[0][:1990]), ("EMG 4", 2222.222, VOLTS[1])]
    recording = read_recording(emgworks(tmp_path, columns))
    assert recording.samples.shape == (3, 1990)
    assert recording.remarks[0].endswith("were left out: Sensor 1: Acc.X 1, EMG 4")
    assert recording.remarks[1] == "channels of up to 2000 samples were cut to the shortest, 1990"


def test_without_emg(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: no channel is EMG; found Sensor 1: Acc\.X 1"):
        read_recording(emgworks(tmp_path, EMGWORKS[1:2])).select(())


def test_an_empty_cell_between_samples(tmp_path: Path) -> None:
    path = emgworks(tmp_path, EMGWORKS)
    lines = path.read_text().splitlines()
    cells = lines[1000].split(",")
    cells[1] = ""
    lines[1000] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="column 2 has an empty cell between its samples"):
        read_recording(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("frequency: 1925.926", "frequency: 2148", "is said to have 2148 Hz, its times 1925.93 Hz"),
        ('"X[s]","Sensor 1: EMG', '"Y[s]","Sensor 1: EMG', r"a\.csv: Y\[s\] has no column of times before it"),
        ("\n0.000519,", "\nnought,", "expected numbers below the names of the columns; .*nought"),
        ("\n0.001038,", "\n0.101038,", "must rise from line to line"),
        ("\n0.001038,", "\n,", "column 1 has an empty cell between its samples"),
    ],
)
def test_tables_that_lie(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = emgworks(tmp_path, EMGWORKS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_recording(path)


def test_samples_without_times(tmp_path: Path) -> None:
    path = emgworks(tmp_path, EMGWORKS[:1])
    path.write_text(path.read_text() + ",1.0\n,2.0\n")
    with pytest.raises(InputError, match="EMG.A 1 has 2002 samples at 2000 times; expected a time for each"):
        read_recording(path)


def test_channels_that_begin_apart(tmp_path: Path) -> None:
    path = emgworks(tmp_path, EMGWORKS)
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith('"X[s]"')) + 1
    for i in range(start, len(lines)):
        cells = lines[i].split(",")
        cells[4] = f"{float(cells[4]) + 0.2:.6f}"
        lines[i] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"EMG channels begin at 0 to 0\.2 s; expected them to begin together"):
        read_recording(path)


def test_a_table_without_a_line_of_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Label: EMG 1 of X[s]\n1,2\n")
    with pytest.raises(InputError, match=r"expected a line that names columns of times, X\[s\]; found none"):
        read_recording(path)


def test_a_cell_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('X[s],EMG\n"' + "1" * 200_000)
    with pytest.raises(InputError, match="can't be read as CSV; field larger than field limit"):
        read_recording(path)
