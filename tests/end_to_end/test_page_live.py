"""The Live view in a browser, with a real outlet of Lab Streaming Layer: from the start to the opened recording."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lsl_outlets import CONFIG, LOOK_S, lsl, streamed
from page_browser import BANDS, open_page, press, press_with, serving, set_width, tab_to, until, value
from page_reader import axe_core, check, set_language
from semg_hht import samples
from semg_hht.recordings.recording import read_recording

__all__ = ["lsl"]  # a fixture
RATE_HZ = 2000.0
LISTEN = """window.tones = []; window.said = [];
const Original = window.OscillatorNode, live = document.querySelector('#live');
window.OscillatorNode = function (context, options) { window.tones.push(options.frequency);
return new Original(context, options); };
new MutationObserver(() => window.said.push(live.textContent)).observe(live, {childList: true});"""
SOON_FOUND = f"import semg_hht.recordings.lsl_stream as streams; streams.LOOK_S = {LOOK_S}\n"
N_ROWS = "document.querySelectorAll('.ended tbody tr').length"


def said(text: str) -> str:
    return f"window.said.some(sentence => sentence.includes('{text}'))"


def noticed(text: str) -> str:
    return f"[...document.querySelectorAll('#watch .warning')].some(p => p.textContent.includes('{text}'))"


@pytest.fixture
def reader(browser: Any) -> Iterator[Any]:
    yield browser
    browser.get("about:blank")  # the page would ask for its server for ever


def asked(address: str, path: str, key: str = "") -> dict[str, Any]:
    """What another visitor is answered."""
    headers = {"Content-Type": "application/json", "X-Visit": key}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{address}/api/{path}", b"{}", headers)) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        return dict(json.loads(error.read()))


@pytest.mark.slow
def test_a_stream_is_watched_lost_rejoined_stopped_and_opened_by_keyboard(
    lsl: Any, reader: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = reader
    curls = read_recording(samples.recordings()["P30_supinated"])
    described: dict[str, Any] = {"names": curls.channel_names, "rate_hz": RATE_HZ, "source_id": "amplifier"}
    parts = curls.samples[:, :18000], curls.samples[:, 18000:36000]
    (tmp_path / "lsl.cfg").write_text(CONFIG.format(process=os.getpid()))  # the session of the outlet
    flags = ("--live", "curls", "--out", str(tmp_path / "kept"))
    temporary = tmp_path_factory.mktemp("live")  # short: the name of a socket in it has at most 107 characters
    with serving(temporary, *flags, before=SOON_FOUND, LSLAPICFG=str(tmp_path / "lsl.cfg")) as address:
        set_width(browser, 1280)
        open_page(browser, address)
        browser.get_log("browser")  # of the page that another test left
        browser.execute_script(axe_core())
        browser.execute_script(LISTEN)
        until(browser, "document.querySelector('#live_start')")
        check(browser, "before the start")
        tab_to(browser, "#live_sound")
        press(browser, Keys.ENTER)
        with streamed(lsl, parts[0], "curls", speed=3, **described):
            press_with(browser, Keys.TAB, Keys.SHIFT)
            press(browser, Keys.ENTER)
            until(browser, "document.querySelectorAll('#levels meter').length == 2")
            assert value(browser, "document.querySelector('#levels').closest('[aria-live]')") is None
            until(browser, f"{N_ROWS} == 2")
            until(browser, said("Repetition 2 · supinated"))
            check(browser, "while recording")
            other = asked(address, "visit")["visit"]
            assert "Another visitor started" in asked(address, "live_stop", other)["error"]
            assert "under way already" in asked(address, "live_start", other)["error"]
        until(browser, said("is lost"))
        set_language(browser, "zh")
        until(browser, noticed("已丢失"))
        set_language(browser, "en")
        with streamed(lsl, parts[1], "curls", speed=3, **described):
            until(browser, noticed("is back"))
            until(
                browser, f"{N_ROWS} >= 3 && document.querySelector('#watch .ended td').textContent.includes('part 2')"
            )
            browser.find_element("css selector", "#to-recording").click()
            until(browser, "document.querySelector('#background').textContent.includes('Recording curls')")
            browser.find_element("css selector", "#to-watch").click()
            tab_to(browser, "#live_stop")
            press(browser, Keys.ENTER)
            until(browser, BANDS)
        assert value(browser, "window.said.length") < 15  # of hundreds of levels none
        assert value(browser, "window.tones.length") >= 3
        assert set(value(browser, "window.tones")) <= {784, 523, 220}
        saved = sorted((tmp_path / "kept").iterdir())
        assert len(saved) == value(browser, "document.querySelectorAll('#files .file').length") == 2
        for path, sent in zip(saved, parts, strict=True):
            found = read_recording(path).samples
            assert found.shape[1] > 6000
            assert_array_equal(found, sent.astype(np.float32)[:, : found.shape[1]])
        browser.find_element("css selector", "#to-watch").click()
        check(browser, "after the end")
        errors = [entry for entry in browser.get_log("browser") if "400" not in entry["message"]]
        assert errors == []
