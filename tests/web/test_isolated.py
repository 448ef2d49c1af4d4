"""A function in a process of its own is limited in time and memory, and its crash does not reach the caller."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording
from semg_hht.web import isolated
from semg_hht.web.isolated import run_isolated


def test_an_isolated_function_returns_or_raises_within_its_limits() -> None:
    limits = {"timeout_s": 60.0, "max_bytes": 2**28}
    assert run_isolated(len, "abc", **limits) == 3
    with pytest.raises(InputError, match=r"gone.csv: no such file"):
        run_isolated(read_recording, Path("gone.csv"), **limits)
    with pytest.raises(MemoryError):
        run_isolated(os._exit, 3, **limits)
    with pytest.raises(TimeoutError):
        run_isolated(time.sleep, 60.0, timeout_s=0.2, max_bytes=2**28)
    if sys.platform == "linux":
        assert len(run_isolated(bytes, 2**26, **limits)) == 2**26
        with pytest.raises(MemoryError):
            run_isolated(bytes, 2**29, **limits)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork server")
def test_sockets_lie_in_a_folder_with_a_short_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = []
    monkeypatch.setattr(isolated.multiprocessing_util, "get_temp_dir", lambda: made.append(tempfile.gettempdir()))
    monkeypatch.setattr(isolated.forkserver, "ensure_running", lambda: None)
    long = str(tmp_path / ("x" * 80))
    monkeypatch.setattr(tempfile, "tempdir", long)
    isolated.start_forkserver()
    assert made == ["/tmp"]
    assert tempfile.tempdir == long
    monkeypatch.setattr(isolated, "SHORT_FOLDERS", ())
    with pytest.raises(InputError, match=r"the folder of temporary files has a name of \d+ bytes; expected at most 71"):
        isolated.start_forkserver()
    monkeypatch.setattr(tempfile, "tempdir", "/short")
    isolated.start_forkserver()
    assert made == ["/tmp"]
