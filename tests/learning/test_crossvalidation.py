"""Cross-validation fold by fold; `semg-hht evaluate` has its tests in tests/cli."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config

from builders import make_dataset, with_features
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import OURS, HeldOutAnswers
from semg_hht.learning import crossvalidation
from semg_hht.learning.baselines import BASELINES, repetition_features
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate, describe
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize
from semg_hht.reports.summary import gather
from semg_hht.reports.words import read_words

ONCE = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3)
SMALL, ON_CPU = NetworkSize(base_channels=2), FoldOptions(cpu=True)
TWO_FOLDS = FoldOptions(protocol="grouped", n_folds=2, cpu=True)


FEW = make_dataset(n_subjects=4, n_repetitions=1)  # two people per gender
IN_ALL_FOLDS = "in 4 of the 4 folds: "


def test_each_repetition_is_answered_once_by_every_method(tmp_path: Path) -> None:
    dataset = with_features(make_dataset(n_subjects=4, n_channels=2))
    answers = cross_validate(dataset, tmp_path / "e", ONCE, SMALL, TWO_FOLDS, n_jobs=1)
    assert {(a.task, a.method) for a in answers} == {
        (task, method) for task in ("action_quality", "gender") for method in (OURS, *BASELINES)
    }
    for a in answers:
        assert sorted(a.repetitions) == sorted(set(dataset.repetitions))
        assert np.allclose(a.probabilities.sum(axis=1), 1)
    by_method = {a.method: a.report() for a in answers if a.task == "action_quality"}
    assert by_method["RMS alone"].balanced_accuracy == 1
    assert by_method["duration alone"].balanced_accuracy < 0.7
    (together,) = [a.report() for a in answers if (a.task, a.method) == ("gender", "channels together")]
    assert together.balanced_accuracy == 1
    assert not list((tmp_path / "e").rglob("*.safetensors")), "weights are not kept unasked"


def test_the_findings_hold_the_answers_of_a_recording_to_show(tmp_path: Path, simulated: Simulated) -> None:
    dataset = load_folder(simulated.matrices)
    answers = cross_validate(dataset, tmp_path / "e", ONCE, SMALL, TWO_FOLDS, n_jobs=1)
    shown = describe(dataset, tmp_path / "e", answers)["shown"]["action_quality"]
    rows = [row for row in dataset.rows if row.extra["recording"] == shown["file"]]
    assert {row.subject for row in rows} == {shown["subject"]}
    assert [(one["start_s"], one["label"]) for one in shown["repetitions"]] == [
        (float(row.extra["recording_start_s"]), row.movement) for row in rows]  # fmt: skip


def test_held_out_people_are_not_in_the_training_parts(tmp_path: Path) -> None:
    dataset = make_dataset(n_subjects=4)
    cross_validate(dataset, tmp_path / "e", ONCE, SMALL, ON_CPU, n_jobs=1)
    folds = sorted((tmp_path / "e" / "folds").iterdir())
    assert len(folds) == 4
    for fold in folds:
        split = json.loads((fold / "split.json").read_text())
        held_out = json.loads((fold / "answers.json").read_text())["held_out"]
        assert split["test"]["subjects"] == held_out
        assert not set(held_out) & {*split["train"]["subjects"], *split["validation"]["subjects"]}


def test_labels_of_held_out_people_do_not_change_their_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strictest test for a leak: an unused label can't change a result."""
    monkeypatch.setattr(crossvalidation, "BASELINES", ("classical features",))  # a single one, for speed
    dataset = with_features(make_dataset(n_subjects=4))
    first = cross_validate(dataset, tmp_path / "a", ONCE, SMALL, TWO_FOLDS, n_jobs=1)
    turned = {"full": "half", "half": "invalid", "invalid": "full"}
    rows = tuple(replace(row, movement=turned[row.movement]) if row.subject == "S01" else row for row in dataset.rows)
    second = cross_validate(replace(dataset, rows=rows), tmp_path / "b", ONCE, SMALL, TWO_FOLDS, n_jobs=1)
    for one, other in zip(first, second, strict=True):
        mine = [i for i, subject in enumerate(one.subjects) if subject == "S01"]
        assert mine
        if one.task == "action_quality":
            assert np.array_equal(one.probabilities[mine], other.probabilities[mine])


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[HeldOutAnswers]]:
    """A finished evaluation of `FEW`, one fold after the other. Tests may only read it."""
    folder = tmp_path_factory.mktemp("one_by_one") / "e"
    return folder, cross_validate(FEW, folder, ONCE, SMALL, ON_CPU, n_jobs=1)


