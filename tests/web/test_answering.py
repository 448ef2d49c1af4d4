"""Answers of a run for the files of a visit: those of `predict`, for each file its own, without gender unless asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from page_builders import FILTERS, PageVisitor, page_of
from semg_hht import samples
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.web import answering, editing
from semg_hht.web.shared_run import RunInfo
from semg_hht.web.visit import BackgroundJob
from semg_hht.web.visitors import Visitors


def test_answers_are_those_of_predict_and_a_bad_file_costs_only_itself(
    visitor: PageVisitor, run: Run, curl: Path, tmp_path: Path
) -> None:
    visitor.drop(curl)
    (tmp_path / "bad.csv").write_text("nothing", encoding="utf-8")
    visitor.drop(tmp_path / "bad.csv")
    visitor.post("answer", gender=False)
    assert visitor.wait()["error"] == ""
    first, bad = visitor.files
    assert first["answered"] and first["has_card"] and not bad["answered"] and bad["kind"] == "failed"
    (tmp_path / "reps.csv").write_text(visitor.client.get("/api/table").text, encoding="utf-8")
    (expected,) = run.predict(tmp_path / "reps.csv", n_jobs=1).predictions
    content = json.loads(visitor.client.get("/api/predictions").text)["curl.csv"]
    assert content["action_quality"] == expected.to_json()["action_quality"]
    assert "gender" not in json.dumps(content)
    assert [row["answers"][0]["confidence"] for row in first["repetitions"]] == [
        part.answers["action_quality"].confidence for part in expected.parts]  # fmt: skip
    visitor.post("answer", gender=True)
    visitor.wait()
    assert "gender" in visitor.client.get("/api/predictions").text
    assert [answer["task"] for answer in visitor.files[0]["repetitions"][0]["answers"]] == ["action_quality", "gender"]


def test_the_remaining_time_is_told_from_the_second_file_on(
    visitor: PageVisitor, curl: Path, visitors: Visitors, run: Run
) -> None:
    for _ in range(3):
        visitor.drop(curl)
    told: list[tuple[int, float | None]] = []

    class Watched(BackgroundJob):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "stage" and "done" in value.values:
                told.append((value.values["done"], self.remaining_s))

    answering.answer(visitors.all()[0], run, RunInfo("own"), None, Watched())
    assert [done for done, _ in told] == [1, 2, 3] and told[0][1] is None
    assert all(left is not None and 0 < left < 60 for _, left in told[1:])


def test_what_is_too_much_or_nothing_is_refused_in_words(
    visitor: PageVisitor, curl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.post("answer")
    assert visitor.wait()["error"].startswith("There is nothing to answer yet")
    visitor.drop(curl)
    monkeypatch.setattr(answering, "MAX_ANSWERED", 10)
    visitor.post("answer")
    assert "this page answers at most 10 of one file" in visitor.wait()["error"]
    assert "at most 10" in visitor.client.get("/api/picture?file=1&repetition=1").json()["error"]


def test_moved_repetitions_lose_their_answers_and_the_others_keep_them(visitor: PageVisitor, curl: Path) -> None:
    before = visitor.drop(curl)["repetitions"]
    visitor.post("answer")
    visitor.wait()
    moved = [{**before[0], "start_s": before[0]["start_s"] + 0.05}, *before[1:]]
    visitor.post("repetitions", file=1, repetitions=moved)
    (file,) = visitor.files
    assert [bool(row["answers"]) for row in file["repetitions"]] == [False, True, True]
    assert not file["answered"] and file["verdict"]["text"] == ""
    visitor.post("repetitions", file=1, repetitions=[{**row, "label": "full"} for row in before])
    assert visitor.files[0]["answered"]  # a label moves nothing


def test_answers_about_repetitions_that_were_deleted_are_neither_counted_nor_written(
    visitor: PageVisitor, curl: Path
) -> None:
    before = visitor.drop(curl)["repetitions"]
    visitor.post("answer")
    visitor.wait()
    for left in (before[1:], []):
        visitor.post("repetitions", file=1, repetitions=left)
        (file,) = visitor.files
        assert not file["answered"] and file["verdict"]["text"] == "" and not file["has_card"]
        assert [bool(row["answers"]) for row in file["repetitions"]] == [True] * len(left)
        assert json.loads(visitor.client.get("/api/predictions").text) == {}
        assert "Get the answers again" in visitor.client.get("/api/card?file=1").json()["error"]
    visitor.post("repetitions", file=1, repetitions=before)
    assert visitor.files[0]["answered"] and "curl.csv" in visitor.client.get("/api/predictions").text


def test_a_label_or_a_note_while_answering_costs_no_answer_but_a_new_repetition_does(
    visitor: PageVisitor, curl: Path, visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = visitor.drop(curl)["repetitions"]
    take, visit = answering._take, visitors.all()[0]
    for changed, is_answered in (([{**row, "label": "full"} for row in before], True), (before[1:], False)):

        def meanwhile(*arguments: Any, changed: list[dict[str, Any]] = changed) -> None:
            editing.describe(visit, 1, {"note": f"{len(changed)}"}, FILTERS)
            editing.set_repetitions(visit, 1, changed)
            take(*arguments)

        monkeypatch.setattr(answering, "_take", meanwhile)
        visitor.post("repetitions", file=1, repetitions=before)
        visit.put(visit.files[1].without_answers())
        visitor.post("answer")
        assert visitor.wait()["error"] == ""
        assert visitor.files[0]["answered"] is is_answered
    assert visitor.files[0]["about"]["note"] == "2"


def test_an_explanation_is_never_shown_for_another_repetition(
    visitor: PageVisitor, curl: Path, visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = visitor.drop(curl)["repetitions"]
    visitor.post("answer")
    visitor.wait()
    visit = visitors.all()[0]

    def slow(_: object) -> bool:
        editing.set_repetitions(visit, 1, before[1:])  # the third is the second now
        return False

    monkeypatch.setattr(answering, "_can_explain", slow)
    visitor.post("why", file=1, repetition=2)
    visitor.wait()
    assert [row["why"] for row in visitor.files[0]["repetitions"]] == [[], []]


def test_pictures_and_cards_are_made_on_demand(visitor: PageVisitor, curl: Path) -> None:
    visitor.drop(curl)
    picture = visitor.client.get("/api/picture?file=1&repetition=2")
    assert picture.content.startswith(b"\x89PNG") and picture.headers["content-type"] == "image/png"
    assert visitor.client.get("/api/picture?file=1&repetition=9").status_code == 400
    assert visitor.client.get("/api/card?file=1").status_code == 400
    visitor.post("answer")
    visitor.wait()
    card = visitor.client.get("/api/card?file=1").text
    assert "curl.csv" in card and "<svg" in card and "gender" not in card.split("</style>")[1]
    visitor.post("about", file=1, person="P7", date="2026-11-02", muscle="biceps")
    assert "P7 · 2026-11-02 · biceps · curl.csv" in visitor.client.get("/api/card?file=1").text
    assert str(visitor.client.get("/api/card?file=1&gender=true").status_code) == "200"


def test_a_recording_without_repetitions_has_no_card(visitor: PageVisitor, curl: Path) -> None:
    visitor.drop(curl)
    visitor.post("repetitions", file=1, repetitions=[])
    visitor.post("answer")
    visitor.wait()
    assert visitor.files[0]["answered"] and not visitor.files[0]["has_card"]
    assert "no repetition here" in visitor.client.get("/api/card?file=1").json()["error"]


@pytest.mark.slow
def test_one_answer_is_explained_in_a_sentence_without_percentages(visitor: PageVisitor, curl: Path) -> None:
    visitor.drop(curl)
    visitor.post("answer")
    visitor.wait()
    visitor.post("why", file=1, repetition=2)
    assert visitor.wait()["error"] == ""
    (why,) = visitor.files[0]["repetitions"][1]["why"]
    assert "%" not in why["sentence"] and why["details"] and why["picture"].startswith("data:image/png;base64,")
    assert visitor.files[0]["repetitions"][0]["why"] == []


def test_an_explanation_waits_for_no_other_answer_and_answers_nothing_again(
    visitors: Visitors, run: Run, curl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(visitors, run)
    visitor = PageVisitor(page)
    visitor.drop(curl)
    visitor.post("answer")
    visitor.wait()

    def again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Run, "answer", again)
    monkeypatch.setattr(type(run.engine), "probabilities", again)
    with page.desk.answering:  # another visitor has many files answered
        visitor.post("why", file=1, repetition=2)
        assert visitor.wait()["error"] == ""
        assert visitor.files[0]["repetitions"][1]["why"]
        assert visitor.client.get("/api/card?file=1").status_code == 200


def test_a_state_computes_no_trend_again(visitor: PageVisitor, curl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repetitions = visitor.drop(curl)["repetitions"]
    half_s = (repetitions[0]["stop_s"] - repetitions[0]["start_s"]) / 2
    halves = [{**row, "start_s": row["start_s"] + start, "stop_s": row["start_s"] + start + half_s}
              for row in repetitions for start in (0.0, half_s)]  # fmt: skip
    visitor.post("repetitions", file=1, repetitions=halves)
    trends = visitor.files[0]["trends"]
    assert [len(one["line"]) for one in trends] == [len(halves)] * len(trends) and trends

    def again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("semg_hht.signals.trend.trend_band", again)
    assert visitor.client.get("/api/state").json()["files"][0]["trends"] == trends


@pytest.mark.parametrize("is_stated", [True, False])
def test_a_remark_names_the_table_of_the_visitor_and_no_folder_of_the_server(
    visitors: Visitors, tmp_path: Path, is_stated: bool
) -> None:
    first = read_recording(next(iter(samples.recordings().values())))
    wrong = replace(first, rate_hz=10 * first.rate_hz, samples=100 * first.samples)
    write_recording(wrong, tmp_path / "fast.npz")
    (tmp_path / "mine.csv").write_text("file,rate_hz\nfast.npz,2000\n", encoding="utf-8")
    visitor = PageVisitor(page_of(visitors, open_run(samples.RUN)))
    if is_stated:
        visitor.drop(tmp_path / "mine.csv")
    visitor.drop(tmp_path / "fast.npz")
    if not is_stated:
        visitor.post("about", file=1, rate_hz=2000)
    number = visitor.files[0]["id"]
    visitor.post("answer")
    assert visitor.wait()["error"] == ""
    card = visitor.client.get(f"/api/card?file={number}").text
    given = "mine.csv states 2000 Hz" if is_stated else "2000 Hz was given"
    assert f"at which the samples do not look like EMG; {given}, which is used" in card
    assert "e+0" not in card  # of large amplitudes
    told = card + visitor.client.get("/api/predictions").text + visitor.client.get("/api/state").text
    assert str(visitors.folder) not in told and ".reps" not in told
