"""Quantisation to int8: which matrices calibrate it and which score it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import make_dataset
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.train import Result

calibration_split = pytest.importorskip("semg_hht.exports.quantise").calibration_split  # where onnx is not installed


@pytest.fixture(scope="module")
def run(simulated_run: Path) -> Path:
    return simulated_run / "best"


def test_int8_is_scored_on_held_out_people(run: Path, simulated: Simulated, tmp_path: Path) -> None:
    data = load_folder(simulated.matrices)
    training, judged = calibration_split(data, run)
    assert not {data.subjects[i] for i in training} & {data.subjects[i] for i in judged}
    assert len(training) + len(judged) == len(data)
    with pytest.raises(InputError, match="found 6 and 0"):
        calibration_split(data.subset(training), run)
    (tmp_path / "split.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="expected the files that were trained on"):
        calibration_split(data, tmp_path)


def test_data_without_a_split_is_halved(tiny_result: Result, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make_dataset(n_channels=2)
    training, judged = calibration_split(data, tmp_path / "alone")
    assert "half of the data" in caplog.text
    assert not {data.repetitions[i] for i in training} & {data.repetitions[i] for i in judged}
    assert len(training) == len(judged)
