"""Ctrl-C and SIGTERM: the command ends at once, keeps finished work, and states how to continue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from fault_injection import NETWORK, Inputs, contents, here, leftovers, unreadable

LONG = "train --data_dir {matrices} --checkpoint_dir {disk}/run " + NETWORK.replace("--epochs 2", "--epochs 30")


@pytest.fixture(autouse=True)
def hears_ctrl_c() -> Iterator[None]:
    """Also where a shell has started the tests in the background, which takes that away."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("verb", "interrupted", "said"),
    [
        (
            "prepare",
            "semg_hht.datasets.prepare.write_matrix",
            "are in {disk}/prepared; run the same command to continue",
        ),
        (
            "evaluate",
            "semg_hht.learning.train.save_model",
            "in {disk}/evaluation; run the same command to continue",
        ),
        (
            "predict",
            "semg_hht.cli.commands.predict.write_json",
            "no half-written file is left; run the same command to start again",
        ),
        (
            "train",
            "semg_hht.learning.epochs.save_model",
            "run the same command with --resume to continue from {disk}/run",
        ),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_command_states_how_to_continue_and_continues(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, interrupted: str, said: str, number: int
) -> None:
    """The signal comes as the second such file has been written."""
    module, name = interrupted.rsplit(".", 1)
    before, n_calls = getattr(import_module(module), name), 0

    def then(*given: object, **how: object) -> object:
        nonlocal n_calls
        found = before(*given, **how)
        n_calls += 1
        if n_calls == (1 if verb == "predict" else 2):
            signal.raise_signal(number)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(interrupted, then)
        done = here(inputs.words(verb, tmp_path))
    assert done.code == 128 + number
    assert said.format(disk=tmp_path) in done.sentence("stopped"), done.said
    assert not unreadable(tmp_path)
    assert not leftovers(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_stopped_and_resumed_ends_with_the_same_bits(
    inputs: Inputs, tmp_path: Path, number: int
) -> None:
    command = [sys.executable, "-m", "semg_hht", *inputs.words(LONG, tmp_path)]
    history = tmp_path / "run" / "history.jsonl"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        while not history.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, number)
        asked = time.monotonic()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert time.monotonic() - asked < 10
    assert said.splitlines()[-1].startswith("stopped: finished epochs are kept; run the same command with --resume")
    assert "Traceback" not in said
    assert here([*inputs.words(LONG, tmp_path), "--resume"]).code == 0
    assert here(inputs.words(LONG, tmp_path / "undisturbed")).code == 0
    undisturbed = contents(tmp_path / "undisturbed" / "run")
    assert contents(tmp_path / "run") == undisturbed
