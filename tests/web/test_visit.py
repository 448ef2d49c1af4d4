"""The web page without a browser: what becomes of a visit, and what is shown of it."""

from __future__ import annotations

import base64
import json
import logging
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import claimed_npy, foreign_matrix, write_members
from evaluation_builders import HOSTILE
from semg_hht.cli.main import main
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.matrices.matrix import read_matrix
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.manifest import ManifestRow, read_manifest
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.report.words import LANGUAGES, read_words
from semg_hht.web import visitors as who
from semg_hht.web.repetition_table import cells_of, free_place, overlapping, read_times, rows_at
from semg_hht.web.uploads import ALL, MAX_POINTS, Dropped
from semg_hht.web.view import Host, answers_text, card_text, page_of, told
from semg_hht.web.visit import (
    MAX_FILES,
    Visit,
    add,
    answer,
    edit,
    look_closer,
    look_why,
    read_again,
    receive,
    remove,
    show,
    table_of,
)
from semg_hht.web.visitors import Visitors

CONFIG = PipelineConfig()
HOST = Host("run", practice=False, tasks=("action_quality", "gender"))
WORDS = read_words("en")


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    folder = tmp_path / "visit"
    folder.mkdir()
    return Visit(folder, language="en")


@pytest.fixture(scope="module")
def run(simulated_run: Path) -> Run:
    return open_run(simulated_run, cpu=True)


@pytest.fixture
def curl(simulated: Any, tmp_path: Path) -> Path:
    """A simulated recording of three repetitions that says its rate."""
    return Path(
        shutil.copy(simulated.manifest.parent / read_manifest(simulated.manifest)[0].file, tmp_path / "curl.csv")
    )


def said(visit: Visit, language: str = "en") -> str:
    """What the page says of troubles."""
    page = page_of(replace(visit, language=language), HOST)
    return page.notes + page.table_notes


def downloads(visit: Visit) -> dict[str, str]:
    """File name -> text, of what can be downloaded."""
    links = re.findall(r'href="data:[^,]*;base64,([^"]*)" download="([^"]*)"', page_of(visit, HOST).downloads)
    return {name: base64.b64decode(content).decode() for content, name in links}


# The table of repetitions


def test_a_table_is_read_in_order_with_commas_and_without_empty_rows() -> None:
    cells = [["5,5", "7", ""], ["", None, ""], [1, 2.25, "99%"], ["9", "10.0004", ""]]
    assert read_times(cells, 10.0) == ([(1.0, 2.25), (5.5, 7.0), (9.0, 10.0)], [])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["abc", "3"], "Row 2 of the table: “abc” is not a number; expected seconds"),
        (["nan", "3"], "Row 2 of the table: “nan” is not a number"),
        (["3", ""], "Row 2 of the table: a time is missing"),
        (["-1", "3"], "Row 2 of the table: -1 s does not lie within the recording, which lasts from 0 to 10.00 s"),
        (["3", "10.1"], "Row 2 of the table: 10.1 s does not lie within"),
        (["3", "3"], "Row 2 of the table: it ends at 3 s, but starts at 3 s"),
        (["1", "2"], "Row 2 of the table says the same times as row 1"),
    ],
)
def test_a_row_that_cant_be_used_is_named(row: list[str], words: str) -> None:
    times, troubles = read_times([["1", "2"], row], 10.0)
    assert times == [(1.0, 2.0)]
    assert [told(trouble, WORDS) for trouble in troubles] == [pytest.approx(told(troubles[0], WORDS))]
    assert words in told(troubles[0], WORDS)
    assert told(troubles[0], read_words("zh")) != told(troubles[0], WORDS)


def test_rows_keep_what_was_measured_while_their_times_stay() -> None:
    known = [ManifestRow("a.csv", start_s=1.00049, stop_s=2.0, extra={"confidence": "0.97", "rms": "3"})]
    assert cells_of(known) == [["1.000", "2.000", "97%"]]
    rows = rows_at([(0.2, 0.5), (1.0, 2.0)], ManifestRow("a.csv", subject="S01"), known)
    assert [(row.repetition, row.start_s, row.extra) for row in rows] == [
        ("1", 0.2, {}), ("2", 1.00049, {"confidence": "0.97", "rms": "3"}),
    ]  # fmt: skip
    assert rows[0].subject == "S01"


