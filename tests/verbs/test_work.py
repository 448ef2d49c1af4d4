"""verbs/work.py: how a verb works."""

from __future__ import annotations

import logging

import pytest

from semg_hht.recordings.jobs import Failure
from semg_hht.verbs.work import Work


def test_files_left_out_are_said_with_the_first_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "semg_hht"):
        Work().say_failures([])
        Work().say_failures([Failure("a.csv", "a.csv: is empty"), Failure("b.csv", "b.csv: is empty")])
    assert caplog.messages == ["left out: 2 file(s) could not be used; the first: a.csv: is empty"]
