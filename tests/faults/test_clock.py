"""Results do not depend on the clock, even if it jumps by years."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from fault_injection import Inputs, contents, here


@pytest.fixture(scope="module")
def undisturbed(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert here(inputs.words("train --pack", folder)).code == 0
    return contents(folder)


def test_training_does_not_depend_on_the_clock(
    inputs: Inputs, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, local = itertools.cycle([1.8e9, 4e8, 1.76e9, 3.9e9]).__next__, time.localtime
    monkeypatch.setattr(time, "time", now)
    monkeypatch.setattr(time, "time_ns", lambda: int(now() * 1e9))
    monkeypatch.setattr(time, "localtime", lambda at=None: local(now() if at is None else at))
    done = here(inputs.words("train --pack", tmp_path))
    assert done.code == 0, done.said
    assert contents(tmp_path) == undisturbed
