"""Tests of `semg-hht predict`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from command_line import run
from conftest import Simulated
from semg_hht import Answer, Part, Prediction, samples
from semg_hht.cli.commands import predict


@pytest.mark.parametrize("checkpoint", ["", "best", "final"])
def test_matrices_are_predicted(simulated: Simulated, simulated_run: Path, tmp_path: Path, checkpoint: str) -> None:
    output = tmp_path / "out.json"
    words = ("--checkpoint", simulated_run / checkpoint, "--input", simulated.matrices, "--output", output, "--cpu")
    assert run("predict", *words) == 0
    assert len(json.loads(output.read_text())) == 12


def test_recordings_are_predicted_and_json_is_printed(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    words = ("--checkpoint", simulated_run, "--input", simulated.manifest.parent, "--output", output, "--json")
    assert run("predict", *words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text(encoding="utf-8"))
    assert len(printed) == 4


def test_a_whole_recording_is_cut_and_a_line_printed_and_written_for_each_repetition(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "curls.csv"
    recording.write_bytes(next(simulated.manifest.parent.glob("S*.csv")).read_bytes())
    words = ("predict", "--checkpoint", simulated_run, "--input", recording, "--units", "uV")
    assert run(*words, "--output", tmp_path / "o.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 3
    assert "all 3 repetitions together" in lines[0]
    for line, row in zip(lines[1:4], rows, strict=True):
        assert f"to {float(row['stop_s']):.2f} s  {row['action_quality']} (" in line
    assert run(*words, "--output", tmp_path / "whole.csv", "--whole") == 0
    assert len((tmp_path / "whole.csv").read_text(encoding="utf-8").splitlines()) == 2
    assert run(*words, "--output", tmp_path / "both.csv", "--whole", "--segment") == 1
    assert "either cut into repetitions or taken as a whole" in capsys.readouterr().err
    assert run(*words, "--output", tmp_path / "e.csv", "--explain", tmp_path / "e") == 1
    assert "the evidence is written into a .json file" in capsys.readouterr().err


def test_repetitions_that_are_sure_of_different_classes_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """One answer for all of them would hide that each is clear."""
    sets = (("full",), ("half",), ("half",), ("full", "half"))
    said = [Answer(possible[0], 0.9, {}, possible) for possible in sets]
    parts = tuple(Part("", None, None, {"action_quality": answer}) for answer in said)
    mixed = Prediction("curls.csv", {"action_quality": said[3]}, parts)
    same = Prediction("other.csv", {"action_quality": said[1]}, parts[1:])
    predict._show([mixed, same], Path("o.json"))
    assert capsys.readouterr().out.splitlines() == [
        "  curls.csv: full (90%, unsure), all 4 repetitions together; one by one 1 full, 2 half, 1 unsure",
        "  other.csv: half (90%), all 3 repetitions together",
    ]


def test_an_existing_output_is_not_replaced(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    output.write_text("mine")
    words = ["predict", "--checkpoint", simulated_run, "--input", simulated.matrices, "--output", output]
    assert run(*words) == 1
    assert "exists already; name another file, or say --overwrite" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert run(*words, "--overwrite") == 0


def test_settings_other_than_those_of_the_run_give_a_warning(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--input", simulated.manifest.parent, "--output", tmp_path / "o.json", "--band", 30, 200)
    assert run("predict", "--checkpoint", simulated_run, *words) == 0
    assert "recordings are not prepared as the training data of the run was" in capsys.readouterr().err


def test_an_existing_output_is_the_last_complaint(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    output.write_text("mine")
    nowhere = tmp_path / "nowhere"
    assert run("predict", "--checkpoint", nowhere, "--input", simulated.matrices, "--output", output) == 1
    assert "nowhere: expected a run directory" in capsys.readouterr().err
    assert run("predict", "--checkpoint", simulated_run, "--input", nowhere, "--output", output) == 1
    assert "nowhere: no such file or folder" in capsys.readouterr().err
    assert run("predict", "--checkpoint", simulated_run, "--input", simulated.matrices, "--output", output) == 1
    assert "out.json: exists already" in capsys.readouterr().err
    assert output.read_text() == "mine"


def test_no_usable_file_is_an_error(simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.npz").write_bytes(b"")
    words = ("predict", "--checkpoint", simulated_run)
    assert run(*words, "--input", tmp_path / "a.npz", "--output", tmp_path / "o") == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'a.npz'}: ")
    assert not (tmp_path / "o").exists()
    assert run(*words, "--input", tmp_path, "--batch_size", 0) == 1
    assert "batch_size must be at least 1; got 0" in capsys.readouterr().err


def test_what_is_unlike_the_training_data_stands_in_the_line_and_in_the_table(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "curls.csv"
    recording.write_bytes(next(simulated.manifest.parent.glob("S*.csv")).read_bytes())
    words = ("predict", "--checkpoint", simulated_run, "--input", recording, "--units", "V", "--output")
    assert run(*words, tmp_path / "o.csv") == 0
    lines = capsys.readouterr().out.replace("\n", " ")
    assert "unlike the training data: amplitude" in lines
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        assert "times the largest of the training people" in row["unlike"]
        assert float(row["action_quality_confidence"]) <= 0.67


def test_without_a_run_the_shipped_run_answers_and_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "grips.json"
    assert run("predict", "--input", samples.RECORDINGS / "P30_supinated.mat", "--output", out, "--json") == 0
    printed = capsys.readouterr()
    about = samples.about_run()
    of_new_men = f"it answers {about.alone.balanced_accuracy:.0%} ("
    for said in ("neutral or supinated", f"trained on {len(about.trained_on)} men", of_new_men):
        assert said in " ".join(printed.err.split())
    assert "can't tell full, half and invalid apart" in " ".join(printed.err.split())
    assert "and nothing else" not in " ".join(printed.err.split())  # the note of each answer, which says less
    content = json.loads(printed.out)  # the note does not disturb it
    assert content == json.loads(out.read_text(encoding="utf-8"))
    assert set(content["P30_supinated.mat"]["action_quality"]["probabilities"]) == {"neutral", "supinated"}
    assert len(content["P30_supinated.mat"]["parts"]) == 11
    assert "and nothing else" in content["P30_supinated.mat"]["remarks"][0]
