"""cli/commands/live.py: what a person sees of a stream, and what is left of it."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from rich.console import Console

from command_line import run
from lsl_outlets import NAMES, lsl, streamed
from semg_hht import samples
from semg_hht.cli import console
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from signal_builders import bursts

__all__ = ["lsl"]  # a fixture
SIGNAL = 20 * bursts((2, 3, 8.0), (4.5, 5.5, 8.0), duration_s=7.0, n_channels=2)
SPEED = 10  # of a stream; as it is sent, so it is received


@pytest.fixture(autouse=True)
def hears_ctrl_c() -> Iterator[None]:
    """Also where a shell has started the tests in the background, which takes that away."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_recording(Recording(SIGNAL, 1000.0, NAMES, "uV"), tmp_path / "arm.npz")
    return tmp_path / "arm.npz"


def test_a_replayed_recording_is_answered_by_the_run_of_the_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = read_recording(samples.recordings()["P30_supinated"])
    path = tmp_path / "P30.npz"
    write_recording(Recording(recording.samples[:, :18000], 2000.0, recording.channel_names, "uV"), path)
    assert run("live", "--replay", path, "--speed", "inf") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("   1    1.") and "s  supinated (" in lines[0]
    assert lines[-1].startswith("2 repetitions; 2 supinated")
    assert "no --checkpoint is named. This is the run that comes with semg-hht" in err
    assert "P30.npz: 2000 Hz, 2 channels (BicepsBrachi, Brachioradialis), in uV" in err
    assert [p.name for p in tmp_path.iterdir()] == ["P30.npz"]  # a recording that is a file already is not saved again


def test_channels_that_no_run_knows_are_measured(replayed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("live", "--replay", replayed, "--speed", "inf", "--channel", "triceps", "--sound") == 0
    out, err = capsys.readouterr()
    assert (
        "knows other channels (BicepsBrachi, Brachioradialis): repetitions and RMS are shown without an answer" in err
    )
    assert "triceps 1" in out.splitlines()[0] and "biceps" not in out
    assert out.splitlines()[-1] == "2 repetitions"


def test_json_is_one_line_a_repetition(replayed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("live", "--replay", replayed, "--speed", "inf", "--json", "--out", "copy.npz") == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["repetition"] for line in lines] == [1, 2]
    assert "copy.npz (7.0 s)" in err
    assert_array_equal(read_recording(Path("copy.npz")).samples, SIGNAL)


def test_on_a_terminal_each_channel_has_a_bar(replayed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100, highlight=False, force_jupyter=False)
    monkeypatch.setattr(console, "out", terminal)
    monkeypatch.setattr(console, "err", terminal)
    assert run("live", "--replay", replayed, "--speed", "inf", "--sound") == 0
    text = shown.getvalue()
    assert "Ctrl+C ends" in text and "████" in text and "biceps" in text
    assert text.count("\a") == 2


def test_a_stream_is_shown_and_saved_whole(
    lsl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with streamed(lsl, SIGNAL, "my arm", speed=SPEED):
        assert run("live", "--stream", "my arm", "--duration_s", 7) == 0
    out, err = capsys.readouterr()
    assert "my arm: 1000 Hz, 2 channels (biceps, triceps), in uV" in err
    assert len([line for line in out.splitlines() if " to " in line]) == 2
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("my_arm_20") and f"recording   {path.name} (7.0 s)" in out
    recording = read_recording(path)
    assert_array_equal(recording.samples, SIGNAL.astype(np.float32))
    assert (recording.rate_hz, recording.units, recording.channel_names) == (1000.0, "uV", NAMES)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signal to a process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_stream_and_saves(lsl: Any, tmp_path: Path, number: int) -> None:
    def stop() -> None:
        end_s = time.monotonic() + 60
        while not list(tmp_path.glob(".curl.npz.*")) and time.monotonic() < end_s:
            time.sleep(0.02)
        time.sleep(0.2)  # 2 of the 7 seconds of the signal
        os.kill(os.getpid(), number)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with streamed(lsl, SIGNAL, "arm", speed=SPEED):
        assert run("live", "--stream", "arm", "--out", tmp_path / "curl.npz") == 0
    stopper.join()
    samples_before = read_recording(tmp_path / "curl.npz").samples
    assert_array_equal(samples_before, SIGNAL.astype(np.float32)[:, : samples_before.shape[1]])
    assert [path.name for path in tmp_path.iterdir()] == ["curl.npz"]


def test_what_can_not_be_meant_is_refused(replayed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, reason in (
        ((), "expected either --stream NAME or --replay FILE"),
        (("--stream", "arm", "--replay", replayed), "expected either --stream NAME or --replay FILE"),
        (("--replay", replayed, "--duration_s", 0), "--duration_s must be above 0; got 0"),
        (("--replay", replayed, "--out", replayed), "arm.npz: exists already; expected the name of a new file"),
        (("--stream", "arm", "--out", replayed), "arm.npz: exists already; expected the name of a new file"),
        (("--replay", replayed, "--channel", "leg"), "has no channel 'leg'; expected one of biceps, triceps"),
    ):
        assert run("live", *words) == 1
        assert reason in capsys.readouterr().err


def test_a_file_is_no_stream(capsys: pytest.CaptureFixture[str]) -> None:
    path = next(iter(samples.recordings().values()))
    assert run("live", "--stream", path) == 1
    assert f"is a file, and --stream takes the name of a stream; expected --replay {path}" in capsys.readouterr().err
