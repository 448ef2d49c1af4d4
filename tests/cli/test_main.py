"""Tests of the program: help, exit codes, errors and the root scripts. `commands/` holds the tests of each verb."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import pytest
import typer

from command_line import run
from conftest import Simulated
from semg_hht import samples
from semg_hht.cli.main import VERBS, main
from semg_hht.cli.main import script as run_script


def script(repository: Path, name: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def here(repository: Path, name: str, *words: object) -> int:
    """The exit code of a root script that runs in this process."""
    with patch.object(sys, "argv", [name, *map(str, words)]), pytest.raises(SystemExit) as end:
        runpy.run_path(str(repository / name), run_name="__main__")
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("prepare {recordings} --out {new} --mains 55", "--mains must be auto, 50, 60 or off; got '55'"),
        ("prepare {recordings} --out {recordings}", "this folder is not empty"),
        ("prepare nowhere --out {new}", "nowhere: no such file or folder"),
        ("simulate --out {recordings}", "this folder is not empty"),
        ("train", "say where the data is: --data_dir FOLDER, or --manifest FILE"),
        ("train --data_dir {matrices} --band 20 200", "matrices are trained on as they are"),
        ("train --data_dir nowhere", "expected a folder of npz matrices; found nothing"),
        ("predict --checkpoint {new} --input {recordings} --output {new}", "found no model.json"),
    ],
)
def test_an_error_is_one_sentence(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    places = {"recordings": simulated.manifest.parent, "matrices": simulated.matrices, "new": tmp_path / "new"}
    assert run(*(word.format(**places) for word in words.split())) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert "Traceback" not in error
    assert error.count("\n") == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "semg_hht", "prepare", str(tmp_path / "x"), "--out", str(tmp_path / "y")]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert "no such file or folder" in debug.stderr


def test_an_unexpected_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("semg_hht.verbs.simulating.write_simulation", broken)
    assert run("simulate", "--out", tmp_path / "x") == 1
    assert "ZeroDivisionError: by nothing (unexpected; --debug shows where)" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError, match="by nothing"):
        main(["simulate", "--out", str(tmp_path / "x"), "--debug"])


def test_control_c_says_how_to_continue(
    simulated: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semg_hht.learning.train.train", interrupted)
    assert run("train", "--data_dir", simulated.matrices, "--checkpoint_dir", tmp_path / "run") == 130
    error = capsys.readouterr().err
    assert "stopped: finished epochs are kept; run the same command with --resume" in error


def test_control_c_before_the_work_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Typer answers it with the exit code 130 and prints nothing."""
    with pytest.raises(SystemExit) as end:
        main(["demo"], program=lambda *_, **__: 130)
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped: no half-written file is left\n"


