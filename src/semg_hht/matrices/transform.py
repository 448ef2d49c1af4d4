"""Transform a filtered recording to examples; prepare, training, prediction and the demo all use this module.

It cuts each repetition from the filtered recording, transforms each channel to a Hilbert spectrum and scales it. It
does not know networks or folders.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.hht import ENSEMBLES, HilbertSpectrum, SpectrumConfig, hilbert_spectra, hilbert_spectrum, spectrum
from semg_hht.hht.emd import MIN_SAMPLES as MIN_SIFTED
from semg_hht.hht.spectrum import spectrum_of_imfs
from semg_hht.matrices.density import DensityConfig, power_density
from semg_hht.matrices.matrix import Matrix
from semg_hht.matrices.scaling import SCALINGS, scale_power
from semg_hht.recordings.jobs import Failure, Job, for_each
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording
from semg_hht.signals.covariance import MAX_CHANNELS, log_covariance
from semg_hht.signals.features import MIN_SAMPLES, repetition_features
from semg_hht.signals.filtered_recording import FilteredRecording, open_filtered
from semg_hht.signals.filters import FilterConfig, MainsHz, effective_band_hz
from semg_hht.signals.profile import power_profile
from semg_hht.system.arguments import checked
from semg_hht.system.seeds import require_seed

log = logging.getLogger(__name__)

CHANNELS = ("separate", "stack")
DECOMPOSITIONS = spectrum.DECOMPOSITIONS


@checked
@dataclass(frozen=True)
class PipelineConfig:
    """All settings that determine a matrix; stored with it and in the run, so prediction uses those of training.

    density : how the power is smoothed before it is scaled; None: not, as in matrices and runs up to version 0.2.0 and
        with ``upstream``.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.configure(band_hz=(20.0, 200.0)).filter.band_hz
    (20.0, 200.0)
    """

    filter: FilterConfig = field(default_factory=FilterConfig)
    spectrum: SpectrumConfig = field(default_factory=SpectrumConfig)
    scaling: str = "log"
    channels: str = "separate"
    density: DensityConfig | None = field(default_factory=DensityConfig)

    def __post_init__(self) -> None:
        for name, value, choices in (("scaling", self.scaling, SCALINGS), ("channels", self.channels, CHANNELS)):
            if value not in choices:
                raise InputError(f"{name} {value!r} is unknown; expected one of {', '.join(choices)}")
        if (self.scaling == "upstream") != (self.spectrum.decomposition == "upstream"):
            raise InputError(
                f"'upstream' is a decomposition with its own scaling; "
                f"got decomposition {self.spectrum.decomposition!r} with scaling {self.scaling!r}"
            )
        if self.density is not None and self.spectrum.decomposition == "upstream":
            raise InputError("decomposition 'upstream' has a matrix of its own; expected no density with it")

    def to_json(self) -> dict[str, Any]:
        """The settings; without a density as versions up to 0.2.0 stored them."""
        content = asdict(self)
        if self.density is None:
            del content["density"]
        return content

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
            density = parts.pop("density", None)
            return cls(
                filter=FilterConfig(**{**filters, "band_hz": tuple(filters["band_hz"])}),
                spectrum=SpectrumConfig(**{**spectrum, "band_hz": tuple(spectrum["band_hz"])}),
                density=None if density is None else DensityConfig(**density),
                **parts,
            )
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputError(f"preparation settings can't be understood by this version; {error}") from None


@checked
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
    scaling : None: ``log``, or ``upstream`` where ``decomposition`` is ``upstream``.
    seed : of the noise of an ensemble; 0 in the settings of decompositions without noise.

    Examples
    --------
    >>> import semg_hht as sh
    >>> config = sh.configure(band_hz=(20.0, 200.0), decomposition="ceemdan", seed=1)
    >>> config.scaling
    'log'
    """
    scaling = scaling or ("upstream" if decomposition == "upstream" else "log")
    require_seed(seed)
    try:
        spectrum = SpectrumConfig(
            band_hz=band_hz, decomposition=decomposition, seed=seed if decomposition in ENSEMBLES else 0
        )
    except ValueError as error:
        raise InputError(str(error)) from None
    density = None if decomposition == "upstream" else DensityConfig()
    return PipelineConfig(FilterConfig(band_hz, mains_hz, ecg), spectrum, scaling, channels, density)


