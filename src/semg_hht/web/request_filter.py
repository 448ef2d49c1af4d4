"""ASGI middleware that decides which requests reach the page, how large and how slow they may be, and what it answers.

This module knows HTTP, but not what a visit is.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from semg_hht.web.address import PageAddress

UPLOAD = "/api/file"
MAX_BODY = 2**18  # bytes of a request other than an upload; a table of 500 repetitions takes a fifth of that
CHUNK_TIMEOUT_S = 20.0  # to wait for the next chunk of a request's body
BODY_TIMEOUT_S = 600.0  # to wait for the whole body
SEND_TIMEOUT_S = 120.0  # to wait until a browser takes a part of the answer
WRONG_HOST = (
    "the page does not answer under this host name; behind a proxy, start it by "
    "semg-hht app --public-url with the address that users open"
)
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "connection": "close",  # a connection has one request, so that it can be given one time limit
}


class TooLarge(Exception):
    """A request's body is longer than allowed; the application may raise it, too."""


class RequestFilter:
    """ASGI middleware around the application.

    address : its host names are the only ones that requests may state; a proxy may leave its path in front of paths.
    max_upload : bytes of an upload.
    """

    def __init__(self, app: Any, *, address: PageAddress, max_upload: int) -> None:
        self._app, self._max_upload = app, max_upload
        self._hosts, self._path = address.allowed_hosts, address.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no WebSockets; uvicorn closes the connection
        send, headers = _with_headers(send), Headers(scope=scope)
        if self._hosts is not None and _host(headers) not in self._hosts:
            await JSONResponse({"error": WRONG_HOST}, 421)(scope, receive, send)
            return
        path = scope["path"]
        if self._path and (path == self._path or path.startswith(f"{self._path}/")):
            path = path[len(self._path) :] or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        max_bytes = self._max_upload if path == UPLOAD else MAX_BODY
        too_large = JSONResponse({"error": f"the request is too large; at most {max_bytes} bytes are taken"}, 413)
        length = headers.get("content-length", "0")
        if length.isdecimal() and (len(length) > 15 or int(length) > max_bytes):
            await too_large(scope, receive, send)
            return
        is_begun = False

        async def send_once(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await asyncio.wait_for(send(message), SEND_TIMEOUT_S)

        try:
            await self._app(scope, _limited(receive, max_bytes), send_once)
        except TimeoutError:
            return  # the browser does not take its answer; uvicorn closes the connection
        except TooLarge:
            if not is_begun:
                await too_large(scope, receive, send)


def _host(headers: Headers) -> str:
    """Return the host name that a request states, without its port; an empty string where it states none."""
    host = re.fullmatch(r"([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?", headers.get("host", "").lower())
    return host[1].strip("[]") if host else ""


def _limited(receive: Receive, max_bytes: int) -> Receive:
    """Cut off a body that is too long or arrives too slowly; the second as if the sender had disconnected."""
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
        if n_bytes > max_bytes:
            raise TooLarge
        is_more = message.get("more_body", False)
        return message

    return receive_limited


def _with_headers(send: Send) -> Send:
    """Add `HEADERS` to every response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return send_with_headers
