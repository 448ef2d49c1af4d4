"""engines.py: which engine answers, and what is reported where it can't."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from builders import truncate
from semg_hht.errors import InputError
from semg_hht.inference.engines import BACKENDS, choose, installed, open_network

KEPT = Path(__file__).parents[1] / "references" / "run" / "export"


def test_the_engine_is_chosen_by_the_number_of_matrices() -> None:
    engines = ("openvino", "onnxruntime", "numpy")
    assert [choose(engines, "float32", n) for n in (1, 4, 5, 10**6)] == ["numpy", "numpy", "openvino", "openvino"]
    of_int8 = ["numpy", "numpy", "onnxruntime", "onnxruntime", "openvino"]
    assert [choose(engines, "int8", n) for n in (1, 2, 3, 64, 65)] == of_int8
    assert [choose(engines[:2], "int8", n) for n in (1, 64, 65)] == ["onnxruntime", "onnxruntime", "openvino"]
    assert choose(("openvino",), "int8", 1) == "openvino"
    assert choose(("numpy",), "float32", 1000) == "numpy"


def test_engines_that_are_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.inference.engines.find_spec", lambda name: name)
    assert installed() == tuple(BACKENDS)
    monkeypatch.setattr("semg_hht.inference.engines.find_spec", lambda name: None if name == "onnxruntime" else name)
    assert installed() == ("openvino", "numpy")


@pytest.mark.parametrize(("engine", "extra"), [("openvino", "openvino"), ("onnxruntime", "onnx")])
def test_an_engine_that_is_not_installed_names_its_extra(
    engine: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semg_hht.inference.engines.find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"engine={engine!r} is not installed: pip install 'semg-hht\[{extra}\]'"):
        open_network(KEPT / "network.onnx", engine)


@pytest.mark.parametrize("engine", installed())
def test_each_engine_states_the_shapes_of_its_network(engine: str) -> None:
    network = open_network(KEPT / "network.onnx", engine)
    assert network.shapes["matrices"][1:] == (1, 256, 256)
    assert (network.shapes["logits"][1:], network.shapes["features"][1:]) == ((3,), (32,))
    logits, features = network(np.zeros((2, 1, 256, 256), np.float32))
    assert (logits.shape, features.shape) == ((2, 3), (2, 32))


@pytest.mark.parametrize("engine", [name for name in installed() if name != "numpy"])
def test_a_network_cut_short_is_refused(engine: str, tmp_path: Path) -> None:
    truncate(Path(shutil.copy(KEPT / "network.onnx", tmp_path)))
    with pytest.raises(InputError, match=rf"network\.onnx: can't be read by {engine} \(cut short, or another format\)"):
        open_network(tmp_path / "network.onnx", engine)
    with pytest.raises(InputError, match=r"gone\.onnx: no such file"):
        open_network(tmp_path / "gone.onnx", engine)
