"""verbs/segmenting.py: repetitions of paths and of objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import semg_hht as sh
from conftest import Simulated
from semg_hht.recordings.manifest import read_manifest
from semg_hht.verbs.segmenting import Pictures, SegmentOptions, segment


@pytest.fixture
def path(simulated: Simulated) -> Path:
    return simulated.manifest.parent / read_manifest(simulated.manifest)[0].file


def test_a_path_a_recording_an_array_and_a_table_give_the_same_repetitions(path: Path) -> None:
    recording = sh.read_recording(path)
    found = [[(row.start_s, row.stop_s) for row in segment(data, rate_hz=500.0)]
             for data in (path, recording, recording.samples)]  # fmt: skip
    assert found[0] == found[1] == found[2] and len(found[0]) == 3
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(recording.samples.T, columns=recording.channel_names)
    assert [(row.start_s, row.stop_s) for row in segment(table.assign(time_s=recording.time_s))] == found[0]


def test_a_raw_of_mne_gives_the_same_repetitions(path: Path) -> None:
    pytest.importorskip("mne")
    recording = sh.read_recording(path)
    starts = [[row.start_s for row in segment(data)] for data in (recording, recording.to_mne())]
    assert starts[0] == starts[1]


def test_the_table_names_a_file_that_was_read_and_is_the_one_of_the_command(path: Path, tmp_path: Path) -> None:
    done = segment(sh.read_recording(path), tmp_path / "reps.csv")
    assert (tmp_path / read_manifest(tmp_path / "reps.csv")[0].file).resolve() == path.resolve()
    assert done.pictures == tmp_path / "reps_pictures"
    assert segment(path).table is None
    assert [row.start_s for row in done] == [row.start_s for row in segment(path)]


def test_events_and_channels_are_stated(path: Path) -> None:
    options = SegmentOptions("1", [(1.0, 2.0), (3.0, 4.5, "half")], pictures=Pictures(False))
    done = segment(path, options=options)
    assert [(row.start_s, row.stop_s, row.movement, row.channels) for row in done] == [
        (1.0, 2.0, "", ("1",)), (3.0, 4.5, "half", ("1",)),
    ]  # fmt: skip
    with pytest.raises(sh.InputError, match=r"recording: an event from 1 s to 9 s does not lie within the recording"):
        segment(np.random.default_rng(0).normal(size=2000), rate_hz=500.0, options=SegmentOptions(events=[(1, 9)]))
