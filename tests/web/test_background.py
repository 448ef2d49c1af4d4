"""Work in the background: one piece at a time, and every end becomes a sentence."""

from __future__ import annotations

import threading
import time

import pytest

from semg_hht.errors import InputError
from semg_hht.web import background
from semg_hht.web.repetition_table import Refused
from semg_hht.web.visit import BackgroundJob, Stopped, Visit


def ended(visit: Visit) -> str:
    end = time.monotonic() + 20
    while not visit.job.done and time.monotonic() < end:
        time.sleep(0.01)
    return "" if visit.job.error is None else visit.job.error.name


def test_one_piece_of_work_runs_at_a_time_and_can_be_stopped(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def work(job: BackgroundJob) -> None:
        begun.set()
        assert job.stopping.wait(20)
        raise Stopped

    background.start(visit, "train", work)
    assert begun.wait(20) and not visit.job.done
    with pytest.raises(Refused, match="app_busy"):
        background.start(visit, "answer", work)
    visit.job.stopping.set()
    assert ended(visit) == "app_stopped"
    monkeypatch.setattr(background, "_running", threading.BoundedSemaphore(1))
    background._running.acquire()
    with pytest.raises(Refused, match="app_too_busy"):
        background.start(visit, "answer", work)
    visit.job = BackgroundJob("train", done=False)
    with pytest.raises(Refused, match="app_too_busy"):
        background.start_short(visit, "why", work)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Refused("app_too_long"), "app_too_long"), (InputError("a.csv: is odd"), "app_says"),
        (MemoryError(), "app_no_memory"), (RuntimeError("a fault"), "app_failed"), (None, ""),
    ],
)  # fmt: skip
def test_every_end_becomes_a_sentence(visit: Visit, error: Exception | None, name: str) -> None:
    def work(job: BackgroundJob) -> None:
        if error is not None:
            raise error

    background.start(visit, "answer", work)
    assert ended(visit) == name
    assert visit.job.share == 1.0 and visit.changed == 1
