"""Tests of `semg-hht prepare`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from builders import noise
from command_line import run
from conftest import Simulated
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.recordings.recording import write_recording

BAND = ("--band", 20, 200)


def test_json_and_images(simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prepare", simulated.manifest.parent, "--out", tmp_path, *BAND, "--images", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["n_recordings"], printed["n_matrices"], printed["failures"]) == (4, 12, [])
    assert len(list((tmp_path / "hht_matrices").glob("*.npz"))) == 12
    assert len(list((tmp_path / "hht_images").glob("*.png"))) == 12


def test_strict_fails_where_a_file_was_left_out(simulated: Simulated, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    rows = f"file,rate_hz\na.csv,500\n{sorted(simulated.manifest.parent.glob('S*.csv'))[0]},500\n"
    (tmp_path / "list.csv").write_text(rows)
    words = ["prepare", tmp_path / "list.csv", *BAND]
    assert run(*words, "--out", tmp_path / "x") == 0
    assert run(*words, "--out", tmp_path / "y", "--strict") == 1
    assert (tmp_path / "y" / "manifest.csv").exists()


def test_recordings_without_labels_end_with_the_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recording(noise(), tmp_path / "curl.npz")
    assert run("prepare", tmp_path / "curl.npz", "--out", tmp_path / "prepared", *BAND) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "0 of 1 are labelled" in printed and "next fill in movement (full, half, invalid" in printed


def test_labelled_recordings_end_with_the_next_step(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my data [new]"  # the shell would divide it, and rich would take the end for a style
    assert run("prepare", simulated.manifest.parent, "--out", folder, *BAND) == 0
    printed = capsys.readouterr().out
    assert f"  next        semg-hht check '{folder}', then\n" in printed
    assert f"semg-hht train --data_dir '{folder / 'hht_matrices'}' --checkpoint_dir checkpoints\n" in printed


def test_files_that_could_not_be_used_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recording(noise(), tmp_path / "good.npz")
    files = ["good.npz", *(f"gone{number}.csv" for number in range(12))]
    (tmp_path / "manifest.csv").write_text("\n".join(["file", *files]) + "\n")
    assert run("prepare", tmp_path, "--out", tmp_path / "out", *BAND) == 0
    printed = capsys.readouterr()
    assert "left out: 12 files could not be used" in printed.err
    assert "12 files (gone0.csv, gone1.csv, gone2.csv, ...): no such file" in printed.err
    assert "--json lists all" in printed.err
    assert "1 matrix of 1 recording" in printed.out


def test_an_edited_table_of_repetitions_is_used(simulated: Simulated, tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    assert run("segment", simulated.manifest, "--out", table, "--no-pictures", "--jobs", 1) == 0
    first, second, *_ = read_manifest(table)
    assert first.start_s is not None
    edited = [replace(first, stop_s=first.start_s + 0.75, movement="half"), replace(second, movement="full")]
    table.write_text(manifest_text(edited))
    assert run("prepare", table, "--out", tmp_path / "prepared", "--jobs", 1) == 0
    rows = read_manifest(tmp_path / "prepared" / "manifest.csv")
    assert [(row.movement, row.extra["recording_stop_s"]) for row in rows] == [
        ("half", f"{first.start_s + 0.75:.10g}"),
        ("full", f"{second.stop_s:.10g}"),
    ]


def test_segment_finds_the_repetitions(simulated: Simulated, tmp_path: Path) -> None:
    for path in simulated.manifest.parent.glob("S*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "empty.csv").write_text("time_s,ch1\n" + "".join(f"{i / 1000},1\n" for i in range(2000)))
    assert run("prepare", tmp_path, "--out", tmp_path / "out", "--segment", "--units", "uV") == 0
    rows, truth = read_manifest(tmp_path / "out" / "manifest.csv"), read_manifest(simulated.manifest)
    assert len(rows) == len(truth)
    assert_allclose([float(r.extra["recording_start_s"]) for r in rows], [r.start_s for r in truth], atol=0.3)


def test_nothing_to_segment_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.csv").write_text("time_s,ch1\n" + "".join(f"{i / 1000},1\n" for i in range(2000)))
    assert run("prepare", tmp_path, "--out", tmp_path / "out", "--segment", "--jobs", 1) == 1
    assert "empty.csv: no repetition was found" in capsys.readouterr().err


def test_recordings_are_written_as_a_bids_dataset_too(simulated: Simulated, tmp_path: Path) -> None:
    assert run("prepare", simulated.manifest, "--out", tmp_path / "one", "--bids", *BAND) == 0
    assert run("prepare", tmp_path / "one" / "bids", "--out", tmp_path / "two", *BAND) == 0
    one, two = (read_manifest(tmp_path / name / "manifest.csv") for name in ("one", "two"))
    shared = ("file", "subject", "session", "repetition", "muscle", "movement", "gender", "rate_hz", "units")
    assert [[getattr(r, name) for name in shared] for r in one] == [[getattr(r, name) for name in shared] for r in two]
    assert run("prepare", simulated.manifest, "--out", tmp_path / "one", "--bids", *BAND) == 1
    assert run("prepare", simulated.manifest, "--out", tmp_path / "one", "--bids", *BAND, "--overwrite") == 0
