"""Training from labelled recordings: what is missing, progress, stopping, resuming, and the score in a sentence."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from page_builders import PageVisitor, page_of
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import ManifestRow, read_manifest
from semg_hht.reports.words import read_words
from semg_hht.web import background, trained_run
from semg_hht.web.repetition_table import Refused
from semg_hht.web.trained_run import STOP_WAIT_S, labelled, missing, score_of, train
from semg_hht.web.view import sentence
from semg_hht.web.visit import About, BackgroundJob, Stopped, Visit, VisitFile
from semg_hht.web.visitors import Visitors

ROW = ManifestRow("a.csv", start_s=1.0, stop_s=2.0)


def with_labels(visit: Visit, *labels: tuple[str, str]) -> None:
    """One recording for each person and label."""
    for number, (person, label) in enumerate(labels, start=1):
        rows = (replace(ROW, movement=label), replace(ROW, start_s=3.0, stop_s=4.0))
        visit.put(VisitFile(number, Path(f"{number}.csv"), About(person=person), rows=rows))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([], "at least 3 people, one of them to test on; here are 0. Label recordings of 3 more."),
        ([("P1", "full"), ("P1", "half"), ("P2", "full")], "here are 2. Label recordings of 1 more."),
        ([("P1", "full"), ("", "half"), ("", "full")], "2 labelled files name nobody"),
        ([("P1", "full"), ("P2", "full"), ("P3", "full")], "All labels are “full”."),
        ([("P1", "full"), ("P2", "full"), ("P3", "half")], ""),
    ],
)
def test_it_says_what_is_missing(visit: Visit, labels: list[tuple[str, str]], said: str) -> None:
    with_labels(visit, *labels)
    found = labelled(visit)
    problem = missing(found)
    assert (said in sentence(problem, read_words("en"))) if problem is not None else said == ""
    assert found.n_repetitions == sum(bool(person) for person, _ in labels)
    if problem is not None:
        with pytest.raises(Refused, match=problem.name):
            train(visit, BackgroundJob())


def test_a_training_can_be_stopped_and_ends_with_all_its_processes(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_labels(visit, ("P1", "full"), ("P2", "full"), ("P3", "half"))
    job = BackgroundJob()
    # As a child of a page that a shell started in the background: it does not hear Ctrl-C.
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    commands: list[list[str]] = []

    def popen(command: list[str], **how: Any) -> Any:
        commands.append(command)
        return started([sys.executable, "-c", code], **how)

    started = trained_run.subprocess.Popen
    monkeypatch.setattr(trained_run.subprocess, "Popen", popen)
    threading.Timer(0.5, job.stopping.set).start()
    begun_s = time.monotonic()
    with pytest.raises(Stopped):
        train(visit, job)
    assert commands[0][-1] == "--overwrite" and "train" in commands[0] and job.stage.name == "app_stage_prepare"
    (visit.folder / "train" / "run" / "last").mkdir(parents=True)
    with pytest.raises(Stopped):
        train(visit, job, resume=True)
    assert commands[1][-1] == "--resume"
    assert time.monotonic() - begun_s < STOP_WAIT_S


def test_a_training_of_a_visit_that_is_removed_ends_at_once_and_leaves_nothing(
    visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not hear a signal for long, and what it writes beside its run lies in the folder of the visit."""
    _, visit = visitors.create()
    with_labels(visit, ("P1", "full"), ("P2", "full"), ("P3", "half"))
    code = (
        "import pathlib, signal, tempfile, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "pathlib.Path(tempfile.mkdtemp(), 'heard').touch(); time.sleep(60)"
    )
    started = trained_run.subprocess.Popen
    monkeypatch.setattr(trained_run.subprocess, "Popen", lambda _, **how: started([sys.executable, "-c", code], **how))
    background.start(visit, "train", lambda job: (train(visit, job), None)[1])
    end_s = time.monotonic() + 30
    while not list(visit.folder.glob("train/*/heard")):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    begun_s = time.monotonic()
    visitors.close()
    assert visit.job.done and time.monotonic() - begun_s < 2 and not visitors.folder.exists()


def test_an_error_of_the_training_is_told_in_words_of_the_page(visit: Visit) -> None:
    with_labels(visit, ("P1", "full"), ("P2", "full"), ("P3", "half"))
    run = visit.folder / "train" / "run"
    for part in ("last", "final"):  # a complete run without the state that resuming needs
        (run / part).mkdir(parents=True)
    with pytest.raises(Refused) as refused:
        train(visit, BackgroundJob(), resume=True)
    english, chinese = (sentence(refused.value.problem, read_words(language)) for language in ("en", "zh"))
    assert english.startswith("Training ended early: ") and "the training can't be resumed; start it again" in english
    assert "无法继续训练；请重新训练" in chinese
    assert not any(text in english + chinese for text in ("--", "overwrite", str(visit.folder)))


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("semg_hht.errors.InputError: a.csv: is odd", "app_train_failed"),
        ("OSError: [Errno 28] No space left on device", "app_train_failed"),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB", "app_no_memory"),
        ("torch.OutOfMemoryError: CUDA out of memory", "app_no_memory"),
        ("Traceback (most recent call last):\nRuntimeError: a fault", "app_failed"),
        ("  epoch 3   loss 0.2", "app_failed"),
        ("", "app_failed"),
    ],
)
def test_how_a_training_ended_is_read_from_what_it_printed(visit: Visit, printed: str, name: str) -> None:
    assert trained_run._failure(printed, visit).problem.name == name


