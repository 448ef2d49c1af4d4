"""Tests of `semg-hht demo`."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from command_line import run
from semg_hht import demo, samples
from semg_hht.demo import DemoSize
from semg_hht.recordings.manifest import read_manifest
from semg_hht.verbs.work import Work


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of few people, repetitions and epochs, without other processes, each of which would load torch."""
    run_demo = demo.run_demo
    monkeypatch.setattr(demo, "run_demo", lambda *args, **options: run_demo(*args, size=DemoSize(4, 1), **options))
    monkeypatch.setattr(demo, "N_REPETITIONS", 1)
    monkeypatch.setattr(demo, "BASE_CHANNELS", 2)
    monkeypatch.setattr(demo, "Work", partial(Work, n_jobs=1))


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


def test_the_real_demo_answers_people_that_the_run_was_not_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "real"
    assert run("demo", "--real", "--out", folder) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert samples.about_run().description in printed
    rows = read_manifest(samples.MANIFEST)
    for row in rows:
        assert f"{Path(row.file).stem} {row.movement} " in printed  # the true grip beside the answer
        assert (folder / "reps_pictures" / f"{Path(row.file).stem}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / "cards" / f"{Path(row.file).stem}.html").read_text(encoding="utf-8")
    assert printed.endswith(str(folder / "cards" / "P04_neutral.html"))
    content = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    assert len(content) == len(rows)
    n_right = sum(content[f"recordings/{row.file}"]["action_quality"]["prediction"] == row.movement for row in rows)
    assert f" {n_right} of {len(rows)} recordings" in printed
    assert not {row.subject for row in rows} & set(samples.about_run().trained_on)


def test_the_real_demo_replaces_its_files_only_with_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(samples.recordings()["P30_neutral"], one)
    (one / "manifest.csv").write_text("file,subject,movement\nP30_neutral.mat,P30,neutral\n")
    monkeypatch.setattr(samples, "RECORDINGS", one)
    words = ("demo", "--real", "--out", tmp_path / "demo")
    assert run(*words) == 0
    assert run(*words) == 1
    assert run(*words, "--overwrite") == 0
