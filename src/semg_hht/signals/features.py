"""Classical EMG features of a repetition: amplitude, complexity, spectrum and effort.

Each feature is a function of filtered samples, (n_channels, n_samples) -> (n_channels,). Definitions follow Phinyomark,
Phukpattaranont and Limsakul (2012, doi 10.1016/j.eswa.2012.01.102) unless another source is given. Spectral features
take a ``spectrum`` of the same samples where there is one: computing it takes longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.welch import welch

Array = NDArray[np.float64]
Spectrum = tuple[Array, Array]  # what `power_spectrum` returns
_Feature = Callable[[Array, float, Spectrum | None], Array]

MIN_SAMPLES = 16
# ZC and SSC ignore steps smaller than this share of the channel's RMS. A threshold relative to the amplitude does not
# depend on units or gain; callers who know the noise of their device can pass an absolute threshold instead.
NOISE_SHARE = 0.01
# Above this rate the smallest step shrinks as the steps of a signal of up to 450 Hz do: with 1 % at 4000 Hz, SSC would
# be 0.6 to 0.7 of its value at 2000 Hz, and a run would answer differently. From 1000 to 2000 Hz both hardly change.
NOISE_STEP_HZ = 2000.0
# Length of a Welch window. On simulated EMG of known median frequency, 0.5, 1 and 3 s long, the error (RMSE) is 8.7,
# 5.5 and 3.0 Hz, compared with 10.4, 7.0 and 4.1 Hz for one Hann window over the whole repetition. Without a taper it
# is as small or smaller (7.4, 5.0, 3.0), but the spectrum leaks if a repetition is cut from continuing activity.
WELCH_S = 0.25
LOUDEST_S = 0.5
DIMITROV_HZ = (8.0, 500.0)


def rms(samples: Array) -> Array:
    """Root mean square, in units of the samples."""
    return np.asarray(np.sqrt(np.mean(samples**2, axis=-1)))


def loudest_rms(samples: Array, rate_hz: float) -> Array:
    """Largest root mean square of any 0.5 s, or of all samples where there are fewer, in units of the samples.

    The amplitude of a maximal contraction, whatever rest its recording holds before and after it (ISEK standards for
    reporting EMG data, Merletti 1999).
    """
    n = min(samples.shape[-1], round(LOUDEST_S * rate_hz))
    energy = np.cumsum(np.pad(samples**2, [(0, 0)] * (samples.ndim - 1) + [(1, 0)]), axis=-1)
    return np.asarray(np.sqrt(np.maximum((energy[..., n:] - energy[..., :-n]).max(axis=-1), 0) / n))


def mav(samples: Array) -> Array:
    """Mean absolute value, in units of the samples."""
    return np.asarray(np.mean(np.abs(samples), axis=-1))


def var(samples: Array) -> Array:
    """Variance (divided by n - 1), in squared units of the samples."""
    return np.asarray(np.var(samples, axis=-1, ddof=1))


def wl(samples: Array) -> Array:
    """Waveform length: the sum of absolute differences of consecutive samples, in units of the samples."""
    return np.asarray(np.sum(np.abs(np.diff(samples, axis=-1)), axis=-1))


def zc(samples: Array, threshold: float | Array | None = None) -> Array:
    """Zero crossings: number of sign changes with a step of at least ``threshold``.

    threshold : in units of the samples, one or one per channel; None means 1 % of each channel's RMS.
    """
    changes = np.diff(samples >= 0, axis=-1)  # a sample of exactly 0 counts as positive, so it gives one crossing
    large = np.abs(np.diff(samples, axis=-1)) >= _threshold(samples, threshold)
    return np.asarray(np.sum(changes & large, axis=-1), dtype=np.float64)


def ssc(samples: Array, threshold: float | Array | None = None) -> Array:
    """Slope sign changes: number of turns with a step of at least ``threshold`` before or after the turn.

    Definition of Hudgins, Parker and Scott (1993, doi 10.1109/10.204774). ``threshold`` is that of `zc`.
    """
    steps = np.diff(samples, axis=-1)
    before, after = steps[..., :-1], steps[..., 1:]
    large = np.maximum(np.abs(before), np.abs(after)) >= _threshold(samples, threshold)
    return np.asarray(np.sum((before * after < 0) & large, axis=-1), dtype=np.float64)


def _threshold(samples: Array, threshold: float | Array | None) -> Array:
    return np.asarray(NOISE_SHARE * rms(samples) if threshold is None else threshold)[..., None]


def power_spectrum(samples: Array, rate_hz: float) -> Spectrum:
    """Frequencies in Hz (n_frequencies,) and power in squared units per Hz (n_channels, n_frequencies).

    Welch's estimate (1967, doi 10.1109/TAU.1967.1161901) with half overlapping Hann windows of 0.25 s, the mean of each
    removed. All spectral features are computed from it.
    """
    n_window = min(samples.shape[-1], round(WELCH_S * rate_hz))
    return welch(samples, rate_hz, n_window)


def mnf(samples: Array, rate_hz: float, spectrum: Spectrum | None = None) -> Array:
    """Mean frequency in Hz; NaN for a constant channel."""
    spectrum = spectrum or power_spectrum(samples, rate_hz)
    return _ratio(_moment(spectrum, 1), _moment(spectrum, 0))


def mdf(samples: Array, rate_hz: float, spectrum: Spectrum | None = None) -> Array:
    """Median frequency in Hz (half the power on either side), interpolated in its bin; NaN for a constant channel."""
    frequency_hz, power = spectrum or power_spectrum(samples, rate_hz)
    width_hz = frequency_hz[1]
    edges_hz = np.append(0.0, frequency_hz + width_hz / 2)
    below = np.cumsum(np.insert(power, 0, 0.0, axis=-1), axis=-1)  # (n_channels, n_frequencies + 1), up to each edge
    rows = below.reshape(-1, below.shape[-1])  # one channel per row
    medians = [np.interp(row[-1] / 2, row, edges_hz) if row[-1] > 0 else np.nan for row in rows]
    return np.array(medians).reshape(below.shape[:-1])


def pkf(samples: Array, rate_hz: float, spectrum: Spectrum | None = None) -> Array:
    """Peak frequency in Hz, on a grid of 4 Hz; NaN for a constant channel."""
    frequency_hz, power = spectrum or power_spectrum(samples, rate_hz)
    return np.where(power.any(axis=-1), frequency_hz[power.argmax(axis=-1)], np.nan)


def ttp(samples: Array, rate_hz: float, spectrum: Spectrum | None = None) -> Array:
    """Total power, in squared units of the samples."""
    spectrum = spectrum or power_spectrum(samples, rate_hz)
    return np.asarray(_moment(spectrum, 0) * spectrum[0][1])


def finsm5(samples: Array, rate_hz: float, spectrum: Spectrum | None = None) -> Array:
    """Dimitrov's fatigue index: spectral moment of order -1 over that of order 5, 8-500 Hz, in s^6.

    It rises with fatigue (Dimitrov et al. 2006, doi 10.1249/01.mss.0000193560.34022.04). NaN for a constant channel.
    """
    spectrum = spectrum or power_spectrum(samples, rate_hz)
    low, high = (_moment(spectrum, order, DIMITROV_HZ) for order in (-1, 5))
    return _ratio(low, high)


def _moment(spectrum: Spectrum, order: int, band_hz: tuple[float, float] = (0.0, np.inf)) -> Array:
    """Spectral moment: sum of ``frequency**order * power`` over the bins in the band."""
    frequency_hz, power = spectrum
    inside = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
    return np.asarray(np.sum(frequency_hz[inside] ** order * power[..., inside], axis=-1))


def _ratio(numerator: Array, denominator: Array) -> Array:
    nan = np.full(np.shape(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nan, where=denominator > 0))


def percent_mvc(samples: Array, reference: Array) -> Array:
    """RMS in percent of a reference amplitude (n_channels,), such as the RMS of an MVC.

    Raises
    ------
    InputError
        A reference amplitude is not above 0.
    """
    if not np.all(np.asarray(reference) > 0):
        raise InputError(f"a reference amplitude must be above 0; got {np.min(reference):g}")
    return np.asarray(100 * rms(samples) / reference)


def _of_samples(function: Callable[[Array], Array]) -> _Feature:
    return lambda samples, rate_hz, spectrum: function(samples)


def _of_steps(function: Callable[[Array, Array], Array], power: int) -> _Feature:
    """``power``: of the time between two samples, to which a step is proportional; 2 at turns, where the slope is 0."""

    def feature(samples: Array, rate_hz: float, spectrum: Spectrum | None) -> Array:
        return function(samples, NOISE_SHARE * min(1.0, NOISE_STEP_HZ / rate_hz) ** power * rms(samples))

    return feature


# Name -> (function of samples, rate and spectrum, unit), in the order of every table; u is the unit of the samples.
FEATURES: dict[str, tuple[_Feature, str]] = {
    "duration_s": (lambda samples, rate_hz, _: np.full(samples.shape[:-1], samples.shape[-1] / rate_hz), "s"),
    "rms": (_of_samples(rms), "u"),
    "mav": (_of_samples(mav), "u"),
    "var": (_of_samples(var), "u^2"),
    "wl": (_of_samples(wl), "u"),
    "zc": (_of_steps(zc, 1), "count"),
    "ssc": (_of_steps(ssc, 2), "count"),
    "mnf_hz": (mnf, "Hz"),
    "mdf_hz": (mdf, "Hz"),
    "pkf_hz": (pkf, "Hz"),
    "ttp": (ttp, "u^2"),
    "finsm5": (finsm5, "s^6"),
}


def repetition_features(samples: Array, rate_hz: float, reference: Array | None = None) -> dict[str, Array]:
    """All `FEATURES` of samples (n_channels, n_samples), in their order: name -> (n_channels,).

    reference : amplitude (n_channels,) in units of the samples; adds ``percent_mvc`` as the last feature.

    Raises
    ------
    InputError
        Fewer than 16 samples, or a reference amplitude not above 0.
    """
    if samples.shape[-1] < MIN_SAMPLES:
        raise InputError(f"features need a repetition of at least {MIN_SAMPLES} samples; got {samples.shape[-1]}")
    values = features_of(samples, rate_hz)
    if reference is not None:
        values["percent_mvc"] = percent_mvc(samples, reference)
    return values


def features_of(samples: Array, rate_hz: float, names: Iterable[str] = tuple(FEATURES)) -> dict[str, Array]:
    """Some `FEATURES` of at least 2 samples (n_channels, n_samples): name -> (n_channels,).

    Below `MIN_SAMPLES` the spectral ones mean little.
    """
    spectrum = power_spectrum(samples, rate_hz)
    return {name: FEATURES[name][0](samples, rate_hz, spectrum) for name in names}
