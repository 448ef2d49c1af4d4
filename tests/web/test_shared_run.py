"""The run that answers all visitors: it is made once, a failure becomes a message, and closing stops its making."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from page_builders import CONFIG
from semg_hht import samples
from semg_hht.errors import InputError
from semg_hht.prediction.run import Run
from semg_hht.web.shared_run import Desk, tracked
from semg_hht.web.view import RunInfo, ShippedFacts, page_content
from semg_hht.web.visit import Visit


def test_a_run_is_made_once_and_then_answers(visit: Visit, curl: Path, run: Run) -> None:
    shares: list[float] = []

    def make_run(tell: Callable[[float, str], None]) -> Run:
        tell(0.5, "training")
        return run

    desk = Desk(None, make_run=make_run, config=CONFIG)
    assert desk.run_info == RunInfo(None, practice=False)
    visit = desk.receive(visit, [curl], None, "")
    assert desk.answer(visit, gender=False).answered is None  # there is no run yet
    for _ in range(2):
        assert desk.make(lambda share, _: shares.append(share)) == ()
    assert shares == [0.5]
    assert desk.run_info == RunInfo("", practice=True, tasks=tuple(run.classes))
    assert desk.answer(visit, gender=False).answered is not None


def test_a_run_that_can_not_be_made_leaves_a_message_and_can_be_tried_again(run: Run) -> None:
    results = iter([InputError("the disk is full"), run])

    def make_run(_: Callable[[float, str], None]) -> Run:
        result = next(results)
        if isinstance(result, InputError):
            raise result
        return result

    desk = Desk(None, make_run=make_run)
    (problem,) = desk.make(lambda *_: None)
    assert (problem.name, problem.values) == ("app_says", {"said": "the disk is full"})
    assert desk.make(lambda *_: None) == ()
    assert desk.run is run


def test_closing_stops_a_run_that_is_being_made_and_waits_for_it() -> None:
    started, ended = threading.Event(), threading.Event()

    def make_run(tell: Callable[[float, str], None]) -> Run:
        started.set()
        try:
            while True:
                tell(0.1, "training")
        finally:
            ended.set()

    desk = Desk(None, make_run=make_run)
    thread = threading.Thread(target=desk.make, args=(lambda *_: None,))
    thread.start()
    assert started.wait(60)
    desk.close()
    assert ended.is_set()
    thread.join(60)
    assert desk.run is None


def test_progress_is_reported_as_a_share_of_the_whole() -> None:
    shares: list[float] = []
    track = tracked(lambda share, _: shares.append(share), 0.2, 0.6)
    assert list(track("abcd", 4, "reading")) == list("abcd")
    assert shares == pytest.approx([0.2, 0.3, 0.4, 0.5])


FACTS = ShippedFacts(n_trained=17, balanced_accuracy=0.8, low=0.7, high=0.9, n_people=20)


def test_the_shipped_run_is_offered_and_answers_once_it_is_chosen(visit: Visit, curl: Path, run: Run) -> None:
    desk = Desk(None, config=CONFIG, shipped=FACTS, open_shipped=lambda: run)
    assert desk.run_info == RunInfo(None, practice=False, shipped=FACTS)
    assert desk.take_shipped() == ()
    assert desk.run_info == RunInfo("", practice=False, tasks=tuple(run.classes), shipped=FACTS)
    assert desk.answer(desk.receive(visit, [curl], None, ""), gender=False).answered is not None


def test_the_shipped_run_never_replaces_another(run: Run) -> None:
    desk = Desk(run, "mine", shipped=FACTS, open_shipped=lambda: pytest.fail("opened"))
    assert desk.take_shipped() == ()
    assert desk.run_info == RunInfo("mine", practice=False, tasks=tuple(run.classes))


def test_a_shipped_run_that_can_not_be_opened_leaves_a_message() -> None:
    def fail() -> Run:
        raise InputError("a file is missing")

    (problem,) = Desk(None, shipped=FACTS, open_shipped=fail).take_shipped()
    assert problem.values == {"said": "a file is missing"}


def test_the_sample_recording_is_shown_before_and_opened_by_one_click(visit: Visit) -> None:
    first = next(iter(samples.recordings().values()))
    desk = Desk(None, sample=first)
    recorded = desk.sample_recorded
    assert recorded is not None
    assert len(recorded.rows) == 13
    assert "</svg>" in page_content(visit, desk.run_info, recorded).sample
    opened = desk.open_sample(visit)
    assert [file.path.name for file in opened.files] == [first.name]
    page = page_content(opened, desk.run_info, recorded)
    assert "</svg>" in page.signal
    assert page.sample == ""
    assert first.is_file()  # the visit removes its own link, not the file of the package


def test_without_a_sample_nothing_is_offered(visit: Visit) -> None:
    desk = Desk(None)
    assert desk.sample_recorded is None
    assert desk.open_sample(visit) is visit
    assert page_content(visit, desk.run_info, None).sample == ""
