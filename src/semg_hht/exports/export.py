"""Export a checkpoint to a folder that predicts without torch: the network as ONNX, the SVMs as arrays.

The folder is written only if every installed engine gives the same predictions as torch and scikit-learn.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.exports.onnx_graph import n_bytes, onnx_model, weights_table, write_onnx
from semg_hht.exports.quantise import Int8Trial, calibration_split, compare_int8, quantise
from semg_hht.inference.discriminant import COMMITTEE_FILES, write_committee
from semg_hht.inference.engines import Network, installed, open_network
from semg_hht.inference.exported import (
    DESCRIPTION_FILE,
    EXPORT_FILES,
    FORMAT,
    NETWORK_FILE,
    SVM_FILES,
    ExportedModel,
    open_export,
)
from semg_hht.inference.streamed import TABLE_FILE
from semg_hht.inference.svm import write_svm
from semg_hht.inference.svm_inputs import SvmInputs
from semg_hht.learning.checkpoint import Model, read_model_file, versions
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.matrices.matrix import SIZE
from semg_hht.system.files import require_new_folder, require_space, whole_folder, write_json
from semg_hht.system.seeds import require_seed

log = logging.getLogger(__name__)

TOLERANCE = 1e-5  # allowed difference of a probability between torch and an engine
N_CHECKED = 16
Checked = tuple[NDArray[np.float32], SvmInputs | None]  # matrices, and the inputs of the SVMs


@dataclass(frozen=True)
class ExportResult:
    """Properties of a written export.

    difference : engine -> largest difference of a probability from torch and scikit-learn, in float32.
    n_checked, on_data : number of matrices compared, and whether they are real ones.
    trial : comparison of int8 with float32; None if int8 was not requested.
    n_bytes : size of the folder.
    """

    difference: dict[str, float]
    n_checked: int
    on_data: bool
    trial: Int8Trial | None
    n_bytes: int

    @property
    def precision(self) -> str:
        return "int8" if self.trial is not None and self.trial.holds else "float32"

    def to_json(self) -> dict[str, Any]:
        trial = None if self.trial is None else self.trial.to_json()
        return asdict(self) | {"precision": self.precision, "trial": trial}


def export(
    model: Model,
    checkpoint: Path,
    out: Path,
    *,
    data: Dataset | None = None,
    int8: bool = False,
    overwrite: bool = False,
    seed: int = 42,
) -> ExportResult:
    """Export ``model``, loaded from ``checkpoint``, to the folder ``out``.

    Parameters
    ----------
    data : matrices for comparing predictions, and for calibrating and evaluating int8. None: random matrices, which a
        model with a recipe can't use.
    int8 : use 8 bits instead of 32 if balanced accuracy on held-out people falls by at most half a point.

    Raises
    ------
    InputError
        ``out`` holds other files, an engine predicts otherwise than torch, ``data`` has another shape or lacks the
        blocks of the recipe, or ``data`` is missing for int8 or a recipe.
    """
    require_seed(seed)
    _require_replaceable(out, overwrite=overwrite)
    if int8 and data is None:
        raise InputError("int8 is calibrated and judged on real matrices: name them with data=...")
    if model.description.blocks and data is None:
        raise InputError("what a recipe joins is compared on real matrices: name them with data=...")
    if data is not None:
        _require_fitting_data(model, data)
    checked = _matrices_to_compare(model, data, seed)
    network = onnx_model(model.network)
    require_space(out, 2 * n_bytes(network))
    with whole_folder(out) as part:
        write_onnx(network, part / NETWORK_FILE)
        write_json(part / TABLE_FILE, weights_table(part / NETWORK_FILE))
        for task, svm in model.svms.items():
            write_svm(svm_arrays(svm, model.description.classes[task]), part / SVM_FILES[task])
        for task, committee in model.committees.items():
            write_committee(committee, part / COMMITTEE_FILES[task])
        description = _description(model, checkpoint) | {"precision": "float32"}
        write_json(part / DESCRIPTION_FILE, description)
        difference = {name: _difference(model, open_export(part, name), checked, name) for name in installed()}
        trial = _replace_by_int8(model, checkpoint, part, data, seed) if int8 and data is not None else None
        result = ExportResult(difference, len(checked[0]), data is not None, trial, 0)
        description |= {"precision": result.precision, "int8": None if trial is None else trial.to_json()}
        write_json(part / DESCRIPTION_FILE, description)
        return replace(result, n_bytes=sum(path.stat().st_size for path in part.iterdir()))


def _replace_by_int8(model: Model, checkpoint: Path, part: Path, data: Dataset, seed: int) -> Int8Trial:
    """Replace the float32 network by an int8 network if its balanced accuracy is close enough."""
    small = part / "int8"
    training, judged = calibration_split(data, checkpoint)
    quantise(part / NETWORK_FILE, small / NETWORK_FILE, data.matrices[training], seed)
    write_json(small / TABLE_FILE, weights_table(small / NETWORK_FILE))
    exported = open_export(part)
    networks = [open_network(small / NETWORK_FILE, name) for name in installed()]
    engines = [replace(exported, network=partial(_same_network, network)) for network in networks]
    trial = compare_int8(model, engines, data.subset(judged))
    del exported, networks, engines  # they keep the files open
    for path in small.iterdir():
        if trial.holds:
            path.replace(part / path.name)
        else:
            path.unlink()
    small.rmdir()
    return trial


def _same_network(network: Network, n_matrices: int) -> Network:
    """`ExportedModel.network` with one engine for any number of matrices."""
    return network


def _difference(model: Model, exported: ExportedModel, checked: Checked, engine: str) -> float:
    """Largest difference of a probability between torch and an engine; raises if it is large or a class differs."""
    ours, theirs = exported.probabilities(*checked), replace(model, arrays={}).probabilities(*checked)
    largest = max(float(np.abs(ours[task] - theirs[task]).max()) for task in theirs)
    same = all(np.array_equal(ours[task].argmax(axis=1), theirs[task].argmax(axis=1)) for task in theirs)
    if not (largest <= TOLERANCE and same):  # also true for NaN
        raise InputError(
            f"{engine} answers otherwise than torch: probabilities differ by up to {largest:.1e} "
            f"(at most {TOLERANCE:.0e} is allowed), {'the same' if same else 'other'} classes; nothing was written"
        )
    return largest


def _require_fitting_data(model: Model, data: Dataset) -> None:
    n_planes = model.description.network.n_planes
    if data.matrices.shape[1] != n_planes:
        raise InputError(f"the data has {data.matrices.shape[1]} planes a matrix; this run was trained on {n_planes}")
    for widths in model.description.blocks.values():
        lacking = data.svm_inputs.missing(widths)
        if lacking:
            raise InputError(
                f"the data lacks {lacking}, which this run's recipe joins; expected those it was trained on"
            )


def _matrices_to_compare(model: Model, data: Dataset | None, seed: int) -> Checked:
    rng = np.random.default_rng(seed)
    if data is not None:
        chosen = data.subset(_whole_repetitions(data, rng))
        return chosen.matrices[:], chosen.svm_inputs
    drawn = rng.random((N_CHECKED, model.description.network.n_planes, SIZE, SIZE), dtype=np.float32)
    # Of all amplitudes: for large values alone a trained network gives probabilities of 0 and 1 with any engine.
    strength = np.linspace(0, model.description.peak, N_CHECKED, dtype=np.float32)
    return drawn * strength[:, None, None, None], None


def _whole_repetitions(data: Dataset, rng: np.random.Generator) -> Indices:
    """All matrices of random repetitions, `N_CHECKED` or more: what joins the channels needs those of a repetition."""
    _, of_example = np.unique(data.repetitions, return_inverse=True)
    order = rng.permutation(of_example.max() + 1)
    n_matrices = np.cumsum(np.bincount(of_example)[order])
    n_needed = int(np.searchsorted(n_matrices, N_CHECKED)) + 1
    return np.flatnonzero(np.isin(of_example, order[:n_needed]))


def _description(model: Model, checkpoint: Path) -> dict[str, Any]:
    """The description of the checkpoint, with the properties of the export."""
    content = read_model_file(checkpoint) | model.description.to_json()
    written_by = content.pop("versions")
    return content | {
        "format": FORMAT,
        "n_features": model.description.network.n_features,
        "svms": sorted(model.svms),
        "versions": {"run": written_by, "export": {**versions(), "onnx": version("onnx")}},
    }


def _require_replaceable(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder with other files, even with ``--overwrite``, because an export replaces the whole folder."""
    foreign = [p.name for p in out.iterdir() if p.name not in EXPORT_FILES] if out.is_dir() else []
    if overwrite and foreign:
        raise InputError(f"{out}: holds more than an export ({foreign[0]}); name another folder")
    require_new_folder(out, overwrite=overwrite)
