"""Runs that are trained from the page in a browser: from labels, stopped and resumed; and the practice run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from page_browser import button, choose_files, open_page, open_sample, set_width, spoken, until, value
from semg_hht.datasets.simulated import write_simulation
from semg_hht.recordings.manifest import read_manifest
from semg_hht.signals.simulate import SimulationConfig

STAGE = "document.querySelector('#training .progress p')?.textContent"


def show_training(browser: Any) -> None:
    browser.find_element("css selector", "#to-training").click()
    until(browser, "document.querySelector('#train')")


@pytest.mark.slow
def test_training_is_stopped_resumed_found_again_after_a_reload_and_answers(
    browser: Any, address: str, tmp_path: Path
) -> None:
    rounds_of_seconds = SimulationConfig(3, n_repetitions=8, rate_hz=500.0)  # there is time to stop it
    table = write_simulation(tmp_path, rounds_of_seconds, seed=1)
    recordings = sorted({tmp_path / row.file for row in read_manifest(table)})
    set_width(browser, 1280)
    open_page(browser, address)
    choose_files(browser, recordings[:2])
    show_training(browser)
    assert value(browser, "document.querySelector('#train').disabled")
    assert "at least 3 people" in value(browser, "document.querySelector('#training .needs').textContent")
    choose_files(browser, [*recordings[2:], table])
    show_training(browser)
    until(browser, "!document.querySelector('#train').disabled")
    assert value(browser, "document.querySelectorAll('#training tbody tr').length") == 3
    browser.find_element("css selector", "#train").click()
    browser.find_element("css selector", "#to-recording").click()
    until(browser, "document.querySelector('#background progress')")  # it is seen from every view
    browser.find_element("css selector", "#to-training").click()
    until(browser, f"/round [1-9]/.test({STAGE})", 180)  # a round is kept when it ends
    until(browser, button("Stop", "#training")).click()
    until(browser, spoken("topped"))
    until(browser, "document.querySelector('#resume')").click()
    until(browser, STAGE)
    browser.get(f"{address}/?lang=en")  # a reload
    until(browser, "document.querySelector('#background progress')")
    browser.find_element("css selector", "#to-training").click()
    score = until(browser, "document.querySelector('#training .score')?.textContent", 240)
    assert "was trained with 3 people" in score and "17 more people" in score
    browser.find_element("css selector", "#answer-all").click()
    judged = "[...document.querySelectorAll('.all td.standing')].filter(c => /full|half|invalid/.test(c.textContent))"
    until(browser, f"{judged}.length == {len(recordings)}")


@pytest.mark.slow
def test_the_practice_run_is_made_answers_and_is_said_to_mean_nothing(browser: Any, address: str) -> None:
    set_width(browser, 1280)
    open_page(browser, address)
    open_sample(browser)
    until(browser, button("Practise", "#verdict")).click()
    until(browser, "document.querySelector('#verdict progress')")
    until(browser, "document.querySelector('#answer')", 240).click()
    assert until(browser, "document.querySelector('p.verdict')?.textContent")
    assert "simulated people only" in value(browser, "document.querySelector('#verdict .warning').textContent")
    browser.find_element("css selector", "#verdict .check input").click()  # recorded gender, only where it is asked for
    until(browser, button("Judge again", "#verdict")).click()
    until(browser, "document.querySelector('td.answer').textContent.includes('ender')")
    until(browser, button("Card to print", "#keep")).click()
    card = "document.querySelector('#card[open] .card-holder')?.shadowRoot.querySelector('.sheet').textContent"
    assert "simulated" in until(browser, card)
    until(browser, button("Close", "#card")).click()
