"""The page for every reader: axe-core, names, contrast and focus order in each view, wide, narrow, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from page_browser import button, choose_files, judge, open_page, press, set_width, settled, until, value
from page_reader import RUN_AXE, axe_core, check, set_scheme
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.samples import recordings


@pytest.fixture
def reader(browser: Any) -> Iterator[Any]:
    yield browser
    set_scheme(browser, "")


def few_repetitions(folder: Path) -> list[Path]:
    """Two recordings of one person, of six repetitions each: more of them are more rows of the same kind to look at."""
    paths = []
    for name, path in list(recordings().items())[:2]:
        paths.append(folder / f"{name}.npz")
        write_recording(read_recording(path).crop(0, 22), paths[-1])
    return paths


def show(browser: Any, view: str) -> None:
    browser.find_element("css selector", f"#to-{view}").click()
    until(browser, f"!document.querySelector('#{view}').hidden")


@pytest.mark.slow
def test_each_view_is_without_fault_for_axe_and_for_a_reader(reader: Any, address: str, tmp_path: Path) -> None:
    browser = reader
    set_width(browser, 1280)
    open_page(browser, address)
    browser.execute_script(axe_core())
    browser.execute_script("document.querySelector('#main').append(document.createElement('button'))")
    assert [fault for fault, *_ in browser.execute_async_script(RUN_AXE)] == ["button-name"]  # it sees what is planted
    browser.execute_script("document.querySelector('#main').lastChild.remove()")
    check(browser, "first sight")
    (tmp_path / "unstated.csv").write_text("biceps\n" + "0.5\n-0.5\n" * 2000, encoding="utf-8")
    shown = few_repetitions(tmp_path)
    choose_files(browser, [*shown, tmp_path / "unstated.csv"])
    until(browser, "document.querySelectorAll('.all tbody tr').length == 3")
    check(browser, "many")
    browser.find_element("xpath", "//button[contains(@class, 'file')][contains(., 'unstated')]").click()
    check(browser, "a file that states no rate")
    for day, path in enumerate(shown, start=1):
        browser.find_element("xpath", f"//button[contains(@class, 'file')][contains(., '{path.name}')]").click()
        browser.find_element("css selector", "#about-person").send_keys("P-04")
        dated = "const d = document.querySelector('#about-date'); d.value = arguments[0]"
        browser.execute_script(f"{dated}; d.dispatchEvent(new Event('change'))", f"2026-10-0{day}")
    settled(browser)
    check(browser, "look")
    browser.execute_script("document.querySelector('#signal').focus()")
    press(browser, "]", "1", "]", "2", "]", "3")
    settled(browser)
    check(browser, "labels")
    judge(browser)
    browser.find_element("css selector", "td.act button").click()
    until(browser, "document.querySelector('.reasons .sentence')")
    browser.execute_script("document.querySelectorAll('main details').forEach(fold => fold.open = true)")
    until(browser, "document.querySelector('.reasons img')")
    check(browser, "answers with their reasons")
    show(browser, "all")
    check(browser, "many, answered")
    show(browser, "weeks")
    until(browser, "document.querySelectorAll('#weeks figure svg').length >= 2")
    check(browser, "trends over weeks")
    show(browser, "training")
    check(browser, "training")
    show(browser, "recording")
    until(browser, button("Card to print", "#keep")).click()
    until(browser, "document.querySelector('#card[open] .card-holder')?.shadowRoot.querySelector('h1')")
    assert value(browser, "document.querySelector('.card-holder').shadowRoot.adoptedStyleSheets[0].cssRules.length") > 5
    check(browser, "card")
    until(browser, button("Close", "#card")).click()