def test_a_new_repetition_goes_where_there_is_room() -> None:
    rows = [ManifestRow("a.csv", start_s=1.0, stop_s=2.0), ManifestRow("a.csv", start_s=8.0, stop_s=9.0)]
    assert free_place(rows, 10.0) == (4.5, 5.5)
    assert free_place([], 10.0) == (2.5, 7.5)
    assert free_place([ManifestRow("a.csv", start_s=0.0, stop_s=10.0)], 10.0) == (4.5, 5.5)
    assert overlapping(rows) == []
    assert overlapping([*rows, ManifestRow("a.csv", start_s=8.5, stop_s=9.5)]) == [(2, 3)]


# A visit


def test_a_recording_is_shown_edited_and_answered_as_predict_answers(
    visit: Visit, curl: Path, run: Run, tmp_path: Path
) -> None:
    visit = receive(visit, [curl], run.recording_config or CONFIG)
    assert visit.recorded is not None
    found = len(visit.recorded.rows)
    page = page_of(visit, HOST)
    assert page.signal.count('class="span"') == found > 1
    assert page.table is not None and len(page.table) == found
    assert page.answers == ""
    assert list(downloads(visit)) == ["reps.csv"]

    visit = remove(visit, 1)
    cells = [*(row[:] for row in page_of(visit, HOST).table or []), ["0.5", "1.25", ""]]
    visit = add(edit(visit, cells))
    assert visit.recorded is not None
    assert len(visit.recorded.rows) == found + 1
    assert (visit.recorded.rows[0].start_s, visit.recorded.rows[0].stop_s) == (0.5, 1.25)
    assert page_of(visit, HOST).signal.count('class="span"') == found + 1

    visit = replace(answer(visit, run), gender=True)
    files = downloads(visit)
    assert list(files) == ["curl_card.html", "reps.csv", "predictions.json"]
    (tmp_path / "reps.csv").write_text(files["reps.csv"], encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--checkpoint", str(run.folder), "--input", str(tmp_path / "reps.csv"), "--output",
              str(tmp_path / "own.json"), "--cpu"])  # fmt: skip
    assert ended.value.code == 0
    assert files["predictions.json"] == (tmp_path / "own.json").read_text(encoding="utf-8")

    page = page_of(visit, HOST)
    parts = json.loads(files["predictions.json"])["curl.csv"]["parts"]
    assert page.answers.count('<section class="card">') == len(parts) == found + 1
    assert page.answers.count("data:image/png") == len(parts)
    for part in parts:
        assert f"{part['action_quality']['confidence']:.0%}" in page.answers
    assert "it is what was written down" in page.answers.lower()
    assert "curl.csv: repetition by repetition" in files["curl_card.html"]


def test_a_repetition_too_short_for_features_is_answered_without_a_card(visit: Visit, curl: Path, run: Run) -> None:
    visit = receive(visit, [curl], run.recording_config or CONFIG)
    visit = answer(edit(visit, [["1", "2.5", ""], ["4", "4.03", ""]]), run)
    assert page_of(visit, HOST).answers.count('<section class="card">') == 2
    assert list(downloads(visit)) == ["reps.csv", "predictions.json"]
    assert "curl.csv" in said(visit)
    assert str(visit.folder) not in said(visit)


