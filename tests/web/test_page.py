"""The served web page: in a real browser, through its requests, under hostile requests, and under load."""

from __future__ import annotations

import base64
import importlib
import json
import platform
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders import foreign_matrix
from page_builders import N_SAMPLES
from reverse_proxy import reverse_proxy
from semg_hht.export.export import export
from semg_hht.learning.checkpoint import load_model
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import read_manifest
from semg_hht.web.request_filter import COOKIE, HEADERS, MAX_BODY, OpenPages

gradio = pytest.importorskip("gradio", reason="the web page needs gradio")
MAX_MB = 1
LOAD_MAX_MB, N_VISITS = 4, 12  # of the test under load, a short form of what benchmarks/app.py measures for minutes
DROP = "#drop input[type=file]"


@dataclass(frozen=True)
class Served:
    """A served page: its address, the folder of its temporary files, and the run that answers."""

    address: str
    folder: Path
    run: Path

    def files(self, name: str) -> list[Path]:
        return list(self.folder.glob(f"semg-hht-app-*/visits/*/{name}"))

    def has_removed(self, name: str) -> bool:
        """Whether the server removes a file within a minute after its visitor has left."""
        end = time.monotonic() + 60
        while self.files(name) and time.monotonic() < end:
            time.sleep(0.2)
        return not self.files(name)

    def status(self, path: str, body: bytes | None = None, **headers: str) -> int:
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with closing(error):
                return error.code


@pytest.fixture(scope="module")
def served(client: Any, simulated_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    port = client.free_port()
    server = client.started(
        port, "--checkpoint", str(simulated_run), "--max_upload_mb", str(MAX_MB), TMPDIR=str(folder)
    )  # fmt: skip
    try:
        yield Served(f"http://127.0.0.1:{port}", folder, simulated_run)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert list(folder.iterdir()) == []  # no temporary file is left


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; its language is English."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium to drive a browser with")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with its chromedriver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    page = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield page
    finally:
        page.quit()
        page.service.stop()


