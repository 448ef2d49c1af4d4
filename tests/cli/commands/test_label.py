"""Tests of `semg-hht label`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run
from semg_hht.datasets.simulated import write_simulation
from semg_hht.recordings.manifest import read_manifest
from semg_hht.signals.simulate import SimulationConfig

FAST = ("--no-pictures", "--jobs", 1)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "recordings"
    return write_simulation(folder, SimulationConfig(1, n_repetitions=2, rate_hz=500.0), seed=3, goniometer=True)


def test_the_table_of_segment_is_filled_in_place(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "reps.csv"
    assert run("segment", people, "--out", table, *FAST) == 0
    capsys.readouterr()
    assert run("label", table, "--sensor", "elbow_angle", "--jobs", 1) == 0
    printed = capsys.readouterr().out
    assert "6 repetitions in 1 recording: 2 full, 2 half, 2 invalid, 0 without a label" in printed
    assert f"semg-hht prepare {table} --out prepared" in printed
    assert sorted(row.movement for row in read_manifest(table)) == [
        "full",
        "full",
        "half",
        "half",
        "invalid",
        "invalid",
    ]
    assert len(list((tmp_path / "reps_labels").iterdir())) == 1


def test_json_has_counts_and_thresholds_are_flags(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.csv"
    recording = people.parent / "S01_E01_BICEPS.csv"
    words = ("--full_at", 1000, "--half_from", 0.05, "--half_to", 0.2, "--invalid_below", 0.02, "--lag_s", 0.1)
    assert run("label", recording, "--out", out, "--json", *words, *FAST) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["table"], printed["pictures"], printed["n_repetitions"]) == (str(out), None, 6)
    assert printed["counts"].get("full") is None and printed["counts"]["half"] >= 2
    assert read_manifest(out)[0].extra["sensor_thresholds"] == "full from 0.85, half 0.05 to 0.2, invalid below 0.02"
    assert run("label", recording, "--out", out, *FAST) == 1
    assert "exists already; name another file, or say --overwrite" in capsys.readouterr().err
    assert run("label", recording, "--out", out, "--overwrite", *FAST) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--best_of", "week"), "--best_of must be session or recording; got 'week'"),
        (("--full_from", "0.3"), "expected 0 < invalid_below <= half_from < half_to <= full_from"),
        (("--sensor", "hip"), "has no channel 'hip'; expected one of ch1, elbow_angle"),
    ],
)
def test_an_error_is_one_sentence(
    people: Path, tmp_path: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.csv"
    assert run("label", people.parent / "S01_E01_BICEPS.csv", "--out", out, *words, *FAST) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()
