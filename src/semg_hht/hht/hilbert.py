"""Instantaneous amplitude and frequency of IMFs, from the analytic signal.

It works on arrays and a sampling rate. It does not know how IMFs are computed.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]


def analytic_signal(x: Array) -> NDArray[np.complex128]:
    """Analytic signal along the last axis (Gabor 1946): the negative frequencies of ``x`` set to zero.

    The signal is transformed at its own length, because padding to a fast length would move the ends.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> amplitude = abs(sh.hht.analytic_signal(x))
    """
    return np.asarray(scipy.signal.hilbert(x, axis=-1), dtype=np.complex128)


def instantaneous(imfs: Array, rate_hz: float) -> tuple[Array, Array]:
    """Instantaneous amplitude and frequency of each row (Huang et al. 1998, doi 10.1098/rspa.1998.0193).

    Parameters
    ----------
    imfs : (..., n_samples) rows of zero local mean, in units of the signal.
    rate_hz : samples per second.

    Returns
    -------
    amplitude : (..., n_samples) in units of the signal.
    frequency : (..., n_samples) in Hz, from the phase step across each sample: half the step from the previous sample
        plus half the step to the next one (one-sided at the ends). It is negative where the phase decreases. Such
        samples are not an oscillation, and the spectrum drops them.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> amplitude, frequency_hz = sh.hht.instantaneous(sh.hht.emd(x)[:-1], rate_hz=1000)
    """
    z = analytic_signal(imfs)
    step = np.angle(z[..., 1:] * np.conj(z[..., :-1]))  # (..., n_samples - 1) radians per sample, without unwrapping
    phase_step = np.empty(imfs.shape)
    phase_step[..., 1:-1] = (step[..., 1:] + step[..., :-1]) / 2
    phase_step[..., 0] = step[..., 0]
    phase_step[..., -1] = step[..., -1]
    return np.abs(z), phase_step * (rate_hz / (2 * np.pi))
