"""What the page shows of a visit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation_builders import HOSTILE
from page_builders import CONFIG, RUN_INFO
from semg_hht.prediction.run import Run
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.report.words import LANGUAGES, read_words
from semg_hht.web.view import RunInfo, ShippedFacts, answers_text, card_text, page_content
from semg_hht.web.visit import Visit, answer, receive


def test_recorded_gender_is_shown_only_where_the_visitor_asked_for_it(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    asked = replace(visit, gender=True)
    assert "recorded gender" in page_content(asked, RUN_INFO).answers
    assert "recorded gender" not in page_content(visit, RUN_INFO).answers
    assert '"gender"' in answers_text(asked)
    assert '"gender"' not in answers_text(visit)
    assert "Recorded gender" in card_text(asked)
    assert "gender" not in card_text(visit).lower()
    content = json.loads(answers_text(asked))["curl.csv"]
    del content["gender"]
    for part in content["parts"]:
        del part["gender"]
    assert json.loads(answers_text(visit))["curl.csv"] == content


def test_what_answers_is_said_on_the_page(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    chosen = {"action_quality": "measures", "gender": "the network alone"}
    answers = page_content(
        visit, RunInfo("run", practice=False, tasks=("action_quality", "gender"), chosen=chosen)
    ).answers
    assert "action quality: answered from measures of the channels" in answers
    assert "the network alone" not in answers  # gender was not asked for


def test_a_run_that_answers_only_gender_says_how_to_show_it(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    assert "Tick the box above" in page_content(visit, RunInfo("run", practice=False, tasks=("gender",))).answers


def test_names_from_a_visitor_never_become_markup(visit: Visit, run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = (HOSTILE.format(1), "${alert(1)}")
    recording = Recording(rng.normal(0, 5, (2, 2000)), 500.0, names, "uV")
    write_recording(recording, tmp_path / "a.npz")
    hostile = Path(shutil.copy(tmp_path / "a.npz", tmp_path / "<img src=x onerror=alert(1)>.npz"))
    visit = replace(answer(receive(visit, [hostile], run.recording_config or CONFIG), run), gender=True)
    page = page_content(visit, RUN_INFO)
    for text in (page.signal, page.answers, page.notes, page.downloads):
        assert "<script" not in text
        assert "<img" not in text


def test_the_introduction_says_which_run_answers(visit: Visit) -> None:
    for language in LANGUAGES:
        words = read_words(language)
        visit = replace(visit, language=language)
        assert words("app_practice") in page_content(visit, RunInfo("run", practice=True)).intro
        assert words("app_no_run_how") in page_content(visit, RunInfo(None, practice=False)).intro
        facts = ShippedFacts(17, 0.8, 0.7, 0.9, 20)
        for name in (None, ""):
            intro = page_content(visit, RunInfo(name, practice=False, shipped=facts)).intro
            for said in ("neutral", "supinated", "17", "80%", "70%", "90%", "20"):
                assert said in intro
        assert words("app_run", name="forearm") in page_content(visit, RunInfo("forearm", practice=False)).intro


def test_an_answer_unlike_the_training_data_is_marked_with_its_reasons(
    visit: Visit, curl: Path, run: Run, tmp_path: Path
) -> None:
    recording = read_recording(curl, units="uV")
    write_recording(replace(recording, samples=1e4 * recording.samples), tmp_path / "loud.npz")
    visit = answer(receive(visit, [tmp_path / "loud.npz"], run.recording_config or CONFIG), run)
    page = page_content(visit, RUN_INFO)
    assert page.answers.count("Unlike the training data: amplitude") == page.n_answered
    assert "与训练数据不同" in page_content(replace(visit, language="zh"), RUN_INFO).answers
    assert "unlike" in json.loads(answers_text(visit))["loud.npz"]
    assert "Unlike the training data" in card_text(visit)
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    assert "Unlike the training data" not in page_content(visit, RUN_INFO).answers
