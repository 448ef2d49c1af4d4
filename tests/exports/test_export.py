"""An export predicts as the run does, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from builders import TINY, foreign_matrix, make_dataset, truncate
from conftest import Simulated
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.inference.discriminant import COMMITTEE_FILES
from semg_hht.inference.engines import installed, open_network
from semg_hht.inference.exported import DESCRIPTION_FILE, EXPORT_FILES, ExportedModel, open_export
from semg_hht.learning.checkpoint import Model, load_model
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.network import ActionNetwork, NetworkConfig, recalibrate_batch_norm
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.prediction.run import open_run
from semg_hht.verbs.predicting import PredictOptions, predict
from semg_hht.verbs.work import Work

exporting = pytest.importorskip("semg_hht.exports.export")  # where onnx is not installed
ENGINES = [pytest.param(name, marks=pytest.mark.skipif(name not in installed(), reason="not installed"))
           for name in ("openvino", "onnxruntime", "numpy")]  # fmt: skip
JOINED = set(EXPORT_FILES) - set(COMMITTEE_FILES.values())  # files of an export of the recipe best
PLAIN = JOINED - {"action.npz"}  # without a recipe


@pytest.fixture(scope="module")
def run(simulated_run: Path) -> Path:
    return simulated_run / "best"


@pytest.fixture(scope="module")
def folder(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "exported"
    exporting.export(load_model(run), run, out)
    return out


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "exported"))


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_export_answers_as_the_run_does(run: Path, folder: Path, simulated: Simulated, engine: str) -> None:
    expected = open_run(run, cpu=True).predict(simulated.matrices).predictions
    found = open_run(folder, engine=engine).predict(simulated.matrices).predictions
    assert [p.file for p in found] == [p.file for p in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for task, answer in theirs.answers.items():
            assert ours.answers[task].prediction == answer.prediction
            assert ours.answers[task].possible == answer.possible
            assert_allclose(
                list(ours.answers[task].probabilities.values()), list(answer.probabilities.values()), atol=1e-5
            )


def test_an_export_transforms_recordings_as_the_run_does(run: Path, folder: Path, simulated: Simulated) -> None:
    ours, theirs = open_run(folder), open_run(run, cpu=True)
    assert ours.recording_config == theirs.recording_config == simulated.config
    assert ours.description == theirs.description


@pytest.mark.parametrize("engine", ENGINES)
def test_answers_do_not_depend_on_the_batch(folder: Path, simulated: Simulated, engine: str) -> None:
    assert other_answers(open_export(folder, engine), load_folder(simulated.matrices).matrices) == []


def other_answers(engine: Any, matrices: np.ndarray) -> list[str]:
    """Cases whose bits differ from one batch of all matrices: other batch sizes, reversed order."""
    whole = engine.probabilities(matrices, batch_size=len(matrices))
    assert whole
    found = {f"batches of {size}": engine.probabilities(matrices, batch_size=size) for size in (1, 2, 5)}
    turned = engine.probabilities(matrices[::-1].copy(), batch_size=3)
    found["turned round"] = {task: probabilities[::-1] for task, probabilities in turned.items()}
    return [
        f"{task}, {how}"
        for how, answers in found.items()
        for task in whole
        if not np.array_equal(answers[task], whole[task])
    ]


@pytest.fixture(scope="module")
def wide(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a network of 32 channels: with so many, engines use other algorithms than with two."""
    torch.manual_seed(0)
    shape, matrices = NetworkConfig(3, base_channels=32), make_dataset().matrices[:7]
    network = ActionNetwork(shape)
    recalibrate_batch_norm(network.encoder, [torch.from_numpy(matrices)])  # without it, values grow with random weights
    out = tmp_path_factory.mktemp("wide") / "out"
    exporting.export(Model(replace(load_model(run).description, network=shape), network.eval()), run, out)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_answers_of_a_wider_network_do_not_depend_on_the_batch(wide: Path, engine: str) -> None:
    assert other_answers(open_export(wide, engine), make_dataset().matrices[:7]) == []


