"""The Hilbert spectrum: power of a signal on a 256 x 256 grid of frequency and time.

It works on arrays and a sampling rate. It does not know recordings or channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semg_hht.hht import kernel
from semg_hht.hht.emd import as_signals, emd
from semg_hht.hht.ensemble import ceemdan, eemd, iceemdan, masked_sift, upstream_ceemdan
from semg_hht.hht.hilbert import instantaneous
from semg_hht.hht.noise import check_seed, is_whole
from semg_hht.hht.upstream import upstream_matrix

Array = NDArray[np.float64]

N_BINS = 256
LARGE_PAGE = 1 << 21  # bytes; a new one costs as much as 20 of the usual 4096 bytes


@dataclass(frozen=True)
class SpectrumConfig:
    """How a signal becomes a Hilbert spectrum.

    band_hz : outer edges of the frequency grid.
    decomposition : one of ``DECOMPOSITIONS``. ``"upstream"`` reproduces the matrix of the tool that made most users'
        earlier matrices: a logarithm of spread amplitudes, with frequencies clipped into the edge rows.
    n_trials, noise_std, seed : of the ensembles; ``n_trials`` None means 50, for ``"upstream"`` 30.

    Raises
    ------
    ValueError
        An empty band, an unknown decomposition, or a number out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> config = sh.hht.SpectrumConfig(band_hz=(20.0, 200.0))
    >>> spectrum = sh.hht.hilbert_spectrum(x, rate_hz=1000, config=config)
    """

    band_hz: tuple[float, float] = (20.0, 450.0)
    decomposition: str = "emd"
    n_trials: int | None = None
    noise_std: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0 <= low < high:
            raise ValueError(f"band {low:g}-{high:g} Hz is empty; expected 0 <= low < high")
        if self.decomposition not in DECOMPOSITIONS:
            names = ", ".join(DECOMPOSITIONS)
            raise ValueError(f"decomposition {self.decomposition!r} is unknown; expected one of {names}")
        check_seed(self.seed)
        if self.n_trials is not None and not (is_whole(self.n_trials) and self.n_trials >= 1):
            raise ValueError(f"n_trials must be a whole number from 1, or None; got {self.n_trials!r}")
        if not 0 <= self.noise_std < np.inf:
            raise ValueError(f"noise_std must be a finite number from 0; got {self.noise_std!r}")


def _ensemble(method: Callable[..., Array], n_trials: int) -> Callable[[Array, SpectrumConfig, int | None], Array]:
    def decompose(signal: Array, config: SpectrumConfig, n_threads: int | None) -> Array:
        trials = n_trials if config.n_trials is None else config.n_trials
        return method(signal, trials, config.noise_std, config.seed, n_threads=n_threads)

    return decompose


ENSEMBLES = ("eemd", "ceemdan", "iceemdan", "upstream")  # decompositions with random noise
# (signal, config, n_threads) -> (n_imfs + 1, n_samples)
DECOMPOSITIONS: dict[str, Callable[[Array, SpectrumConfig, int | None], Array]] = {
    "emd": lambda signal, config, n_threads: emd(signal, n_threads=n_threads),
    "eemd": _ensemble(eemd, 50),
    "ceemdan": _ensemble(ceemdan, 50),
    "iceemdan": _ensemble(iceemdan, 50),
    "mask": lambda signal, config, n_threads: masked_sift(signal, n_threads=n_threads),
    "upstream": _ensemble(upstream_ceemdan, 30),
}


@dataclass(frozen=True)
class HilbertSpectrum:
    """Power on a grid of frequency and time.

    power : (256, 256) [frequency, time], in squared units of the signal. A column adds up to the mean power of the
        signal's oscillations in that time bin, for any sampling rate and duration. (With ``"upstream"`` it is the
        matrix of that tool, which is not a power.)
    frequency_hz : (256,) centres of the frequency bins.
    time_s : (256,) centres of the time bins; the first bin starts at 0, the last ends at the end of the signal.
    dropped : share (0..1) of the IMFs' energy whose frequency lies outside the band. It is in no cell.
    n_imfs : number of IMFs.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> spectrum = sh.hht.hilbert_spectrum(x, rate_hz=1000)
    >>> spectrum.power.shape, spectrum.frequency_hz.shape
    ((256, 256), (256,))
    """

    power: Array
    frequency_hz: Array
    time_s: Array
    dropped: float
    n_imfs: int


def hilbert_spectrum(
    x: ArrayLike, rate_hz: float, config: SpectrumConfig | None = None, *, n_threads: int | None = None
) -> HilbertSpectrum:
    """Hilbert spectrum of one signal (Huang et al. 1998, doi 10.1098/rspa.1998.0193).

    Parameters
    ----------
    x : (n_samples,) real and finite. It is neither resampled nor padded.
    rate_hz : samples per second, above 0.
    n_threads : threads for the trials of an ensemble; None for all cores. The result does not depend on it.

    Raises
    ------
    ValueError
        A batch instead of one signal, a rate that is not positive, a band above half of the rate, or any error of the
        decomposition.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> spectrum = sh.hht.hilbert_spectrum(x, rate_hz=1000)
    >>> spectrum.power.shape  # (frequency, time)
    (256, 256)
    """
    config = config or SpectrumConfig()
    return spectrum_of_imfs(_oscillations(x, rate_hz, config, n_threads), rate_hz, config)


def spectrum_of_imfs(imfs: Array, rate_hz: float, config: SpectrumConfig, grid: Array | None = None) -> HilbertSpectrum:
    """The Hilbert spectrum of a signal's IMFs (n_imfs, n_samples), without its residue.

    grid : as in `power_on_grid`.
    """
    low, high = config.band_hz
    centres = (np.arange(N_BINS) + 0.5) / N_BINS
    frequency_hz = low + centres * (high - low)
    if config.decomposition == "upstream":
        power, dropped = upstream_matrix(imfs, rate_hz, config.band_hz), 0.0
        frequency_hz = np.linspace(low, high, N_BINS)
    else:
        power, dropped = power_on_grid(imfs, rate_hz, config.band_hz, grid)
    return HilbertSpectrum(
        power=power,
        frequency_hz=frequency_hz,
        time_s=centres * (imfs.shape[1] / rate_hz),
        dropped=dropped,
        n_imfs=imfs.shape[0],
    )


def imf_powers(
    x: ArrayLike, rate_hz: float, config: SpectrumConfig | None = None, *, n_threads: int | None = None
) -> Array:
    """Power of each IMF on the grid, (n_imfs, 256, 256). Their sum is the power of :func:`hilbert_spectrum`.

    Parameters and errors are those of :func:`hilbert_spectrum`. ``"upstream"``, whose matrix is not a sum over IMFs,
    raises a ValueError as well.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> powers = sh.hht.imf_powers(x, 1000)
    """
    config = config or SpectrumConfig()
    if config.decomposition == "upstream":
        raise ValueError("the matrix of the decomposition 'upstream' is not a sum over IMFs")
    imfs = _oscillations(x, rate_hz, config, n_threads)
    return np.stack([power_on_grid(imf[None], rate_hz, config.band_hz)[0] for imf in imfs])


def _oscillations(x: ArrayLike, rate_hz: float, config: SpectrumConfig, n_threads: int | None) -> Array:
    """The IMFs (n_imfs, n_samples) of a signal, without the residue, which does not oscillate."""
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise ValueError(f"rate must be above 0 Hz; got {rate_hz}")
    if config.band_hz[0] >= rate_hz / 2:
        raise ValueError(
            f"at {rate_hz:g} Hz a signal has no frequencies above {rate_hz / 2:g} Hz; expected a band that begins "
            f"below, got {config.band_hz[0]:g} to {config.band_hz[1]:g} Hz"
        )
    signal = np.asarray(x)
    if signal.ndim != 1:
        raise ValueError(f"expected one signal (n_samples,); got shape {signal.shape}")
    return DECOMPOSITIONS[config.decomposition](signal, config, n_threads)[:-1]


def hilbert_spectra(
    x: ArrayLike, rate_hz: float, config: SpectrumConfig | None = None, n_threads: int | None = None
) -> list[HilbertSpectrum]:
    """Hilbert spectra of a batch (n_signals, n_samples) that ``n_threads`` threads (None: all cores) share.

    Each spectrum is that of :func:`hilbert_spectrum` for the signal alone; errors are the same. Four spectra share the
    memory of their power, 2 MB: to keep few of many, keep ``power.copy()``.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> spectra = sh.hht.hilbert_spectra(np.stack([x, 2 * x]), 1000)
    >>> len(spectra)
    2
    """
    signals = as_signals(x)
    if signals.ndim != 2:
        raise ValueError(f"expected a batch (n_signals, n_samples); got shape {signals.shape}")

    config = config or SpectrumConfig()
    n_signals = len(signals)
    grids = [grid for _ in range(0, n_signals, 4) for grid in _four_grids()]

    def work(start: int, stop: int) -> HilbertSpectrum:
        imfs = _oscillations(signals[start], rate_hz, config, 1)
        return spectrum_of_imfs(imfs, rate_hz, config, grids[start])

    return kernel.over_threads(work, n_signals, n_threads)


def _four_grids() -> Array:
    """Memory (4, 256, 256) of four grids: one large page, if the system has such pages.

    NumPy asks for them from 4 MB on; what is never touched costs nothing.
    """
    memory = np.empty(2 * LARGE_PAGE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LARGE_PAGE
    return memory[start : start + LARGE_PAGE].view(np.float64).reshape(4, N_BINS, N_BINS)


def power_on_grid(
    imfs: Array, rate_hz: float, band_hz: tuple[float, float], grid: Array | None = None
) -> tuple[Array, float]:
    """IMFs (n_imfs, n_samples) -> (power (256, 256) [frequency, time], dropped share), as for :func:`accumulate`.

    grid : memory that the kernel may use for the power; None: new memory.
    """
    compiled = kernel.available()
    if compiled is None:
        return accumulate(*instantaneous(imfs, rate_hz), band_hz)
    n_imfs, n_samples = imfs.shape
    if grid is None:
        grid = np.zeros((N_BINS, N_BINS))
    else:
        grid.fill(0)
    radices, turns, table = _fourier_tables(n_samples)
    band, rows = map(float, band_hz), np.ascontiguousarray(imfs)
    dropped = compiled.spectrum(rows, n_imfs, n_samples, rate_hz, *band, grid, radices, radices.size, turns, table)
    return grid, dropped


@lru_cache(maxsize=32)
def _fourier_tables(n_samples: int) -> tuple[NDArray[np.int64], NDArray[np.complex128], Array]:
    """Radices and tables of the kernel's Hilbert transform, which has 8 m samples: ``n_samples``, or more with zeros.

    Sample 8 t + l is number l of element t. The kernel transforms the m elements, turns number l at frequency k by
    exp(-2 pi i l k / 8 m), transforms the eight numbers, and multiplies by -i times the factors below; then the same
    backwards. If m has a prime factor above 5, zeros follow the signal, and the factors are those of the convolution
    with the kernel of the n_samples-point Hilbert transform, which is therefore exact for any length.

    Returns
    -------
    radices : their product is m.
    turns : (m,) exp(-2 pi i k / m).
    table : (m / 8 rounded up, 22, 8) for eight frequencies k in the kernel's order: cosine and sine of number 1 to 7,
        then the factors of frequencies k + m j, j = 0 to 7.
    """
    radices = _radices(n_samples // 8) if n_samples % 8 == 0 else None
    n_elements = n_samples // 8
    if radices is None:
        n_elements = -(-(2 * n_samples - 1) // 8)
        while (radices := _radices(n_elements)) is None:
            n_elements += 1
    length = 8 * n_elements
    half = np.fft.irfft(-1j * (np.arange(n_samples // 2 + 1) * 2 % n_samples > 0), n_samples)
    response = np.zeros(length)  # of the Hilbert transform; it is odd, so its spectrum is imaginary
    response[:n_samples] = half
    if length > n_samples:
        response[length - n_samples + 1 :] = half[1:]
    spectrum = np.fft.rfft(response).imag
    factor = -np.concatenate([spectrum, -spectrum[-2:0:-1]]) / length
    order = np.arange(n_elements).reshape(radices[::-1]).transpose().ravel()  # (m,) frequencies in the kernel's order
    angle = -2 * np.pi * np.outer(np.arange(1, 8), order) / length
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1).reshape(14, n_elements)  # (7, 2, m) -> (14, m)
    rows = np.concatenate([rows, factor[order + n_elements * np.arange(8)[:, None]]])  # (22, m)
    padded = np.zeros((22, -(-n_elements // 8) * 8))
    padded[:, :n_elements] = rows
    table = np.ascontiguousarray(padded.reshape(22, -1, 8).transpose(1, 0, 2))  # (22, m) -> (m / 8, 22, 8)
    return np.array(radices, np.int64), np.exp(-2j * np.pi * np.arange(n_elements) / n_elements), table


def _radices(n_elements: int) -> list[int] | None:
    """Factors 2 to 5 of a number, small ones first; None if it has a prime factor above 5."""
    radices = []
    for radix in (4, 2, 3, 5):
        while n_elements % radix == 0:
            n_elements //= radix
            radices.append(radix)
    return radices if n_elements == 1 else None


def fast_length(n: int) -> int:
    """The smallest number from ``n`` on without prime factors above 5: Fourier transforms of this length are fast.

    It is `scipy.fft.next_fast_len` of real signals; importing `scipy.fft` takes longer than most transforms here.
    """
    powers = range(n.bit_length())
    odd: list[int] = [3**i * 5**j for i in powers for j in powers]
    return min(factor << (-(-n // factor) - 1).bit_length() for factor in odd)


def accumulate(amplitude: Array, frequency_hz: Array, band_hz: tuple[float, float]) -> tuple[Array, float]:
    """Pool instantaneous power (n_imfs, n_samples) on the grid.

    Each sample represents the interval up to the next sample, and its power is spread over the time bins that this
    interval overlaps. A signal shorter than the grid therefore fills every column, and a longer one is averaged;
    neither is interpolated. Power outside the band is dropped and counted, not added to the edge rows.

    Returns
    -------
    power : (256, 256) [frequency, time], mean power of each time bin.
    dropped : share of the energy outside the band; 0 if there is no energy at all.
    """
    n_samples = amplitude.shape[-1]
    low, high = band_hz
    power = amplitude**2 / 2  # mean square of a sinusoid of amplitude a: a**2 / 2
    row = np.floor((frequency_hz - low) * (N_BINS / (high - low)))
    row = np.where(frequency_hz == high, N_BINS - 1, row)  # the last bin includes its upper edge
    inside = (row >= 0) & (row < N_BINS)
    total = float(power.sum())
    dropped = float(power[~inside].sum()) / total if total > 0 else 0.0

    imf, sample = np.nonzero(inside)  # (n_inside,) each
    cell_row = row[imf, sample].astype(np.intp) * N_BINS
    cell_power = power[imf, sample]
    width = N_BINS / n_samples  # interval of a sample, in time bins
    start = np.arange(n_samples) * width
    first = np.minimum(start.astype(np.intp), N_BINS - 1)
    grid = np.zeros(N_BINS * N_BINS)
    for k in range(int(np.ceil(width)) + 1):  # largest number of bins that an interval overlaps
        overlap = np.minimum(start + width, first + k + 1) - np.maximum(start, first + k)
        share = np.where(first + k < N_BINS, np.maximum(overlap, 0.0), 0.0)
        column = np.minimum(first + k, N_BINS - 1)
        grid += np.bincount(cell_row + column[sample], weights=cell_power * share[sample], minlength=grid.size)
    return grid.reshape(N_BINS, N_BINS), dropped  # (65536,) -> (256 frequency, 256 time)
