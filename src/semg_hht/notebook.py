"""What the notebook needs besides the package: folders on Kaggle or on this machine, progress bars, example matrices.

It knows folders and the output of cells. It does not know signals.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from semg_hht import InputError
from semg_hht.datasets.prepare import MATRIX_FOLDER
from semg_hht.datasets.simulated import write_samples
from semg_hht.matrices.matrix import Matrix, is_matrix_file, read_matrix
from semg_hht.system.files import file_as_named, files_in, whole_folder
from semg_hht.system.progress import TrainingProgress

if TYPE_CHECKING:
    from semg_hht.learning.dataset import Dataset
    from semg_hht.learning.epochs import Epoch

KAGGLE_DATASET = Path("hilbertmatrix-npz") / MATRIX_FOLDER
STATE = Path("last") / "state.safetensors"  # what a run is resumed from
N_TEST = 6  # simulated matrices to be predicted
BAR: dict[str, Any] = {"ncols": 100, "mininterval": 0.5}


@dataclass(frozen=True)
class NotebookFolders:
    """Where a notebook reads matrices and writes its run.

    source : ``kaggle``, ``local`` or ``simulated``. The folder of simulated matrices may not exist yet.
    earlier : a run of an earlier Kaggle session that is attached as input; None: there is none.
    """

    data: Path
    checkpoints: Path
    source: str
    earlier: Path | None = None


def find_folders(here: Path = Path(), kaggle: Path = Path("/kaggle")) -> NotebookFolders:
    """The folders: matrices attached on Kaggle, else those in ``here/data``, else a folder for simulated ones.

    Kaggle may mount the dataset under another name. Then the folder with the most matrices is used, or its parent if
    that holds several folders of matrices. Results are written to ``kaggle/working``, which Kaggle keeps.
    """
    attached, working = kaggle / "input", kaggle / "working"
    if not working.is_dir():
        data = here / "data"
        if _has_matrices(data):
            return NotebookFolders(data, here / "checkpoints", "local")
        return NotebookFolders(here / "simulated" / "data", here / "simulated" / "checkpoints", "simulated")
    earlier = next((path.parents[1] for path in sorted(attached.rglob(str(STATE)))), None)
    data_attached = _attached_matrices(attached)
    if data_attached is not None:
        return NotebookFolders(data_attached, working / "checkpoints", "kaggle", earlier)
    return NotebookFolders(working / "simulated" / "data", working / "simulated" / "checkpoints", "simulated", earlier)


def _has_matrices(folder: Path) -> bool:
    return any(is_matrix_file(path) for path in files_in(folder, (".npz",)))


def _attached_matrices(attached: Path) -> Path | None:
    if _has_matrices(attached / KAGGLE_DATASET):
        return attached / KAGGLE_DATASET
    by_folder: dict[Path, list[Path]] = {}
    for path in files_in(attached, (".npz",)):
        by_folder.setdefault(path.parent, []).append(path)
    folders = [folder for folder, files in by_folder.items() if is_matrix_file(files[0])]
    if not folders:
        return None
    most = max(folders, key=lambda folder: (folder.name == MATRIX_FOLDER, len(by_folder[folder])))
    siblings = [folder for folder in folders if folder.parent == most.parent != attached]
    return most.parent if len(siblings) > 1 else most


def simulate_matrices(folder: Path, n_samples: int) -> None:
    """Write labelled matrices of simulated people into ``folder``, and `N_TEST` without labels, of other people."""
    write_samples(folder, n_samples, N_TEST, seed=42, track=track)


def bring_back(folders: NotebookFolders) -> bool:
    """Copy the run of an earlier session to be resumed. False if there is none, or if a run exists already."""
    if folders.earlier is None or (folders.checkpoints / STATE).is_file():
        return False
    with whole_folder(folders.checkpoints) as part:
        shutil.copytree(folders.earlier, part, dirs_exist_ok=True)
    return True


def one_of_each(folder: Path, dataset: Dataset) -> list[tuple[str, Matrix]]:
    """The first matrix of each class of action quality (or of gender, if only that is labelled), in output order.

    ``folder`` is the one that the data set was loaded from; its manifest may be in the folder above.
    """
    task, names = next(iter(dataset.classes().items()), ("", ()))
    files = {row.label(task): row.file for row in reversed(dataset.rows)} if task else {}
    return [(name, read_matrix(_locate(folder, files[name]))) for name in names]


def _locate(folder: Path, file: str) -> Path:
    candidates = [file_as_named(parent, file) for parent in (folder, folder.parent)]
    return next((path for path in candidates if path.is_file()), folder / file)


def track(items: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """Pass items through and show a bar of text, which all notebooks show and keep."""
    bar: Iterable[Any] = _bar(items, total=total, desc=label)
    return bar


class TrainingBar:
    """Progress over the training steps of a run, with the scores of the last epoch."""

    def __enter__(self) -> TrainingBar:
        self._bar: Any = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def progress(self) -> TrainingProgress:
        return TrainingProgress(self._start, self._step, self._epoch)

    def _start(self, done: int, total: int) -> None:
        self._bar = _bar(total=total, initial=done, desc="training", unit="step")

    def _step(self) -> None:
        self._bar.update()

    def _epoch(self, epoch: Epoch) -> None:
        self._bar.set_postfix_str(
            f"epoch {epoch.epoch}, loss {epoch.train_loss:.2f}, validation {epoch.validation_balanced_accuracy:.2f}"
        )


def _bar(*args: Any, **options: Any) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        raise InputError("progress in a notebook needs tqdm: pip install 'semg-hht[notebook]'") from None
    return tqdm(*args, **options, **BAR, file=sys.stdout)
