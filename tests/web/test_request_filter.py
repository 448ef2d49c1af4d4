"""The request filter: which requests reach the page, how large they may be, and from which browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from semg_hht.web import request_filter
from semg_hht.web.address import PageAddress
from semg_hht.web.request_filter import COOKIE, UPLOAD, OpenPages, RequestFilter

ANA, BEN = "a" * 32, "b" * 32  # cookies of two browsers
JOIN, DATA, HEARTBEAT = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/heartbeat/ana1"


class FilteredApp:
    """An application behind a request filter; it reads each body and answers with status 200."""

    def __init__(self, folder: Path, *, max_upload: int = 100, address: PageAddress | None = None) -> None:
        self.open_pages, self.n_pending = OpenPages(), 0
        self.filter = RequestFilter(
            self._app, uploads=folder, max_upload=max_upload, open_pages=self.open_pages,
            pending=lambda _: self.n_pending, address=address or PageAddress(),
        )  # fmt: skip
        self.bodies: list[bytes] = []
        self.paths: list[str] = []

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body, is_more = b"", scope["method"] == "POST"
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise request_filter.ClientDisconnect
            body += message["body"]
            is_more = message["more_body"]
        self.bodies.append(body)
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(
        self,
        path: str,
        cookie: str = "",
        *,
        body: Sequence[bytes] = (),
        query: str = "",
        wait_s: float = 0.0,
        host: str = "localhost:7860",
    ) -> tuple[int, list[str]]:
        """Send a request, a POST where it has a body (in chunks); return the status and the cookies that were set."""
        sent: list[Any] = []
        chunks = list(body)

        async def receive() -> Any:
            await asyncio.sleep(wait_s)
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", host.encode())]
        headers += [(b"cookie", f"other=1; {COOKIE}={cookie}".encode())] if cookie else []
        scope = {"type": "http", "path": path, "headers": headers, "query_string": query.encode(),
                 "method": "POST" if body else "GET"}  # fmt: skip
        await self.filter(scope, receive, send)
        cookies = [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]
        return sent[0]["status"], cookies


def test_a_visit_belongs_to_the_browser_that_opened_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_filter, "HEARTBEAT_WAIT_S", 0.2)

    async def check() -> None:
        app = FilteredApp(tmp_path)
        status, (cookie,) = await app.ask("/")
        assert status == 200
        assert f"{COOKIE}=" in cookie and "HttpOnly; SameSite=Lax" in cookie
        assert await app.ask("/", ANA) == (200, [])
        assert len((await app.ask("/", "no cookie of ours"))[1]) == 1
        assert len((await app.ask("/", "\x01"))[1]) == 1

        body = [json.dumps({"session_hash": "ana1", "data": []}).encode()]
        assert await app.ask(JOIN, ANA, body=body) == (403, [])  # the page is not open
        with app.open_pages.opened("ana1", ANA):
            assert await app.ask(JOIN, ANA, body=body) == (200, [])
            assert app.bodies[-1] == body[0]
            assert await app.ask(DATA, ANA, query="session_hash=ana1") == (200, [])
            assert await app.ask(HEARTBEAT, ANA) == (200, [])  # a second connection, as after a lost one
            assert "ana1" in app.open_pages
            for browser in (BEN, ""):
                assert await app.ask(JOIN, browser, body=body) == (403, [])
                assert await app.ask("/gradio_api/cancel", browser, body=body) == (403, [])
                assert await app.ask(DATA, browser, query="session_hash=ana1") == (403, [])
                assert await app.ask(HEARTBEAT, browser) == (403, [])
            with app.open_pages.opened("ben1", BEN):
                assert (await app.ask(DATA, BEN, query="session_hash=ben1"))[0] == 200
                assert (await app.ask(DATA, BEN, query="session_hash=ben1&session_hash=ana1"))[0] == 403
                monkeypatch.setattr(request_filter, "MAX_OPEN_PAGES", 2)
                assert (await app.ask("/gradio_api/heartbeat/new", BEN))[0] == 503
            for invalid in (b"", b"[]", b"[" * 50_000, b'{"session_hash": ["ana1"]}', b"\xff"):
                assert (await app.ask(JOIN, ANA, body=[invalid]))[0] == 403
            app.n_pending = request_filter.MAX_PENDING
            assert (await app.ask(JOIN, ANA, body=body))[0] == 429
        assert len(app.open_pages) == 0
        assert (await app.ask(HEARTBEAT, BEN))[0] == 403  # the key stays with its browser after the page is closed
        monkeypatch.setattr(request_filter, "MAX_REMEMBERED_KEYS", 1)
        with app.open_pages.opened("ben2", BEN):
            assert app.open_pages.browser("ana1") is None
            for number in range(3):  # keys of open pages are never forgotten, however many others come
                assert await app.ask(f"{HEARTBEAT}{number}", ANA) == (200, [])
            assert app.open_pages.browser("ben2") == BEN

    asyncio.run(check())


def test_a_body_that_arrives_too_slowly_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_filter, "CHUNK_TIMEOUT_S", 0.1)

    async def check() -> None:
        app = FilteredApp(tmp_path)
        assert await app.ask(UPLOAD, ANA, body=[b"1"]) == (200, [])
        assert await app.ask(UPLOAD, ANA, body=[b"1"], wait_s=5.0) == (400, [])
        assert (await app.ask(JOIN, ANA, body=[b"{}"], wait_s=5.0))[0] == 403

    asyncio.run(check())


def test_a_body_without_a_stated_length_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    app = FilteredApp(tmp_path)
    assert asyncio.run(app.ask(UPLOAD, ANA, body=[b"1" * 60] * 2)) == (400, [])
    assert app.bodies == []
    assert asyncio.run(app.ask(UPLOAD, ANA, body=[b"1" * 60, b""])) == (200, [])
    assert app.bodies == [b"1" * 60]


def test_uploads_need_the_cookie_and_room_for_all_that_arrive_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(FilteredApp(tmp_path, max_upload=10**18).ask(UPLOAD, ANA, body=[b""]))[0] == 507
    monkeypatch.setattr(request_filter.shutil, "disk_usage", lambda _: SimpleNamespace(free=350))

    async def check() -> None:
        app = FilteredApp(tmp_path)
        assert (await app.ask(UPLOAD, body=[b"1"]))[0] == 403
        three = [app.ask(UPLOAD, ANA, body=[b"1"], wait_s=0.2) for _ in range(3)]
        assert [status for status, _ in await asyncio.gather(*three)] == [200, 200, 507]
        assert (await app.ask(UPLOAD, ANA, body=[b"1"]))[0] == 200

    asyncio.run(check())


def test_requests_state_a_local_host_or_that_of_the_public_address(tmp_path: Path) -> None:
    async def statuses(app: FilteredApp) -> dict[str, int]:
        hosts = (
            "127.0.0.1:7860", "LOCALHOST", "[::1]:7860", "emg.example.org", "EMG.example.org:443",
            "www.emg.example.org", "emg.example.org.evil.org", "evil.org", "evil@127.0.0.1", "127.0.0.1:7860:1", "",
        )  # fmt: skip
        return {host: (await app.ask("/", host=host))[0] for host in hosts}

    local = {"127.0.0.1:7860", "LOCALHOST", "[::1]:7860"}
    for host, public_url, allowed in (
        ("127.0.0.1", None, local),
        ("127.0.0.1", "https://emg.example.org/semg", local | {"emg.example.org", "EMG.example.org:443"}),
        ("0.0.0.0", "https://emg.example.org", local | {"emg.example.org", "EMG.example.org:443"}),
    ):
        found = asyncio.run(statuses(FilteredApp(tmp_path, address=PageAddress(host, public_url=public_url))))
        assert {host for host, status in found.items() if status == 200} == allowed
        assert set(found.values()) == {200, 400}
    assert set(asyncio.run(statuses(FilteredApp(tmp_path, address=PageAddress("0.0.0.0")))).values()) == {200}


def test_a_proxy_may_leave_the_public_path_in_front_of_paths(tmp_path: Path) -> None:
    app = FilteredApp(tmp_path, address=PageAddress(public_url="https://emg.example.org/semg/"))
    for path in ("/semg/", "/semg/config", "/", "/config"):
        assert asyncio.run(app.ask(path))[0] == 200
    assert app.paths == ["/", "/config", "/", "/config"]
    assert asyncio.run(app.ask("/semg"))[0] == 308  # to /semg/, because the page names its scripts relative to itself
    for path in ("/semgx/", "/semg/semg/", "/semg/gradio_api/file=/etc/passwd"):
        assert asyncio.run(app.ask(path))[0] == 403


def test_a_websocket_is_refused(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": []}
    asyncio.run(FilteredApp(tmp_path).filter(scope, asyncio.Queue[Any]().get, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
