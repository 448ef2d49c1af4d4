"""The server of the page: its addresses, what each of them does to a visit, and how it is started.

Data is sent as JSON and pictures as PNG; markup is one page and the session card. Files are served from a fixed list.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from semg_hht.errors import InputError
from semg_hht.reports.words import LANGUAGES, read_words
from semg_hht.web import page_steps as steps
from semg_hht.web.address import PageAddress
from semg_hht.web.isolated import end_all, start_forkserver
from semg_hht.web.kept_sessions import KeptSessions
from semg_hht.web.live_view import LIVE_CHANGES, events
from semg_hht.web.page_steps import Page
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.request_filter import RequestFilter, TooLarge
from semg_hht.web.session_file import SUFFIX
from semg_hht.web.shared_run import Desk
from semg_hht.web.uploads import require_space, safe_name
from semg_hht.web.view import sentence
from semg_hht.web.visit import Visit
from semg_hht.web.visitors import Visitors
from semg_hht.web.watched_stream import WatchedStream

log = logging.getLogger(__name__)

MAX_UPLOAD_MB = 100  # of one file
HOUSEKEEPING_S = 5.0
MAX_PENDING = 8  # requests of one visitor at once
N_DRAWING = 2  # pictures and cards that are made at once, of all visitors: a card waits for a "why" that is under way
N_READING = 2  # files that are read at once, of all visitors; uploads.py limits the memory of each
MAX_CONNECTIONS = 2000
HEADER_TIMEOUT_S = 20.0  # from the opening of a connection to the end of its header
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}
SHELL = "shell.html.j2"


@dataclass
class Server:
    """What the addresses need: the page, its static files by name, and how many requests each visitor waits for."""

    page: Page
    static: dict[str, tuple[bytes, str]]
    shell: jinja2.Template
    pending: dict[str, int] = field(default_factory=dict)
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(N_READING))
    drawing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(N_DRAWING))


class WrongVisit(Exception):
    """The request states no visit, or one that is not here."""


def application(page: Page, address: PageAddress) -> Starlette:
    """The page as an ASGI application."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("semg_hht.web", "page"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    server = Server(page, _static_files(), environment.get_template(SHELL))
    if page.stream is None:
        del server.static["live.js"]
    changes = steps.CHANGES | ({} if page.stream is None else LIVE_CHANGES)
    live = [] if page.stream is None else [Route("/api/live", partial(_live, server, page.stream))]
    routes = [
        Route("/", partial(_shell, server)),
        Route("/static/{name:path}", partial(_static, server)),
        Route("/api/visit", partial(_new_visit, server), methods=["POST"]),
        Route("/api/file", partial(_upload, server), methods=["POST"]),
        Route("/api/leave", partial(_leave, server), methods=["POST"]),
        *(Route(f"/api/{name}", partial(_change, server, step), methods=["POST"]) for name, step in changes.items()),
        *(Route(f"/api/{name}", partial(_read, server, read)) for name, read in steps.READS.items()),
        *live,
    ]
    handlers: dict[Any, Any] = {Refused: partial(_refused, server), InputError: partial(_impossible, server)}
    handlers |= {
        WrongVisit: _wrong_visit,
        ClientDisconnect: _incomplete,
        FileNotFoundError: partial(_gone, server),
    }
    middleware = [Middleware(RequestFilter, address=address, max_upload=page.max_stored)]
    return Starlette(routes=routes, exception_handlers=handlers, middleware=middleware)


def _static_files() -> dict[str, tuple[bytes, str]]:
    """Script, style and their like, by their path below ``page``; nothing else is served."""
    folder = files("semg_hht.web").joinpath("page")
    found = {}

    def walk(part: Any, prefix: str) -> None:
        for entry in part.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif Path(entry.name).suffix in TYPES or entry.name == "LICENSE":
                kind = TYPES.get(Path(entry.name).suffix, "text/plain")
                found[f"{prefix}{entry.name}"] = (entry.read_bytes(), kind)

    if folder.is_dir():
        walk(folder, "")
    return found


def language_of(request: Request) -> str:
    """The language of ``?lang=``, else the first that the browser wants and the page has."""
    wanted = request.query_params.get("lang") or request.headers.get("accept-language") or ""
    for part in wanted.lower().split(","):
        for code in LANGUAGES:
            if part.strip().startswith(code):
                return code
    return LANGUAGES[0]


