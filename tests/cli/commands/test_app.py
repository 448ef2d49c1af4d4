"""Tests of `semg-hht app`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import run
from semg_hht import samples
from semg_hht.cli.commands import app
from semg_hht.cli.commands.app import _desk
from semg_hht.cli.options import StatedTransform
from semg_hht.recordings.stream import ReplayedRecording
from semg_hht.web import page_server


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


def test_live_names_a_recording_or_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Any] = []
    monkeypatch.setattr(page_server, "serve", lambda *_, stream, **others: served.append(stream))
    monkeypatch.chdir(tmp_path)
    path = samples.recordings()["P30_supinated"]
    assert run("app", "--cpu") == 0
    assert run("app", "--cpu", "--live", path, "--speed", 5, "--channel", "1", "--max_duration_s", 4) == 0
    assert run("app", "--cpu", "--live", "My EMG", "--sessions", tmp_path / "sessions") == 0
    assert run("app", "--cpu", "--live", "My EMG", "--out", tmp_path / "out") == 0
    nothing, played, received, elsewhere = served
    source = played.source.open_source()
    assert nothing is None and isinstance(source, ReplayedRecording) and source.speed == 5
    assert source.description.name == played.source.name == "P30_supinated"  # visitors see no folder of the owner
    options = played.source.options()
    assert (options.channels, options.segmentation.max_duration_s, played.source.folder) == (("1",), 4, None)
    assert [one.source.folder for one in (received, elsewhere)] == [tmp_path / "sessions", tmp_path / "out"]
    told = " ".join(capsys.readouterr().err.split())
    assert "Live plays the recording" in told and "Live waits for the stream 'My EMG'" in told
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    assert run("app", "--cpu", "--live", "My EMG") == 1
    assert "a stream needs pylsl: pip install 'semg-hht[live]'" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["gone.csv", "GONE.EDF", "folder/gone"])
def test_a_recording_that_is_missing_is_no_stream(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("app", "--cpu", "--live", name) == 1
    assert f"{name}: no such file; expected a recording to play, or the name of a stream" in capsys.readouterr().err


def test_a_folder_is_no_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("app", "--cpu", "--live", tmp_path) == 1
    assert f"{tmp_path}: is a folder; expected a recording to play" in capsys.readouterr().err


def test_the_page_is_readable_without_heavy_libraries() -> None:
    code = """import sys
from semg_hht.cli.commands import app
from semg_hht.cli.commands.app import _desk
from semg_hht.cli.options import StatedTransform
from semg_hht.recordings.stream import ReplayedRecording
from semg_hht.web import page_server
from semg_hht.web.page_server import application
from semg_hht.web.page_steps import Page
print(*{"torch", "scipy.signal", "matplotlib", "sklearn", "onnxruntime"} & set(sys.modules))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
