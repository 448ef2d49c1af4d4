"""The request filter: which requests reach the page, and from whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from semg_hht.web import request_filter as guard
from semg_hht.web.request_filter import COOKIE, Guard, Lines

ANA, BEN = "a" * 32, "b" * 32  # browsers, as their cookies have them
JOIN, DATA, LINE = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/heartbeat/ana1"


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


def run_guard(tmp_path: Path, path: str, chunks: list[bytes], *, max_upload: int = 100) -> list[Any]:
    """What a server of one line gets and sends behind the guard."""
    sent: list[Any] = []
    parts = iter(chunks)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            sent.append(message["type"])
            if message["type"] == "http.disconnect" or not message["more_body"]:
                break

    async def receive() -> Any:
        body = next(parts, b"")
        return {"type": "http.request", "body": body, "more_body": bool(body)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path,
             "headers": [(b"cookie", f"{COOKIE}={'a' * 32}".encode())]}  # fmt: skip

    async def served() -> None:
        await Guard(inner, uploads=tmp_path, max_upload=max_upload, lines=Lines(), pending=len)(scope, receive, send)

    asyncio.run(served())
    return sent


def test_a_body_that_does_not_say_its_length_is_cut_off(tmp_path: Path) -> None:
    assert run_guard(tmp_path, "/gradio_api/upload", [b"1" * 60] * 2) == ["http.request", "http.disconnect"]
    assert run_guard(tmp_path, "/gradio_api/upload", [b"1" * 60]) == ["http.request", "http.request"]


def test_uploads_are_refused_where_the_disk_is_full(tmp_path: Path) -> None:
    sent = run_guard(tmp_path, "/gradio_api/upload", [], max_upload=10**18)
    assert sent[0]["status"] == 507
