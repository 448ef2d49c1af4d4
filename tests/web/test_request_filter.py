"""The request filter: under which host names the page answers, and how large and slow a request may be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from semg_hht.web import request_filter
from semg_hht.web.address import PageAddress
from semg_hht.web.request_filter import HEADERS, MAX_BODY, UPLOAD, RequestFilter

LOCAL = {"host": "localhost:7860"}


def ask(
    path: str,
    chunks: Sequence[bytes] = (),
    headers: dict[str, str] = LOCAL,
    *,
    address: PageAddress = PageAddress(),
    wait_s: float = 0.0,
) -> tuple[int, dict[str, str], list[str]]:
    """Send a request; returns status and headers of the answer, and the paths that reached the application."""
    reached: list[str] = []
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        is_more = bool(chunks)
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            is_more = message["more_body"]
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})

    async def check() -> None:
        left = list(chunks)

        async def receive() -> Any:
            await asyncio.sleep(wait_s)
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "path": path, "method": "POST" if chunks else "GET",
                 "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}  # fmt: skip
        await RequestFilter(application, address=address, max_upload=1_000_000)(scope, receive, send)

    asyncio.run(check())
    if not sent:
        return 0, {}, reached
    if sent[0]["status"] >= 400:
        assert json.loads(sent[1]["body"])["error"]
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}, reached


@pytest.mark.parametrize("host", ["evil.example.org", "localhost.evil.org", "", "localhost:7860:1", "127.0.0.1@b"])
def test_another_site_can_not_reach_the_page_under_a_name_of_its_own(host: str) -> None:
    status, _, reached = ask("/", headers={"host": host})
    assert (status, reached) == (421, [])
    assert ask("/", headers={"host": host}, address=PageAddress("0.0.0.0"))[0] == 200


def test_every_answer_forbids_what_the_page_does_not_need() -> None:
    for path in ("/", "/api/state", "/static/page.css"):
        _, headers, _ = ask(path)
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert ask("/", headers={"host": "x"})[1]["content-security-policy"].startswith("default-src 'none'; ")


def test_a_proxy_may_leave_its_path() -> None:
    public = PageAddress(public_url="https://emg.example.org/semg")
    for path, inner in (("/semg/api/state", "/api/state"), ("/semg", "/"), ("/api/state", "/api/state"),
                        ("/semghht", "/semghht")):  # fmt: skip
        assert ask(path, headers={"host": "emg.example.org"}, address=public)[2] == [inner]


def test_bodies_are_limited_in_size(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = bytes(MAX_BODY // 2)
    assert ask("/api/repetitions", [piece, piece])[0] == 200
    assert ask("/api/repetitions", [piece, piece, b"1"])[::2] == (413, [])
    assert ask("/api/repetitions", [b"1"], {**LOCAL, "content-length": "10" * 5})[0] == 413
    assert ask(UPLOAD, [piece, piece, b"1"])[0] == 200
    assert ask(UPLOAD, [piece] * 8)[::2] == (413, [])


def test_bodies_are_limited_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_filter, "CHUNK_TIMEOUT_S", 0.05)
    assert ask(UPLOAD, [b"1", b"2"])[0] == 200
    assert ask(UPLOAD, [b"1", b"2"], wait_s=0.2) == (0, {}, [])
    monkeypatch.setattr(request_filter, "CHUNK_TIMEOUT_S", 9.0)
    monkeypatch.setattr(request_filter, "BODY_TIMEOUT_S", 0.1)
    assert ask(UPLOAD, [b"1"] * 20, wait_s=0.04)[2] == []
