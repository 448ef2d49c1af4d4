"""Examples in memory, from a folder of matrices, a manifest or the pipeline; splits by subject.

Knows labels and arrays: nothing of networks, and does not import torch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.labels import TASKS, Labelled, class_names, parse_file_name, read_manifest
from semg_hht.matrices import Matrix, read_matrix
from semg_hht.pipeline import Example, Failure
from semg_hht.prepare import MATRIX_FOLDER
from semg_hht.sources import MANIFEST

log = logging.getLogger(__name__)

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Dataset:
    """Examples and what is known of them.

    matrices : (n_examples, n_planes, 256, 256) float32.
    rows : labels; ``row.file`` names the example.
    repetitions : key of the repetition each example belongs to; examples of one repetition (its channels) share it.
    settings : how the matrices were prepared; None for matrices of other tools.
    failures : files that were left out, and why.
    """

    matrices: NDArray[np.float32]
    rows: tuple[Labelled, ...]
    repetitions: tuple[str, ...]
    settings: dict[str, Any] | None
    failures: tuple[Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, indices: Indices) -> Dataset:
        if len(indices) == len(self) and np.array_equal(indices, np.arange(len(self))):
            return self  # matrices are large: nothing to leave out, nothing to copy
        return Dataset(
            self.matrices[indices],
            tuple(self.rows[i] for i in indices),
            tuple(self.repetitions[i] for i in indices),
            self.settings,
        )

    def labels(self, task: str) -> tuple[str, ...]:
        return tuple(row.label(task) for row in self.rows)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(row.subject for row in self.rows)

    def classes(self) -> dict[str, tuple[str, ...]]:
        """Class names of each task that has labels, in output order."""
        found = {task: class_names(self.labels(task)) for task in TASKS}
        return {task: names for task, names in found.items() if names}

    def fingerprint(self) -> str:
        """SHA-256 over names, labels and values, whatever order the files were read in."""
        lines = sorted(
            f"{row.file}|{row.subject}|{row.movement}|{row.gender}|{hashlib.sha256(matrix.tobytes()).hexdigest()}"
            for row, matrix in zip(self.rows, self.matrices, strict=True)
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


Track = Callable[[Iterable[Any]], Iterable[Any]]


def load_folder(folder: Path, *, track: Track = iter) -> Dataset:
    """Matrices of a folder. Labels come from manifest.csv in it (or beside ``hht_matrices/``), else from file names.

    Raises
    ------
    InputError
        No folder, no npz in it, a name that holds no labels, or not one file that can be read.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: expected a folder of npz matrices; found {'a file' if folder.exists() else 'nothing'}"
        )
    beside = [folder / MANIFEST] + ([folder.parent / MANIFEST] if folder.name == MATRIX_FOLDER else [])
    manifest = next((path for path in beside if path.is_file()), None)
    if manifest is not None:
        return load_manifest(manifest, track=track)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".npz")
    if not files:
        raise InputError(f"{folder}: expected npz matrices or a manifest.csv; found none")
    rows = [parse_file_name(path.relative_to(folder).as_posix()) for path in files]
    return _load(list(zip(files, rows, strict=True)), track)


def load_manifest(manifest: Path, *, base: Path | None = None, track: Track = iter) -> Dataset:
    """Matrices that a manifest.csv lists, relative to ``base`` (by default the manifest's folder)."""
    return _load([((base or manifest.parent) / row.file, row) for row in read_manifest(manifest)], track)


def _load(sources: list[tuple[Path, Labelled]], track: Track) -> Dataset:
    loaded: list[tuple[Labelled, str, Matrix]] = []
    failures = []
    for path, row in track(sources):
        try:
            loaded.append((row, _repetition_key(row), read_matrix(path)))
        except InputError as error:
            failures.append(Failure(row.file, str(error)))
    return _assemble(loaded, failures)


def from_examples(results: Iterable[list[Example] | Failure]) -> Dataset:
    """What the pipeline made of raw recordings, as a dataset."""
    loaded: list[tuple[Labelled, str, Matrix]] = []
    failures = []
    for result in results:
        if isinstance(result, Failure):
            failures.append(result)
        else:
            loaded += [(example.row, example.repetition_key, example.matrix) for example in result]
    return _assemble(loaded, failures)


def _repetition_key(row: Labelled) -> str:
    if "recording" not in row.extra:
        return row.file
    return "|".join(row.extra.get(name, "") for name in ("recording", "recording_start_s", "recording_stop_s"))


def _assemble(loaded: list[tuple[Labelled, str, Matrix]], failures: list[Failure]) -> Dataset:
    if not loaded:
        raise InputError(f"none of {len(failures)} files could be used; the first: {failures[0].reason}")
    first = loaded[0][2]
    for row, _, matrix in loaded:
        if matrix.settings != first.settings:
            raise InputError(
                f"{row.file} and {loaded[0][0].file} were prepared with different settings "
                f"({_difference(matrix.settings, first.settings)}); expected one preparation for all"
            )
        if matrix.values.shape != first.values.shape:
            raise InputError(
                f"{row.file} has {matrix.values.shape[0]} channels, {loaded[0][0].file} has {first.values.shape[0]}; "
                "expected the same number in every stacked example"
            )
    matrices = np.empty((len(loaded), *first.values.shape), dtype=np.float32)
    for i, (_, _, matrix) in enumerate(loaded):
        matrices[i] = matrix.values
    return Dataset(
        matrices,
        tuple(row for row, _, _ in loaded),
        tuple(key for _, key, _ in loaded),
        first.settings,
        tuple(failures),
    )


