"""Ctrl-C and SIGTERM: the command ends at once, keeps finished work, and states how to continue."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from fault_injection import NETWORK, Inputs, command, contents, ended, forked, here, leftovers, unreadable

LONG = "train --data_dir {matrices} --checkpoint_dir {disk}/run " + NETWORK.replace("--epochs 2", "--epochs 20")


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


@pytest.fixture(scope="module")
def undisturbed(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a long training leaves that nobody stops."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert here(inputs.words(LONG, folder)).code == 0
    return contents(folder / "run")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_stopped_and_resumed_ends_with_the_same_bits(
    inputs: Inputs, undisturbed: dict[str, bytes], tmp_path: Path, number: int
) -> None:
    history, log = tmp_path / "run" / "history.jsonl", tmp_path / "log"
    process = forked(partial(command, inputs.words(LONG, tmp_path)), log)
    until = time.monotonic() + 120
    while not history.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process, number)
    asked = time.monotonic()
    done = ended(process, log)
    assert done.code == 128 + number
    assert time.monotonic() - asked < 10
    said = done.sentence("stopped")
    assert said.startswith("finished epochs are kept; run the same command with --resume"), done.said
    assert here([*inputs.words(LONG, tmp_path), "--resume"]).code == 0
    assert contents(tmp_path / "run") == undisturbed
