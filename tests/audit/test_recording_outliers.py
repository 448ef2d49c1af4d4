"""Recordings whose rate or unit contradicts the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit_builders import emg
from semg_hht.audit.recording_description import describe
from semg_hht.audit.recording_outliers import ComparedRecording, rate_outliers, unit_outliers
from semg_hht.recordings.recording import Recording


def compared(recordings: list[Recording]) -> list[ComparedRecording]:
    return [ComparedRecording(describe(recording), f"P{i % 2}", label="full") for i, recording in enumerate(recordings)]


def changed(recordings: list[Recording], number: int, samples: np.ndarray) -> list[Recording]:
    return [replace(r, samples=samples) if i == number else r for i, r in enumerate(recordings)]


@pytest.mark.parametrize("ratio", [10, 0.1, 2, 0.5])
def test_a_wrong_rate_is_found(ratio: float) -> None:
    recordings = [emg(seed) for seed in range(8)]
    recordings[3] = replace(recordings[3], rate_hz=1000 * ratio)
    [outlier] = rate_outliers(compared(recordings))
    assert outlier.number == 3
    assert outlier.ratio == pytest.approx(ratio)
    assert outlier.usual_hz == 1000
    assert outlier.corrected < outlier.stated


def test_another_device_with_another_rate_is_no_outlier() -> None:
    assert rate_outliers(compared([emg(seed, rate_hz=2000.0 if seed == 3 else 1000.0) for seed in range(8)])) == []


def test_a_recording_made_at_half_the_stated_rate_is_found() -> None:
    recordings = [emg(seed) for seed in range(8)]
    recordings[3] = replace(emg(3, rate_hz=500.0), rate_hz=1000.0)
    [outlier] = rate_outliers(compared(recordings))
    assert (outlier.number, outlier.ratio) == (3, 2)


@pytest.mark.parametrize("factor", [1000, 10, 0.1])
@pytest.mark.parametrize("has_steps", [True, False])
def test_a_wrong_power_of_ten_is_found(factor: float, has_steps: bool) -> None:
    recordings = [emg(seed) for seed in range(8)]
    if not has_steps:
        rng = np.random.default_rng(0)
        recordings = [replace(r, samples=r.samples + rng.normal(0, 0.01, r.samples.shape)) for r in recordings]
    recordings[3] = replace(recordings[3], samples=factor * recordings[3].samples)
    [outlier] = unit_outliers(compared(recordings))
    assert (outlier.number, outlier.by_step) == (3, has_steps)
    assert outlier.factor == pytest.approx(factor, rel=0.3)


def test_a_louder_muscle_with_equal_steps_is_no_wrong_unit() -> None:
    recordings = [emg(seed) for seed in range(8)]
    mixed = [replace(r, units="V" if i == 5 else "mV") for i, r in enumerate(recordings)]
    loud = np.round(12 * recordings[3].samples + 0.01 * (np.arange(4000) % 2), 2)
    assert unit_outliers(compared(changed(recordings, 3, loud))) == []
    assert unit_outliers(compared(changed(recordings, 3, 12 * recordings[3].samples))) != []
    assert [outlier.number for outlier in unit_outliers(compared(mixed))] == [5]


def test_few_or_constant_recordings_are_not_compared() -> None:
    flat = replace(emg(0), samples=np.zeros((3, 4000)))
    assert unit_outliers(compared([emg(0), emg(1)])) == []
    assert rate_outliers(compared([*map(emg, range(6)), flat])) == []
    assert unit_outliers(compared([*map(emg, range(6)), flat])) == []
