"""description.py: one description of a model for runs and exports, checked as it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, softmax, with_temperature
from semg_hht.inference.description import ModelDescription, NetworkConfig
from semg_hht.inference.novelty import TrainingData
from semg_hht.inference.svm_inputs import AMPLITUDE, NETWORK, SvmInputs, svm_table
from semg_hht.system.files import read_json

KEPT = Path(__file__).parents[1] / "references" / "run"
DESCRIPTION = ModelDescription(
    network=NetworkConfig(3, n_layers=2, base_channels=4, n_planes=2),
    encoder_task="action_quality",
    classes={"action_quality": ("full", "half", "invalid"), "gender": ("F", "M")},
    preparation={"scaling": "log"},
    peak=7.5,
    epoch=3,
    longest_s=4.5,
    is_segmented=True,
    calibration={"action_quality": Calibration(temperature=2.0, threshold=0.25)},
    blocks={"gender": {NETWORK: 8, AMPLITUDE: 1}},
    training=TrainingData(n_people=4, rates_hz=(1000.0,), ranges={"amplitude": (1.0, 2.5)}),
    note="trained on simulated people",
)


def test_a_description_survives_json() -> None:
    content = json.loads(json.dumps(DESCRIPTION.to_json()))
    assert ModelDescription.from_json(content, "model.json") == DESCRIPTION


@pytest.mark.parametrize("name", ["best/model.json", "export/export.json"])
def test_the_description_of_an_earlier_version_survives_json(name: str) -> None:
    content = read_json(KEPT / name)
    description = ModelDescription.from_json(content, name)
    assert description.classes == {"action_quality": ("full", "half", "invalid"), "gender": ("F", "M")}
    written = description.to_json()
    assert written == {key: content[key] for key in written if key in content} | {
        "blocks": {},
        "longest_s": 0.0,
        "is_segmented": False,
        "chosen": {},
    }


def test_a_description_without_blocks_is_read() -> None:
    content = DESCRIPTION.to_json()
    del content["blocks"]
    assert ModelDescription.from_json(content, "model.json") == replace(DESCRIPTION, blocks={})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *[
            (lambda c, key=key: c.pop(key), rf"expected the description of a model; KeyError\('{key}'\)")
            for key in ("network", "encoder_task", "classes", "preparation", "peak", "epoch", "calibration")
        ],
        (lambda c: c.update(network=3), "expected the description of a model; TypeError"),
        (lambda c: c.update(classes=[]), "expected the description of a model; AttributeError"),
        (lambda c: c.update(peak="high"), "expected the description of a model; ValueError"),
        (lambda c: c.update(blocks={"gender": {"network": "wide"}}), "expected the description of a model; ValueError"),
        (lambda c: c.update(blocks={"gender": {"network": 1e999}}), "expected .* of a model; OverflowError"),
        (lambda c: c.update(calibration={"gender": {"warmth": 1}}), "expected the description of a model; TypeError"),
        (lambda c: c.update(training=[]), "expected the description of a model; KeyError"),
        (lambda c: c.update(training={"alone": None}), "expected the description of a model; KeyError"),
        (lambda c: c["training"].update(ranges={"amplitude": [1]}), "expected the description of a model; ValueError"),
        (lambda c: c.update(encoder_task="age"), r"expected the description of a model; KeyError\('age'\)"),
        (lambda c: c["network"].update(n_planes=0), "n_planes must be 1 to 1024; got 0"),
        (lambda c: c["classes"]["action_quality"].pop(), "2 class names, but a network of 3 classes"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    content = DESCRIPTION.to_json()
    change(content)
    with pytest.raises(InputError, match=f"^model.json: {message}"):
        ModelDescription.from_json(content, "model.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 1}, "a classifier needs at least 2 classes; got 1"),
        ({"n_classes": 2.0}, r"n_classes must be a whole number; got 2\.0"),
        ({"n_layers": True}, "n_layers must be a whole number; got True"),
        ({"n_layers": 9}, "num_encoder_layers must be 1 to 8; got 9"),
        ({"base_channels": 257}, "base_channels must be 1 to 256; got 257"),
        ({"n_planes": 1025}, "n_planes must be 1 to 1024; got 1025"),
        ({"dropout": 1.5}, r"dropout must lie between 0 and 1; got 1\.5"),
        ({"dropout": "half"}, "dropout must lie between 0 and 1; got 'half'"),
    ],
)
def test_a_network_that_can_not_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        NetworkConfig(**{"n_classes": 3, **options})


def test_channels_double_five_times() -> None:
    config = NetworkConfig(2, n_layers=8, base_channels=2)
    assert config.channels == (2, 4, 8, 16, 32, 64, 64, 64)
    assert config.n_features == 64


def test_an_svm_reads_its_blocks_or_the_features_alone() -> None:
    assert (DESCRIPTION.svm_width("gender"), DESCRIPTION.svm_width("action_quality")) == (9, 8)
    assert (DESCRIPTION.temperature("gender"), DESCRIPTION.temperature("action_quality")) == (1.0, 2.0)


def test_answers_combine_the_head_and_the_svms() -> None:
    rng = np.random.default_rng(0)
    features, logits = rng.normal(size=(3, 8)).astype(np.float32), rng.normal(size=(3, 3)).astype(np.float32)
    inputs = SvmInputs(("a", "a", "b"), [{"mav": (1.0,)}] * 3, [()] * 3, None)
    tables: list[np.ndarray] = []

    def svm(table: np.ndarray) -> np.ndarray:
        tables.append(table)
        share = 1 / (1 + np.exp(-table.sum(axis=1)))
        return np.stack([share, 1 - share], axis=1)

    answers = DESCRIPTION.combine(features, logits, inputs, {"gender": svm}, {})
    assert_allclose(answers["action_quality"], with_temperature(softmax(logits), 2.0))
    assert_array_equal(tables[0], svm_table({NETWORK: 8, AMPLITUDE: 1}, features, inputs)[1])
    assert_array_equal(answers["gender"][0], answers["gender"][1])  # channels of one repetition
    assert not np.array_equal(answers["gender"][0], answers["gender"][2])
    plain = replace(DESCRIPTION, blocks={}, encoder_task="gender").combine(features, logits, None, {"gender": svm}, {})
    assert list(plain) == ["gender"]
    assert_array_equal(tables[1], features)
