"""Load labelled examples from a folder of matrices, a manifest or transformed recordings.

It knows labels and arrays, and does not know networks or import torch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import MANIFEST, InputOptions, find_jobs, note_unlisted
from semg_hht.datasets.given_inputs import Data
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import MATRIX_FOLDER
from semg_hht.errors import InputError
from semg_hht.inference.svm_inputs import SvmInputs, stack_if_alike
from semg_hht.learning.columns import ChosenRows, Numbers, chosen_of
from semg_hht.learning.dataset_rows import (
    CHANNEL,
    ChannelOrders,
    Repetitions,
    RowColumns,
    channel_number,
    first_files,
    recordings_of,
    repetition_key,
    sort_key,
    texts_of,
)
from semg_hht.learning.matrix_store import PackedMatrices, new_pack, read_pack
from semg_hht.learning.one_preparation import PreparedAs, require_one_preparation, warn_of_mixed_units
from semg_hht.learning.pack_index import PackIndex, Stamps, features_in, reference_in
from semg_hht.matrices.matrix import Matrix, is_matrix_file, read_matrix
from semg_hht.matrices.scaling import IN_UNITS
from semg_hht.matrices.transform import Example, PipelineConfig, transform_all
from semg_hht.recordings.jobs import Failure, none_usable
from semg_hht.recordings.manifest import (
    LABEL_COLUMN,
    TASKS,
    ManifestRow,
    class_names,
    iterate_manifest,
    parse_file_names,
    read_manifest,
)
from semg_hht.recordings.spelling import require_one_spelling
from semg_hht.system.files import file_as_named, in_command, names_in
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

Indices = Numbers


@dataclass(frozen=True, repr=False)
class Dataset:
    """Examples: matrices with their labels and features. A pack has columns, from which a row is made when asked for.

    matrices : (n_examples, n_planes, 256, 256) float32, in memory or on disk.
    rows : labels; ``row.file`` names the example.
    repetitions : key of each example's repetition; the channels of a repetition share it.
    settings : how the matrices were prepared; None for matrices of another tool.
    failures : files that could not be used, with the reason.
    features : classical features of each example, name -> one value per plane; empty for matrices without them.
    references : reference amplitudes of each example, one value per plane; empty for matrices without them.
    covariance, profile : log covariance and power profile of the channels of each example's repetition,
        (n_examples, n); None where one lacks it.
    channel_orders : repetition -> names of its channels in the order of the recording; of unknown repetitions none.
    """

    matrices: NDArray[np.float32] | PackedMatrices
    rows: Sequence[ManifestRow]
    repetitions: Sequence[str]
    settings: dict[str, Any] | None
    failures: tuple[Failure, ...] = ()
    features: Sequence[dict[str, tuple[float, ...]]] = ()
    references: Sequence[tuple[float, ...]] = ()
    covariance: NDArray[np.float64] | None = None
    profile: NDArray[np.float64] | None = None
    channel_orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Dataset: {len(self)} matrices of {len({*self.subjects} - {''})} people>"

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, indices: Indices) -> Dataset:
        if len(indices) == len(self) and np.array_equal(indices, np.arange(len(self))):
            return self  # matrices are large: no copy if all examples are kept
        return Dataset(
            self.matrices.subset(indices) if isinstance(self.matrices, PackedMatrices) else self.matrices[indices],
            chosen_of(self.rows, indices),
            chosen_of(self.repetitions, indices),
            self.settings,
            features=chosen_of(self.features, indices) if self.features else (),
            references=chosen_of(self.references, indices) if self.references else (),
            covariance=None if self.covariance is None else self.covariance[indices],
            profile=None if self.profile is None else self.profile[indices],
            channel_orders=self.channel_orders,
        )

    def labelled(self) -> Dataset:
        """The examples that have at least one label."""
        return self.subset(np.flatnonzero(self.is_labelled(TASKS)))

    def is_labelled(self, tasks: Iterable[str]) -> NDArray[np.bool_]:
        """(n_examples,) whether each has a label for one of these tasks."""
        return np.array([any(labels) for labels in zip(*map(self.labels, tasks), strict=True)], dtype=bool)

    def longest_s(self, indices: Indices) -> float:
        """Duration of the longest of these examples, in seconds; 0: their features do not state it."""
        durations = [self.features[i].get("duration_s", ()) for i in indices] if self.features else []
        return max((max(own) for own in durations if own), default=0.0)

    def labels(self, task: str) -> tuple[str, ...]:
        return tuple(texts_of(self.rows, LABEL_COLUMN[task]))

    @property
    def peaks(self) -> NDArray[np.float32]:
        """(n_examples,) largest value of each matrix."""
        if isinstance(self.matrices, PackedMatrices):
            return self.matrices.peaks
        return np.asarray(self.matrices.max(axis=(1, 2, 3), initial=-np.inf))

    @property
    def svm_inputs(self) -> SvmInputs:
        """What is measured of the examples, and whose they are; a person who is not known has one recording."""
        nothing: tuple[float, ...] = ()
        recordings = recordings_of(self.rows)
        return SvmInputs(
            self.repetitions,
            self.features or ({},) * len(self),
            self.references or (nothing,) * len(self),
            self.covariance,
            self.profile,
            tuple(subject or recording for subject, recording in zip(self.subjects, recordings, strict=True)),
            tuple(recordings),
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(texts_of(self.rows, "subject"))

    def classes(self) -> dict[str, tuple[str, ...]]:
        """Task -> class names in output order, for tasks with labels.

        Raises
        ------
        InputError
            A class stands under two spellings.
        """
        for task in TASKS:
            require_one_spelling(first_files(self.rows, LABEL_COLUMN[task]), LABEL_COLUMN[task])
        classes = {task: class_names(self.labels(task)) for task in TASKS}
        return {task: names for task, names in classes.items() if names}

    def fingerprint(self) -> str:
        """SHA-256 over names, labels and values; it does not depend on the order of the files."""
        digests: Iterable[str]
        if isinstance(self.matrices, PackedMatrices):
            digests = (digest.tobytes().hex() for digest in self.matrices.digests)
        else:
            digests = (hashlib.sha256(matrix.tobytes()).hexdigest() for matrix in self.matrices)
        return fingerprint_of(zip(self.rows, digests, strict=True))


def fingerprint_of(examples: Iterable[tuple[ManifestRow, str]]) -> str:
    """`Dataset.fingerprint` from rows and the SHA-256 of each matrix."""
    lines = sorted(f"{row.file}|{row.subject}|{row.movement}|{row.gender}|{digest}" for row, digest in examples)
    whole = hashlib.sha256()
    for i, line in enumerate(lines):
        whole.update(f"\n{line}".encode() if i else line.encode())
    return whole.hexdigest()


def find_dataset(
    data_dir: Path | None,
    manifest: Path | None,
    config: PipelineConfig | None,
    references: Data | None,
    *,
    inputs: InputOptions = InputOptions(),
    pack: Path | None = None,
    track: Track = untracked,
) -> Dataset:
    """Load training data: a folder of matrices, or a manifest of matrices or recordings.

    Parameters
    ----------
    manifest : its labels are used instead of file names. Its files are in ``data_dir`` if given, else beside it.
    config : how to transform recordings; None: the defaults. Matrices are used as they are.
    pack : folder of a pack, one file with all matrices that is read batch by batch; created if it does not exist.

    Raises
    ------
    InputError
        Neither ``data_dir`` nor ``manifest`` is given, or transform settings are given for matrices.
    """
    if manifest is not None:
        base = data_dir or manifest.parent
        if not is_matrix_file(file_as_named(base, next(iterate_manifest(manifest)).file)):
            if pack is not None:
                raise InputError("pack=... keeps matrices; these are recordings: semg-hht prepare makes them of these")
            config = config or PipelineConfig()
            jobs = find_jobs(manifest, rate_hz=inputs.rate_hz, units=inputs.units, base=base)
            jobs = with_references(jobs, config, references)
            return from_examples(track(transform_all(jobs, config), len(jobs), "transforming"))
    if config is not None:
        raise InputError("matrices are trained on as they are: band_hz=... and the like go with recordings")
    if manifest is not None:
        return load_manifest(manifest, base=base, pack=pack, track=track)
    if data_dir is not None:
        return load_folder(data_dir, pack=pack, track=track)
    raise InputError("say where the data is: data_dir=FOLDER, or manifest=FILE")


def manifest_of(folder: Path) -> Path | None:
    """The manifest.csv of a folder of matrices: in the folder, or beside it if its name is ``hht_matrices``."""
    candidates = [folder / MANIFEST] + ([folder.parent / MANIFEST] if folder.name == MATRIX_FOLDER else [])
    return next((path for path in candidates if path.is_file()), None)


def load_folder(folder: Path, *, pack: Path | None = None, track: Track = untracked) -> Dataset:
    """Load the matrices of a folder, with labels from its manifest.csv (or beside ``hht_matrices/``), else file names.

    ``pack`` : as in `find_dataset`.

    Raises
    ------
    InputError
        Not a folder, no npz files, a file name without labels, or no readable file.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise InputError(f"{folder}: expected a folder of npz matrices; found {found}")
    manifest = manifest_of(folder)
    if manifest is not None:
        note_unlisted(folder, manifest)
        return load_manifest(manifest, pack=pack, track=track)
    names = names_in(folder, (".npz",))
    if n_arrays := len(names_in(folder, (".npy",))):
        log.warning("%s: .npy files are not read (%d found); a matrix is an .npz with the key hht", folder, n_arrays)
    if not names:
        raise InputError(
            f"{folder}: expected npz matrices or a manifest.csv; found none. Recordings become matrices with: "
            f"semg-hht prepare {in_command(folder)} --out prepared"
        )
    rows = parse_file_names(names)
    return _load(list(rows) if pack is None else RowColumns(rows), folder, pack, track)