def test_jobs_do_not_matter(
    one_by_one: tuple[Path, list[HeldOutAnswers]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, first = one_by_one
    parallel = cross_validate(FEW, tmp_path / "f", ONCE, SMALL, ON_CPU, n_jobs=2)
    assert only_warning(caplog, tmp_path / "f", parallel).startswith(IN_ALL_FOLDS)  # of two processes
    with parallel_config(backend="threading"):  # threads share torch's random number generator
        threads = cross_validate(FEW, tmp_path / "g", ONCE, SMALL, ON_CPU, n_jobs=2)
    for one, other, third in zip(first, parallel, threads, strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)
        assert np.array_equal(one.probabilities, third.probabilities)


def test_a_finished_fold_is_not_computed_again(
    one_by_one: tuple[Path, list[HeldOutAnswers]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    folder, first = one_by_one
    copied = Path(shutil.copytree(folder, tmp_path / "e"))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(crossvalidation, "train", refuse)
    again = cross_validate(FEW, copied, ONCE, SMALL, ON_CPU, n_jobs=1)
    assert np.array_equal(first[0].probabilities, again[0].probabilities)
    assert only_warning(caplog, copied, again).startswith(IN_ALL_FOLDS)
    (copied / "folds" / "02" / "answers.json").unlink()
    with pytest.raises(AssertionError, match="trained again"):
        cross_validate(FEW, copied, ONCE, SMALL, ON_CPU, n_jobs=1)


def only_warning(caplog: pytest.LogCaptureFixture, folder: Path, answers: list[HeldOutAnswers]) -> str:
    """The warning that in each fold one person of a gender is left, which is logged and noted once."""
    said = [record.getMessage() for record in caplog.records if "only one subject" in record.getMessage()]
    assert len(said) == 1
    (note,) = describe(FEW, folder, answers)["fold_notes"]
    assert note["n_folds"] == 4
    assert note["text"] in read_words("en").texts["notes"]
    return said[0]


def test_a_warning_of_every_fold_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = cross_validate(FEW, tmp_path / "a", ONCE, SMALL, ON_CPU, n_jobs=1)
    assert only_warning(caplog, tmp_path / "a", answers).startswith(IN_ALL_FOLDS)


def test_another_evaluation_is_not_continued(tmp_path: Path) -> None:
    dataset = make_dataset(n_subjects=3)
    cross_validate(dataset, tmp_path / "e", ONCE, SMALL, ON_CPU, n_jobs=1)
    with pytest.raises(InputError, match="holds an evaluation of other data or settings"):
        cross_validate(
            dataset,
            tmp_path / "e",
            replace(ONCE, seed=7),
            NetworkSize(base_channels=2),
            FoldOptions(cpu=True),
            n_jobs=1,
        )
    cross_validate(
        dataset,
        tmp_path / "e",
        replace(ONCE, seed=7),
        NetworkSize(base_channels=2),
        FoldOptions(cpu=True, overwrite=True),
        n_jobs=1,
    )


def test_matrices_without_features_have_no_baselines(tmp_path: Path) -> None:
    assert repetition_features(make_dataset(), "classical features") is None
    answers = cross_validate(make_dataset(n_subjects=3), tmp_path / "e", ONCE, SMALL, ON_CPU, n_jobs=1)
    assert {a.method for a in answers} == {OURS}


def test_gender_is_left_out_with_a_warning_if_one_person_shows_a_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = make_dataset(n_subjects=3)
    answers = cross_validate(dataset, tmp_path / "e", ONCE, SMALL, ON_CPU, n_jobs=1)
    assert {a.task for a in answers} == {"action_quality"}
    assert "gender is left out" in caplog.text


def test_data_without_labels_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file has a label; expected movement or gender"):
        cross_validate(make_dataset(movements=("",), genders=()), tmp_path / "e", ONCE, SMALL, ON_CPU)


def test_a_folder_without_an_evaluation_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected an evaluation"):
        gather(tmp_path)


def test_a_continued_evaluation_reads_old_folds_in_their_order_of_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossvalidation, "BASELINES", ("duration alone",))
    dataset = with_features(make_dataset(n_subjects=3))
    names = {"full": "low", "half": "medium", "invalid": "high"}
    dataset = replace(dataset, rows=tuple(replace(row, movement=names[row.movement]) for row in dataset.rows))
    with monkeypatch.context() as earlier:
        earlier.setattr("semg_hht.learning.dataset.class_names", lambda labels: tuple(sorted({*labels})))
        before = cross_validate(dataset, tmp_path / "e", ONCE, SMALL, ON_CPU, n_jobs=1)
    after = cross_validate(dataset, tmp_path / "e", ONCE, SMALL, ON_CPU, n_jobs=1)
    for one, other in zip(before, after, strict=True):
        if one.task == "action_quality":
            assert (one.classes, other.classes) == (("high", "low", "medium"), ("low", "medium", "high"))
            assert np.array_equal(one.probabilities[:, [1, 2, 0]], other.probabilities)
            assert one.report().accuracy == other.report().accuracy
