"""Visitors: each has a private folder, and nothing of a visitor who has left remains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from semg_hht.system.files import LOCK_FILE
from semg_hht.web import visitors
from semg_hht.web.repetition_table import Refused
from semg_hht.web.visitors import Visitors


def test_each_visitor_has_a_secret_key_and_a_private_folder_that_is_removed_at_the_end() -> None:
    with Visitors() as everybody:
        (ana, of_ana), (ben, of_ben) = everybody.create(), everybody.create()
        assert ana != ben and min(len(ana), len(ben)) >= 43  # 256 bits
        assert everybody.get(ana) is of_ana and everybody.get(ben) is of_ben and everybody.get("nobody") is None
        assert all(f.stat().st_mode & 0o077 == 0 for f in (everybody.folder, of_ana.folder, of_ben.folder))
        everybody.remove(ana)
        assert not of_ana.folder.exists() and everybody.get(ana) is None
        everybody.remove("nobody")
    assert not everybody.folder.exists()


def test_visitors_who_are_idle_or_have_left_are_removed() -> None:
    now = [0.0]
    with Visitors(max_visitors=2, min_idle_s=3.0, max_idle_s=100.0, clock=lambda: now[0]) as everybody:
        first, second = everybody.create()[0], everybody.create()[0]
        with pytest.raises(Refused, match="app_too_many_visitors"):
            everybody.create()
        now[0] = 5.0
        assert everybody.get(second)
        third = everybody.create()[0]  # in the place of the first, who has been idle longest
        assert everybody.get(first) is None
        everybody.leave(third)
        now[0] += visitors.LEAVING_S - 1
        everybody.remove_idle()
        assert everybody.get(third)  # the page was only loaded anew
        everybody.leave(third)
        assert not everybody.is_here(third, is_used=True)
        now[0] += visitors.LEAVING_S + 1
        everybody.remove_idle()
        assert everybody.get(third) is None
        working = everybody.get(second)
        assert working is not None
        working.job.done = False
        now[0] += 200
        everybody.remove_idle()
        assert len(everybody) == 1  # a training goes on while nobody looks
        working.job.done = True
        assert everybody.is_here(second, is_used=True)
        everybody.remove_idle()
        assert len(everybody) == 1  # somebody watches a stream
        now[0] += 200
        assert everybody.is_here(second, is_used=False)
        everybody.remove_idle()
        assert len(everybody) == 0


def test_a_folder_that_stopped_work_makes_anew_is_removed() -> None:
    with Visitors() as everybody:
        key, visit = everybody.create()
        _, other = everybody.create()
        everybody.remove(key)
        (visit.folder / "train" / "run").mkdir(parents=True)  # a training that saves what it has
        everybody.remove_idle()
        assert not visit.folder.exists() and other.recordings.is_dir()


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
