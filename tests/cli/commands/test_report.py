"""Tests of `semg-hht report`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_line import run
from conftest import Simulated
from semg_hht import samples
from semg_hht.recordings.manifest import read_manifest


@pytest.fixture
def recording(simulated: Simulated, tmp_path: Path) -> Path:
    source = simulated.manifest.parent / read_manifest(simulated.manifest)[0].file
    return Path(shutil.copy(source, tmp_path / "one.csv"))


def test_a_card_of_one_recording(recording: Path, simulated_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.html"
    words = ("--card", recording, "--checkpoint", simulated_run, "--out", out, "--cpu", "--lang", "zh")
    assert run("report", *words) == 0
    assert "one.csv：各次动作" in out.read_text(encoding="utf-8")


def test_a_card_with_evidence(
    recording: Path, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("semg_hht.verbs.reporting.MAX_ON_CARD", 1)
    out = tmp_path / "card.html"
    words = ("--card", recording, "--checkpoint", simulated_run, "--out", out, "--explain", "--lang", "zh", "--cpu")
    assert run("report", *words) == 0
    page = out.read_text(encoding="utf-8")
    assert "为什么这样判断" in page
    assert page.count("data:image/png;base64,") == 1
    assert run("report", tmp_path, "--out", tmp_path / "b.html", "--explain") == 1
    assert "--explain needs --card" in capsys.readouterr().err
    assert run("report", tmp_path, "--out", tmp_path / "b.html", "--gender") == 1
    assert "--gender needs --card" in capsys.readouterr().err


def test_a_card_tells_gender_with_its_flag_alone(recording: Path, simulated_run: Path, tmp_path: Path) -> None:
    words = ("report", "--card", recording, "--checkpoint", simulated_run, "--out", tmp_path / "card.html", "--cpu")
    for flag in ((), ("--gender", "--overwrite")):
        assert run(*words, *flag) == 0
        page = (tmp_path / "card.html").read_text(encoding="utf-8")
        assert ("Recorded gender, all repetitions together" in page) == bool(flag)


@pytest.mark.parametrize("words", ["", "run --card a.csv", "run --checkpoint r", "--checkpoint r"])
def test_a_page_is_about_one_thing(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", *words.split(), "--out", tmp_path / "x.html") == 1
    assert "nothing to report; expected RUN_OR_EVALUATION, or --card" in capsys.readouterr().err


def test_an_evaluation_is_reported(evaluation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    words = ("report", evaluation, "--out", out, "--lang", "zh")
    assert run(*words) == 0
    assert f"report      {out}" in capsys.readouterr().out
    assert '<html lang="zh-CN">' in out.read_text(encoding="utf-8")
    assert run(*words) == 1
    assert "say --overwrite" in capsys.readouterr().err
    assert run(*words, "--overwrite") == 0


def test_without_a_run_the_shipped_run_answers_for_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "card.html"
    assert run("report", "--card", samples.RECORDINGS / "P30_supinated.mat", "--out", out) == 0
    assert "no --checkpoint is named. This is the run that comes with semg-hht" in capsys.readouterr().err
    assert "Brachioradialis" in out.read_text(encoding="utf-8")
