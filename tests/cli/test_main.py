"""cli.py and the root scripts: the golden path, exit codes, and how errors read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import make_dataset, noise, write_dataset
from conftest import Simulated
from semg_hht.cli.main import main
from semg_hht.cli.options import config_of
from semg_hht.matrices.transform import configure
from semg_hht.recordings.recording import write_recording


def run(*args: Any) -> int:
    """The exit code of a command in this process."""
    try:
        main([str(arg) for arg in args])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def script(repository: Path, name: str, *args: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / name), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, matrices and a run, made by the commands themselves."""
    folder = tmp_path_factory.mktemp("path")
    assert run("simulate", "--out", folder / "rec", "--n_subjects", 4, "--n-repetitions", 1, "--rate-hz", 500) == 0
    assert run("prepare", folder / "rec" / "manifest.csv", "--out", folder / "prep", "--band", 20, 200) == 0
    assert run("train", "--data-dir", folder / "prep" / "hht_matrices", "--checkpoint_dir", folder / "run",
               "--epochs", 2, "--batch-size", 4, "--base_channels", 2, "--cpu") == 0  # fmt: skip
    return folder


def test_the_golden_path_leaves_files(path: Path) -> None:
    assert len(list((path / "rec").glob("*.csv"))) == 5
    assert len(list((path / "prep" / "hht_matrices").glob("*.npz"))) == 12
    names = {p.name for p in (path / "run").iterdir()}
    assert {"best", "final", "last", "metrics.json", "history.png", "confusion.png", "config.json"} <= names


@pytest.mark.parametrize("checkpoint", ["run", "run/best", "run/final"])
def test_predict_answers_for_matrices(path: Path, tmp_path: Path, checkpoint: str) -> None:
    output = tmp_path / "out.json"
    assert run("predict", "--checkpoint", path / checkpoint, "--input", path / "prep" / "hht_matrices",
               "--output", output, "--cpu") == 0  # fmt: skip
    assert len(json.loads(output.read_text())) == 12


