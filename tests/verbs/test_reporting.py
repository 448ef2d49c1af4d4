"""verbs/reporting.py: pages on evaluations, runs and recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from semg_hht.verbs.reporting import ReportOptions, report, write_cards

RECORDING = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 20)


def test_a_recording_gets_a_card(tmp_path: Path) -> None:
    page = report(RECORDING, tmp_path / "card.html", checkpoint=sh.samples.RUN)
    assert "<svg" in page.read_text(encoding="utf-8")
    with pytest.raises(sh.InputError, match=r"card\.html: exists already"):
        report(RECORDING, tmp_path / "card.html", checkpoint=sh.samples.RUN)
    file = sh.samples.recordings()["P30_supinated"]
    chinese = report(file, tmp_path / "zh.html", checkpoint=sh.samples.RUN, options=ReportOptions("zh", explain=True))
    assert "握" in chinese.read_text(encoding="utf-8") or "动作" in chinese.read_text(encoding="utf-8")


def test_an_evaluation_and_a_run_get_a_page(evaluation: Path, tiny_result: sh.Result, tmp_path: Path) -> None:
    assert "<html" in report(evaluation, tmp_path / "e.html").read_text(encoding="utf-8")
    assert "<html" in report(tiny_result, tmp_path / "r.html").read_text(encoding="utf-8")
    with pytest.raises(sh.InputError, match="an evaluation holds no recording to explain"):
        report(evaluation, tmp_path / "x.html", options=ReportOptions(explain=True))
    with pytest.raises(sh.InputError, match="a report holds the tasks that were evaluated"):
        report(evaluation, tmp_path / "x.html", options=ReportOptions(gender=True))


def test_recordings_are_answered_together_and_get_a_card_each(tmp_path: Path) -> None:
    run = sh.open_run(sh.samples.RUN)
    predictions, cards = write_cards(run, [RECORDING, RECORDING.crop(0, 12)], tmp_path)
    assert len(predictions) == len(cards) == 2 and all(card.is_file() for card in cards)
