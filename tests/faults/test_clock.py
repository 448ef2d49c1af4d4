"""A clock that jumps by years, or stands where a board without a battery starts: nothing goes by it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fault_injection import Inputs, contents, here

CLOCKS: dict[str, Callable[[], float]] = {
    "jumps": itertools.cycle([1.8e9, 3e8, 1.76e9, 3.9e9]).__next__,
    "1970": lambda: 60.0,
    "2128": lambda: 5e9,
}


@pytest.fixture(scope="module")
def undisturbed(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert here(inputs.words("train --pack", folder)).code == 0
    return contents(folder)


@pytest.mark.parametrize("clock", CLOCKS)
def test_training_goes_by_no_clock(
    inputs: Inputs, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    now, local = CLOCKS[clock], time.localtime
    monkeypatch.setattr(time, "time", now)
    monkeypatch.setattr(time, "time_ns", lambda: int(now() * 1e9))
    monkeypatch.setattr(time, "localtime", lambda at=None: local(now() if at is None else at))
    done = here(inputs.words("train --pack", tmp_path))
    assert done.code == 0, done.said
    assert contents(tmp_path) == undisturbed
