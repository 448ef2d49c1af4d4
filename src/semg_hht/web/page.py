"""The Gradio page: its parts, the step of a visit that each of them triggers, and the server.

This is the only file that imports Gradio. The environment variables of `Visitors` must be set before it is imported.
view.py decides what is shown, and visit.py what each step does.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from semg_hht.errors import InputError
from semg_hht.report.words import LANGUAGES, read_words
from semg_hht.system.memory import give_back_freed_memory
from semg_hht.web import visit as steps
from semg_hht.web.address import PageAddress
from semg_hht.web.cleanup import clean_up
from semg_hht.web.isolated import start_forkserver
from semg_hht.web.request_filter import OpenPages, RequestFilter
from semg_hht.web.shared_run import Desk
from semg_hht.web.view import UNITS, PageContent, page_content
from semg_hht.web.visit import MAX_FILES, Visit
from semg_hht.web.visitors import Visitors

log = logging.getLogger(__name__)

MAX_UPLOAD_MB = 100  # of one file
TOTAL_UPLOAD_FACTOR = 3  # all files of one upload may together be this many times as large as one may be
CLEAN_UP_INTERVAL_S = 20.0
LANGUAGE_NAMES = {"en": "English", "zh": "中文"}
N_QUICK = 8  # quick steps that run at once; answers are computed one at a time
N_READING = 2  # visitors whose files are read at once; uploads.py limits the memory of each
MAX_QUEUED = 1000
MAX_CONNECTIONS = 2000


def build(desk: Desk, visitors: Visitors, *, max_upload_mb: int = MAX_UPLOAD_MB) -> gr.Blocks:
    """Build the page without serving it."""
    with gr.Blocks(title="semg-hht", analytics_enabled=False) as page:
        parts = _parts()
        _wire(page, parts, desk, visitors, max_upload_mb)

        def unload(request: gr.Request) -> None:
            visitors.remove(_key(request))
            page.state_holder.session_data.pop(_key(request), None)  # Gradio keeps the values of all parts in it

        page.unload(unload)
    return page


def _parts() -> dict[str, Any]:
    """Create the parts of the page from top to bottom; each name is also the HTML id of its part."""
    parts: dict[str, Any] = {}

    def put(name: str, kind: Any, **settings: Any) -> None:
        if kind is gr.HTML:
            settings["elem_classes"] = "semg"
        parts[name] = kind(elem_id=name, **settings)

    with gr.Row(elem_classes="top"):
        put("title", gr.HTML)
        languages = [(LANGUAGE_NAMES[code], code) for code in LANGUAGES]
        put("language", gr.Radio, choices=languages, value="en", show_label=False, container=False)
    put("intro", gr.HTML)
    with gr.Row():
        put("take_shipped", gr.Button, visible=False)
        put("make_run", gr.Button, visible=False)
    put("head", gr.HTML)
    put("drop", gr.File, file_count="multiple", height=160)
    put("drop_how", gr.HTML)
    with gr.Row(elem_id="rate_and_units"):
        put("rate", gr.Number, value=None, placeholder="1000")
        put("units", gr.Dropdown, choices=list(UNITS), value="")
        put("read", gr.Button)
    put("sample", gr.HTML)
    put("open_sample", gr.Button, visible=False)
    put("notes", gr.HTML)
    with gr.Row():
        put("file", gr.Dropdown, choices=[], visible=False, min_width=260)
        put("channel", gr.Dropdown, choices=[], visible=False, min_width=260)
    put("signal", gr.HTML)
    put(
        "table", gr.Dataframe, headers=["", "", ""], datatype=["str", "str", "str"], type="array", column_count=3,
        static_columns=[2], interactive=True, visible=False, buttons=[], max_height=420, show_row_numbers=True,
    )  # fmt: skip
    put("table_notes", gr.HTML)
    with gr.Row():
        put("add", gr.Button, visible=False)
        put("delete", gr.Button, visible=False, interactive=False)
    put("gender", gr.Checkbox, value=False, visible=False)
    put("answer", gr.Button, variant="primary", visible=False)
    with gr.Row():
        put("which", gr.Dropdown, choices=[], visible=False, min_width=200)
        put("why", gr.Button, visible=False)
    put("answers", gr.HTML)
    put("downloads", gr.HTML)
    parts["tapped"] = gr.State(0)  # the selected row of the table, counted from 1
    return parts


def _values(view: PageContent, visit: Visit, desk: Desk, max_upload_mb: int) -> dict[str, Any]:
    """Return the value of each part."""
    w = view.words
    ready = view.has_files and desk.run is not None
    has_table = view.table is not None
    return {
        "title": f"<h1>{w('app_title')}</h1>",
        "language": gr.update(label=w("app_language"), value=w.language),
        "intro": view.intro,
        "take_shipped": gr.update(
            value=w("app_take_shipped"), visible=desk.run is None and desk.open_shipped is not None
        ),
        "make_run": gr.update(value=w("app_make_run"), visible=desk.run is None and desk.make_run is not None),
        "head": f"<h2>{w('app_step_drop')}</h2><style>:root {{ --drop-here: '{w('app_drop_here')}'; }}</style>",
        "drop": gr.update(label=w("app_drop"), value=None),
        "drop_how": f"<p class='note'>{w('app_drop_how', size=max_upload_mb, n=MAX_FILES)}</p>",
        "rate": gr.update(label=w("app_rate"), info=w("app_rate_how"), value=visit.rate_hz),
        "units": gr.update(
            label=w("app_units"), info=w("app_rate_how"), choices=[(w("app_units_none"), ""), *UNITS[1:]]
        ),
        "read": gr.update(value=w("app_read"), interactive=bool(visit.files)),
        "sample": view.sample,
        "open_sample": gr.update(value=w("app_open_sample"), visible=bool(view.sample)),
        "notes": view.notes,
        "file": _choice(w("app_file"), view.files, view.shown),
        "channel": _choice(w("app_channel"), view.channels, view.channel),
        "signal": view.signal,
        "table": gr.update(
            visible=has_table, label=w("app_table"), headers=[w("app_from"), w("app_until"), w("app_found_surely")],
            value=view.table or [],
        ),
        "table_notes": view.table_notes,
        "add": gr.update(value=w("app_add"), visible=has_table),
        "delete": gr.update(value=w("app_delete_none"), visible=has_table, interactive=False),
        "tapped": 0,
        "gender": gr.update(
            label=w("app_gender"), info=w("app_gender_how"), value=visit.gender,
            visible=ready and "gender" in desk.run_info.tasks,
        ),
        "answer": gr.update(value=w("app_answer"), visible=ready),
        "which": gr.update(
            label=w("repetition"), choices=list(range(1, view.n_answered + 1)), value=1 if view.n_answered else None,
            visible=view.n_answered > 1,
        ),
        "why": gr.update(value=w("card_evidence"), visible=view.n_answered > 0),
        "answers": view.answers,
        "downloads": view.downloads,
    }  # fmt: skip


def _choice(label: str, choices: list[tuple[str, int]], value: int) -> Any:
    return gr.update(label=label, choices=choices, visible=bool(choices), value=value if choices else None)


@dataclass(frozen=True)
class _Handlers:
    """Event handlers: each takes a step of the visit and returns new values for the parts."""

    parts: dict[str, Any]
    desk: Desk
    visitors: Visitors
    max_upload_mb: int

    def step(self, change: Callable[..., Visit]) -> Callable[..., dict[Any, Any]]:
        def handle(request: gr.Request, *values: Any) -> dict[Any, Any]:
            return self.values_of(self.update(request, lambda visit: change(visit, *values)))

        return handle

    def update(self, request: gr.Request, change: Callable[[Visit], Visit]) -> Visit:
        try:
            return self.visitors.update(_key(request), change)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def values_of(self, visit: Visit, *, typed: Any = None) -> dict[Any, Any]:
        """Return the values of all parts; the table keeps its value, and the focus, where it equals what was typed."""
        view = page_content(visit, self.desk.run_info, self.desk.sample_recorded)
        values = _values(view, visit, self.desk, self.max_upload_mb)
        if typed is not None and typed == view.table:
            del values["table"]
        return {self.parts[name]: value for name, value in values.items()}

    def load(self, request: gr.Request) -> dict[Any, Any]:
        wanted = request.query_params.get("lang") or request.headers.get("accept-language") or ""
        language = next((code for code in LANGUAGES if wanted.lower().startswith(code)), LANGUAGES[0])
        values = self.values_of(self.update(request, lambda visit: replace(visit, language=language)))
        del values[self.parts["drop"]]["value"]  # setting it would cancel an upload that has already begun
        return values

    def edit_table(self, request: gr.Request, cells: list[list[Any]]) -> dict[Any, Any]:
        cells = [["" if cell is None else cell for cell in row] for row in cells]
        return self.values_of(self.update(request, lambda visit: steps.edit(visit, cells)), typed=cells)

    def select_row(self, request: gr.Request, event: gr.SelectData) -> dict[Any, Any]:
        words = read_words(self.update(request, lambda visit: visit).language or LANGUAGES[0])
        number = int(event.index[0]) + 1
        button = gr.update(value=words("app_delete", number=number), interactive=True)
        return {self.parts["tapped"]: number, self.parts["delete"]: button}

    def take_shipped(self, request: gr.Request) -> dict[Any, Any]:
        problems = self.desk.take_shipped()
        return self.values_of(self.update(request, lambda visit: replace(visit, problems=problems)))

    def make_run(self, request: gr.Request, progress: Any = gr.Progress()) -> dict[Any, Any]:
        problems = self.desk.make(lambda share, what: progress(share, desc=what))
        return self.values_of(self.update(request, lambda visit: replace(visit, problems=problems)))


def _wire(page: gr.Blocks, parts: dict[str, Any], desk: Desk, visitors: Visitors, max_upload_mb: int) -> None:
    """Connect each part with its handler, and set which handlers wait for each other."""
    handlers = _Handlers(parts, desk, visitors, max_upload_mb)
    step = handlers.step
    quick: dict[str, Any] = {
        "outputs": list(parts.values()), "concurrency_id": "quick", "concurrency_limit": N_QUICK,
        "show_progress": "hidden", "api_visibility": "undocumented",
    }  # fmt: skip
    reading = quick | {
        "concurrency_id": "reading", "concurrency_limit": N_READING, "show_progress": "full",
        "show_progress_on": [parts["drop"]],
    }  # fmt: skip
    details = quick | {"concurrency_id": "details"}  # these wait for answers; quick steps must not wait for these
    slow = quick | {"concurrency_id": "answer", "concurrency_limit": 1, "show_progress": "full"}
    rate_and_units = [parts["rate"], parts["units"]]

    def drop(visit: Visit, paths: list[str] | None, rate_hz: float | None, units: str) -> Visit:
        return desk.receive(visit, [Path(path) for path in paths or []], rate_hz or None, units)

    def read_again(visit: Visit, rate_hz: float | None, units: str) -> Visit:
        return desk.read_again(visit, rate_hz or None, units)

    def set_language(visit: Visit, language: str) -> Visit:
        return replace(visit, language=language)

    def set_gender(visit: Visit, gender: bool) -> Visit:
        return replace(visit, gender=gender)

    def show_channel(visit: Visit, channel: int) -> Visit:
        return desk.look_closer(replace(visit, channel=channel))

    def show_file(visit: Visit, file: int) -> Visit:
        return desk.look_closer(steps.show(visit, file))

    def explain(visit: Visit, number: int | None) -> Visit:
        return desk.look_why(visit, number or 1)

    page.load(handlers.load, **quick, api_name="came")
    parts["language"].input(step(set_language), parts["language"], **quick, api_name="language")
    parts["drop"].upload(step(drop), [parts["drop"], *rate_and_units], **reading, api_name="drop")
    parts["open_sample"].click(step(desk.open_sample), None, **reading, api_name="open_sample")
    parts["read"].click(step(read_again), rate_and_units, **reading, api_name="read")
    parts["file"].input(step(show_file), parts["file"], **details, api_name="file")
    parts["channel"].input(step(show_channel), parts["channel"], **details, api_name="channel")
    parts["table"].input(handlers.edit_table, parts["table"], **quick, trigger_mode="always_last", api_name="edit")
    of_row = quick | {"outputs": [parts["tapped"], parts["delete"]]}
    parts["table"].select(handlers.select_row, None, **of_row, api_name="tap")
    parts["add"].click(step(steps.add), None, **quick, api_name="add")
    parts["delete"].click(step(steps.remove), parts["tapped"], **quick, api_name="delete")
    parts["gender"].input(step(set_gender), parts["gender"], **quick, api_name="gender")
    slow_answers = slow | {"show_progress_on": [parts["answers"]]}
    parts["answer"].click(step(desk.answer), parts["gender"], **slow_answers, api_name="answer")
    parts["why"].click(step(explain), parts["which"], **slow_answers, api_name="why")
    parts["take_shipped"].click(handlers.take_shipped, None, **slow, api_name="take_shipped")
    parts["make_run"].click(handlers.make_run, None, **slow, show_progress_on=[parts["intro"]], api_name="make_run")


def _key(request: gr.Request) -> str:
    return str(request.session_hash)


def launch(
    desk: Desk, visitors: Visitors, address: PageAddress, *, max_upload_mb: int = MAX_UPLOAD_MB
) -> tuple[gr.Blocks, OpenPages]:
    """Serve the page in the background; return it with the visitors' open pages. Its ``close`` stops the server.

    Raises
    ------
    InputError
        This computer does not have the address, or the port is taken.
    """
    address.require_free()
    start_forkserver()
    _allow_files(2 * MAX_CONNECTIONS)
    page = build(desk, visitors, max_upload_mb=max_upload_mb)
    max_bytes = max_upload_mb * 1_000_000
    open_pages = OpenPages()
    page.queue(max_size=MAX_QUEUED)

    def pending(key: str) -> int:
        return len(page._queue.pending_event_ids_session.get(key, ()))

    try:
        page.launch(
            server_name=address.server_name, server_port=address.port, root_path=address.public_url,
            max_file_size=max_bytes, share=False, quiet=True, inbrowser=False,
            prevent_thread_lock=True, allowed_paths=[], footer_links=[], run_history=False, ssr_mode=False, pwa=False,
            mcp_server=False, enable_monitoring=False, state_session_capacity=100, favicon_path=None,
            theme=gr.themes.Default(
                primary_hue="blue", font=["system-ui", "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
                                          "sans-serif"], font_mono=["system-ui", "sans-serif"],
            ),
            css=_css(), js="() => document.body.classList.remove('dark')",
            app_kwargs={
                "middleware": [
                    Middleware(
                        RequestFilter, uploads=visitors.uploads, max_upload=TOTAL_UPLOAD_FACTOR * max_bytes,
                        open_pages=open_pages, pending=pending, address=address,
                    ),
                ]
            },
        )  # fmt: skip
    except OSError:  # the port is taken at 127.0.0.1, which Gradio tries too, or the computer is very slow
        raise InputError(
            f"the page can't be served at {address.server_name}:{address.port}; another program uses this port, or the "
            "server did not start within 5 s; try again, or choose another --port"
        ) from None
    page.server.config.limit_concurrency = MAX_CONNECTIONS
    return page, open_pages


def _allow_files(n: int) -> None:
    """Raise the limit of open files: each connection takes one or two, and the usual limit is 1024."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n if hard == resource.RLIM_INFINITY else min(n, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(
    desk: Desk, visitors: Visitors, address: PageAddress, *, max_upload_mb: int, announce: Callable[[str], None]
) -> None:
    """Serve the page until the program is stopped; ``announce`` receives the address to open."""
    page, open_pages = launch(desk, visitors, address, max_upload_mb=max_upload_mb)
    silent: set[tuple[Any, Any]] = set()
    try:
        announce(address.to_open)
        while True:
            time.sleep(CLEAN_UP_INTERVAL_S)
            try:
                visitors.remove_idle(open_pages)
                silent = clean_up(page, open_pages, silent)
            except Exception:
                log.exception("what visitors left could not be removed; trying again in %g s", CLEAN_UP_INTERVAL_S)
            give_back_freed_memory()
    except KeyboardInterrupt:
        pass
    finally:
        desk.close()
        page.close(verbose=False)


def _css() -> str:
    """Return page.css, limited to class ``semg`` so that Gradio's own parts keep their style, and app.css."""
    folder = files("semg_hht.report")
    shared = folder.joinpath("page.css").read_text(encoding="utf-8").replace(":root", "&", 1)
    return f".semg {{\n{shared}\n}}\n{folder.joinpath('app.css').read_text(encoding='utf-8')}"
