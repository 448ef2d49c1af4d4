"""explain.py and the commands that show its explanations: all parts add up to the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import foreign_matrix
from conftest import Simulated
from explanation_builders import AXIS
from semg_hht.errors import InputError
from semg_hht.explanation.explain import Question, covariance_of_channels, evidence_of_imfs, explain
from semg_hht.explanation.explanation import Explanation
from semg_hht.prediction.inputs import Choice
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.manifest import read_manifest
from semg_hht.reports.explanation_text import evidence_said
from semg_hht.reports.words import read_words


@pytest.fixture(scope="module")
def trained(simulated_run: Path) -> Run:
    return open_run(simulated_run, cpu=True)


@pytest.fixture(scope="module")
def found(trained: Run, simulated: Simulated) -> list[Explanation]:
    """Both answers of one repetition of a recording."""
    return [one for one in islice(explain(trained, recording(simulated)), 2) if isinstance(one, Explanation)]


def recording(simulated: Simulated) -> Path:
    return simulated.manifest.parent / read_manifest(simulated.manifest)[0].file


def test_imfs_share_the_evidence_of_a_cell_by_its_power() -> None:
    rng = np.random.default_rng(0)
    evidence, powers = rng.normal(size=(2, 256, 256)), [rng.random((n, 256, 256)) for n in (3, 2)]
    powers[0][:, :10], evidence[0, :10] = 0, 0  # cells without power
    found = evidence_of_imfs(evidence, powers, 400 * AXIS)
    assert_allclose(sum(imf.evidence for imf in found), evidence.sum())
    assert_allclose(found[2].evidence, np.nansum(evidence[0, 10:] * powers[0][2, 10:] / powers[0].sum(axis=0)[10:]))
    assert [imf.number for imf in found] == [1, 2, 3]


def test_evidence_of_the_covariance_is_shared_among_the_channels() -> None:
    n_channels = 2
    of_pair = np.zeros((8, 8))  # 4 lags of 2 channels
    of_pair[0, 2] = 4.0  # the first channel with itself, later
    of_pair[0, 1] = 2.0  # the first with the second
    of_pair[1, 7] = -1.0  # the second with itself
    numbers = of_pair[np.triu_indices(8)]
    assert covariance_of_channels(numbers, n_channels) == (5.0, 0.0)
    assert covariance_of_channels(numbers, 1) is None


def test_of_a_recording_all_parts_add_up(found: list[Explanation], trained: Run, simulated: Simulated) -> None:
    answers = trained.predict(recording(simulated)).predictions[0].parts[0].answers
    for one in found:
        change = one.attribution.score - one.attribution.empty
        assert_allclose(one.answer.confidence, answers[one.task].confidence, atol=1e-5)
        assert_allclose(1 / (1 + np.exp(-one.attribution.score)), one.answer.confidence, atol=1e-4)
        assert_allclose(one.evidence.sum(), change, atol=0.02 * max(1.0, abs(change)))
        assert one.imfs
        assert_allclose(sum(imf.evidence for imf in one.imfs), one.evidence.sum(), atol=1e-6)
        assert_allclose(sum(one.of_channels.values()), one.evidence.sum())
        assert one.grid.frequency_hz is not None
        assert_allclose(one.grid.frequency_hz[[0, -1]], [20.35, 199.65], atol=0.01)
    assert [one.task for one in found] == ["action_quality", "gender"]


def test_a_matrix_of_another_tool_has_bins_and_no_imfs(trained: Run, tmp_path: Path) -> None:
    question = Question("action_quality", "grad_cam")
    (one,) = explain(trained, foreign_matrix(tmp_path / "Test1.npz"), question=question)
    assert isinstance(one, Explanation)
    assert (one.imfs, one.no_imfs, one.method) == (None, "matrix", "grad_cam")
    content = json.loads(json.dumps(one.to_json()))
    assert "band_bins" in content and "span_bins" in content and "imfs" not in content
    words = read_words("en")
    assert any("not from a matrix" in sentence for sentence in evidence_said(one, words))


def test_a_file_that_can_not_be_used_does_not_stop_the_others(trained: Run, tmp_path: Path) -> None:
    foreign_matrix(tmp_path / "Test2.npz")
    (tmp_path / "Test1.npz").write_bytes(b"no npz")
    first, second = explain(trained, tmp_path, question=Question("gender"))
    assert isinstance(first, Failure) and "Test1.npz" in first.reason
    assert isinstance(second, Explanation)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"question": Question("mood")},
            "task must be one of action_quality, gender, which the run answers; got 'mood'",
        ),
        ({"choice": Choice(repetition=2)}, "has 1 repetitions; got repetition=2"),
        ({"question": Question(method="magic")}, "method must be one of"),
    ],
)
def test_what_can_not_be_explained_is_said(trained: Run, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        next(explain(trained, foreign_matrix(tmp_path / "Test1.npz"), **options))


def test_an_export_has_no_gradients(trained: Run) -> None:
    class Exported:
        description, committees = trained.description, dict[str, Any]()

    with pytest.raises(InputError, match="an export has no gradients .*; name the run it was made of"):
        next(explain(replace(trained, engine=Exported()), "a.npz"))  # type: ignore[arg-type]