def test_an_edit_takes_answers_back(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    same = edit(visit, page_of(visit, HOST).table or [])
    assert same.answered is not None
    assert remove(visit, 1).answered is None


def test_the_downloaded_table_is_what_prepare_takes_and_the_page_takes_back(
    visit: Visit, curl: Path, run: Run, tmp_path: Path
) -> None:
    config = run.recording_config or CONFIG
    visit = edit(receive(visit, [curl], config), [["1", "2.5", ""], ["4", "5.75", ""]])
    table = tmp_path / "reps.csv"
    table.write_text(table_of(visit), encoding="utf-8")
    done = prepare(find_jobs(table), tmp_path / "prepared", config, n_jobs=1)
    times = [read_matrix(done.manifest.parent / row.file).time_s for row in read_manifest(done.manifest)]
    assert [256 / 255 * np.ptp(time_s) for time_s in times if time_s is not None] == pytest.approx([1.5, 1.75])
    again = receive(visit, [curl, table], config)
    assert [file.path.name for file in again.files] == ["curl.csv"]
    assert table_of(again) == table_of(visit)
    assert table_of(read_again(again, None, "", config)) == table_of(visit)


def test_a_table_that_states_times_outside_is_a_sentence(visit: Visit, curl: Path, tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    table.write_text("file,start_s,stop_s\ncurl.csv,1,2\ncurl.csv,5,5000\n", encoding="utf-8")
    assert "row 2 of its table says 5000 s; expected times within" in said(receive(visit, [curl, table], CONFIG))


def test_a_table_leads_to_no_file_that_was_not_dropped(visit: Visit, curl: Path, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.parent.mkdir()
    shutil.copy(curl, secret)
    table = tmp_path / "reps.csv"
    table.write_text(f"file,start_s,stop_s\n{secret},1,2\n../elsewhere/secret.csv,1,3\n", encoding="utf-8")
    assert receive(visit, [table], CONFIG).files == ()
    broken = tmp_path / "broken.csv"
    broken.write_text("file,start_s\ncurl.csv,soon\n", encoding="utf-8")
    assert "broken.csv, line 2: start_s must be a number" in said(receive(visit, [curl, broken], CONFIG))


def test_a_wrong_cell_is_kept_said_and_can_be_deleted(visit: Visit, curl: Path, run: Run) -> None:
    visit = receive(visit, [curl], CONFIG)
    cells = page_of(visit, HOST).table or []
    wrong = edit(visit, [*cells, ["soon", "9", ""]])
    row = len(cells) + 1
    assert f"Row {row} of the table: “soon” is not a number" in said(wrong)
    assert f"表格第 {row} 行" in said(wrong, "zh")
    assert (page_of(wrong, HOST).table or [])[-1] == ["soon", "9", ""]
    assert answer(wrong, run) is wrong
    assert add(wrong) is wrong
    mended = remove(wrong, row)
    assert (said(mended), mended.cells) == (said(visit), None)
    assert table_of(mended) == table_of(visit)
    assert said(show(wrong, 0)) == said(visit)


def test_a_recording_without_a_rate_is_asked_for_it(visit: Visit, real_data: Path, run: Run) -> None:
    recording = (
        real_data / "contraction_intensity" / read_manifest(real_data / "contraction_intensity/manifest.csv")[0].file
    )
    visit = receive(visit, [recording], CONFIG)
    name = recording.name
    assert f"{name} does not say how many samples a second it holds. Type that number" in said(visit)
    assert not page_of(visit, HOST).has_files
    visit = read_again(visit, 1000.0, "V", CONFIG)
    assert visit.recorded is not None
    assert (visit.recorded.shared.rate_hz, visit.recorded.units, len(visit.recorded.channels)) == (1000.0, "uV", 8)
    page = page_of(visit, HOST)
    assert page.channels[-1] == ("all channels together (RMS)", ALL)
    assert page.channel == int(np.argmax([channel.envelope.std() for channel in visit.recorded.channels]))
    visit = answer(visit, run)
    for channel in (0, ALL):
        other = look_closer(replace(visit, channel=channel), run)
        assert other.answered is not None and visit.answered is not None
        assert other.answered.predictions == visit.answered.predictions
        assert len(other.answered.pictures) == len(page.table or [1])
        assert page_of(other, HOST).signal != page.signal


def test_matrices_and_recordings_are_answered_together(visit: Visit, curl: Path, run: Run, tmp_path: Path) -> None:
    matrix = foreign_matrix(tmp_path / "Test1_1_001.npz")
    visit = answer(receive(visit, [curl, matrix], run.recording_config or CONFIG), run)
    page = page_of(visit, HOST)
    assert page.files == [("Test1_1_001.npz", 0), ("curl.csv", 1)]
    assert "the answers are a guess" in page.answers  # what the program warned of
    assert page.answers.count("<tr>") == 3  # a head and two files
    visit = look_closer(show(visit, 0), run)
    assert page_of(visit, HOST).answers.count("data:image/png") == 1
    assert list(downloads(visit)) == ["reps.csv", "predictions.json"]
    assert set(json.loads(answers_text(visit))) == {"Test1_1_001.npz", "curl.csv"}


def test_gender_is_told_only_where_it_was_asked_for(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    asked = replace(visit, gender=True)
    assert "recorded gender" in page_of(asked, HOST).answers
    assert "recorded gender" not in page_of(visit, HOST).answers
    assert '"gender"' in answers_text(asked)
    assert '"gender"' not in answers_text(visit)
    assert "Recorded gender" in card_text(asked)
    assert "gender" not in card_text(visit).lower()
    content = json.loads(answers_text(asked))["curl.csv"]
    del content["gender"]
    for part in content["parts"]:
        del part["gender"]
    assert json.loads(answers_text(visit))["curl.csv"] == content


def test_a_run_of_gender_alone_says_how_to_see_it(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    assert "Tick the box above" in page_of(visit, Host("run", practice=False, tasks=("gender",))).answers


def test_without_repetitions_the_whole_recording_is_one(visit: Visit, run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_recording(Recording(rng.normal(0, 5, (1, 2000)), 500.0, ("ch1",), "uV"), tmp_path / "rest.csv")
    visit = receive(visit, [tmp_path / "rest.csv"], run.recording_config or CONFIG)
    while visit.recorded is not None and visit.recorded.rows:
        visit = remove(visit, 1)
    assert "No repetition was found" in page_of(visit, HOST).signal
    visit = answer(visit, run)
    assert page_of(visit, HOST).answers.count('<section class="card">') == 1
    assert page_of(visit, HOST).answers.count("data:image/png") == 1


def test_bad_files_are_sentences_and_the_others_go_on(visit: Visit, curl: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "noise.edf").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "cut.npz").write_bytes(foreign_matrix(tmp_path / "whole.npz").read_bytes()[:3000])
    write_members(tmp_path / "huge.npz", hht=claimed_npy((2**40, 256, 256)))
    names = ("empty.csv", "noise.edf", "picture.png", "cut.npz", "huge.npz")
    visit = receive(visit, [curl, *(tmp_path / name for name in names)], run.recording_config or CONFIG)
    for language in LANGUAGES:
        notes = said(visit, language)
        for name in names:
            assert name in notes
        assert str(visit.folder) not in notes
    assert visit.file is not None and visit.file.path.name == "curl.csv"
    assert answer(visit, run).answered is not None


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(visit: Visit, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("samples.npy", "w") as member:
        for _ in range(2**10 + 1):
            member.write(bytes(2**20))
    assert bomb.stat().st_size < 2_000_000
    assert "bomb.npz unpacks to more than this page takes" in said(receive(visit, [bomb], CONFIG))


def test_what_cant_be_answered_is_said(visit: Visit, run: Run, tmp_path: Path, curl: Path) -> None:
    assert "There is nothing to answer yet" in said(answer(visit, run))
    assert receive(visit, [], CONFIG) is visit
    many = [tmp_path / f"{i}.csv" for i in range(MAX_FILES + 1)]
    assert f"You dropped {MAX_FILES + 1} files" in said(receive(visit, many, CONFIG))
    assert "did not arrive whole" in said(receive(visit, [tmp_path / "gone.csv"], CONFIG))
    foreign = replace(run, recording_config=None)
    answered = answer(receive(visit, [curl], CONFIG), foreign)
    page = page_of(answered, HOST)
    assert "trained on matrices of another tool" in page.answers
    assert str(visit.folder) not in page.answers
    needs = replace(run, recording_config=replace(run.recording_config or CONFIG, scaling="mvc"))
    assert "go together; got scaling" in said(answer(receive(visit, [curl], CONFIG), needs))


def test_steps_of_an_empty_visit_change_nothing(visit: Visit, run: Run) -> None:
    assert [edit(visit, [["1", "2"]]), add(visit), remove(visit, 1), look_closer(visit, run)] == [visit] * 4
    assert page_of(visit, HOST).table is None


def test_names_of_a_visitor_stay_text(visit: Visit, run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = (HOSTILE.format(1), "${alert(1)}")
    recording = Recording(rng.normal(0, 5, (2, 2000)), 500.0, names, "uV")
    write_recording(recording, tmp_path / "a.npz")
    hostile = Path(shutil.copy(tmp_path / "a.npz", tmp_path / "<img src=x onerror=alert(1)>.npz"))
    visit = replace(answer(receive(visit, [hostile], run.recording_config or CONFIG), run), gender=True)
    page = page_of(visit, HOST)
    for text in (page.signal, page.answers, page.notes, page.downloads):
        assert "<script" not in text
        assert "<img" not in text


def test_a_long_recording_is_drawn_by_its_extremes(visit: Visit, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 1, (1, 60_000))
    samples[0, 31_234] = 90.0
    write_recording(Recording(samples, 1000.0, ("ch1",), "uV"), tmp_path / "long.npz")
    visit = receive(visit, [tmp_path / "long.npz"], CONFIG)
    assert visit.recorded is not None
    channel, points_a_second = visit.recorded.drawn(0)
    assert channel.envelope.size <= MAX_POINTS
    peak = int(np.argmax(channel.envelope))
    assert channel.envelope[peak] > 20  # filtered, yet there
    assert peak / points_a_second == pytest.approx(31.234, abs=0.02)


def test_a_practice_run_says_what_it_is(visit: Visit) -> None:
    for language in LANGUAGES:
        words = read_words(language)
        visit = replace(visit, language=language)
        assert words("app_practice") in page_of(visit, Host("run", practice=True)).intro
        assert words("app_no_run_how") in page_of(visit, Host(None, practice=False)).intro
        assert words("app_run", name="forearm") in page_of(visit, Host("forearm", practice=False)).intro


def test_only_warnings_of_this_answer_are_heard(visit: Visit, tmp_path: Path, run: Run) -> None:
    visit = answer(receive(visit, [foreign_matrix(tmp_path / "Test.npz")], CONFIG), run)
    assert visit.answered is not None and len(visit.answered.warnings) == 1
    logging.getLogger("semg_hht").warning("of somebody else")
    assert len(visit.answered.warnings) == 1


# Visitors


def test_visitors_have_folders_of_their_own_and_leave_nothing() -> None:
    visitors = Visitors()
    try:
        folders = [visitors.change(key, lambda visit: visit).folder for key in "aba"]
        assert folders[0] == folders[2] != folders[1]
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in (visitors.folder, *folders))
        (folders[0] / "a.csv").write_text("1", encoding="utf-8")
        visitors.leave("a")
        assert not folders[0].exists()
        visitors.leave("nobody")
        assert visitors.change("a", lambda visit: visit).folder != folders[0]
    finally:
        visitors.close()
    assert not visitors.folder.exists()


def test_idle_visitors_and_untaken_uploads_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    visitors = Visitors(at_most=2, spared_s=3.0, idle_s=10.0, clock=lambda: now[0])
    try:
        first = visitors.change("first", lambda visit: visit).folder
        now[0] = 5.0
        second = visitors.change("second", lambda visit: visit).folder
        upload = visitors.uploads / "hash" / "a.csv"
        upload.parent.mkdir()
        upload.write_text("1", encoding="utf-8")
        (visitors.uploads / "half").write_text("1", encoding="utf-8")
        now[0] = 11.0
        visitors.sweep()
        assert (first.exists(), second.exists(), upload.exists()) == (False, True, True)
        monkeypatch.setattr(who, "UPLOAD_S", -1.0)
        visitors.sweep()
        assert list(visitors.uploads.iterdir()) == []
        visitors.change("third", lambda visit: visit)
        now[0] = 12.0
        visitors.change("fourth", lambda visit: visit)
        assert not second.exists()
        with pytest.raises(InputError, match="2 visitors are busy here; expected fewer"):
            visitors.change("fifth", lambda visit: visit)
        now[0] = 12.0 + who.GONE_S + 0.5
        visitors.change("third", lambda visit: visit)
        visitors._idle_s = 100.0
        visitors.sweep(here={"third"})  # fourth has closed the page
        assert set(visitors._places) == {"third"}
    finally:
        visitors.close()


def test_the_same_upload_serves_two_visitors(visit: Visit, curl: Path, tmp_path: Path) -> None:
    other = Visit(tmp_path / "other")
    other.folder.mkdir()
    assert receive(visit, [curl], CONFIG).recorded is not None
    assert receive(other, [curl], CONFIG).recorded is not None
    assert receive(visit, [curl], CONFIG).files[0] != Dropped(curl)


def test_why_shows_the_evidence_of_one_repetition(visit: Visit, curl: Path, run: Run) -> None:
    answered = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    told = look_why(answered, run, 2)
    assert told.troubles == ()
    assert told.answered is not None and answered.answered is not None
    assert [one.number for one in told.answered.why] == [2, 2]
    part = answered.answered.predictions.predictions[0].parts[1]
    assert told.answered.why[0].answer == part.answers[told.answered.why[0].task]
    pictures = page_of(replace(told, gender=True), HOST).answers.count("data:image/png")
    shown = sum(one.sees_matrices for one in told.answered.why)
    assert shown and pictures == page_of(answered, HOST).answers.count("data:image/png") + shown
    none = look_why(answered, run, 9)
    assert none.answered is not None and none.answered.why == ()
    assert "3 repetitions" in said(none)
