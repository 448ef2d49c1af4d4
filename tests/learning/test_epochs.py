"""The epoch loop: settings, one epoch, class weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from numpy.testing import assert_allclose

from builders import make_dataset
from semg_hht.errors import InputError
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import Fitting, TrainingConfig
from semg_hht.learning.network import NetworkConfig
from semg_hht.learning.split import split_dataset

CONFIG = TrainingConfig(epochs=4, batch_size=8, learning_rate=1e-3)


def fitting(dataset: Dataset, folder: Path, config: TrainingConfig = CONFIG, n_classes: int = 3) -> Fitting:
    split = split_dataset(dataset, config.test_size, config.validation_size, config.seed)
    network = NetworkConfig(n_classes, base_channels=2)
    fabric = Fabric(accelerator="cpu", devices=1)
    return Fitting(dataset, split, "action_quality", dataset.classes(), network, config, folder, fabric)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset()


def test_rare_classes_weigh_more(tmp_path: Path) -> None:
    data = make_dataset(n_subjects=6, n_repetitions=3)
    kept = [i for i, row in enumerate(data.rows) if row.movement != "half" or row.file.endswith("_0_ch0.npz")]
    fit = fitting(data.subset(np.array(kept)), tmp_path)
    counts = np.bincount(fit.target[fit.train])
    assert_allclose(fit.class_weights.numpy(), counts.sum() / (3 * counts), rtol=1e-6)
    assert fit.class_weights[1] > 2 * fit.class_weights[0]
    assert_allclose((fit.class_weights.numpy() * counts).sum(), counts.sum(), rtol=1e-6)


def test_a_model_knows_whether_its_repetitions_were_found_in_recordings(tmp_path: Path, dataset: Dataset) -> None:
    assert not fitting(dataset, tmp_path).model().description.is_segmented
    rows = tuple(replace(row, extra={**row.extra, "confidence": "0.9"}) for row in dataset.rows)
    assert fitting(replace(dataset, rows=rows), tmp_path).model().description.is_segmented


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1; got 0"),
        ({"batch_size": 1}, "batch_size must be at least 2 .*; got 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0; got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number; got nan"),
        ({"patience": 0}, "patience must be at least 1; got 0"),
        ({"recipe": "x"}, "recipe must be one of plain, best, auto; got 'x'"),
        ({"convolutions": "x"}, "convolutions must be one of products, torch; got 'x'"),
        ({"precision": "x"}, "precision must be one of float32, bfloat16; got 'x'"),
        ({"precision": "bfloat16", "convolutions": "torch"}, "bfloat16 is that of convolutions as products"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingConfig(**options)


def test_defaults_are_the_documented_ones() -> None:
    config = TrainingConfig()
    assert (config.epochs, config.batch_size, config.warmup_epochs, config.patience) == (100, 16, 5, None)
    assert_allclose(
        [config.learning_rate, config.weight_decay, config.label_smoothing, config.clip_norm, config.test_size],
        [1e-4, 1e-4, 0.1, 1.0, 0.2],
    )


def test_settings_choose_the_convolutions(tmp_path: Path, dataset: Dataset) -> None:
    """torch's convolutions and products differ by rounding; bfloat16 differs more."""
    losses = {}
    for name, options in {"usual": {}, "torch": {"convolutions": "torch"}, "half": {"precision": "bfloat16"}}.items():
        fit = fitting(dataset, tmp_path / name, replace(CONFIG, **options))
        assert fit.network.encoder.layers[0].conv.as_products == (name != "torch")
        losses[name] = fit.run_epoch(0, lambda: None).train_loss
    assert_allclose(losses["torch"], losses["usual"], rtol=0, atol=1e-5)
    assert 1e-6 < abs(losses["half"] - losses["usual"]) < 0.1


def test_gradients_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    fit = fitting(dataset, tmp_path)
    norms: list[float] = []
    step = fit.optimizer.step

    def spy(*args: Any, **options: Any) -> Any:
        grads = [p.grad for p in fit.network.parameters() if p.grad is not None]
        norms.append(float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))))
        return step(*args, **options)

    monkeypatch.setattr(fit.optimizer, "step", spy)
    with torch.no_grad():
        fit.network.head.layers[-1].weight.mul_(1000)  # large gradients
    fit.run_epoch(0, lambda: None)
    assert norms
    assert max(norms) <= 1.0 + 1e-4


def test_validation_people_without_labels_are_an_error_before_training(tmp_path: Path) -> None:
    data = make_dataset(n_subjects=8)
    split = split_dataset(data, CONFIG.test_size, CONFIG.validation_size, CONFIG.seed)
    known = {data.subjects[i] for i in split.train}
    partly = replace(data, rows=tuple(row if row.subject in known else replace(row, movement="") for row in data.rows))
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(InputError, match="action_quality: nobody with a label is left to pick the best epoch on"):
        Fitting(
            partly, split, "action_quality", data.classes(), NetworkConfig(3, base_channels=2), CONFIG, tmp_path, fabric
        )
