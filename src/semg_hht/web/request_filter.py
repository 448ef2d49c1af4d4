"""ASGI middleware that decides which requests reach the page's server, how large they may be, and from which browser.

Gradio serves files by path and fetches addresses on request. The page needs neither, so every path that is not listed
here is refused. Gradio also shows the results of a visit to anyone who knows its key (the session hash), which appears
in addresses and therefore in logs. Here a key belongs to the browser that opened the page with it, which a cookie
identifies. This module knows HTTP, but not Gradio's private attributes or what a visit is.
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

from semg_hht.web.address import PageAddress

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UPLOAD = "/gradio_api/upload"
HEARTBEAT, EVENTS = "/gradio_api/heartbeat/", "/gradio_api/queue/data"
ALLOWED_PATHS = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static|svelte)/.*"
    r"|/gradio_api/(startup-events|app_id|upload|upload_progress|heartbeat/[^/]+|queue/(join|data)|cancel)/?"
)
MAX_BODY = 2**18  # bytes of a request other than an upload; a table of a thousand rows takes a fifth of that
CHUNK_TIMEOUT_S = 20.0  # to wait for the next chunk of a request's body
BODY_TIMEOUT_S = 600.0  # to wait for the whole body
MAX_OPEN_PAGES = 400
MAX_REMEMBERED_KEYS = 10_000  # keys whose browser is remembered
MAX_PENDING = 6  # steps that one visitor may wait for at once; fewer than the server queues for all visitors
HEARTBEAT_WAIT_S = 5.0  # a browser sends its heartbeat and its first step at the same time, in either order
COOKIE = "semg_hht_visitor"
WRONG_HOST = (
    "the page does not answer under this host name; behind a proxy, start it by "
    "semg-hht app --public-url with the address that users open"
)
WRONG_BROWSER = "this visit belongs to another browser; reload the page, with cookies allowed"
HEADERS = {
    # Gradio writes its settings into the page as a script, and its templates are functions made from text.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class OpenPages:
    """The keys of visitors whose page is open, that is, whose browser holds a heartbeat connection.

    A key stays with its browser after the page is closed, so that no other browser receives unfinished results.
    """

    def __init__(self) -> None:
        self._n_connections: dict[str, int] = {}
        self._browsers: dict[str, str] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._n_connections

    def __len__(self) -> int:
        return len(self._n_connections)

    def browser(self, key: str) -> str | None:
        return self._browsers.get(key)

    @contextmanager
    def opened(self, key: str, browser: str) -> Iterator[None]:
        """Count the page as open within the block; a browser that reconnects opens it twice for a while."""
        self._n_connections[key] = self._n_connections.get(key, 0) + 1
        self._browsers[key] = browser
        if len(self._browsers) > MAX_REMEMBERED_KEYS:
            del self._browsers[next(other for other in self._browsers if other not in self._n_connections)]
        try:
            yield
        finally:
            self._n_connections[key] -= 1
            if not self._n_connections[key]:
                del self._n_connections[key]


class RequestFilter:
    """ASGI middleware around the server's application.

    uploads : the folder that the server writes uploads to.
    max_upload : bytes of all files of one upload together.
    pending : a function that counts the steps that the visitor with a key waits for.
    address : its host names are the only ones that requests may state; a proxy may leave its path in front of paths.
    """

    def __init__(
        self, app: Any, *, uploads: Path, max_upload: int, open_pages: OpenPages, pending: Callable[[str], int],
        address: PageAddress,
    ) -> None:  # fmt: skip
        self._app = app
        self._uploads = uploads
        self._max_upload = max_upload
        self._open_pages = open_pages
        self._pending = pending
        self._hosts = address.allowed_hosts
        self._prefix, self._to_open = address.path, address.to_open.encode()
        self._reserved = 0  # bytes that the uploads in progress may take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if self._hosts is not None and _host(scope) not in self._hosts:
            await _refuse(send, 400, WRONG_HOST)
            return
        if self._prefix and scope["path"] == self._prefix:
            await send({"type": "http.response.start", "status": 308, "headers": [(b"location", self._to_open)]})
            await send({"type": "http.response.body"})
            return
        if self._prefix and scope["path"].startswith(f"{self._prefix}/"):
            scope["path"] = scope["path"].removeprefix(self._prefix)
        if scope["type"] != "http" or not ALLOWED_PATHS.fullmatch(scope["path"]):
            await _refuse(send, 403, "this page serves no files")
            return
        is_upload = scope["path"].rstrip("/") == UPLOAD
        max_bytes = self._max_upload if is_upload else MAX_BODY
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > max_bytes:
            await _refuse(send, 413, f"a request may hold {max_bytes} bytes")
            return
        browser = _browser(scope)
        if is_upload and shutil.disk_usage(self._uploads).free < 2 * max_bytes + self._reserved:
            await _refuse(send, 507, "the disk of the server is nearly full")
            return
        if is_upload and not browser:  # a form on another site's page sends no cookie either
            await _refuse(send, 403, WRONG_BROWSER)
            return
        limited = _limited(receive, max_bytes)
        send_with_headers = _with_headers(send, scope["path"], None if browser else secrets.token_urlsafe(24))
        if scope["path"].startswith(HEARTBEAT):
            await self._keep_open(scope, limited, send_with_headers, browser)
            return
        if scope["path"].rstrip("/") == EVENTS:
            keys = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
            if not await self._owns(browser, keys):
                await _refuse(send, 403, WRONG_BROWSER)
                return
        elif scope["method"] == "POST" and not is_upload:
            body = await _read_body(limited)
            key = _key_in(body)
            if key is None or not await self._owns(browser, [key]):
                await _refuse(send, 403, WRONG_BROWSER)
                return
            if self._pending(key) >= MAX_PENDING:
                await _refuse(send, 429, f"a visitor may wait for {MAX_PENDING} steps at once")
                return
            limited = _replayed(body, receive)
        self._reserved += max_bytes if is_upload else 0
        try:
            await self._app(scope, limited, send_with_headers)
        except ClientDisconnect:
            if scope["method"] == "POST":  # nothing has been sent yet
                await _refuse(send, 400, "the request did not arrive completely")
        finally:
            self._reserved -= max_bytes if is_upload else 0

    async def _keep_open(self, scope: Scope, receive: Receive, send: Send, browser: str) -> None:
        """Serve a heartbeat: the page counts as open until the browser closes the connection."""
        key = scope["path"].removeprefix(HEARTBEAT).rstrip("/")
        if not browser or self._open_pages.browser(key) not in (None, browser):
            await _refuse(send, 403, WRONG_BROWSER)
        elif len(self._open_pages) >= MAX_OPEN_PAGES and key not in self._open_pages:
            await _refuse(send, 503, "too many pages are open")
        else:
            with self._open_pages.opened(key, browser):
                await self._app(scope, receive, send)

    async def _owns(self, browser: str, keys: list[str]) -> bool:
        """Whether this browser opened the pages of all the keys; waits a moment for a heartbeat on its way."""
        if not browser:
            return False
        for _ in range(int(HEARTBEAT_WAIT_S / 0.1)):
            if all(key in self._open_pages for key in keys):
                break
            await asyncio.sleep(0.1)
        return all(key in self._open_pages and self._open_pages.browser(key) == browser for key in keys)


def _host(scope: Scope) -> str:
    """Return the host name that a request states, without its port; an empty string where it states none."""
    header = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    host = re.fullmatch(r"([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?", header.lower())
    return host[1].strip("[]") if host else ""


def _browser(scope: Scope) -> str:
    """Return the browser's cookie; an empty string where it is missing or was not issued by this server."""
    text = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    try:
        cookie = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie is not None and re.fullmatch(r"[\w-]{32}", cookie.value, re.ASCII) else ""


