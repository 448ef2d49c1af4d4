"""measure_evidence.py: the evidence of measures adds up, names what decides, and needs no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.explanation.explain import Question, explain, model_of
from semg_hht.explanation.explanation import Explanation
from semg_hht.explanation.measure_evidence import attribute_measures
from semg_hht.inference.discriminant import Committee, Discriminant
from semg_hht.inference.svm_inputs import COVARIANCE, FEATURES, PROFILE, SvmInputs
from semg_hht.prediction.inputs import Choice, InputLoader
from semg_hht.prediction.run import open_run
from semg_hht.reports.explanation_text import evidence_said
from semg_hht.reports.words import read_words
from semg_hht.samples import RUN, recordings

WIDTHS = {FEATURES: 4, PROFILE: 40, COVARIANCE: 36}
CHANNELS = ("biceps", "triceps")


def inputs(seed: int = 0) -> SvmInputs:
    """One repetition of two channels."""
    rng = np.random.default_rng(seed)
    features = [{"rms": (float(rng.uniform(0.1, 1)),), "mdf_hz": (float(rng.uniform(60, 90)),)} for _ in CHANNELS]
    return SvmInputs(
        ("a", "a"), features, [(1.0,)] * 2, np.tile(rng.normal(size=36), (2, 1)), np.tile(rng.normal(size=40), (2, 1))
    )


def member(weights: np.ndarray, seed: int, n_classes: int = 3) -> Discriminant:
    rng, n, d = np.random.default_rng(seed), sum(WIDTHS.values()), n_classes - 1
    return Discriminant(
        mean=rng.normal(size=n), scale=rng.uniform(0.5, 2, n), weights=weights, offset=rng.normal(size=d),
        centres=rng.normal(size=(n_classes, d)), within=np.eye(d), between=0.5 * np.eye(d), concentration=np.array(1.0),
    )  # fmt: skip


def committee(seed: int = 0) -> Committee:
    rng = np.random.default_rng(seed)
    return Committee(tuple(member(0.05 * rng.normal(size=(80, 2)), seed + k) for k in range(3)), (0.2, 0.7, 0.1))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_evidence_sums_to_the_change_of_the_log_odds(index: int) -> None:
    found = attribute_measures(committee(), WIDTHS, inputs(), CHANNELS, (index, 1.7))
    table = np.stack([committee().mean, committee().mean])
    logs = np.log(committee().alone(table)[0]) / 1.7
    at_mean = logs[index] - np.logaddexp.reduce(np.delete(logs, index))
    assert_allclose(sum(measure.evidence for measure in found.measures), found.score - at_mean, atol=1e-3)
    assert_allclose(found.average + sum(found.blocks.values()), 1 / (1 + np.exp(-found.score)), atol=1e-9)


@pytest.mark.parametrize(
    ("column", "channel", "kind"),
    [
        (0, "biceps", "amplitude"), (1, "biceps", "frequencies"), (2, "triceps", "amplitude"),
        (3, "triceps", "frequencies"),
    ],
)  # fmt: skip
def test_the_measure_that_decides_is_named(column: int, channel: str, kind: str) -> None:
    weights = np.zeros((80, 2))
    weights[column] = 1.0
    found = attribute_measures(Committee((member(weights, 1),), (1.0,)), WIDTHS, inputs(), CHANNELS, (0, 1.0))
    strongest = found.measures[0]
    assert (strongest.channel, strongest.kind) == (channel, kind)
    assert_allclose([measure.evidence for measure in found.measures[1:]], 0, atol=1e-12)


def test_a_level_of_all_bands_is_amplitude_and_their_differences_are_frequencies() -> None:
    weights = np.zeros((80, 2))
    weights[4:12] = 1.0  # the bands of the first channel, all alike: only their mean counts
    found = attribute_measures(Committee((member(weights, 1),), (1.0,)), WIDTHS, inputs(), CHANNELS, (0, 1.0))
    kinds = {measure.kind: measure.evidence for measure in found.measures if measure.channel == "biceps"}
    flat = replace(member(weights, 1), scale=np.ones(80))
    flat_found = attribute_measures(Committee((flat,), (1.0,)), WIDTHS, inputs(), CHANNELS, (0, 1.0))
    flat_kinds = {m.kind: m.evidence for m in flat_found.measures if m.channel == "biceps"}
    assert abs(kinds["amplitude"]) > 0
    assert_allclose(flat_kinds["frequencies"], 0, atol=1e-9)
    assert abs(flat_kinds["amplitude"]) > 1e-3


def test_the_run_that_comes_with_the_package_is_explained_without_torch() -> None:
    run = open_run(RUN)
    assert model_of(run) is None
    path = next(iter(recordings().values()))
    first = next(explain(run, path))
    assert isinstance(first, Explanation)
    assert first.attribution.measures and not first.sees_matrices
    assert first.to_json()["measures"][0]["measure"] == first.attribution.measures[0].kind
    for language in ("en", "zh"):
        said = evidence_said(first, read_words(language))
        assert any("Biceps" in sentence or "Brachioradialis" in sentence for sentence in said)
    with pytest.raises(InputError, match=r"'grad_cam' needs matrices; action_quality is answered from measures alone"):
        next(explain(run, path, question=Question(method="grad_cam")))


def test_an_answer_of_measures_is_explained_without_a_pass_through_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(RUN)

    def through_the_network(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(type(run.engine), "features_and_logits", through_the_network)
    assert isinstance(next(explain(run, next(iter(recordings().values())))), Explanation)


def test_of_a_repetition_whose_answer_is_given_no_other_is_transformed(monkeypatch: pytest.MonkeyPatch) -> None:
    run, path = open_run(RUN), next(iter(recordings().values()))
    given = run.predict(path)[0]
    second = given.parts[1].answers["action_quality"]
    other = replace(second, confidence=0.25, prediction=next(n for n in second.probabilities if n != second.prediction))
    one = replace(given, parts=(replace(given.parts[1], answers={"action_quality": other}),))
    transformed, asked = InputLoader.transformed, []

    def watched(self: InputLoader, source: Any, choice: Choice, **others: Any) -> Any:
        asked.append(choice.repetition)
        return transformed(self, source, choice, **others)

    monkeypatch.setattr(InputLoader, "transformed", watched)
    (found,) = explain(run, path, choice=Choice(path.name, 2), given=one)
    assert isinstance(found, Explanation)
    assert asked == [2] and found.answer == other and found.repetition.number == 2
    list(explain(run, path, choice=Choice(path.name, 2)))
    assert asked == [2, None]  # the other repetitions of the person count where the answer is not known
