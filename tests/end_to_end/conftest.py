"""A served page and a headless Chromium, which the tests of the page in a browser share."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

# The page as `semg-hht app` serves it. Only its practice run is smaller: fewer simulated people and epochs.
SERVED = """import functools, semg_hht.demo as demo
demo.N_REPETITIONS = 1
demo.practice_run = functools.partial(demo.practice_run, size=demo.DemoSize(4, 2))
from semg_hht.cli.main import main
main()"""


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served page without a run of its owner."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-c", SERVED, "app", "--cpu", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(folder)})
    try:
        served = f"http://127.0.0.1:{port}"
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"{served}/", timeout=5):
                break
            time.sleep(0.1)
        yield served
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium; its language is English. ``downloads`` is the folder of what it saves."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium to drive a browser with")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with its chromedriver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    folder = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    page = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    page.downloads = folder
    try:
        yield page
    finally:
        page.quit()
        page.service.stop()
