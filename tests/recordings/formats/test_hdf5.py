"""recordings/formats/hdf5.py: files of PLUX devices, plain datasets, MATLAB 7.3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from recording_files import PLUX_COUNTS, write_matlab_73, write_plux
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

h5py = pytest.importorskip("h5py")


def test_samples_rate_and_names_of_a_plux_file(tmp_path: Path) -> None:
    recording = read_recording(write_plux(tmp_path / "a.h5"))
    assert_array_equal(recording.samples, PLUX_COUNTS.T)
    assert (recording.rate_hz, recording.channel_names, recording.units) == (1000.0, ("PORT1", "PORT2"), "adc")
    assert "counts" in recording.remarks[0]


def test_another_sensor_of_a_plux_file_is_used_only_if_selected(tmp_path: Path) -> None:
    recording = read_recording(write_plux(tmp_path / "a.h5", sensors=("EMG", "ACC")))
    assert recording.non_emg == ("PORT2",)
    assert recording.select(()).channel_names == ("PORT1",)
    assert recording.select(("PORT2",)).channel_names == ("PORT2",)


def test_two_devices_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.h5: expected one device; found 2"):
        read_recording(write_plux(tmp_path / "a.h5", n_devices=2))


def test_a_plux_file_without_channels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected channels under raw/channel_N; found raw"):
        read_recording(write_plux(tmp_path / "a.h5", sensors=()))


@pytest.mark.parametrize("where", ["file", "group", "dataset"])
def test_plain_datasets_with_the_rate_in_an_attribute(tmp_path: Path, where: str) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        data = file.create_dataset("session/emg", data=PLUX_COUNTS.astype(np.float32))
        {"file": file, "group": file["session"], "dataset": data}[where].attrs["Sampling Rate"] = 250.0
    recording = read_recording(tmp_path / "a.hdf5")
    assert_array_equal(recording.samples, PLUX_COUNTS.T)
    assert recording.rate_hz == 250.0


def test_several_datasets_are_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["left"] = PLUX_COUNTS
        file["right"] = PLUX_COUNTS
    with pytest.raises(InputError, match=r"expected samples under one of .*; found left \(500, 2\), right \(500, 2\)"):
        read_recording(tmp_path / "a.h5", rate_hz=1000)


def test_units_rate_and_names_in_attributes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("emg", data=PLUX_COUNTS.astype(np.float32))
        data.attrs.update({"sampling frequency": 250.0, "units": "mV", "channel names": ["biceps", "triceps"]})
        file.create_dataset("other/force", data=np.zeros(9)).attrs.update({"units": "N", "fs": 9.0})
    recording = read_recording(tmp_path / "a.h5")
    assert (recording.rate_hz, recording.units, recording.channel_names) == (250, "mV", ("biceps", "triceps"))


def test_the_rate_of_another_group_does_not_count(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["fs"] = "1000 Hz"
        file["emg"] = PLUX_COUNTS
        file.create_dataset("imu/data", data=np.zeros(50)).attrs["fs"] = 100
    assert read_recording(tmp_path / "a.h5").rate_hz == 1000


def test_two_datasets_of_one_name_are_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for trial in ("trial1", "trial2"):
            file.create_dataset(f"{trial}/emg", data=PLUX_COUNTS).attrs["fs"] = 1000
    with pytest.raises(InputError, match=r"one array of samples; found trial1/emg \(500, 2\), trial2/emg \(500, 2\)"):
        read_recording(tmp_path / "a.h5")


def test_a_real_struct_of_matlab_73(real_data: Path) -> None:
    recording = read_recording(real_data / "elbow_flexors" / "SP-32.mat")
    assert (recording.rate_hz, recording.units) == (2000, "uV")
    assert recording.channel_names == ("BicepsBrachi", "Brachioradialis")


def test_a_matlab_73_file(tmp_path: Path) -> None:
    path = write_matlab_73(tmp_path / "a.mat", {"emg": PLUX_COUNTS.astype(float), "fs": np.array([[500.0]])})
    recording = read_recording(path)
    assert_array_equal(recording.samples, PLUX_COUNTS.T)
    assert recording.rate_hz == 500.0


def test_an_enormous_declared_size_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("emg", shape=(10**12,), dtype="f8", chunks=(1024,))
    with pytest.raises(InputError, match=r"a\.h5: unpacks to 8000000000000 bytes; expected no more than"):
        read_recording(tmp_path / "a.h5", rate_hz=1000)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_not_hdf5_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.h5: can't be read as HDF5"):
        read_recording(tmp_path / "a.h5", rate_hz=1000)


def test_real_plux_files(real_data: Path) -> None:
    for name, n_samples in (("emg_bursts", 28_519), ("emg_fatigue", 126_900)):
        recording = read_recording(real_data / "formats" / "biosignalsnotebooks" / f"{name}.h5")
        assert recording.samples.shape == (1, n_samples)
        assert recording.rate_hz == 1000


def test_samples_in_another_file_are_an_error(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(PLUX_COUNTS[:, 0].astype("<f8").tobytes())
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.attrs["fs"] = 1000
        file.create_dataset("emg", (500,), "<f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file.create_dataset("emg", data=PLUX_COUNTS[:, 0])
    layout = h5py.VirtualLayout((500,), "<u2")
    layout[:] = h5py.VirtualSource(str(tmp_path / "own.h5"), "emg", (500,))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.attrs["fs"] = 1000
        file.create_virtual_dataset("emg", layout)
    device = write_plux(tmp_path / "linked.h5", sensors=())
    with h5py.File(device, "a") as file:
        file["00:07:80:00:00:00/raw/channel_1"] = h5py.ExternalLink(str(tmp_path / "own.h5"), "emg")
    for name in ("outside.h5", "virtual.h5", "linked.h5"):
        with pytest.raises(InputError, match=rf"{name}: /emg is stored in another file; expected samples in the"):
            read_recording(tmp_path / name)


def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        device = file.create_group("device")
        device.attrs["sampling rate"] = 1000
        device.create_group("raw")["channel_1"] = h5py.SoftLink("/nowhere")
    with pytest.raises(InputError, match=r"a\.h5: can't be read as HDF5; "):
        read_recording(tmp_path / "a.h5")


def test_a_damaged_file_of_matlab_73_is_an_error(tmp_path: Path) -> None:
    header = b"MATLAB 7.3 MAT-file".ljust(124) + (0x0200).to_bytes(2, "little") + b"IM"
    (tmp_path / "a.mat").write_bytes(header + b"\0" * 1000)
    with pytest.raises(InputError, match=r"a\.mat: can't be read as HDF5"):
        read_recording(tmp_path / "a.mat")
