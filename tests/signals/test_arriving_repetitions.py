"""signals/arriving_repetitions.py: repetitions found while the signal arrives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.signals.arriving_repetitions import WINDOW_S, ArrivedRepetition, ArrivingRepetitions
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.repetitions import SegmentConfig, repetitions_in
from signal_builders import bursts

RATE_HZ = 1000.0
FILTERS, SEGMENTS = FilterConfig(), SegmentConfig()
SPANS = tuple((2.0 + 4 * i, 3.5 + 4 * i, 8.0) for i in range(5))
SIGNAL = bursts(*SPANS, duration_s=21.0, n_channels=2)
Found = list[tuple[float, ArrivedRepetition]]


def found_in(signal: np.ndarray, n_piece: int = 50, config: SegmentConfig = SEGMENTS) -> Found:
    """Each repetition, and the time at which it was returned."""
    arriving = ArrivingRepetitions(len(signal), RATE_HZ, FILTERS, config)
    found: Found = []
    for start in range(0, signal.shape[1], n_piece):
        stop = min(start + n_piece, signal.shape[1])
        found += [(stop / RATE_HZ, one) for one in arriving.add(signal[:, start:stop])]
    return found + [(signal.shape[1] / RATE_HZ, one) for one in arriving.finish()]


def test_the_repetitions_are_those_of_the_whole_recording_and_come_half_a_second_after_each() -> None:
    whole = repetitions_in(preprocess(SIGNAL, RATE_HZ, FILTERS), RATE_HZ, SEGMENTS)
    found = found_in(SIGNAL)
    assert len(whole) == len(found) == 5
    for expected, (_, one) in zip(whole, found, strict=True):
        assert abs(expected.start - one.start) <= 60 and abs(expected.stop - one.stop) <= 60
        assert_array_equal(one.raw, SIGNAL[:, one.start : one.stop])
        assert one.filtered.shape == one.raw.shape
        assert one.confidence > 0.9
    late_s = [at_s - one.stop / RATE_HZ for at_s, one in found]
    assert min(late_s) >= SEGMENTS.merge_gap_s and max(late_s) <= SEGMENTS.merge_gap_s + 0.1


def test_rest_and_activity_are_learned_while_no_repetition_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[float] = []
    fit = ArrivingRepetitions._fit

    def noted(self: ArrivingRepetitions) -> None:
        learned.append(self._signal.n_seen / RATE_HZ)
        fit(self)

    monkeypatch.setattr(ArrivingRepetitions, "_fit", noted)
    found = found_in(SIGNAL)
    ends_s = [one.stop / RATE_HZ for _, one in found]
    assert [at_s for at_s in learned if any(end_s + 0.1 < at_s < end_s + 0.5 for end_s in ends_s[1:])] == []
    assert all(any(0 < at_s - told_s < 0.06 for at_s in learned) for told_s, _ in found[:-1])


def test_a_twitch_before_the_first_repetition_is_none() -> None:
    signal = bursts((1.9, 2.4, 1.8), (3.3, 7.5, 20.0), (9.0, 12.0, 20.0), duration_s=14.0)
    assert [round(one.stop / RATE_HZ) for _, one in found_in(signal)] == [8, 12]


def test_the_result_does_not_depend_on_the_pieces() -> None:
    fine, coarse = found_in(SIGNAL, 7), found_in(SIGNAL, 1900)
    assert [(one.start, one.stop) for _, one in fine] == [(one.start, one.stop) for _, one in coarse]


def test_a_short_rest_lies_within_a_repetition() -> None:
    signal = bursts((2, 3, 8.0), (3.3, 4.3, 8.0), (7, 8, 8.0), (8.3, 9.3, 8.0), duration_s=12.0)
    assert_allclose([one.stop / RATE_HZ for _, one in found_in(signal)], [4.3, 9.3], atol=0.1)


def test_a_repetition_that_ends_with_the_signal_is_returned_at_its_end() -> None:
    signal = SIGNAL[:, :19300]
    assert [at_s for at_s, _ in found_in(signal)][-1] == 19.3
    assert len(found_in(signal)) == 5


def test_an_activity_whose_beginning_is_not_seen_is_no_repetition() -> None:
    assert [round(one.start / RATE_HZ) for _, one in found_in(SIGNAL[:, 2500:])] == [3, 7, 11, 15]


def test_a_rest_longer_than_the_window_and_a_twitch_in_it_are_no_repetitions() -> None:
    signal = bursts(*SPANS, (35.0, 36.0, 1.4), (66.0, 67.5, 8.0), duration_s=70.0)
    assert WINDOW_S < 35
    assert [round(one.start / RATE_HZ) for _, one in found_in(signal)] == [2, 6, 10, 14, 18, 66]


def test_what_is_kept_of_the_signal_is_bounded() -> None:
    arriving = ArrivingRepetitions(1, RATE_HZ, FILTERS, SEGMENTS)
    arriving.add(bursts(duration_s=3 * WINDOW_S))
    assert arriving._signal.raw.shape[1] == WINDOW_S * RATE_HZ
    assert arriving._energy.size <= WINDOW_S * RATE_HZ / 10


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_signal_that_never_changes_has_no_repetitions(value: float) -> None:
    assert found_in(np.full((2, 8000), value)) == []
    assert found_in(np.full((2, 3), value)) == []
