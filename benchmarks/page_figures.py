"""How long a visitor of the web page waits, in a real Chromium, and how much is sent: the figures of app.py --figures.

Each is the median of several rounds, each with a server of its own. Beside a waiting time stands the processor time of
server and browser together, which other work on the machine changes little. It needs selenium, chromium, chromedriver.
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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from page_client import free_port
from selenium import webdriver

import semg_hht as sh
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.signals.repetitions import find_repetitions

N_REPETITIONS = (9, 30, 150)
N_FILES = 40
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
    browser.set_script_timeout(300)
    try:
        yield browser
    finally:
        browser.quit()


def processor_s(pid: int) -> float:
    """Processor time of a process and all its descendants, on Linux; of those that have ended, too."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = {int(child) for task in tasks for child in task.read_text(encoding="ascii").split()}
    except OSError:
        return 0.0
    own = sum(int(value) for value in values[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(processor_s, children))


def until(browser: Any, script: str) -> None:
    """Wait until a script is true and the page has drawn it; at most as long as the browser lets a script run."""
    look = f"const look = () => {script} ? requestAnimationFrame(() => done()) : requestAnimationFrame(look)"
    browser.execute_async_script(f"const done = arguments[0]; {look}; look()")


@dataclass
class Figures:
    """What was measured: name -> waiting times or sizes, and the processor time of each waiting time."""

    browser: Any
    server: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)
    processor: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        self.values.setdefault(what, []).append(value)

    def wait(self, what: str, do: Callable[[], object], shown: str) -> None:
        """Measure from ``do()`` until the page shows what the script ``shown`` is true for."""
        driver = self.browser.service.process.pid
        began, spent = time.monotonic(), processor_s(self.server) + processor_s(driver)
        do()
        until(self.browser, shown)
        self.note(what, time.monotonic() - began)
        self.processor.setdefault(what, []).append(processor_s(self.server) + processor_s(driver) - spent)
        print(f"  {what}: {self.values[what][-1]:.2f}, processor {self.processor[what][-1]:.2f} s", file=sys.stderr)

    def show(self) -> None:
        for what, values in self.values.items():
            median, least, most = statistics.median(values), min(values), max(values)
            digits = 2 if what in self.processor else 0
            line = f"{what:48} {median:9.{digits}f}   ({least:.{digits}f} to {most:.{digits}f}, n = {len(values)})"
            spent = self.processor.get(what)
            print(line + (f"   processor {statistics.median(spent):6.2f} s" if spent else ""))


class Served:
    """A page that `semg-hht app` serves. ``open`` waits until it answers."""

    def __init__(self, folder: Path, checkpoint: str | None) -> None:
        port = free_port()
        command = [sys.executable, "-m", "semg_hht", "app", "--cpu", "--port", str(port)]
        command += ["--checkpoint", checkpoint] if checkpoint else []
        environment = os.environ | {"TMPDIR": str(folder)}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        self.address = f"http://127.0.0.1:{port}/?lang=en"

    def open(self, browser: Any) -> None:
        while self.process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(self.address, timeout=10):
                break
            time.sleep(0.02)
        browser.get(self.address)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def new_visit(browser: Any, address: str) -> None:
    browser.get(address)
    browser.execute_script("sessionStorage.clear()")
    browser.get(address)
    until(browser, READY)


def written(folder: Path) -> tuple[Path, dict[int, tuple[Path, Path]]]:
    """A recording of 90 MB; and recordings of so many repetitions with their tables, made of a real one."""
    small = next(iter(sh.samples.recordings().values()))
    recording = read_recording(small)
    n_channels = 8 * len(recording.channel_names)
    n_copies = round(LARGE_BYTES / (8 * recording.samples.nbytes))
    names = tuple(f"channel {i + 1}" for i in range(n_channels))
    large = folder / "large.npz"
    tiled = np.tile(recording.samples, (8, n_copies))
    tiled += 1e-3 * tiled.std() * np.random.default_rng(0).standard_normal(tiled.shape)  # equal copies would compress
    write_recording(replace(recording, samples=tiled, channel_names=names, numbers=()), large)
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
    """Print each figure with its range, and the load of the machine before and after."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        large, sets = written(Path(name))
        figures = Figures(browser)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            began = time.monotonic()
            served = Served(Path(name), checkpoint)
            try:
                figures.server = served.process.pid
                figures.wait("start of the command to the page, s", partial(served.open, browser), READY)
                figures.values["start of the command to the page, s"][-1] = time.monotonic() - began
                one_round(figures, served.address, large, sets)
            finally:
                served.close()
    figures.show()
    print(f"load of the machine before and after: {before:.1f}, {os.getloadavg()[0]:.1f}; {os.cpu_count()} processors")


def one_round(figures: Figures, address: str, large: Path, sets: dict[int, tuple[Path, Path]]) -> None:
    browser, small = figures.browser, next(iter(sh.samples.recordings().values()))

    def drop(*paths: Path) -> None:
        browser.find_element("css selector", "#chooser").send_keys("\n".join(map(str, paths)))

    figures.note("the page and its parts, as sent, kB", browser.execute_script(f"return {SENT}") / 1000)
    for what, path in (("first small file to picture, s", small), ("next small file to picture, s", small),
                       ("file of 90 MB to picture, s", large)):  # fmt: skip
        new_visit(browser, address)
        figures.wait(what, partial(drop, path), SHOWN)

    def answers_and_why(what: str) -> None:
        for offer in browser.find_elements("css selector", "#verdict .offer button")[:1]:
            offer.click()
        until(browser, "document.querySelector('#answer')")
        figures.wait(f"answers of {what}, s", browser.find_element("css selector", "#answer").click, JUDGED)
        figures.note(f"markup at the answers of {what}, kB", browser.execute_script(f"return {MARKUP}") / 1000)
        why = browser.find_element("css selector", "td.act button")
        figures.wait(f"why, of one of {what}, s", why.click, WHY)

    for n, (path, table) in sets.items():
        new_visit(browser, address)
        drop(table)
        until(browser, "document.querySelector('#problems').textContent")
        drop(path)
        until(browser, f"document.querySelectorAll('#overlay .band').length == {n}")
        answers_and_why(f"{n} repetitions")
    new_visit(browser, address)
    drop(*[small] * N_FILES)
    until(browser, f"document.querySelectorAll('#files .file').length == {N_FILES}")
    browser.find_element("css selector", "#to-recording").click()
    answers_and_why(f"the repetitions of {N_FILES} files")
