"""verbs/labelling.py: labels from a sensor, of tables and of objects."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from semg_hht.recordings.manifest import read_manifest
from semg_hht.verbs.labelling import label, table_to_fill
from semg_hht.verbs.segmenting import segment

QUIET = sh.LabelOptions(pictures=False)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest, with its truth, of two simulated people with a goniometer."""
    config = sh.SimulationConfig(n_subjects=2, n_repetitions=2, rate_hz=500.0)
    return sh.simulate(tmp_path_factory.mktemp("people") / "recordings", config, seed=3, goniometer=True)


def test_recordings_are_segmented_where_no_times_are_stated(people: Path, tmp_path: Path) -> None:
    recording = people.parent / "S01_E01_BICEPS.csv"
    result = label(recording, "elbow_angle")
    truth = [row.movement for row in read_manifest(people)[:6]]
    assert [row.movement for row in result.rows] == truth
    assert result.table is None and not list(tmp_path.iterdir())
    table = tmp_path / "new.csv"
    label(recording, out=table, options=QUIET)
    with pytest.raises(sh.InputError, match=r"new\.csv: exists already"):
        label(recording, out=table)


def test_a_recording_in_memory_has_its_own_sensor(people: Path) -> None:
    recording = sh.read_recording(people.parent / "S01_E01_BICEPS.csv")
    truth = [row.movement for row in read_manifest(people)[:6]]
    for data in (recording, segment(recording)):
        assert [row.movement for row in label(data)] == truth
    with pytest.raises(sh.InputError, match="has no channel 'knee'; expected one of"):
        label(recording, "knee")


def test_the_table_itself_is_filled_unless_another_is_named(people: Path, tmp_path: Path) -> None:
    assert table_to_fill(people, None) == people
    assert table_to_fill(people.parent, None) == Path("reps.csv")
    assert table_to_fill(people, tmp_path / "x.csv") == tmp_path / "x.csv"
