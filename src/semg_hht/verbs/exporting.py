"""`export`: a folder that predicts without torch, made from a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from semg_hht.errors import InputError, missing_library
from semg_hht.prediction.run import open_run
from semg_hht.system.arguments import checked
from semg_hht.verbs.predicting import Checkpoint
from semg_hht.verbs.training import TrainingInput, load_dataset
from semg_hht.verbs.work import Work

if TYPE_CHECKING:
    from semg_hht.exports.export import ExportResult


@checked
def export(
    checkpoint: Checkpoint,
    out: str | Path,
    *,
    data: TrainingInput | None = None,
    int8: bool = False,
    overwrite: bool = False,
    seed: int = 42,
    work: Work = Work(),
) -> ExportResult:
    """Export a run to predict without torch: the network in ONNX, the other classifiers as arrays.

    Parameters
    ----------
    checkpoint : a run directory, one of its checkpoints, a `Run`, or the result of `train`.
    out : folder to write; `open_run` opens it.
    data : matrices on which predictions are compared with torch; None: random ones, which a recipe can't use.
    int8 : eight-bit weights, if balanced accuracy on ``data`` falls by at most half a point.
    overwrite : replace an existing export. seed : of the random matrices.

    Raises
    ------
    InputError
        ``out`` holds other files, an engine predicts otherwise than torch, or a library is not installed.

    Examples
    --------
    >>> import semg_hht as sh
    >>> manifest = sh.simulate("for_export", sh.SimulationConfig(n_subjects=4, n_repetitions=1))
    >>> short = sh.TrainingConfig(epochs=1, batch_size=4, learning_rate=1e-3)
    >>> cpu, small = sh.RunOptions("action_quality", cpu=True), sh.NetworkSize(base_channels=2)
    >>> result = sh.train(manifest, "run_to_export", training=short, size=small, options=cpu)
    >>> exported = sh.export(result, "exported")
    >>> exported.precision
    'float32'
    """
    folder = checkpoint if isinstance(checkpoint, (str, Path)) else checkpoint.folder
    run = open_run(folder, cpu=True, engine="torch")
    try:
        from semg_hht.exports.export import export as export_model
        from semg_hht.learning.checkpoint import Model
    except ImportError as error:
        raise missing_library("export", error, "export") from None
    if not isinstance(run.engine, Model):
        raise InputError(f"{run.folder}: expected a run with the weights of its network; found an export")
    dataset = None if data is None else load_dataset(data, work=work)
    return export_model(run.engine, run.folder, Path(out), data=dataset, int8=int8, overwrite=overwrite, seed=seed)