async def _shell(server: Server, request: Request) -> Response:
    language = language_of(request)
    words = json.loads(server.static[f"{language}.json"][0])
    text = server.shell.render(language=language, words=words, is_live=server.page.stream is not None)
    return Response(text, media_type="text/html")


async def _static(server: Server, request: Request) -> Response:
    found = server.static.get(request.path_params["name"])
    if found is None:
        return JSONResponse({"error": "there is no such file"}, 404)
    return Response(found[0], media_type=found[1])


async def _new_visit(server: Server, request: Request) -> Response:
    # Other sites can't send this type without asking first: else they would fill the page with visits.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("app_bad_request")
    content = await _json(request)
    language = content.get("language")
    language = language if language in LANGUAGES else language_of(request)
    try:
        key, visit = await run_in_threadpool(server.page.visitors.create)  # which may remove the files of another
    except Refused as refused:
        return JSONResponse({"error": sentence(refused.problem, read_words(language))}, 503)
    visit.language, visit.run = language, server.page.desk.first_kind
    state = await run_in_threadpool(server.page.state, visit)
    return JSONResponse({"visit": key, "state": state})


def _visit(server: Server, request: Request) -> tuple[str, Visit]:
    key = request.headers.get("x-visit", "")
    visit = server.page.visitors.get(key)
    if visit is None:
        raise WrongVisit
    request.state.language = visit.language
    return key, visit


async def _in_turn(server: Server, key: str, work: Callable[[], Awaitable[Response]]) -> Response:
    """Do the work, unless too many requests of this visitor wait already."""
    waiting = server.pending.get(key, 0)
    if waiting >= MAX_PENDING:
        return JSONResponse({"error": f"a visitor may wait for {MAX_PENDING} requests at once"}, 429)
    server.pending[key] = waiting + 1
    try:
        return await work()
    finally:
        server.pending[key] -= 1
        if not server.pending[key]:
            del server.pending[key]


async def _change(server: Server, step: steps.Change, request: Request) -> Response:
    key, visit = _visit(server, request)
    content = await _json(request)

    async def work() -> Response:
        if step.reads:
            async with server.reading:
                await run_in_threadpool(step.do, server.page, visit, content)
        else:
            await run_in_threadpool(step.do, server.page, visit, content)
        return JSONResponse(await run_in_threadpool(server.page.state, visit))

    return await _in_turn(server, key, work)


async def _leave(server: Server, request: Request) -> Response:
    """The page is closed or loaded anew."""
    key, _ = _visit(server, request)
    server.page.visitors.leave(key)
    return JSONResponse({})


async def _read(server: Server, read: steps.Read, request: Request) -> Response:
    key, visit = _visit(server, request)

    async def work() -> Response:
        async with server.drawing if read in steps.DRAWN else contextlib.nullcontext():
            content, kind = await run_in_threadpool(read, server.page, visit, dict(request.query_params))
        if isinstance(content, Path):
            return TemporaryFileResponse(content, media_type=kind)
        return Response(content, media_type=kind)

    return await _in_turn(server, key, work)


