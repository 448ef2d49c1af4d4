"""Load labelled examples from a folder of matrices, a manifest or transformed recordings.

It knows labels and arrays, and does not know networks or import torch.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import MANIFEST, find_jobs, note_unlisted
from semg_hht.datasets.given_inputs import Data
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import MATRIX_FOLDER
from semg_hht.errors import InputError
from semg_hht.inference.svm_inputs import SvmInputs, stack_if_alike
from semg_hht.learning.matrix_store import PackedMatrices, PackEntry, new_pack, read_pack, stamp
from semg_hht.matrices.matrix import Matrix, is_matrix_file, read_matrix
from semg_hht.matrices.scaling import IN_UNITS
from semg_hht.matrices.transform import Example, PipelineConfig, transform_all
from semg_hht.recordings.jobs import Failure, none_usable
from semg_hht.recordings.manifest import (
    LABEL_COLUMN,
    TASKS,
    ManifestRow,
    class_names,
    parse_file_names,
    read_manifest,
    require_one_spelling_of_people,
)
from semg_hht.recordings.spelling import require_one_spelling
from semg_hht.recordings.units import STATE_UNITS, mixed_units
from semg_hht.system.files import file_as_named, files_in
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

Indices = NDArray[np.intp]
CHANNEL_NUMBER = re.compile(r"_ch(\d+)\.npz$")  # at the end of the names that `prepare` gives


@dataclass(frozen=True, repr=False)
class Dataset:
    """Examples: matrices with their labels and features.

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
    rows: tuple[ManifestRow, ...]
    repetitions: tuple[str, ...]
    settings: dict[str, Any] | None
    failures: tuple[Failure, ...] = ()
    features: tuple[dict[str, tuple[float, ...]], ...] = ()
    references: tuple[tuple[float, ...], ...] = ()
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
            tuple(self.rows[i] for i in indices),
            tuple(self.repetitions[i] for i in indices),
            self.settings,
            features=tuple(self.features[i] for i in indices) if self.features else (),
            references=tuple(self.references[i] for i in indices) if self.references else (),
            covariance=None if self.covariance is None else self.covariance[indices],
            profile=None if self.profile is None else self.profile[indices],
            channel_orders=self.channel_orders,
        )

    def labelled(self) -> Dataset:
        """The examples that have at least one label."""
        return self.subset(np.flatnonzero([bool(row.movement or row.gender) for row in self.rows]))

    def longest_s(self, indices: Indices) -> float:
        """Duration of the longest of these examples, in seconds; 0: their features do not state it."""
        durations = [self.features[i].get("duration_s", ()) for i in indices] if self.features else []
        return max((max(own) for own in durations if own), default=0.0)

    def labels(self, task: str) -> tuple[str, ...]:
        return tuple(row.label(task) for row in self.rows)

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
        recordings = [row.extra.get("recording", row.file) for row in self.rows]
        return SvmInputs(
            self.repetitions,
            self.features or ({},) * len(self),
            self.references or (nothing,) * len(self),
            self.covariance,
            self.profile,
            tuple(row.subject or recording for row, recording in zip(self.rows, recordings, strict=True)),
            tuple(recordings),
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(row.subject for row in self.rows)

    def classes(self) -> dict[str, tuple[str, ...]]:
        """Task -> class names in output order, for tasks with labels.

        Raises
        ------
        InputError
            A class stands under two spellings.
        """
        for task in TASKS:
            require_one_spelling({row.label(task): row.file for row in reversed(self.rows)}, LABEL_COLUMN[task])
        classes = {task: class_names(self.labels(task)) for task in TASKS}
        return {task: names for task, names in classes.items() if names}

    def fingerprint(self) -> str:
        """SHA-256 over names, labels and values; it does not depend on the order of the files."""
        digests: Iterable[str]
        if isinstance(self.matrices, PackedMatrices):
            digests = self.matrices.digests
        else:
            digests = (hashlib.sha256(matrix.tobytes()).hexdigest() for matrix in self.matrices)
        return fingerprint_of(zip(self.rows, digests, strict=True))


def fingerprint_of(examples: Iterable[tuple[ManifestRow, str]]) -> str:
    """`Dataset.fingerprint` from rows and the SHA-256 of each matrix."""
    lines = sorted(f"{row.file}|{row.subject}|{row.movement}|{row.gender}|{digest}" for row, digest in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def find_dataset(
    data_dir: Path | None,
    manifest: Path | None,
    config: PipelineConfig | None,
    references: Data | None,
    *,
    rate_hz: float | None = None,
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
        if not is_matrix_file(file_as_named(base, read_manifest(manifest)[0].file)):
            if pack is not None:
                raise InputError("pack=... keeps matrices; these are recordings: semg-hht prepare makes them of these")
            config = config or PipelineConfig()
            jobs = with_references(find_jobs(manifest, rate_hz=rate_hz, base=base), config, references)
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
        raise InputError(
            f"{folder}: expected a folder of npz matrices; found {'a file' if folder.exists() else 'nothing'}"
        )
    manifest = manifest_of(folder)
    if manifest is not None:
        note_unlisted(folder, manifest)
        return load_manifest(manifest, pack=pack, track=track)
    files = files_in(folder, (".npz",))
    arrays = files_in(folder, (".npy",))
    if arrays:
        log.warning("%s: .npy files are not read (%d found); a matrix is an .npz with the key hht", folder, len(arrays))
    if not files:
        raise InputError(
            f"{folder}: expected npz matrices or a manifest.csv; found none. Recordings become matrices with: "
            f"semg-hht prepare {folder} --out prepared"
        )
    rows = parse_file_names([path.relative_to(folder).as_posix() for path in files])
    return _load(list(zip(files, rows, strict=True)), pack, track)


def load_manifest(
    manifest: Path, *, base: Path | None = None, pack: Path | None = None, track: Track = untracked
) -> Dataset:
    """Load the matrices of a manifest.csv; names are relative to ``base`` (default: the manifest's folder)."""
    rows = read_manifest(manifest)
    if not any(row.file.lower().endswith(".npz") for row in rows):
        raise InputError(
            f"{manifest}: lists recordings, such as {rows[0].file}; expected npz matrices, which are made with: "
            f"semg-hht prepare {manifest} --out prepared"
        )
    return _load([(file_as_named(base or manifest.parent, row.file), row) for row in rows], pack, track)


def _load(sources: list[tuple[Path, ManifestRow]], pack: Path | None, track: Track) -> Dataset:
    if pack is not None:
        return _load_packed(sources, pack, track)
    loaded: list[_Loaded] = []
    failures = []
    for path, row in track(sources, len(sources), "loading"):
        try:
            loaded.append(_loaded(row, read_matrix(path)))
        except InputError as error:
            failures.append(Failure(row.file, str(error)))
    return _assemble(loaded, failures)


def _load_packed(sources: list[tuple[Path, ManifestRow]], folder: Path, track: Track) -> Dataset:
    """Load from the pack in ``folder``, which is written first unless it holds these files unchanged."""
    stamps = [stamp(path, row.file) for path, row in sources]
    pack = read_pack(folder, stamps)
    if pack is None:
        with new_pack(folder, stamps) as packing:
            for path, _ in track(sources, len(sources), "packing"):
                try:
                    matrix = read_matrix(path)
                except InputError as error:
                    packing.skip(str(error))
                else:
                    packing.add(path, matrix)
        pack = read_pack(folder, stamps)
        assert pack is not None
    packed, entries = pack
    rows = [row for _, row in sources]
    failures = [Failure(row.file, entry.reason) for row, entry in zip(rows, entries, strict=True) if entry.reason]
    loaded = [_loaded(row, entry) for row, entry in zip(rows, entries, strict=True) if entry.number is not None]
    return _assemble(loaded, failures, packed)


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


def _repetition_key(row: ManifestRow) -> str:
    if "recording" not in row.extra:
        return row.file
    return "|".join(row.extra.get(name, "") for name in ("recording", "recording_start_s", "recording_stop_s"))


@dataclass(frozen=True)
class _Loaded:
    row: ManifestRow
    repetition: str
    channel: str
    facts: Matrix | PackEntry  # the matrix itself, or its entry in a pack
    number: int = 0  # of the channel in its recording

    @property
    def sort_key(self) -> tuple[str, float, float, str, str]:
        """Sort key: by recording, time and channel, so that the order of the files does not matter."""
        extra = self.row.extra
        start = float(extra.get("recording_start_s") or self.row.start_s or 0)
        stop = float(extra.get("recording_stop_s") or self.row.stop_s or 0)
        return extra.get("recording", self.row.file), start, stop, self.channel, self.row.file


def _loaded(row: ManifestRow, facts: Matrix | PackEntry) -> _Loaded:
    if isinstance(facts, Matrix):
        row = replace(row, rate_hz=row.rate_hz or facts.rate_hz, units=row.units or facts.units)
    number = CHANNEL_NUMBER.search(row.file)
    return _Loaded(row, _repetition_key(row), row.extra.get("channel", ""), facts, int(number[1]) if number else 0)


def _channel_orders(loaded: list[_Loaded]) -> dict[str, tuple[str, ...]]:
    """Repetition -> names of its channels in the order of the recording, where they are known."""
    orders: dict[str, list[str]] = {}
    for item in sorted(loaded, key=lambda item: item.number):
        orders.setdefault(item.repetition, []).extend(item.channel.split("+"))
    return {repetition: tuple(names) for repetition, names in orders.items() if all(names)}


def _assemble(loaded: list[_Loaded], failures: list[Failure], packed: PackedMatrices | None = None) -> Dataset:
    if not loaded:
        raise none_usable(failures, "files")
    loaded.sort(key=lambda item: item.sort_key)
    require_one_spelling_of_people(item.row for item in loaded)
    first = loaded[0]
    n_planes = _n_planes(first, packed)
    for item in loaded:
        if item.facts.settings != first.facts.settings:
            raise InputError(
                f"{item.row.file} and {first.row.file} were prepared with different settings "
                f"({_difference(item.facts.settings, first.facts.settings)}); expected one preparation for all"
            )
        if _n_planes(item, packed) != n_planes:
            raise InputError(
                f"{item.row.file} has {_n_planes(item, packed)} channels, {first.row.file} has {n_planes}; "
                "expected the same number in every stacked example"
            )
        if n_planes > 1 and item.channel != first.channel:
            raise InputError(
                f"{item.row.file} stacks channels {item.channel}, {first.row.file} {first.channel}; "
                "expected the same channels in the same order"
            )
    if (first.facts.settings or {}).get("scaling") in IN_UNITS:
        mixed = mixed_units({item.row.extra.get("recording", item.row.file): item.row.units for item in loaded})
        if mixed:
            log.warning("%s; %s", mixed, STATE_UNITS)
    return Dataset(
        _matrices(loaded, packed),
        tuple(item.row for item in loaded),
        tuple(item.repetition for item in loaded),
        first.facts.settings,
        tuple(failures),
        tuple(item.facts.features for item in loaded),
        tuple(item.facts.reference for item in loaded),
        stack_if_alike([item.facts.covariance for item in loaded]),
        stack_if_alike([item.facts.profile for item in loaded]),
        _channel_orders(loaded),
    )


def _n_planes(item: _Loaded, packed: PackedMatrices | None) -> int:
    return len(item.facts.values) if isinstance(item.facts, Matrix) else cast(PackedMatrices, packed).n_planes


def _matrices(loaded: list[_Loaded], packed: PackedMatrices | None) -> NDArray[np.float32] | PackedMatrices:
    """(n_examples, n_planes, 256, 256), in the order of ``loaded``."""
    if packed is not None:
        return packed.subset(np.array([item.facts.number for item in loaded if isinstance(item.facts, PackEntry)]))
    values = [item.facts.values for item in loaded if isinstance(item.facts, Matrix)]
    return np.stack(values).astype(np.float32, copy=False)


def _difference(a: dict[str, Any] | None, b: dict[str, Any] | None) -> str:
    if a is None or b is None:
        return "one by this project, one by another tool"
    return "; ".join(f"{key}: {a.get(key)} and {b.get(key)}" for key in sorted({*a, *b}) if a.get(key) != b.get(key))
