"""A checkpoint as a folder that predicts without torch: the network in ONNX, the SVMs as plain arrays.

Nothing stays under the final name unless every engine at hand gives what torch and scikit-learn give.
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
from semg_hht.export.onnx_graph import n_bytes, onnx_model, weights_table, write_onnx
from semg_hht.export.quantise import Int8Trial, calibration_split, compare_int8, quantise
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
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.matrices.matrix import SIZE
from semg_hht.system.files import require_new_folder, require_space, whole_folder, write_json

log = logging.getLogger(__name__)

TOLERANCE = 1e-5  # of a probability, between torch and an engine
N_CHECKED = 16
Checked = tuple[NDArray[np.float32], SvmInputs | None]  # matrices, and what is known beside them


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    difference : engine -> largest difference of a probability from torch and scikit-learn, in float32.
    n_checked, on_data : on how many matrices, and whether they were real ones.
    trial : what int8 did to the answers; None where it was not asked for.
    n_bytes : of the whole folder.
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
    """Write ``model``, which lies in ``checkpoint``, into the folder ``out``.

    Parameters
    ----------
    data : matrices to compare the answers on, and for int8 to calibrate and to judge on; None: drawn ones, which is too
        little for what a recipe joins.
    int8 : eight bits instead of 32 where balanced accuracy on people not trained on stays within half a point.

    Raises
    ------
    InputError
        ``out`` holds something else, an engine answers otherwise than torch, data of another
        shape or without what the recipe joins, or int8 or a recipe without data.
    """
    _require_replaceable(out, overwrite=overwrite)
    if int8 and data is None:
        raise InputError("int8 is calibrated and judged on real matrices: name them with --data_dir")
    if model.description.blocks and data is None:
        raise InputError("what a recipe joins is compared on real matrices: name them with --data_dir")
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
        description = _description(model, checkpoint) | {"precision": "float32"}
        write_json(part / DESCRIPTION_FILE, description)
        difference = {name: _difference(model, open_export(part, name), checked, name) for name in installed()}
        trial = _replace_by_int8(model, checkpoint, part, data, seed) if int8 and data is not None else None
        found = ExportResult(difference, len(checked[0]), data is not None, trial, 0)
        description |= {"precision": found.precision, "int8": None if trial is None else trial.to_json()}
        write_json(part / DESCRIPTION_FILE, description)
        return replace(found, n_bytes=sum(path.stat().st_size for path in part.iterdir()))


def _replace_by_int8(model: Model, checkpoint: Path, part: Path, data: Dataset, seed: int) -> Int8Trial:
    """Put the network in int8 in the place of that in float32, if its answers hold."""
    small = part / "int8"
    training, judged = calibration_split(data, checkpoint)
    quantise(part / NETWORK_FILE, small / NETWORK_FILE, data.matrices[training], seed)
    exported = open_export(part)
    networks = [open_network(small / NETWORK_FILE, name) for name in installed("int8")]
    engines = [replace(exported, network=partial(_same_network, network)) for network in networks]
    trial = compare_int8(model, engines, data.subset(judged))
    del exported, networks, engines  # they hold the files open
    for path in small.iterdir():
        if trial.holds:
            path.replace(part / path.name)
        else:
            path.unlink()
    if trial.holds:
        (part / TABLE_FILE).unlink()  # of weights in float32
    small.rmdir()
    return trial


def _same_network(network: Network, n_matrices: int) -> Network:
    return network


def _difference(model: Model, exported: ExportedModel, checked: Checked, engine: str) -> float:
    """Largest difference of a probability between torch and an engine: it must be small, and the answers the same."""
    ours, theirs = exported.probabilities(*checked), replace(model, arrays={}).probabilities(*checked)
    largest = max(float(np.abs(ours[task] - theirs[task]).max()) for task in theirs)
    same = all(np.array_equal(ours[task].argmax(axis=1), theirs[task].argmax(axis=1)) for task in theirs)
    if not (largest <= TOLERANCE and same):  # nor where it is NaN
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
        chosen = data.subset(np.sort(rng.permutation(len(data))[:N_CHECKED]))
        return chosen.matrices[:], chosen.svm_inputs
    drawn = rng.random((N_CHECKED, model.description.network.n_planes, SIZE, SIZE), dtype=np.float32)
    # Of all strengths: where all are strong, a trained network gives probabilities of 0 and 1 whatever the engine does.
    strength = np.linspace(0, model.description.peak, N_CHECKED, dtype=np.float32)
    return drawn * strength[:, None, None, None], None


def _description(model: Model, checkpoint: Path) -> dict[str, Any]:
    """All that the checkpoint says of itself, and what was made of it."""
    content = read_model_file(checkpoint)
    written_by = content.pop("versions")
    return content | {
        "format": FORMAT,
        "n_features": model.description.network.n_features,
        "svms": sorted(model.svms),
        "blocks": model.description.to_json()["blocks"],
        "versions": {"run": written_by, "export": {**versions(), "onnx": version("onnx")}},
    }


def _require_replaceable(out: Path, *, overwrite: bool) -> None:
    """An export is replaced whole: nothing else may lie in that folder, whatever ``--overwrite`` says."""
    foreign = [p.name for p in out.iterdir() if p.name not in EXPORT_FILES] if out.is_dir() else []
    if overwrite and foreign:
        raise InputError(f"{out}: holds more than an export ({foreign[0]}); name another folder")
    require_new_folder(out, overwrite=overwrite)