def load_manifest(
    manifest: Path, *, base: Path | None = None, pack: Path | None = None, track: Track = untracked
) -> Dataset:
    """Load the matrices of a manifest.csv; names are relative to ``base`` (default: the manifest's folder)."""
    rows = read_manifest(manifest) if pack is None else RowColumns(iterate_manifest(manifest))
    if not any(name.lower().endswith(".npz") for name in texts_of(rows, "file")):
        raise InputError(
            f"{manifest}: lists recordings, such as {rows[0].file}; expected npz matrices, which are made with: "
            f"semg-hht prepare {in_command(manifest)} --out prepared"
        )
    return _load(rows, base or manifest.parent, pack, track)


def _load(rows: Sequence[ManifestRow], base: Path, pack: Path | None, track: Track) -> Dataset:
    if pack is not None:
        return _load_packed(cast(RowColumns, rows), base, pack, track)
    loaded: list[_Loaded] = []
    failures = []
    for row in track(rows, len(rows), "loading"):
        try:
            loaded.append(_loaded(row, read_matrix(file_as_named(base, row.file))))
        except InputError as error:
            failures.append(Failure(row.file, str(error)))
    return _assemble(loaded, failures)


def _load_packed(rows: RowColumns, base: Path, folder: Path, track: Track) -> Dataset:
    """Load from the pack in ``folder``, which is written first unless it holds these files unchanged."""
    names = rows.texts["file"]
    stamps = Stamps.of(base, names)
    pack = read_pack(folder, stamps)
    if pack is None:
        with new_pack(folder, stamps) as packing:
            for name in track(names, len(names), "packing"):
                path = file_as_named(base, name)
                try:
                    matrix = read_matrix(path)
                except InputError as error:
                    packing.skip(str(error))
                else:
                    packing.add(path, matrix)
        pack = read_pack(folder, stamps)
        assert pack is not None
    return _from_pack(rows, *pack)


