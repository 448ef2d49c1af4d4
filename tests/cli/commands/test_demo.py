"""Tests of `semg-hht demo`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run
from semg_hht import demo
from semg_hht.demo import DemoSize


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of few people, repetitions and epochs."""
    run_demo = demo.run_demo
    monkeypatch.setattr(demo, "run_demo", lambda *args, **options: run_demo(*args, size=DemoSize(4, 1), **options))
    monkeypatch.setattr(demo, "N_REPETITIONS", 1)
    monkeypatch.setattr(demo, "BASE_CHANNELS", 2)


@pytest.mark.usefixtures("small")
def test_all_steps_run_and_a_report_is_the_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "demo"
    assert run("demo", "--out", folder) == 0
    printed = capsys.readouterr().out
    assert "report.html" in printed.splitlines()[-1]
    page = (folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert "the people are simulated" in page
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((folder / "predictions.json").read_text())) == 1
    assert len(list((folder / "reps_pictures").glob("*.png"))) == 4
    assert "among them" in printed
    assert run("demo", "--out", folder) == 1
