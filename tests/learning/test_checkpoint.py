"""Saving and loading checkpoints, including damaged and hostile ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file, save_file

from builders import make_dataset, truncate
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, with_temperature
from semg_hht.inference.description import ModelDescription, NetworkConfig
from semg_hht.learning.checkpoint import (
    Model,
    State,
    load_model,
    load_optimizer,
    load_state,
    network_weights,
    optimizer_tensors,
    save_model,
    save_state,
)
from semg_hht.learning.network import ActionNetwork
from semg_hht.learning.svm_training import probabilities
from semg_hht.learning.train import Result


def small_model(n_layers: int = 2) -> Model:
    torch.manual_seed(0)
    config = NetworkConfig(3, n_layers=n_layers, base_channels=2)
    classes = {"action_quality": ("low", "mid", "high")}
    return Model(ModelDescription(config, "action_quality", classes, None, epoch=5), ActionNetwork(config))


def edit(checkpoint: Path, **changes: Any) -> None:
    path = checkpoint / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")


def test_a_model_is_rebuilt_from_its_own_folder(tiny_result: Result) -> None:
    matrices = make_dataset().matrices[:5]
    first, again = (load_model(tiny_result.folder / "best").probabilities(matrices) for _ in range(2))
    assert list(first) == ["action_quality", "gender"]
    for task, n_classes in (("action_quality", 3), ("gender", 2)):
        assert first[task].shape == (5, n_classes)
        assert_allclose(first[task].sum(axis=1), 1)
        assert_allclose(first[task], again[task], rtol=0)


def test_saved_and_loaded_weights_are_the_same_bits(tmp_path: Path) -> None:
    model = small_model()
    save_model(model, tmp_path / "best")
    back = load_model(tmp_path / "best")
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)
    assert back.description == model.description
    assert len(back.svms) == 0


def test_a_checkpoint_describes_itself(tiny_result: Result) -> None:
    content = json.loads((tiny_result.folder / "best" / "model.json").read_text(encoding="utf-8"))
    assert content["classes"] == {"action_quality": ["full", "half", "invalid"], "gender": ["F", "M"]}
    assert content["network"]["base_channels"] == 2
    assert content["epoch"] == tiny_result.best_epoch
    assert {"semg-hht", "torch", "python", "scikit-learn"} <= set(content["versions"])


def test_batches_do_not_change_the_answers(tiny_result: Result) -> None:
    model, matrices = load_model(tiny_result.folder / "best"), make_dataset().matrices[:7]
    assert_allclose(
        model.probabilities(matrices, batch_size=3)["action_quality"],
        model.probabilities(matrices, batch_size=32)["action_quality"],
        atol=1e-5,
    )


def test_columns_follow_the_order_of_the_classes() -> None:
    class Svm:
        classes_ = np.array(["M", "F"])

        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            return np.array([[0.9, 0.1]])

    assert_allclose(probabilities(Svm(), np.zeros((1, 2), np.float32), ("F", "M")), [[0.1, 0.9]])


def test_another_version_is_named(tiny_copy: Path) -> None:
    edit(tiny_copy / "best", format=99, versions={"semg-hht": "7.0"})
    with pytest.raises(InputError, match=r"model\.json: format 99, written by semg-hht 7\.0; .* reads format 1"):
        load_model(tiny_copy / "best")


@pytest.mark.parametrize("content", ["[]", '{"network": {}}', "3"])
def test_a_description_without_format_is_refused(tiny_copy: Path, content: str) -> None:
    (tiny_copy / "best" / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json: expected a model description with a 'format'"):
        load_model(tiny_copy / "best")


@pytest.mark.parametrize(
    "changes",
    [
        {"network": {}},
        {"network": {"n_classes": 3, "evil": 1}},
        {"network": 3},
        {"network": {"n_classes": 3, "n_layers": "seven"}},
        {"network": {"n_classes": 3, "n_layers": 6.5, "base_channels": 2}},
        {"classes": []},
        {"classes": {"gender": ["F", "M"]}},
        {"encoder_task": "age"},
        {"encoder_task": []},
    ],
)
def test_an_invalid_description_is_refused(tiny_copy: Path, changes: dict[str, Any]) -> None:
    edit(tiny_copy / "best", **changes)
    with pytest.raises(
        InputError, match=r"model\.json: (expected the description of a model|n_layers must be a whole number)"
    ):
        load_model(tiny_copy / "best")


def test_the_number_of_class_names_must_fit_the_network(tiny_copy: Path) -> None:
    edit(tiny_copy / "best", classes={"action_quality": ["full", "half"], "gender": ["F", "M"]})
    with pytest.raises(InputError, match=r"model\.json: 2 class names, but a network of 3 classes"):
        load_model(tiny_copy / "best")


def test_the_svm_must_answer_the_named_classes(tiny_copy: Path) -> None:
    edit(tiny_copy / "best", classes={"action_quality": ["full", "half", "invalid"], "gender": ["x", "y"]})
    with pytest.raises(InputError, match=r"gender\.skops: answers F, M; model\.json says otherwise"):
        load_model(tiny_copy / "best").svms["gender"]


def test_an_svm_file_with_something_else_in_it_is_refused(tiny_copy: Path) -> None:
    skops.io.dump({"no": "classifier"}, tiny_copy / "best" / "gender.skops")
    with pytest.raises(InputError, match=r"gender\.skops"):
        load_model(tiny_copy / "best").svms["gender"]


class Foreign:
    """A type this project does not write."""

    def __init__(self) -> None:
        self.value = 1


def test_a_tampered_svm_is_refused_not_run(tiny_copy: Path) -> None:
    skops.io.dump(Foreign(), tiny_copy / "best" / "gender.skops")
    with pytest.raises(InputError, match=r"gender\.skops: holds types that this project does not write"):
        load_model(tiny_copy / "best").svms["gender"]


def test_a_run_answers_from_arrays_as_scikit_learn_does(tiny_copy: Path) -> None:
    matrices = make_dataset().matrices[:5]
    by_arrays = load_model(tiny_copy / "best")
    assert set(by_arrays.arrays) == {"gender"}
    (tiny_copy / "best" / "gender.npz").unlink()  # as in runs of earlier versions
    by_pipeline = load_model(tiny_copy / "best")
    assert not by_pipeline.arrays
    for task, expected in by_pipeline.probabilities(matrices).items():
        assert_allclose(by_arrays.probabilities(matrices)[task], expected, atol=1e-12)


def test_without_arrays_a_damaged_svm_is_an_error_at_once(tiny_copy: Path) -> None:
    (tiny_copy / "best" / "gender.npz").unlink()
    truncate(tiny_copy / "best" / "gender.skops")
    with pytest.raises(InputError, match=r"gender\.skops: can't be read as a skops file"):
        load_model(tiny_copy / "best")


def test_a_run_answers_without_scikit_learn(tiny_result: Result, repository: Path) -> None:
    code = f"""if True:
        import sys
        for name in ("sklearn", "skops", "lightning_fabric"):
            sys.modules[name] = None
        import numpy as np
        from semg_hht import open_run
        run = open_run({str(tiny_result.folder)!r}, cpu=True)
        assert set(run.engine.probabilities(np.zeros((1, 1, 256, 256), np.float32))) == {{"action_quality", "gender"}}
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_weights_of_another_network_are_refused(tiny_copy: Path) -> None:
    path = tiny_copy / "best" / "network.safetensors"
    save_file(network_weights(small_model().network), path)
    with pytest.raises(InputError, match=r"network\.safetensors: these weights don't fit the network described"):
        load_model(tiny_copy / "best")


