"""Tests of `semg-hht evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from builders import make_dataset, write_dataset
from command_line import run
from conftest import Simulated
from evaluation_builders import Page
from semg_hht.learning.dataset import load_folder
from semg_hht.reports.evaluation_page import MAX_WORST
from semg_hht.reports.summary import gather


def test_scores_of_two_protocols_and_their_report(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e"
    words = ["evaluate", "--data_dir", simulated.matrices, "--out", out, "--folds", 2, "--epochs", 1,
             "--base_channels", 2, "--cpu", "--jobs", 1]  # fmt: skip
    assert run(*words) == 0
    assert "protocol loso, 4 subjects" in capsys.readouterr().out
    assert run(*words, "--protocol", "random", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((out / "report.json").read_text()) == gather(out)
    assert set(content["protocols"]) == {"loso", "random"}
    assert set(content["optimism"]["action_quality"]) == {"new_people", "random"}
    assert content["protocols"]["loso"]["data"]["subjects"] == sorted(set(load_folder(simulated.matrices).subjects))
    assert run(*words, "--protocol", "sideways") == 1
    assert "--protocol must be one of loso, grouped, random" in capsys.readouterr().err


def test_the_rate_of_recordings_can_be_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savetxt(tmp_path / "a.csv", np.random.default_rng(0).normal(size=(3000, 1)), header="biceps", comments="")
    (tmp_path / "manifest.csv").write_text("file,movement\na.csv,full\n")
    words = ("evaluate", "--data_dir", tmp_path, "--out", tmp_path / "out", "--cpu")
    assert run(*words) == 1
    assert "the sampling rate is unknown; state it with --rate_hz" in capsys.readouterr().err
    assert run(*words, "--rate_hz", 1000, "--units", "mV") == 1
    assert "the subject of a.csv is not known" in capsys.readouterr().err


def test_an_unknown_language_is_an_error_before_the_folds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", "--data_dir", tmp_path, "--out", tmp_path / "out", "--lang", "fr") == 1
    assert "--lang must be one of en, zh; got 'fr'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_report_draws_the_matrices_predicted_wrong(tmp_path: Path) -> None:
    data = write_dataset(make_dataset(n_subjects=4, n_repetitions=1), tmp_path / "data")
    words = ("--data_dir", data, "--out", tmp_path / "out", "--epochs", 1, "--cpu", "--base_channels", 2, "--jobs", 1)
    assert run("evaluate", *words, "--lang", "zh", "--task", "action_quality") == 0
    findings = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["protocols"]["loso"]
    assert findings["data"]["folder"] == "../data"
    page = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "结论" not in page.text  # the heading is a label for screen readers only
    n_wrong = len(findings["tasks"]["action_quality"]["worst"])
    assert n_wrong > 0
    assert sum(tag == "image" for tag, _ in page.tags) == min(n_wrong, MAX_WORST)
