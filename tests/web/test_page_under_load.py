"""The web page under load and attack: short forms of what benchmarks/app.py does for minutes, and each limit alone."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.system.files import CLAIM
from semg_hht.web import cleanup as sweep
from semg_hht.web import request_filter as guard
from semg_hht.web import uploads as files
from semg_hht.web import visit, visitors
from semg_hht.web.cleanup import swept
from semg_hht.web.isolated import apart
from semg_hht.web.request_filter import COOKIE, Guard, Lines
from semg_hht.web.visit import Visit, answer, receive
from semg_hht.web.visitors import Visitors

pytest.importorskip("gradio", reason="the web page needs gradio")
MAX_MB = 4
N_SAMPLES, N_VISITS = 300_000, 12
ANA, BEN = "a" * 32, "b" * 32  # browsers, as their cookies have them


@pytest.fixture(scope="module")
def benchmark(repository: Path) -> Iterator[tuple[ModuleType, ModuleType]]:
    """benchmarks/app.py, which speaks to the page as a browser does, and attacks.py, which does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("app"), importlib.import_module("attacks")


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """2.4 MB of samples: two contractions, and rest."""
    rng = np.random.default_rng(0)
    samples = 0.01 * rng.standard_normal((1, N_SAMPLES))
    for start in (50_000, 150_000):
        samples[:, start : start + 3000] += rng.standard_normal((1, 3000))
    write_recording(Recording(samples, 1000.0, ("biceps",), "mV", "long"), tmp_path / "long.npz")
    return tmp_path / "long.npz"


def test_visitors_are_served_beside_attackers_and_leave_no_memory_behind(
    benchmark: tuple[Any, Any], simulated_run: Path, long: Path, tmp_path: Path
) -> None:
    app, attacks = benchmark
    folder = tmp_path / "t"
    folder.mkdir()
    port = app.free_port()
    server = app.started(port, "--checkpoint", str(simulated_run), "--max_upload_mb", str(MAX_MB), TMPDIR=str(folder))
    try:
        address = f"http://127.0.0.1:{port}"
        target = attacks.Target(address, tmp_path, most=3_000_000 * MAX_MB, patience_s=2.0)
        target.arm(*(make for make in attacks.BOMBS if make.__name__ not in ("_npz_bomb", "_mat_bomb", "_wide_csv")))
        tally = app.Tally()
        tally.visit(address, long, None)

        def attack(one: Any) -> None:
            tally.attack(target, random.Random(0), one)

        with ThreadPoolExecutor(8) as everybody:
            running = [everybody.submit(attack, one) for one in dict.fromkeys(attacks.ATTACKS)]
            running += [everybody.submit(tally.visit, address, long, None, target) for _ in range(4)]
            for one in running:
                one.result()
            visit_all = partial(everybody.map, lambda _: tally.visit(address, long, None))
            list(visit_all(range(8)))  # heaps have grown to what so many at once take
            before = app.megabytes(server.pid)
            list(visit_all(range(N_VISITS)))
        grown = app.megabytes(server.pid) - before
        assert (tally.errors, tally.breaches) == ([], [])
        assert len(tally.waited) == 5 + 8 + N_VISITS
        assert len(tally.answers) == 1
        if platform.libc_ver()[0] == "glibc":
            assert grown < 0.5 * N_VISITS * N_SAMPLES * 8 / 1e6  # a leak would hold all that their recordings take
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert list(folder.iterdir()) == []


# Apart


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


@pytest.fixture
def own(tmp_path: Path) -> Visit:
    (tmp_path / "visit").mkdir()
    return Visit(tmp_path / "visit", language="en")


