"""recordings/formats/clocks.py: columns of times, columns that count samples, and channels that look like them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from builders import read_text_table as read
from builders import rows, signal, with_time
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording


@pytest.mark.parametrize(
    ("name", "step"),
    [("time", 0.002), ("time_s", 0.002), ("t", 0.002), ("Time (s)", 0.002), ("X[s]", 0.002),
     ("X [s]", 0.002), ("时间", 0.002), ("时间(秒)", 0.002), ("Timestamp", 0.002), ("time stamp [ms]", 2),
     ("time [ms]", 2), ("ms", 2), ("t_us", 2000), ("Elapsed time", 0.002), ("time", 2), ("Time_ms", 2),
     ("milliSec", 2), ("min", 0.002 / 60), ("millis", 2), ("micros", 2000)],
)  # fmt: skip
def test_time_columns(tmp_path: Path, name: str, step: float) -> None:
    found = read(tmp_path, f"{name},EMG\n" + with_time(step, digits=9))
    assert_allclose(found.rate_hz, 500, rtol=1e-4)
    assert found.channel_names == ("EMG",)
    assert_array_equal(found.table, signal(channels=1))


@pytest.mark.parametrize("name", ["x", "tibialis", "timing", "trapezius", "m", "biceps"])
def test_names_similar_to_time_are_channels(tmp_path: Path, name: str) -> None:
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


def test_stamps_may_pass_midnight(tmp_path: Path) -> None:
    seconds = 86_400 - 0.3 + np.arange(60) / 100
    stamps = [f"{int(s % 86_400 // 3600)}:{int(s % 3600 // 60):02d}:{s % 60:06.3f}" for s in seconds]
    body = "".join(f"{stamp},{value}\n" for stamp, value in zip(stamps, signal(channels=1)[:, 0], strict=True))
    assert stamps[0].startswith("23:59:59") and stamps[-1].startswith("0:00:00")
    assert_allclose(read(tmp_path, "time,EMG\n" + body).rate_hz, 100)


def test_an_invalid_stamp_is_an_error_with_its_place(tmp_path: Path) -> None:
    body = "".join(f"10:00:{i / 100:06.3f},{i % 7}\n" for i in range(60)).replace("10:00:00.300", "later")
    with pytest.raises(InputError, match=r"a\.csv: .*line 32, column 'time': found 'later', expected a time of day"):
        read(tmp_path, "time,EMG\n" + body)


@pytest.mark.parametrize(("rate_hz", "digits"), [(2048, 3), (1500, 3), (4000, 3), (1000, 3), (2000, 4), (1024, 2)])
def test_times_with_few_digits_give_the_rate(tmp_path: Path, rate_hz: float, digits: int) -> None:
    found = read(tmp_path, "time,EMG\n" + with_time(1 / rate_hz, n=9000, digits=digits))
    assert_allclose(found.rate_hz, rate_hz, rtol=1e-3)
    assert found.rate_hz in (rate_hz, pytest.approx(rate_hz, rel=2 * 10**-digits * rate_hz / 9000))


def test_jitter_of_less_than_half_a_step_is_tolerated(tmp_path: Path) -> None:
    times = np.arange(60) / 500 + np.random.default_rng(0).uniform(0, 0.0008, 60)
    body = "".join(f"{time},{value}\n" for time, value in zip(times, signal(channels=1)[:, 0], strict=True))
    assert_allclose(read(tmp_path, "time,EMG\n" + body).rate_hz, 500, rtol=0.02)


def test_the_rate_of_a_time_column_replaces_that_of_the_header(tmp_path: Path) -> None:
    found = read(tmp_path, "# sampling rate: 1000 Hz\ntime,EMG\n" + with_time(0.002))
    assert_allclose(found.rate_hz, 500)
    assert found.remarks == ("the header states 1000 Hz, but the time column gives 500 Hz, which is used",)


def test_several_stated_rates_without_a_time_column_are_not_used(tmp_path: Path) -> None:
    found = read(tmp_path, "# sampling rate: 1000 Hz\n# sampling rate: 148 Hz\n" + rows(signal()))
    assert found.rate_hz is None
    assert found.remarks == ("the header states several rates (1000, 148 Hz), so none of them is used",)


def test_a_second_time_column_is_left_out(tmp_path: Path) -> None:
    stamped = with_time(0.002).replace("\n", ",17.25\n")
    found = read(tmp_path, "time,EMG,timestamp\n" + stamped)
    assert (found.rate_hz, found.channel_names) == (500, ("EMG",))
    assert found.remarks == ("column 'timestamp' is a second time column and was left out",)


def test_an_unnamed_column_of_times(tmp_path: Path) -> None:
    found = read(tmp_path, with_time(0.002, channels=2))
    assert_allclose(found.rate_hz, 500)
    assert_array_equal(found.table, signal(channels=2))
    remark = "the first column has no name, increases evenly by 0.002 and is taken for time in seconds"
    assert found.remarks == (remark,)
    assert read(tmp_path, ",a\n" + with_time(0.002)).remarks == (remark,)


@pytest.mark.parametrize("count", [lambda i: i, lambda i: i + 1, lambda i: i % 16, lambda i: (i + 5) % 256 + 0])
def test_an_unnamed_column_that_counts_samples(tmp_path: Path, count: object) -> None:
    assert callable(count)
    body = "".join(f"{count(i)},{a},{b}\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, body)
    assert_array_equal(found.table, signal())
    assert (found.rate_hz, found.remarks) == (
        None, ("the first column has no name and counts samples; it was left out",)
    )  # fmt: skip


def test_an_unnamed_ramp_is_left_out_and_gives_no_rate(tmp_path: Path) -> None:
    found = read(tmp_path, with_time(2.5, digits=1))
    assert (found.rate_hz, found.table.shape) == (None, (60, 1))
    assert found.remarks == ("the first column has no name, increases evenly by 2.5 and was left out",)


def test_a_time_column_that_increases_by_one_gives_no_rate(tmp_path: Path) -> None:
    found = read(tmp_path, "Time,EMG\n" + with_time(1, digits=0))
    assert (found.rate_hz, found.channel_names) == (None, ("EMG",))
    assert found.remarks == ("column 'Time' increases by 1 without a unit, so it gives no rate and was left out",)


def test_a_table_of_ramps_holds_channels(tmp_path: Path) -> None:
    ramps = np.stack([np.arange(40.0), -np.arange(40.0)], axis=1)
    assert_array_equal(read(tmp_path, rows(ramps)).table, ramps)


@pytest.mark.parametrize("name", ["nSeq", "Sample", "Sample Index", "frame", "序号", "Index", "No."])
def test_columns_whose_names_state_that_they_count(tmp_path: Path, name: str) -> None:
    body = "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(signal()))
    found = read(tmp_path, f"{name},a,b\n" + body)
    assert (found.channel_names, found.remarks) == (("a", "b"), (f"column {name!r} counts samples and was left out",))


def test_a_gap_in_the_times_is_an_error_with_its_place(tmp_path: Path) -> None:
    lines = ["# a comment", "time,b", *with_time(0.002).splitlines()]
    del lines[30:40]
    with pytest.raises(InputError, match=r"'time' has gaps \(steps of 0.002 to 0.022 s\), the longest before line 31;"):
        read(tmp_path, "\n".join(lines))


def test_a_repeated_time_is_read_with_a_remark(tmp_path: Path) -> None:
    lines = ["time,b", *with_time(0.002).splitlines()]
    lines[10] = lines[9]
    found = read(tmp_path, "\n".join(lines))
    assert (found.rate_hz, found.table.shape) == (500, (60, 1))
    assert found.remarks[0].startswith("column 'time' is not even (steps of 0 to 0.004 s); it gives 500 Hz on average")


def test_a_short_gap_in_rounded_times_is_read_with_a_remark(tmp_path: Path) -> None:
    lines = ["time,b", *with_time(1 / 2048, n=4000, digits=3).splitlines()]
    del lines[2000:2020]
    found = read(tmp_path, "\n".join(lines))
    assert found.rate_hz == pytest.approx(2048, rel=1e-3)
    assert re.search("by its times (19|20) of .* samples are missing, the first before line 2001", found.remarks[0])


@pytest.mark.parametrize("change", ["0.010,1", "nan,1", "0.900,1"])
def test_a_stated_rate_is_a_way_out_of_times_that_give_none(tmp_path: Path, change: str) -> None:
    lines = ["time,b", *with_time(0.002).splitlines()]
    lines[10] = change
    with pytest.raises(InputError, match="column 'time'"):
        read(tmp_path, "\n".join(lines))
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = read_recording(tmp_path / "a.csv", rate_hz=480)
    assert (found.rate_hz, found.samples.shape) == (480, (1, 60))
    assert "column 'time' are not even and were ignored, because 480 Hz is stated" in found.remarks[0]
    assert read(tmp_path, "\n".join(["# sampling rate: 480 Hz", *lines])).rate_hz == 480


def test_an_unnamed_column_of_repeated_times_is_not_a_channel(tmp_path: Path) -> None:
    ticks = np.arange(400) - (np.arange(400) % 4 == 3)  # a Bluetooth packet repeats the time of the one before it
    text = "".join(f"{0.9 + tick / 333:.8f},{value}\n" for tick, value in zip(ticks, signal(400, 1)[:, 0], strict=True))
    found = read(tmp_path, text)
    assert found.rate_hz == pytest.approx(333, rel=0.005)
    assert_array_equal(found.table, signal(400, 1))
    remark = "the first column has no name, never falls and is taken for time in seconds; "
    assert found.remarks[0].startswith(remark + "column '1' is not even")
    found = read_recording(tmp_path / "a.csv", rate_hz=333)
    assert (found.rate_hz, found.samples.shape) == (333, (1, 400))
    assert found.remarks[0].startswith(remark + "the times in column '1' are not even and were ignored")


def test_an_unnamed_column_of_labels_is_not_time(tmp_path: Path) -> None:
    text = "".join(f"{i // 100},{a},{b}\n" for i, (a, b) in enumerate(signal(400)))
    assert read(tmp_path, text).table.shape == (400, 3)


def test_a_clock_of_32_bits_may_overflow(tmp_path: Path) -> None:
    times = (2**32 - 40_000 + 2000 * np.arange(60)) % 2**32
    body = "".join(f"{time},{value}\n" for time, value in zip(times, signal(channels=1)[:, 0], strict=True))
    assert read(tmp_path, "micros,EMG\n" + body).rate_hz == 500


@pytest.mark.parametrize("unit", [1, 1000, 1_000_000])
def test_times_since_1970_are_no_channel_under_any_name(tmp_path: Path, unit: int) -> None:
    jitter_s = np.random.default_rng(0).uniform(-0.001, 0.001, 400)
    times = (1_714_148_521 + np.arange(400) / 250 + jitter_s) * unit
    body = "".join(f"{i % 256},{a},{b},{t:.4f}\n" for i, ((a, b), t) in enumerate(zip(signal(400), times, strict=True)))
    found = read(tmp_path, "0,1,2,3\n" + body)
    assert (found.rate_hz, found.channel_names) == (pytest.approx(250, rel=0.001), ("1", "2"))
    assert found.remarks[1].startswith("column '3' holds times since 1970")
    assert found.remarks[2] == "the first column has no name and counts samples; it was left out"
    named = read(tmp_path, "EMG 1,EMG 2,EMG 3,clock\n" + body)
    assert (named.rate_hz, named.channel_names) == (found.rate_hz, ("EMG 1", "EMG 2", "EMG 3"))


def test_values_near_the_limits_of_float64_are_no_clock(tmp_path: Path) -> None:
    table = np.full((3, 2), 9.97920155e291)
    table[0, 0] = -np.finfo(np.float64).max
    body = "".join(f"{a!r},{b!r}\n" for a, b in table.tolist())
    assert_array_equal(read(tmp_path, body).table, table)
