"""signals/hdf5.py: files of PLUX devices, plain datasets, MATLAB 7.3."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

h5py = pytest.importorskip("h5py")
COUNTS = np.random.default_rng(0).integers(0, 4096, (500, 2), dtype=np.uint16)


def write_plux(path: Path, *, n_devices: int = 1, sensors: tuple[str, ...] = ("EMG", "EMG")) -> Path:
    with h5py.File(path, "w") as file:
        for number in range(n_devices):
            device = file.create_group(f"00:07:80:00:00:0{number}")
            device.attrs["sampling rate"] = 1000
            raw = device.create_group("raw")
            for i, sensor in enumerate(sensors):
                channel = raw.create_dataset(f"channel_{i + 1}", data=COUNTS[:, i : i + 1])
                channel.attrs["label"] = f"PORT{i + 1}"
                channel.attrs["sensor"] = sensor
            raw.create_dataset("nSeq", data=np.arange(500).reshape(-1, 1))
    return path


def write_matlab_73(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """As MATLAB does: 512 bytes before the HDF5, arrays transposed, the class in an attribute."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=np.atleast_2d(values).T).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("rb+") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def test_a_plux_file_gives_channels_rate_and_names(tmp_path: Path) -> None:
    recording = read_recording(write_plux(tmp_path / "a.h5"))
    assert_array_equal(recording.samples, COUNTS.T)
    assert (recording.rate_hz, recording.channel_names, recording.units) == (1000.0, ("PORT1", "PORT2"), "adc")
    assert "counts" in recording.remarks[0]


def test_a_plux_sensor_that_is_no_emg_is_not_taken_unasked(tmp_path: Path) -> None:
    recording = read_recording(write_plux(tmp_path / "a.h5", sensors=("EMG", "ACC")))
    assert recording.other == ("PORT2",)
    assert recording.select(()).channel_names == ("PORT1",)
    assert recording.select(("PORT2",)).channel_names == ("PORT2",)


def test_two_devices_are_a_question(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.h5: holds 2 devices; expected one"):
        read_recording(write_plux(tmp_path / "a.h5", n_devices=2))


def test_a_plux_file_without_channels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected channels under raw/channel_N; found raw"):
        read_recording(write_plux(tmp_path / "a.h5", sensors=()))


@pytest.mark.parametrize("where", ["file", "group", "dataset"])
def test_plain_datasets_with_the_rate_in_an_attribute(tmp_path: Path, where: str) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        data = file.create_dataset("session/emg", data=COUNTS.astype(np.float32))
        {"file": file, "group": file["session"], "dataset": data}[where].attrs["Sampling Rate"] = 250.0
    recording = read_recording(tmp_path / "a.hdf5")
    assert_array_equal(recording.samples, COUNTS.T)
    assert recording.rate_hz == 250.0


def test_several_datasets_are_a_question(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["left"] = COUNTS
        file["right"] = COUNTS
    with pytest.raises(InputError, match=r"expected samples under one of .*; found left \(500, 2\), right \(500, 2\)"):
        read_recording(tmp_path / "a.h5", rate_hz=1000)


def test_a_matlab_73_file(tmp_path: Path) -> None:
    path = write_matlab_73(tmp_path / "a.mat", {"emg": COUNTS.astype(float), "fs": np.array([[500.0]])})
    recording = read_recording(path)
    assert_array_equal(recording.samples, COUNTS.T)
    assert recording.rate_hz == 500.0


def test_an_enormous_declared_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("emg", shape=(10**12,), dtype="f8", chunks=(1024,))
    with pytest.raises(InputError, match=r"a\.h5: unpacks to 8000000000000 bytes; expected no more than"):
        read_recording(tmp_path / "a.h5", rate_hz=1000)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.h5: can't be read as HDF5"):
        read_recording(tmp_path / "a.h5", rate_hz=1000)


def test_without_h5py_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_plux(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"reading \.h5 needs h5py: pip install 'semg-hht\[readers\]'"):
        read_recording(path)


def test_real_plux_files(real_data: Path) -> None:
    for name, n_samples in (("emg_bursts", 28_519), ("emg_fatigue", 126_900)):
        recording = read_recording(real_data / "formats" / "biosignalsnotebooks" / f"{name}.h5")
        assert recording.samples.shape == (1, n_samples)
        assert recording.rate_hz == 1000


def test_a_knee_angle_is_not_taken_for_emg(real_data: Path) -> None:
    for path in sorted((real_data / "formats" / "lower_limb").glob("*.csv")):
        recording = read_recording(path, rate_hz=1000)
        assert recording.other == ("Flexo-Extension",)
        assert len(recording.select(()).channel_names) == 4


def test_samples_that_lie_in_another_file_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(COUNTS[:, 0].astype("<f8").tobytes())
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.attrs["fs"] = 1000
        file.create_dataset("emg", (500,), "<f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file.create_dataset("emg", data=COUNTS[:, 0])
    layout = h5py.VirtualLayout((500,), "<u2")
    layout[:] = h5py.VirtualSource(str(tmp_path / "own.h5"), "emg", (500,))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.attrs["fs"] = 1000
        file.create_virtual_dataset("emg", layout)
    device = write_plux(tmp_path / "linked.h5", sensors=())
    with h5py.File(device, "a") as file:
        file["00:07:80:00:00:00/raw/channel_1"] = h5py.ExternalLink(str(tmp_path / "own.h5"), "emg")
    for name in ("outside.h5", "virtual.h5", "linked.h5"):
        with pytest.raises(InputError, match=rf"{name}: /emg lies in another file; expected a recording that holds"):
            read_recording(tmp_path / name)
