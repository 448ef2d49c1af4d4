"""The web page without a browser: what becomes of a visit, and what is shown of it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import foreign_matrix
from page_builders import CONFIG, RUN_INFO, downloads, notes_of
from semg_hht.cli.main import main
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.matrices.matrix import read_matrix
from semg_hht.prediction.run import Run
from semg_hht.recordings.manifest import read_manifest
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.web.uploads import ALL_CHANNELS
from semg_hht.web.view import answers_text, page_content
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


def test_a_recording_is_shown_edited_and_answered_as_predict_answers(
    visit: Visit, curl: Path, run: Run, tmp_path: Path
) -> None:
    visit = receive(visit, [curl], run.recording_config or CONFIG)
    assert visit.recorded is not None
    found = len(visit.recorded.rows)
    page = page_content(visit, RUN_INFO)
    assert page.signal.count('class="span"') == found > 1
    assert page.table is not None and len(page.table) == found
    assert page.answers == ""
    assert list(downloads(visit)) == ["reps.csv"]

    visit = remove(visit, 1)
    cells = [*(row[:] for row in page_content(visit, RUN_INFO).table or []), ["0.5", "1.25", ""]]
    visit = add(edit(visit, cells))
    assert visit.recorded is not None
    assert len(visit.recorded.rows) == found + 1
    assert (visit.recorded.rows[0].start_s, visit.recorded.rows[0].stop_s) == (0.5, 1.25)
    assert page_content(visit, RUN_INFO).signal.count('class="span"') == found + 1

    visit = replace(answer(visit, run), gender=True)
    files = downloads(visit)
    assert list(files) == ["curl_card.html", "reps.csv", "predictions.json"]
    (tmp_path / "reps.csv").write_text(files["reps.csv"], encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--checkpoint", str(run.folder), "--input", str(tmp_path / "reps.csv"), "--output",
              str(tmp_path / "own.json"), "--cpu"])  # fmt: skip
    assert ended.value.code == 0
    assert files["predictions.json"] == (tmp_path / "own.json").read_text(encoding="utf-8")

    page = page_content(visit, RUN_INFO)
    parts = json.loads(files["predictions.json"])["curl.csv"]["parts"]
    assert page.answers.count('<section class="card">') == len(parts) == found + 1
    assert page.answers.count("data:image/png") == len(parts)
    for part in parts:
        assert f"{part['action_quality']['confidence']:.0%}" in page.answers
    assert "not a statement about who a person is" in page.answers
    assert "curl.csv: repetition by repetition" in files["curl_card.html"]


def test_a_repetition_too_short_for_features_is_answered_without_a_card(visit: Visit, curl: Path, run: Run) -> None:
    visit = receive(visit, [curl], run.recording_config or CONFIG)
    visit = answer(edit(visit, [["1", "2.5", ""], ["4", "4.03", ""]]), run)
    assert page_content(visit, RUN_INFO).answers.count('<section class="card">') == 2
    assert list(downloads(visit)) == ["reps.csv", "predictions.json"]
    assert "curl.csv" in notes_of(visit)
    assert str(visit.folder) not in notes_of(visit)


def test_an_edit_takes_answers_back(visit: Visit, curl: Path, run: Run) -> None:
    visit = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    same = edit(visit, page_content(visit, RUN_INFO).table or [])
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


def test_a_wrong_cell_is_kept_said_and_can_be_deleted(visit: Visit, curl: Path, run: Run) -> None:
    visit = receive(visit, [curl], CONFIG)
    cells = page_content(visit, RUN_INFO).table or []
    wrong = edit(visit, [*cells, ["soon", "9", ""]])
    row = len(cells) + 1
    assert f"Row {row} of the table: “soon” is not a number" in notes_of(wrong)
    assert f"表格第 {row} 行" in notes_of(wrong, "zh")
    assert (page_content(wrong, RUN_INFO).table or [])[-1] == ["soon", "9", ""]
    assert answer(wrong, run) is wrong
    assert add(wrong) is wrong
    mended = remove(wrong, row)
    assert (notes_of(mended), mended.cells) == (notes_of(visit), None)
    assert table_of(mended) == table_of(visit)
    assert notes_of(show(wrong, 0)) == notes_of(visit)


def test_a_recording_without_a_rate_is_asked_for_it(visit: Visit, real_data: Path, run: Run) -> None:
    recording = (
        real_data / "contraction_intensity" / read_manifest(real_data / "contraction_intensity/manifest.csv")[0].file
    )
    visit = receive(visit, [recording], CONFIG)
    name = recording.name
    assert f"{name} does not state its sampling rate. Enter it under" in notes_of(visit)
    assert not page_content(visit, RUN_INFO).has_files
    visit = read_again(visit, 1000.0, "V", CONFIG)
    assert visit.recorded is not None
    assert (visit.recorded.shared.rate_hz, visit.recorded.units, len(visit.recorded.channels)) == (1000.0, "uV", 8)
    page = page_content(visit, RUN_INFO)
    assert page.channels[-1] == ("all channels together (RMS)", ALL_CHANNELS)
    assert page.channel == int(np.argmax([channel.extremes.std() for channel in visit.recorded.channels]))
    visit = answer(visit, run)
    for channel in (0, ALL_CHANNELS):
        other = look_closer(replace(visit, channel=channel), run)
        assert other.answered is not None and visit.answered is not None
        assert other.answered.predictions == visit.answered.predictions
        assert len(other.answered.pictures) == len(page.table or [1])
        assert page_content(other, RUN_INFO).signal != page.signal


def test_matrices_and_recordings_are_answered_together(visit: Visit, curl: Path, run: Run, tmp_path: Path) -> None:
    matrix = foreign_matrix(tmp_path / "Test1_1_001.npz")
    visit = answer(receive(visit, [curl, matrix], run.recording_config or CONFIG), run)
    page = page_content(visit, RUN_INFO)
    assert page.files == [("Test1_1_001.npz", 0), ("curl.csv", 1)]
    assert "the answers are unreliable" in page.answers  # what the program warned of
    assert page.answers.count("<tr>") == 3  # a head and two files
    visit = look_closer(show(visit, 0), run)
    assert page_content(visit, RUN_INFO).answers.count("data:image/png") == 1
    assert list(downloads(visit)) == ["reps.csv", "predictions.json"]
    assert set(json.loads(answers_text(visit))) == {"Test1_1_001.npz", "curl.csv"}


def test_without_repetitions_the_whole_recording_is_one(visit: Visit, run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_recording(Recording(rng.normal(0, 5, (1, 2000)), 500.0, ("ch1",), "uV"), tmp_path / "rest.csv")
    visit = receive(visit, [tmp_path / "rest.csv"], run.recording_config or CONFIG)
    while visit.recorded is not None and visit.recorded.rows:
        visit = remove(visit, 1)
    assert "No repetition was found" in page_content(visit, RUN_INFO).signal
    visit = answer(visit, run)
    assert page_content(visit, RUN_INFO).answers.count('<section class="card">') == 1
    assert page_content(visit, RUN_INFO).answers.count("data:image/png") == 1


def test_what_cant_be_answered_is_said(visit: Visit, run: Run, tmp_path: Path, curl: Path) -> None:
    assert "There is nothing to answer yet" in notes_of(answer(visit, run))
    assert receive(visit, [], CONFIG) is visit
    many = [tmp_path / f"{i}.csv" for i in range(MAX_FILES + 1)]
    assert f"You dropped {MAX_FILES + 1} files" in notes_of(receive(visit, many, CONFIG))
    assert "did not arrive completely" in notes_of(receive(visit, [tmp_path / "gone.csv"], CONFIG))
    foreign = replace(run, recording_config=None)
    answered = answer(receive(visit, [curl], CONFIG), foreign)
    page = page_content(answered, RUN_INFO)
    assert "trained on matrices of another tool" in page.answers
    assert str(visit.folder) not in page.answers
    needs = replace(run, recording_config=replace(run.recording_config or CONFIG, scaling="mvc"))
    assert "go together; got scaling" in notes_of(answer(receive(visit, [curl], CONFIG), needs))


def test_steps_of_an_empty_visit_change_nothing(visit: Visit, run: Run) -> None:
    assert [edit(visit, [["1", "2"]]), add(visit), remove(visit, 1), look_closer(visit, run)] == [visit] * 4
    assert page_content(visit, RUN_INFO).table is None


def test_only_warnings_of_this_answer_are_heard(visit: Visit, tmp_path: Path, run: Run) -> None:
    visit = answer(receive(visit, [foreign_matrix(tmp_path / "Test.npz")], CONFIG), run)
    assert visit.answered is not None and len(visit.answered.warnings) == 1
    logging.getLogger("semg_hht").warning("of somebody else")
    assert len(visit.answered.warnings) == 1


def test_why_shows_the_evidence_of_one_repetition(visit: Visit, curl: Path, run: Run) -> None:
    answered = answer(receive(visit, [curl], run.recording_config or CONFIG), run)
    told = look_why(answered, run, 2)
    assert told.problems == ()
    assert told.answered is not None and answered.answered is not None
    assert [one.repetition.number for one in told.answered.why] == [2, 2]
    part = answered.answered.predictions.predictions[0].parts[1]
    assert told.answered.why[0].answer == part.answers[told.answered.why[0].task]
    pictures = page_content(replace(told, gender=True), RUN_INFO).answers.count("data:image/png")
    shown = sum(one.sees_matrices for one in told.answered.why)
    assert shown and pictures == page_content(answered, RUN_INFO).answers.count("data:image/png") + shown
    none = look_why(answered, run, 9)
    assert none.answered is not None and none.answered.why == ()
    assert "3 repetitions" in notes_of(none)


def test_more_samples_than_the_page_answers_are_refused(
    visit: Visit, curl: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semg_hht.web.visit.MAX_ANSWERED", 10)
    assert "this page answers at most 10 at once" in notes_of(answer(receive(visit, [curl], CONFIG), run))
