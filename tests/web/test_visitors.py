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
from semg_hht.system.files import CLAIM
from semg_hht.web import visitors
from semg_hht.web import visitors as who
from semg_hht.web.visit import (
    Visit,
)
from semg_hht.web.visitors import Visitors


def test_visitors_have_folders_of_their_own_and_leave_nothing() -> None:
    visitors = Visitors()
    try:
        folders = [visitors.change(key, lambda visit: visit).folder for key in "aba"]
        assert folders[0] == folders[2] != folders[1]
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in (visitors.folder, *folders))
        (folders[0] / "a.csv").write_text("1", encoding="utf-8")
        visitors.leave("a")
        assert not folders[0].exists()
        visitors.leave("nobody")
        assert visitors.change("a", lambda visit: visit).folder != folders[0]
    finally:
        visitors.close()
    assert not visitors.folder.exists()


def test_idle_visitors_and_untaken_uploads_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    visitors = Visitors(at_most=2, spared_s=3.0, idle_s=10.0, clock=lambda: now[0])
    try:
        first = visitors.change("first", lambda visit: visit).folder
        now[0] = 5.0
        second = visitors.change("second", lambda visit: visit).folder
        upload = visitors.uploads / "hash" / "a.csv"
        upload.parent.mkdir()
        upload.write_text("1", encoding="utf-8")
        (visitors.uploads / "half").write_text("1", encoding="utf-8")
        now[0] = 11.0
        visitors.sweep()
        assert (first.exists(), second.exists(), upload.exists()) == (False, True, True)
        monkeypatch.setattr(who, "UPLOAD_S", -1.0)
        visitors.sweep()
        assert list(visitors.uploads.iterdir()) == []
        visitors.change("third", lambda visit: visit)
        now[0] = 12.0
        visitors.change("fourth", lambda visit: visit)
        assert not second.exists()
        with pytest.raises(InputError, match="2 visitors are busy here; expected fewer"):
            visitors.change("fifth", lambda visit: visit)
        now[0] = 12.0 + who.GONE_S + 0.5
        visitors.change("third", lambda visit: visit)
        visitors._idle_s = 100.0
        visitors.sweep(here={"third"})  # fourth has closed the page
        assert set(visitors._places) == {"third"}
    finally:
        visitors.close()


def test_who_clicks_while_a_step_takes_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "STEP_S", 0.05)
    held, done = threading.Event(), threading.Event()

    def slow(visit: Visit) -> Visit:
        held.set()
        done.wait(60)
        return visit

    with Visitors() as everybody, ThreadPoolExecutor(1) as pool:
        first = pool.submit(everybody.change, "ana", slow)
        held.wait(60)
        with pytest.raises(InputError, match="your last step is still under way"):
            everybody.change("ana", lambda visit: visit)
        everybody.change("ben", lambda visit: visit)
        done.set()
        first.result()
        everybody.change("ana", lambda visit: visit)


KILLED = """
import os, signal, sys
from semg_hht.web.visitors import Visitors
visitors = Visitors()
print(visitors.folder, flush=True)
if sys.argv[1] == "lives":
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_folders_of_killed_servers_go_and_those_of_the_living_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(visitors, "YOUNG_S", -1.0)

    def started(how: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, how], env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    with started("lives")[0] as alive:
        (living,) = tmp_path.iterdir()
        with started("dies")[0] as dead:
            dead.communicate()
        assert dead.returncode == -signal.SIGKILL
        (left,) = set(tmp_path.iterdir()) - {living}
        foreign = tmp_path / f"{visitors.PREFIX}without-a-lock"
        foreign.mkdir()
        (tmp_path / f"{visitors.PREFIX}link").symlink_to(living)
        with monkeypatch.context() as patch:
            patch.setattr(visitors, "YOUNG_S", 600.0)
            visitors.remove_leftovers(tmp_path)
            assert (left / CLAIM).is_file()  # it may be about to be locked
        with monkeypatch.context() as patch:
            patch.setattr(os, "getuid", lambda: -1)
            visitors.remove_leftovers(tmp_path)
            assert (left / CLAIM).is_file()  # somebody else's
        with Visitors() as new:
            assert not left.exists()
            assert living.is_dir() and foreign.is_dir() and new.folder.is_dir()
            visitors.remove_leftovers(tmp_path)
            assert (living / CLAIM).is_file() and (new.folder / CLAIM).is_file()
        alive.communicate()
