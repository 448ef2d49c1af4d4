"""Work in a process of its own is limited in time and memory."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording
from semg_hht.web.isolated import apart


def test_work_apart_is_bounded_and_breaks_nothing_here() -> None:
    most = {"seconds": 60.0, "n_bytes": 2**28}
    assert apart(len, "abc", **most) == 3
    with pytest.raises(InputError, match=r"gone.csv: no such file"):
        apart(read_recording, Path("gone.csv"), **most)
    with pytest.raises(MemoryError):
        apart(os._exit, 3, **most)
    with pytest.raises(TimeoutError):
        apart(time.sleep, 60.0, seconds=0.2, n_bytes=2**28)
    if sys.platform == "linux":
        assert len(apart(bytes, 2**26, **most)) == 2**26
        with pytest.raises(MemoryError):
            apart(bytes, 2**29, **most)
