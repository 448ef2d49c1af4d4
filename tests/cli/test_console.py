"""Tests of the output of the command line: lists, JSON, errors and signals."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from evaluation_builders import protocol
from semg_hht.cli import console
from semg_hht.errors import InputError
from semg_hht.evaluation.metrics import evaluate
from semg_hht.recordings.jobs import Failure, Remark


def test_a_log_record_is_one_line_and_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.listen()
    log = logging.getLogger("semg_hht.any")
    log.warning("odd [red]name[/] in %s", "a.csv")
    log.info("100 rows")
    log.debug("nothing that a user needs")
    assert capsys.readouterr().err == "warning: odd [red]name[/] in a.csv\nnote: 100 rows\n"


@pytest.mark.parametrize(
    ("variables", "is_silent"),
    [("RANK=0 TORCHELASTIC_RUN_ID=a", False), ("RANK=1 TORCHELASTIC_RUN_ID=a", True), ("RANK=1", False)],
)
def test_only_later_processes_of_torchrun_are_silent(variables: str, is_silent: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "TORCHELASTIC_RUN_ID")}
    environment |= dict(variable.split("=") for variable in variables.split())
    command = [sys.executable, "-c", "from semg_hht.cli import console; print(console.IS_SILENT)"]
    assert (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == f"{is_silent}\n"
    )


def test_counts_have_a_plural() -> None:
    assert console.counted(1, "file") == "1 file"
    assert console.counted(0, "file") == "0 files"
    assert console.counted(2, "matrix", "matrices") == "2 matrices"


def test_a_long_list_ends_with_the_number_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    console.list_failures([])
    assert capsys.readouterr().err == ""
    console.list_failures([Failure(f"{i}.csv", f"{i}.csv: no such file") for i in range(12)])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "left out: 12 files could not be used"
    assert lines[1:] == [*(f"  {i}.csv: no such file" for i in range(10)), "  and 2 more"]


def test_a_remark_that_recordings_share_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    remarks = [Remark(f"{file}.csv", text) for text in ("clipped", "short") for file in "abc"][:4]
    console.list_remarks(remarks)
    assert capsys.readouterr().err == "note: a.csv and 2 others: clipped\nnote: a.csv: short\n"
    console.list_remarks(Remark("a.csv", f"remark {i}") for i in range(11))
    assert capsys.readouterr().err.splitlines()[-1] == "  and 1 more note; --json lists all"


@pytest.mark.parametrize(("encoding", "printed"), [("utf-8", '"弯举"'), ("ascii", r'"\u5f2f\u4e3e"')])
def test_json_keeps_to_the_encoding_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, encoding: str, printed: str
) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(console, "out", Console(file=file, soft_wrap=True))
    console.print_json("弯举")
    file.flush()
    assert file.buffer.getvalue().decode(encoding) == f"{printed}\n"  # type: ignore[attr-defined]


def test_a_bar_passes_everything_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(console.track(iter([1]), 1, "one")) == [1]
    assert list(console.track(iter([1, 2, 3]), 3, "several")) == [1, 2, 3]
    assert capsys.readouterr().err == "", "no bar where standard error is no terminal"


def test_a_log_says_how_far_the_work_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=iter(range(0, 1000, 100)).__next__))
    assert list(console.track(iter([1, 2, 3]), 3, "folds")) == [1, 2, 3]
    assert capsys.readouterr().err.splitlines() == [
        "  folds: 1 of 3, about 3 min left",
        "  folds: 2 of 3, about 2 min left",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (130, "2 min"), (5000, "83 min"), (15000, "4 h 10 min")])
def test_durations(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


@pytest.mark.parametrize(("step_s", "said"), [(7.0, True), (0.07, False)])
def test_a_long_training_is_announced_after_its_first_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step_s: float, said: bool
) -> None:
    now = 0.0
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now))
    with console.TerminalTrainingBar() as bar:
        progress = bar.progress()
        progress.on_start(0, 2100)
        for _ in range(20):
            progress.on_step()
            now += step_s
    printed = " ".join(capsys.readouterr().err.split())
    assert ("training takes about 4 h 04 min on this machine; a network with --base_channels 8" in printed) is said
    assert printed.count("training takes") == said


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("a.csv: [bold]no[/] rate"), "error: a.csv: [bold]no[/] rate"),
        (MemoryError("8 GB"), "error: not enough memory; use fewer --jobs, a smaller --batch_size, or --pack (8 GB)"),
        (KeyError("x"), "error: KeyError: 'x' (unexpected; --debug shows where)"),
    ],
)
def test_an_error_is_one_sentence(error: Exception, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop, console.one_sentence(debug=False):
        raise error
    assert stop.value.code == 1
    assert capsys.readouterr().err == f"{sentence}\n"
    with pytest.raises(type(error)), console.one_sentence(debug=True):
        raise error


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_how_to_continue(number: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as stop, console.stoppable("run it again"):
            os.kill(os.getpid(), number)
            signal.pause()
    finally:
        signal.signal(signal.SIGINT, before[0])
    assert stop.value.code == code
    assert capsys.readouterr().err == "stopped: run it again\n"
    assert signal.getsignal(signal.SIGTERM) is before[1]


def test_only_strict_exits_with_an_error() -> None:
    failures = [Failure("a.csv", "a.csv: no rate")]
    console.exit_if_strict(False, failures)
    console.exit_if_strict(True, [])
    with pytest.raises(SystemExit, match="1"):
        console.exit_if_strict(True, failures)


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        ([-0.3, -0.1], "is clearly worse than logistic: difference -0.20, 95 % interval -0.30 to -0.10"),
        ([-0.3, 0.0], "is no better than logistic"),
        ([-0.3, 0.1], "is not shown to be better than logistic"),
        (None, "is not shown to be better than logistic: difference -0.20, too few people for an interval"),
    ],
)
def test_a_network_that_is_not_better_than_a_baseline_is_reported(
    interval: Any, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = protocol("loso")
    for scored in content["tasks"].values():
        scored["duel"] = {"logistic": {"decides": True, "interval_95": interval, "network_is_better_by": -0.2}}
    console.show_findings("loso", content)
    printed = capsys.readouterr().out
    assert f"the network {sentence}" in printed
    assert "action quality, protocol loso, " in printed


@pytest.mark.parametrize(
    ("split_by", "said"),
    [("subject", "4 repetitions of 2 subjects not trained on"), ("repetition", "gender, 4 repetitions not trained on")],
)
def test_scores_say_what_was_not_trained_on(split_by: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate(["F", "M", "F", "M"], np.eye(2)[[0, 1, 0, 1]], ("F", "M"), ["S1", "S2", "S1", "S2"])
    console.show_reports({"gender": report}, split_by)
    assert said in capsys.readouterr().out