def test_predict_answers_for_recordings_and_prints_json(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    assert run("predict", "--checkpoint", path / "run", "--input", path / "rec", "--output", output, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text(encoding="utf-8"))
    assert len(printed) == 4


def test_predict_does_not_overwrite(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.json"
    output.write_text("mine")
    words = ["predict", "--checkpoint", path / "run", "--input", path / "prep" / "hht_matrices", "--output", output]
    assert run(*words) == 1
    assert "exists already; name another file, or say --overwrite" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert run(*words, "--overwrite") == 0


def test_predict_with_other_flags_warns(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "--checkpoint", path / "run", "--input", path / "rec", "--output", tmp_path / "o.json",
               "--band", 30, 200) == 0  # fmt: skip
    assert "prepared otherwise than those the run was trained on" in capsys.readouterr().err


def test_predict_of_nothing_usable_fails(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.npz").write_bytes(b"")
    assert run("predict", "--checkpoint", path / "run", "--input", tmp_path / "a.npz", "--output", tmp_path / "o") == 1
    assert "none of 1 files could be predicted" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert run("predict", "--checkpoint", path / "run", "--input", tmp_path, "--batch_size", 0) == 1
    assert "batch_size must be at least 1; got 0" in capsys.readouterr().err


def test_strict_fails_where_a_file_was_left_out(simulated: Simulated, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    rows = f"file,rate_hz\na.csv,500\n{sorted(simulated.manifest.parent.glob('S*.csv'))[0]},500\n"
    (tmp_path / "list.csv").write_text(rows)
    words = ["prepare", tmp_path / "list.csv", "--band", 20, 200]
    assert run(*words, "--out", tmp_path / "x") == 0
    assert run(*words, "--out", tmp_path / "y", "--strict") == 1
    assert (tmp_path / "y" / "manifest.csv").exists()


def test_prepare_and_train_print_json(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prepare", path / "rec", "--out", tmp_path / "prep", "--band", 20, 200, "--images", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["n_recordings"], printed["n_matrices"], printed["failures"]) == (4, 12, [])
    assert len(list((tmp_path / "prep" / "hht_images").glob("*.png"))) == 12
    assert run("train", "--data_dir", tmp_path / "prep" / "hht_matrices", "--checkpoint_dir", tmp_path / "run",
               "--epochs", 1, "--base_channels", 2, "--cpu", "--json") == 0  # fmt: skip
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["test"]) == {"action_quality", "gender"}


def test_train_takes_a_manifest_of_recordings_and_resumes(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--manifest", path / "rec" / "manifest.csv", "--checkpoint_dir", tmp_path / "run", "--band", 20,
             200, "--epochs", 1, "--base_channels", 2, "--cpu", "--num-encoder-layers", 6]  # fmt: skip
    assert run(*words) == 0
    assert run(*words) == 1
    assert "holds a run already; --resume goes on with it" in capsys.readouterr().err
    assert run(*words, "--resume") == 0


def test_flags_that_make_no_sense_are_one_sentence(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        (
            ["prepare", path / "rec", "--out", tmp_path / "a", "--mains", "55"],
            "--mains must be auto, 50, 60 or off; got '55'",
        ),
        (["prepare", path / "rec", "--out", path / "prep"], "this folder is not empty"),
        (["prepare", tmp_path / "nowhere", "--out", tmp_path / "a"], "nowhere: no such file or folder"),
        (["simulate", "--out", path / "rec"], "this folder is not empty"),
        (["train"], "say where the data is: --data_dir FOLDER, or --manifest FILE"),
        (["train", "--data_dir", path / "prep", "--band", "20", "200"], "matrices are trained on as they are"),
        (["train", "--data_dir", tmp_path / "nowhere"], "expected a folder of npz matrices; found nothing"),
        (["predict", "--checkpoint", tmp_path, "--input", path, "--output", tmp_path / "o"], "found no model.json"),
    ):
        assert run(*words) == 1
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


def test_a_wrong_flag_is_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--data_dri", "x") == 2
    assert "No such option" in capsys.readouterr().err


def test_what_was_not_expected_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("semg_hht.datasets.simulated.write_simulation", broken)
    assert run("simulate", "--out", tmp_path / "x") == 1
    assert "ZeroDivisionError: by nothing (unexpected; --debug shows where)" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError, match="by nothing"):
        main(["simulate", "--out", str(tmp_path / "x"), "--debug"])


def test_control_c_says_how_to_go_on(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semg_hht.learning.train.train", interrupted)
    words = ["train", "--data_dir", path / "prep" / "hht_matrices", "--checkpoint_dir", tmp_path / "run"]
    assert run(*words) == 130
    assert "stopped: every epoch that was finished is kept; the same command with --resume" in capsys.readouterr().err


def test_training_without_torch_names_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("train", "--data_dir", path / "prep" / "hht_matrices") == 1
    assert "training needs torch: pip install 'semg-hht[train]'" in capsys.readouterr().err


def test_help_names_the_demo_and_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    said = capsys.readouterr()
    assert "semg-hht demo" in said.out + said.err
    for verb in ("demo", "simulate", "segment", "features", "prepare", "check", "train", "predict"):
        assert verb in said.out + said.err


def test_without_a_command_it_says_where_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    printed = capsys.readouterr()
    assert [line.split("  ")[0] for line in printed.out.splitlines()] == [
        "semg-hht demo", "semg-hht segment RECORDINGS --out reps.csv", "semg-hht --help",
    ]  # fmt: skip
    assert not printed.err


def test_version_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("semg-hht 0.")
    for verb in ("demo", "simulate", "segment", "features", "prepare", "check", "train", "predict"):
        assert run(verb, "--help") == 0
        assert f"Example: semg-hht {verb}" in capsys.readouterr().out


def test_help_shows_defaults_that_are_stated_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prepare", "--help") == 0
    words = capsys.readouterr().out.replace("│", " ").split()
    assert "[default: auto]" in " ".join(words)


def test_the_demo_walks_the_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import semg_hht.demo as demo

    def small(*args: Any, **options: Any) -> Any:
        return walk(*args, n_people=4, epochs=1, **options)

    walk = demo.run_demo
    monkeypatch.setattr(demo, "run_demo", small)
    monkeypatch.setattr(demo, "N_REPETITIONS", 1)
    monkeypatch.setattr(demo, "BASE_CHANNELS", 2)
    assert run("demo", "--out", tmp_path / "demo") == 0
    said = capsys.readouterr().out
    assert "report.html" in said.splitlines()[-1]
    page = (tmp_path / "demo" / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "<html" in page and "the people are simulated" in page
    assert (tmp_path / "demo" / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((tmp_path / "demo" / "predictions.json").read_text())) == 1
    assert len(list((tmp_path / "demo" / "reps_pictures").glob("*.png"))) == 4
    assert "among them" in said
    assert run("demo", "--out", tmp_path / "demo") == 1


def test_the_root_scripts_take_the_seeds_flags(repository: Path, tmp_path: Path) -> None:
    data, checkpoints = tmp_path / "data", tmp_path / "checkpoints"
    done = script(repository, "generate_sample_data.py", "--output_dir", data, "--n_samples", 24, "--n_test", 2)
    assert done.returncode == 0, done.stderr
    assert len(list(data.glob("*.npz"))) == 26
    done = script(repository, "train.py", "--data_dir", data, "--checkpoint_dir", checkpoints, "--epochs", 2,
                  "--batch_size", 8, "--learning_rate", 1e-3, "--test_size", 0.25, "--num_encoder_layers", 7,
                  "--base_channels", 2, "--seed", 1, "--cpu")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(json.loads((checkpoints / "test_predictions.json").read_text())) == 2
    done = script(repository, "inference.py", "--checkpoint", checkpoints / "final", "--input", data, "--output",
                  tmp_path / "out.json", "--batch-size", 32, "--cpu")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "out.json").read_text())) == 26


def test_a_root_script_fails_with_one_sentence(repository: Path, tmp_path: Path) -> None:
    done = script(repository, "train.py", "--data_dir", tmp_path)
    assert done.returncode == 1
    told = " ".join(done.stderr.split())
    assert "expected npz matrices or a manifest.csv; found none. Recordings become matrices with: semg-hht prep" in told
    assert "Traceback" not in done.stderr


def test_a_long_list_of_failures_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recording(noise(), tmp_path / "good.npz")
    files = ["good.npz", *(f"gone{number}.csv" for number in range(12))]
    (tmp_path / "manifest.csv").write_text("\n".join(["file", *files]) + "\n")
    assert run("prepare", tmp_path, "--out", tmp_path / "out", "--band", 20, 200) == 0
    said = capsys.readouterr()
    assert "left out: 12 files could not be used" in said.err
    assert "gone9.csv: no such file" in said.err
    assert "gone10.csv" not in said.err
    assert "and 2 more" in said.err
    assert "1 matrix of 1 recording" in said.out


def test_train_goes_on_past_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(make_dataset(n_repetitions=1), tmp_path / "data")
    np.savez(tmp_path / "data" / "p0_full_0_ch0.npz", hht=np.zeros((3, 3)))
    assert run("train", "--data_dir", tmp_path / "data", "--checkpoint_dir", tmp_path / "run", "--epochs", 1,
               "--base_channels", 2, "--cpu") == 0  # fmt: skip
    assert "p0_full_0_ch0.npz: expected a matrix of 256x256 under 'hht'; found 3x3" in capsys.readouterr().err


def test_predict_keeps_the_runs_settings_but_what_is_stated() -> None:
    base = configure(band_hz=(5, 100), ecg=True, scaling="minmax", channels="stack", decomposition="eemd", seed=7)
    kept = config_of(mains="60", base=base)
    assert kept.filter.mains_hz == 60
    assert kept.filter.ecg
    assert not config_of(ecg=False, base=base).filter.ecg
    assert (kept.spectrum, kept.scaling, kept.channels) == (base.spectrum, base.scaling, base.channels)
    assert config_of(seed=8, base=base).spectrum.seed == 8
    assert config_of(decomposition="upstream", base=base).scaling == "upstream"


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


def test_a_verb_that_is_none_is_named_with_the_likeliest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predikt") == 2
    assert "Did you mean 'predict'?" in capsys.readouterr().err