async def _live(server: Server, stream: WatchedStream, request: Request) -> Response:
    told = events(server.page, stream, *_visit(server, request))
    return StreamingResponse(told, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


class TemporaryFileResponse(FileResponse):
    """A file that is removed when it has been sent, or when the browser does not take it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


async def _upload(server: Server, request: Request) -> Response:
    key, visit = _visit(server, request)
    name = safe_name(request.query_params.get("name", ""))

    async def work() -> Response:
        stored = visit.folder / f"upload-{secrets.token_hex(8)}"
        try:
            await _store(server, visit, request, stored, is_session=name.endswith(SUFFIX))
            async with server.reading:
                await run_in_threadpool(server.page.take_upload, visit, stored, name)
        finally:
            stored.unlink(missing_ok=True)
        return JSONResponse(await run_in_threadpool(server.page.state, visit))

    return await _in_turn(server, key, work)


async def _store(server: Server, visit: Visit, request: Request, stored: Path, *, is_session: bool) -> None:
    """Write the body of a request to a file, as long as the visit and the disk have space.

    Raises
    ------
    TooLarge
        It is larger than one file may be; a saved session may have the size of all files together.
    """
    room = server.page.room(visit)
    left = server.page.max_stored if is_session else server.page.max_upload
    with stored.open("wb") as out:
        async for chunk in request.stream():
            room, left = room - len(chunk), left - len(chunk)
            if left < 0:
                raise TooLarge
            if room < 0:
                raise Refused("app_visit_full", most=server.page.max_stored // 1_000_000)
            require_space(visit.folder, len(chunk))
            out.write(chunk)


async def _json(request: Request) -> dict[str, Any]:
    body = await request.body()
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Refused("app_bad_request")
    return content


async def _refused(server: Server, request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    language = getattr(request.state, "language", "") or language_of(request)
    return JSONResponse({"error": sentence(refused.problem, read_words(language))}, 400)


async def _impossible(server: Server, request: Request, error: Exception) -> Response:
    return await _refused(server, request, Refused("app_says", said=str(error)))


async def _gone(server: Server, request: Request, _: Exception) -> Response:
    """A file of the visit was removed or read again while the request used it."""
    return await _refused(server, request, Refused("app_no_such_file"))


async def _wrong_visit(request: Request, _: Exception) -> Response:
    words = read_words(language_of(request))
    return JSONResponse({"error": sentence(Problem("app_no_visit"), words)}, 404)


async def _incomplete(request: Request, _: Exception) -> Response:
    return JSONResponse({"error": "the request did not arrive completely"}, 400)


class TimedProtocol(H11Protocol):
    """HTTP on a connection that must send a header in time; each answer closes its connection (`HEADERS`)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.last_bytes = b""
        self.deadline = asyncio.get_running_loop().call_later(HEADER_TIMEOUT_S, transport.close)

    def data_received(self, data: bytes) -> None:
        if not self.deadline.cancelled():
            self.last_bytes = self.last_bytes[-3:] + data
            if b"\r\n\r\n" in self.last_bytes:
                self.deadline.cancel()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadline.cancel()
        super().connection_lost(exc)


@dataclass
class Running:
    """A page that is served by a thread; `close` stops it."""

    server: uvicorn.Server
    thread: threading.Thread
    page: Page

    def close(self) -> None:
        self.page.desk.closing.set()
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # requests that are cut off are no errors now
        self.server.should_exit = True
        self.server.force_exit = True
        end_all(self.thread)
        if self.page.stream is not None:
            self.page.stream.close()
        self.page.desk.close()


def launch(
    desk: Desk, visitors: Visitors, address: PageAddress, *, max_upload_mb: int = MAX_UPLOAD_MB,
    sessions: Path | None = None, stream: WatchedStream | None = None,
) -> Running:  # fmt: skip
    """Serve the page in the background.

    Raises
    ------
    InputError
        This computer does not have the address, or the port is taken.
    """
    address.require_free()
    kept = None if sessions is None else KeptSessions(sessions)
    page = Page(desk, visitors, max_upload=max_upload_mb * 1_000_000, kept=kept, stream=stream)
    config = uvicorn.Config(
        application(page, address), host=address.host, port=address.port, log_level="error", access_log=False,
        server_header=False, date_header=False, ws="none", lifespan="off", limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=32_768, proxy_headers=False, timeout_graceful_shutdown=2, http=TimedProtocol,
        loop="asyncio",
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True, name="semg-hht page")
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise InputError(f"the page can't be served at {address.server_name}:{address.port}")
        thread.join(0.01)
    return Running(server, thread, page)


def serve(
    desk: Desk, visitors: Visitors, address: PageAddress, *, max_upload_mb: int = MAX_UPLOAD_MB,
    sessions: Path | None = None, stream: WatchedStream | None = None,
    announce: Callable[[str], None] = lambda url: None,
) -> None:  # fmt: skip
    """Serve the page until Ctrl+C or the end of the process."""
    running = launch(desk, visitors, address, max_upload_mb=max_upload_mb, sessions=sessions, stream=stream)
    announce(address.to_open)
    start_forkserver()
    threading.Thread(target=running.page.warm_up, daemon=True, name="semg-hht warm up").start()
    try:
        while running.thread.is_alive():
            running.thread.join(HOUSEKEEPING_S)
            running.page.keep_house()
    except KeyboardInterrupt:
        pass
    finally:
        running.page.keep_house()
        running.close()