def test_truncated_or_missing_weights_are_named(tiny_copy: Path) -> None:
    path = truncate(tiny_copy / "best" / "network.safetensors")
    with pytest.raises(InputError, match=r"network\.safetensors: can't be read as safetensors \(cut short"):
        load_model(tiny_copy / "best")
    path.unlink()
    with pytest.raises(InputError, match=r"network\.safetensors: no such file"):
        load_model(tiny_copy / "best")


def test_a_pickle_under_the_name_of_the_weights_is_not_run(tiny_copy: Path, tmp_path: Path) -> None:
    from builders import Payload

    torch.save({"x": Payload(tmp_path / "ran")}, tiny_copy / "best" / "network.safetensors")
    with pytest.raises(InputError, match="can't be read as safetensors"):
        load_model(tiny_copy / "best")
    assert not (tmp_path / "ran").exists()


def test_a_run_directory_holds_no_pickle(tiny_result: Result) -> None:
    files = [path for path in tiny_result.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".jsonl", ".npz", ".safetensors", ".skops", ".png"}
    for path in files:
        start = path.read_bytes()[:2]
        assert not (start[:1] == b"\x80" and start[1:] in b"\x02\x03\x04\x05"), f"{path} is a pickle"
        if path.suffix == ".skops":
            import zipfile

            with zipfile.ZipFile(path) as archive:
                assert all(name.endswith((".json", ".npy", ".npz")) for name in archive.namelist())
                assert not any(name.endswith(".pkl") for name in archive.namelist())


