"""Answers are saved with a session and shown as those of the run that gave them; what a stranger wrote is checked."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from page_builders import PageVisitor, page_of
from semg_hht import samples
from semg_hht.prediction.run import Run, open_run
from semg_hht.web import session_file
from semg_hht.web.repetition_table import Refused
from semg_hht.web.saved_answers import answers_to_json, with_answers
from semg_hht.web.visitors import Visitors


def answered(visitors: Visitors, run: Run, curl: Path, matrix: Path | None = None) -> PageVisitor:
    visitor = PageVisitor(page_of(visitors, run))
    visitor.drop(curl)
    if matrix is not None:
        visitor.drop(matrix)
        visitor.drop(curl, "whole.csv")
        visitor.post("repetitions", file=3, repetitions=[])
    visitor.post("answer")
    assert visitor.wait()["error"] == ""
    return visitor


def reopened(visitor: PageVisitor, saved: bytes) -> list[dict[str, Any]]:
    answer = visitor.client.post("/api/file?name=again.semg.zip", content=saved)
    assert answer.status_code == 200, answer.text
    visitor.state = answer.json()
    return visitor.files


def test_answers_are_reopened_as_they_were(visitors: Visitors, run: Run, curl: Path, simulated: Any) -> None:
    visitor = answered(visitors, run, curl, sorted(simulated.matrices.iterdir())[0])
    before, saved = visitor.files, visitor.client.get("/api/session").content
    after = reopened(PageVisitor(page_of(visitors, run)), saved)
    for one, other in zip(before, after, strict=True):
        for name in ("answered", "verdict", "other_run", "has_card", "remarks", "repetitions"):
            assert one[name] == other[name], one["name"]
    assert all(file["answered"] and file["other_run"] == "" for file in after)


def test_answers_of_another_run_say_whose_they_are(visitors: Visitors, run: Run, curl: Path) -> None:
    saved = answered(visitors, run, curl).client.get("/api/session").content
    page = page_of(visitors, open_shipped=lambda: open_run(samples.RUN))
    later = PageVisitor(page)
    (file,) = reopened(later, saved)
    said = file["other_run"]
    assert file["answered"] and f"come from run (fingerprint {run.fingerprint[:8]})" in said
    later.post("run", take="shipped")
    (file,) = later.files
    assert file["answered"] and file["other_run"] == said  # until they are judged again, nothing is lost
    later.post("why", file=1, repetition=1)
    assert later.wait()["error"].startswith("These answers come from another model")
    assert said in later.client.get("/api/card?file=1").text
    assert said in json.loads(later.client.get("/api/predictions").text)["curl.csv"]["remarks"]
    again = PageVisitor(page)
    assert reopened(again, later.client.get("/api/session").content)[0]["other_run"] == said
    later.post("answer")  # the shipped run wants two channels
    later.wait()
    assert later.state["problems"] and later.files[0]["other_run"] == said
    page.desk.own = run
    later.post("run", take="own")
    assert later.files[0]["answered"] and later.files[0]["other_run"] == ""


def test_answers_about_other_repetitions_are_not_shown_as_complete(visitors: Visitors, run: Run, curl: Path) -> None:
    visitor = answered(visitors, run, curl)
    visitor.post("repetitions", file=1, repetitions=visitor.files[0]["repetitions"][1:])
    (file,) = reopened(PageVisitor(page_of(visitors, run)), visitor.client.get("/api/session").content)
    assert not file["answered"] and all(row["answers"] for row in file["repetitions"])


DAMAGES: list[dict[str, Any]] = [
    {"run": {"kind": "unknown", "name": "", "is_practice": False, "fingerprint": ""}}, {"run": None}, {"answers": {}},
    {"answers": {"action_quality": {"prediction": "x", "probabilities": {"full": 1}, "possible": []}}},
    {"answers": {"action_quality": {"prediction": "full", "probabilities": {"full": 7}, "possible": []}}},
    {"answers": {"os": {"prediction": "full", "probabilities": {"full": 1}, "possible": []}}},
    {"rows": [[0, "x"]]}, {"rows": [[0, 1]] * 501}, {"rows": [[0, float("nan")]]}, {"parts": []}, {"parts": [{}]},
    {"unlike": [{"name": "rate", "values": {}}]}, {"unlike": [{"name": "{0.__class__}", "values": {}}]},
    {"remarks": 5},
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_answers_that_are_none_are_refused_and_the_recording_opens(
    visitors: Visitors, run: Run, curl: Path, damage: dict[str, Any]
) -> None:
    visitor = answered(visitors, run, curl)
    (visit,) = visitors.all()
    content = json.loads(json.dumps(answers_to_json(visit.files[1])))
    plain = replace(visit.files[1].without_answers(), answered_rows=())
    assert with_answers(plain, content).prediction == visit.files[1].prediction
    with pytest.raises(Refused, match="app_saved_answers"):
        with_answers(plain, content | damage)
    if damage != DAMAGES[0]:
        return
    with zipfile.ZipFile(io.BytesIO(visitor.client.get("/api/session").content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["session.json"] = members["session.json"].replace(b'"kind": "own"', b'"kind": "<b>"')
    with zipfile.ZipFile(changed := io.BytesIO(), "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    (file,) = reopened(PageVisitor(page_of(visitors, run)), changed.getvalue())
    assert file["kind"] == "recording" and not file["answered"] and len(file["repetitions"]) == 3


def test_answers_that_make_a_session_too_long_are_left_out(
    visitors: Visitors, run: Run, curl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = answered(visitors, run, curl)
    (visit,) = visitors.all()
    size = len(session_file.describe_session(visit, visit.files.values()))
    monkeypatch.setattr(session_file, "MAX_DESCRIPTION", size - 1)
    (file,) = reopened(PageVisitor(page_of(visitors, run)), visitor.client.get("/api/session").content)
    assert not file["answered"] and len(file["repetitions"]) == 3
