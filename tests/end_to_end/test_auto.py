"""The recipe auto from recordings to answers: together for a person, with examples, exported, explained."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from command_line import run
from semg_hht.datasets.find_inputs import InputOptions, find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.datasets.simulated import write_simulation
from semg_hht.errors import InputError
from semg_hht.explanation.explain import explain
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.transform import configure
from semg_hht.prediction.inputs import Choice
from semg_hht.prediction.run import open_run
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.signals.simulate import SimulationConfig
from semg_hht.system.files import read_json
from semg_hht.verbs.predicting import PredictOptions, predict

CONFIG = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3, recipe="auto")


@dataclass(frozen=True)
class Trained:
    """Simulated people with their recordings, the matrices of these, and a run of the recipe auto."""

    manifest: Path
    matrices: Path
    run: Path

    def of_person(self, person: str, name: str, *, without_subject: bool = False) -> Path:
        rows = [row for row in read_manifest(self.manifest) if row.subject == person]
        rows = [replace(row, movement="", gender="", subject="" if without_subject else row.subject) for row in rows]
        path = self.manifest.parent / name
        path.write_text(manifest_text(rows), encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("auto")
    config = configure(band_hz=(20.0, 200.0))
    manifest = write_simulation(folder / "recordings", SimulationConfig(7, n_repetitions=2, rate_hz=500.0), seed=1)
    done = prepare(find_jobs(manifest), folder / "prepared", config, n_jobs=1)
    dataset = load_folder(done.folder / "hht_matrices")
    result = train(dataset, folder / "run", CONFIG, NetworkSize(base_channels=2), RunOptions(cpu=True))
    assert result.chosen["action_quality"].n_people >= 4
    return Trained(manifest, done.folder / "hht_matrices", folder / "run")


def test_a_person_s_repetitions_are_answered_together(trained: Trained) -> None:
    opened = open_run(trained.run)
    person = read_manifest(trained.manifest)[0].subject
    together = opened.predict(trained.of_person(person, "together.csv"), n_jobs=1)
    parts = [part for prediction in together.predictions for part in prediction.parts]
    assert len(parts) == 6
    one = trained.manifest.parent / "one.csv"
    one.write_text(manifest_text(read_manifest(trained.of_person(person, "x.csv"))[:1]), encoding="utf-8")
    (alone,) = opened.predict(one, n_jobs=1).predictions
    assert alone.parts[0].answers["action_quality"].probabilities != parts[0].answers["action_quality"].probabilities
    small = predict(trained.of_person(person, "together.csv"), opened, options=PredictOptions(batch_size=1))
    assert small.to_json() == together.to_json()  # however the files are divided into batches


def test_examples_of_the_person_adapt_the_answers_and_leave_the_run(trained: Trained) -> None:
    opened = open_run(trained.run)
    before = {path: path.read_bytes() for path in (trained.run / "best").iterdir()}
    person = read_manifest(trained.manifest)[0].subject
    inputs = trained.of_person(person, "inputs.csv", without_subject=True)
    truth = [row for row in read_manifest(trained.manifest) if row.subject == person]
    full = [row for row in truth if row.movement == "full"]
    answers = {}
    for name, rows in {"right": full, "wrong": [replace(row, movement="invalid") for row in full]}.items():
        table = trained.manifest.parent / f"{name}.csv"
        table.write_text(manifest_text(rows), encoding="utf-8")
        (predicted,) = opened.predict(inputs, n_jobs=1, examples=opened.examples(table)).predictions
        shares = [part.answers["action_quality"].probabilities for part in predicted.parts]
        answers[name] = np.mean([share[row.movement] for share, row in zip(shares, truth, strict=True)])
    assert answers["right"] > answers["wrong"]
    assert {path: path.read_bytes() for path in before} == before


def test_examples_on_the_command_line(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    person = read_manifest(trained.manifest)[0].subject
    words = ("predict", "--checkpoint", trained.run, "--input", trained.of_person(person, "cli.csv"), "--output")
    assert run(*words, tmp_path / "a.json") == 0
    assert run(*words, tmp_path / "b.json", "--examples", trained.manifest) == 0
    assert json.loads((tmp_path / "a.json").read_text()) != json.loads((tmp_path / "b.json").read_text())
    capsys.readouterr()
    assert run(*words, tmp_path / "c.json", "--examples", trained.of_person(person, "none.csv")) == 1
    error = capsys.readouterr().err.replace("\n", " ")
    assert "expected examples of what the run answers" in error and "found no label" in error
    assert not (tmp_path / "c.json").exists()


def test_examples_change_no_run_that_answers_alone(simulated_run: Path, trained: Trained) -> None:
    with pytest.raises(InputError, match="answers each repetition alone, so examples of a person can't change it"):
        open_run(simulated_run).examples(trained.manifest)


def test_examples_with_another_class_are_refused(trained: Trained) -> None:
    table = trained.manifest.parent / "other.csv"
    rows = read_manifest(trained.manifest)[:2]
    table.write_text(manifest_text([replace(row, movement="quarter") for row in rows]), encoding="utf-8")
    with pytest.raises(InputError, match=r"other.csv: expected examples of .*full, half, invalid.*; found quarter"):
        open_run(trained.run).examples(table)


def test_the_export_answers_as_the_run(trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    assert run("export", "--checkpoint", trained.run, "--out", tmp_path / "out", "--data_dir", trained.matrices) == 0
    person = read_manifest(trained.manifest)[0].subject
    inputs = trained.of_person(person, "export.csv")
    ours, theirs = (open_run(f).predict(inputs, InputOptions(), n_jobs=1) for f in (trained.run, tmp_path / "out"))
    for a, b in zip(ours.predictions, theirs.predictions, strict=True):
        for task, answer in a.answers.items():
            assert b.answers[task].confidence == pytest.approx(answer.confidence, abs=1e-5)
            assert b.answers[task].prediction == answer.prediction


def test_an_answer_is_explained_with_the_class_that_predict_gives(trained: Trained, tmp_path: Path) -> None:
    row = read_manifest(trained.manifest)[0]
    inputs = trained.of_person(row.subject, "explained.csv")
    words = ("--checkpoint", trained.run, "--input", inputs)
    assert run("predict", *words, "--output", tmp_path / "p.json", "--explain", tmp_path / "pictures") == 0
    content = read_json(tmp_path / "p.json")
    assert content[row.file]["evidence"]
    opened = open_run(trained.run)
    explained = [e for e in explain(opened, inputs) if not isinstance(e, Failure) and e.task == "action_quality"]
    of_parts = [part["action_quality"]["confidence"] for part in content[row.file]["parts"]]
    assert [e.answer.confidence for e in explained] == pytest.approx(of_parts)
    second = list(explain(opened, inputs, choice=Choice(repetition=2)))
    assert second[0].answer.confidence == explained[1].answer.confidence  # the others still count
    assert list((tmp_path / "pictures").glob("*.png"))


def test_train_says_what_it_chose(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "--data_dir", trained.matrices, "--epochs", 1, "--base_channels", 2, "--cpu")
    assert run(*words, "--checkpoint_dir", tmp_path / "run") == 0
    assert "training people left out in turn" in " ".join(capsys.readouterr().out.split())
    assert read_json(tmp_path / "run" / "config.json")["training"]["recipe"] == "auto"
