"""What a run is asked about: matrices and recordings as its engine wants them, file by file, some of them ahead.

Knows files and what a run expects of them: nothing of how it answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import find_inputs, with_long_names
from semg_hht.errors import InputError
from semg_hht.inference.svm_inputs import Beside
from semg_hht.matrices.matrix import Matrix, read_matrix
from semg_hht.matrices.scaling import min_max
from semg_hht.matrices.transform import Example, Failure, Job, PipelineConfig, transform_all
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.processes import ahead
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

AHEAD = 64  # matrices that are read while the network works on others


@dataclass(frozen=True)
class Place:
    """Where a matrix of a recording comes from."""

    row: ManifestRow
    channel: str
    repetition_key: str


@dataclass(frozen=True)
class Loaded:
    """The matrices of one file and what each is of.

    axes : centres of the frequency and of the time bins of each matrix, (256,) each; None where the file does not say.
    job : of a recording: what was read.
    """

    file: str
    matrices: NDArray[np.float32]  # (n, n_planes, 256, 256)
    beside: Beside
    examples: tuple[Place, ...] = ()  # of a recording: where each matrix comes from
    remarks: tuple[str, ...] = ()
    axes: tuple[tuple[NDArray[np.float64] | None, NDArray[np.float64] | None], ...] = ()
    job: Job | None = None


@dataclass(frozen=True)
class Intake:
    """What a run takes in; see `semg_hht.prediction.run.Run` for what the fields mean."""

    n_planes: int
    preparation: dict[str, Any] | None
    peak: float
    recording_config: PipelineConfig | None
    blocks: Mapping[str, Mapping[str, int]]

    def load(
        self,
        inputs: str | Path | Sequence[str | Path],
        *,
        rate_hz: float | None = None,
        units: str = "",
        references: str | Path | None = None,
        repetitions: SegmentConfig | None = None,
        only: str = "",
        n_jobs: int = -1,
        track: Track = untracked,
    ) -> Iterator[Loaded | Failure]:
        """What `predict` answers, file by file, as the engine wants it; see there for parameters and errors.

        only : the file of this name alone; the others still stand behind a subject's mean.
        """
        paths = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
        matrices: list[tuple[Path, str]] = []
        jobs: list[Job] = []
        for path in map(Path, paths):
            try:
                more_matrices, more_jobs = find_inputs(path, rate_hz, units)
            except InputError as error:
                if len(paths) == 1:
                    raise
                yield Failure(str(path), str(error))
                continue
            taken = {name for _, name in matrices} | {job.rows[0].file for job in jobs}
            if taken & ({name for _, name in more_matrices} | {job.rows[0].file for job in more_jobs}):
                more_matrices, more_jobs = with_long_names(path, more_matrices, more_jobs)
            matrices += more_matrices
            jobs += more_jobs
        if repetitions is not None and self.recording_config is not None:
            from semg_hht.datasets.segment import with_repetitions  # here and below: matrices are answered without

            filters = self.recording_config.filter
            jobs, without = with_repetitions(jobs, repetitions, filters, n_jobs=n_jobs, track=track)
            yield from without
        loaded = chain(
            self._matrices([source for source in matrices if only in ("", source[1])], n_jobs),
            self._recordings(jobs, references, only, n_jobs),
        )
        yield from track(loaded, len(matrices) + len(jobs), "predicting")

    def _matrices(self, sources: list[tuple[Path, str]], n_jobs: int) -> Iterator[Loaded | Failure]:
        n_foreign = 0
        read = ahead(_read_or_fail, [path for path, _ in sources], AHEAD if n_jobs != 1 else 0)
        for (path, name), found in zip(sources, read, strict=True):
            try:
                matrix = _or_raise(found)
                values = matrix.values
                self._require_planes(path, values.shape[0])
                if matrix.settings is None and self.preparation is not None:
                    n_foreign += 1
                    values = values * np.float32(self.peak)  # read as 0..1; the network knows values up to its peak
                elif matrix.settings != self.preparation:
                    raise InputError(
                        f"{path}: prepared otherwise than the matrices this run was trained on; "
                        "expected the same settings, or the recording itself"
                    )
                beside = Beside((name,), (matrix.features,), None if matrix.mixing is None else matrix.mixing[None])
                self._require_beside(path, beside)
                yield Loaded(name, values[None], beside, axes=((matrix.frequency_hz, matrix.time_s),))
            except InputError as error:
                yield Failure(name, str(error))
        if n_foreign:
            log.warning(
                "matrices of another tool (%d), but this run was trained on matrices of this one: their values were "
                "stretched to the run's range, their axes taken as they are; the answers are a guess",
                n_foreign,
            )

    def _recordings(
        self, jobs: list[Job], references: str | Path | None, only: str, n_jobs: int
    ) -> Iterator[Loaded | Failure]:
        if not any(only in ("", job.rows[0].file) for job in jobs):
            return
        config = self.recording_config
        if config is None:
            reason = (
                "this run was trained on matrices of another tool and can't know how to transform a recording; "
                "say how, for example with --band 20 450"
            )
            yield from (Failure(job.rows[0].file, f"{job.path}: {reason}") for job in jobs)
            return
        from semg_hht.datasets.mvc import with_references

        jobs = with_references(jobs, config, None if references is None else Path(references), n_jobs=n_jobs)
        jobs = [job for job in jobs if only in ("", job.rows[0].file)]
        for job, result in zip(jobs, transform_all(jobs, config, n_jobs=n_jobs), strict=True):
            name = job.rows[0].file
            if isinstance(result, Failure):
                yield result
                continue
            try:
                for example in result:  # rows of one recording may choose different channels to stack
                    self._require_planes(job.path, example.matrix.values.shape[0])
                beside = _beside(name, result)
                self._require_beside(job.path, beside)
            except InputError as error:
                yield Failure(name, str(error))
                continue
            values = np.stack([example.matrix.values for example in result])
            if self.preparation is None:  # the run knows matrices stretched to 0..1, plane by plane
                values = np.stack([[min_max(plane) for plane in example] for example in values])
            places = tuple(Place(e.row, e.channel, e.repetition_key) for e in result)
            axes = tuple((e.matrix.frequency_hz, e.matrix.time_s) for e in result)
            yield Loaded(name, values, beside, places, result[0].remarks, axes, job)

    def _require_beside(self, path: Path, beside: Beside) -> None:
        for widths in self.blocks.values():
            lacking = beside.lacks(widths)
            if lacking:
                raise InputError(
                    f"{path}: this run's recipe needs {lacking}; expected recordings like those it was trained on, or "
                    "matrices of 'semg-hht prepare'"
                )

    def _require_planes(self, path: Path, n_planes: int) -> None:
        if n_planes != self.n_planes:
            raise InputError(f"{path}: has {n_planes} channels; this run was trained on {self.n_planes}")


def _beside(name: str, examples: list[Example]) -> Beside:
    """Of one recording; its repetitions are told from those of others."""
    mixing = [example.matrix.mixing for example in examples]
    known = [found for found in mixing if found is not None]
    whole = len(known) == len(mixing) and len({found.size for found in known}) == 1
    return Beside(
        tuple(f"{name}|{example.repetition_key}" for example in examples),
        tuple(example.matrix.features for example in examples),
        np.stack(known) if whole else None,
    )


def _read_or_fail(path: Path) -> Matrix | InputError:
    try:
        return read_matrix(path)
    except InputError as error:
        return error


def _or_raise(found: Matrix | InputError) -> Matrix:
    if isinstance(found, InputError):
        raise found
    return found
