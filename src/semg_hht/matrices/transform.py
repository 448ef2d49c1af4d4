"""Recording -> Examples: the one path that prepare, training on recordings, prediction and the demo walk.

Read, filter the whole recording, cut the repetition, transform each channel, scale. Knows nothing of networks, and of
folders only what a job names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.hht import ENSEMBLES, SpectrumConfig, hilbert_spectrum
from semg_hht.inference.svm_inputs import REFERENCE
from semg_hht.matrices.matrix import Matrix
from semg_hht.matrices.scaling import SCALINGS, scale_power
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.signals.covariance import MAX_CHANNELS, mixing
from semg_hht.signals.features import MIN_SAMPLES, repetition_features
from semg_hht.signals.filters import FilterConfig, MainsHz, effective_band_hz, preprocess
from semg_hht.signals.repetitions import cut_repetition
from semg_hht.system.processes import each

log = logging.getLogger(__name__)

T = TypeVar("T")

CHANNELS = ("separate", "stack")
LONGEST_S = 20.0  # of what may well be one repetition
AHEAD = 16  # recordings a process may have done before they are asked for


@dataclass(frozen=True)
class PipelineConfig:
    """Everything that decides a matrix; stored with it and in the run, so prediction can't drift from training."""

    filter: FilterConfig = field(default_factory=FilterConfig)
    spectrum: SpectrumConfig = field(default_factory=SpectrumConfig)
    scaling: str = "log"
    channels: str = "separate"

    def __post_init__(self) -> None:
        for name, value, known in (("scaling", self.scaling, SCALINGS), ("channels", self.channels, CHANNELS)):
            if value not in known:
                raise InputError(f"{name} {value!r} is unknown; expected one of {', '.join(known)}")
        if (self.scaling == "upstream") != (self.spectrum.decomposition == "upstream"):
            raise InputError(
                f"the recipe 'upstream' is a decomposition with its own scaling; "
                f"got decomposition {self.spectrum.decomposition!r} with scaling {self.scaling!r}"
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> PipelineConfig:
        """The inverse of `to_json`.

        Raises
        ------
        InputError
            An unknown key: the settings come from another version, or were edited.
        """
        try:
            parts = dict(content)
            filters, spectrum = parts.pop("filter"), parts.pop("spectrum")
            return cls(
                filter=FilterConfig(**{**filters, "band_hz": tuple(filters["band_hz"])}),
                spectrum=SpectrumConfig(**{**spectrum, "band_hz": tuple(spectrum["band_hz"])}),
                **parts,
            )
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputError(f"preparation settings can't be understood by this version; {error}") from None


def configure(
    *,
    band_hz: tuple[float, float] = (20.0, 450.0),
    mains_hz: MainsHz = "auto",
    ecg: bool = False,
    decomposition: str = "emd",
    scaling: str | None = None,
    channels: str = "separate",
    seed: int = 0,
) -> PipelineConfig:
    """A configuration whose filter and frequency axis share one band.

    Parameters
    ----------
    scaling : None: ``log``, or the recipe's own where ``decomposition`` is ``upstream``.
    seed : of the ensembles' noise; decompositions without noise leave it out of their settings.
    """
    scaling = scaling or ("upstream" if decomposition == "upstream" else "log")
    try:
        spectrum = SpectrumConfig(
            band_hz=band_hz, decomposition=decomposition, seed=seed if decomposition in ENSEMBLES else 0
        )
    except ValueError as error:
        raise InputError(str(error)) from None
    return PipelineConfig(FilterConfig(band_hz, mains_hz, ecg), spectrum, scaling, channels)


@dataclass(frozen=True)
class Example:
    """One matrix with what is known of it.

    matrix : (n_planes, 256, 256); one plane, or with stacked channels one a channel.
    row : labels and provenance; ``row.file`` is the recording as the manifest names it.
    channel : name of the channel, or of all of them joined by ``+``.
    dropped : share of energy outside the band, mean over planes.
    remarks : what a person should know of the recording, a short sentence each.
    """

    matrix: Matrix
    row: ManifestRow
    channel: str
    rate_hz: float
    dropped: float
    remarks: tuple[str, ...] = ()

    @property
    def repetition_key(self) -> str:
        """What is pooled to one answer: the repetition, over its channels."""
        return f"{self.row.file}|{self.row.start_s}|{self.row.stop_s}"


@dataclass(frozen=True)
class Reference:
    """What counts as 1: channel -> amplitude, in microvolts or, where the units are not volts, in the device's own."""

    amplitude: dict[str, float]
    in_microvolts: bool


@dataclass(frozen=True)
class Job:
    """One recording and the rows of the manifest that speak of it: read once, however many repetitions it holds."""

    path: Path
    rows: tuple[ManifestRow, ...]
    reference: Reference | None = None  # for scalings that need one


@dataclass(frozen=True)
class Failure:
    """A file that could not be used, and why; the others go on."""

    file: str
    reason: str


@dataclass(frozen=True)
class Remark:
    """What a person should know of a recording that was used."""

    file: str
    text: str


def read_job(job: Job) -> Recording:
    """The recording of a job, at the rate and in the units its rows state."""
    first = job.rows[0]
    return read_recording(job.path, rate_hz=first.rate_hz, units=first.units, rate_from=first.rate_from)


def remarks_on_whole(job: Job, recording: Recording) -> tuple[str, ...]:
    """That a recording longer than any repetition is taken for one, where its rows state no times."""
    if recording.duration_s <= LONGEST_S or any(row.start_s is not None or row.stop_s is not None for row in job.rows):
        return ()
    return (f"{recording.duration_s:.0f} s were taken as one repetition; --segment finds the repetitions in them",)


def scaled_repetitions(
    job: Job, recording: Recording, config: PipelineConfig
) -> Iterator[tuple[ManifestRow, Recording]]:
    """Each repetition of a job's recording as it is transformed: filtered whole, then cut, one in `unit_amplitude`.

    Raises
    ------
    InputError
        The recording can't be filtered or scaled, or a channel is constant; the text names the file.
    """
    try:
        filtered = replace(recording, samples=preprocess(recording.samples, recording.rate_hz, config.filter))
    except InputError as error:
        raise InputError(f"{job.path}: {error}") from None
    for row in job.rows:
        chosen = filtered.select(row.channels)
        for name, channel in zip(chosen.channel_names, recording.select(row.channels).samples, strict=True):
            if np.ptp(channel) == 0:
                raise InputError(f"{job.path}: channel {name} holds the same value throughout; expected a signal")
        samples = cut_repetition(chosen, row.start_s, row.stop_s).cut(chosen.samples).copy()
        for name, channel in zip(chosen.channel_names, samples, strict=True):
            try:
                channel /= unit_amplitude(job, recording, name)
            except ValueError as error:
                raise InputError(f"{job.path}, channel {name}: {error}") from None
        yield row, replace(chosen, samples=samples)


def transform(job: Job, config: PipelineConfig, *, n_threads: int | None = None) -> list[Example]:
    """All examples of one recording: repetition by repetition, channel by channel.

    ``n_threads`` (None: all cores) work on one signal; the result does not depend on it.

    Raises
    ------
    InputError
        The recording can't be used; the text names the file.
    """
    recording = read_job(job)
    remarks = (*recording.remarks, *remarks_on_whole(job, recording))
    examples = []
    for row, repetition in scaled_repetitions(job, recording, config):
        names, rate_hz = repetition.channel_names, repetition.rate_hz
        spectra = []
        for name, samples in zip(names, repetition.samples, strict=True):
            try:
                spectra.append(hilbert_spectrum(samples, rate_hz, config.spectrum, n_threads=n_threads))
            except ValueError as error:
                raise InputError(f"{job.path}, channel {name}: {error}") from None
        told = (_features(repetition.samples, rate_hz), _mixing(repetition.samples, rate_hz))
        if told[0]:
            one = np.array([unit_amplitude(job, recording, name) for name in names])
            told[0][REFERENCE] = tuple(map(float, one / one.mean()))
        planes = np.stack([scale_power(s.power, config.scaling) for s in spectra])  # (n_channels, 256, 256)
        axes = (config.to_json(), spectra[0].frequency_hz, spectra[0].time_s)
        row = replace(row, rate_hz=recording.rate_hz, units=recording.units)
        if config.channels == "stack":
            dropped = float(np.mean([s.dropped for s in spectra]))
            channel = "+".join(names)
            examples.append(Example(Matrix(planes, *axes, *told), row, channel, rate_hz, dropped, remarks))
        else:
            examples += [
                Example(
                    Matrix(planes[i : i + 1], *axes, _of_plane(told[0], i), told[1]),
                    row,
                    name,
                    rate_hz,
                    spectra[i].dropped,
                    remarks,
                )
                for i, name in enumerate(names)
            ]
    return examples


def _features(samples: NDArray[np.float64], rate_hz: float) -> dict[str, tuple[float, ...]]:
    """Classical features of (n_channels, n_samples), name -> a value a channel; none of what is too short for them."""
    if samples.shape[-1] < MIN_SAMPLES:
        return {}
    return {name: tuple(map(float, found)) for name, found in repetition_features(samples, rate_hz).items()}


def _mixing(samples: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64] | None:
    """How the channels (n_channels, n_samples) go together; None of too many, or of too short a repetition."""
    if len(samples) > MAX_CHANNELS:
        return None
    try:
        return mixing(samples, rate_hz)
    except InputError:
        return None


def _of_plane(features: dict[str, tuple[float, ...]], i: int) -> dict[str, tuple[float, ...]]:
    return {name: (values[i],) for name, values in features.items()}


def unit_amplitude(job: Job, recording: Recording, channel: str) -> float:
    """What one is, in units of the recording: the reference amplitude, else a microvolt, else the device's own unit.

    Raises
    ------
    ValueError
        The reference does not know the channel, or its units don't compare.
    """
    factor = recording.microvolts_per_unit
    if job.reference is None:
        return 1.0 / (factor or 1.0)
    if channel not in job.reference.amplitude:
        raise ValueError(f"no reference amplitude of subject {job.rows[0].subject!r} for this channel")
    if job.reference.in_microvolts != (factor is not None):
        raise ValueError("the units of the recording and of its reference don't compare; state both in V, mV or uV")
    return job.reference.amplitude[channel] / (factor or 1.0)


def for_each(work: Callable[..., T], jobs: Sequence[Job], *args: Any, n_jobs: int = -1) -> Iterator[T | Failure]:
    """``work(job, n_threads, *args)`` for each job, results in order, over ``n_jobs`` processes (-1: all cores).

    Where the processes run is said by `workers`. They work ahead of who takes the results, by `AHEAD`
    jobs each at most. A recording that no process survives is a `Failure`, and stops only itself.
    """
    if n_jobs == 1 or len(jobs) == 1:
        for job in jobs:
            try:
                yield work(job, None, *args)
            except MemoryError:
                yield _too_large(job)
        return
    # The cores are busy with other recordings: one thread each.
    yield from each(partial(_with_one_thread, work, args), jobs, n_jobs, _too_large, ahead_each=AHEAD)


def _with_one_thread(work: Callable[..., T], args: tuple[Any, ...], job: Job) -> T:
    return work(job, 1, *args)


def _too_large(job: Job) -> Failure:
    return Failure(
        job.rows[0].file,
        f"{job.path}: the process that worked on it was ended by the system, or refused memory, also with nothing else "
        "beside it; most likely it needs more memory than there is",
    )


def transform_all(jobs: list[Job], config: PipelineConfig, *, n_jobs: int = -1) -> Iterator[list[Example] | Failure]:
    """`transform` for each job, in order; a failure stops only itself."""
    noted: set[float] = set()
    for result in for_each(_transform_or_fail, jobs, config, n_jobs=n_jobs):
        if not isinstance(result, Failure):
            note_clipping(result[0].rate_hz, config, noted)
        yield result


def _transform_or_fail(job: Job, n_threads: int | None, config: PipelineConfig) -> list[Example] | Failure:
    try:
        return transform(job, config, n_threads=n_threads)
    except InputError as error:
        return Failure(job.rows[0].file, str(error))


def note_clipping(rate_hz: float, config: PipelineConfig, noted: set[float]) -> None:
    """Say, once a rate, where it can't hold the band that was asked for."""
    asked = config.filter.band_hz[1]
    low, high = effective_band_hz(config.filter, rate_hz)
    if high >= asked or rate_hz in noted:
        return
    noted.add(rate_hz)
    note = f"at {rate_hz:g} Hz the band-pass ends at {high:g} Hz instead of {asked:g} Hz"
    if rate_hz / 2 < asked:
        note += f"; rows above {rate_hz / 2:g} Hz stay empty (--band {low:g} {rate_hz / 2:g} would use them)"
    log.warning(note)
