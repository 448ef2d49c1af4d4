"""Descriptions of recordings: what changes them, and what does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from audit_builders import emg
from semg_hht.audit.recording_description import BANDS_PER_DECADE, describe


def test_a_description_is_small_whatever_the_length_and_the_number_of_channels() -> None:
    for n_channels, seconds in ((1, 60.0), (8, 4.0), (16, 4.0)):
        assert describe(emg(0, n_channels, seconds)).n_bytes < 14_000


def test_level_step_and_spectrum_follow_gain_and_rate() -> None:
    recording = emg(0)
    one = describe(recording)
    louder = describe(replace(recording, samples=10 * recording.samples))
    np.testing.assert_allclose(louder.level, one.level + 1, atol=1e-5)
    np.testing.assert_allclose(one.step, -2, atol=1e-3)
    np.testing.assert_allclose(louder.step, -1, atol=1e-3)
    faster = describe(replace(recording, rate_hz=10 * recording.rate_hz))
    moved = faster.spectrum[:, BANDS_PER_DECADE:] - one.spectrum[:, :-BANDS_PER_DECADE]
    both = np.isfinite(moved)
    np.testing.assert_allclose(moved[both], -1, atol=1e-4)  # the same power in ten times the band


def test_landmarks_stay_where_they_are_when_gain_offset_and_sign_change() -> None:
    recording = emg(0)
    one = describe(recording)
    other = describe(replace(recording, samples=5 - 0.3 * recording.samples))
    np.testing.assert_array_equal(one.landmark_s, other.landmark_s)
    assert np.abs(one.landmarks.astype(int) + other.landmarks).max() <= 1


def test_constant_and_short_and_slow_channels_are_described() -> None:
    recording = emg(0)
    samples = recording.samples.copy()
    samples[1] = 3
    one = describe(replace(recording, samples=samples))
    assert one.level[1] == -np.inf and np.isnan(one.step[1])
    assert set(one.landmark_channel) == {0, 2}
    assert not len(describe(replace(recording, samples=recording.samples[:, :40])).landmarks)
    assert not len(describe(replace(recording, rate_hz=100.0)).landmarks)
