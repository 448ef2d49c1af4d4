"""`train`, and the matrices that training reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from semg_hht.datasets.find_inputs import MANIFEST, InputOptions, is_manifest
from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepared import Prepared
from semg_hht.errors import InputError, missing_library
from semg_hht.evaluation.metrics import Report
from semg_hht.learning.dataset import Dataset, find_dataset, from_examples
from semg_hht.matrices.matrix import is_matrix_file
from semg_hht.matrices.transform import PipelineConfig, transform_all
from semg_hht.recordings.manifest import read_manifest
from semg_hht.system.arguments import checked
from semg_hht.system.files import file_as_named
from semg_hht.system.processes import path_for_workers
from semg_hht.verbs.work import Work

if TYPE_CHECKING:
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, Result, RunOptions

__all__ = ["RECIPE", "LoadOptions", "Report", "TrainingInput", "load_dataset", "require_training", "train"]

RECIPE = "auto"  # of the command line


@checked
@dataclass(frozen=True)
class LoadOptions:
    """How training data is loaded.

    transform : how recordings are transformed; None: the defaults. Matrices are used as they are.
    references : manifest or recordings of maximal contractions, for the scaling ``mvc``.
    folder : of the files that a manifest names; None: that of the manifest. Of a data set, where its matrices are.
    pack : folder for one file of all matrices, read batch by batch, for data larger than memory.
    rate_hz, units : of recordings that do not state them.

    Examples
    --------
    >>> import semg_hht as sh
    >>> narrow = sh.LoadOptions(transform=sh.configure(band_hz=(20.0, 200.0)))
    >>> dataset = sh.load_dataset(sh.segment(sh.samples.recordings()["P30_supinated"]), options=narrow)
    """

    transform: PipelineConfig | None = None
    references: Data | None = None
    folder: Path | None = None
    pack: Path | None = None
    rate_hz: float | None = None
    units: str = ""


TrainingInput = Data | Dataset


@checked
def load_dataset(
    data: TrainingInput,
    *,
    rate_hz: float | None = None,
    units: str = "",
    options: LoadOptions = LoadOptions(),
    work: Work = Work(),
) -> Dataset:
    """Load labelled matrices, or transform labelled recordings in memory.

    Parameters
    ----------
    data : a folder of matrices, a manifest.csv of matrices or recordings, a result of `prepare`, `segment` or `label`,
        recordings whose names state their labels, or a data set that is returned as it is.
    rate_hz, units : of recordings that do not state them.

    Raises
    ------
    InputError
        Nothing to load, no file can be used, or files that do not fit together.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 12)
    >>> sh.load_dataset(sh.segment(recording)).matrices.shape  # (n_matrices, n_planes, 256, 256)
    (6, 1, 256, 256)
    """
    if isinstance(data, Dataset):
        return data
    inputs = InputOptions(options.rate_hz, options.units).stating(rate_hz, units)
    if isinstance(data, Prepared):
        data = data.folder
    if isinstance(data, (str, Path)):
        folder, manifest = _folder_and_manifest(Path(data))
        pack = path_for_workers(work.backend, options.pack)
        dataset = find_dataset(
            options.folder or folder, manifest, options.transform, options.references,
            inputs=inputs, pack=pack, track=work.track,
        )  # fmt: skip
    else:
        config = options.transform or PipelineConfig()
        jobs = jobs_of(data, rate_hz=inputs.rate_hz, units=inputs.units)
        jobs = with_references(jobs, config, options.references, n_jobs=work.n_jobs)
        examples = transform_all(jobs, config, n_jobs=work.n_jobs)
        dataset = from_examples(work.track(examples, len(jobs), "transforming"))
    work.say_failures(dataset.failures)
    return dataset


def _folder_and_manifest(path: Path) -> tuple[Path | None, Path | None]:
    """A folder of matrices, or a manifest, which may be that of a folder of recordings."""
    manifest = path / MANIFEST if path.is_dir() else path
    if is_manifest(manifest):
        names_matrices = is_matrix_file(file_as_named(manifest.parent, read_manifest(manifest)[0].file))
        return (path, None) if path.is_dir() and names_matrices else (None, manifest)
    if path.is_file() and path.suffix.lower() != ".csv":
        raise InputError(f"{path}: expected a folder of matrices or a manifest.csv; found another file")
    return (None, path) if path.is_file() else (path, None)


@checked
def train(
    data: TrainingInput,
    checkpoint_dir: str | Path = "checkpoints",
    *,
    training: TrainingConfig | None = None,
    size: NetworkSize | None = None,
    options: RunOptions | None = None,
    load: LoadOptions = LoadOptions(),
    work: Work = Work(),
) -> Result:
    """Train both classifiers, and score them on people held out from training.

    Parameters
    ----------
    data : as for `load_dataset`.
    checkpoint_dir : folder for the run, which `open_run` opens.
    training : epochs, learning rate and the like. None: as the command line does, with the recipe ``auto``.
    size, options : of the network; the task, and how an existing run is treated. None: the defaults.
    load : how recordings are read and transformed; ``sh.LoadOptions(rate_hz=1000)`` where they do not state their rate.

    Raises
    ------
    InputError
        No labels, a single class, too little data to split, a folder that holds another run, or torch is not installed.

    Examples
    --------
    >>> import semg_hht as sh
    >>> manifest = sh.simulate("four", sh.SimulationConfig(n_subjects=4, n_repetitions=1))
    >>> short = sh.TrainingConfig(epochs=1, batch_size=4, learning_rate=1e-3)
    >>> small = sh.NetworkSize(base_channels=2)
    >>> result = sh.train(manifest, "checkpoints", training=short, size=small, options=sh.RunOptions(cpu=True))
    >>> sorted(result.reports)
    ['action_quality', 'gender']
    >>> run = sh.open_run(result.folder)
    """
    require_training()
    from semg_hht.figures.plots import draw_confusion, draw_history
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, require_free
    from semg_hht.learning.train import train as train_run

    folder, options = Path(checkpoint_dir), options or RunOptions()
    require_free(folder, options)  # before the data is read
    result = train_run(
        load_dataset(data, options=load, work=work), folder, training or TrainingConfig(recipe=RECIPE),
        size or NetworkSize(), options, progress=work.progress,
    )  # fmt: skip
    draw_history(result.history, result.best_epoch, folder / "history.png")
    draw_confusion(result.reports, folder / "confusion.png")
    return result


def require_training() -> None:
    """Raise an error that says what to install if torch is not there."""
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise missing_library("training", error, "train") from None
