"""How long a visitor of the web page waits, in a real Chromium, and how much is sent: the figures of app.py --figures.

Each is the median of several rounds, each round with a visit of its own. It needs selenium, chromium and chromedriver.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from page_client import free_port
from selenium import webdriver

from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.samples import recordings
from semg_hht.signals.repetitions import find_repetitions

N_REPETITIONS = (9, 30, 150)
LARGE_BYTES = 90_000_000
READY = "document.body?.classList.contains('ready')"
SHOWN = "document.querySelectorAll('#plots canvas').length && document.querySelectorAll('#overlay .band').length"
JUDGED = "document.querySelector('p.verdict') && !document.querySelector('td.answer.empty')"
WHY = "document.querySelector('.reasons .sentence')"
MARKUP = "new TextEncoder().encode(document.documentElement.outerHTML).length"
SENT = """['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
.reduce((sum, one) => sum + one.transferSize, 0)"""


@contextmanager
def chromium() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    browser.set_script_timeout(600)
    try:
        yield browser
    finally:
        browser.quit()


def until(browser: Any, script: str) -> None:
    """Wait until a script is true and the page has drawn it."""
    look = f"const look = () => {script} ? requestAnimationFrame(() => done()) : requestAnimationFrame(look)"
    browser.execute_async_script(f"const done = arguments[0]; {look}; look()")


@contextmanager
def served(folder: Path, checkpoint: str | None) -> Iterator[tuple[str, float]]:
    """A page, and when its command was started."""
    port, began = free_port(), time.monotonic()
    command = [sys.executable, "-m", "semg_hht", "app", "--cpu", "--port", str(port)]
    command += ["--checkpoint", checkpoint] if checkpoint else []
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(folder)})
    try:
        address = f"http://127.0.0.1:{port}/?lang=en"
        while server.poll() is None:
            with suppress(OSError), urllib.request.urlopen(address, timeout=10):
                break
            time.sleep(0.02)
        yield address, began
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def open_page(browser: Any, address: str) -> None:
    browser.get(address)
    browser.execute_script("sessionStorage.clear()")
    browser.get(address)
    until(browser, READY)


def waited(browser: Any, do: Callable[[], None], shown: str) -> float:
    began = time.monotonic()
    do()
    until(browser, shown)
    return time.monotonic() - began


def dropped(browser: Any, *paths: Path, shown: str = SHOWN) -> float:
    chooser = browser.find_element("css selector", "#chooser")
    return waited(browser, lambda: chooser.send_keys("\n".join(map(str, paths))), shown)


def written(folder: Path) -> tuple[Path, dict[int, tuple[Path, Path]]]:
    """A recording of 90 MB; and recordings of so many repetitions with their tables, made of a real one."""
    small = next(iter(recordings().values()))
    recording = read_recording(small)
    n_copies = -(-LARGE_BYTES // recording.samples.nbytes)
    large = folder / "large.npz"
    write_recording(replace(recording, samples=np.tile(recording.samples, n_copies)), large)
    sets = {}
    found = find_repetitions(recording)
    length = recording.samples.shape[1]
    for n in N_REPETITIONS:
        n_tiles = -(-n // len(found))
        path, table = folder / f"set{n}.npz", folder / f"reps{n}.csv"
        write_recording(replace(recording, samples=np.tile(recording.samples, n_tiles)), path)
        edges = [(one.start + k * length, one.stop + k * length) for k in range(n_tiles) for one in found]
        rows = [f"{path.name},{a / recording.rate_hz:.4f},{b / recording.rate_hz:.4f}" for a, b in edges[:n]]
        table.write_text("\n".join(["file,start_s,stop_s", *rows]), encoding="utf-8")
        sets[n] = path, table
    return large, sets


def show_figures(checkpoint: str | None, rounds: int) -> None:
    """Print each figure: its median, its range, and the load of the machine before and after."""
    found: dict[str, list[float]] = {}
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        large, sets = written(folder)
        for _ in range(rounds):
            with served(folder, checkpoint) as (address, began):
                browser.get(address)
                until(browser, READY)
                found.setdefault("start of the command to the page, s", []).append(time.monotonic() - began)
                one_round(browser, address, large, sets, found)
    for what, values in found.items():
        median, least, most = statistics.median(values), min(values), max(values)
        digits = 0 if what.endswith("kB") else 2
        print(f"{what:58} {median:9.{digits}f}   ({least:.{digits}f} to {most:.{digits}f}, n = {len(values)})")
    print(f"load of the machine before and after: {before:.1f}, {os.getloadavg()[0]:.1f}; {os.cpu_count()} processors")


def one_round(
    browser: Any,
    address: str,
    large: Path,
    sets: dict[int, tuple[Path, Path]],
    found: dict[str, list[float]],
) -> None:
    def note(what: str, value: float) -> None:
        print(f"{what}: {value:.2f}", file=sys.stderr)
        found.setdefault(what, []).append(value)

    note("the page and its parts, as sent, kB", browser.execute_script(f"return {SENT}") / 1000)
    small = next(iter(recordings().values()))
    for what, path in (("first small file to picture, s", small), ("next small file to picture, s", small),
                       (f"file of {large.stat().st_size / 1e6:.0f} MB to picture, s", large)):  # fmt: skip
        open_page(browser, address)
        note(what, dropped(browser, path))
    for n, (path, table) in sets.items():
        open_page(browser, address)
        dropped(browser, table, shown="document.querySelector('#problems').textContent")
        dropped(browser, path, shown=f"document.querySelectorAll('#overlay .band').length == {n}")
        if browser.find_elements("css selector", "#verdict .offer button"):
            browser.find_element("css selector", "#verdict .offer button").click()
        until(browser, "document.querySelector('#answer')")
        note(
            f"answers of {n} repetitions, s",
            waited(browser, browser.find_element("css selector", "#answer").click, JUDGED),
        )
        note(f"markup at {n} answered repetitions, kB", browser.execute_script(f"return {MARKUP}") / 1000)
        why = browser.find_element("css selector", "td.act button")
        note(f"why, of one of {n} repetitions, s", waited(browser, why.click, WHY))