def set_width(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def until(browser: Any, script: str, timeout_s: float = 120.0) -> Any:
    """Return the value of a script as soon as it is true."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with suppress(Exception):  # Gradio is redrawing the part
            value = browser.execute_script(f"return {script}")
            if value:
                return value
        time.sleep(0.2)
    raise AssertionError(
        f"never true: {script}; the page shows {browser.execute_script('return document.body.innerText')}"
    )


def open_page(browser: Any, served: Served) -> None:
    browser.get(served.address + "/?lang=en")
    until(browser, f"document.querySelector('{DROP}') && {text('title')}")
    time.sleep(1)  # Gradio draws the parts one after the other, and may redraw the upload


def text(name: str) -> str:
    return f"(document.querySelector('#{name}')||{{}}).innerText"


def type_into(browser: Any, row: int, column: int, value: str) -> None:
    """Double-click a cell of the table and type into it."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    cell = browser.find_elements("css selector", f"#table [data-row='{row}'][data-col='{column}']")[-1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    keys = ActionChains(browser).double_click(cell).pause(0.3)
    keys.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(value).send_keys(Keys.ENTER).perform()


def press(browser: Any, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def linked(browser: Any, name: str) -> str:
    """Return the content of a download."""
    href = browser.execute_script(f"return document.querySelector('#downloads a[download=\"{name}\"]').href")
    return base64.b64decode(href.split("base64,")[1]).decode()


def downloaded(visitor: Any, name: str) -> str:
    """Return the content of a download of a visitor without a browser."""
    href = visitor.shown["downloads"].split(f'" download="{name}"')[0].rsplit("base64,", 1)[1]
    return base64.b64decode(href).decode()


@pytest.mark.slow
def test_a_visitor_edits_repetitions_reads_answers_and_downloads_them(
    served: Served, browser: Any, real_data: Path, tmp_path: Path
) -> None:
    recording = real_data / "formats" / "biosignalsnotebooks" / "emg_bursts.h5"
    set_width(browser, 1280)
    open_page(browser, served)
    browser.find_element("css selector", DROP).send_keys(str(recording))
    n_found = until(browser, "document.querySelectorAll('#signal rect.span').length")
    assert n_found > 5
    until(browser, f"{text('notes')}.includes('counts of the converter')")

    type_into(browser, 1, 1, "soon")
    until(browser, f"{text('table_notes')}.includes('Row 2 of the table: “soon” is not a number')")
    type_into(browser, 1, 1, "6.5")
    until(browser, f"!{text('table_notes')}.includes('Row') && [...document.querySelectorAll('#signal rect.span')][1]")
    press(browser, "#add")
    until(browser, f"document.querySelectorAll('#signal rect.span').length == {n_found + 1}")
    browser.find_elements("css selector", "#table [data-row='0'][data-col='0']")[-1].click()
    until(browser, f"{text('delete')} == 'Delete repetition 1'")
    press(browser, "#delete")
    until(browser, f"document.querySelectorAll('#signal rect.span').length == {n_found}")

    press(browser, "#gender input")
    press(browser, "#answer")
    until(browser, f"document.querySelectorAll('#answers .card').length == {n_found}")
    answers = browser.execute_script(f"return {text('answers')}")
    assert "not a statement about who a person is" in answers
    shutil.copy(recording, tmp_path)
    (tmp_path / "reps.csv").write_text(linked(browser, "reps.csv"), encoding="utf-8")
    assert 6.5 in [row.stop_s for row in read_manifest(tmp_path / "reps.csv")]
    expected = open_run(served.run, cpu=True).predict(tmp_path / "reps.csv", n_jobs=1).to_json()
    assert json.loads(linked(browser, "predictions.json")) == expected
    for number, part in enumerate(expected["emg_bursts.h5"]["parts"], start=1):
        card = browser.execute_script(f"return document.querySelectorAll('#answers .card')[{number - 1}].innerText")
        assert f"Repetition {number}" in card
        for task in ("action_quality", "gender"):
            assert f"{part[task]['confidence']:.0%}" in card
    assert browser.execute_script("return document.querySelectorAll('#answers .card image').length") == n_found
    assert "emg_bursts.h5: repetition by repetition" in linked(browser, "emg_bursts_card.html")

    press(browser, "#language label:nth-child(2) input")
    until(browser, f"{text('answer')} == '开始判断' && {text('answers')}.includes('第 1 次动作')")
    assert "emg_bursts.h5：各次重复动作" in linked(browser, "emg_bursts_card.html")
    set_width(browser, 390)
    time.sleep(0.5)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390

    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert requested
    assert [url for url in requested if not url.startswith((served.address, "data:", "blob:", "chrome:"))] == []
    assert [e["message"] for e in browser.get_log("browser") if "Content Security Policy" in e["message"]] == []
    assert served.files("emg_bursts.h5") != []
    browser.get("about:blank")
    assert served.has_removed("emg_bursts.h5")


@pytest.mark.slow
@pytest.mark.parametrize("strips_path", [True, False])
def test_the_page_works_in_a_browser_behind_a_reverse_proxy(
    client: Any, simulated_run: Path, browser: Any, curl: Path, tmp_path: Path, strips_path: bool
) -> None:
    port, outer = client.free_port(), client.free_port()
    url = f"http://localhost:{outer}/semg"
    (tmp_path / "t").mkdir()
    server = client.started(
        port, "--checkpoint", str(simulated_run), "--public-url", url, TMPDIR=str(tmp_path / "t")
    )  # fmt: skip
    try:
        with reverse_proxy(outer, port, path="/semg", strips_path=strips_path):
            browser.get_log("performance")
            open_page(browser, Served(url, tmp_path / "t", simulated_run))
            browser.find_element("css selector", DROP).send_keys(str(curl))
            assert until(browser, "document.querySelectorAll('#signal rect.span').length") == 3
            press(browser, "#answer")
            until(browser, "document.querySelectorAll('#answers .card').length == 3")
            events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
            asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
            outside = [a for a in asked if not a.startswith((f"{url}/", "data:", "blob:", "chrome:"))]
            assert {a.removeprefix(f"http://localhost:{outer}") for a in outside} <= {"/manifest.json", "/favicon.ico"}
            browser.get("about:blank")
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


@pytest.mark.slow
def test_files_that_are_too_big_or_broken_get_a_message_and_the_page_goes_on(
    served: Served, browser: Any, tmp_path: Path
) -> None:
    (tmp_path / "big.csv").write_bytes(b"1\n" * (MAX_MB * 600_000))
    (tmp_path / "broken.edf").write_bytes(bytes(range(256)) * 8)
    matrix = foreign_matrix(tmp_path / "Test1_1_001.npz")
    set_width(browser, 1280)
    open_page(browser, served)
    browser.find_element("css selector", DROP).send_keys(str(tmp_path / "big.csv"))
    assert "exceed the maximum allowed size" in until(
        browser, "document.querySelector('[data-testid=toast-text]').innerText"
    )
    open_page(browser, served)
    browser.find_element("css selector", DROP).send_keys(str(tmp_path / "broken.edf"))
    until(browser, f"{text('notes')}.includes('broken.edf')")
    assert str(served.folder) not in browser.execute_script("return document.body.innerText")
    browser.find_element("css selector", DROP).send_keys(str(matrix))
    until(browser, f"!{text('notes')}.includes('broken') && document.querySelector('#answer').checkVisibility()")
    press(browser, "#answer")
    until(browser, f"{text('answers')}.includes('Test1_1_001.npz')")
    browser.get("about:blank")


def test_no_file_is_served_and_no_visitor_reaches_files_of_another(
    served: Served, client: Any, simulated: Any, tmp_path: Path
) -> None:
    recording = Path(shutil.copy(simulated.manifest.parent / read_manifest(simulated.manifest)[0].file, tmp_path))
    with client.Visitor(served.address) as owner, client.Visitor(served.address) as other:
        owner.drop(recording)
        assert "<svg" in owner.shown["signal"]
        (own,) = served.files(recording.name)
        upload = owner.upload(recording)[0]["path"]
        for path in (str(own), upload, "/etc/passwd", "http://127.0.0.1:1/", "../visits"):
            for prefix in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "/gradio_api/proxy=", "/static/../"):
                assert served.status(prefix + path) in (403, 404)
        with pytest.raises(RuntimeError, match="drop"):
            other.take("drop", [[{"path": str(own), "meta": {"_type": "gradio.FileData"}}], None, ""])
        other.take("answer", [False])
        assert "card" not in other.shown["answers"]
    assert served.has_removed(recording.name)


def test_other_paths_hosts_and_large_requests_are_refused(served: Served) -> None:
    assert served.status("/") == 200
    for path in ("/gradio_api/info", "/docs", "/openapi.json", "/gradio_api/run/came", "/monitoring", "/login"):
        assert served.status(path) == 403
    assert served.status("/", Host="rebound.example") == 400
    assert served.status("/gradio_api/queue/join", b" " * (MAX_BODY + 1)) == 413
    with urllib.request.urlopen(served.address + "/", timeout=60) as answer:
        sent = {name.lower(): value for name, value in answer.headers.items()}
        page = answer.read().decode()
    assert {name: sent[name] for name in HEADERS} == HEADERS
    assert "fonts.googleapis" not in page
    edge = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
    big = edge + b"1" * (MAX_MB * 1_000_000 + 1) + b"\r\n--x--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert served.status("/gradio_api/upload", edge + b"1\r\n--x--\r\n", **form) == 403
    assert served.status("/gradio_api/upload", big, Cookie=f"{COOKIE}={'a' * 32}", **form) == 413


def test_an_export_answers_as_its_run_does(client: Any, simulated: Any, simulated_run: Path, tmp_path: Path) -> None:
    export(load_model(simulated_run / "best"), simulated_run / "best", tmp_path / "exported")
    recording = Path(shutil.copy(simulated.manifest.parent / read_manifest(simulated.manifest)[0].file, tmp_path))
    port = client.free_port()
    (tmp_path / "t").mkdir()
    server = client.started(port, "--checkpoint", str(tmp_path / "exported"), TMPDIR=str(tmp_path / "t"))
    try:
        with client.Visitor(f"http://127.0.0.1:{port}") as visitor:
            visitor.drop(recording)
            visitor.take("answer", [True])
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    exported = json.loads(downloaded(visitor, "predictions.json"))[recording.name]
    (tmp_path / "reps.csv").write_text(downloaded(visitor, "reps.csv"), encoding="utf-8")
    expected = open_run(simulated_run, cpu=True).predict(tmp_path / "reps.csv", n_jobs=1).to_json()[recording.name]
    assert len(exported["parts"]) == len(expected["parts"]) > 1
    for part, other in zip(exported["parts"], expected["parts"], strict=True):
        for task in ("action_quality", "gender"):
            assert part[task]["probabilities"] == pytest.approx(other[task]["probabilities"], abs=1e-4)


@pytest.mark.parametrize(
    ("path", "proxy_setting"),
    [("", ("http_proxy", "http://127.0.0.1:9")), ("/semg", ("all_proxy", "socks5://127.0.0.1:9"))],
)
def test_the_page_is_served_behind_a_reverse_proxy_and_where_the_environment_names_a_proxy(
    client: Any, simulated_run: Path, curl: Path, tmp_path: Path, path: str, proxy_setting: tuple[str, str]
) -> None:
    port, outer = client.free_port(), client.free_port()
    url = f"https://emg.example.org{path}"
    (tmp_path / "t").mkdir()
    server = client.started(
        port, "--checkpoint", str(simulated_run), "--public-url", url, TMPDIR=str(tmp_path / "t"),
        **dict([proxy_setting]),
    )  # fmt: skip
    try:
        with reverse_proxy(outer, port, path=path):
            outside = Served(f"http://127.0.0.1:{outer}{path}", tmp_path / "t", simulated_run)
            assert outside.status("/", Host="emg.example.org") == 200
            assert outside.status("/", Host="emg.example.org:8443") == 200
            assert outside.status("/", Host="rebound.example") == 400
            with client.Visitor(outside.address) as visitor:
                assert json.loads(visitor.open("/config").read())["root"] == url
                visitor.drop(curl)
                visitor.take("answer", [False])
            assert visitor.shown["answers"].count('class="card"') == 3
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


WITHOUT_A_RUN = """
import os, signal, sys, time
from semg_hht.web.visitors import Visitors

visitors = Visitors()
os.environ |= visitors.environment
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
from semg_hht.web.address import PageAddress
from semg_hht.web.shared_run import Desk, tracked
from semg_hht.web.page import serve
from semg_hht.errors import InputError
from semg_hht.prediction.run import open_run
from semg_hht.samples import recordings

attempts = []

def make_run(tell):
    attempts.append(1)
    if len(attempts) == 1:
        raise InputError("no room today")
    while len(sys.argv) > 3:  # until the page is closed
        (visitors.folder / f"step{len(attempts)}").touch()
        attempts.append(1)
        tell(0.1, "training")
        time.sleep(0.01)
    for share in tracked(tell, 0.0, 0.5)([1, 2], 2, "halfway"):
        tell(0.5, "training")
    return open_run(sys.argv[1], cpu=True)

with visitors:
    desk = Desk(None, make_run=make_run, sample=recordings()["P30_supinated"])
    serve(desk, visitors, PageAddress(port=int(sys.argv[2])), max_upload_mb=1, announce=print)
"""


def test_a_practice_run_can_be_made_on_the_page(client: Any, simulated_run: Path) -> None:
    port = client.free_port()
    server = client.answering(port, [sys.executable, "-c", WITHOUT_A_RUN, str(simulated_run), str(port)])
    try:
        with client.Visitor(f"http://127.0.0.1:{port}") as visitor:
            assert "no trained model yet" in visitor.shown["intro"]
            assert "</svg>" in visitor.shown["sample"]
            visitor.take("open_sample", [])
            assert "11 repetitions" in visitor.shown["signal"]
            assert not visitor.shown["sample"]
            visitor.take("make_run", [])
            assert "no room today" in visitor.shown["notes"]
            visitor.take("make_run", [])
            assert "This is a practice model" in visitor.shown["intro"]
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_closing_the_page_stops_a_practice_run_in_training(client: Any, simulated_run: Path, tmp_path: Path) -> None:
    port = client.free_port()
    command = [sys.executable, "-c", WITHOUT_A_RUN, str(simulated_run), str(port), "endless"]
    server = client.answering(port, command, TMPDIR=str(tmp_path))
    with client.Visitor(f"http://127.0.0.1:{port}", timeout_s=60) as visitor:
        visitor.take("make_run", [])
        waiting = threading.Thread(target=lambda: suppress_all(visitor.take, "make_run", []))
        waiting.start()
        while not list(tmp_path.glob("semg-hht-app-*/step5")):
            time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        waiting.join()
    assert list(tmp_path.iterdir()) == []


def suppress_all(work: Any, *words: Any) -> None:
    with suppress(Exception):
        work(*words)


def test_a_port_in_use_gets_a_message(served: Served) -> None:
    port = served.address.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "semg_hht", "app", "--checkpoint", str(served.run), "--cpu", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"error: the page can't be served at 127.0.0.1:{port}" in " ".join(done.stderr.split())


def test_a_failed_clean_up_is_tried_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from semg_hht.web import page

    turns = iter(range(3))
    monkeypatch.setattr(page, "launch", lambda *_, **__: (SimpleNamespace(close=lambda **_: None), OpenPages()))

    def sleep(_: float) -> None:
        if next(turns, None) is None:
            raise KeyboardInterrupt

    def fail(_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(page.time, "sleep", sleep)
    desk = page.Desk(None)
    page.serve(desk, SimpleNamespace(remove_idle=fail), page.PageAddress(), max_upload_mb=1, announce=len)
    assert caplog.text.count("could not be removed; trying again") == 3
    assert desk.closing.is_set()


def test_visitors_are_served_during_attacks_and_their_memory_is_released(
    client: Any, simulated_run: Path, long_recording: Path, tmp_path: Path
) -> None:
    attacks = importlib.import_module("attacks")  # of the benchmarks, like the client
    folder = tmp_path / "t"
    folder.mkdir()
    port = client.free_port()
    server = client.started(
        port, "--checkpoint", str(simulated_run), "--max_upload_mb", str(LOAD_MAX_MB), TMPDIR=str(folder)
    )
    try:
        address = f"http://127.0.0.1:{port}"
        target = attacks.Target(address, tmp_path, most=3_000_000 * LOAD_MAX_MB, patience_s=2.0)
        target.arm(*(make for make in attacks.BOMBS if make.__name__ not in ("_npz_bomb", "_mat_bomb", "_wide_csv")))
        tally = client.Tally()
        tally.visit(address, long_recording, None)

        def attack(kind: Any) -> None:
            tally.attack(target, random.Random(0), kind)

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(attack, kind) for kind in dict.fromkeys(attacks.ATTACKS)]
            running += [pool.submit(tally.visit, address, long_recording, None, target) for _ in range(4)]
            for future in running:
                future.result()
            visit_all = partial(pool.map, lambda _: tally.visit(address, long_recording, None))
            list(visit_all(range(8)))  # the heap grows to what so many visitors need at once
            before = client.megabytes(server.pid)
            list(visit_all(range(N_VISITS)))
        grown = client.megabytes(server.pid) - before
        assert (tally.errors, tally.breaches) == ([], [])
        assert len(tally.waited) == 5 + 8 + N_VISITS
        assert len(tally.answers) == 1
        if platform.libc_ver()[0] == "glibc":
            assert grown < 0.5 * N_VISITS * N_SAMPLES * 8 / 1e6  # a leak would keep the samples of all recordings
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert list(folder.iterdir()) == []
