"""A run and an export of an earlier version (references/make_run.py): they load, and answer as they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.inference.engines import installed
from semg_hht.matrices.matrix import read_matrix
from semg_hht.prediction.run import open_run
from semg_hht.system.files import read_json

KEPT = Path(__file__).parents[1] / "references" / "run"


@pytest.mark.parametrize("engine", ["torch", *installed()])
def test_a_run_of_an_earlier_version_answers_as_it_did(engine: str) -> None:
    run = open_run(KEPT / ("best" if engine == "torch" else "export"), cpu=True, engine=engine)
    found, expected = run.predict(KEPT / "matrix.npz").to_json(), read_json(KEPT / "answers.json")
    assert found.keys() == expected.keys()
    for task, answer in expected["matrix.npz"].items():
        ours = found["matrix.npz"][task]
        assert ours["prediction"] == answer["prediction"]
        assert ours["probabilities"].keys() == answer["probabilities"].keys()
        for name, probability in answer["probabilities"].items():
            assert_allclose(ours["probabilities"][name], probability, rtol=0, atol=2e-5)


def test_its_run_and_its_export_have_one_description() -> None:
    run, export = (open_run(KEPT / name, cpu=True).description for name in ("best", "export"))
    assert run == export
    assert (run.encoder_task, run.network.base_channels, run.blocks) == ("action_quality", 1, {})
    assert set(run.calibration) == {"action_quality"}


def test_its_matrix_is_read_as_it_was_written() -> None:
    matrix = read_matrix(KEPT / "matrix.npz")
    places = np.arange(256)
    assert_array_equal(matrix.values[0], (places[:, None] * places % 17 / np.float32(17)).astype(np.float32))
    assert matrix.settings == open_run(KEPT / "best", cpu=True).description.preparation
    assert (matrix.features, matrix.reference, matrix.covariance) == ({}, (), None)


def test_its_svm_is_read_as_scikit_learn_wrote_it() -> None:
    from semg_hht.learning.checkpoint import load_model

    assert tuple(load_model(KEPT / "best").svms["gender"].classes_) == ("F", "M")
