"""A matrix on the page in a browser: its name and its picture stand there before any model answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import Simulated
from page_browser import open_page, set_width, until, value


@pytest.mark.slow
def test_a_matrix_shows_its_name_and_its_picture(browser: Any, address: str, simulated: Simulated) -> None:
    matrix: Path = sorted(simulated.matrices.iterdir())[0]
    set_width(browser, 1280)
    open_page(browser, address)
    browser.find_element("css selector", "#chooser").send_keys(str(matrix))
    picture = "document.querySelector('#heading img')"
    until(browser, f"{picture}?.complete && {picture}.width > 99")
    assert value(browser, "document.querySelector('#file-name').textContent") == matrix.name
    assert value(browser, f"{picture}.alt") == "Time-frequency picture of repetition 1"
