"""Load matrices and recordings, file by file, in the form that a model needs.

It does not know how the model answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import InputOptions, with_long_names
from semg_hht.datasets.given_inputs import Data, distinct, given_list, inputs_of
from semg_hht.errors import InputError
from semg_hht.inference.answers import halved
from semg_hht.inference.description import ModelDescription
from semg_hht.inference.novelty import Reason
from semg_hht.inference.svm_inputs import SvmInputs
from semg_hht.matrices.matrix import Matrix, read_matrix
from semg_hht.matrices.scaling import min_max
from semg_hht.matrices.transform import Example, PipelineConfig, transform, warn_of_clipped_band
from semg_hht.prediction.found_repetitions import LONGER, with_found_repetitions
from semg_hht.prediction.unlike import reasons_of, require_channels
from semg_hht.recordings.channels import is_one_sided
from semg_hht.recordings.jobs import Failure, Job, for_each
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.quality import clipped_ends
from semg_hht.recordings.recording import Recording
from semg_hht.signals.filtered_recording import FilteredRecording, open_filtered
from semg_hht.signals.repetitions import SegmentConfig, cut_repetition
from semg_hht.system.processes import map_ahead
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

AHEAD = 64  # matrices that are read while the network answers earlier ones


@dataclass(frozen=True)
class Origin:
    """The row, channel and repetition of a recording that a matrix was made of."""

    row: ManifestRow
    channel: str
    repetition_key: str


@dataclass(frozen=True)
class LoadedInput:
    """The matrices of one file and their origins.

    matrices : (n, n_planes, 256, 256).
    axes : centres of the frequency and of the time bins of each matrix, (256,) each; None where unknown.
    origins : the origin of each matrix of a recording; empty for a matrix file.
    number : number of the first repetition that was loaded, counted from 1.
    n_repetitions : repetitions in the file, loaded or not.
    source : the filtered recording, where `Choice.keep_recordings` asked for it.
    units : of the recording, ``counts`` where it holds whole numbers without units; empty: not stated.
    is_foreign : whether the matrix was written by another tool.
    clipped : of each matrix of a recording, the share of samples that lie at an end of the range; the largest of its
        channels.
    misses_the_muscles : of the stated times; see `FilteredRecording`.
    one_sided : channels that lie on one side of 0, as rectified signals do.
    unlike : why each of its `repetitions` is unlike the training data of the model.
    """

    file: str
    matrices: NDArray[np.float32]
    svm_inputs: SvmInputs
    axes: tuple[tuple[NDArray[np.float64] | None, NDArray[np.float64] | None], ...]
    origins: tuple[Origin, ...] = ()
    rate_hz: float | None = None
    remarks: tuple[str, ...] = ()
    number: int = 1
    n_repetitions: int = 1
    source: FilteredRecording | None = None
    units: str = ""
    is_foreign: bool = False
    clipped: tuple[float, ...] = ()
    one_sided: tuple[str, ...] = ()
    misses_the_muscles: float | None = None
    unlike: tuple[tuple[Reason, ...], ...] = ()

    def repetitions(self) -> list[list[int]]:
        """Indices of the matrices of each repetition, in order; a matrix file is one repetition."""
        members: dict[str, list[int]] = {}
        for i in range(len(self.matrices)):
            members.setdefault(self.origins[i].repetition_key if self.origins else "", []).append(i)
        return list(members.values())


@dataclass(frozen=True)
class Choice:
    """Which part of the input to load.

    file : only the file of this name; empty: all. All files count for the mean amplitude of a subject.
    repetition : only this repetition of each file, counted from 1; None: all.
    keep_recordings : keep the filtered recording in `LoadedInput.source`.
    """

    file: str = ""
    repetition: int | None = None
    keep_recordings: bool = False

    def takes(self, file: str) -> bool:
        return self.file in ("", file)


@dataclass(frozen=True)
class InputLoader:
    """Loads input for one model.

    recording_config : how recordings are transformed; None: unknown, so recordings are refused.
    """

    model: ModelDescription
    recording_config: PipelineConfig | None

    def load(
        self,
        inputs: Data,
        options: InputOptions = InputOptions(),
        choice: Choice = Choice(),
        *,
        n_jobs: int = -1,
        track: Track = untracked,
    ) -> Iterator[LoadedInput | Failure]:
        """Load matrices, recordings, folders of either, a manifest.csv, or objects; one result for each file.

        Repetitions are found in recordings as `with_found_repetitions` says, unless ``options`` state otherwise.

        Raises
        ------
        InputError
            A single input that does not exist or holds nothing to load.
        """
        if options.segmentation is None and not options.whole and self.model.longest_s:
            options = replace(options, segmentation=SegmentConfig(min_recording_s=LONGER * self.model.longest_s))
        several = given_list(inputs, rate_hz=options.rate_hz, units=options.units)
        matrices: list[tuple[Path, str]] = []
        jobs: list[Job] = []
        for number, given in enumerate(several, start=1):
            try:
                more_matrices, more_jobs = inputs_of(given, options, number)
            except InputError as error:
                if len(several) == 1:
                    raise
                yield Failure(str(given) if isinstance(given, (str, Path)) else f"input {number}", str(error))
                continue
            names = {name for _, name in matrices} | {job.file for job in jobs}
            if not isinstance(given, (str, Path)):
                more_jobs = distinct(given, more_jobs, names)
            elif names & ({name for _, name in more_matrices} | {job.file for job in more_jobs}):
                more_matrices, more_jobs = with_long_names(Path(given), more_matrices, more_jobs)
            matrices += more_matrices
            jobs += more_jobs
        loaded = chain(
            self._matrices([source for source in matrices if choice.takes(source[1])], choice, n_jobs),
            self._recordings(jobs, options, choice, n_jobs),
        )
        yield from track(loaded, len(matrices) + len(jobs), "predicting")

    def _matrices(
        self, sources: list[tuple[Path, str]], choice: Choice, n_jobs: int
    ) -> Iterator[LoadedInput | Failure]:
        n_foreign = 0
        read = map_ahead(_read_or_fail, [path for path, _ in sources], AHEAD if n_jobs != 1 else 0)
        for (path, name), result in zip(sources, read, strict=True):
            try:
                matrix = _or_raise(result)
                self._require_planes(path, matrix.values.shape[0])
                require_repetition(name, choice.repetition, 1)
                values = matrix.values
                if matrix.settings is None and self.model.preparation is not None:
                    n_foreign += 1
                    values = values * np.float32(self.model.peak)  # 0..1 -> the range of the training matrices
                elif matrix.settings != self.model.preparation:
                    raise InputError(
                        f"{path}: prepared with other settings than the matrices this run was trained on; "
                        "expected the same settings, or the recording itself"
                    )
                svm_inputs = SvmInputs.of_matrices([matrix], [name])
                self._require_all_channels(path, matrix)
                self._require_blocks(path, svm_inputs)
                axes = ((matrix.frequency_hz, matrix.time_s),)
                item = LoadedInput(
                    name, values[None], svm_inputs, axes,
                    rate_hz=matrix.rate_hz, units=matrix.units, is_foreign=matrix.settings is None,
                )  # fmt: skip
                yield replace(item, unlike=reasons_of(self.model.training, item))
            except InputError as error:
                yield Failure(name, str(error))
        if n_foreign:
            log.warning(
                "matrices of another tool (%d), but this run was trained on matrices of this one: their values were "
                "stretched to the range of the run and their axes are unchecked; the answers are unreliable",
                n_foreign,
            )

    def _recordings(
        self, jobs: list[Job], options: InputOptions, choice: Choice, n_jobs: int
    ) -> Iterator[LoadedInput | Failure]:
        if not any(choice.takes(job.file) for job in jobs):
            return
        config = self.recording_config
        if config is None:
            reason = (
                "this run was trained on matrices of another tool and does not know how to transform a recording; "
                "state it, for example with band_hz=(20, 450)"
            )
            yield from (Failure(job.file, f"{job.path}: {reason}") for job in jobs)
            return
        from semg_hht.datasets.mvc import with_references  # not loaded where there are only matrices

        jobs = with_references(jobs, config, options.references, segmentation=options.segmentation, n_jobs=n_jobs)
        jobs = [job for job in jobs if choice.takes(job.file)]
        warned: set[float] = set()
        for result in for_each(self._load_recording, jobs, options, choice, n_jobs=n_jobs):
            if not isinstance(result, Failure) and result.rate_hz is not None:
                warn_of_clipped_band(result.rate_hz, config, warned)
            yield result

    def _load_recording(self, job: Job, n_threads: int | None, options: InputOptions, choice: Choice) -> LoadedInput:
        """Read, filter, segment and transform one recording."""
        assert self.recording_config is not None
        filters, segmentation = self.recording_config.filter, options.segmentation
        if segmentation is None or not segmentation.min_recording_s:
            from semg_hht.datasets.segment import open_segmented  # not loaded where there are only matrices

            return self.transformed(open_segmented(job, filters, segmentation), choice, n_threads=n_threads)
        source, remarks = with_found_repetitions(open_filtered(job, filters), self.model, segmentation)
        loaded = self.transformed(source, choice, n_threads=n_threads)
        return replace(loaded, remarks=(*loaded.remarks, *remarks))

    def transformed(
        self, source: FilteredRecording, choice: Choice = Choice(), *, n_threads: int | None = None
    ) -> LoadedInput:
        """Transform a filtered recording to the input of the model.

        Raises
        ------
        InputError
            The recording can't be transformed, lacks the chosen repetition, or does not fit the model.
        """
        assert self.recording_config is not None
        job = source.job
        times = list(dict.fromkeys((row.start_s, row.stop_s) for row in job.rows))
        require_repetition(job.file, choice.repetition, len(times))
        misses = source.misses_the_muscles
        if choice.repetition is not None:
            chosen = times[choice.repetition - 1]
            rows = tuple(row for row in job.rows if (row.start_s, row.stop_s) == chosen)
            source = replace(source, job=replace(job, rows=rows))
        examples = transform(source, self.recording_config, n_threads=n_threads)
        for example in examples:  # rows of one recording may choose different channels to stack
            names = example.channel.split("+")
            if len(names) == example.matrix.values.shape[0]:
                require_channels(self.model.training, job.path, names, [self.model.network.n_planes])
            self._require_planes(job.path, example.matrix.values.shape[0])
        keys = [f"{job.file}|{example.repetition_key}" for example in examples]
        people = [example.row.subject or job.file for example in examples]
        svm_inputs = SvmInputs.of_matrices(
            [example.matrix for example in examples], keys, people, [job.file] * len(examples)
        )
        self._require_blocks(job.path, svm_inputs, [example.channel for example in examples])
        values = np.stack([example.matrix.values for example in examples])
        if self.model.preparation is None:  # trained on matrices stretched to 0..1, plane by plane
            values = np.stack([[min_max(plane) for plane in planes] for planes in values])
        item = LoadedInput(
            file=job.file,
            matrices=values,
            svm_inputs=svm_inputs,
            axes=tuple((example.matrix.frequency_hz, example.matrix.time_s) for example in examples),
            origins=tuple(Origin(example.row, example.channel, example.repetition_key) for example in examples),
            rate_hz=examples[0].rate_hz,
            remarks=examples[0].remarks,
            number=choice.repetition or 1,
            n_repetitions=len(times),
            source=source if choice.keep_recordings else None,
            units=source.raw.units or ("counts" if _are_whole(source.raw) else ""),
            clipped=tuple(_clipped_share(source.raw, example) for example in examples),
            misses_the_muscles=misses,
            one_sided=tuple(
                name
                for name, channel in zip(source.raw.channel_names, source.raw.samples, strict=True)
                if any(name in example.channel.split("+") for example in examples) and is_one_sided(channel)
            ),
        )
        return replace(item, unlike=reasons_of(self.model.training, item))

    def _require_all_channels(self, path: Path, matrix: Matrix) -> None:
        """Refuse one of several channels where the recipe ``auto`` chose: it averages features over all channels."""
        n_channels = min(self.model.training.n_channels, default=1) if self.model.training is not None else 1
        if self.model.chosen and len(matrix.values) < n_channels:
            raise InputError(
                f"{path}: holds {len(matrix.values)} of the {n_channels} channels that this run answers from together; "
                "expected the recording, or a run of the recipe plain"
            )

    def _require_blocks(self, path: Path, svm_inputs: SvmInputs, channels: Sequence[str] = ()) -> None:
        for widths in self.model.blocks.values():
            missing = svm_inputs.missing(widths)
            if missing:
                training, names = self.model.training, list(dict.fromkeys(channels))
                if training is not None and names:
                    require_channels(training, path, names, training.n_channels)
                raise InputError(
                    f"{path}: this run's recipe needs {missing}; expected recordings like those it was trained on, or "
                    "matrices of 'semg-hht prepare'"
                )

    def _require_planes(self, path: Path, n_planes: int) -> None:
        expected = self.model.network.n_planes
        if n_planes != expected:
            raise InputError(f"{path}: has {n_planes} channels; this run was trained on {expected}")


def _are_whole(raw: Recording) -> bool:
    """Whether all samples of the EMG channels are whole numbers, which are taken for counts of the converter."""
    samples = raw.select(()).samples if set(raw.channel_names) - set(raw.non_emg) else raw.samples
    return bool(np.array_equal(samples, np.rint(samples)))


def _clipped_share(raw: Recording, example: Example) -> float:
    """The largest share of samples at an end of the range, over the channels of an example."""
    shares = [0.0]
    for name in [example.channel] if example.channel in raw.channel_names else example.channel.split("+"):
        if name in raw.channel_names:
            channel = cut_repetition(raw, example.row.start_s, example.row.stop_s).cut(raw.select((name,)).samples)[0]
            shares.append(sum(n for _, n in clipped_ends(channel)) / channel.size)
    return max(shares)


def doubted(rows: NDArray[np.float64], item: LoadedInput) -> NDArray[np.float64]:
    """Probabilities (n, n_classes) of the matrices of a file, halved for repetitions unlike the training data."""
    if not any(item.unlike):
        return rows
    rows = rows.copy()
    for indices, reasons in zip(item.repetitions(), item.unlike, strict=True):
        if reasons:
            rows[indices] = halved(rows[indices])
    return rows


def require_repetition(file: str, repetition: int | None, n_repetitions: int) -> None:
    if repetition is not None and not 1 <= repetition <= n_repetitions:
        raise InputError(f"{file}: has {n_repetitions} repetitions; got repetition={repetition}")


def _read_or_fail(path: Path) -> Matrix | InputError:
    try:
        return read_matrix(path)
    except InputError as error:
        return error


def _or_raise(result: Matrix | InputError) -> Matrix:
    if isinstance(result, InputError):
        raise result
    return result


def _n_matrices(batch: list[LoadedInput | Failure]) -> int:
    return sum(len(item.matrices) for item in batch if isinstance(item, LoadedInput))


def counted(
    batches: Iterator[list[LoadedInput | Failure]], enough: int
) -> tuple[int, Iterator[list[LoadedInput | Failure]]]:
    """The number of matrices, counted until it is above ``enough``, and all batches."""
    first, n = [], 0
    for batch in batches:
        first.append(batch)
        n += _n_matrices(batch)
        if n > enough:
            break
    return n, chain(first, batches)


def in_batches(items: Iterable[LoadedInput | Failure], batch_size: int) -> Iterator[list[LoadedInput | Failure]]:
    """Group whole files until they hold ``batch_size`` matrices, so that memory stays bounded."""
    batch: list[LoadedInput | Failure] = []
    n_matrices = 0
    for item in items:
        batch.append(item)
        n_matrices += _n_matrices([item])
        if n_matrices >= batch_size:
            yield batch
            batch, n_matrices = [], 0
    if batch:
        yield batch
