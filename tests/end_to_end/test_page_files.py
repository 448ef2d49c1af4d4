"""Files that are dropped on the page in a browser: thirty at once, a large one, tables, bad ones; leaving with work."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page_browser import BANDS, button, choose_files, open_page, open_sample, set_width, spoken, times, until, value
from semg_hht.recordings.recording import Recording, write_recording

RATE_HZ = 500.0


def recorded(path: Path, n_repetitions: int = 3, *, rate_hz: float = RATE_HZ) -> Path:
    """A recording with a contraction of one second in each three."""
    n = int(3 * rate_hz)
    rng = np.random.default_rng(n_repetitions)
    samples = 0.01 * rng.standard_normal((1, n * n_repetitions))
    for start in range(n // 3, samples.shape[1], n):
        samples[:, start : start + n // 3] += rng.standard_normal((1, n // 3))
    write_recording(Recording(samples, rate_hz, ("biceps",), "mV", path.name), path)
    return path


def rows(browser: Any) -> list[str]:
    found = value(browser, "[...document.querySelectorAll('.all tbody tr')].map(r => r.innerText)")
    return [str(text) for text in found]


@pytest.mark.slow
def test_thirty_files_at_once_of_which_one_is_bad_and_a_table_before_and_after_its_recordings(
    browser: Any, address: str, tmp_path: Path
) -> None:
    good = [recorded(tmp_path / f"set{number:02}.npz", 2) for number in range(29)]
    bad = tmp_path / "broken.edf"
    bad.write_bytes(bytes(range(256)) * 8)
    table = tmp_path / "reps.csv"
    table.write_text("file,start_s,stop_s,movement\nset03.npz,1,2,half\nset03.npz,2.5,3.25,full\n", encoding="utf-8")
    late = tmp_path / "late_reps.csv"
    late.write_text("file,subject,start_s,stop_s,movement\nset05.npz,P-5,0.75,2.25,invalid\n", encoding="utf-8")
    set_width(browser, 1280)
    open_page(browser, address)
    choose_files(browser, [table])
    until(browser, "document.querySelector('#problems').innerText.includes('set03.npz')")
    until(browser, spoken("as soon as you add that recording"))
    assert value(browser, "document.querySelectorAll('#files .file').length") == 0
    browser.find_element("css selector", "#chooser").send_keys("\n".join(map(str, [*good[:15], bad, *good[15:]])))
    until(browser, "document.querySelectorAll('.all .upload progress, .all tr progress').length > 5")  # by file
    until(
        browser, "document.querySelectorAll('.all tbody tr').length == 30 && !document.querySelector('#files .upload')"
    )
    assert value(browser, "[...document.querySelectorAll('.all tr.failed')].map(r => r.cells[0].innerText)") == [
        bad.name
    ]
    assert len(rows(browser)) == 30 and all("6.0 s" in text for text in rows(browser) if bad.name not in text)
    assert "2 / 2" in next(text for text in rows(browser) if "set03" in text)
    assert value(browser, "document.querySelector('#problems').innerText") == ""
    browser.find_element("xpath", "//button[contains(@class, 'file')][contains(., 'set03.npz')]").click()
    until(browser, f"{BANDS} == 2")
    assert list(map(float, times(browser))) == [1.0, 2.0, 2.5, 3.25]
    assert value(browser, "[...document.querySelectorAll('.repetitions select')].map(s => s.value)") == ["half", "full"]
    choose_files(browser, [late])
    browser.find_element("xpath", "//button[contains(@class, 'file')][contains(., 'set05.npz')]").click()
    until(browser, f"{BANDS} == 1")
    assert list(map(float, times(browser))) == [0.75, 2.25]
    assert value(browser, "document.querySelector('#about-person').value") == "P-5"


@pytest.mark.slow
def test_a_file_of_90_mb_is_shown(browser: Any, address: str, tmp_path: Path) -> None:
    n_channels, n_samples = 4, 90_000_000 // (4 * 8)
    samples = 0.01 * np.random.default_rng(0).standard_normal((n_channels, n_samples))
    samples[:, : 2000 * 60].reshape(n_channels, 20, 6000)[..., 2000:4000] *= 50
    # As `write_recording` does, without its compression, which takes longer than all that the page does.
    facts: dict[str, Any] = {"rate_hz": 2000.0, "channel_names": tuple("abcd"), "units": "mV"}
    np.savez(tmp_path / "large.npz", samples=samples, **facts)
    assert 80e6 < (tmp_path / "large.npz").stat().st_size < 100e6
    set_width(browser, 1280)
    open_page(browser, address)
    browser.find_element("css selector", "#chooser").send_keys(str(tmp_path / "large.npz"))
    until(browser, f"{BANDS} >= 20", 300)
    until(browser, "document.querySelectorAll('#plots canvas').length == 4")
    assert "1,406" in value(browser, "document.querySelector('.facts').innerText").replace("1406", "1,406")


def questions(browser: Any) -> list[str]:
    """The dialogs that have opened since the last look."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["type"] for m in messages if m["method"] == "Page.javascriptDialogOpening"]