@dataclass(frozen=True)
class Example:
    """One matrix, its labels and the recording it comes from.

    matrix : (n_planes, 256, 256); one plane, or with stacked channels one per channel.
    row : labels and provenance; ``row.file`` is the recording as the manifest names it.
    channel : name of the channel; of stacked channels, the names or numbers that the row states, or all their names,
        joined by ``+``. By numbers, recordings that name their channels differently fit together.
    dropped : share of energy outside the band, mean over planes.
    remarks : what a person should know of the recording, one short sentence each.
    """

    matrix: Matrix
    row: ManifestRow
    channel: str
    rate_hz: float
    dropped: float
    remarks: tuple[str, ...] = ()

    @property
    def repetition_key(self) -> str:
        """Identifies the repetition. The answers for its channels are pooled to one."""
        return f"{self.row.file}|{self.row.start_s}|{self.row.stop_s}"


def transform(source: FilteredRecording, config: PipelineConfig, *, n_threads: int | None = None) -> list[Example]:
    """Examples of one recording: repetition by repetition, channel by channel.

    Parameters
    ----------
    source : the recording, filtered with ``config.filter``.
    n_threads : threads that work on one signal (None: all cores); the result does not depend on it.

    Raises
    ------
    InputError
        The recording can't be used; the text names the file.
    """
    return list(examples_of(source, config, n_threads=n_threads))


def examples_of(
    source: FilteredRecording, config: PipelineConfig, *, n_threads: int | None = None
) -> Iterator[Example]:
    """`transform`, each repetition when its first example is taken."""
    remarks = source.remarks
    for row, repetition in source.scaled_repetitions():
        spectra = _spectra(source.job, repetition, config, n_threads)
        matrix = _matrix(source, repetition, spectra, config)
        row = replace(row, rate_hz=source.raw.rate_hz, units=source.raw.units)
        if config.channels == "stack":
            dropped = float(np.mean([spectrum.dropped for spectrum in spectra]))
            channel = "+".join(row.channels or repetition.channel_names)
            yield Example(matrix, row, channel, repetition.rate_hz, dropped, remarks)
        else:
            for i, channel in enumerate(repetition.channel_names):
                yield Example(matrix.plane(i), row, channel, repetition.rate_hz, spectra[i].dropped, remarks)


def example_channels(source: FilteredRecording, config: PipelineConfig) -> list[str]:
    """The channel of each example of a recording, in order, before any is computed; with the errors of `transform`."""
    named = [(row, source.channels_of(row).channel_names) for row in source.job.rows]
    if config.channels == "stack":
        return ["+".join(row.channels or names) for row, names in named]
    return [name for _, names in named for name in names]


def _spectra(job: Job, repetition: Recording, config: PipelineConfig, n_threads: int | None) -> list[HilbertSpectrum]:
    """The Hilbert spectrum of each channel of a repetition."""
    spectra = []
    for name, samples in zip(repetition.channel_names, repetition.samples, strict=True):
        try:
            spectra.append(hilbert_spectrum(samples, repetition.rate_hz, config.spectrum, n_threads=n_threads))
        except ValueError as error:
            raise InputError(f"{job.path}, channel {name}: {error}") from None
    return spectra


def _matrix(
    source: FilteredRecording, repetition: Recording, spectra: list[HilbertSpectrum], config: PipelineConfig
) -> Matrix:
    """The matrix of a repetition, one plane per channel, with the features measured on the same samples."""
    samples, rate_hz = repetition.samples, repetition.rate_hz
    features: dict[str, tuple[float, ...]] = {}
    reference: tuple[float, ...] = ()
    if samples.shape[-1] >= MIN_SAMPLES:
        measured = repetition_features(samples, rate_hz)  # name -> (n_channels,)
        features = {name: tuple(map(float, values)) for name, values in measured.items()}
        amplitudes = np.array([source.unit_amplitude(name) for name in repetition.channel_names])
        reference = tuple(map(float, amplitudes / amplitudes.mean()))
    return Matrix(
        values=np.stack([plane_of(spectrum, config) for spectrum in spectra]),  # (n_channels, 256, 256)
        settings=config.to_json(),
        frequency_hz=spectra[0].frequency_hz,
        time_s=spectra[0].time_s,
        features=features,
        reference=reference,
        covariance=covariance_of(samples, rate_hz),
        profile=profile_of(samples, rate_hz, config.filter),
    )


