"""attribution.py: evidence is that of the answer itself, adds up, and lies where it was planted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from builders import make_dataset
from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration
from semg_hht.explanation.attribution import _TorchCommittee, attribute
from semg_hht.explanation.explanation import GRAD_CAM, INTEGRATED, METHODS, in_patches
from semg_hht.inference.description import ModelDescription, NetworkConfig
from semg_hht.inference.discriminant import Committee, Discriminant
from semg_hht.inference.svm_inputs import AMPLITUDE, COVARIANCE, NETWORK, SvmInputs, svm_table
from semg_hht.learning.checkpoint import Model, load_model
from semg_hht.learning.network import ActionNetwork
from semg_hht.learning.svm_training import fit_svm
from semg_hht.learning.train import Result

CLASSES = {"action_quality": ("full", "half", "invalid"), "gender": ("F", "M")}
N_CHANNELS = 3


def log_odds(probability: float) -> float:
    return float(np.log(probability) - np.log1p(-probability))


def svm_inputs(n: int = N_CHANNELS) -> SvmInputs:
    """The channels of one repetition."""
    features = [{"mav": (1.0 + i,)} for i in range(n)]
    references = [(0.5 + i,) for i in range(n)]
    return SvmInputs(("one",) * n, features, references, np.tile([0.3, -1.0, 2.0], (n, 1)))


def matrices(n: int = N_CHANNELS, n_planes: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, n_planes, 256, 256), dtype=np.float32)


@cache
def model(task: str, blocks: tuple[str, ...] = (), n_planes: int = 1, temperature: float = 1.7) -> Model:
    """An untrained encoder, with an SVM on what is joined of drawn examples where ``task`` is answered by one."""
    torch.manual_seed(3)
    network = ActionNetwork(NetworkConfig(3, n_layers=5, base_channels=2, n_planes=n_planes)).eval()
    with torch.no_grad():
        network.head.layers[-1].weight.mul_(300)  # an untrained head answers every class alike
    widths = {NETWORK: network.config.n_features, AMPLITUDE: 1, COVARIANCE: 3}
    chosen = {task: {block: widths[block] for block in blocks}} if blocks else {}
    calibration = {task: Calibration(temperature)}
    description = ModelDescription(
        network.config, "action_quality", CLASSES, None, epoch=1, calibration=calibration, blocks=chosen
    )
    bare = Model(description, network)
    if task == "action_quality" and not blocks:
        return bare
    rng = np.random.default_rng(1)
    labels = [CLASSES[task][i % len(CLASSES[task])] for i in range(24)]
    features = bare.features_and_logits(matrices(24, n_planes, seed=5))[0]
    repetitions = tuple(map(str, range(24)))
    amplitudes = [{"mav": (float(m),)} for m in rng.uniform(0.5, 3, 24)]
    inputs = SvmInputs(repetitions, amplitudes, [()] * 24, rng.normal(size=(24, 3)))
    table = svm_table(chosen[task], features, inputs)[1] if blocks else features
    svm = fit_svm(table, labels, list(repetitions), what=task, by="repetition", seed=0)
    return replace(bare, svms={task: svm})


ANSWERED: list[Any] = [
    pytest.param("action_quality", (), id="head"),
    pytest.param("gender", (), id="svm"),
    pytest.param("gender", (NETWORK, AMPLITUDE), id="blocks"),
    pytest.param("gender", (AMPLITUDE, NETWORK), id="blocks the other way round"),
]


@pytest.mark.parametrize(("task", "blocks"), ANSWERED)
def test_what_is_explained_is_the_log_odds_of_the_answer(task: str, blocks: tuple[str, ...]) -> None:
    run = model(task, blocks)
    answer = run.probabilities(matrices(), svm_inputs())[task].mean(axis=0)
    for i, name in enumerate(CLASSES[task]):
        found = attribute(run, matrices(), svm_inputs(), task, name, method=GRAD_CAM)
        assert found.is_odds
        assert_allclose(found.score, log_odds(answer[i]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("task", "blocks"), [*ANSWERED, pytest.param("action_quality", (NETWORK, AMPLITUDE))])
def test_integrated_gradients_add_up_to_what_an_empty_matrix_would_not_have(task: str, blocks: tuple[str, ...]) -> None:
    for name in CLASSES[task][:2]:
        found = attribute(model(task, blocks), matrices(), svm_inputs(), task, name)
        change = found.score - found.empty
        assert found.evidence.shape == (N_CHANNELS, 1, 256, 256)
        assert abs(change) > 0.01  # something to explain
        assert_allclose(found.evidence.sum(), change, atol=0.02 * max(1.0, abs(change)))


def test_of_three_classes_the_mean_decision_of_the_svm_is_explained() -> None:
    run = model("action_quality", (NETWORK, AMPLITUDE))
    pipeline = run.svms["action_quality"]
    svc = pipeline.steps[1][1].calibrated_classifiers_[0].estimator
    svc.decision_function_shape = "ovo"
    row = svm_table(run.description.blocks["action_quality"], run.features_and_logits(matrices())[0], svm_inputs())[1]
    full_half, full_invalid, half_invalid = svc.decision_function(pipeline.steps[0][1].transform(row))[0]
    expected = {
        "full": (full_half + full_invalid) / 2,
        "half": (half_invalid - full_half) / 2,
        "invalid": -(full_invalid + half_invalid) / 2,
    }
    for name, mean in expected.items():
        found = attribute(run, matrices(), svm_inputs(), "action_quality", name, method=GRAD_CAM)
        assert not found.is_odds
        assert_allclose(found.score, mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", ["action_quality", "gender"])
def test_blocks_add_up_to_the_answer(task: str) -> None:
    run = model(task, (NETWORK, AMPLITUDE, COVARIANCE))
    answer = run.probabilities(matrices(), svm_inputs())[task][0]
    for i, name in enumerate(CLASSES[task]):
        found = attribute(run, matrices(), svm_inputs(), task, name, method=GRAD_CAM)
        assert set(found.blocks) == {NETWORK, AMPLITUDE, COVARIANCE}
        assert_allclose(found.average + sum(found.blocks.values()), answer[i], atol=1e-9)


def test_a_block_that_is_the_mean_already_adds_nothing() -> None:
    run = model("gender", (NETWORK, AMPLITUDE))
    mean = run.svms["gender"].steps[0][1].mean_[-1]
    quiet = SvmInputs(("one",), [{"mav": (10.0**mean,)}], [()], None)
    found = attribute(run, matrices(1), quiet, "gender", "F", method=GRAD_CAM)
    assert_allclose(found.blocks[AMPLITUDE], 0, atol=1e-9)
    assert abs(found.blocks[NETWORK]) > 1e-4


def test_an_answer_that_does_not_look_at_matrices_has_no_evidence_in_them() -> None:
    run = model("gender", (COVARIANCE,))
    found = attribute(run, matrices(), svm_inputs(), "gender", "M")
    assert not found.evidence.any()
    assert_allclose(found.score, found.empty)
    usual = replace(svm_inputs(), covariance=np.tile(run.svms["gender"].steps[0][1].mean_, (N_CHANNELS, 1)))
    change = found.score - attribute(run, matrices(), usual, "gender", "M").score
    assert found.covariance is not None
    assert_allclose(found.covariance.sum(), change, rtol=1e-3)


def test_stacked_channels_have_evidence_each() -> None:
    found = attribute(model("action_quality", n_planes=4), matrices(1, 4), svm_inputs(1), "action_quality", "half")
    assert found.evidence.shape == (1, 4, 256, 256)
    assert (np.abs(found.evidence).sum(axis=(0, 2, 3)) > 0).all()


def test_the_same_input_has_the_same_evidence() -> None:
    run = model("gender")
    for method in METHODS:
        once, twice = (attribute(run, matrices(1), svm_inputs(1), "gender", "F", method=method) for _ in range(2))
        assert np.array_equal(once.evidence, twice.evidence)


class Pooled(torch.nn.Module):
    """An encoder of one number: the mean of a patch of a map of 16 x 16, or of the whole map."""

    def __init__(self, rows: slice = slice(None), columns: slice = slice(None)) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.AvgPool2d(16))
        self.patch = rows, columns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[:, :, *self.patch].mean(dim=(2, 3))


def looking(encoder: Pooled) -> Model:
    """What the encoder finds speaks for the first class, and against the second."""
    head = torch.nn.Linear(1, 3, bias=False)
    torch.nn.init.constant_(head.weight, 0)
    with torch.no_grad():
        head.weight[0], head.weight[1] = 8.0, -8.0
    run = model("action_quality")
    network = ActionNetwork(run.network.config).eval()
    network.encoder, network.head = encoder, head  # type: ignore[assignment]
    return replace(run, network=network)


@pytest.mark.parametrize(("name", "sign"), [("full", 1), ("half", -1)])
def test_evidence_lies_where_the_network_looks(name: str, sign: int) -> None:
    run = looking(Pooled(slice(4, 6), slice(8, 12)))  # rows 64 to 95, columns 128 to 191
    found = attribute(run, matrices(1), svm_inputs(1), "action_quality", name).evidence[0, 0]
    inside = found[64:96, 128:192].copy()
    assert (sign * inside >= 0).all()
    found[64:96, 128:192] = 0
    assert_allclose(found, 0, atol=1e-9)


@pytest.mark.parametrize(("name", "sign"), [("full", 1), ("half", -1)])
def test_grad_cam_lies_where_the_map_is_active(name: str, sign: int) -> None:
    matrix = np.zeros((1, 1, 256, 256), dtype=np.float32)
    matrix[0, 0, 64:96, 128:192] = 1
    found = attribute(looking(Pooled()), matrix, svm_inputs(1), "action_quality", name, method=GRAD_CAM).evidence[0, 0]
    inside = found[56:104, 120:200]  # the map's own cells are 16 wide, and smoothed
    assert np.sign(inside.sum()) == sign
    assert_allclose(inside.sum(), found.sum())


def test_taking_the_evidence_away_costs_more_than_taking_other_patches_away(tiny_result: Result) -> None:
    run = load_model(tiny_result.folder / "best")
    rng = np.random.default_rng(0)
    drops: dict[str, list[float]] = {"evidence": [], "others": []}
    for matrix in make_dataset(n_subjects=1, genders=(), seed=8).matrices:
        answer = run.probabilities(matrix[None])["action_quality"][0]
        best = int(answer.argmax())
        found = attribute(
            run, matrix[None], SvmInputs(("one",), [{}], [()], None), "action_quality", CLASSES["action_quality"][best]
        )
        order = np.argsort(-in_patches(found.evidence[0, 0]).ravel())
        for patches, ranked in (("evidence", order), ("others", rng.permutation(order))):
            kept = np.ones(order.size, dtype=np.float32)
            kept[ranked[: order.size // 10]] = 0
            less = matrix * np.kron(kept.reshape(32, 32), np.ones((8, 8), np.float32))
            drops[patches].append(answer[best] - run.probabilities(less[None])["action_quality"][0][best])
    assert np.mean(drops["evidence"]) > np.mean(drops["others"]) + 0.05


@pytest.mark.parametrize(
    ("task", "name", "method", "message"),
    [
        ("action_quality", "full", "magic", r"method must be one of .*got 'magic'"),
        ("gender", "F", INTEGRATED, "does not answer 'gender'"),
        ("action_quality", "F", INTEGRATED, "has no class 'F'; expected one of full, half, invalid"),
    ],
)
def test_what_can_not_be_explained_is_said(task: str, name: str, method: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        attribute(model("action_quality"), matrices(1), svm_inputs(1), task, name, method=method)


def test_a_committee_in_torch_answers_as_the_one_in_numpy() -> None:
    rng = np.random.default_rng(0)

    def member() -> Discriminant:
        return Discriminant(
            mean=rng.normal(size=4), scale=rng.uniform(0.5, 2, 4), weights=rng.normal(size=(4, 2)),
            offset=rng.normal(size=2), centres=rng.normal(size=(3, 2)), between=np.eye(2), concentration=np.array(1.0),
            within=np.eye(2),
        )  # fmt: skip

    committee, rows = Committee((member(), member()), (0.7, 0.3)), rng.normal(size=(6, 4))
    for index in range(3):
        logs = np.log(committee.alone(rows)) / 1.7
        expected = logs[:, index] - np.logaddexp.reduce(np.delete(logs, index, axis=1), axis=1)
        assert_allclose(_TorchCommittee(committee, index).score(torch.from_numpy(rows), 1.7), expected, rtol=1e-6)
