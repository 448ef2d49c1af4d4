"""The steps of the page: which run answers, what is kept, and that a change needs a sensible request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from page_builders import PageVisitor, page_of
from semg_hht import samples
from semg_hht.prediction.run import Run, open_run
from semg_hht.web.shared_run import ShippedFacts
from semg_hht.web.visitors import Visitors

FACTS = ShippedFacts(n_trained=17, balanced_accuracy=0.8, low=0.7, high=0.9, n_people=20)


def test_first_sight_a_sample_and_the_shipped_run_without_a_command_line(visitors: Visitors) -> None:
    first = next(iter(samples.recordings().values()))
    page = page_of(visitors, sample=first, shipped=FACTS, open_shipped=lambda: open_run(samples.RUN))
    visitor = PageVisitor(page)
    assert visitor.state["run"]["kind"] == "none" and "80%" in visitor.state["run"]["shipped_sentence"]
    visitor.post("sample")
    (file,) = visitor.files
    assert file["name"] == first.name and len(file["repetitions"]) == 13 and len(file["trends"]) == 4
    assert visitor.client.get("/api/picture?file=1&repetition=1").status_code == 200
    assert "No model answers yet" in visitor.post("answer", 400)["error"]
    visitor.post("run", take="shipped")
    assert visitor.state["run"]["tasks"] == {"action_quality": ["neutral", "supinated"]}
    visitor.post("answer")
    visitor.wait()
    assert "neutral" in visitor.files[0]["verdict"]["text"]
    visitor.post("why", file=1, repetition=2)
    assert visitor.wait()["error"] == ""
    (why,) = visitor.files[0]["repetitions"][1]["why"]
    assert why["sentence"].startswith("What speaks for “neutral” is above all the ") and why["details"]
    rows = visitor.files[0]["repetitions"]
    visitor.post("repetitions", file=1, repetitions=[{**rows[0], "stop_s": rows[0]["stop_s"] - 0.1}, *rows[2:]])
    visitor.post("why", file=1, repetition=1)
    assert visitor.wait()["error"].startswith("This repetition has changed since")
    visitor.post("why", file=1, repetition=2)  # the third when it was answered
    assert visitor.wait()["error"] == "" and visitor.files[0]["repetitions"][1]["why"]
    assert first.is_file()


def test_a_reason_is_given_during_the_training_of_the_visitor(visitors: Visitors, run: Run, curl: Path) -> None:
    trains = threading.Event()

    def train_until_stopped(tell: Callable[[float, str], None]) -> Run:
        while True:
            tell(0.5, "people")
            trains.set()
            time.sleep(0.02)

    visitor = PageVisitor(page_of(visitors, run, make_practice=train_until_stopped))
    visitor.drop(curl)
    visitor.post("answer")
    visitor.wait()
    visitor.post("run", take="practice")
    assert trains.wait(20)
    visitor.post("why", file=1, repetition=1)
    assert visitor.files[0]["repetitions"][0]["why"][0]["sentence"]
    assert "Something is still running" in visitor.post("answer", 400)["error"]
    rows = visitor.files[0]["repetitions"]
    visitor.post("repetitions", file=1, repetitions=[{**rows[0], "stop_s": rows[0]["stop_s"] - 0.1}, *rows[1:]])
    assert visitor.post("why", 400, file=1, repetition=1)["error"].startswith("This repetition has changed since")
    assert not visitor.client.get("/api/job").json()["done"]
    visitor.post("stop")
    assert "topped" in visitor.wait()["error"]


def test_another_run_takes_the_answers_of_the_first_away(visitors: Visitors, run: Run, curl: Path) -> None:
    page = page_of(visitors, run, make_practice=lambda tell: run)
    visitor = PageVisitor(page)
    visitor.drop(curl)
    visitor.post("answer")
    visitor.wait()
    assert visitor.files[0]["answered"] and visitor.state["run"]["kind"] == "own"
    visitor.post("run", take="practice")
    visitor.wait()
    assert visitor.state["run"]["kind"] == "practice" and not visitor.files[0]["answered"]
    visitor.post("answer")
    visitor.wait()
    assert "simulated people only" in visitor.files[0]["verdict"]["warning"]
    assert "simulated people only" in visitor.client.get("/api/predictions").text
    assert PageVisitor(page).state["run"]["kind"] == "own"  # another visitor's choice is his own
    visitor.post("run", take="own")
    assert visitor.state["run"]["kind"] == "own"


def test_a_practice_run_tells_its_remaining_time_once_its_training_was_measured(visitors: Visitors, run: Run) -> None:
    told: list[float | None] = []

    def make(tell: Any) -> Run:
        for step in range(1, 41):
            tell(step / 40, "transforming" if step < 10 else "training")
            told.append(visitors.all()[0].job.remaining_s)
            time.sleep(0.002)
        return run

    visitor = PageVisitor(page_of(visitors, make_practice=make))
    visitor.post("run", take="practice")
    assert visitor.wait()["remaining_s"] is None
    assert set(told[:19]) == {None} and all(left is not None and 0 <= left < 2 for left in told[19:])


@pytest.mark.parametrize("scaling", ["log", "mvc"])
def test_another_maximum_takes_answers_away_that_are_relative_to_it(
    visitors: Visitors, run: Run, curl: Path, scaling: Any
) -> None:
    assert run.recording_config is not None
    page = page_of(visitors, run)
    visitor = PageVisitor(page)
    visitor.drop(curl)
    visitor.post("answer")
    visitor.wait()
    page.desk.own = replace(run, recording_config=replace(run.recording_config, scaling=scaling))
    visitor.post("maximum", file=1, of=1, start_s=None, stop_s=None)
    assert visitor.files[0]["maximum"] and visitor.files[0]["answered"] is (scaling == "log")


@pytest.mark.parametrize(
    ("step", "content"),
    [("run", {"take": "trained"}), ("run", {"take": "../x"}), ("language", {"language": "xx"}), ("remove", {}),
     ("repetitions", {"file": 9}), ("keep", {}), ("open", {"name": "x"}), ("why", {"file": 1}), ("train", {}),
     ("sample", {}), ("maximum", {"file": 1, "of": 1})],
)  # fmt: skip
def test_a_step_that_can_not_be_done_is_a_sentence_and_changes_nothing(
    visitor: PageVisitor, step: str, content: dict[str, object]
) -> None:
    assert visitor.post(step, 400, **content)["error"].endswith((".", "]'."))
    assert visitor.client.get("/api/state").json() == visitor.state
