"""The page in a real Chromium: the whole loop by mouse and by keyboard alone, narrow, in Chinese, and for a reader."""

from __future__ import annotations

import json
import re
import time
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page_browser import (
    BANDS,
    ROWS,
    button,
    choose_files,
    drawn,
    open_page,
    open_sample,
    press,
    press_with,
    set_width,
    settled,
    spoken,
    tab_to,
    until,
    value,
)
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.samples import recordings
from semg_hht.signals.repetitions import find_repetitions

PAGE = Path(str(files("semg_hht.web"))) / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
MOST_BYTES = 300_000
PARAMETER = re.compile(r"\{(\w+)\}")


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((PAGE / f"{language}.json").read_text(encoding="utf-8"))
    return found


def test_both_languages_have_the_same_words_with_the_same_parameters() -> None:
    english, chinese = words("en"), words("zh")
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(PARAMETER.findall(text)) >= set(PARAMETER.findall(chinese[key])), key
        assert text and chinese[key], key
    plain = re.compile(r"[A-Za-z]{2,}")
    names = {
        "RMS",
        "MVC",
        "Hz",
        "MB",
        "CSV",
        "JSON",
        "EMG",
        "JavaScript",
        "Tab",
        "Delete",
        "Esc",
        "Ctrl",
        "Shift",
        "Page",
    }
    names |= {"Up", "Down", "reps", "csv", *plain.findall(chinese["formats"])}
    without = {key: PARAMETER.sub("", text) for key, text in chinese.items()}
    assert {
        key: sorted(set(plain.findall(text)) - names)
        for key, text in without.items()
        if set(plain.findall(text)) - names
    } == {}


def test_each_word_that_the_script_uses_exists() -> None:
    known = words("en")
    script = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    shell = (PAGE / "shell.html.j2").read_text(encoding="utf-8")
    used = set(re.findall(r'\bw\("(\w+)"', script)) | set(re.findall(r'data-word(?:-label)?="(\w+)"', shell))
    assert sorted(used - known.keys()) == []
    assert len(used) > 140


def test_the_card_is_asked_for_gender_as_the_server_reads_it() -> None:
    asked = re.search(r'getBlob\("card", \{.*gender: store\.gender \}', (PAGE / "keep.js").read_text(encoding="utf-8"))
    assert asked and 'query.get("gender") != "true"' in (PAGE.parent / "page_steps.py").read_text(encoding="utf-8")


def test_the_page_is_small_and_its_rules_are_kept() -> None:
    parts = [path for path in PAGE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in parts) < MOST_BYTES
    assert (PAGE / "uplot" / "LICENSE").read_text(encoding="utf-8").startswith("The MIT License")
    shell = (PAGE / "shell.html.j2").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?://", shell)
    style = (PAGE / "page.css").read_text(encoding="utf-8")
    assert re.findall(r"transition: (?!none)", style) == []  # of a progress it drew 60 pictures a second
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 400, path.name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path.name


def test_the_picture_of_the_sample_shows_the_repetitions_that_are_found_in_it() -> None:
    sample = next(iter(recordings().values()))
    picture = (PAGE / "sample.svg").read_text(encoding="utf-8")
    assert picture.count('class="span"') == len(find_repetitions(read_recording(sample)))


@pytest.mark.slow
def test_the_whole_loop_by_keyboard_alone(browser: Any, address: str) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    set_width(browser, 1280)
    open_page(browser, address)
    tab_to(browser, "#open-sample")
    press(browser, Keys.ENTER)
    n = until(browser, BANDS)
    until(browser, spoken(f"{n} repetitions"))
    found = settled(browser)
    tab_to(browser, "#signal")
    press(browser, "]", "]")
    until(browser, spoken(f"Repetition 2 of {n}"))
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    until(browser, spoken("Repetition 2 ends at"))
    moved = settled(browser)
    assert [a == b for a, b in zip(found, moved, strict=True)].count(False) == 1
    assert 0 < float(found[3]) - float(moved[3]) < 0.5
    ActionChains(browser, duration=50).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    until(browser, spoken("Undone"))
    assert settled(browser) == found
    ActionChains(browser, duration=50).key_down(Keys.CONTROL).key_down(Keys.SHIFT).send_keys("z").key_up(
        Keys.SHIFT
    ).key_up(Keys.CONTROL).perform()
    until(browser, spoken("Redone"))
    assert settled(browser) == moved
    press(browser, "2")
    until(browser, spoken("Repetition 2: half"))
    press(browser, Keys.DELETE)
    until(browser, f"{BANDS} == {n - 1}")
    press(browser, "n")
    until(browser, f"{BANDS} == {n}")
    press(browser, "+", "+", "0", Keys.ESCAPE)
    until(browser, spoken("No repetition is chosen"))
    tab_to(browser, "#verdict .offer button")
    press(browser, Keys.ENTER)
    until(browser, "document.querySelector('#answer')")
    tab_to(browser, "#answer")
    press(browser, Keys.ENTER)
    verdict = until(browser, "document.querySelector('p.verdict')?.textContent")
    until(browser, spoken(verdict))
    tab_to(browser, "td.act button")
    press(browser, Keys.ENTER)
    until(
        browser, "document.querySelector('td.act button').ariaExpanded == 'true' && document.querySelector('.reasons')"
    )
    assert value(browser, "document.querySelector('.reasons details').open") is False  # percentages behind a fold


