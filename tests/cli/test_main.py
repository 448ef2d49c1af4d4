"""Tests of the program: help, exit codes, errors and the root scripts. `commands/` holds the tests of each verb."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import pytest
import typer

from command_line import run
from conftest import Simulated
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


def test_commands_compute_small_products_in_one_thread_and_a_user_may_choose_more() -> None:
    """NumPy reads the variable when it is imported, so nothing may import it before."""
    code = (
        "import sys, semg_hht.cli; print('numpy' in sys.modules); import os; print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    for stated, used in ((None, "1"), ("3", "3")):
        environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
        environment |= {} if stated is None else {"OPENBLAS_NUM_THREADS": stated}
        told = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        assert told.stdout.split() == ["False", used]