def matrix_of(
    samples: NDArray[np.float64], rate_hz: float, config: PipelineConfig, *, n_threads: int | None = 1
) -> NDArray[np.float32]:
    """The values (n_channels, 256, 256) of a filtered repetition (n_channels, n_samples).

    Fewer than 8 samples can't be sifted: such a signal, less its mean, is taken as its only oscillation.
    """
    if samples.shape[1] < MIN_SIFTED:
        whole = samples - samples.mean(axis=1, keepdims=True)
        spectra = [spectrum_of_imfs(signal[None], rate_hz, config.spectrum) for signal in whole]
    else:
        spectra = hilbert_spectra(samples, rate_hz, config.spectrum, n_threads)
    return np.stack([plane_of(spectrum, config) for spectrum in spectra])


def plane_of(spectrum: HilbertSpectrum, config: PipelineConfig) -> NDArray[np.float32]:
    """The values of one plane: the power of a spectrum as a density, scaled.

    A density is rounded to half precision, 3 significant digits: in float32 its last digits, which mean nothing, make a
    file twice as large and compressing it twice as slow.
    """
    if config.density is None:
        return scale_power(spectrum.power, config.scaling)
    density = power_density(spectrum.power, spectrum.time_s, config.density)
    return scale_power(density, config.scaling).astype(np.float16).astype(np.float32)


def covariance_of(samples: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64] | None:
    """Log covariance of the channels (n_channels, n_samples); None with too many channels or too few samples."""
    if len(samples) > MAX_CHANNELS:
        return None
    try:
        return log_covariance(samples, rate_hz)
    except InputError:
        return None


def profile_of(samples: NDArray[np.float64], rate_hz: float, filters: FilterConfig) -> NDArray[np.float64] | None:
    """Power profile of the channels (n_channels, n_samples), as one vector; None as for the covariance."""
    if len(samples) > MAX_CHANNELS or samples.shape[1] < MIN_SAMPLES:
        return None
    return power_profile(samples, rate_hz, effective_band_hz(filters, rate_hz)).ravel()


def transform_job(job: Job, n_threads: int | None, config: PipelineConfig) -> list[Example]:
    """Read, filter and transform the recording of one job."""
    return transform(open_filtered(job, config.filter), config, n_threads=n_threads)


def transform_all(jobs: list[Job], config: PipelineConfig, *, n_jobs: int = -1) -> Iterator[list[Example] | Failure]:
    """`transform_job` for each job, in order; a recording that fails does not stop the others."""
    warned: set[float] = set()
    for result in for_each(transform_job, jobs, config, n_jobs=n_jobs):
        if not isinstance(result, Failure):
            warn_of_clipped_band(result[0].rate_hz, config, warned)
        yield result


def warn_of_clipped_band(rate_hz: float, config: PipelineConfig, warned: set[float]) -> None:
    """Warn, once per rate, where the sampling rate can't hold the requested band."""
    requested_hz = config.filter.band_hz[1]
    low_hz, high_hz = effective_band_hz(config.filter, rate_hz)
    if high_hz >= requested_hz or rate_hz in warned:
        return
    warned.add(rate_hz)
    text = f"at {rate_hz:g} Hz the band-pass ends at {high_hz:g} Hz instead of {requested_hz:g} Hz"
    if rate_hz / 2 < requested_hz:
        text += f"; rows above {rate_hz / 2:g} Hz stay empty (band_hz=({low_hz:g}, {rate_hz / 2:g}) would use them)"
    log.warning(text)
