"""Two tabs of the page in a browser: a duplicated one, and two that work on the same kept session."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from page_browser import BANDS, HURRY, button, judge, open_page, open_sample, run_first, set_width, until, value
from semg_hht import samples
from semg_hht.prediction.run import open_run
from semg_hht.web.address import PageAddress
from semg_hht.web.page_server import Running, launch
from semg_hht.web.shared_run import Desk, ShippedFacts
from semg_hht.web.visitors import Visitors


@pytest.mark.slow
def test_a_duplicated_tab_has_a_visit_of_its_own(browser: Any, address: str) -> None:
    set_width(browser, 1280)
    open_page(browser, address)
    n = open_sample(browser)
    first, key = browser.current_window_handle, value(browser, "sessionStorage.getItem('semg-hht-visit')")
    browser.execute_script("window.open(location.href)")  # copies sessionStorage, as duplicating a tab does
    browser.switch_to.window(browser.window_handles[-1])
    try:
        until(browser, "document.body.classList.contains('ready')")
        assert "second tab" in value(browser, "document.querySelector('#alerts').textContent")
        assert value(browser, "sessionStorage.getItem('semg-hht-visit')") not in (key, "", None)
        assert value(browser, BANDS) == 0 and value(browser, "document.querySelector('#welcome').hidden") is False
    finally:
        browser.close()
        browser.switch_to.window(first)
    browser.get(f"{address}/?lang=en")  # a reload is no second tab
    assert until(browser, BANDS) == n
    assert value(browser, "document.querySelector('#alerts').textContent") == ""
    assert value(browser, "sessionStorage.getItem('semg-hht-visit')") == key


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """A page that keeps sessions, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sample = next(iter(samples.recordings().values()))
    desk = Desk(sample=sample, shipped=ShippedFacts(17, 0.8, 0.7, 0.9, 20), open_shipped=lambda: open_run(samples.RUN))
    with Visitors() as visitors:
        running = launch(desk, visitors, PageAddress(port=port), sessions=tmp_path / "kept")
        try:
            yield running, f"http://127.0.0.1:{port}"
        finally:
            running.close()


def open_kept(browser: Any) -> None:
    browser.execute_script("document.querySelector('#kept details').open = true")
    until(browser, "document.querySelector('#kept li button')").click()
    until(browser, BANDS)


@pytest.mark.slow
def test_the_second_tab_that_changes_a_kept_session_is_told_and_chooses(
    browser: Any, keeping: tuple[Running, str], tmp_path: Path
) -> None:
    running, served = keeping
    note = "document.querySelector('#about-note')"
    handles = [browser.current_window_handle]
    set_width(browser, 1280)
    open_page(browser, served)
    open_sample(browser)
    running.page.keep_house()
    try:
        for _ in range(2):  # a new tab each, without the key of another
            browser.switch_to.new_window("tab")
            handles.append(browser.current_window_handle)
            run_first(browser, HURRY)
            set_width(browser, 1280)
            browser.get(f"{served}/?lang=en")
            until(browser, "document.body.classList.contains('ready')")
            open_kept(browser)
        for handle, text in ((handles[1], "of Ana"), (handles[2], "of Ben")):
            browser.switch_to.window(handle)
            browser.find_element("css selector", "#about-note").send_keys(text + "\t")
            until(browser, f"{note}.dataset.value == '{text}'")
            running.page.keep_house()
        until(browser, "document.querySelector('#problems').textContent.includes('kept beside it')", 12)
        until(browser, button("Open the other one", "#problems")).click()
        until(browser, f"{note}?.value == 'of Ana'")
        assert value(browser, "document.querySelector('#problems').textContent") == ""
        assert len(list((tmp_path / "kept").iterdir())) == 2
    finally:
        for handle in handles[1:]:
            browser.switch_to.window(handle)
            browser.close()
        browser.switch_to.window(handles[0])


@pytest.mark.slow
def test_a_saved_session_shows_its_answers_and_whose_they_are(browser: Any, keeping: tuple[Running, str]) -> None:
    running, served = keeping
    set_width(browser, 1280)
    open_page(browser, served)
    n = open_sample(browser)
    said = judge(browser)
    running.page.keep_house()
    open_page(browser, served)
    open_kept(browser)
    assert until(browser, "document.querySelector('p.verdict')?.textContent") == said
    assert "fingerprint" in value(browser, "document.querySelector('#verdict').textContent")
    assert value(browser, "document.querySelectorAll('td.answer .sure, td.answer .unsure').length") == n
    assert value(browser, "document.querySelectorAll('td.act button').length") == 0
    browser.find_element("css selector", "#verdict .offer button").click()
    until(browser, "document.querySelector('#answer')")
    assert "fingerprint" not in value(browser, "document.querySelector('#verdict').textContent")
    until(browser, f"document.querySelectorAll('td.act button').length == {n}")