@pytest.mark.slow
def test_leaving_with_work_that_is_not_saved_asks(browser: Any, address: str) -> None:
    set_width(browser, 1280)
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        open_page(browser, address)
        browser.get_log("performance")
        browser.refresh()
        assert questions(browser) == []  # nothing is lost, so nothing is asked
        until(browser, "document.body.classList.contains('ready')")
        n = open_sample(browser)
        browser.find_element("css selector", "#about-note").send_keys("not saved")
        browser.refresh()  # the driver answers the question with yes
        assert questions(browser) == ["beforeunload"]
        until(browser, f"{BANDS} == {n}")
        assert value(browser, "document.querySelector('#about-note').value") == "not saved"
        browser.find_element("css selector", "#about-note").send_keys("!")  # Chromium asks where someone was active
        browser.execute_cdp_cmd("Page.close", {})  # as a click on the cross of the tab
        for _ in range(100):
            if question := questions(browser):
                break
            time.sleep(0.05)
        assert question == ["beforeunload"]
    finally:
        if len(browser.window_handles) > 1:  # the driver may have answered this question, too
            browser.close()
        browser.switch_to.window(first)


# Suffixes of files whose content is of no format, and words that stay Latin in a Chinese sentence.
SUFFIXES = "edf bdf mat npz h5 xlsx xdf c3d parquet otb+ acq rhd poly5 smr hea docx semg.zip"
LATIN = {
    *(
        "Hz",
        "mV",
        "zip",
        "npz",
        "CSV",
        "EDF",
        "BDF",
        "MAT",
        "HDF",
        "HDF5",
        "XDF",
        "OTB",
        "WFDB",
        "RHD",
        "XLSX",
        "PARQUET",
    ),
    *("AcqKnowledge", "Parquet", "Poly", "Poly5", "Spike", "Spike2", "biceps", "absent"),
}


