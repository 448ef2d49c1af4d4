"""The classical features of a repetition: amplitude, complexity, spectrum, effort.

Each is a function of its own, (n_channels, n_samples) -> (n_channels,), of samples that were filtered already. Knows
samples, rates and Hz: nothing of files, people or labels. Definitions as collected by Phinyomark, Phukpattaranont and
Limsakul (2012, doi 10.1016/j.eswa.2012.01.102), where no other source is named.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]

MIN_SAMPLES = 16
# Steps smaller than this share of the channel's own RMS count as noise in ZC and SSC. It follows the amplitude, so that
# units and gain don't matter; who knows the noise of a device states a threshold instead.
NOISE_SHARE = 0.01
# On simulated muscle of known median frequency, 0.5, 1 and 3 s long, the error (RMSE) of 10.4, 7.0 and 4.1 Hz with one
# Hann window over all of it falls to 8.7, 5.5 and 3.0 Hz; no taper at all does as well or better there (7.4, 5.0, 3.0),
# but leaks where a repetition is cut out of something that goes on.
WELCH_S = 0.25
DIMITROV_HZ = (8.0, 500.0)


def rms(samples: Array) -> Array:
    """Root mean square, in units of the samples."""
    return np.asarray(np.sqrt(np.mean(samples**2, axis=-1)))


def mav(samples: Array) -> Array:
    """Mean absolute value, in units of the samples."""
    return np.asarray(np.mean(np.abs(samples), axis=-1))


def var(samples: Array) -> Array:
    """Variance (divided by n - 1), in squared units of the samples."""
    return np.asarray(np.var(samples, axis=-1, ddof=1))


def wl(samples: Array) -> Array:
    """Waveform length: the sum of all steps, in units of the samples."""
    return np.asarray(np.sum(np.abs(np.diff(samples, axis=-1)), axis=-1))


def zc(samples: Array, threshold: float | None = None) -> Array:
    """Zero crossings: how often the sign changes by a step of at least ``threshold``.

    threshold : in units of the samples; None: 1 % of each channel's RMS.
    """
    changes = np.diff(samples >= 0, axis=-1)  # a sample of exactly 0 is positive: it is not crossed twice
    large = np.abs(np.diff(samples, axis=-1)) >= _threshold(samples, threshold)
    return np.asarray(np.sum(changes & large, axis=-1), dtype=np.float64)


def ssc(samples: Array, threshold: float | None = None) -> Array:
    """Slope sign changes: how often rise turns to fall or back, with a step of at least ``threshold`` on either side.

    As Hudgins, Parker and Scott (1993, doi 10.1109/10.204774). threshold : as in `zc`.
    """
    steps = np.diff(samples, axis=-1)
    before, after = steps[..., :-1], steps[..., 1:]
    large = np.maximum(np.abs(before), np.abs(after)) >= _threshold(samples, threshold)
    return np.asarray(np.sum((before * after < 0) & large, axis=-1), dtype=np.float64)


def _threshold(samples: Array, threshold: float | None) -> Array:
    return NOISE_SHARE * rms(samples)[..., None] if threshold is None else np.full((1,), threshold)


def power_spectrum(samples: Array, rate_hz: float) -> tuple[Array, Array]:
    """What all spectral features are taken from: frequencies in Hz; squared units per Hz (n_channels, n_frequencies).

    Welch's estimate (1967, doi 10.1109/TAU.1967.1161901): Hann windows of 0.25 s, half overlapping, each less its mean.
    """
    n_window = min(samples.shape[-1], round(WELCH_S * rate_hz))
    frequency_hz, power = scipy.signal.welch(samples, rate_hz, "hann", n_window, detrend="constant")
    return frequency_hz, power


def mnf(samples: Array, rate_hz: float) -> Array:
    """Mean frequency in Hz; NaN of a channel that does not move."""
    return _ratio(_moment(samples, rate_hz, 1), _moment(samples, rate_hz, 0))


def mdf(samples: Array, rate_hz: float) -> Array:
    """Median frequency in Hz, half the power on either side, found within its bin; NaN as `mnf`."""
    frequency_hz, power = power_spectrum(samples, rate_hz)
    width_hz = frequency_hz[1]
    edges_hz = np.append(0.0, frequency_hz + width_hz / 2)
    below = np.cumsum(np.insert(power, 0, 0.0, axis=-1), axis=-1)  # (n_channels, n_frequencies + 1), up to each edge
    rows = below.reshape(-1, below.shape[-1])
    found = [np.interp(row[-1] / 2, row, edges_hz) if row[-1] > 0 else np.nan for row in rows]
    return np.array(found).reshape(below.shape[:-1])


def pkf(samples: Array, rate_hz: float) -> Array:
    """Frequency of the highest peak in Hz, on a grid of 4 Hz; NaN of a channel that does not move."""
    frequency_hz, power = power_spectrum(samples, rate_hz)
    return np.where(power.any(axis=-1), frequency_hz[power.argmax(axis=-1)], np.nan)


def ttp(samples: Array, rate_hz: float) -> Array:
    """Total power, in squared units of the samples."""
    frequency_hz, _ = power_spectrum(samples, rate_hz)
    return np.asarray(_moment(samples, rate_hz, 0) * frequency_hz[1])


def finsm5(samples: Array, rate_hz: float) -> Array:
    """Dimitrov's index of fatigue: moment of order -1 over that of order 5, 8-500 Hz, in s^6; it rises with fatigue.

    Dimitrov et al. (2006, doi 10.1249/01.mss.0000193560.34022.04). NaN of a channel that does not move.
    """
    low, high = (_moment(samples, rate_hz, order, DIMITROV_HZ) for order in (-1, 5))
    return _ratio(low, high)


def _moment(samples: Array, rate_hz: float, order: int, band_hz: tuple[float, float] = (0.0, np.inf)) -> Array:
    """Sum of frequency to the power ``order`` times power, over the bins in the band."""
    frequency_hz, power = power_spectrum(samples, rate_hz)
    inside = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
    return np.asarray(np.sum(frequency_hz[inside] ** order * power[..., inside], axis=-1))


def _ratio(above: Array, below: Array) -> Array:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0))


def percent_mvc(samples: Array, reference: Array) -> Array:
    """RMS in percent of a reference amplitude (n_channels,), such as the RMS of a maximal contraction.

    Raises
    ------
    InputError
        A reference that is not above 0.
    """
    if not np.all(np.asarray(reference) > 0):
        raise InputError(f"a reference amplitude must be above 0; got {np.min(reference):g}")
    return np.asarray(100 * rms(samples) / reference)


def _timeless(function: Callable[[Array], Array]) -> Callable[[Array, float], Array]:
    return lambda samples, rate_hz: function(samples)


# Name -> (function of samples and rate, unit); u: the samples' own. The order of every table of features.
FEATURES: dict[str, tuple[Callable[[Array, float], Array], str]] = {
    "duration_s": (lambda samples, rate_hz: np.full(samples.shape[:-1], samples.shape[-1] / rate_hz), "s"),
    "rms": (_timeless(rms), "u"),
    "mav": (_timeless(mav), "u"),
    "var": (_timeless(var), "u^2"),
    "wl": (_timeless(wl), "u"),
    "zc": (_timeless(zc), "count"),
    "ssc": (_timeless(ssc), "count"),
    "mnf_hz": (mnf, "Hz"),
    "mdf_hz": (mdf, "Hz"),
    "pkf_hz": (pkf, "Hz"),
    "ttp": (ttp, "u^2"),
    "finsm5": (finsm5, "s^6"),
}


def repetition_features(samples: Array, rate_hz: float, reference: Array | None = None) -> dict[str, Array]:
    """All `FEATURES` of (n_channels, n_samples), in their order: name -> (n_channels,).

    reference : amplitude (n_channels,) in units of the samples; with it ``percent_mvc`` comes last.

    Raises
    ------
    InputError
        Fewer than 16 samples, or a reference that is not above 0.
    """
    if samples.shape[-1] < MIN_SAMPLES:
        raise InputError(f"features need a repetition of at least {MIN_SAMPLES} samples; got {samples.shape[-1]}")
    found = {name: function(samples, rate_hz) for name, (function, _) in FEATURES.items()}
    if reference is not None:
        found["percent_mvc"] = percent_mvc(samples, reference)
    return found