def test_answers_of_a_run_do_not_depend_on_the_batch(run: Path, simulated: Simulated) -> None:
    assert other_answers(load_model(run), load_folder(simulated.matrices).matrices) == []


def test_few_files_use_an_engine_that_starts_fast(
    folder: Path, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    opening = open_network
    monkeypatch.setattr(
        "semg_hht.inference.exported.open_network", lambda path, name: opened.append(name) or opening(path, name)
    )
    run, fastest = open_run(folder), installed()[0]
    files = sorted(simulated.matrices.iterdir())
    predict(files[0], run)
    assert opened == ["numpy"]
    by_one = predict(files, run, options=PredictOptions(batch_size=1), work=Work(n_jobs=1))
    assert opened == ["numpy", fastest]
    assert run.predict(files[::-1]).to_json() == by_one.to_json()
    alone = {file: run.predict(path).to_json()[file] for path in files for file in [path.name]}
    assert alone == by_one.to_json(), "one engine, whatever stands beside a file"
    assert opened == ["numpy", fastest]


def test_without_a_gender_svm_action_quality_is_exported(run: Path, tmp_path: Path) -> None:
    model = replace(load_model(run), svms={}, arrays={})
    exporting.export(model, run, tmp_path / "out")
    assert not (tmp_path / "out" / "gender.npz").exists()
    drawn = np.zeros((1, 1, 256, 256), dtype=np.float32)
    assert list(open_export(tmp_path / "out").probabilities(drawn)) == ["action_quality"]


def test_predicting_from_an_export_loads_none_of_what_trains(folder: Path, simulated: Simulated) -> None:
    code = f"""if True:
        import sys
        for name in ("torch", "matplotlib", "sklearn", "skops", "lightning_fabric", "onnx"):
            sys.modules[name] = None  # as if not installed
        from semg_hht.cli.main import main
        from semg_hht import open_run
        answers = open_run({str(folder)!r}).predict({str(simulated.matrices)!r})
        assert answers.predictions and not answers.errors
        loaded = {{name for name, module in sys.modules.items() if module is not None}}
        assert not loaded & {{"torch", "matplotlib", "sklearn", "scipy.signal", "scipy.stats", "joblib"}}, loaded
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_export_with_other_answers_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ExportedModel.probabilities
    monkeypatch.setattr(
        ExportedModel,
        "probabilities",
        lambda self, *given: {task: p + 2e-5 for task, p in answer(self, *given).items()},
    )
    with pytest.raises(InputError, match=r"answers otherwise than torch: probabilities differ by up to 2\.[01]e-05"):
        exporting.export(load_model(run), run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_gives_no_numbers_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ExportedModel,
        "probabilities",
        lambda self, matrices, _: {"action_quality": np.full((len(matrices), 3), np.nan)},
    )
    with pytest.raises(InputError, match="differ by up to nan"):
        exporting.export(replace(load_model(run), svms={}, arrays={}), run, tmp_path / "out")


def test_drawn_matrices_are_of_all_strengths(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large values alone give probabilities of 0 and 1, which hide differences."""
    given: list[np.ndarray] = []
    answer = ExportedModel.probabilities

    def noted(self: ExportedModel, matrices: np.ndarray, *more: Any) -> Any:
        given.append(matrices)
        return answer(self, matrices, *more)

    monkeypatch.setattr(ExportedModel, "probabilities", noted)
    model = load_model(run)
    exporting.export(model, run, tmp_path / "out")
    strengths = given[0].max(axis=(1, 2, 3))
    assert_allclose(strengths, np.linspace(0, model.description.peak, len(strengths)), rtol=1e-3)


def test_an_export_replaces_an_export_and_nothing_else(run: Path, damaged: Path, tmp_path: Path) -> None:
    model = load_model(run)
    with pytest.raises(InputError, match="not empty"):
        exporting.export(model, run, damaged)
    (damaged / DESCRIPTION_FILE).write_text("{}", encoding="utf-8")
    exporting.export(model, run, damaged, overwrite=True)
    assert open_export(damaged).description.classes == model.description.classes
    (damaged / "thesis.docx").touch()
    with pytest.raises(InputError, match="more than an export"):
        exporting.export(model, run, damaged, overwrite=True)
    assert (damaged / "thesis.docx").exists()


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_missing_file_is_an_error(damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    with pytest.raises(InputError, match=str(damaged)):
        open_run(damaged, engine="onnxruntime" if name == "network.onnx" else "auto")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["network.onnx", "network.bin"])
def test_a_network_cut_short_is_an_error(damaged: Path, name: str, engine: str) -> None:
    if (name, engine) == ("network.onnx", "numpy"):
        pytest.skip("numpy does not read it")
    truncate(damaged / name)
    with pytest.raises(InputError, match=f"can't be read by {engine}"):
        open_run(damaged, engine=engine)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format=99), "format 99; this version reads format 2"),
        (lambda c: c.pop("classes"), "expected the description of a model; KeyError"),
        (lambda c: c.update(peak="high"), "expected the description of a model; ValueError"),
        (lambda c: c.update(n_features=7), "expected 64 features; found 7"),
        (lambda c: c.update(n_features=32) or c["network"].update(base_channels=1), "expected 'mean' of shape"),
        (
            lambda c: c.update(svms=[], n_features=32) or c["network"].update(base_channels=1),
            "expected 'features' of shape",
        ),
        (lambda c: c.update(svms=["age"]), "expected SVMs of action_quality, gender; found age"),
        (
            lambda c: c.update(blocks={"action_quality": {"network": 3}}),
            "expected SVMs of action_quality, gender; found",
        ),
        (lambda c: c.update(precision="int4"), "expected a precision of float32, int8; found int4"),
        (lambda c: c["classes"]["action_quality"].pop(), "2 class names, but a network of 3 classes"),
        (lambda c: c["classes"]["gender"].append("X"), "expected 'coefficients' of shape"),
        (lambda c: c["network"].update(n_planes=2), "expected 'matrices' of shape"),
        (lambda c: c["network"].update(n_planes=10**9), "n_planes must be 1 to 1024; got 1000000000"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(damaged: Path, change: Callable[..., Any], said: str) -> None:
    rewrite(damaged / DESCRIPTION_FILE, change)
    with pytest.raises(InputError, match=said):
        open_run(damaged)


def test_an_engine_that_does_not_fit_the_folder_is_an_error(
    run: Path, folder: Path, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no weights for torch"):
        open_run(folder, engine="torch")
    with pytest.raises(InputError, match="reads what semg-hht export"):
        open_run(run, engine="openvino")
    with pytest.raises(InputError, match="one of auto, openvino, onnxruntime, numpy, torch; got 'tpu'"):
        open_run(folder, engine="tpu")
    monkeypatch.setattr("semg_hht.inference.engines.find_spec", lambda name: name == "numpy" or None)
    assert open_run(folder).predict(simulated.matrices).predictions, "NumPy is always there"
    with pytest.raises(InputError, match=r"engine='openvino' is not installed: pip install 'semg-hht\[openvino\]'"):
        open_network(folder / "network.onnx", "openvino")


def test_int8_is_written_if_it_keeps_the_accuracy(
    run: Path, simulated: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, model = load_folder(simulated.matrices), load_model(run)
    monkeypatch.setattr("semg_hht.exports.quantise.ALLOWED_LOSS", 1.0)
    done = exporting.export(model, run, tmp_path / "out", data=data, int8=True)
    assert done.trial is not None
    assert done.precision == "int8"
    assert json.loads((tmp_path / "out" / DESCRIPTION_FILE).read_text(encoding="utf-8"))["precision"] == "int8"
    assert {path.name for path in (tmp_path / "out").iterdir()} == PLAIN
    expected = model.probabilities(data.matrices)
    for name in installed():
        engine = open_export(tmp_path / "out", name)
        assert other_answers(engine, data.matrices) == []
        found = engine.probabilities(data.matrices)
        for task in expected:
            assert_allclose(found[task], expected[task], atol=0.5)
            assert np.abs(found[task] - expected[task]).max() > 1e-5, "eight bits are not 32"


def test_every_engine_is_in_the_trial_of_int8(
    run: Path, simulated: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    opening = open_network
    monkeypatch.setattr(exporting, "open_network", lambda path, name: opened.append(name) or opening(path, name))
    exporting.export(load_model(run), run, tmp_path / "out", data=load_folder(simulated.matrices), int8=True)
    assert opened == list(installed())


def test_int8_is_not_written_if_it_loses_accuracy(
    run: Path, folder: Path, simulated: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("semg_hht.exports.quantise.ALLOWED_LOSS", -1.0)
    options = ["--checkpoint", str(run), "--out", str(tmp_path / "out"), "--data_dir", str(simulated.matrices)]
    with pytest.raises(SystemExit) as ended:
        main(["export", *options, "--int8"])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert "float32 was written" in said.err
    assert "balanced accuracy" in said.out
    assert (tmp_path / "out" / "network.bin").read_bytes() == (folder / "network.bin").read_bytes()


def test_int8_needs_data_of_the_run_s_shape(run: Path, tmp_path: Path) -> None:
    model: Model = load_model(run)
    with pytest.raises(InputError, match="data="):
        exporting.export(model, run, tmp_path / "out", int8=True)
    with pytest.raises(InputError, match="2 planes a matrix; this run was trained on 1"):
        exporting.export(model, run, tmp_path / "out", data=make_dataset(n_planes=2), int8=True)


@pytest.fixture(scope="module")
def joining_run(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run with the recipe ``best``: SVMs of three and of two classes on joined blocks."""
    folder = tmp_path_factory.mktemp("joining") / "run"
    train(
        load_folder(simulated.matrices),
        folder,
        replace(TINY, recipe="best"),
        NetworkSize(base_channels=2),
        RunOptions(cpu=True),
    )
    return folder / "best"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_recipe_joins_is_exported(joining_run: Path, simulated: Simulated, tmp_path: Path, engine: str) -> None:
    data, model = load_folder(simulated.matrices), load_model(joining_run)
    assert set(model.description.blocks) == {"action_quality", "gender"}
    done = exporting.export(model, joining_run, tmp_path / "out", data=data)
    assert done.difference[engine] <= 1e-5
    assert {path.name for path in (tmp_path / "out").iterdir()} == JOINED
    exported = open_run(tmp_path / "out", engine=engine)
    assert exported.description.blocks == model.description.blocks
    expected = open_run(joining_run, cpu=True).predict(simulated.manifest, n_jobs=1)
    found = exported.predict(simulated.manifest, n_jobs=1)
    for ours, theirs in zip(found.predictions, expected.predictions, strict=True):
        for task, answer in theirs.answers.items():
            assert ours.answers[task].prediction == answer.prediction
            assert_allclose(
                list(ours.answers[task].probabilities.values()), list(answer.probabilities.values()), atol=1e-5
            )


def test_what_a_recipe_joins_is_compared_on_data_that_has_it(joining_run: Path, tmp_path: Path) -> None:
    model = load_model(joining_run)
    with pytest.raises(InputError, match="compared on real matrices: name them with data="):
        exporting.export(model, joining_run, tmp_path / "out")
    with pytest.raises(InputError, match="the data lacks their features, which this run's recipe joins"):
        exporting.export(model, joining_run, tmp_path / "out", data=make_dataset())


def test_the_compared_matrices_are_those_of_whole_repetitions() -> None:
    dataset = make_dataset(n_channels=3)  # which an answer may join
    chosen = dataset.subset(exporting._whole_repetitions(dataset, np.random.default_rng(0)))
    assert len(chosen) == 18
    assert {chosen.repetitions.count(key) for key in chosen.repetitions} == {3}


def test_an_export_says_what_is_unlike_as_the_run_does(run: Path, folder: Path, tmp_path: Path) -> None:
    ours, theirs = open_run(folder, engine="numpy"), open_run(run, cpu=True)
    assert ours.description.training == theirs.description.training is not None
    path = foreign_matrix(tmp_path / "a.npz")
    assert (
        ours.predict(path, n_jobs=1).predictions[0].unlike == theirs.predict(path, n_jobs=1).predictions[0].unlike != ()
    )
    content = (folder / "export.json").read_bytes()
    assert len(content) < 200_000
