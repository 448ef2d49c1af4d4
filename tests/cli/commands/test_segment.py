"""Tests of `semg-hht segment`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import run
from conftest import Simulated
from semg_hht.datasets.simulated import write_simulation
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.signals.simulate import SimulationConfig

FAST = ("--no-pictures", "--jobs", 1)


def test_a_channel_can_be_chosen_and_stays_chosen(tmp_path: Path) -> None:
    people = write_simulation(tmp_path / "two", SimulationConfig(n_subjects=1, n_repetitions=1, n_channels=2), seed=1)
    assert run("segment", people, "--out", tmp_path / "reps.csv", "--channel", "ch2", *FAST) == 0
    assert {row.channels for row in read_manifest(tmp_path / "reps.csv")} == {("ch2",)}


def test_each_filter_step_is_drawn(tmp_path: Path) -> None:
    two = write_simulation(tmp_path / "two", SimulationConfig(2, n_repetitions=1, rate_hz=500.0), seed=1)
    words = ("--out", tmp_path / "reps.csv", "--no-pictures", "--filter_pictures", "--ecg", "--jobs", 1)
    assert run("segment", two, *words) == 0
    pictures = sorted(path.name for path in (tmp_path / "reps_pictures").glob("*"))
    assert len(pictures) == 2
    assert all(name.endswith("_filters.png") for name in pictures)


def test_ecg_removal_changes_what_is_measured(tmp_path: Path) -> None:
    manifest = write_simulation(tmp_path / "people", SimulationConfig(n_subjects=1, ecg_uv=100), seed=2)
    rms = []
    for flag in ("--ecg", "--no-ecg"):
        assert run("segment", manifest, "--out", tmp_path / f"{flag}.csv", flag, *FAST) == 0
        rms.append([row.extra["rms"] for row in read_manifest(tmp_path / f"{flag}.csv")])
    assert rms[0] != rms[1]


def test_json_names_the_files_and_the_terminal_the_next_command(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("segment", simulated.manifest, "--out", tmp_path / "a.csv", "--json", *FAST) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["table"], printed["pictures"], printed["n_recordings"]) == (str(tmp_path / "a.csv"), None, 4)
    assert run("segment", simulated.manifest, "--out", tmp_path / "b.csv", *FAST) == 0
    assert f"semg-hht prepare {tmp_path / 'b.csv'} --out prepared" in capsys.readouterr().out


def test_a_table_is_replaced_with_its_labels(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("segment", simulated.manifest, "--out", tmp_path / "reps.csv", *FAST)
    assert run(*words) == 0
    rows = read_manifest(tmp_path / "reps.csv")
    rows[0] = replace(rows[0], movement="mine", subject="Anna")
    (tmp_path / "reps.csv").write_text(manifest_text(rows), encoding="utf-8")
    edited = (tmp_path / "reps.csv").read_bytes()
    assert run(*words) == 1
    assert "exists already and may have been edited; --overwrite keeps labels" in capsys.readouterr().err
    assert (tmp_path / "reps.csv").read_bytes() == edited
    assert run(*words, "--overwrite", "--merge_gap_s", 0.4) == 0
    again = read_manifest(tmp_path / "reps.csv")[0]
    assert (again.movement, again.subject) == ("mine", "Anna")
    assert run(*words, "--overwrite", "--min_duration_s", 1.5) == 0
    assert "reps.csv: the table was replaced; " in capsys.readouterr().err
    assert edited in {path.read_bytes() for path in tmp_path.glob("reps*.csv")}
