"""Copies of recordings: changed in many ways, and of single channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import resample_poly

from audit_builders import emg
from semg_hht.audit.recording_copies import copied_signals
from semg_hht.audit.recording_description import describe
from semg_hht.recordings.recording import Recording

CHANGES: dict[str, Callable[[Recording], Recording]] = {
    "rescaled and rounded": lambda r: replace(r, samples=np.round(0.37 * r.samples, 2)),
    "inverted": lambda r: replace(r, samples=-r.samples),
    "resampled": lambda r: replace(r, samples=resample_poly(r.samples, 4, 5, axis=1), rate_hz=0.8 * r.rate_hz),
    "trimmed": lambda r: replace(r, samples=r.samples[:, 613:3501]),
    "noisy": lambda r: replace(r, samples=r.samples + np.random.default_rng(5).normal(0, 0.02, r.samples.shape)),
    "in another order": lambda r: replace(r, samples=r.samples[::-1].copy()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_unrelated_recordings(change: str) -> None:
    described = [describe(emg(seed)) for seed in range(4)]
    [copy] = copied_signals([*described, describe(CHANGES[change](emg(2)))])
    assert (copy.first, copy.second, copy.whole) == (2, 4, True)
    assert copy.exact == (change == "in another order")
    assert abs(copy.shift_s - (0.613 if change == "trimmed" else 0)) < 0.005


def test_one_copied_channel_is_found() -> None:
    one = emg(0)
    stranger = emg(1)
    samples = stranger.samples.copy()
    samples[0] = 2.5 * one.samples[2]
    [copy] = copied_signals([describe(one), describe(replace(stranger, samples=samples))])
    assert copy.channels == ((2, 0),)
    assert not copy.whole and not copy.exact


def test_unrelated_recordings_and_constant_channels_are_no_copies() -> None:
    flat = replace(emg(7), samples=np.zeros((3, 4000)))
    assert copied_signals([describe(r) for r in (*map(emg, range(6)), flat, flat)]) == []
    assert copied_signals([]) == []
