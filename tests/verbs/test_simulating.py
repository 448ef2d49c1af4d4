"""verbs/simulating.py: recordings of simulated people."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from semg_hht.recordings.manifest import read_manifest
from semg_hht.verbs.simulating import simulate


def test_a_manifest_states_the_labels(tmp_path: Path) -> None:
    config = sh.SimulationConfig(n_subjects=1, n_repetitions=1, rate_hz=500.0)
    manifest = simulate(str(tmp_path / "people"), config, goniometer=True)
    assert {row.movement for row in read_manifest(manifest)} == {"full", "half", "invalid"}
    assert sh.read_recording(manifest.with_name("S01_E01_BICEPS.csv")).channel_names[-1] == "elbow_angle"
    with pytest.raises(sh.InputError, match="this folder is not empty"):
        simulate(tmp_path / "people", config)
