"""verbs/predicting.py: answers for paths and objects."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import semg_hht as sh
from semg_hht.verbs.predicting import PredictOptions, opened, predict, with_config

FILE = sh.samples.recordings()["P30_supinated"]
RECORDING = sh.read_recording(FILE)


@pytest.fixture(scope="module")
def run() -> sh.Run:
    return sh.open_run(sh.samples.RUN)


def said(predictions: sh.Predictions) -> list[tuple[float | None, float]]:
    return [(part.start_s, part.answers["action_quality"].confidence) for part in predictions[0].parts]


def test_a_recording_in_memory_is_answered_as_its_file(run: sh.Run) -> None:
    on_disk = predict(FILE, run)
    assert said(predict(RECORDING, run)) == said(on_disk)
    assert said(predict(RECORDING.samples, run, rate_hz=2000.0, units="uV")) == said(on_disk)
    assert said(predict(sh.segment(RECORDING), run)) == said(on_disk)


def test_a_table_and_a_raw_are_answered(run: sh.Run) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(RECORDING.samples.T, columns=RECORDING.channel_names).assign(time_s=RECORDING.time_s)
    assert len(predict(table, run)[0].parts) == 11
    pytest.importorskip("mne")
    assert len(predict(RECORDING.to_mne(), run)[0].parts) == 11


def test_several_have_names_of_their_own_and_failures_are_listed(run: sh.Run) -> None:
    parts = [RECORDING.crop(0, 12), RECORDING.crop(12, 24), RECORDING.samples.T]
    predictions = predict(parts, run)
    assert [one.file for one in predictions] == [
        "P30_supinated 0 to 12000 ms.mat",
        "P30_supinated 12000 to 24000 ms.mat",
    ]
    assert "more channels than samples" in predictions.errors["input 3"]
    with pytest.raises(sh.InputError, match="more channels than samples"):
        predict(RECORDING.samples.T, run)


def test_without_a_checkpoint_a_warning_says_what_answers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "semg_hht"):
        assert opened(None).folder == sh.samples.RUN
    assert "no checkpoint is named. This is the run that comes with semg-hht" in caplog.text


def test_another_preparation_is_warned_of(run: sh.Run, caplog: pytest.LogCaptureFixture) -> None:
    assert run.recording_config is not None
    with caplog.at_level(logging.WARNING, "semg_hht"):
        assert with_config(run, run.recording_config) == run
        assert not caplog.messages
        predict(RECORDING.crop(0, 12), run, options=PredictOptions(transform=lambda _: sh.configure(mains_hz=None)))
    assert "recordings are not prepared as the training data of the run was" in caplog.text


def test_the_run_may_be_the_result_of_training(tiny_result: sh.Result) -> None:
    assert opened(tiny_result, cpu=True).folder.parent == tiny_result.folder


def test_a_batch_without_matrices_is_an_error(run: sh.Run) -> None:
    with pytest.raises(sh.InputError, match="batch_size must be at least 1; got 0"):
        predict(Path("x"), run, options=PredictOptions(batch_size=0))
