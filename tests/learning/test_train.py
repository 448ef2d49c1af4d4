"""Whole runs and resumed runs, and the files that they leave."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import make_dataset, write_dataset
from fault_injection import ended, forked
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.learning import epochs
from semg_hht.learning.classifiers import complete
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.learning.epochs import Epoch, TrainingConfig, encoder_task
from semg_hht.learning.train import NetworkSize, Result, RunOptions, train
from semg_hht.prediction.run import open_run
from semg_hht.system.progress import TrainingProgress

CONFIG = TrainingConfig(epochs=4, batch_size=8, learning_rate=1e-3)
WEIGHTS = ("best/network.safetensors", "final/network.safetensors")


def run(
    dataset: Dataset, folder: Path, config: TrainingConfig = CONFIG, *, n_layers: int = 3, base_channels: int = 2,
    progress: TrainingProgress = TrainingProgress(), **options: Any,
) -> Result:  # fmt: skip
    size = NetworkSize(n_layers, base_channels)
    return train(dataset, folder, config, size, RunOptions(cpu=True, **options), progress=progress)


def weights(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in WEIGHTS]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


class Stop(Exception):
    """The process dies here."""


def stop_after(n: int) -> Any:
    calls = iter(range(1, 10**6))

    def hook(*_: Any) -> None:
        if next(calls) == n:
            raise Stop

    return hook


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset()


@pytest.fixture(scope="module")
def uninterrupted(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    run(dataset, folder)
    return folder


def test_a_run_writes_the_documented_files(tiny_result: Result) -> None:
    assert {path.name for path in tiny_result.folder.iterdir()} >= {
        "config.json", "split.json", "history.jsonl", "metrics.json", "test_predictions.json",
        "best", "final", "last", "checkpoint_epoch_2",
    }  # fmt: skip
    for name in ("best", "final"):
        assert {path.name for path in (tiny_result.folder / name).iterdir()} == {
            "network.safetensors", "gender.npz", "gender.skops", "model.json",
        }  # fmt: skip
    assert not [path for path in tiny_result.folder.rglob(".*")]


def test_the_files_agree_with_the_result(tiny_result: Result) -> None:
    history = [json.loads(line) for line in (tiny_result.folder / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in history] == [1, 2, 3]
    right = tiny_result.reports["gender"].balanced_accuracy
    assert f"best epoch {tiny_result.best_epoch} of 3, " in repr(tiny_result)
    assert repr(tiny_result).endswith(f", gender {right:.2f}>")
    config = read(tiny_result.folder / "config.json")
    assert config["training"]["epochs"] == 3
    assert config["network"]["base_channels"] == 2
    assert config["classes"]["action_quality"] == ["full", "half", "invalid"]
    assert len(config["data_fingerprint"]) == 64
    metrics = read(tiny_result.folder / "metrics.json")
    assert metrics["best_epoch"] == tiny_result.best_epoch
    assert metrics["split_by"] == "subject"
    assert list(metrics["test"]["action_quality"]["confusion"]) == ["full", "half", "invalid"]
    assert {"accuracy", "balanced_accuracy", "per_class", "per_subject"} <= set(metrics["test"]["gender"])
    split = read(tiny_result.folder / "split.json")
    people = [set(split[side]["subjects"]) for side in ("train", "validation", "test")]
    assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


def test_the_rate_follows_warm_up_and_cosine(uninterrupted: Path) -> None:
    history = [json.loads(line) for line in (uninterrupted / "history.jsonl").read_text().splitlines()]
    rates = [record["learning_rate"] for record in history]
    assert_allclose(max(rates), 1e-3)
    assert rates[-1] < 0.5e-3


def test_the_first_loss_is_near_chance(uninterrupted: Path) -> None:
    first = json.loads((uninterrupted / "history.jsonl").read_text().splitlines()[0])
    assert_allclose(first["train_loss"], np.log(3), atol=0.25)


def test_a_network_learns_what_can_be_learned(tmp_path: Path) -> None:
    """The bright band of class 'high' has the lowest position; the network must still learn its name."""
    data = make_dataset(movements=("high", "mid", "low"), n_subjects=6, n_repetitions=3)
    config = TrainingConfig(epochs=10, batch_size=8, learning_rate=3e-3)
    report = run(data, tmp_path / "run", config, n_layers=7, base_channels=4).reports["action_quality"]
    assert report.balanced_accuracy > 0.8
    assert report.per_class["high"]["recall"] > 0.6


def test_a_seed_gives_the_same_bits(dataset: Dataset, uninterrupted: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "again")
    run(dataset, tmp_path / "other", replace(CONFIG, seed=7))
    assert weights(tmp_path / "again") == weights(uninterrupted)
    assert weights(tmp_path / "other")[1] != weights(uninterrupted)[1]


@pytest.mark.parametrize("where", ["between epochs", "in the middle of an epoch", "in the first epoch"])
def test_a_resumed_run_ends_with_the_same_bits(
    dataset: Dataset, uninterrupted: Path, tmp_path: Path, where: str
) -> None:
    hooks = {
        "between epochs": TrainingProgress(on_epoch=stop_after(2)),
        "in the middle of an epoch": TrainingProgress(on_step=stop_after(6)),
        "in the first epoch": TrainingProgress(on_step=stop_after(1)),
    }
    with pytest.raises(Stop):
        run(dataset, tmp_path / "run", progress=hooks[where])
    assert not (tmp_path / "run" / "final").exists()
    if where == "in the first epoch":
        # There is no state to resume yet: the run starts again in its own folder.
        run(dataset, tmp_path / "run", resume=True, overwrite=True)
    else:
        run(dataset, tmp_path / "run", resume=True)
    assert weights(tmp_path / "run") == weights(uninterrupted)
    for name in ("history.jsonl", "metrics.json", "split.json"):
        assert (tmp_path / "run" / name).read_text() == (uninterrupted / name).read_text()


def test_a_run_stopped_in_its_first_epoch_resumes_with_resume_alone(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(dataset, tmp_path / "run", progress=TrainingProgress(on_step=stop_after(1)))
    assert len(run(dataset, tmp_path / "run", resume=True).history) == CONFIG.epochs


def test_a_run_killed_while_best_is_replaced_resumes(dataset: Dataset, uninterrupted: Path, tmp_path: Path) -> None:
    """SVMs are added to best/ after training. A kill between the two renames leaves no best/."""
    folder = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    (folder / "best").rename(folder / ".best.123.old")
    run(dataset, folder, resume=True)
    assert weights(folder) == weights(uninterrupted)


def test_resuming_a_finished_run_changes_nothing(dataset: Dataset, uninterrupted: Path, tmp_path: Path) -> None:
    """It also completes the history, which a kill may have left without its last line."""
    folder = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    history = (folder / "history.jsonl").read_text().splitlines(keepends=True)
    (folder / "history.jsonl").write_text("".join(history[:-1]))
    result = run(dataset, folder, resume=True)
    assert len(result.history) == CONFIG.epochs
    assert weights(folder) == weights(uninterrupted)
    for path in (path for path in uninterrupted.rglob("*") if path.is_file()):
        assert (folder / path.relative_to(uninterrupted)).read_bytes() == path.read_bytes(), path.name


def test_resuming_an_empty_folder_starts_a_run(
    dataset: Dataset, uninterrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(dataset, tmp_path / "run", resume=True)
    assert "holds no run to resume: a new one begins" in caplog.text
    assert weights(tmp_path / "run") == weights(uninterrupted)


def test_other_data_is_refused(uninterrupted: Path) -> None:
    with pytest.raises(InputError, match=r"this run was started with other data .*choose another checkpoint_dir="):
        run(make_dataset(seed=1), uninterrupted, resume=True)


def test_other_settings_are_refused_and_named(dataset: Dataset, uninterrupted: Path) -> None:
    with pytest.raises(InputError, match=r"started with other training \(learning_rate 0\.001 -> 0\.01\)"):
        run(dataset, uninterrupted, replace(CONFIG, learning_rate=1e-2), resume=True)
    with pytest.raises(InputError, match=r"started with other network \(base_channels 2 -> 3\)"):
        run(dataset, uninterrupted, base_channels=3, resume=True)


def test_a_run_can_be_extended_with_a_warning(
    dataset: Dataset, uninterrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    result = run(dataset, folder, replace(CONFIG, epochs=6), resume=True)
    assert "started for 4 epochs and continues to 6" in caplog.text
    assert len(result.history) == 6
    assert result.history[4].learning_rate > 0


def test_a_folder_that_holds_a_run_or_anything_is_refused(
    dataset: Dataset, uninterrupted: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match="holds a run already; resume=True continues it, overwrite=True discards it and starts again"
    ):
        run(dataset, uninterrupted)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="this folder is not empty"):
        run(dataset, tmp_path)


def test_overwriting_starts_again_and_keeps_other_files(dataset: Dataset, tiny_copy: Path) -> None:
    (tiny_copy / "notes.txt").write_text("mine")
    run(dataset, tiny_copy, replace(CONFIG, epochs=1), overwrite=True)
    assert (tiny_copy / "notes.txt").read_text() == "mine"
    assert not (tiny_copy / "checkpoint_epoch_2").exists()
    assert not (tiny_copy / "test_predictions.json").exists()
    assert len((tiny_copy / "history.jsonl").read_text().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
def test_a_process_killed_in_the_middle_of_an_epoch_resumes_to_the_same_bits(tmp_path: Path) -> None:
    data = write_dataset(make_dataset(), tmp_path / "data")
    config = TrainingConfig(epochs=3, batch_size=4, learning_rate=1e-3)
    train(load_folder(data), tmp_path / "whole", config, NetworkSize(base_channels=2), RunOptions(cpu=True))
    folder, log = tmp_path / "killed", tmp_path / "log"
    command = [
        "train", "--data_dir", str(data), "--checkpoint_dir", str(folder), "--epochs", "3", "--batch_size", "4",
        "--learning_rate", "1e-3", "--base_channels", "2", "--recipe", "plain", "--cpu",
    ]  # fmt: skip

    def until_killed() -> None:
        """In the second step of the second epoch."""
        steps, take = count(), epochs.take_gradients

        def step(*given: Any) -> None:
            if (folder / "history.jsonl").exists() and next(steps) == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            take(*given)

        epochs.take_gradients = step  # of this fork alone
        main(command)

    assert ended(forked(until_killed, log), log).code == -signal.SIGKILL
    assert (folder / "history.jsonl").read_text().count("\n") == 1
    assert not (folder / "final").exists()
    done = ended(forked(partial(main, [*command, "--resume"]), log), log)
    assert done.code == 0, done.said
    assert "resumed after epoch 1 of 3" in done.said
    assert weights(folder) == weights(tmp_path / "whole")
    assert (folder / "history.jsonl").read_text() == (tmp_path / "whole" / "history.jsonl").read_text()


def test_the_best_epoch_is_picked_by_validation(tiny_result: Result) -> None:
    history = [json.loads(line) for line in (tiny_result.folder / "history.jsonl").read_text().splitlines()]
    score = [(r["validation_balanced_accuracy"], -r["validation_loss"]) for r in history]
    assert tiny_result.best_epoch == 1 + score.index(max(score))
    assert read(tiny_result.folder / "best" / "model.json")["epoch"] == tiny_result.best_epoch
    assert read(tiny_result.folder / "final" / "model.json")["epoch"] == 3


@pytest.mark.parametrize(("best_epoch", "n_fitted"), [(1, 2), (4, 1)])
def test_what_answers_is_fitted_once_where_the_last_epoch_is_the_best(
    best_epoch: int, n_fitted: int, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Epoch, "score", property(lambda self: (-abs(self.epoch - best_epoch), 0.0)))
    n = Counter[str]()

    def counted(*args: Any) -> Any:
        n["fitted"] += 1
        return complete(*args)

    monkeypatch.setattr("semg_hht.learning.train.complete", counted)
    assert run(dataset, tmp_path / "run").best_epoch == best_epoch
    assert n["fitted"] == n_fitted
    own = [read(tmp_path / "run" / name / "model.json") for name in ("best", "final")]
    assert [model["epoch"] for model in own] == [best_epoch, 4]
    assert all(model["calibration"] for model in own)
    assert weights(tmp_path / "run")[0] != weights(tmp_path / "run")[1] or best_epoch == 4


def test_labels_of_test_people_do_not_change_the_weights(dataset: Dataset, uninterrupted: Path, tmp_path: Path) -> None:
    """The movements of the test people are permuted: equal counts give the same split."""
    rows, test = list(dataset.rows), set(read(uninterrupted / "split.json")["test"]["subjects"])
    own = [i for i, row in enumerate(rows) if row.subject in test]
    for i, j in zip(own, [*own[2:], *own[:2]], strict=True):
        rows[i] = replace(rows[i], movement=dataset.rows[j].movement)
    run(replace(dataset, rows=tuple(rows)), tmp_path / "run")
    assert weights(tmp_path / "run") == weights(uninterrupted)
    assert read(tmp_path / "run" / "split.json")["test"] == read(uninterrupted / "split.json")["test"]


def first_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Epoch, "score", property(lambda self: (-self.epoch, 0.0)))


def test_unlabelled_files_are_predicted_with_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_is_best(monkeypatch)
    data = make_dataset(n_unlabelled=3)
    result = run(data, tmp_path / "run")
    assert (result.best_epoch, result.n_unlabelled) == (1, 3)
    said = read(tmp_path / "run" / "test_predictions.json")
    assert list(said) == ["Test1_1_001.npz", "Test1_1_002.npz", "Test1_1_003.npz"]
    write_dataset(data.subset(np.arange(len(data) - 3, len(data))), tmp_path / "new", manifest=False)
    by = {
        name: open_run(tmp_path / "run" / name, cpu=True).predict(tmp_path / "new").to_json()
        for name in ("best", "final")
    }

    def probabilities(answers: dict[str, Any]) -> list[float]:
        return [
            p for file in said for task in ("action_quality", "gender")
            for p in answers[file][task]["probabilities"].values()
        ]  # fmt: skip

    assert_allclose(probabilities(said), probabilities(by["best"]), atol=2e-6)
    assert np.abs(np.array(probabilities(said)) - probabilities(by["final"])).max() > 1e-3


def test_the_score_is_that_of_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    first_is_best(monkeypatch)
    result = run(dataset, tmp_path / "run")
    unseen = read(tmp_path / "run" / "split.json")["test"]["subjects"]
    test = [i for i, row in enumerate(dataset.rows) if row.subject in unseen]
    from semg_hht.learning.checkpoint import load_model

    probabilities = load_model(tmp_path / "run" / "best").probabilities(dataset.matrices[test])["action_quality"]
    names = ("full", "half", "invalid")
    right = [names[int(p.argmax())] == dataset.rows[i].movement for p, i in zip(probabilities, test, strict=True)]
    assert_allclose(result.reports["action_quality"].accuracy, np.mean(right))


def test_patience_stops_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    first_is_best(monkeypatch)
    result = run(dataset, tmp_path / "run", replace(CONFIG, epochs=10, patience=2))
    assert len(result.history) == 3
    assert read(tmp_path / "run" / "metrics.json")["n_epochs"] == 3


def test_gender_alone_trains_the_encoder_on_gender_with_a_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(make_dataset(movements=("",), n_subjects=6, n_repetitions=3), tmp_path / "run")
    assert "the encoder is trained on gender" in caplog.text
    assert list(result.reports) == ["gender"]
    assert read(tmp_path / "run" / "best" / "model.json")["encoder_task"] == "gender"
    answers = open_run(tmp_path / "run", cpu=True).description.classes
    assert answers == {"gender": ("F", "M")}


def test_movement_alone_trains_no_svm(tmp_path: Path) -> None:
    result = run(make_dataset(genders=()), tmp_path / "run", replace(CONFIG, epochs=1))
    assert list(result.reports) == ["action_quality"]
    assert not (tmp_path / "run" / "best" / "gender.skops").exists()


@pytest.mark.parametrize("task", ["action_quality", "gender"])
def test_one_task_of_two(tmp_path: Path, task: str, dataset: Dataset) -> None:
    result = run(dataset, tmp_path / "run", replace(CONFIG, epochs=1), task=task)
    assert list(result.reports) == [task]
    assert read(tmp_path / "run" / "best" / "model.json")["encoder_task"] == task


def test_classes_have_their_names_and_order(tmp_path: Path) -> None:
    data = make_dataset(movements=("high", "mid", "low"), n_unlabelled=1)
    run(data, tmp_path / "run", replace(CONFIG, epochs=1))
    metrics = read(tmp_path / "run" / "metrics.json")["test"]["action_quality"]
    assert list(metrics["per_class"]) == ["low", "mid", "high"]
    assert list(metrics["confusion"]) == ["low", "mid", "high"]
    (answer,) = read(tmp_path / "run" / "test_predictions.json").values()
    assert list(answer) == ["gender", "action_quality"]
    assert list(answer["action_quality"]["probabilities"]) == ["low", "mid", "high"]
    assert list(answer["gender"]["probabilities"]) == ["F", "M"]


def test_one_subject_is_split_by_repetition_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = run(make_dataset(n_subjects=1, n_repetitions=5), tmp_path / "run", replace(CONFIG, epochs=1))
    assert result.split_by == "repetition"
    assert "the score is then too high" in caplog.text
    assert "every label of gender is F: it is not trained" in caplog.text
    assert "too high" in read(tmp_path / "run" / "metrics.json")["notes"][0]


def test_unknown_subjects_work_by_repetition(tmp_path: Path) -> None:
    result = run(make_dataset(subject=""), tmp_path / "run", replace(CONFIG, epochs=1))
    assert (result.split_by, list(result.reports)) == ("repetition", ["action_quality", "gender"])


def test_channels_of_a_repetition_are_pooled_and_stay_together(tmp_path: Path) -> None:
    result = run(make_dataset(n_channels=2, n_repetitions=1), tmp_path / "run", replace(CONFIG, epochs=1))
    assert result.reports["action_quality"].n == 3  # repetitions of the test subject, not matrices


def test_stacked_channels_train(tmp_path: Path) -> None:
    run(make_dataset(n_planes=3), tmp_path / "run", replace(CONFIG, epochs=1))
    assert open_run(tmp_path / "run", cpu=True).description.network.n_planes == 3


@pytest.mark.parametrize("n_in_batch", [2, 3, 4])
def test_a_last_batch_of_one_does_not_break(tmp_path: Path, n_in_batch: int) -> None:
    result = run(make_dataset(), tmp_path / "run", replace(CONFIG, epochs=1, batch_size=n_in_batch), n_layers=8)
    assert np.isfinite(result.history[0].train_loss)


def test_no_labels_and_one_class_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file has a label; expected movement or gender"):
        run(make_dataset(movements=("",), genders=()), tmp_path / "a")
    with pytest.raises(InputError, match=r"action_quality: only one class \(full\) is labelled; expected at least two"):
        run(make_dataset(movements=("full",), genders=()), tmp_path / "b")
    with pytest.raises(InputError, match=r"gender: only one class \(F\) is labelled"):
        run(make_dataset(movements=("",), genders=("F",)), tmp_path / "c")
    with pytest.raises(InputError, match="gender: only one class"):
        encoder_task({"gender": ("F",)})
    assert not any((tmp_path / name).exists() for name in "abc")


def test_tasks_that_are_unknown_or_unlabelled_are_errors(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(InputError, match="task 'age' is unknown; expected one of both, action_quality, gender"):
        run(dataset, tmp_path / "run", task="age")
    with pytest.raises(InputError, match="no file has a label for gender"):
        run(make_dataset(genders=()), tmp_path / "run", task="gender")


def test_a_class_without_training_people_is_an_error(tmp_path: Path) -> None:
    data = make_dataset(n_subjects=3)
    rows = tuple(replace(row, movement=("full", "half", "invalid")[int(row.subject[1:]) - 1]) for row in data.rows)
    with pytest.raises(InputError, match="action_quality: nothing is left to train .* on; expected every class in"):
        run(replace(data, rows=rows), tmp_path / "run")


def test_a_gender_without_training_people_is_an_error_before_training(tmp_path: Path) -> None:
    epochs: list[Epoch] = []
    with pytest.raises(InputError, match="gender: nobody is left to train . on; expected several subjects of each"):
        run(make_dataset(n_subjects=2), tmp_path / "run", progress=TrainingProgress(on_epoch=epochs.append))
    assert epochs == [], "a hundred epochs are a bad moment to learn it"


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    data = make_dataset()
    broken = data.matrices.copy()
    broken[:] = np.inf
    with pytest.raises(InputError, match=r"the loss became nan in epoch 1; lower learning_rate="):
        run(replace(data, matrices=broken), tmp_path / "run")
    assert not (tmp_path / "run" / "best").exists()


def test_resume_never_clears_a_trained_model(dataset: Dataset, uninterrupted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    shutil.rmtree(folder / "last")
    with pytest.raises(
        InputError, match=r"holds a trained model but not last/state\.safetensors, .* overwrite=True discards"
    ):
        run(dataset, folder, resume=True)
    assert weights(folder) == weights(uninterrupted)


@pytest.mark.parametrize("mistake", [{"n_layers": 99}, {"task": "age"}, {"config": replace(CONFIG, test_size=2)}])
def test_a_mistake_with_overwrite_costs_no_run(
    dataset: Dataset, uninterrupted: Path, tmp_path: Path, mistake: dict[str, Any]
) -> None:
    folder = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    with pytest.raises(InputError, match=r"num_encoder_layers|task 'age'|test_size"):
        run(dataset, folder, overwrite=True, **mistake)
    assert weights(folder) == weights(uninterrupted)


def test_overwrite_leaves_what_is_not_the_runs(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "holiday.png").write_bytes(b"mine")
    run(dataset, tmp_path / "run", replace(CONFIG, epochs=1), overwrite=True)
    assert (tmp_path / "run" / "holiday.png").read_bytes() == b"mine"


def test_a_changed_split_can_not_be_resumed(dataset: Dataset, uninterrupted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    split = read(folder / "split.json")
    split["test"], split["train"] = split["train"], split["test"]
    (folder / "split.json").write_text(json.dumps(split))
    with pytest.raises(InputError, match=r"people would be split otherwise than in split\.json"):
        run(dataset, folder, resume=True)


def test_one_action_and_two_genders_train_gender(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = run(make_dataset(movements=("curl",)), tmp_path / "run", replace(CONFIG, epochs=1))
    assert set(result.reports) == {"gender"}
    assert "every label of action quality is curl: it is not trained" in caplog.text


def test_unlabelled_files_with_odd_names_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make_dataset(n_unlabelled=2)
    rows = [replace(r, file=r.file if r.movement or r.gender else r.file.replace("Test", "haf")) for r in data.rows]
    run(replace(data, rows=tuple(rows)), tmp_path / "run", replace(CONFIG, epochs=1))
    assert "without labels, so not trained on but predicted: haf" in caplog.text


def test_without_subjects_there_is_no_interval_over_people(tmp_path: Path) -> None:
    data = make_dataset()
    nameless = replace(data, rows=tuple(replace(row, subject="") for row in data.rows))
    result = run(nameless, tmp_path / "run", replace(CONFIG, epochs=1))
    assert result.split_by == "repetition"
    assert all(report.balanced_accuracy_interval is None for report in result.reports.values())


def test_the_order_of_a_manifest_changes_nothing(tmp_path: Path) -> None:
    write_dataset(make_dataset(), tmp_path / "data")
    manifest = tmp_path / "data" / "manifest.csv"
    header, *lines = manifest.read_text().splitlines()
    before = load_folder(tmp_path / "data")
    manifest.write_text("\n".join([header, *lines[::-1]]) + "\n")
    after = load_folder(tmp_path / "data")
    assert [row.file for row in before.rows] == [row.file for row in after.rows]
    assert before.fingerprint() == after.fingerprint()


def test_the_work_on_labels_does_not_grow_with_the_square_of_the_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of calls that list all labels does not depend on the number of examples."""
    listed: Counter[str] = Counter()

    def counting(name: str, of: Any) -> Any:
        def counted(*args: Any) -> Any:
            listed[name] += 1
            return of(*args)

        return counted

    monkeypatch.setattr(Dataset, "labels", counting("labels", Dataset.labels))
    monkeypatch.setattr(Dataset, "subjects", property(counting("subjects", Dataset.subjects.fget)))
    counts = []
    for n_repetitions in (1, 3):
        listed.clear()
        run(make_dataset(n_repetitions=n_repetitions), tmp_path / str(n_repetitions), replace(CONFIG, epochs=1))
        counts.append(dict(listed))
    assert counts[0] == counts[1]


def test_a_resumed_run_keeps_its_order_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier versions sorted low, medium and high alphabetically."""
    names = {"full": "low", "half": "medium", "invalid": "high"}
    plain = make_dataset()
    dataset = replace(plain, rows=tuple(replace(row, movement=names[row.movement]) for row in plain.rows))
    assert dataset.classes()["action_quality"] == ("low", "medium", "high")
    config = replace(CONFIG, epochs=2)
    with monkeypatch.context() as earlier:
        earlier.setattr("semg_hht.learning.dataset.class_names", lambda labels: tuple(sorted({*labels})))
        run(dataset, tmp_path / "earlier", config)
        with pytest.raises(Stop):
            run(dataset, tmp_path / "run", config, progress=TrainingProgress(on_epoch=stop_after(1)))
    run(dataset, tmp_path / "run", config, resume=True)
    assert weights(tmp_path / "run") == weights(tmp_path / "earlier")
    assert read(tmp_path / "run" / "best" / "model.json")["classes"]["action_quality"] == ["high", "low", "medium"]