def _from_pack(rows: RowColumns, packed: PackedMatrices, index: PackIndex) -> Dataset:
    entries, files = index.entries, rows.texts["file"]
    failures = tuple(Failure(files[i], reason) for i, reason in entries.reasons.items())
    held = entries.held
    if not len(held):
        raise none_usable(failures, "files")
    order = rows.order(held)  # of the matrices, which stand one after the other
    held = held[order]
    settings = [index.settings[number] if number >= 0 else None for number in entries.settings.values]
    chosen = ChosenRows[ManifestRow](rows, held)
    require_one_preparation(
        PreparedAs(files[i], settings[entries.settings.codes[i]], packed.n_planes, rows.channel(i))
        for i in held.tolist()
    )
    return _checked(
        packed if np.array_equal(order, np.arange(len(order))) else packed.subset(order),
        chosen,
        ChosenRows(Repetitions(rows), held),
        settings[entries.settings.codes[held[0]]],
        failures,
        ChosenRows(entries.stored, held, features_in),
        ChosenRows(entries.stored, held, reference_in),
        entries.covariance.taken_out(held),
        entries.profile.taken_out(held),
        ChannelOrders(rows, held),
    )


def _checked(*parts: Any) -> Dataset:
    """A data set of these parts, whose people are named in one way."""
    dataset = Dataset(*parts)
    require_one_spelling(first_files(dataset.rows, "subject"), "subject")
    if (dataset.settings or {}).get("scaling") in IN_UNITS:
        warn_of_mixed_units(dict(zip(recordings_of(dataset.rows), texts_of(dataset.rows, "units"), strict=True)))
    return dataset


