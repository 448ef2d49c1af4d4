"""verbs/measuring.py: features of paths and of objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from numpy.testing import assert_allclose

import semg_hht as sh
from conftest import Simulated
from semg_hht.verbs.measuring import FeatureOptions, features
from semg_hht.verbs.segmenting import segment

WORK = sh.Work(n_jobs=1)


def test_a_table_on_disk_and_its_recordings_in_memory_give_the_same_features(simulated: Simulated) -> None:
    on_disk = features(simulated.manifest, work=WORK)
    assert len(on_disk) == 12 and on_disk.table is None
    first = sh.read_recording(simulated.manifest.parent / on_disk[0].row.file)
    events = [(row.start_s, row.stop_s) for row in (m.row for m in on_disk) if row.file == on_disk[0].row.file]
    in_memory = features(segment(first, options=sh.SegmentOptions(events=events)))
    assert_allclose(
        [list(m.values.values()) for m in in_memory], [list(m.values.values()) for m in on_disk.measures[:3]]
    )


def test_the_dataframe_is_the_table_that_is_written(simulated: Simulated, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    done = features(simulated.manifest, tmp_path / "f.csv", options=FeatureOptions(pictures=False), work=WORK)
    written = pandas.read_csv(tmp_path / "f.csv", dtype={"repetition": str})
    shown = done.to_dataframe()
    assert list(written.columns) == list(shown.columns)
    assert_allclose(written["mdf_hz"], shown["mdf_hz"], rtol=0)
    assert list(done.trends_to_dataframe().columns[:4]) == ["file", "subject", "session", "channel"]


def test_maximal_contractions_are_recordings_too(simulated: Simulated) -> None:
    recording = sh.read_recording(simulated.manifest.parent / "S01_E01_BICEPS.csv")
    done = features(segment(recording), options=FeatureOptions(references=recording))
    assert max(m.values["percent_mvc"] for m in done) < 101
