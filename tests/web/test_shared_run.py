"""The runs that visitors share: each is made once, a failure becomes a message, and closing stops its making."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from semg_hht.errors import InputError
from semg_hht.prediction.run import Run
from semg_hht.web.shared_run import OWN, PRACTICE, SHIPPED, Desk, RunInfo, tracked


def test_a_practice_run_is_made_once_for_all(run: Run) -> None:
    results = iter([InputError("the disk is full"), run])
    shares: list[float] = []

    def make(tell: Callable[[float, str], None]) -> Run:
        tell(0.5, "training")
        result = next(results)
        if isinstance(result, InputError):
            raise result
        return result

    desk = Desk(make_practice=make)
    assert (desk.first_kind, desk.info("")) == ("", RunInfo())
    with pytest.raises(InputError, match="the disk is full"):
        desk.make(lambda share, _: shares.append(share))
    assert desk.run(PRACTICE) is None
    for _ in range(2):
        assert desk.make(lambda share, _: shares.append(share)) is run
    assert shares == [0.5, 0.5] and desk.run(PRACTICE) is run
    assert desk.info(PRACTICE).is_practice and desk.info(PRACTICE).classes == run.classes


def test_the_run_of_the_owner_answers_first_and_the_shipped_run_is_opened_once(run: Run) -> None:
    opened: list[int] = []

    def open_shipped() -> Run:
        opened.append(1)
        return run

    desk = Desk(run, "mine", open_shipped=open_shipped)
    assert (desk.first_kind, desk.run(OWN), desk.run(SHIPPED)) == (OWN, run, None)
    assert (desk.info(OWN).name, desk.info(OWN).is_practice) == ("mine", False)
    assert desk.take_shipped() is desk.take_shipped() is desk.run(SHIPPED) is run
    assert opened == [1]
    with pytest.raises(InputError, match="no run of the package"):
        Desk(run).take_shipped()
    with pytest.raises(InputError, match="trains no practice run"):
        Desk(run).make(lambda *_: None)


def test_closing_stops_a_run_that_is_being_made_and_waits_for_it() -> None:
    started, ended = threading.Event(), threading.Event()

    def make(tell: Callable[[float, str], None]) -> Run:
        started.set()
        try:
            while True:
                tell(0.1, "training")
        finally:
            ended.set()

    desk = Desk(make_practice=make)

    def try_to_make() -> None:
        with pytest.raises(InputError, match="the page is being closed"):
            desk.make(lambda *_: None)

    thread = threading.Thread(target=try_to_make)
    thread.start()
    assert started.wait(60)
    desk.close()
    assert ended.is_set()
    thread.join(60)
    assert desk.run(PRACTICE) is None


def test_progress_is_reported_as_a_share_of_the_whole() -> None:
    shares: list[float] = []
    track = tracked(lambda share, _: shares.append(share), 0.2, 0.6)
    assert list(track("abcd", 4, "reading")) == list("abcd")
    assert shares == pytest.approx([0.2, 0.3, 0.4, 0.5])
