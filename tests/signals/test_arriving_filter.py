"""signals/arriving_filter.py: a signal filtered while it arrives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.signals.arriving_filter import ArrivingFilter
from semg_hht.signals.filters import FilterConfig, preprocess
from signal_builders import bursts

RATE_HZ, N_MOST = 1000.0, 6000
TIME_S = np.arange(14000) / RATE_HZ
HUM = 3 * np.sin(2 * np.pi * 50 * TIME_S)
SIGNAL = bursts((3, 4, 8.0), (9, 10, 8.0), duration_s=14.0, n_channels=2) + HUM + 500


def arrived(signal: np.ndarray, config: FilterConfig, n_piece: int = 70) -> ArrivingFilter:
    """The filter after the signal, having looked for hum after 2 s and filtered each second."""
    arriving = ArrivingFilter(len(signal), RATE_HZ, config, N_MOST)
    for start in range(0, signal.shape[1], n_piece):
        arriving.add(signal[:, start : start + n_piece])
        if arriving.n_seen >= 2000:
            arriving.look_for_hum()
        if start % 1000 < n_piece:
            arriving.filtered()
    return arriving


def test_it_is_the_filter_of_the_whole_recording() -> None:
    arriving = arrived(SIGNAL, FilterConfig())
    assert (arriving.start, arriving.n_seen) == (8000, 14000)
    assert_array_equal(arriving.raw, SIGNAL[:, 8000:])
    whole = preprocess(SIGNAL, RATE_HZ, FilterConfig(mains_hz=50.0))[:, 8000:]
    error = arriving.filtered() - whole
    assert np.abs(error[:, :-1000]).max() < 0.02  # of the rest, whose RMS is 0.9
    assert np.sqrt(np.mean(np.square(error[:, -1000:]))) < 0.1
    assert arriving.n_settled == 13000


def test_what_has_settled_is_not_filtered_again() -> None:
    arriving = arrived(SIGNAL[:, :9000], FilterConfig())
    before, settled = arriving.filtered().copy(), arriving.n_settled - arriving.start
    arriving.add(SIGNAL[:, 9000:9050])
    assert_array_equal(arriving.filtered()[:, : settled - 50], before[:, 50:settled])
    assert not np.array_equal(arriving.filtered()[:, :-50], before[:, 50:])


def test_the_result_does_not_depend_on_the_pieces() -> None:
    fine, coarse = (arrived(SIGNAL, FilterConfig(mains_hz=50.0), n) for n in (1, 3500))
    assert_allclose(fine.filtered(), coarse.filtered(), atol=0.02)


def test_hum_that_begins_later_is_removed_from_the_whole_window() -> None:
    arriving = ArrivingFilter(2, RATE_HZ, FilterConfig(), N_MOST)
    signal = SIGNAL - HUM
    arriving.add(signal[:, :3000])
    arriving.look_for_hum()
    assert not arriving.look_for_hum()  # it was looked for just before
    assert arriving.filtered().std() < 5
    signal[:, 3000:] += 20 * HUM[3000:]
    for start in range(3000, 14000, 1000):
        arriving.add(signal[:, start : start + 1000])
        arriving.filtered()
    assert arriving.filtered().std() > 20
    assert arriving.look_for_hum()
    assert arriving.filtered()[:, 500:-500].std() < 5


def test_heartbeats_are_removed_from_the_whole_window() -> None:
    config = FilterConfig(ecg=True)
    arriving = arrived(SIGNAL, config)
    assert_array_equal(arriving.filtered(), preprocess(SIGNAL[:, 8000:], RATE_HZ, FilterConfig(mains_hz=50, ecg=True)))


def test_a_band_that_does_not_fit_the_rate_is_refused() -> None:
    with pytest.raises(InputError, match="needs a rate above"):
        ArrivingFilter(1, 100.0, FilterConfig((60.0, 90.0)), N_MOST)
