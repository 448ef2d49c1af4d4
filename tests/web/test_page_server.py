"""The server: visits are apart, nothing is served by path, and what is too large, too slow or too much is refused."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from page_builders import PageVisitor, free_port, page_of
from reverse_proxy import reverse_proxy
from semg_hht.errors import InputError
from semg_hht.prediction.run import Run
from semg_hht.web import page_server
from semg_hht.web.address import PageAddress
from semg_hht.web.page_server import Running, launch
from semg_hht.web.page_steps import CHANGES, READS
from semg_hht.web.shared_run import Desk
from semg_hht.web.visitors import Visitors


@pytest.fixture
def served(visitors: Visitors, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, int]]:
    """The page at a port of this computer, with an own time limit for idle connections."""
    monkeypatch.setattr(page_server, "HEADER_TIMEOUT_S", 1.0)
    port = free_port()
    running = launch(Desk(own=run, name="run"), visitors, PageAddress(port=port), max_upload_mb=1)
    yield running, port
    running.close()


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_the_shell_is_in_the_language_of_the_browser_and_asks_for_nothing_from_elsewhere(visitor: PageVisitor) -> None:
    for path, language, accept in (
        ("/", "zh-CN", "zh-TW,zh;q=0.9,en"),
        ("/", "en", "fr,de"),
        ("/?lang=zh", "zh-CN", "en"),
    ):
        shell = visitor.client.get(path, headers={"Accept-Language": accept}).text
        assert f'<html lang="{language}">' in shell and "{{" not in shell
        assert "http://" not in shell.replace("http://www.w3.org", "") and "https://" not in shell
        assert "style=" not in shell and "<script>" not in shell
    assert len(shell) < 30_000
    assert visitor.client.get("/static/zh.json").json() != visitor.client.get("/static/en.json").json()


def test_every_address_of_a_visit_needs_its_key(visitors: Visitors, run: Run, curl: Path) -> None:
    page = page_of(visitors, run)
    ana, ben = PageVisitor(page), PageVisitor(page)
    ana.drop(curl)
    assert ben.client.get("/api/state").json()["files"] == []
    del ben.client.headers["X-Visit"]
    for headers in ({}, {"X-Visit": ""}, {"X-Visit": ana.key[:-1]}, {"Cookie": f"X-Visit={ana.key}"}):
        for name in READS:
            assert ben.client.get(f"/api/{name}?file=1&visit={ana.key}", headers=headers).status_code == 404
        for name in (*CHANGES, "leave", "file?name=a.csv"):
            assert ben.client.post(f"/api/{name}", json={"visit": ana.key}, headers=headers).status_code == 404
    assert ana.client.get("/api/state").json()["files"][0]["name"] == "curl.csv"
    assert "Please reload the page" in ben.client.get("/api/state").json()["error"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/static/../page_server.py", "/static/%2e%2e/page_server.py", "/static//etc/passwd",
             "/static/shell.html.j2", "/static/", "/api/", "/static/uplot/../../visit.py",
             "/static/..%2fvisit.py", "/docs", "/openapi.json", "/file=/etc/passwd"],
)  # fmt: skip
def test_nothing_is_served_by_its_path(visitor: PageVisitor, path: str) -> None:
    answer = visitor.client.get(path, follow_redirects=False)
    assert answer.status_code in (404, 405, 307)


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"[" * 100_000, b"5", b'"x"'])
def test_a_body_that_is_no_object_is_refused(visitor: PageVisitor, body: bytes) -> None:
    assert visitor.client.post("/api/repetitions", content=body).status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_another_site_can_not_begin_visits(visitor: PageVisitor, visitors: Visitors, kind: str) -> None:
    headers = {"Content-Type": kind, "Origin": "https://elsewhere.example"}
    assert visitor.client.post("/api/visit", content=b"{}", headers=headers).status_code == 400
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type"}  # fmt: skip
    answer = visitor.client.options("/api/visit", headers=asked)
    assert answer.status_code == 405 and not any(name.startswith("access-control") for name in answer.headers)
    assert len(visitors) == 1


@pytest.mark.parametrize("query", ["file=x", "file=1&from=nan", "file=1&points=1e999", "file=-1", "", "file=1.5"])
def test_a_query_that_makes_no_sense_is_refused(visitor: PageVisitor, curl: Path, query: str) -> None:
    visitor.drop(curl)
    assert visitor.client.get(f"/api/signal?{query}").status_code == 400
    if "1&" not in query:
        assert {visitor.client.get(f"/api/{name}?{query}").status_code for name in ("picture", "card")} == {400}


def test_the_files_of_a_visit_and_the_disk_have_limits(
    visitors: Visitors, run: Run, curl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(visitors, run)
    page.max_upload = len(curl.read_bytes()) + 10
    visitor = PageVisitor(page)
    for _ in range(3):
        visitor.drop(curl)
    answer = visitor.client.post("/api/file?name=curl.csv", content=curl.read_bytes())
    assert answer.status_code == 400 and "may have 0 MB" in answer.json()["error"]
    assert visitor.client.post("/api/file?name=a.csv", content=bytes(page.max_upload + 1)).status_code == 413
    visitor.post("remove", file=1)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**6))
    answer = visitor.client.post("/api/file?name=curl.csv", content=curl.read_bytes())
    assert "no space left" in answer.json()["error"]
    (visit,) = visitors.all()
    assert [path.name for path in visit.folder.iterdir() if path.is_file()] == []
    assert len(list(visit.recordings.iterdir())) == 2


def test_many_requests_of_one_visitor_do_not_hold_up_the_others(
    visitors: Visitors, run: Run, monkeypatch: pytest.MonkeyPatch, served: tuple[Running, int]
) -> None:
    running, port = served
    key, visit = visitors.create()
    held, begun = threading.Event(), threading.Semaphore(0)

    def slow(_: object) -> str:
        begun.release()
        held.wait(60)
        return "x"

    monkeypatch.setattr(page_server, "MAX_PENDING", 2)
    monkeypatch.setattr(visit.__class__, "table", slow)
    threads = [threading.Thread(target=get, args=(port, "/api/table"), kwargs={"X-Visit": key}) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=30) and begun.acquire(timeout=30)
    assert get(port, "/api/state", **{"X-Visit": key})[0] == 429
    other, _ = visitors.create()
    assert get(port, "/api/state", **{"X-Visit": other})[0] == 200
    held.set()
    for thread in threads:
        thread.join(20)


def test_cards_that_wait_for_an_explanation_do_not_hold_up_the_others(
    served: tuple[Running, int], visitors: Visitors
) -> None:
    running, port = served
    with running.page.desk.explaining:  # as one that takes minutes
        keys = [visitors.create()[0] for _ in range(8)]
        threads = [threading.Thread(target=get, args=(port, "/api/card?file=1"), kwargs={"X-Visit": key})
                   for key in keys for _ in range(6)]  # fmt: skip
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        other, _ = visitors.create()
        assert get(port, "/api/state", **{"X-Visit": other})[0] == 200
    for thread in threads:
        thread.join(20)


def test_a_session_that_a_browser_does_not_take_is_removed(visitors: Visitors, run: Run, curl: Path) -> None:
    visitor = PageVisitor(page_of(visitors, run))
    visitor.drop(curl)
    (visit,) = visitors.all()

    async def stalled(_: object) -> None:
        raise TimeoutError

    async def silent() -> dict[str, str]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def sent() -> None:
        path = visit.folder / "session-x"
        path.write_bytes(b"x")
        scope = {"type": "http", "method": "GET", "headers": []}
        with pytest.raises(TimeoutError):
            await page_server.TemporaryFileResponse(path)(scope, silent, stalled)

    asyncio.run(sent())
    for name in ("session-1", "session-2"):
        (visit.folder / name).touch()
    assert "still running" in visitor.client.get("/api/session").json()["error"]
    (visit.folder / "session-1").unlink()
    assert visitor.client.get("/api/session").content.startswith(b"PK")
    assert [path.name for path in visit.folder.iterdir() if path.is_file()] == ["session-2"]


def test_connections_that_send_nothing_or_half_a_header_are_closed(
    served: tuple[Running, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "HEADER_TIMEOUT_S", 0.3)
    _, port = served
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
            connection.sendall(sent)
            begun = time.monotonic()
            while connection.recv(65536):
                pass
            assert time.monotonic() - begun < 10, sent


def test_the_page_answers_behind_a_proxy_with_a_path(visitors: Visitors) -> None:
    port, outside = free_port(), free_port()
    address = PageAddress(port=port, public_url=f"http://127.0.0.1:{outside}/semg")
    running = launch(Desk(), visitors, address)
    try:
        for strips_path in (True, False):
            with reverse_proxy(outside, port, path="/semg", strips_path=strips_path):
                assert get(outside, "/semg/")[0] == get(outside, "/semg/static/page.css")[0] == 200
                assert get(outside, "/semg/api/state")[0] == 404
    finally:
        running.close()


def test_a_port_in_use_is_an_error(served: tuple[Running, int], visitors: Visitors) -> None:
    with pytest.raises(InputError, match="another program uses this port"):
        launch(Desk(), visitors, PageAddress(port=served[1]))
