"""recordings/formats/arrays.py: NPZ and MAT files, also damaged and malicious ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.io import savemat

from builders import Payload, claimed_npy, noise, npy, truncate, write_members, write_npz
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording, write_recording


def test_samples_and_rate_of_a_mat_file(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((2, 50))
    savemat(tmp_path / "a.mat", {"EMG": samples, "Fs": 1000.0})
    recording = read_recording(tmp_path / "a.mat")
    assert_allclose(recording.samples, samples)
    assert_allclose(recording.rate_hz, 1000)


def test_the_longer_axis_is_time_and_a_single_array_needs_no_known_name(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    recording = read_recording(write_npz(tmp_path / "a.npz", biceps=samples, fs=np.array([500])))
    assert_allclose(recording.samples, samples.T)
    single = read_recording(write_npz(tmp_path / "b.npz", biceps=samples[:, 0], units="mV"), rate_hz=500)
    assert (single.samples.shape, single.units) == ((1, 50), "mV")


def test_several_arrays_without_a_known_name_are_an_error(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", left=np.arange(50.0), right=np.arange(50.0))
    with pytest.raises(InputError, match=r"expected samples under one of samples, emg.*; found left \(50,\), right"):
        read_recording(path, rate_hz=100)


def test_samples_of_three_dimensions_or_of_text_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one or two dimensions; found shape \(2, 50, 3\)"):
        read_recording(write_npz(tmp_path / "a.npz", emg=np.zeros((2, 50, 3))), rate_hz=100)
    with pytest.raises(InputError, match="expected real numbers; found <U1"):
        read_recording(write_npz(tmp_path / "b.npz", emg=np.array(["x"] * 50)), rate_hz=100)
    with pytest.raises(InputError, match="expected real numbers; found complex128"):
        read_recording(write_npz(tmp_path / "c.npz", emg=np.zeros(50, complex)), rate_hz=100)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    path = write_npz(tmp_path / "a.npz", emg=np.array([Payload(ran)] * 50, dtype=object))
    with pytest.raises(InputError, match=r"a\.npz: can't be read as NPZ; Object arrays cannot be loaded"):
        read_recording(path, rate_hz=100)
    assert not ran.exists()
    Payload(ran).__reduce__()[0](*Payload(ran).__reduce__()[1])  # unpickling would have made the folder
    assert ran.exists()


def test_a_header_with_a_huge_shape_is_an_error(tmp_path: Path) -> None:
    path = write_members(tmp_path / "a.npz", emg=claimed_npy((10**13, 2)), fs=npy(np.array(100.0)))
    with pytest.raises(InputError, match=r"a\.npz"):
        read_recording(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_npz_is_an_error(tmp_path: Path, share: float) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: can't be read as NPZ"):
        read_recording(truncate(tmp_path / "a.npz", share))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.9])
def test_a_truncated_mat_file_is_an_error(tmp_path: Path, share: float, compressed: bool) -> None:
    savemat(tmp_path / "a.mat", {"EMG": noise().samples, "fs": 500.0}, do_compression=compressed)
    with pytest.raises(InputError, match=r"a\.mat"):
        read_recording(truncate(tmp_path / "a.mat", share))


def test_a_text_file_named_as_a_mat_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text("not a mat file\n" * 50)
    with pytest.raises(InputError, match=r"a\.mat: can't be read"):
        read_recording(tmp_path / "a.mat")


def test_a_compressed_mat_file_with_too_large_content_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    savemat(tmp_path / "a.mat", {"emg": np.zeros((200_000, 2)), "fs": 1000.0}, do_compression=True)
    monkeypatch.setattr("semg_hht.system.files.MAX_BYTES", 2**20)
    with pytest.raises(InputError, match=r"a\.mat: unpacks to \d+ bytes; expected no more than 1048576"):
        read_recording(tmp_path / "a.mat")


def test_unknown_element_types_are_not_passed_to_scipy(tmp_path: Path) -> None:
    """scipy 1.17 reads beyond its table of types, and the process crashes (signal 11)."""
    path = tmp_path / "a.mat"
    savemat(path, {"emg": np.zeros((100, 2)), "fs": 1000.0})
    whole = path.read_bytes()
    at = whole.index(b"\x09\0\0\0\x40\x06\0\0")  # the samples: doubles, of 1600 bytes
    for kind in (0, 8, 10, 14, 15, 19, 128):
        path.write_bytes(whole[:at] + bytes([kind]) + whole[at + 1 :])
        with pytest.raises(
            InputError, match=rf"a\.mat: can't be read as a MAT file; an element has type {kind}, which"
        ):
            read_recording(path)
    path.write_bytes(whole[:144] + b"\x63" + whole[145:])
    with pytest.raises(InputError, match=r"an array has class 99; expected 1 to 17"):
        read_recording(path)