@pytest.mark.slow
def test_edges_are_dragged_intervals_marked_and_the_signal_zoomed_with_the_mouse(browser: Any, address: str) -> None:
    from selenium.webdriver import ActionChains

    set_width(browser, 1280)
    open_page(browser, address)
    n = open_sample(browser)
    found = settled(browser)
    edge = browser.find_element("css selector", "#overlay .band[data-index='2'] .edge.start")
    ActionChains(browser, duration=50).click_and_hold(edge).move_by_offset(12, 0).release().perform()
    dragged = settled(browser)
    assert [a == b for a, b in zip(found, dragged, strict=True)].count(False) == 1
    assert 0.1 < float(dragged[4]) - float(found[4]) < 2
    tag = browser.find_element("css selector", "#overlay .band[data-index='3']")
    ActionChains(browser, duration=50).click(tag).perform()
    until(browser, "document.querySelector('.repetitions tr.chosen button').textContent == '4'")
    buttons = "[...document.querySelectorAll('#repetition-bar button')]"
    browser.execute_script(f"{buttons}.find(b => b.textContent == 'Delete').click()")
    until(browser, f"{BANDS} == {n - 1}")
    gap = "(()=>{const b=document.querySelectorAll('#overlay .band');return b[2].getBoundingClientRect().right + 15})()"
    x, signal_at = value(browser, gap), browser.find_element("css selector", "#signal")
    middle = signal_at.rect["x"] + signal_at.rect["width"] / 2
    ActionChains(browser, duration=50).move_to_element_with_offset(
        signal_at, int(x - middle), -40
    ).click_and_hold().move_by_offset(25, 0).release().perform()
    until(browser, "document.querySelector('.bar')?.textContent.includes('Use as the maximum')")
    browser.execute_script(f"{buttons}.find(b => b.textContent == 'Add as a repetition').click()")
    until(browser, f"{BANDS} == {n}")
    for _ in range(3):
        browser.execute_script("document.querySelector('#view-tools button:nth-child(2)').click()")
    until(browser, f"{BANDS} < {n}")
    asked = "performance.getEntriesByType('resource').map(entry => entry.name).find(url => url.includes('&to='))"
    assert re.search(r"api/signal\?.*from=", until(browser, asked, 10))  # finer data of what is seen


