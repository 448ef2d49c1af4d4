"""Tests of reading one channel of a second sensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError, RateUnknown
from semg_hht.recordings.recording import read_recording
from semg_hht.recordings.sensor import read_sensor

EMG = np.random.default_rng(0).standard_normal((100, 2))
ANGLE = np.linspace(0, 90, 100)


def table(path: Path, header: str, *columns: np.ndarray) -> Path:
    np.savetxt(path, np.column_stack(columns), delimiter=",", header=header, comments="")
    return path


@pytest.mark.parametrize("channel", ["", "Knee angle [deg]", "knee angle", "KNEE ANGLE [deg]", "3"])
def test_a_channel_is_found_by_name_number_or_as_the_only_one(tmp_path: Path, channel: str) -> None:
    path = table(tmp_path / "a.csv", "biceps,triceps,Knee angle [deg]", EMG, ANGLE)
    sensor = read_sensor(path, channel, rate_hz=1000)
    assert (sensor.name, sensor.unit, sensor.rate_hz, sensor.duration_s) == ("Knee angle [deg]", "deg", 1000, 0.1)
    assert_allclose(sensor.samples, ANGLE)


def test_its_own_time_stamps_give_the_rate(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "time_s,position", np.arange(100) / 99.5, ANGLE)
    assert read_sensor(path).rate_hz == pytest.approx(99.5, rel=1e-4)


def test_missing_samples_stay_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("emg,angle\n" + "".join(f"{i % 7 - 3},{'' if 300 < i < 700 else i}\n" for i in range(1000)))
    samples = read_sensor(path, "angle", rate_hz=1000).samples
    assert np.flatnonzero(np.isnan(samples)).tolist() == list(range(301, 700))


def test_a_column_that_the_reader_leaves_out_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("emg,angle\n" + "".join(f"{i % 7 - 3},{'' if i > 300 else i}\n" for i in range(1000)))
    with pytest.raises(InputError, match=r"has no channel 'angle'; expected one of emg \(.*angle"):
        read_sensor(path, "angle", rate_hz=1000)


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
def test_a_vector_beside_the_samples_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    arrays = {"emg": EMG, "Force": ANGLE, "short": ANGLE[:50]}
    if suffix == ".mat":
        scipy.io.savemat(path, arrays)
    elif suffix == ".npz":
        np.savez(path, **arrays)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    assert_array_equal(read_sensor(path, "force", rate_hz=200).samples, ANGLE)
    assert read_recording(path, rate_hz=200).channel_names == ("ch1", "ch2"), "the vectors are no channels"
    with pytest.raises(InputError, match=r"name the channel of the sensor with sensor=\.\.\.; found .*Force"):
        read_sensor(path, rate_hz=200)
    with pytest.raises(InputError, match="has no channel 'angle'; expected one of ch1, ch2, Force"):
        read_sensor(path, "angle", rate_hz=200)


def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "biceps,angle,force", EMG[:, :1], ANGLE, ANGLE)
    with pytest.raises(
        RateUnknown, match=r"the sampling rate of angle is unknown; state it with SensorSource\(rate_hz="
    ):
        read_sensor(path, "angle")
    with pytest.raises(InputError, match=r"name the channel of the sensor with sensor=\.\.\.; found angle, force"):
        read_sensor(path, rate_hz=100)
    with pytest.raises(InputError, match="no such file"):
        read_sensor(tmp_path / "b.csv")
    words = tmp_path / "words.npz"
    np.savez(words, emg=EMG.astype(complex))
    with pytest.raises(InputError, match="expected real numbers in ch1; found complex128"):
        read_sensor(words, "1", rate_hz=100)
