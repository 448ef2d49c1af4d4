"""A function in a process of its own is limited in time and memory, and its crash does not reach the caller."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording
from semg_hht.web import isolated
from semg_hht.web.isolated import end_all, run_isolated


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


def test_the_processes_wait_for_no_library_that_reading_does_not_need(tmp_path: Path, angled: Path) -> None:
    """Reading a file and labelling it from a sensor leave `scipy.signal` out, which the first file would wait for."""
    script = f"""
import sys
from importlib import import_module
from pathlib import Path
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.web.editing import _labelled
from semg_hht.web.isolated import PRELOADED
from semg_hht.web.uploads import StatedFacts, _read
list(map(import_module, PRELOADED))
path = Path({str(angled)!r})
found = _read(path, StatedFacts(), PipelineConfig().filter, Path({str(tmp_path / "drawn.npy")!r}))
rows, _ = _labelled(path, list(found.rows), "angle [deg]")
print(*(row.movement for row in rows), "scipy.signal" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["full", "full", "half", "full", "False"]


def test_all_processes_end_also_those_that_begin_meanwhile() -> None:
    ended = []

    def read() -> None:
        for _ in range(3):
            with pytest.raises(MemoryError):
                run_isolated(time.sleep, 60.0, timeout_s=60.0, max_bytes=2**28)
            ended.append(time.monotonic())

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    end_all(threads[0], 60.0)
    for thread in threads:
        thread.join(20)
    assert len(ended) == 6
