"""The web page itself: what stands on it, and which step of a visit each button takes.

The only file that knows Gradio. What is shown is decided in view.py, what happens in visit.py.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from semg_hht.app import visit as steps
from semg_hht.app.guard import LOOPBACK, Guard
from semg_hht.app.view import UNITS, Host, Page, page_of
from semg_hht.app.visit import MAX_FILES, Visit
from semg_hht.app.visitors import Visitors
from semg_hht.errors import InputError
from semg_hht.pipeline import PipelineConfig
from semg_hht.predict import Run
from semg_hht.report.words import LANGUAGES, read_words

MAX_UPLOAD_MB = 100
SWEEP_S = 20.0
LANGUAGE_NAMES = {"en": "English", "zh": "中文"}
AT_ONCE = 8  # visitors whose clicks are served together; answers are given one by one
MAX_WAITING = 200


@dataclass
class Desk:
    """The run that answers everybody; ``make_run`` makes one where there is none."""

    run: Run | None
    name: str = ""
    practice: bool = False
    references: Path | None = None
    config: PipelineConfig | None = None  # of recordings that no run says how to prepare
    make_run: Callable[[Callable[[float, str], None]], Run] | None = None
    making: threading.Lock = threading.Lock()

    @property
    def host(self) -> Host:
        if self.run is None:
            return Host(None, practice=False)
        return Host(self.name, self.practice, tuple(self.run.classes))

    @property
    def preparation(self) -> PipelineConfig:
        known = None if self.run is None else self.run.recording_config
        return known or self.config or PipelineConfig()


def build(desk: Desk, visitors: Visitors, *, max_upload_mb: int = MAX_UPLOAD_MB) -> gr.Blocks:
    """The page, not yet served."""
    english = read_words("en")
    with gr.Blocks(title="semg-hht", analytics_enabled=False) as page:
        with gr.Row(elem_classes="top"):
            title = gr.HTML(elem_classes="semg")
            language = gr.Radio(
                [(LANGUAGE_NAMES[code], code) for code in LANGUAGES], value="en", show_label=False, container=False,
                elem_id="language",
            )  # fmt: skip
        intro = gr.HTML(elem_classes="semg")
        make_run = gr.Button(english("app_make_run"), visible=False, elem_id="make_run")
        head = gr.HTML(elem_classes="semg")
        drop = gr.File(file_count="multiple", elem_id="drop", height=160)
        drop_how = gr.HTML(elem_classes="semg")
        with gr.Row(elem_id="unsaid"):
            rate = gr.Number(value=None, placeholder="1000", elem_id="rate")
            units = gr.Dropdown([(english("app_units_none"), ""), *UNITS[1:]], value="", elem_id="units")
            read = gr.Button(english("app_read"), elem_id="read")
        notes = gr.HTML(elem_classes="semg", elem_id="notes")
        with gr.Row():
            file = gr.Dropdown([], visible=False, elem_id="file")
            channel = gr.Dropdown([], visible=False, elem_id="channel")
        picture = gr.HTML(elem_classes="semg", elem_id="signal")
        table = gr.Dataframe(
            headers=["", "", ""], datatype=["str", "str", "str"], type="array", column_count=3, static_columns=[2],
            interactive=True, visible=False, elem_id="table", buttons=[], max_height=420, show_row_numbers=True,
        )  # fmt: skip
        with gr.Row():
            add = gr.Button(english("app_add"), visible=False, elem_id="add")
            delete = gr.Button(english("app_delete_none"), visible=False, interactive=False, elem_id="delete")
        gender = gr.Checkbox(value=False, visible=False, elem_id="gender")
        answer = gr.Button(english("app_answer"), variant="primary", visible=False, elem_id="answer")
        answers = gr.HTML(elem_classes="semg", elem_id="answers")
        downloads = gr.HTML(elem_classes="semg", elem_id="downloads")
        chosen = gr.State(0)  # the row of the table that was tapped, counted from 1

        parts = [
            title, intro, make_run, head, drop, drop_how, rate, units, read, notes, file, channel, picture, table, add, delete,
            gender, answer, answers, downloads, chosen, language,
        ]  # fmt: skip

        def shown(visit: Visit, *, typed: Any = None) -> dict[Any, Any]:
            """Every part of the page; a table that still says what was ``typed`` is left alone under the fingers."""
            view = page_of(visit, desk.host)
            return {part: value for part, value in _parts(view, visit, typed).items() if value is not None}

        def _parts(view: Page, visit: Visit, typed: Any) -> dict[Any, Any]:
            w = view.words
            ready = view.has_files and desk.run is not None
            has_table = view.table is not None
            table_now = gr.update(
                visible=has_table, label=w("app_table"), headers=[w("app_from"), w("app_until"), w("app_found_surely")],
                value=view.table or [],
            )  # fmt: skip
            return {
                title: f"<h1>{w('app_title')}</h1>",
                language: visit.language or "en",
                intro: view.intro,
                make_run: gr.update(value=w("app_make_run"), visible=desk.run is None and desk.make_run is not None),
                head: f"<h2>{w('app_step_drop')}</h2><style>:root {{ --drop-here: '{w('app_drop_here')}'; }}</style>",
                drop: gr.update(label=w("app_drop"), value=None),
                drop_how: f"<p class='note'>{w('app_drop_how', size=max_upload_mb, n=MAX_FILES)}</p>",
                rate: gr.update(label=w("app_rate"), info=w("app_rate_how")),
                units: gr.update(
                    label=w("app_units"), info=w("app_rate_how"), choices=[(w("app_units_none"), ""), *UNITS[1:]]
                ),
                read: gr.update(value=w("app_read"), interactive=bool(visit.files)),
                notes: view.notes,
                file: gr.update(
                    label=w("app_file"), choices=view.files, visible=bool(view.files),
                    value=view.shown if view.files else None,
                ),
                channel: gr.update(
                    label=w("app_channel"), choices=view.channels, visible=bool(view.channels),
                    value=view.channel if view.channels else None,
                ),
                picture: view.signal,
                table: None if typed is not None and typed == view.table else table_now,
                add: gr.update(value=w("app_add"), visible=has_table),
                delete: gr.update(value=w("app_delete_none"), visible=has_table, interactive=False),
                chosen: 0,
                gender: gr.update(
                    label=w("app_gender"), info=w("app_gender_how"), value=visit.gender,
                    visible=ready and "gender" in desk.host.tasks,
                ),
                answer: gr.update(value=w("app_answer"), visible=ready),
                answers: view.answers,
                downloads: view.downloads,
            }  # fmt: skip

        def step(change: Callable[..., Visit]) -> Callable[..., dict[Any, Any]]:
            def taken(request: gr.Request, *values: Any) -> dict[Any, Any]:
                return shown(visitors.change(_key(request), lambda visit: change(visit, *values)))

            return taken

        def typed(request: gr.Request, cells: list[list[Any]]) -> dict[Any, Any]:
            cells = [[cell if cell is not None else "" for cell in row] for row in cells]
            return shown(visitors.change(_key(request), lambda visit: steps.edit(visit, cells)), typed=cells)

        def tapped(request: gr.Request, event: gr.SelectData) -> dict[Any, Any]:
            words = read_words(visitors.change(_key(request), lambda visit: visit).language or "en")
            number = int(event.index[0]) + 1
            return {chosen: number, delete: gr.update(value=words("app_delete", number=number), interactive=True)}

        def came(request: gr.Request) -> dict[Any, Any]:
            preferred = (request.headers.get("accept-language") or "").lower()
            first = request.query_params.get("lang") or ("zh" if preferred.startswith("zh") else "en")
            known = first if first in LANGUAGES else "en"
            return shown(visitors.change(_key(request), lambda visit: steps.replace(visit, language=known)))

        def made(request: gr.Request, progress: Any = gr.Progress()) -> dict[Any, Any]:
            with desk.making:
                if desk.run is None and desk.make_run is not None:
                    desk.run = desk.make_run(lambda share, what: progress(share, desc=what))
                    desk.practice = True
            return shown(visitors.change(_key(request), lambda visit: visit))

        def asked(visit: Visit, tell_gender: bool) -> Visit:
            visit = steps.replace(visit, gender=tell_gender)
            return visit if desk.run is None else steps.answer(visit, desk.run, desk.references)

        def closer(visit: Visit) -> Visit:
            return visit if desk.run is None else steps.look_closer(visit, desk.run, desk.references)

        def took(visit: Visit, paths: list[str] | None, rate_hz: float | None, of_units: str) -> Visit:
            if not paths:
                return visit
            visit = steps.replace(visit, rate_hz=rate_hz or None, units=of_units)
            return steps.receive(visit, [Path(path) for path in paths], desk.preparation)

        quick = {"outputs": parts, "concurrency_id": "quick", "concurrency_limit": AT_ONCE, "show_progress": "hidden",
                 "api_visibility": "undocumented"}  # fmt: skip
        slow = quick | {"concurrency_id": "answer", "concurrency_limit": 1, "show_progress": "full",
                        "show_progress_on": [answer]}  # fmt: skip
        page.load(came, **quick, api_name="came")
        language.input(
            step(lambda visit, code: steps.replace(visit, language=code)), [language], **quick, api_name="language"
        )
        drop.upload(step(took), [drop, rate, units], **quick | {"show_progress": "full", "show_progress_on": [drop]},
                    api_name="drop")  # fmt: skip
        read.click(step(lambda visit, hz, u: steps.read_again(visit, hz or None, u, desk.preparation)), [rate, units],
                   **quick, api_name="read")  # fmt: skip
        file.input(step(lambda visit, i: closer(steps.show(visit, i))), [file], **quick, api_name="file")
        channel.input(step(lambda visit, i: closer(steps.replace(visit, channel=i))), [channel], **quick,
                      api_name="channel")  # fmt: skip
        table.input(typed, [table], **quick, trigger_mode="always_last", api_name="edit")
        table.select(tapped, None, **quick | {"outputs": [chosen, delete]}, api_name="tap")
        add.click(step(steps.add), None, **quick, api_name="add")
        delete.click(step(steps.remove), [chosen], **quick, api_name="delete")
        gender.input(step(lambda visit, told: steps.replace(visit, gender=told)), [gender], **quick, api_name="gender")
        answer.click(step(asked), [gender], **slow, api_name="answer")
        make_run.click(made, None, **slow | {"show_progress_on": [intro]}, api_name="make_run")

        def left(request: gr.Request) -> None:
            visitors.leave(_key(request))
            page.state_holder.session_data.pop(_key(request), None)  # what the page showed is in there too

        page.unload(left)
    return page


def _key(request: gr.Request) -> str:
    return str(request.session_hash)


def launch(
    desk: Desk, visitors: Visitors, *, host: str = "127.0.0.1", port: int = 7860, max_upload_mb: int = MAX_UPLOAD_MB
) -> gr.Blocks:
    """Serve the page and return; `close` ends it.

    Raises
    ------
    InputError
        The port is taken.
    """
    os.environ |= {"GRADIO_TEMP_DIR": str(visitors.uploads), "GRADIO_ANALYTICS_ENABLED": "False"}
    page = build(desk, visitors, max_upload_mb=max_upload_mb)
    # A name that leads to this computer must not make another site's page one of ours (DNS rebinding).
    hosts = list(LOOPBACK) if host in LOOPBACK or host == "::1" else ["*"]
    max_bytes = max_upload_mb * 1_000_000
    page.queue(max_size=MAX_WAITING)
    try:
        page.launch(
            server_name=host, server_port=port, max_file_size=max_bytes, share=False, quiet=True, inbrowser=False,
            prevent_thread_lock=True, allowed_paths=[], footer_links=[], run_history=False, ssr_mode=False, pwa=False,
            mcp_server=False, enable_monitoring=False, state_session_capacity=100, favicon_path=None,
            theme=gr.themes.Default(
                primary_hue="blue", font=["system-ui", "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
                                          "sans-serif"], font_mono=["system-ui", "sans-serif"],
            ),
            css=_css(), js="() => document.body.classList.remove('dark')",
            app_kwargs={
                "middleware": [
                    Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
                    Middleware(Guard, uploads=visitors.uploads, max_upload=MAX_FILES * max_bytes),
                ]
            },
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"the page can't be served at {host}:{port}; {error}") from None
    return page


def serve(desk: Desk, *, host: str, port: int, max_upload_mb: int, said: Callable[[str], None]) -> None:
    """Serve the page until somebody stops the program; nothing of any visitor stays behind."""
    visitors = Visitors()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    page = None
    try:
        page = launch(desk, visitors, host=host, port=port, max_upload_mb=max_upload_mb)
        said(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        while not stop.wait(SWEEP_S):
            visitors.sweep()
    except KeyboardInterrupt:
        pass
    finally:
        if page is not None:
            page.close(verbose=False)
        visitors.close()


def _css() -> str:
    """page.css within .semg, so that it leaves Gradio's own parts alone, and what is the page's own."""
    room = files("semg_hht.report")
    shared = room.joinpath("page.css").read_text(encoding="utf-8").replace(":root", "&", 1)
    return f".semg {{\n{shared}\n}}\n{room.joinpath('app.css').read_text(encoding='utf-8')}"


def tracked(tell: Callable[[float, str], None], start: float, stop: float) -> Callable[..., Iterator[Any]]:
    """Work that is done item by item, told as a share of the whole between two shares."""

    def track(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        for done, item in enumerate(items):
            tell(start + (stop - start) * done / max(1, total), label)
            yield item

    return track
