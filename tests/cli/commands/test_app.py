"""Tests of `semg-hht app`."""

from __future__ import annotations

import subprocess
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
    ],
)
def test_settings_are_checked_before_the_page_opens(
    simulated_run: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    pytest.importorskip("starlette")
    assert run("app", "--checkpoint", simulated_run, "--cpu", *words.split()) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_without_starlette_it_says_what_to_install(
    simulated_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "semg_hht.web.page_server", raising=False)
    assert run("app", "--checkpoint", simulated_run, "--cpu") == 1
    assert "the web page needs uvicorn: pip install 'semg-hht[app]'" in " ".join(capsys.readouterr().err.split())


def test_without_a_run_it_offers_the_shipped_run_and_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # there is no demo/run
    desk = _desk(None, StatedTransform(), None, True, tmp_path / "practice")
    assert desk.own is None and desk.first_kind == ""
    assert desk.sample in samples.recordings().values()
    assert desk.shipped is not None
    assert desk.shipped.n_trained == len(samples.about_run().trained_on)
    assert list(desk.take_shipped().classes) == ["action_quality"]


def test_a_named_run_answers_first(simulated_run: Path, tmp_path: Path) -> None:
    desk = _desk(simulated_run, StatedTransform(), None, True, tmp_path / "practice")
    assert desk.info(desk.first_kind).name == simulated_run.name
    assert desk.open_trained is not None and desk.make_practice is not None


def test_the_page_is_readable_without_heavy_libraries() -> None:
    code = """import sys
from semg_hht.cli.commands.app import _desk
from semg_hht.cli.options import StatedTransform
from semg_hht.web.page_server import application
from semg_hht.web.page_steps import Page
print(*{"torch", "scipy.signal", "matplotlib", "sklearn", "onnxruntime"} & set(sys.modules))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