@pytest.mark.parametrize("during", ["loading", "the end"])
def test_control_c_while_the_program_loads_or_ends_prints_no_traceback(during: str) -> None:
    stops = {
        "loading": "sys.modules['semg_hht.cli.main'] = Interrupted('main')",
        "the end": "threading.Thread(target=lambda: (time.sleep(1), os.kill(os.getpid(), signal.SIGINT))).start()",
    }
    code = f"""if True:
        import os, signal, sys, threading, time, types
        from semg_hht.__main__ import start
        class Interrupted(types.ModuleType):
            def __getattr__(self, name):
                raise KeyboardInterrupt
        signal.signal(signal.SIGINT, signal.default_int_handler)
        {stops[during]}
        sys.argv = ["semg-hht", "--version"]
        start()
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    stopped = during == "loading"
    assert done.returncode in ((130, -signal.SIGINT) if stopped else (0,))
    assert done.stderr == ("stopped: no half-written file is left\n" if stopped else "")


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("segment {file} --out {out}.xlsx", ".csv"),
        ("label {file} --sensor 1 --out {out}.png", ".csv"),
        ("features {file} --out {out}.json", ".csv"),
        ("predict --input {file} --output {out}.png", ".json or .csv"),
        ("explain --input {file} --out {out}.csv", ".png"),
        ("report --card {file} --out {out}.csv", ".html or .htm"),
        ("report {run} --out {out}.pdf", ".html or .htm"),
    ],
)
def test_no_file_is_written_under_the_name_of_another_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, written: str
) -> None:
    filled = words.format(file=samples.RECORDINGS / "P04_neutral.mat", run=samples.RUN, out=tmp_path / "x").split()
    assert run(*filled) == 1
    assert f"{filled[-1]}: is written as {written}; found {Path(filled[-1]).suffix}\n" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_names_the_demo_and_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    printed = capsys.readouterr().out
    assert "semg-hht demo" in printed
    assert all(f"\n  {verb} " in printed for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_a_terminal_and_ends_with_an_example(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(verb, "--help") == 0
    printed = capsys.readouterr().out
    assert f"Example: semg-hht {verb}" in printed
    assert max(map(len, printed.splitlines())) <= 80
    options = printed.split("\nOptions:\n")[1].split("\n\n")[0]
    flags = [line.split()[0] for line in options.splitlines() if line.startswith("  --")]
    assert flags
    assert not [flag for flag in flags if "-" in flag[2:]], "options are named as in the examples: --data_dir"


def test_help_states_defaults_that_the_code_finds_later(capsys: pytest.CaptureFixture[str]) -> None:
    for verb, default in (("prepare", "auto"), ("predict", "as in the run"), ("explain", "all tasks of the run")):
        assert run(verb, "--help") == 0
        assert f"[default: {default}]" in " ".join(capsys.readouterr().out.split())


def test_without_a_verb_it_says_where_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    printed = capsys.readouterr()
    assert [line.split("  ")[0] for line in printed.out.splitlines()] == [
        "semg-hht demo", "semg-hht demo --real", "semg-hht segment RECORDINGS --out reps.csv", "semg-hht --help",
    ]  # fmt: skip
    assert not printed.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("semg-hht 0.")


def test_a_verb_loads_what_it_needs_and_no_other_verb() -> None:
    code = """if True:
        import sys
        from semg_hht.cli.main import main
        try:
            main(["predict", "--checkpoint", "none", "--input", "none", "--output", "none.json"])
        except SystemExit as ended:
            assert ended.code == 1
        ours = {name for name in sys.modules if name.startswith("semg_hht.cli.commands.")}
        assert ours == {"semg_hht.cli.commands.predict"}, ours
        assert not {"pydantic", "rich.progress", "rich.table", "joblib", "scipy.signal"} & set(sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "found no model.json" in done.stderr


def test_the_root_scripts_take_the_flags_of_the_original_readme(repository: Path, tmp_path: Path) -> None:
    data, checkpoints = tmp_path / "data", tmp_path / "checkpoints"
    done = script(repository, "generate_sample_data.py", "--output_dir", data, "--n_samples", 24, "--n_test", 2)
    assert done.returncode == 0, done.stderr
    assert len(list(data.glob("*.npz"))) == 26
    words = ["--data_dir", data, "--checkpoint_dir", checkpoints, "--epochs", 2, "--batch_size", 8,
             "--learning_rate", 1e-3, "--test_size", 0.25, "--num_encoder_layers", 7, "--base_channels", 2,
             "--seed", 1, "--cpu"]  # fmt: skip
    assert here(repository, "train.py", *words) == 0
    assert len(json.loads((checkpoints / "test_predictions.json").read_text())) == 2
    words = ["--checkpoint", checkpoints / "final", "--input", data, "--output", tmp_path / "out.json",
             "--batch-size", 32, "--cpu"]  # fmt: skip
    assert here(repository, "inference.py", *words) == 0
    assert len(json.loads((tmp_path / "out.json").read_text())) == 26


def test_a_root_script_fails_with_one_sentence(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(repository, "train.py", "--data_dir", tmp_path) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert (
        "expected npz matrices or a manifest.csv; found none. Recordings become matrices with: semg-hht prep" in error
    )
    assert "Traceback" not in error


def test_a_script_may_have_another_default_which_a_flag_still_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(recipe: str = "auto") -> None:
        sys.stdout.write(recipe)

    verb.__annotations__["recipe"] = Annotated[str, typer.Option()]  # Typer reads the names of a module alone

    for words, expected in (([], "plain"), (["--recipe", "best"], "best")):
        monkeypatch.setattr(sys, "argv", ["train.py", *words])
        with contextlib.suppress(SystemExit):
            run_script(verb, "train.py", recipe="plain")
        assert capsys.readouterr().out.strip() == expected
    assert 'recipe="plain"' in (Path(__file__).parents[2] / "train.py").read_text(encoding="utf-8")


def test_commands_choose_how_threads_work_and_a_user_may_choose_otherwise() -> None:
    """NumPy and torch read the variables when they are imported, so nothing may import NumPy before."""
    chosen = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    code = f"import os, sys, semg_hht.cli; print('numpy' in sys.modules, *(os.environ[name] for name in {[*chosen]}))"
    for stated in ({}, {"OPENBLAS_NUM_THREADS": "3", "OMP_WAIT_POLICY": "ACTIVE"}):
        environment = {name: value for name, value in os.environ.items() if name not in chosen} | stated
        told = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        assert told.stdout.split() == ["False", *(chosen | stated).values()]
