"""recordings/stream_recorder.py: a stream is saved whole, and never over another file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording
from semg_hht.recordings.stream import StreamDescription
from semg_hht.recordings.stream_recorder import StreamRecorder, path_of

DESCRIPTION = StreamDescription("EMG", 2000.0, ("biceps", "angle"), "uV", ("angle",))
SAMPLES = np.random.default_rng(0).standard_normal((2, 500))


def test_a_stream_is_read_again_as_it_arrived(tmp_path: Path) -> None:
    with StreamRecorder(tmp_path / "new" / "curl.npz", DESCRIPTION) as recorder:
        for start in range(0, 500, 70):
            recorder.add(SAMPLES[:, start : start + 70])
        assert not recorder.path.exists()
    recording = read_recording(tmp_path / "new" / "curl.npz")
    assert_array_equal(recording.samples, SAMPLES)
    assert (recording.rate_hz, recording.units) == (2000.0, "uV")
    assert (recording.channel_names, recording.non_emg) == (("biceps", "angle"), ("angle",))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["curl.npz"]
    assert recorder.saved[0].duration_s == 0.25


def test_a_recording_is_named_after_its_stream_and_the_time(tmp_path: Path) -> None:
    for name, start in (("My EMG/1", "My_EMG_1_20"), ("../..", "stream_20")):
        path = path_of(replace(DESCRIPTION, name=name), tmp_path)
        assert path.parent == tmp_path and path.name.startswith(start) and path.suffix == ".npz"


def test_what_comes_after_an_interruption_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "curl_part2.npz").write_text("somebody's")
    with StreamRecorder(tmp_path / "curl.npz", DESCRIPTION) as recorder:
        recorder.end_part()  # before anything has arrived
        recorder.add(SAMPLES[:, :200])
        recorder.end_part()
        assert (tmp_path / "curl.npz").exists()  # at once, not at the end
        recorder.add(SAMPLES[:, 200:210])  # too short for any reader
        recorder.end_part()
        recorder.add(SAMPLES[:, 210:])
    assert (tmp_path / "curl_part2.npz").read_text() == "somebody's"
    assert [part.path.name for part in recorder.saved] == ["curl.npz", "curl_part3.npz"]
    assert_array_equal(read_recording(tmp_path / "curl_part3.npz").samples, SAMPLES[:, 210:])


def test_what_arrived_is_saved_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), StreamRecorder(tmp_path / "curl.npz", DESCRIPTION) as recorder:
        recorder.add(SAMPLES)
        raise KeyError
    assert_array_equal(read_recording(tmp_path / "curl.npz").samples, SAMPLES)


def test_a_file_that_exists_or_has_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "curl.npz").touch()
    with pytest.raises(InputError, match=r"curl\.npz: exists already; expected the name of a new file"):
        StreamRecorder(tmp_path / "curl.npz", DESCRIPTION)
    with pytest.raises(InputError, match=r"curl\.csv: a stream is saved as \.npz; found \.csv"):
        StreamRecorder(tmp_path / "curl.csv", DESCRIPTION)
