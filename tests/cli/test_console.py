"""Tests of the output of the command line: lists, JSON, errors and signals."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from semg_hht.cli import console
from semg_hht.errors import InputError
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


def test_a_name_with_colons_is_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    console.out.print("a:v:b.csv", markup=False)
    console.say("note", "a:v:b.csv", style="cyan")
    assert capsys.readouterr() == ("a:v:b.csv\n", "note: a:v:b.csv\n")


def test_counts_have_a_plural() -> None:
    assert console.counted(1, "file") == "1 file"
    assert console.counted(0, "file") == "0 files"
    assert console.counted(2, "matrix", "matrices") == "2 matrices"


def test_a_long_list_ends_with_the_number_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    console.list_failures([])
    assert capsys.readouterr().err == ""
    console.list_failures([Failure(f"{i}.csv", f"data/{i}.csv: no such file") for i in range(12)])
    assert capsys.readouterr().err.splitlines() == [
        "left out: 12 files could not be used",
        "  12 files (0.csv, 1.csv, 2.csv, ...): no such file",
        "  --json lists all",
    ]
    console.list_failures([Failure(f"{c}.csv", f"{c}.csv: {c} is missing") for c in "abcdefghijkl"], "see out.json")
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == [
        *(f"  {c}.csv: {c} is missing" for c in "abcdefghij"),
        "  and 2 more of other kinds; see out.json",
    ]


def test_a_remark_is_one_line_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    remarks = [Remark(f"{file}.csv", text) for text in ("clipped", "short") for file in "abc"][:4]
    console.list_remarks(remarks)
    assert capsys.readouterr().err == "note: 3 files (a.csv, b.csv, c.csv): clipped\nnote: a.csv: short\n"
    console.list_remarks(Remark(f"{i}.csv", f"channel biceps is clipped: {i} samples") for i in range(490))
    first, more = capsys.readouterr().err.splitlines()
    assert first == (
        "note: 490 files (0.csv, 1.csv, 2.csv, ...): channel biceps is clipped: 0 samples (numbers of 0.csv)"
    )
    assert more == "  --json lists all"
    console.list_remarks(Remark("a.csv", f"remark {letter}") for letter in "abcdefghijk")
    assert capsys.readouterr().err.splitlines()[-1] == "  and 1 more of other kinds; --json lists all"


def test_a_long_sentence_is_wrapped_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(
        console, "err", Console(file=file, soft_wrap=True, force_terminal=True, width=50, no_color=True)
    )
    console.note("word " * 20 + "/a/path/that/is/longer/than/the/terminal/and/stays/whole.csv")
    lines = file.getvalue().splitlines()
    assert lines[0].endswith("word")
    assert all(len(line) <= 62 for line in lines), "a path is not broken; the style of the first takes a few characters"
    assert lines[-1] == "  /a/path/that/is/longer/than/the/terminal/and/stays/whole.csv"
    plain = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=plain, soft_wrap=True))
    console.note("word " * 40)
    assert plain.getvalue().count("\n") == 1


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
    with pytest.raises(SystemExit), console.one_sentence(debug=False, as_json=True):
        raise error
    assert json.loads(capsys.readouterr().out)["error"] == sentence.removeprefix("error: ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_how_to_continue(number: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            pytest.raises(SystemExit) as stop,
            console.one_sentence(debug=False, as_json=True),
            console.stoppable("run it again"),
        ):
            os.kill(os.getpid(), number)
            signal.pause()
    finally:
        signal.signal(signal.SIGINT, before[0])
    assert stop.value.code == code
    printed = capsys.readouterr()
    assert printed.err == "stopped: run it again\n"
    assert json.loads(printed.out) == {"stopped": "run it again"}
    assert signal.getsignal(signal.SIGTERM) is before[1]


def test_only_strict_exits_with_an_error() -> None:
    failures = [Failure("a.csv", "a.csv: no rate")]
    console.exit_if_strict(False, failures)
    console.exit_if_strict(True, [])
    with pytest.raises(SystemExit, match="1"):
        console.exit_if_strict(True, failures)
