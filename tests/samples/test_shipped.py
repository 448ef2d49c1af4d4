"""The shipped recordings and the shipped run: sizes, licence, what they hold, and that an installation has them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import semg_hht as sh
from semg_hht import samples
from semg_hht.recordings.manifest import read_manifest

GRIPS = {"neutral", "supinated"}


def n_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_files_are_small() -> None:
    assert n_bytes(samples.RECORDINGS) <= 2_000_000
    assert n_bytes(samples.RUN) <= 3_000_000


def test_source_and_licence_are_stated() -> None:
    text = samples.RECORDINGS.joinpath("README.md").read_text(encoding="utf-8")
    for said in ("informacja/Collegium-Medicum", "CC0", "10.1177/15280837241250290", "2000 Hz"):
        assert said in text


def test_the_manifest_lists_every_recording_of_both_grips() -> None:
    rows = read_manifest(samples.MANIFEST)
    assert [Path(row.file).stem for row in rows] == list(samples.recordings())
    assert len({row.subject for row in rows}) >= 3
    assert all({row.movement for row in rows if row.subject == person} == GRIPS for person in {r.subject for r in rows})


@pytest.mark.parametrize("name", list(samples.recordings()))
def test_a_recording_is_read_without_extras_and_states_the_right_rate(name: str) -> None:
    recording = sh.read_recording(samples.recordings()[name])
    assert (recording.rate_hz, recording.units) == (2000, "uV")
    assert recording.channel_names == ("BicepsBrachi", "Brachioradialis")
    assert recording.remarks == ()  # at 20000 Hz, as half of the originals state, it would not look like EMG
    assert 40 < recording.duration_s < 60
    assert 8 <= len(sh.find_repetitions(recording)) <= 15


def test_the_shipped_recordings_are_the_originals(real_data: Path) -> None:
    for row in read_manifest(samples.MANIFEST):
        prefix = {"neutral": "NT", "supinated": "SP"}[row.movement]
        original = sh.read_recording(real_data / "elbow_flexors" / f"{prefix}-{row.subject[1:]}.mat")
        shipped = sh.read_recording(samples.RECORDINGS / row.file)
        assert shipped.channel_names == original.channel_names
        np.testing.assert_allclose(shipped.samples, original.samples, rtol=0, atol=0.0626)


def test_an_installation_holds_all_of_it(tmp_path: Path, repository: Path) -> None:
    """The files that setuptools puts into a wheel; the kernel is not compiled for that."""
    pytest.importorskip("setuptools")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(repository / name, tmp_path)
    shutil.copytree(repository / "src", tmp_path / "src", ignore=shutil.ignore_patterns("*.so", "*.egg-info"))
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", "built"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    for folder in (samples.RECORDINGS, samples.RUN):
        built = tmp_path / "built" / "semg_hht" / "samples" / folder.name
        assert sorted(path.name for path in built.iterdir()) == sorted(path.name for path in folder.iterdir())


def test_the_run_says_what_it_is_and_was_not_trained_on_the_shipped_people() -> None:
    about = samples.about_run()
    shipped = {row.subject for row in read_manifest(samples.MANIFEST)}
    assert shipped == set(about.held_out)
    assert not shipped & set(about.trained_on)
    for score in (about.alone, about.together):
        assert len(about.trained_on) + len(shipped) == score.n_people == 20
        assert score.low < score.balanced_accuracy < score.high
    assert f"{about.alone.balanced_accuracy:.0%}" in json.loads((samples.RUN / "export.json").read_text())["note"]


def test_a_gain_from_both_recordings_is_stated_where_there_is_one() -> None:
    alone = samples.Score(20, 432, 0.7, 0.6, 0.8, 40, 30)
    better = replace(alone, balanced_accuracy=0.85)
    run = samples.SampleRun(("P01",), ("P04",), "best", alone, alone)
    assert "70% (60% to 80%, 20 men) right. It" in run.description
    assert "with both recordings of a man together, 85%" in replace(run, together=better).description


def test_the_run_opens_and_answers_with_its_two_grips() -> None:
    run = sh.open_run(samples.RUN)
    assert run.classes == {"action_quality": ("neutral", "supinated")}
    (prediction,) = run.predict(samples.recordings()["P30_supinated"]).predictions
    assert set(prediction.answers["action_quality"].probabilities) == GRIPS
    assert len(prediction.parts) == 11
