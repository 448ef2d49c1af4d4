"""Tests of `semg-hht app`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from command_line import run
from semg_hht import samples
from semg_hht.cli.commands.app import _desk
from semg_hht.cli.options import StatedTransform


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--max_upload_mb 0", "max_upload_mb must be at least 1; got 0"),
        ("--port 80000", "port must be from 1 to 65535; got 80000"),
        ("--public-url emg.example.org", "public_url must be an address such as https://emg.example.org/semg"),
        ("--host 10.255.1.1", "can't be served at 10.255.1.1:7860; this computer has no such address; --host must"),
        ("--scaling mvc", "go together; got scaling 'mvc' and no references"),
    ],
)
def test_settings_are_checked_before_the_page_opens(
    simulated_run: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    pytest.importorskip("gradio")
    assert run("app", "--checkpoint", simulated_run, "--cpu", *words.split()) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_without_gradio_it_says_what_to_install(
    simulated_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "semg_hht.web.page", raising=False)
    assert run("app", "--checkpoint", simulated_run, "--cpu") == 1
    assert "the web page needs gradio: pip install 'semg-hht[app]'" in " ".join(capsys.readouterr().err.split())


def test_what_gradio_can_not_import_is_told_in_its_words(
    simulated_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "semg_hht.web.page":
                raise ImportError("the 'socksio' package is not installed")

    monkeypatch.setattr(sys, "meta_path", [Failing, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "semg_hht.web.page", raising=False)
    assert run("app", "--checkpoint", simulated_run, "--cpu") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert told == "error: the web page can't start: the 'socksio' package is not installed"


def test_without_a_run_it_offers_the_shipped_run_and_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # there is no demo/run
    desk = _desk(None, StatedTransform(), None, True, tmp_path / "practice")
    assert desk.run is None
    assert desk.sample in samples.recordings().values()
    assert desk.shipped is not None
    assert desk.shipped.n_trained == len(samples.about_run().trained_on)
    assert desk.take_shipped() == ()
    assert desk.run_info.tasks == ("action_quality",)
    assert desk.run_info.shipped == desk.shipped


def test_a_named_run_is_not_said_to_be_the_shipped_one(simulated_run: Path, tmp_path: Path) -> None:
    desk = _desk(simulated_run, StatedTransform(), None, True, tmp_path / "practice")
    assert desk.run_info.name == simulated_run.name
    assert desk.run_info.shipped is None
    assert desk.sample is not None
