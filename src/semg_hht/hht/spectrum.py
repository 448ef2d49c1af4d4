"""The Hilbert spectrum: energy of a signal on a 256 x 256 grid of frequency and true time.

Knows arrays and a sampling rate: nothing of muscles or files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semg_hht.hht.emd import emd
from semg_hht.hht.hilbert import instantaneous

Array = NDArray[np.float64]

N_BINS = 256
DECOMPOSITIONS: dict[str, Callable[[ArrayLike], Array]] = {"emd": emd}


@dataclass(frozen=True)
class SpectrumConfig:
    """How a signal becomes a spectrum. ``band_hz`` are the outer edges of the frequency grid."""

    band_hz: tuple[float, float] = (20.0, 450.0)
    decomposition: str = "emd"

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0 <= low < high:
            raise ValueError(f"band {low:g}-{high:g} Hz is empty; expected 0 <= low < high")
        if self.decomposition not in DECOMPOSITIONS:
            known = ", ".join(DECOMPOSITIONS)
            raise ValueError(f"decomposition {self.decomposition!r} is unknown; expected one of {known}")


@dataclass(frozen=True)
class HilbertSpectrum:
    """Power on a grid of frequency and time.

    power : (256, 256) [frequency, time], in squared units of the signal. A column adds up to the mean power of the
        signal's oscillations in that time bin, whatever the sampling rate and however long the recording.
    frequency_hz : (256,) centres of the frequency bins.
    time_s : (256,) centres of the time bins; the first bin starts at 0, the last ends where the signal ends.
    dropped : share (0..1) of the IMFs' energy whose frequency lay outside the band. It is in no cell.
    n_imfs : IMFs the signal was sifted into.
    """

    power: Array
    frequency_hz: Array
    time_s: Array
    dropped: float
    n_imfs: int


def hilbert_spectrum(x: ArrayLike, rate_hz: float, config: SpectrumConfig | None = None) -> HilbertSpectrum:
    """Hilbert spectrum of one signal (Huang et al. 1998, doi 10.1098/rspa.1998.0193).

    Parameters
    ----------
    x : (n_samples,) real and finite, at its own sampling: it is never resampled or padded.
    rate_hz : samples a second, above 0.

    Raises
    ------
    ValueError
        A batch instead of one signal, a rate that is not positive, or a signal the decomposition refuses.
    """
    config = config or SpectrumConfig()
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise ValueError(f"rate must be above 0 Hz; got {rate_hz}")
    signal = np.asarray(x)
    if signal.ndim != 1:
        raise ValueError(f"expected one signal (n_samples,); got shape {signal.shape}")
    imfs = DECOMPOSITIONS[config.decomposition](signal)[:-1]  # the residue does not oscillate
    power, dropped = accumulate(*instantaneous(imfs, rate_hz), config.band_hz)
    low, high = config.band_hz
    centres = (np.arange(N_BINS) + 0.5) / N_BINS
    return HilbertSpectrum(
        power=power,
        frequency_hz=low + centres * (high - low),
        time_s=centres * (signal.size / rate_hz),
        dropped=dropped,
        n_imfs=imfs.shape[0],
    )


def accumulate(amplitude: Array, frequency_hz: Array, band_hz: tuple[float, float]) -> tuple[Array, float]:
    """Pool instantaneous power (n_imfs, n_samples) on the grid.

    Each sample stands for the interval up to the next one, and its power is spread over the time bins which that
    interval overlaps. So a recording shorter than the grid fills every column, and a longer one is averaged; neither is
    interpolated. What lies outside the band is dropped and counted, never piled into the edge rows.

    Returns
    -------
    power : (256, 256) [frequency, time], mean power of each time bin.
    dropped : share of the energy outside the band; 0 where there is no energy at all.
    """
    n_samples = amplitude.shape[-1]
    low, high = band_hz
    power = amplitude**2 / 2  # a sinusoid of amplitude a has mean square a**2 / 2
    row = np.floor((frequency_hz - low) * (N_BINS / (high - low)))
    row = np.where(frequency_hz == high, N_BINS - 1, row)  # the last bin is closed on both sides
    inside = (row >= 0) & (row < N_BINS)
    total = float(power.sum())
    dropped = float(power[~inside].sum()) / total if total > 0 else 0.0

    imf, sample = np.nonzero(inside)  # (n_inside,) each
    cell_row = row[imf, sample].astype(np.intp) * N_BINS
    cell_power = power[imf, sample]
    width = N_BINS / n_samples  # a sample's interval, in time bins
    start = np.arange(n_samples) * width
    first = np.minimum(start.astype(np.intp), N_BINS - 1)
    grid = np.zeros(N_BINS * N_BINS)
    for k in range(int(np.ceil(width)) + 1):  # an interval of this width touches at most so many bins
        overlap = np.minimum(start + width, first + k + 1) - np.maximum(start, first + k)
        share = np.where(first + k < N_BINS, np.maximum(overlap, 0.0), 0.0)
        column = np.minimum(first + k, N_BINS - 1)
        grid += np.bincount(cell_row + column[sample], weights=cell_power * share[sample], minlength=grid.size)
    return grid.reshape(N_BINS, N_BINS), dropped  # (65536,) -> (256 frequency, 256 time)