def test_a_full_disk_leaves_the_old_checkpoint(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(small_model(1), small_disk / "best")
    before = {path.name: path.read_bytes() for path in (small_disk / "best").iterdir()}
    with pytest.raises(InputError, match="MB free, .* MB are needed; nothing was written"):
        save_model(small_model(7), small_disk / "best")
    # The space is free when it is checked, but not when it is needed.
    monkeypatch.setattr("semg_hht.learning.checkpoint.require_space", lambda *_: None)
    with pytest.raises(InputError, match="the disk is full"):
        save_model(small_model(7), small_disk / "best")
    assert {path.name: path.read_bytes() for path in (small_disk / "best").iterdir()} == before
    assert [path.name for path in small_disk.iterdir()] == ["best"]


def test_a_full_disk_leaves_the_old_state(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(State({"a": torch.zeros(3)}, {}, {"epochs": 1}), small_disk)
    monkeypatch.setattr("semg_hht.learning.checkpoint.require_space", lambda *_: None)
    with pytest.raises(InputError, match="the disk is full"):
        save_state(State({"a": torch.zeros(10**6)}, {}, {"epochs": 2}), small_disk)
    assert load_state(small_disk).facts == {"epochs": 1}
    assert [path.name for path in small_disk.iterdir()] == ["state.safetensors"]


def test_the_optimizer_survives_a_save(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_state(State({"weight": layer.weight.detach()}, optimizer_tensors(optimizer), {"n": 1}), tmp_path)
    state = load_state(tmp_path)
    fresh = torch.optim.AdamW(layer.parameters())
    load_optimizer(fresh, state.optimizer)
    for number, moments in optimizer.state_dict()["state"].items():
        for name, tensor in moments.items():
            assert torch.equal(fresh.state_dict()["state"][number][name], tensor)
    assert torch.equal(state.weights["weight"], layer.weight)


def test_a_state_of_another_format_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"state\.safetensors: no such file"):
        load_state(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "state.safetensors", metadata={"format": "99"})
    with pytest.raises(InputError, match=r"state\.safetensors: format 99; this version resumes format 1"):
        load_state(tmp_path)


def test_a_checkpoint_can_be_moved(tiny_result: Result, tmp_path: Path) -> None:
    shutil.copytree(tiny_result.folder / "checkpoint_epoch_2", tmp_path / "elsewhere")
    assert load_model(tmp_path / "elsewhere").description.epoch == 2
    assert load_file(tmp_path / "elsewhere" / "network.safetensors")


@pytest.mark.slow
def test_the_full_size_network_trains_saves_loads_and_predicts_the_same(simulated: Simulated, tmp_path: Path) -> None:
    import math

    from semg_hht.learning.dataset import load_folder

    torch.manual_seed(0)
    config = NetworkConfig(3)
    network = ActionNetwork(config).train()
    dataset = load_folder(simulated.matrices)
    matrices = torch.from_numpy(dataset.matrices[:2])
    names = dataset.classes()["action_quality"]
    target = torch.tensor([names.index(label) for label in dataset.labels("action_quality")[:2]])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    before = network.encoder.layers[6].conv.weight.clone()
    loss = torch.nn.functional.cross_entropy(network(matrices), target)
    assert_allclose(loss.item(), math.log(3), atol=0.2)
    loss.backward()
    optimizer.step()
    assert not torch.equal(network.encoder.layers[6].conv.weight, before)
    model = Model(
        ModelDescription(config, "action_quality", {"action_quality": names}, dataset.settings, epoch=1), network
    )
    save_model(model, tmp_path / "best")
    features, logits = model.features_and_logits(dataset.matrices[:1])
    assert features.shape == (1, 2048)
    loaded = load_model(tmp_path / "best")
    again = loaded.features_and_logits(dataset.matrices[:1])
    assert_array_equal(again[0], features)
    assert_array_equal(loaded.combine(*again)["action_quality"], model.combine(features, logits)["action_quality"])


def test_files_get_the_permissions_a_user_expects(tiny_result: Result, tmp_path: Path) -> None:
    ordinary = tmp_path / "a.txt"
    ordinary.write_text("")
    files = [path for path in tiny_result.folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode for path in files} == {ordinary.stat().st_mode}


def test_a_calibration_is_kept_and_read(tmp_path: Path) -> None:
    matrices = make_dataset().matrices[:5]
    plain = small_model()
    model = replace(
        plain, description=replace(plain.description, calibration={"action_quality": Calibration(2.0, 0.25)})
    )
    save_model(model, tmp_path / "best")
    again = load_model(tmp_path / "best")
    assert again.description.calibration == model.description.calibration
    expected = with_temperature(plain.probabilities(matrices)["action_quality"], 2.0)
    assert_allclose(again.probabilities(matrices)["action_quality"], expected, rtol=0)


@pytest.mark.parametrize("wrong", [None, {"action_quality": 2}, {"action_quality": {"heat": 2}}])
def test_an_invalid_calibration_is_refused(tmp_path: Path, wrong: Any) -> None:
    save_model(small_model(), tmp_path / "best")
    edit(tmp_path / "best", calibration=wrong)
    with pytest.raises(InputError, match=r"model\.json: expected the description of a model"):
        load_model(tmp_path / "best")


def test_a_finished_run_is_calibrated_and_a_periodic_checkpoint_is_not(tiny_result: Result) -> None:
    best, final = (load_model(tiny_result.folder / name) for name in ("best", "final"))
    for model in (best, final):
        assert model.description.calibration["action_quality"].temperature != 1
    assert not load_model(tiny_result.folder / "checkpoint_epoch_2").description.calibration
