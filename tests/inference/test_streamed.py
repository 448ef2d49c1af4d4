"""streamed.py: the network in NumPy, its table of weights and the file of weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.inference.engines import installed, open_network
from semg_hht.inference.streamed import TABLE_FILE, WEIGHTS_FILE

KEPT = Path(__file__).parents[1] / "references" / "run" / "export"
MATRICES = np.random.default_rng(0).random((3, 1, 256, 256), dtype=np.float32)


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    """The network of a copy of an export, to be damaged."""
    return Path(shutil.copytree(KEPT, tmp_path / "export")) / "network.onnx"


def change_table(network_file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    table = network_file.with_name(TABLE_FILE)
    content = json.loads(table.read_text(encoding="utf-8"))
    change(content)
    table.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("other", [name for name in installed() if name != "numpy"])
def test_numpy_computes_what_other_engines_compute(network_file: Path, other: str) -> None:
    for found, expected in zip(
        open_network(network_file, "numpy")(MATRICES), open_network(network_file, other)(MATRICES), strict=True
    ):
        assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def int8_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of the export in eight bits; not to be damaged."""
    quantising = pytest.importorskip("semg_hht.exports.quantise")  # where onnx is not installed
    from semg_hht.exports.onnx_graph import weights_table

    path = tmp_path_factory.mktemp("int8") / "small" / "network.onnx"
    quantising.quantise(KEPT / "network.onnx", path, MATRICES, 0)
    path.with_name(TABLE_FILE).write_text(json.dumps(weights_table(path)), encoding="utf-8")
    return path


def test_eight_bits_are_those_of_the_graph(int8_file: Path) -> None:
    """Most features equal onnxruntime's, bit for bit; a difference in the last digit moves a few by some steps."""
    (logits, features), expected = open_network(int8_file, "numpy")(MATRICES), open_network(int8_file, "onnxruntime")
    expected_logits, expected_features = expected(MATRICES)
    assert (features == expected_features).mean() > 0.5
    step = np.diff(np.unique(features)).min()
    assert_allclose(features, expected_features, atol=4.5 * step)
    assert_allclose(logits, expected_logits, atol=0.004)
    exact, _ = open_network(KEPT / "network.onnx", "numpy")(MATRICES)
    assert 1e-4 < np.abs(logits - exact).max() < 0.01, "eight bits are not 32, and not far from them"


def test_slices_of_the_weights_do_not_change_the_answer_in_eight_bits(
    int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_network(int8_file, "numpy")(MATRICES)
    monkeypatch.setattr("semg_hht.inference.streamed.CHUNK", 64)
    for found, expected in zip(open_network(int8_file, "numpy")(MATRICES), whole, strict=True):
        assert_array_equal(found, expected)


def test_matrices_are_not_changed(int8_file: Path) -> None:
    given = MATRICES.copy()
    open_network(int8_file, "numpy")(given)
    assert_array_equal(given, MATRICES)


@pytest.mark.parametrize("name", ["layer1_scale", "layer4.sum_zero_point", "head1.bias_scale", "pooled_scale"])
def test_a_table_without_a_step_of_eight_bits_is_refused(int8_file: Path, tmp_path: Path, name: str) -> None:
    copied = Path(shutil.copytree(int8_file.parent, tmp_path / "copy")) / "network.onnx"
    change_table(copied, lambda c: c["tensors"].pop(name))
    with pytest.raises(InputError, match=rf"network\.json: this network can't be run; KeyError\('{name}'\)"):
        open_network(copied, "numpy")(MATRICES)


def test_slices_of_the_weights_do_not_change_the_answer(network_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_network(network_file, "numpy")(MATRICES)
    monkeypatch.setattr("semg_hht.inference.streamed.CHUNK", 64)
    for found, expected in zip(open_network(network_file, "numpy")(MATRICES), whole, strict=True):
        assert_allclose(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["network_file", "int8_file"])
def test_a_matrix_is_answered_alike_alone_and_among_others(name: str, request: pytest.FixtureRequest) -> None:
    network = open_network(request.getfixturevalue(name), "numpy")
    for alone, among in zip(network(MATRICES[1:2]), network(MATRICES), strict=True):
        assert_array_equal(alone[0], among[1])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("slope"),
        lambda c: c["tensors"].clear(),
        lambda c: c["tensors"]["head1.weight"].pop("offset"),
        lambda c: c["tensors"]["head1.weight"].update(dtype="bits"),
    ],
)
def test_a_table_that_does_not_say_where_weights_lie_is_refused(
    network_file: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    change_table(network_file, change)
    with pytest.raises(InputError, match="expected where each weight of the network lies"):
        open_network(network_file, "numpy")


@pytest.mark.parametrize(
    "change", [lambda c: c["tensors"].pop("layer2.conv.bias"), lambda c: c.update(slope=[])], ids=["bias", "slope"]
)
def test_a_table_whose_layers_do_not_fit_is_refused(
    network_file: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    change_table(network_file, change)
    with pytest.raises(InputError, match=r"network\.json: this network can't be run"):
        open_network(network_file, "numpy")(MATRICES)


def test_the_weights_are_as_long_as_their_table_says(network_file: Path) -> None:
    with network_file.with_name(WEIGHTS_FILE).open("ab") as handle:
        handle.write(bytes(4))
    with pytest.raises(InputError, match="can't be read by numpy .*expected .* bytes of weights; found"):
        open_network(network_file, "numpy")
