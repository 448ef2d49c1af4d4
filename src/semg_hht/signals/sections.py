"""Design second-order sections and filter with them in both directions; bit for bit the results of `scipy.signal`.

Importing `scipy.signal` takes longer than finding the repetitions of a recording: it imports SciPy's statistics,
interpolation and spatial parts. Three of its designs stand here, and the loop over samples is compiled. The module
knows arrays and rates. It does not know recordings or which filters a recording needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht import kernel

Array = NDArray[np.float64]

TOGETHER = 4  # channels that the compiled loop filters at the same time


def band_pass(order: int, band_hz: tuple[float, float], rate_hz: float) -> Array:
    """Butterworth band-pass of an even ``order``: (order, 6), as ``butter(order, band_hz, "bandpass", output="sos")``.

    Butterworth 1930; poles and zeros are paired as by SciPy, the nearest, with the poles next to the unit circle last.
    """
    low, high = 4 * np.tan(np.pi * (np.array(band_hz) / (rate_hz / 2)) / 2)  # rad/s at 2 samples a second
    prototype = -np.exp(1j * np.pi * np.arange(1.0 - order, order, 2) / (2 * order))
    centres = prototype * (high - low) / 2
    spread = np.sqrt(centres**2 - float(np.sqrt(low * high)) ** 2)
    analog = np.concatenate([centres + spread, centres - spread])  # (2 order,)
    poles = _upper((4 + analog) / (4 - analog))
    gain = float(high - low) ** order * np.real(np.prod(np.full(order, 4 + 0j)) / np.prod(4 - analog))
    zeros = np.repeat([-1.0, 1.0], order)
    sos = np.empty((order, 6))
    for section in sos[::-1]:
        worst = np.argmin(np.abs(1 - np.abs(poles)))
        pole, poles = poles[worst], np.delete(poles, worst)
        nearest = np.argsort(np.abs(zeros - pole))[:2]
        section[:3] = np.poly(zeros[nearest])
        section[3:] = np.poly([pole, pole.conj()])
        zeros = np.delete(zeros, nearest)
    sos[0, :3] *= gain
    return sos


def notch(line_hz: float, width_hz: float, rate_hz: float) -> Array:
    """A notch of ``width_hz`` at -3 dB: (1, 6), as ``tf2sos(*iirnotch(line_hz, line_hz / width_hz, rate_hz))``.

    Orfanidis 1996, Introduction to Signal Processing, section 11.3.
    """
    centre = 2 * line_hz / rate_hz
    cosine = np.cos(centre * np.pi)
    gain = 1 / (1 + np.tan(centre / (line_hz / width_hz) * np.pi / 2))
    above = gain * np.array([1.0, -2 * cosine, 1.0])
    zeros = np.roots(above / above[0])
    poles = np.roots([1.0, -2 * gain * cosine, 2 * gain - 1])
    both = [np.poly(roots if np.isreal(roots).all() else _pair(roots)) for roots in (zeros, poles)]
    return np.concatenate([both[0] * above[0], both[1]])[None]  # (6,) -> (1, 6)


def _pair(roots: NDArray[Any]) -> list[complex]:
    (upper,) = _upper(roots)
    return [upper, upper.conjugate()]


def _upper(roots: NDArray[Any]) -> NDArray[np.complex128]:
    """Of conjugate pairs (2 n,) those above the real axis (n,): the mean of each with the conjugate of its partner."""
    upper, lower = roots[roots.imag > 0], roots[roots.imag < 0].conj()
    upper = (upper + lower[np.abs(upper[:, None] - lower).argmin(axis=1)]) / 2
    return np.asarray(upper[np.lexsort((upper.imag, upper.real))], np.complex128)


def steady_state(sos: Array) -> Array:
    """State of each section after a long constant 1, (n_sections, 2), as `scipy.signal.sosfilt_zi`."""
    state, scale = np.empty((len(sos), 2)), 1.0
    for section, own in zip(sos, state, strict=True):
        b, a = section[:3], section[3:]
        own[:] = scale * np.linalg.solve([[1 + a[1], -1.0], [a[2], 1.0]], b[1:] - a[1:] * b[0])
        scale *= np.sum(b) / np.sum(a)
    return state


def filter_both_ways(sos: Array, samples: Array) -> Array:
    """Filter (n_channels, n_samples) forwards and backwards, as ``sosfiltfilt(sos, samples, padtype=None)``."""
    compiled = kernel.available()
    if compiled is None or len(sos) > kernel.MAX_SECTIONS:
        from scipy.signal import sosfiltfilt

        return np.asarray(sosfiltfilt(sos, samples, padtype=None))
    sos, filtered = np.ascontiguousarray(sos), np.array(samples, order="C")
    steady = steady_state(sos)
    for end, backwards in ((0, False), (-1, True)):
        state = steady * filtered[:, end, None, None]  # (n_channels, n_sections, 2)
        compiled.filter(filtered, sos, state, *filtered.shape, len(sos), backwards)
    return filtered
