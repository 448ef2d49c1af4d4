"""recordings/formats/arrays.py: NPZ and MAT files, also damaged and malicious ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.io import savemat

from builders import Payload, claimed_npy, noise, npy, truncate, write_members, write_npz
from semg_hht.errors import InputError, RateUnknown
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


@pytest.mark.parametrize(
    "key", ["frequency", "srate", "sfreq", "samplingRate", "Fsample", "SamplingFrequency", "sampling rate", "FS"]
)
def test_keys_of_the_rate(tmp_path: Path, key: str) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    assert read_recording(write_npz(tmp_path / "a.npz", emg=samples, **{key: np.array([[200]])})).rate_hz == 200


def test_a_sampling_interval_gives_the_rate_and_other_frequencies_do_not_count_beside_it(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    assert read_recording(write_npz(tmp_path / "a.npz", emg=samples, Ts=0.005, frequency=50)).rate_hz == 200


@pytest.mark.parametrize(
    "stated", [{"fs": "1000 Hz"}, {"fs": "1 kHz"}, {"fs": np.array([[1000, 1000]])}, {"isi": 1.0, "isi_units": "ms"}]
)
def test_a_rate_as_text_for_each_channel_or_as_acqknowledge_states_it(tmp_path: Path, stated: dict[str, Any]) -> None:
    savemat(tmp_path / "a.mat", {"data": np.random.default_rng(0).standard_normal((50, 2))} | stated)
    assert read_recording(tmp_path / "a.mat").rate_hz == 1000


def test_several_rates_that_differ_are_not_used(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", emg=np.random.default_rng(0).standard_normal((50, 2)), fs=1000, srate=500)
    with pytest.raises(RateUnknown):
        read_recording(path)
    remark = "the file states several rates (500, 1000 Hz), so none of them is used"
    assert read_recording(path, rate_hz=800).remarks[0] == remark


def test_a_struct_of_matlab_with_samples_rate_names_and_units(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    names = np.array(["biceps", "triceps"], dtype=object)
    savemat(tmp_path / "a.mat", {"emg": {"data": samples, "fs": 2000, "labels": names, "unit": "mV"}})
    recording = read_recording(tmp_path / "a.mat")
    assert_allclose(recording.samples, samples.T)
    assert (recording.rate_hz, recording.units, recording.channel_names) == (2000, "mV", ("biceps", "triceps"))


def test_structs_of_several_trials_are_an_error_that_names_them(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    savemat(tmp_path / "a.mat", {"first": {"emg": samples}, "second": {"emg": samples}, "fs": 1000})
    with pytest.raises(InputError, match=r"one array of samples; found first/emg \(50, 2\), second/emg \(50, 2\)"):
        read_recording(tmp_path / "a.mat")


def test_a_struct_of_one_vector_a_muscle(tmp_path: Path) -> None:
    left, right = np.random.default_rng(0).standard_normal((2, 50))
    fields = {"data": {"Biceps": left, "Triceps": right}, "sampling_frequency": 2000, "amplitude_units": "uV"}
    savemat(tmp_path / "a.mat", {"recording": fields})
    recording = read_recording(tmp_path / "a.mat")
    assert_allclose(recording.samples, [left, right])
    assert (recording.rate_hz, recording.units, recording.channel_names) == (2000, "uV", ("Biceps", "Triceps"))


def test_vectors_with_emg_in_their_names_and_unix_milliseconds(tmp_path: Path) -> None:
    first, second = np.random.default_rng(0).standard_normal((2, 50, 1))
    savemat(tmp_path / "a.mat", {
        "S_0000_Timestamp_Unix_CAL": 1.69e12 + 5.0 * np.arange(50).reshape(-1, 1), "S_0000_EMG_CH1_24BIT_CAL": first,
        "S_0000_EMG_CH2_24BIT_CAL": second, "S_0000_Event_Marker_CAL": -np.ones((50, 1)),
    })  # fmt: skip
    recording = read_recording(tmp_path / "a.mat")
    assert_allclose(recording.samples, np.hstack([first, second]).T)
    assert recording.rate_hz == 200
    assert recording.channel_names == ("S_0000_EMG_CH1_24BIT_CAL", "S_0000_EMG_CH2_24BIT_CAL")


def test_a_vector_of_times_gives_the_rate_where_nothing_else_states_it(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    assert read_recording(write_npz(tmp_path / "a.npz", emg=samples, t=np.arange(50) / 500)).rate_hz == 500
    uneven = write_npz(tmp_path / "b.npz", emg=samples, t=np.append(np.arange(49), 0.5) / 500)
    assert read_recording(uneven, rate_hz=480).remarks[0] == "the times in 't' give no plain rate"


def labchart(**changes: Any) -> dict[str, Any]:
    """Two channels of 1000 Hz and one of 100 Hz, one after the other."""
    data = np.random.default_rng(0).standard_normal(2100)
    return {
        "data": data.reshape(1, -1), "datastart": np.array([[1], [1001], [2001]]),
        "dataend": np.array([[1000], [2000], [2100]]), "samplerate": np.array([[1000], [1000], [100]]),
        "titles": np.array(["biceps ", "triceps", "force  "]), "unittext": np.array(["V ", "mV", "N "]),
        "unittextmap": np.array([[1], [2], [3]]),
    } | changes  # fmt: skip


def test_channels_of_labchart_stand_one_after_the_other(tmp_path: Path) -> None:
    content = labchart()
    savemat(tmp_path / "a.mat", content)
    recording = read_recording(tmp_path / "a.mat")
    data = content["data"][0]
    assert_allclose(recording.samples, [data[:1000] * 1e6, data[1000:2000] * 1e3])
    assert (recording.rate_hz, recording.units, recording.channel_names) == (1000, "uV", ("biceps", "triceps"))
    assert recording.remarks[0] == "channels with a rate other than 1000 Hz were left out: force"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datastart": np.array([[1, 501], [1001, 1501], [2001, 2051]])}, "expected one block of samples; found 2"),
        ({"dataend": np.array([[1000], [2000], [9999]])}, "must describe the same channels of data"),
    ],
)
def test_labchart_with_several_blocks_or_a_wrong_end_is_an_error(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    savemat(tmp_path / "a.mat", labchart(**changes))
    with pytest.raises(InputError, match=message):
        read_recording(tmp_path / "a.mat")


def test_an_npy_file_is_the_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise().samples)
    recording = read_recording(tmp_path / "a.npy", rate_hz=1000)
    assert_allclose(recording.samples, noise().samples)


@pytest.mark.parametrize("shape", [(10**12, 2), (3, 4, 5)])
def test_an_npy_file_of_another_shape_is_an_error(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as handle:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(handle, header)
        handle.write(bytes(480))
    with pytest.raises(InputError, match=r"a\.npy: (can't be read as NPY; mmap|expected samples of one or two dim)"):
        read_recording(path, rate_hz=1000)


def test_a_pickle_in_an_npy_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="a.npy: can't be read as NPY; "):
        read_recording(tmp_path / "a.npy", rate_hz=1000)
