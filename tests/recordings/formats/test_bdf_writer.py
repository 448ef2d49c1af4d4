"""recordings/formats/bdf_writer.py: files written by edfio and read by pyedflib."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from builders import noise
from semg_hht.errors import InputError
from semg_hht.recordings.formats import bdf_writer as bdf
from semg_hht.recordings.formats.bdf_writer import header_labels, write_bdf
from semg_hht.recordings.recording import Recording, read_recording

pytest.importorskip("edfio")
pyedflib = pytest.importorskip("pyedflib")


def written(recording: Recording, path: Path) -> tuple[Recording, bdf.WrittenBdf]:
    done = write_bdf(recording, path, header_labels(recording))
    return read_recording(path, rate_hz=recording.rate_hz, units=recording.units), done


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(1e-6, 1e5), offset=st.floats(-50, 50), n_samples=st.integers(40, 3000),
    rate_hz=st.sampled_from([200.0, 1000.0, 1925.926, 2048.0, 58000 / 27]),
)  # fmt: skip
def test_samples_are_read_back_within_the_reported_rounding(
    tmp_path_factory: pytest.TempPathFactory, scale: float, offset: float, n_samples: int, rate_hz: float
) -> None:
    samples = scale * (np.random.default_rng(n_samples).standard_normal((2, n_samples)) + offset)
    path = tmp_path_factory.mktemp("bdf") / "a.bdf"
    back, done = written(Recording(samples, rate_hz, ("a", "b"), "mV", "here"), path)
    error = (np.abs(back.samples - samples).max(axis=1) / np.ptp(samples, axis=1)).max()
    assert error <= done.rounding * (1 + 1e-3) + 1e-12
    assert done.rounding <= 2.0**-17
    assert (back.rate_hz, back.units, done.n_padded) == (rate_hz, "mV", 0)


@pytest.mark.parametrize("rate_hz", [200.0, 1000.0, 1925.926, 2048.0, 58000 / 27, 4000.5])
@pytest.mark.parametrize("n_samples", [601, 20011])
def test_no_sample_is_displaced_by_half_a_sample(tmp_path: Path, rate_hz: float, n_samples: int) -> None:
    recording = Recording(noise(duration_s=n_samples / 500).samples, rate_hz, ("a",), "uV", "here")
    write_bdf(recording, tmp_path / "a.bdf", ("a",))
    back = read_recording(tmp_path / "a.bdf")
    assert back.n_samples == n_samples
    assert abs(back.duration_s - recording.duration_s) * rate_hz < 0.5


def test_whole_numbers_and_constants_are_stored_exactly(tmp_path: Path) -> None:
    rows = [[0, 1] * 500, [-(2**23), 2**23 - 1] * 500, [7] * 1000, [0] * 1000]
    back, done = written(
        Recording(np.array(rows, dtype=float), 1000.0, ("a", "b", "c", "d"), "", "here"), tmp_path / "a.bdf"
    )
    assert_array_equal(back.samples, rows)
    assert done.rounding == 0.0


def test_only_volts_have_a_dimension(tmp_path: Path) -> None:
    for units, expected in (("uV", ["uV", ""]), ("adc", ["", ""])):
        recording = replace(noise(2), units=units, non_emg=("ch2",))
        write_bdf(recording, tmp_path / "a.bdf", ("a", "b"))
        with pyedflib.EdfReader(str(tmp_path / "a.bdf")) as file:
            assert [file.getPhysicalDimension(i).strip() for i in range(2)] == expected


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (
            1e-10,
            "channel ch1 has values from .* too narrow a range for a BDF header; expected units with larger numbers",
        ),
        (1e8, "channel ch1 has values from .*; a BDF header holds at most 9999999"),
    ],
)
def test_values_that_the_header_cannot_hold_are_an_error(tmp_path: Path, factor: float, message: str) -> None:
    recording = noise()
    with pytest.raises(InputError, match=f"noise0: {message}"):
        write_bdf(replace(recording, samples=recording.samples * factor), tmp_path / "a.bdf", ("a",))
    assert not (tmp_path / "a.bdf").exists()


def test_names_become_labels() -> None:
    names = (
        "Biceps",
        "rectus femoris left",
        "rectus femoris left 2",
        "m. déltoïde",
        "肱二头肌",
        "a;b\tc",
        "Temporalis",
    )
    assert header_labels(replace(noise(7), channel_names=names)) == (
        "Biceps", "rectus femoris l", "rectus femoris_2", "m. deltoide", "ch5", "a_b_c", "Temporalis",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "non_emg", "labels"),
    [
        (("biceps", "phase"), (), ("EMG biceps", "EMG phase")),  # used as EMG, because a person selected it
        (("肌电1", "加速度"), ("加速度",), ("EMG 1", "ch2")),
        (("biceps", "knee angle"), ("knee angle",), ("biceps", "knee angle")),
    ],
)
def test_labels_show_which_channels_are_emg(
    tmp_path: Path, names: tuple[str, ...], non_emg: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    recording = replace(noise(2), channel_names=names, non_emg=non_emg)
    assert header_labels(recording) == labels
    back, _ = written(recording, tmp_path / "a.bdf")
    assert [name in back.non_emg for name in back.channel_names] == [name in non_emg for name in names]


@pytest.mark.parametrize(
    ("rate_hz", "n_samples"), [(1000.0, 10_007), (58000 / 27, 1_000_003)]
)  # both lengths are prime
def test_a_long_recording_of_prime_length_is_padded_by_few_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate_hz: float, n_samples: int
) -> None:
    monkeypatch.setattr(bdf, "_MAX_RECORD_BYTES", 3 * 1500)
    recording = replace(noise(rate_hz=1000.0, duration_s=n_samples / 1000), rate_hz=rate_hz)
    done = write_bdf(recording, tmp_path / "a.bdf", ("a",))
    back = read_recording(tmp_path / "a.bdf")
    assert 0 < done.n_padded <= 3
    assert back.n_samples == n_samples + done.n_padded
    assert_array_equal(back.samples[0, n_samples:], back.samples[0, n_samples - 1])
    assert abs(n_samples / back.rate_hz - recording.duration_s) * rate_hz < 0.5


def test_a_rate_that_the_header_can_hold_is_stored_exactly(tmp_path: Path) -> None:
    recording = noise(
        rate_hz=1000.0, duration_s=28.519
    )  # 19 records of 1.501 s would fit, but 1501 / 1.501 is not 1000
    write_bdf(recording, tmp_path / "a.bdf", ("a",))
    header = (tmp_path / "a.bdf").read_bytes()[:512]
    assert int(header[472:480]) / float(header[244:252]) == 1000.0


def test_numbers_of_the_header_have_no_exponent(tmp_path: Path) -> None:
    for low, high in ((-1e-5, 2e-5), (1e-5, 2e-5), (-2e-5, -1e-5)):
        recording = replace(noise(), samples=np.linspace(low, high, 1000)[None], units="V")
        write_bdf(recording, tmp_path / "a.bdf", ("a",))
        header = (tmp_path / "a.bdf").read_bytes()[256:512]
        numbers = header[104:136].decode()  # after label, transducer and dimension
        assert "e" not in numbers
        assert float(numbers[:8]) <= low < high <= float(numbers[8:16])


@pytest.mark.parametrize(
    ("rate_hz", "n_channels", "message"),
    [(1e-9, 1, "here: a rate of 1e-09 Hz does not fit"), (1e5, 1000, "here: 1000 channels at 100000 Hz do not fit")],
)
def test_rates_that_fit_no_record_are_an_error(tmp_path: Path, rate_hz: float, n_channels: int, message: str) -> None:
    samples = np.zeros((n_channels, 20_000 if n_channels > 1 else 40))
    names = tuple(f"c{i}" for i in range(n_channels))
    with pytest.raises(InputError, match=message):
        write_bdf(Recording(samples, rate_hz, names, "", "here"), tmp_path / "a.bdf", names)
