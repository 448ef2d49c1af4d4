"""What the page shows: in the visitor's language, with the trend's band as wide as its uncertainty."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from page_builders import PageVisitor, page_of
from semg_hht.prediction.run import Run
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.reports.words import read_words
from semg_hht.web.repetition_table import Problem
from semg_hht.web.view import job_view, sentence
from semg_hht.web.visit import BackgroundJob
from semg_hht.web.visitors import Visitors

FOLDER = Path(__file__).resolve().parents[2] / "src" / "semg_hht" / "web"


def test_both_languages_have_every_text_that_the_server_uses_with_the_same_values() -> None:
    english, chinese = read_words("en").texts, read_words("zh").texts
    code = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py"))
    used = set(re.findall(r'"(app_[a-z_]+)"', code))
    known = {name for name in english if name.startswith("app_")}
    assert sorted(used - known) == [] and known == {name for name in chinese if name.startswith("app_")}
    for name in sorted(known):
        values = [set(re.findall(r"\{(\w+)\}", str(texts[name]))) for texts in (english, chinese)]
        assert values[0] == values[1], name
    unused = known - used - {f"app_name_{kind}" for kind in ("own", "shipped", "practice", "trained")}
    assert sorted(unused) == []


def test_a_chinese_visitor_reads_chinese(visitors: Visitors, run: Run, curl: Path) -> None:
    visitor = PageVisitor(page_of(visitors, run), "zh")
    visitor.drop(curl)
    visitor.post("answer")
    visitor.wait()
    verdict = visitor.files[0]["verdict"]
    assert re.search("完整|半程|无效|不确定", verdict["text"]) and not re.search("[a-z]", verdict["text"])
    error = visitor.post("repetitions", 400, file=1, repetitions=[{"start_s": 3, "stop_s": 2}])["error"]
    assert error == "第 1 次动作：结束时间 2 秒，开始时间 3 秒；结束应晚于开始。"
    visitor.post("language", language="en")
    assert re.search("full|half|invalid|unsure", visitor.files[0]["verdict"]["text"])


def test_the_band_of_a_trend_is_nowhere_narrower_than_its_uncertainty(visitor: PageVisitor, angled: Path) -> None:
    for trend in visitor.drop(angled)["trends"]:
        x, y, low, high = np.array(trend["line"]).T
        assert list(x) == [1, 2, 3, 4]
        assert np.all(high - low > 0.5 * (high - low).max()) and np.all((low < y) & (y < high))
        assert (high - low)[0] > (high - low)[1] and "95% interval" in trend["sentence"]


def test_large_amplitudes_are_told_without_an_exponent(visitor: PageVisitor, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 1e4, (1, 10_000))
    write_recording(Recording(samples, 1000.0, ("biceps",), "", "x"), tmp_path / "counts.npz")
    visitor.drop(tmp_path / "counts.npz")
    items = [{"start_s": i, "stop_s": i + 0.9} for i in range(8)]
    visitor.post("repetitions", file=1, repetitions=items)
    said = " ".join(trend["sentence"] for trend in visitor.files[0]["trends"])
    assert re.search(r"RMS: \d{4,5} ", said) and "e+" not in said


def test_sessions_of_a_person_are_in_order_of_their_dates(visitor: PageVisitor, angled: Path) -> None:
    for number, (person, date) in enumerate([("P1", "2026-11-20"), ("P1", "2026-11-02"), ("", "")], start=1):
        visitor.drop(angled)
        visitor.post("about", file=number, person=person, date=date, muscle="biceps")
    visitor.post("from_sensor", file=1, sensor="angle [deg]")
    (trend,) = visitor.client.get("/api/trend").json()
    assert (trend["person"], trend["muscle"]) == ("P1", "biceps")
    assert [(s["file"], s["date"], s["n"], s["best_label_share"]) for s in trend["sessions"]] == [
        (2, "2026-11-02", 4, None), (1, "2026-11-20", 4, 0.75)]  # fmt: skip
    assert all(session["rms"] > 0 and session["percent_mvc"] is None for session in trend["sessions"])


def test_the_state_of_many_repetitions_is_small(visitor: PageVisitor, angled: Path) -> None:
    visitor.drop(angled)
    items = [{"start_s": i / 10, "stop_s": i / 10 + 0.09} for i in range(150)]
    visitor.post("repetitions", file=1, repetitions=items)
    assert len(json.dumps(visitor.state)) < 100_000 and len(visitor.files[0]["repetitions"]) == 150


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_job_tells_its_stage_and_end(language: str) -> None:
    words = read_words(language)
    job = BackgroundJob(
        "answer", Problem("app_stage_answer", {"done": 1, "all": 2}), share=0.5, remaining_s=9.6, done=False
    )
    assert "2" in job_view(job, words)["stage"] and job_view(job, words)["remaining_s"] == 10
    job.done, job.error = True, Problem("app_in_table", {"file": "a", "of": "b", "why": Problem("app_stopped")})
    assert job_view(job, words)["stage"] == "" and words("app_stopped") in job_view(job, words)["error"]
    assert sentence(Problem("app_says", {"said": "x"}), words).endswith("x")