def test_a_training_is_complete_when_its_scores_are_there(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process goes on to draw pictures, which the page does not show."""
    with_labels(visit, ("P1", "full"), ("P2", "full"), ("P3", "half"))
    run = visit.folder / "train" / "run"
    code = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "run = pathlib.Path(sys.argv[1]);"
        "run.mkdir(); (run / 'metrics.json').touch(); time.sleep(60)"
    )
    started = trained_run.subprocess.Popen
    monkeypatch.setattr(
        trained_run.subprocess, "Popen", lambda _, **how: started([sys.executable, "-c", code, str(run)], **how)
    )
    begun_s = time.monotonic()
    assert train(visit, BackgroundJob()) == run
    assert time.monotonic() - begun_s < 30


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_training_that_was_complete_before_it_could_be_stopped_is_kept(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, is_complete: bool
) -> None:
    with_labels(visit, ("P1", "full"), ("P2", "full"), ("P3", "half"))
    scores = visit.folder / "train" / "run" / "metrics.json"
    scores.parent.mkdir(parents=True)
    scores.write_text("of an earlier run")

    def watch(*_: Any) -> None:
        assert not scores.exists()
        if is_complete:
            scores.write_text("{}")
        raise Stopped

    monkeypatch.setattr(trained_run, "_watch", watch)
    if is_complete:
        assert train(visit, BackgroundJob()) == scores.parent
    else:
        with pytest.raises(Stopped):
            train(visit, BackgroundJob())


def test_the_remaining_time_is_told_once_an_epoch_was_measured(tmp_path: Path) -> None:
    now_s, job = time.time(), BackgroundJob()
    progress = trained_run._Progress(tmp_path, now_s - 200)

    def wrote(name: str, n_lines: int, ago_s: float) -> None:
        (tmp_path / name).write_text("{}\n" * n_lines, encoding="utf-8")
        os.utime(tmp_path / name, (now_s - ago_s, now_s - ago_s))
        progress.tell(job)

    progress.tell(job)
    assert job.stage.name == "app_stage_prepare" and job.share < trained_run.PREPARED and job.remaining_s is None
    wrote("config.json", 1, 100)
    assert job.stage.values == {"done": 0, "all": 8} and job.remaining_s is None
    wrote("history.jsonl", 2, 20)  # two epochs of 40 s each
    assert job.stage.values == {"done": 2, "all": 8}
    assert job.remaining_s == pytest.approx(40 * (6 + trained_run.N_AFTER) - 20, abs=5)
    before = job.share
    wrote("history.jsonl", 8, 20)
    assert job.stage.name == "app_stage_choose" and job.remaining_s == pytest.approx(
        10 * trained_run.N_AFTER - 20, abs=5
    )
    assert before < job.share < 1
    wrote("config.json", 1, 120)
    wrote("history.jsonl", 8, 110)  # longer than estimated: the stage alone is told
    assert job.remaining_s is None and job.share == 0.99


def test_epochs_of_a_stopped_training_are_not_counted_as_quick_ones(tmp_path: Path) -> None:
    job, now_s = BackgroundJob(), time.time()
    for name in ("config.json", "history.jsonl"):
        (tmp_path / name).write_text("{}\n" * 4, encoding="utf-8")
    progress = trained_run._Progress(tmp_path, now_s)
    progress.tell(job)
    assert job.remaining_s is None and job.stage.values == {"done": 4, "all": 8}
    (tmp_path / "history.jsonl").write_text("{}\n" * 5, encoding="utf-8")
    os.utime(tmp_path / "config.json", (now_s - 30, now_s - 30))
    progress.begun_s = now_s - 60
    progress.tell(job)
    assert job.remaining_s == pytest.approx(30 * (3 + trained_run.N_AFTER), abs=5)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_score_is_one_honest_sentence(tmp_path: Path, language: str) -> None:
    report = {"balanced_accuracy": 0.7, "balanced_accuracy_interval_95": None, "per_subject": {"P1": 0.7},
              "per_class": {"full": {}, "half": {}}}  # fmt: skip
    chosen = {"action_quality": {"name": "measures", "scores": {"measures": 0.8}, "n_people": 5}}
    for own, interval in (({}, None), (chosen, [0.5, 0.9])):
        report["balanced_accuracy_interval_95"] = interval
        content = {"test": {"action_quality": report}, "chosen": own}
        (tmp_path / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
        said = sentence(score_of(tmp_path, 6), read_words(language))
        assert all(text in said for text in ("70%", "50%", "6", "14"))
        assert ("80%" in said) is bool(own) and ("90%" in said) is (interval is not None)


@pytest.mark.slow
def test_a_visitor_trains_a_run_and_answers_with_it(visitors: Visitors, simulated: Any) -> None:
    visitor = PageVisitor(page_of(visitors, open_trained=lambda folder: open_run(folder, cpu=True)))
    for number, row in enumerate(read_manifest(simulated.manifest), start=1):
        shown = visitor.drop(simulated.manifest.parent / row.file, f"{number}.csv")
        visitor.post("about", file=number, person=row.subject)
        found = [{**repetition, "label": row.movement} for repetition in shown["repetitions"]]
        visitor.post("repetitions", file=number, repetitions=found)
    visitor.post("train")
    job = visitor.wait(300)
    assert job["error"] == ""
    assert visitor.state["run"]["kind"] == "trained" and "was trained with 4 people" in visitor.state["run"]["sentence"]
    visitor.post("answer")
    assert visitor.wait()["error"] == "" and visitor.files[0]["answered"]