def _key_in(body: bytes) -> str | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    key = content.get("session_hash") if isinstance(content, dict) else None
    return key if isinstance(key, str) else None


async def _read_body(receive: Receive) -> bytes:
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return the body that was already read, then what arrives after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _limited(receive: Receive, max_bytes: int) -> Receive:
    """Cut off a body that is too long or arrives too slowly, as if the sender had disconnected."""
    n_bytes, is_more, clock = 0, True, asyncio.get_running_loop().time
    end = clock() + BODY_TIMEOUT_S

    async def receive_limited() -> Message:
        nonlocal n_bytes, is_more
        if not is_more:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), min(CHUNK_TIMEOUT_S, end - clock()))
        except TimeoutError:
            is_more = False
            return {"type": "http.disconnect"}
        n_bytes += len(message.get("body", b""))
        is_more = message.get("more_body", False) and n_bytes <= max_bytes
        return {"type": "http.disconnect"} if n_bytes > max_bytes else message

    return receive_limited


def _with_headers(send: Send, path: str, new_browser: str | None) -> Send:
    """Add `HEADERS` to every response, and to the page itself a cookie for a browser that has none."""
    own = {name: value for name, value in HEADERS.items() if name != "cache-control" or not path.startswith("/assets/")}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.decode().lower() not in own]
            message["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in own.items())]
            if new_browser is not None and path.rstrip("/") in ("", "/config"):
                cookie = f"{COOKIE}={new_browser}; Path=/; HttpOnly; SameSite=Lax"
                message["headers"].append((b"set-cookie", cookie.encode()))
        await send(message)

    return send_with_headers


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f'{{"detail": "{reason}"}}'.encode()})