def from_examples(results: Iterable[list[Example] | Failure]) -> Dataset:
    """A dataset from transformed recordings."""
    loaded: list[_Loaded] = []
    failures = []
    for result in results:
        if isinstance(result, Failure):
            failures.append(result)
        else:
            loaded += [
                replace(_loaded(e.row, e.matrix), repetition=e.repetition_key, channel=e.channel, number=number)
                for number, e in enumerate(result)
            ]
    return _assemble(loaded, failures)


@dataclass(frozen=True)
class _Loaded:
    row: ManifestRow
    repetition: str
    channel: str
    matrix: Matrix
    number: int = 0  # of the channel in its recording


def _loaded(row: ManifestRow, matrix: Matrix) -> _Loaded:
    row = replace(row, rate_hz=row.rate_hz or matrix.rate_hz, units=row.units or matrix.units)
    return _Loaded(row, repetition_key(row), row.extra.get(CHANNEL, ""), matrix, channel_number(row.file))


def _channel_orders(loaded: list[_Loaded]) -> dict[str, tuple[str, ...]]:
    """Repetition -> names of its channels in the order of the recording, where they are known."""
    orders: dict[str, list[str]] = {}
    for item in sorted(loaded, key=lambda item: item.number):
        orders.setdefault(item.repetition, []).extend(item.channel.split("+"))
    return {repetition: tuple(names) for repetition, names in orders.items() if all(names)}


def _assemble(loaded: list[_Loaded], failures: list[Failure]) -> Dataset:
    if not loaded:
        raise none_usable(failures, "files")
    loaded.sort(key=lambda item: sort_key(item.row, item.channel))
    rows = tuple(item.row for item in loaded)
    matrices = [item.matrix for item in loaded]
    require_one_preparation(
        PreparedAs(item.row.file, item.matrix.settings, len(item.matrix.values), item.channel) for item in loaded
    )
    return _checked(
        np.stack([matrix.values for matrix in matrices]).astype(np.float32, copy=False),
        rows,
        tuple(item.repetition for item in loaded),
        matrices[0].settings,
        tuple(failures),
        tuple(matrix.features for matrix in matrices),
        tuple(matrix.reference for matrix in matrices),
        stack_if_alike([matrix.covariance for matrix in matrices]),
        stack_if_alike([matrix.profile for matrix in matrices]),
        _channel_orders(loaded),
    )