def test_what_takes_too_much_is_a_sentence(
    own: Visit, long: Path, simulated_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def troubles(visit: Visit) -> list[str]:
        return [file.trouble.name for file in visit.files if file.trouble] + [one.name for one in visit.troubles]

    fine = receive(own, [long], PipelineConfig())
    assert troubles(fine) == []
    monkeypatch.setattr(visit, "MAX_ANSWERED", 10)
    assert troubles(answer(fine, open_run(simulated_run, cpu=True))) == ["app_too_long"]
    rows = [ManifestRow("long.npz", start_s=i / 10, stop_s=i / 10 + 0.05) for i in range(files.MAX_REPETITIONS + 1)]
    (long.parent / "table.csv").write_text(manifest_text(rows), encoding="utf-8")
    many = receive(own, [long, long.parent / "table.csv"], PipelineConfig())
    assert many.files[0].trouble is not None
    assert "long.npz: 501 repetitions; this page takes at most 500" in many.files[0].trouble.values["said"]
    if sys.platform == "linux":
        with monkeypatch.context() as patch:
            patch.setattr(files, "MAX_MEMORY", 2**20)
            (trouble,) = [file.trouble for file in receive(own, [long], PipelineConfig()).files]
            assert trouble is not None
            assert "long.npz: can't be read as NPZ; Unable to allocate" in trouble.values["said"]
    monkeypatch.setattr(files, "LOOK_S", 0.0)
    monkeypatch.setattr(files, "LOOK_S_A_MB", 0.0)
    assert troubles(receive(own, [long], PipelineConfig())) == ["app_too_slow"]


def test_a_drawing_of_many_channels_takes_no_more_than_one_of_those_that_are_looked_at() -> None:
    samples = np.random.default_rng(0).standard_normal((10 * files.MAX_CHANNELS, 50_000))
    drawn = files.envelope(samples)
    assert drawn.size <= files.MAX_POINTS * files.MAX_CHANNELS
    assert drawn.max() == samples.max()


# The guard


class Door:
    """A guard, and what comes of requests to it."""

    def __init__(self, folder: Path) -> None:
        self.lines, self.n_pending = Lines(), 0
        self._guard = Guard(
            self._inner, uploads=folder, max_upload=100, lines=self.lines, pending=lambda _: self.n_pending
        )
        self.seen: list[bytes] = []

    async def _inner(self, scope: Any, receive: Any, send: Any) -> None:
        body, is_more = b"", scope["method"] == "POST"
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise guard.ClientDisconnect
            body += message["body"]
            is_more = message["more_body"]
        self.seen.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def guarded(self, scope: Any, send: Any) -> None:
        await self._guard(scope, asyncio.Queue[Any]().get, send)

    async def ask(
        self, path: str, browser: str = "", *, body: bytes | None = None, query: str = "", wait_s: float = 0.0
    ) -> Any:
        """The status, and the cookie that was set."""
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(wait_s)
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"cookie", f"other=1; {COOKIE}={browser}".encode())] if browser else []
        scope = {"type": "http", "path": path, "headers": headers, "query_string": query.encode(),
                 "method": "GET" if body is None else "POST"}  # fmt: skip
        await self._guard(scope, receive, send)
        cookies = [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]
        return sent[0]["status"], cookies


JOIN, DATA, LINE = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/heartbeat/ana1"


def test_a_visit_is_of_the_browser_that_holds_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LINE_S", 0.2)

    async def told() -> None:
        door = Door(tmp_path)
        status, (cookie,) = await door.ask("/")
        assert status == 200
        assert f"{COOKIE}=" in cookie and "HttpOnly; SameSite=Lax" in cookie
        assert await door.ask("/", ANA) == (200, [])
        assert len((await door.ask("/", "no cookie of ours"))[1]) == 1
        assert len((await door.ask("/", "\x01"))[1]) == 1

        body = json.dumps({"session_hash": "ana1", "data": []}).encode()
        assert await door.ask(JOIN, ANA, body=body) == (403, [])  # nobody holds that line
        with door.lines.held("ana1", ANA):
            assert await door.ask(JOIN, ANA, body=body) == (200, [])
            assert door.seen[-1] == body
            assert await door.ask(DATA, ANA, query="session_hash=ana1") == (200, [])
            assert await door.ask(LINE, ANA) == (200, [])  # anew, as after a hiccup
            assert "ana1" in door.lines
            for browser in (BEN, ""):
                assert await door.ask(JOIN, browser, body=body) == (403, [])
                assert await door.ask("/gradio_api/cancel", browser, body=body) == (403, [])
                assert await door.ask(DATA, browser, query="session_hash=ana1") == (403, [])
                assert await door.ask(LINE, browser) == (403, [])
            with door.lines.held("ben1", BEN):
                assert (await door.ask(DATA, BEN, query="session_hash=ben1"))[0] == 200
                assert (await door.ask(DATA, BEN, query="session_hash=ben1&session_hash=ana1"))[0] == 403
                monkeypatch.setattr(guard, "MAX_LINES", 2)
                assert (await door.ask("/gradio_api/heartbeat/new", BEN))[0] == 503
            for nonsense in (b"", b"[]", b"[" * 50_000, b'{"session_hash": ["ana1"]}', b"\xff"):
                assert (await door.ask(JOIN, ANA, body=nonsense))[0] == 403
            door.n_pending = guard.MAX_PENDING
            assert (await door.ask(JOIN, ANA, body=body))[0] == 429
        assert len(door.lines) == 0
        assert (await door.ask(LINE, BEN))[0] == 403  # nor is it another's once she has left
        monkeypatch.setattr(guard, "MAX_KNOWN", 1)
        with door.lines.held("ben2", BEN):
            assert door.lines.browser("ana1") is None
            for number in range(3):  # whoever opens many lines pushes out none that is open
                assert await door.ask(f"{LINE}{number}", ANA) == (200, [])
            assert door.lines.browser("ben2") == BEN

    asyncio.run(told())