def _difference(a: dict[str, Any] | None, b: dict[str, Any] | None) -> str:
    if a is None or b is None:
        return "one by this project, one by another tool"
    return "; ".join(f"{key}: {a.get(key)} and {b.get(key)}" for key in sorted({*a, *b}) if a.get(key) != b.get(key))


@dataclass(frozen=True)
class Split:
    """Who is trained on, who picks the best epoch, and who the final score is reported on: indices into a dataset."""

    train: Indices
    validation: Indices
    test: Indices
    by: str  # "subject" or "repetition"
    notes: tuple[str, ...] = field(default=())

    def to_json(self, dataset: Dataset) -> dict[str, Any]:
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "by": self.by,
            "notes": list(self.notes),
            **{
                side: {
                    "subjects": sorted({dataset.subjects[i] for i in indices}),
                    "files": sorted({dataset.rows[i].file for i in indices}),
                }
                for side, indices in sides.items()
            },
        }


def split_dataset(dataset: Dataset, test_size: float, validation_size: float, seed: int) -> Split:
    """Split by subject where there are at least two, else by repetition, with a warning that the score flatters.

    Parameters
    ----------
    test_size : share held out for the final score.
    validation_size : share of the rest that picks the best epoch.

    Raises
    ------
    InputError
        A share outside (0, 1), or too little data to leave something on every side.
    """
    for name, share in (("test_size", test_size), ("validation_size", validation_size)):
        if not 0 < share < 1:
            raise InputError(f"{name} must lie between 0 and 1; got {share:g}")
    notes = []
    everything = np.arange(len(dataset))
    subjects = np.array(dataset.subjects)
    repetitions = np.array(dataset.repetitions)
    n_subjects = len(set(subjects))
    by_subject = n_subjects >= 2 and "" not in subjects
    if not by_subject:
        why = "there is only one subject" if n_subjects == 1 and "" not in subjects else "subjects are not known"
        notes.append(
            f"{why}, so the split is by repetition: the score is optimistic, because the same person may stand on both "
            "sides. A manifest.csv with a column 'subject' mends that"
        )
    groups = subjects if by_subject else repetitions
    rest, test = _divide(everything, groups, dataset, test_size, seed)
    if by_subject and len(set(subjects[rest])) < 2:
        notes.append("one subject is left to train on, so the epoch is picked on other repetitions of that subject")
        groups = repetitions
    train, validation = _divide(rest, groups, dataset, validation_size, seed + 1)
    for note in notes:
        log.warning(note)
    return Split(train, validation, test, "subject" if by_subject else "repetition", tuple(notes))


N_DRAWS = 300


def _divide(
    indices: Indices, groups: NDArray[np.str_], dataset: Dataset, share: float, seed: int
) -> tuple[Indices, Indices]:
    """Set whole groups of about ``share`` aside, so that both sides hold the classes in like proportion.

    Among random draws the one with the most even classes wins; a class missing on the larger side counts most.
    """
    names = sorted(set(groups[indices]))
    if len(names) < 2:
        raise InputError(
            f"too little data to split: expected at least three repetitions or subjects; found {len(set(groups))}"
        )
    group_of = np.searchsorted(names, groups[indices])  # (n,) index into names
    columns = [_one_hot(dataset.labels(task), indices) for task in TASKS]
    labels = np.concatenate(columns, axis=1)  # (n, classes of both tasks)
    counts = np.stack([labels[group_of == g].sum(axis=0) for g in range(len(names))])  # (n_groups, n_classes)
    sizes = np.bincount(group_of, minlength=len(names))
    n_aside = min(max(1, round(share * len(names))), len(names) - 1)
    rng = np.random.default_rng(seed)
    total = counts.sum(axis=0)
    best: tuple[float, Indices] | None = None
    for _ in range(N_DRAWS):
        aside = np.sort(rng.permutation(len(names))[:n_aside])
        held = counts[aside].sum(axis=0)
        kept = total - held
        uneven = float(np.abs(held / np.maximum(total, 1) - sizes[aside].sum() / sizes.sum()).sum())
        cost = uneven + 10 * float(np.sum((total > 0) & (held == 0))) + 1000 * float(np.sum((total > 0) & (kept == 0)))
        if best is None or cost < best[0]:
            best = (cost, aside)
    assert best is not None
    is_aside = np.isin(group_of, best[1])
    return indices[~is_aside], indices[is_aside]


def _one_hot(labels: Sequence[str], indices: Indices) -> NDArray[np.intp]:
    chosen = np.array(labels)[indices]
    names = sorted(set(chosen) - {""})
    return np.asarray(chosen[:, None] == np.array(names, dtype=str)[None, :], dtype=np.intp)  # (n, n_classes)