@pytest.mark.slow
def test_each_change_of_repetitions_is_undone_and_redone_by_keys(browser: Any, address: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    shown = (
        "JSON.stringify([...document.querySelectorAll('.repetitions tbody tr:not(.why)')].map("
        "r => [...r.querySelectorAll('input,select')].map(e => e.value)))"
    )
    set_width(browser, 1280)
    open_page(browser, address)
    open_sample(browser)
    settled(browser)
    states = [value(browser, shown)]
    browser.execute_script("document.querySelector('#signal').focus()")
    for keys in (("]", "2"), (Keys.DELETE,), ("n",), (Keys.ESCAPE,)):
        press(browser, *keys)
        states.append(value(browser, shown))
    until(browser, button("invalid", "#repetition-bar")).click()  # of all
    states.append(value(browser, shown))
    field = browser.find_element("css selector", ".repetitions td.time.until input")
    field.clear()
    field.send_keys("1.25\t")
    states.append(value(browser, shown))
    settled(browser)
    until(browser, button("Find again", "#repetition-bar")).click()
    until(browser, spoken("found anew"))
    states.append(value(browser, shown))
    states = [states[i] for i in range(len(states)) if i == 0 or states[i] != states[i - 1]]
    assert len(states) == 7
    note = browser.find_element("css selector", "#about-note")
    note.send_keys("ice")
    press_with(browser, "z", Keys.CONTROL)
    assert value(browser, shown) == states[-1]  # in a field, Ctrl+Z is about its own text
    until(browser, "document.querySelector('#about-note').value != 'ice'")
    browser.execute_script("document.activeElement.blur()")
    for before in reversed(states[:-1]):
        press_with(browser, "z", Keys.CONTROL)
        until(browser, f"{shown} == {json.dumps(before)}")
    for after in states[1:]:
        press_with(browser, "y", Keys.CONTROL)
        until(browser, f"{shown} == {json.dumps(after)}")
    settled(browser)
    browser.get(f"{address}/?lang=en")  # the server has what is shown
    until(browser, f"{shown} == {json.dumps(states[-1])}")


@pytest.mark.slow
def test_what_is_typed_outlives_a_drop_and_a_reload_and_closing_asks(
    browser: Any, address: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    samples = 0.01 * rng.standard_normal((1, 20_000))
    for start in range(2000, 20_000, 5000):
        samples[:, start : start + 2000] += rng.standard_normal((1, 2000))
    write_recording(Recording(samples, 1000.0, ("biceps",), "mV", "b"), tmp_path / "stated.npz")
    np.savetxt(tmp_path / "unstated.csv", samples.T, header="biceps", comments="")
    (tmp_path / "broken.edf").write_bytes(bytes(range(256)) * 8)
    set_width(browser, 1280)
    open_page(browser, address)
    n = open_sample(browser)
    browser.find_element("css selector", "#about-person").send_keys("P-07")
    browser.find_element("css selector", "#about-note").send_keys("after the ice")
    asks = "!window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert value(browser, asks) is True
    names = ("stated.npz", "unstated.csv", "broken.edf")
    browser.find_element("css selector", "#chooser").send_keys("\n".join(str(tmp_path / name) for name in names))
    until(browser, "document.querySelectorAll('.all tbody tr').length == 4")
    until(browser, "document.querySelectorAll('#files .upload').length == 0")
    states = value(browser, "[...document.querySelectorAll('.all tbody tr')].map(r => r.innerText)")
    assert sum("broken.edf" in text for text in states) >= 1
    assert value(browser, "document.querySelectorAll('.all tr.failed').length") == 2
    rate = browser.find_element("css selector", ".all form.rate input")
    rate.send_keys("500")
    rate.submit()
    until(browser, "document.querySelectorAll('.all tr.failed').length == 1")
    lengths = value(browser, "[...document.querySelectorAll('.all tbody tr')].map(r => r.innerText)")
    assert all(
        any(length in row for row in lengths) for length in ("20.0 s", "40.0 s")
    )  # the rate that was typed changes only its own file
    np.savetxt(tmp_path / "later.csv", samples.T, header="biceps", comments="")
    choose_files(browser, [tmp_path / "later.csv"])
    until(browser, "document.querySelectorAll('.all tr.failed').length == 2")
    assert value(browser, "document.querySelector('.all form.rate input').value") == ""
    browser.execute_script("window.confirm = () => true")
    browser.find_element("xpath", "//button[@aria-label='Remove later.csv']").click()
    browser.get(f"{address}/?lang=en")  # a reload
    until(browser, "document.querySelectorAll('#files .file').length == 4")
    browser.find_element("xpath", "//button[contains(@class, 'file')][contains(., 'P-07')]").click()
    until(browser, f"{BANDS} == {n}")
    assert value(browser, "document.querySelector('#about-person').value") == "P-07"
    assert value(browser, "document.querySelector('#about-note').value") == "after the ice"
    browser.find_element("css selector", "#save").click()
    until(browser, spoken("saved as a file"))
    assert value(browser, asks) is False
    for _ in range(100):
        saved = list(browser.downloads.glob("P-07_*.semg.zip"))
        if saved:
            break
        time.sleep(0.1)
    with zipfile.ZipFile(saved[0]) as session:
        assert "session.json" in session.namelist()
    open_page(browser, address)
    browser.find_element("css selector", "#chooser").send_keys(str(saved[0]))
    until(browser, "document.querySelectorAll('#files .file').length >= 3")
    browser.find_element("xpath", "//button[contains(@class, 'file')][contains(., 'P-07')]").click()
    until(browser, "document.querySelector('#about-person').value == 'P-07'")


@pytest.mark.slow
def test_what_the_server_does_not_hear_of_at_once_is_sent_again(hurried: Any, address: str) -> None:
    browser = hurried
    set_width(browser, 1280)
    open_page(browser, address)
    open_sample(browser)
    browser.execute_script(
        "window.heard = fetch; window.refused = []; window.arrived = [];"
        "window.fetch = (path) => { window.refused.push(path); return Promise.reject(new TypeError('away')) }"
    )
    both = "['api/about', 'api/repetitions'].every(path => window.{}.includes(path))"
    browser.find_element("css selector", "#about-note").send_keys("typed while away")
    press(browser, "\t")
    browser.find_element("css selector", "#signal").send_keys("]", "2")
    until(browser, "document.querySelector('#alerts .alert')")
    until(browser, both.format("refused"))
    browser.execute_script(
        "window.fetch = async (...what) => {"
        " const answer = await window.heard(...what); window.arrived.push(what[0]); return answer }"
    )
    said = "document.querySelector('.repetitions td.label select')?.value == 'half'"
    until(browser, said)
    until(browser, both.format("arrived"))
    browser.get(f"{address}/?lang=en")
    until(browser, said)
    assert value(browser, "document.querySelector('#about-note').value") == "typed while away"


@pytest.mark.slow
def test_a_sensor_labels_and_a_repetition_is_the_maximum(browser: Any, address: str, tmp_path: Path) -> None:
    seconds = np.arange(30_000) / 1000
    effort = np.clip(np.sin(np.pi * ((seconds % 3) / 3 - 0.2) / 0.6), 0, None)
    bend = np.where((seconds // 3) % 3 > 0, 120, 55) * effort**2 + 10
    emg = np.random.default_rng(1).standard_normal(seconds.size) * (0.01 + 0.4 * effort)
    table = np.column_stack([seconds, emg, bend])
    header = "time (s),biceps (mV),elbow angle (deg)"
    np.savetxt(tmp_path / "curl.csv", table, fmt="%.5f", delimiter=",", header=header, comments="")
    set_width(browser, 1280)
    open_page(browser, address)
    browser.find_element("css selector", "#chooser").send_keys(str(tmp_path / "curl.csv"))
    assert until(browser, BANDS) == 10
    button = (
        "[...document.querySelectorAll('#repetition-bar button')].find(b => b.textContent.startsWith('Label from'))"
    )
    until(browser, button).click()
    labels = "[...document.querySelectorAll('.repetitions select')].map(s => s.value)"
    until(browser, f"{labels}.every(label => label)")
    assert value(browser, labels) == ["half" if n % 3 == 0 else "full" for n in range(10)]
    browser.find_element("css selector", ".repetitions .pick").click()
    until(
        browser, "[...document.querySelectorAll('#maximum button')].find(b => b.textContent == 'Take repetition 1')"
    ).click()
    until(browser, "document.querySelector('.repetitions thead').textContent.includes('% MVC')")
    shares = "[...document.querySelectorAll('.repetitions td.measure')].map(cell => parseFloat(cell.textContent))"
    assert 50 < value(browser, shares)[0] <= 101


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_is_whole_in_chinese_and_loads_nothing_from_elsewhere(
    browser: Any, address: str, width: int
) -> None:
    set_width(browser, width)
    browser.get_log("performance")
    browser.get_log("browser")
    open_page(browser, address, "zh")
    assert value(browser, "document.documentElement.lang") == "zh-CN"
    shown = [value(browser, "document.body.innerText")]
    n = open_sample(browser)
    settled(browser)
    browser.execute_script("document.querySelector('#signal').focus()")
    press(browser, "]", "1", "]", "2", "]", "3")
    until(browser, "[...document.querySelectorAll('.repetitions select')].filter(s => s.value).length == 3")
    browser.find_element("css selector", "#verdict .offer button").click()
    until(browser, "document.querySelector('#answer')")
    browser.find_element("css selector", "#answer").click()
    until(browser, "document.querySelector('p.verdict')")
    assert value(browser, ROWS) == n
    for view in ("recording", "all", "weeks", "training"):
        browser.find_element("css selector", f"#to-{view}").click()
        until(browser, f"!document.querySelector('#{view}').hidden")
        drawn(browser)
        assert value(browser, "document.documentElement.scrollWidth") == width
        shown.append(value(browser, "document.body.innerText"))
    text = "\n".join(shown)
    assert "半程" in text and "完整" in text
    assert [
        word for word in ("full", "half", "invalid", "Repetition", "Confidence", "Judge", "channel") if word in text
    ] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:", "chrome:", "about:"))] == []
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [error for error in errors if "beforeunload" not in error] == []  # of the page that was left