@pytest.mark.slow
def test_what_a_chinese_visitor_is_told_of_bad_files_is_chinese(browser: Any, address: str, tmp_path: Path) -> None:
    texts = {
        "empty.csv": "",
        "prose.txt": "Nothing here is a number.\n",
        "unstated.csv": "biceps\n" + "0.5\n-0.5\n" * 2000,
        "short.csv": "time (s),biceps (mV)\n0,1\n0.001,2\n0.002,1\n",
        "gaps.csv": "time (s),biceps (mV)\n" + "".join(f"{n / 1000},nan\n" for n in range(4000)),
        "level.csv": "time (s),biceps (mV)\n" + "".join(f"{n / 1000},1\n" for n in range(4000)),
        "reps_a.csv": "file,start_s,stop_s\ngood.npz,1,many\n",
        "reps_b.csv": "file,start_s,stop_s\ngood.npz,2,1\n",
        "reps_c.csv": "file,start_s,stop_s\ngood.npz,1,1000\n",
        "reps_d.csv": "file,start_s,stop_s\nabsent.npz,1,2\n",  # of a recording that is not here
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for suffix in SUFFIXES.split():
        (tmp_path / f"bad.{suffix}").write_bytes(bytes(range(256)) * 8)
    recorded(tmp_path / "good.npz")
    set_width(browser, 1280)
    open_page(browser, address, "zh")
    choose_files(browser, [tmp_path / "good.npz"])
    choose_files(browser, sorted(path for path in tmp_path.iterdir() if path.name != "good.npz"))
    told = [*rows(browser), *value(browser, "[...document.querySelectorAll('#problems p')].map(p => p.innerText)")]
    browser.find_element("css selector", "#to-recording").click()
    browser.find_element("xpath", "//button[contains(@class, 'file')][contains(., 'good.npz')]").click()
    field = browser.find_element("css selector", ".repetitions td.time input")
    field.clear()
    field.send_keys("soon\t")
    told.append(until(browser, "document.querySelector('#alerts .alert p')?.innerText").replace("soon", ""))
    names = sorted((path.name for path in tmp_path.iterdir()), key=len, reverse=True)
    for name in names:
        assert sum(name in text for text in told) >= 1, f"nothing is said of {name}"
    latin = {text: left for text in told if (left := _latin(text, names))}
    assert latin == {}


def test_many_files_are_folded_on_a_phone_and_the_language_changes_with_the_sentences(
    browser: Any, address: str, tmp_path: Path
) -> None:
    paths = [recorded(tmp_path / f"{i}.npz") for i in range(1, 5)]
    set_width(browser, 390)
    open_page(browser, address)
    choose_files(browser, paths)
    fields = "[...document.querySelectorAll('.all td[data-name] input')].filter(i => i.checkVisibility()).length"
    heights = "[...document.querySelectorAll('.all tbody tr')].map(row => row.getBoundingClientRect().height)"
    assert value(browser, fields) == 0 and max(value(browser, heights)) < 120
    unfold = until(browser, button("Person, muscle", "#all"))
    unfold.click()
    until(browser, f"{fields} == {3 * len(paths)}")
    unfold.click()
    until(browser, f"{fields} == 0")
    # Words of the script and sentences of the server change together.
    browser.find_element("css selector", "#to-training").click()
    until(browser, "document.querySelector('#training .needs')")
    browser.execute_script(
        "window.mixed = []; new MutationObserver(() => {"
        " const needs = document.querySelector('#training .needs')?.textContent || '';"
        " const words = document.querySelector('#training h2').textContent;"
        " if (/\\p{Script=Han}/u.test(needs) !== /\\p{Script=Han}/u.test(words)) mixed.push([needs, words]);"
        "}).observe(document.querySelector('#training'), {childList: true, subtree: true, characterData: true})"
    )
    browser.execute_script(
        "const sent = window.fetch; window.fetch = async (...what) => {"
        " if (String(what[0]).includes('api/language')) await new Promise(done => setTimeout(done, 1000));"
        " return sent(...what) };"
        "const s = document.querySelector('#language'); s.value = 'zh'; s.dispatchEvent(new Event('change'))"
    )
    time.sleep(0.5)
    for view in ("#to-all", "#to-training"):  # the page draws itself anew before the server has answered
        browser.find_element("css selector", view).click()
    until(browser, "/\\p{Script=Han}/u.test(document.querySelector('#training .needs').textContent)")
    assert value(browser, "mixed") == []


def _latin(text: str, names: list[str]) -> list[str]:
    """The Latin words of a message but for names of files, suffixes, quotations, columns and units."""
    for name in names:
        text = text.replace(name, "")
    text = re.sub(r"'[^']*'|\.\w+\+?|\w+_\w+|[0-9a-fx]{4,}", "", text)
    return [word for word in re.findall(r"[A-Za-z]{2,}", text) if word not in LATIN]
