"""What the page's server lets in and out: a few addresses, requests of a modest size, and nothing from elsewhere.

Knows HTTP: nothing of Gradio's insides or of what a visit is. Gradio serves files by path and fetches addresses for its
visitors; the page needs neither, so whatever is not listed here is refused.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
UPLOAD = "/gradio_api/upload"
PLAIN = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static|svelte)/.*"
    r"|/gradio_api/(startup-events|app_id|upload|upload_progress|heartbeat/[^/]+|queue/(join|data)|cancel|reset)/?"
)
MAX_BODY = 2**20  # bytes of a request that is no upload; a table of a thousand rows has a twentieth of that
HEADERS = {
    # Gradio writes its settings into the page, and its templates are functions made of text.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Guard:
    """Around the server's application.

    uploads : the folder that uploads are written to; max_upload : bytes of all files that arrive together.
    """

    def __init__(self, app: Any, *, uploads: Path, max_upload: int) -> None:
        self._app, self._uploads, self._max_upload = app, uploads, max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
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
        if is_upload and shutil.disk_usage(self._uploads).free < 2 * most:
            await _refuse(send, 507, "the disk of the server is nearly full")
            return
        await self._app(scope, _counted(receive, most), _with_headers(send, scope["path"]))


def _counted(receive: Receive, most: int) -> Receive:
    """A body that does not say its length is cut off where it grows too long, as if the sender had left."""
    seen = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > most else message

    return counted


def _with_headers(send: Send, path: str) -> Send:
    own = {name: value for name, value in HEADERS.items() if name != "cache-control" or not path.startswith("/assets/")}

    async def with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.decode().lower() not in own]
            message["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in own.items())]
        await send(message)

    return with_headers


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f'{{"detail": "{why}"}}'.encode()})