def test_a_body_that_trickles_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PIECE_S", 0.1)

    async def told() -> None:
        door = Door(tmp_path)
        assert await door.ask(guard.UPLOAD, ANA, body=b"1") == (200, [])
        assert await door.ask(guard.UPLOAD, ANA, body=b"1", wait_s=5.0) == (400, [])
        assert (await door.ask(JOIN, ANA, body=b"{}", wait_s=5.0))[0] == 403

    asyncio.run(told())


def test_uploads_are_of_those_who_have_the_page_and_count_all_that_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.shutil, "disk_usage", lambda _: SimpleNamespace(free=350))

    async def told() -> None:
        door = Door(tmp_path)
        assert (await door.ask(guard.UPLOAD, body=b"1"))[0] == 403
        three = [door.ask(guard.UPLOAD, ANA, body=b"1", wait_s=0.2) for _ in range(3)]
        assert [status for status, _ in await asyncio.gather(*three)] == [200, 200, 507]
        assert (await door.ask(guard.UPLOAD, ANA, body=b"1"))[0] == 200

    asyncio.run(told())


def test_a_websocket_is_refused(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    door = Door(tmp_path)
    asyncio.run(door.guarded({"type": "websocket", "path": "/", "headers": []}, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


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


# What is left behind


def test_what_is_kept_of_the_departed_is_forgotten_and_silent_connections_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_UPLOADS", 1)
    closed: list[str] = []

    class Thing:
        """With these attributes; itself and no other, as a connection is."""

        def __init__(self, **attributes: Any) -> None:
            vars(self).update(attributes)

    def connection(name: str, **cycle: Any) -> Any:
        loop = Thing(call_soon_threadsafe=lambda close: close())
        return Thing(loop=loop, transport=Thing(close=lambda: closed.append(name)), **cycle)

    done, speaking = Thing(response_complete=True), Thing(response_complete=False)
    connections = {connection("slow", cycle=None), connection("idle", cycle=done), connection("busy", cycle=speaking),
                   connection("socket")}  # fmt: skip
    by_key = [{key: key for key in ("here", "gone", "answered")} for _ in range(4)]
    queue = Thing(
        event_ids_to_events={"1": Thing(session_hash="answered")}, pending_messages_per_session=by_key[0],
        pending_event_ids_session=by_key[1],
    )  # fmt: skip
    (tmp_path / "a.csv").touch()
    page = Thing(
        _queue=queue, upload_file_set={str(tmp_path / "a.csv"), str(tmp_path / "gone.csv")},
        state_holder=Thing(session_data=by_key[2], time_last_used=by_key[3]),
        server=Thing(server_state=Thing(connections=connections)),
    )  # fmt: skip
    lines = Lines()
    with lines.held("here", ANA):
        silent = swept(page, lines, set())
        assert closed == []
        assert [list(kept) for kept in by_key] == [["here", "answered"]] * 4
        assert page.upload_file_set == {str(tmp_path / "a.csv")}
        swept(page, lines, silent)
    assert sorted(closed) == ["idle", "slow", "socket"]


def test_a_sweep_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from semg_hht.web import page

    turns = iter(range(3))
    monkeypatch.setattr(page, "launch", lambda *_, **__: (SimpleNamespace(close=lambda **_: None), Lines()))

    def sleep(_: float) -> None:
        if next(turns, None) is None:
            raise KeyboardInterrupt

    def fail(_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(page.time, "sleep", sleep)
    desk = page.Desk(None)
    page.serve(desk, SimpleNamespace(sweep=fail), host="127.0.0.1", port=1, max_upload_mb=1, said=len)
    assert caplog.text.count("could not be cleared up") == 3
    assert desk.closing.is_set()


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
