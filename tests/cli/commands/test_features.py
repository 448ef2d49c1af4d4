"""Tests of `semg-hht features`."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise
from command_line import run
from semg_hht.matrices.transform import configure
from semg_hht.recordings.recording import write_recording
from semg_hht.signals.filters import preprocess


def test_amplitudes_in_percent_of_maximal_contractions(tmp_path: Path) -> None:
    for name, gain in (("a.npz", 1.0), ("max.npz", 4.0)):
        recording = noise(2)
        write_recording(replace(recording, samples=gain * recording.samples), tmp_path / name)
    (tmp_path / "m.csv").write_text("file,subject\na.npz,S1\n")
    (tmp_path / "mvc.csv").write_text("file,subject\nmax.npz,S1\n")
    words = ["features", tmp_path / "m.csv", "--references", tmp_path / "mvc.csv", "--out"]
    assert run(*words, tmp_path / "f.csv") == 0
    with (tmp_path / "f.csv").open(newline="", encoding="utf-8") as handle:
        percent = [float(row["percent_mvc"]) for row in csv.DictReader(handle)]
    power = preprocess(recording.samples, recording.rate_hz, configure().filter) ** 2
    n = round(0.5 * recording.rate_hz)  # the reference is the loudest half second
    loudest = [np.convolve(channel, np.full(n, 1 / n), "valid").max() for channel in power]
    assert_allclose(percent, 25 * np.sqrt(power.mean(axis=1) / loudest), rtol=1e-9)
    (tmp_path / "mvc.csv").write_text("file,subject\nmax.npz,S2\n")
    assert run(*words, tmp_path / "g.csv") == 1
    assert not (tmp_path / "g.csv").exists()


def test_the_first_trends_are_printed_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recording(noise(6, duration_s=4.0), tmp_path / "a.npz")
    rows = "".join(f"a.npz,{i + 1},{i},{i + 1}\n" for i in range(4))
    (tmp_path / "reps.csv").write_text(f"file,repetition,start_s,stop_s\n{rows}")
    assert run("features", tmp_path / "reps.csv", "--out", tmp_path / "f.csv", "--no-pictures") == 0
    printed = capsys.readouterr().out
    assert printed.count("a.npz, ") == 10
    assert f"and 2 more in {tmp_path / 'f_trends.csv'}" in " ".join(printed.split())
    assert " , " not in printed, "a unit that nobody states leaves no gap"


def test_repetitions_are_found_and_trends_are_printed(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = real_data / "formats" / "biosignalsnotebooks" / "emg_fatigue.h5"
    words = ("features", file, "--segment", "--out", tmp_path / "f.csv")
    assert run(*words, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    (slope,) = [drift for drift in printed["drifts"] if drift["feature"] == "mdf_hz"]
    assert slope["n"] == 30
    assert slope["low"] < slope["slope"] < slope["high"] < 0
    assert run(*words) == 1
    assert "exists already" in capsys.readouterr().err
    assert run(*words, "--overwrite") == 0
    assert "MDF 75.36 Hz, -0.77 % a repetition" in capsys.readouterr().out
