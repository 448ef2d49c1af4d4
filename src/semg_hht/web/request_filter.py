"""What the page's server lets in and out: a few addresses, requests of a modest size, and nothing from elsewhere.

Knows HTTP: nothing of Gradio's insides or of what a visit is. Gradio serves files by path and fetches addresses for its
visitors; the page needs neither, so whatever is not listed here is refused. And Gradio gives what a visitor is shown to
whoever says that visitor's key, which stands in addresses and so in logs: here a key belongs to the browser that opened
a line with it, which shows a cookie.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
UPLOAD = "/gradio_api/upload"
LINE, EVENTS = "/gradio_api/heartbeat/", "/gradio_api/queue/data"
PLAIN = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static|svelte)/.*"
    r"|/gradio_api/(startup-events|app_id|upload|upload_progress|heartbeat/[^/]+|queue/(join|data)|cancel)/?"
)
MAX_BODY = 2**18  # bytes of a request that is no upload; a table of a thousand rows has a fifth of that
PIECE_S = 20.0  # that a sender may take over the next piece of a body
BODY_S = 600.0  # and over all of it
MAX_LINES = 400  # pages that may be open
MAX_KNOWN = 10_000  # keys whose browser is remembered
MAX_PENDING = 6  # steps that a visitor may wait for at once; fewer than the page takes of all together
LINE_S = 5.0  # a browser asks for its line and its first step at once, in no certain order
COOKIE = "semg_hht_visitor"
HEADERS = {
    # Gradio writes its settings into the page, and its templates are functions made of text.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Lines:
    """Whose page is open: keys of visitors, each while its browser holds a line.

    Once held, a key is that browser's for good: what is still under way for who has just left is not for others.
    """

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._browsers: dict[str, str] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._open

    def __len__(self) -> int:
        return len(self._open)

    def browser(self, key: str) -> str | None:
        return self._browsers.get(key)

    @contextmanager
    def held(self, key: str, browser: str) -> Iterator[None]:
        """For as long as the block runs; a browser that connects anew holds a line twice for a while."""
        self._open[key] = self._open.get(key, 0) + 1
        self._browsers[key] = browser
        if len(self._browsers) > MAX_KNOWN:
            del self._browsers[next(other for other in self._browsers if other not in self._open)]
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


class Guard:
    """Around the server's application.

    uploads : the folder that uploads are written to; max_upload : bytes of all files that arrive together.
    pending : how many steps a visitor of this key waits for.
    """

    def __init__(
        self, app: Any, *, uploads: Path, max_upload: int, lines: Lines, pending: Callable[[str], int]
    ) -> None:
        self._app, self._uploads, self._max_upload, self._lines, self._pending = (
            app, uploads, max_upload, lines, pending,
        )  # fmt: skip
        self._arriving = 0  # bytes that uploads under way may hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or not PLAIN.fullmatch(scope["path"]):
            await _refuse(send, 403, "this page serves no files")
            return
        is_upload = scope["path"].rstrip("/") == UPLOAD
        most = self._max_upload if is_upload else MAX_BODY
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > most:
            await _refuse(send, 413, f"a request may hold {most} bytes")
            return
        browser = _browser(scope)
        if is_upload and shutil.disk_usage(self._uploads).free < 2 * most + self._arriving:
            await _refuse(send, 507, "the disk of the server is nearly full")
            return
        if is_upload and not browser:  # nor does a form on another site's page show a cookie
            await _refuse(send, 403, NOT_YOURS)
            return
        counted = _counted(receive, most)
        marked = _with_headers(send, scope["path"], None if browser else secrets.token_urlsafe(24))
        if scope["path"].startswith(LINE):
            await self._hold(scope, counted, marked, browser)
            return
        if scope["path"].rstrip("/") == EVENTS:
            keys = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
            if not await self._is_of(keys, browser):
                await _refuse(send, 403, NOT_YOURS)
                return
        elif scope["method"] == "POST" and not is_upload:
            body = await _whole(counted)
            key = _key_in(body)
            if key is None or not await self._is_of([key], browser):
                await _refuse(send, 403, NOT_YOURS)
                return
            if self._pending(key) >= MAX_PENDING:
                await _refuse(send, 429, f"a visitor may wait for {MAX_PENDING} steps at once")
                return
            counted = _again(body, receive)
        self._arriving += most if is_upload else 0
        try:
            await self._app(scope, counted, marked)
        except ClientDisconnect:
            if scope["method"] == "POST":  # nothing was answered yet
                await _refuse(send, 400, "the request did not arrive whole")
        finally:
            self._arriving -= most if is_upload else 0

    async def _hold(self, scope: Scope, receive: Receive, send: Send, browser: str) -> None:
        key = scope["path"].removeprefix(LINE).rstrip("/")
        if not browser or self._lines.browser(key) not in (None, browser):
            await _refuse(send, 403, NOT_YOURS)
        elif len(self._lines) >= MAX_LINES and key not in self._lines:
            await _refuse(send, 503, "too many pages are open")
        else:
            with self._lines.held(key, browser):
                await self._app(scope, receive, send)

    async def _is_of(self, keys: list[str], browser: str) -> bool:
        """Whether every key is of a line that this browser holds."""
        if not browser:
            return False
        for _ in range(int(LINE_S / 0.1)):
            if all(key in self._lines for key in keys):
                break
            await asyncio.sleep(0.1)
        return all(key in self._lines and self._lines.browser(key) == browser for key in keys)


NOT_YOURS = "this is no visit of yours; open the page anew, with cookies"


def _browser(scope: Scope) -> str:
    """What the browser shows as its own, empty where that is nothing that was ever given out."""
    text = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None and re.fullmatch(r"[\w-]{32}", found.value, re.ASCII) else ""


def _key_in(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    key = said.get("session_hash") if isinstance(said, dict) else None
    return key if isinstance(key, str) else None


async def _whole(receive: Receive) -> bytes:
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, and what comes after it."""
    first: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> MutableMapping[str, Any]:
        return first.pop() if first else await receive()

    return again


def _counted(receive: Receive, most: int) -> Receive:
    """A body that grows too long or comes too slowly is cut off, as if the sender had left."""
    seen, is_more, clock = 0, True, asyncio.get_running_loop().time
    until = clock() + BODY_S

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen, is_more
        if not is_more:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), min(PIECE_S, until - clock()))
        except TimeoutError:
            is_more = False
            return {"type": "http.disconnect"}
        seen += len(message.get("body", b""))
        is_more = message.get("more_body", False) and seen <= most
        return {"type": "http.disconnect"} if seen > most else message

    return counted


def _with_headers(send: Send, path: str, browser: str | None) -> Send:
    """With the headers of every answer; with the page itself, a cookie for a ``browser`` that had none."""
    own = {name: value for name, value in HEADERS.items() if name != "cache-control" or not path.startswith("/assets/")}

    async def with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.decode().lower() not in own]
            message["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in own.items())]
            if browser is not None and path.rstrip("/") in ("", "/config"):
                cookie = f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax"
                message["headers"].append((b"set-cookie", cookie.encode()))
        await send(message)

    return with_headers


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f'{{"detail": "{why}"}}'.encode()})
