"""A served page and a headless Chromium, which the tests of the page in a browser share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from page_browser import HURRY, SMALL_PRACTICE, run_first, run_first_no_more, serving


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served page without a run of its owner."""
    alone = {"LOKY_MAX_CPU_COUNT": "1"}  # a training starts no more processes, which import longer than they work
    with serving(tmp_path_factory.mktemp("served"), before=SMALL_PRACTICE, **alone) as served:
        yield served


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


@pytest.fixture
def hurried(browser: Any) -> Iterator[Any]:
    """The browser, whose pages in this tab come back to the server after half a second instead of five."""
    added = run_first(browser, HURRY)
    yield browser
    run_first_no_more(browser, added)
