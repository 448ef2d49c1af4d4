"""Visitors: each has a private folder, and nothing of a visitor who has left remains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.system.files import LOCK_FILE
from semg_hht.web import visitors
from semg_hht.web.visit import Visit
from semg_hht.web.visitors import Visitors


def test_each_visitor_has_a_private_folder_that_is_removed_at_the_end() -> None:
    everybody = Visitors()
    try:
        folders = [everybody.update(key, lambda visit: visit).folder for key in "aba"]
        assert folders[0] == folders[2] != folders[1]
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in (everybody.folder, *folders))
        (folders[0] / "a.csv").write_text("1", encoding="utf-8")
        everybody.remove("a")
        assert not folders[0].exists()
        everybody.remove("nobody")
        assert everybody.update("a", lambda visit: visit).folder != folders[0]
    finally:
        everybody.close()
    assert not everybody.folder.exists()


def test_idle_visitors_and_old_uploads_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    everybody = Visitors(max_visitors=2, min_idle_s=3.0, max_idle_s=10.0, clock=lambda: now[0])
    try:
        first = everybody.update("first", lambda visit: visit).folder
        now[0] = 5.0
        second = everybody.update("second", lambda visit: visit).folder
        upload = everybody.uploads / "hash" / "a.csv"
        upload.parent.mkdir()
        upload.write_text("1", encoding="utf-8")
        (everybody.uploads / "half").write_text("1", encoding="utf-8")
        now[0] = 11.0
        everybody.remove_idle()
        assert (first.exists(), second.exists(), upload.exists()) == (False, True, True)
        monkeypatch.setattr(visitors, "MAX_UPLOAD_AGE_S", -1.0)
        everybody.remove_idle()
        assert list(everybody.uploads.iterdir()) == []
        everybody.update("third", lambda visit: visit)
        now[0] = 12.0
        everybody.update("fourth", lambda visit: visit)
        assert not second.exists()
        with pytest.raises(InputError, match="2 visitors are busy here; expected fewer"):
            everybody.update("fifth", lambda visit: visit)
        now[0] = 12.0 + visitors.CLOSED_PAGE_S + 0.5
        everybody.update("third", lambda visit: visit)
        everybody._max_idle_s = 100.0
        everybody.remove_idle(open_pages={"third"})  # the fourth has closed the page
        assert set(everybody._active) == {"third"}
    finally:
        everybody.close()


def test_a_click_during_a_long_step_gets_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "STEP_WAIT_S", 0.05)
    held, done = threading.Event(), threading.Event()

    def slow(visit: Visit) -> Visit:
        held.set()
        done.wait(60)
        return visit

    with Visitors() as everybody, ThreadPoolExecutor(1) as pool:
        first = pool.submit(everybody.update, "ana", slow)
        held.wait(60)
        with pytest.raises(InputError, match="your last step is still under way"):
            everybody.update("ana", lambda visit: visit)
        everybody.update("ben", lambda visit: visit)
        done.set()
        first.result()
        everybody.update("ana", lambda visit: visit)


KILLED = """
import os, signal, sys
from semg_hht.web.visitors import Visitors
visitors = Visitors()
print(visitors.folder, flush=True)
if sys.argv[1] == "runs":
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_folders_of_killed_servers_are_removed_and_of_running_servers_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(visitors, "MIN_LEFTOVER_AGE_S", -1.0)

    def started(how: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, how], env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    with started("runs")[0] as alive:
        (running,) = tmp_path.iterdir()
        with started("killed")[0] as dead:
            dead.communicate()
        assert dead.returncode == -signal.SIGKILL
        (leftover,) = set(tmp_path.iterdir()) - {running}
        foreign = tmp_path / f"{visitors.PREFIX}without-a-lock"
        foreign.mkdir()
        (tmp_path / f"{visitors.PREFIX}link").symlink_to(running)
        with monkeypatch.context() as patch:
            patch.setattr(visitors, "MIN_LEFTOVER_AGE_S", 600.0)
            visitors.remove_leftovers(tmp_path)
            assert (leftover / LOCK_FILE).is_file()  # its server may be about to lock it
        with monkeypatch.context() as patch:
            patch.setattr(os, "getuid", lambda: -1)
            visitors.remove_leftovers(tmp_path)
            assert (leftover / LOCK_FILE).is_file()  # it belongs to another user
        with Visitors() as new:
            assert not leftover.exists()
            assert running.is_dir() and foreign.is_dir() and new.folder.is_dir()
            visitors.remove_leftovers(tmp_path)
            assert (running / LOCK_FILE).is_file() and (new.folder / LOCK_FILE).is_file()
        alive.communicate()
