"""recordings/formats/sample_times.py: the rate from times with jitter, packets, skips, gaps and restarts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.sample_times import SampleLines, Times, even_rate, remark_on_ignored, uneven_rate

Array = NDArray[np.float64]
LINES = SampleLines(Path("a.csv"), lambda sample: sample + 2)
N = 4000
EVEN_S: Array = np.arange(N) / 1012.5
RNG = np.random.default_rng(0)
WITHOUT_MISSING = "no samples are missing by its times"


def rate_and_remark(time: Array, scale: float = 1.0) -> tuple[float, str]:
    times = Times("t", time, scale)
    assert even_rate(times) is None
    return uneven_rate(times, LINES)


def without(*gaps: tuple[int, int]) -> Array:
    """Even times without ``length`` samples at each ``start``."""
    return np.delete(EVEN_S, np.concatenate([np.arange(start, start + length) for start, length in gaps]))


@pytest.mark.parametrize(
    ("time", "rate_hz", "tolerance"),
    [
        (np.cumsum(RNG.uniform(0.0003, 0.0017, N)), 1000, 0.02),  # a loop that starts when it can
        (np.maximum.accumulate(np.arange(N) / 500 + 0.0075 * (np.arange(N) % 100 == 50)), 500, 0),
        (np.repeat(np.arange(N // 2) / 82, 2), 164, 0),  # a Bluetooth packet of two samples
        (np.ceil(EVEN_S / 0.032) * 0.032 + np.arange(N) * 1e-8, 1012.5, 0.002),  # buffers of a USB port
        (np.where((EVEN_S > 2) & (EVEN_S < 2.1), 2.1, EVEN_S), 1012.5, 0.001),  # a stall that is caught up
    ],
    ids=["loop", "late arrival", "packets", "buffers", "stall"],
)
def test_uneven_times_without_missing_samples_give_their_mean_rate(
    time: Array, rate_hz: float, tolerance: float
) -> None:
    found, remark = rate_and_remark(time)
    assert found == pytest.approx(rate_hz, rel=tolerance or 1e-9)
    assert remark.startswith("column 't' is not even (steps of ") and WITHOUT_MISSING in remark


def test_whole_milliseconds_with_skips_give_the_mean_rate() -> None:
    milliseconds = np.cumsum(RNG.choice([1, 1, 1, 1, 1, 1, 2, 2, 3, 4], N)).astype(float)
    found, remark = rate_and_remark(milliseconds, 1e-3)
    assert found == pytest.approx(1000 * (N - 1) / (milliseconds[-1] - milliseconds[0]), rel=0.01)
    assert remark.endswith("on average, but its times are too coarse to show single missing samples")


@pytest.mark.parametrize("gaps", [[(1000, 1)], [(1000, 3)], [(1000, 40)], [(i, 3) for i in range(100, 3900, 190)]])
def test_short_gaps_are_counted(gaps: list[tuple[int, int]]) -> None:
    found, remark = rate_and_remark(without(*gaps))
    assert found == pytest.approx(1012.5)
    n_missing = sum(length for _, length in gaps)
    assert f"by its times {n_missing} of {N} samples are missing, the first before line {gaps[0][0] + 2}" in remark


def test_lost_packets_are_counted() -> None:
    found, remark = rate_and_remark(np.delete(np.floor(np.arange(N) / 10) / 100, slice(1000, 1020)))
    assert found == 1000
    assert "because samples share the time of their packet; the packets give 1000 Hz" in remark
    assert f"20 of {N} samples are missing, the first before line 1002" in remark


@pytest.mark.parametrize(
    ("time", "found"),
    [
        (without((1000, 80)), r"has gaps \(.*, the longest before line 1002; by its times 80 samples are missing"),
        (without(*[(i, 15) for i in range(100, 3900, 190)]), "has gaps .* 300 samples are missing"),
        (np.concatenate([EVEN_S[:2000], EVEN_S[2000] + 2 * EVEN_S[:2000]]), "has no even rate"),
        (np.cumsum(RNG.uniform(0.0003, 0.0017, 20)), "has no even rate"),
        (np.concatenate([EVEN_S[:2000], EVEN_S[:1500]]), "must increase from line to line .* line 2001 and 0 in line"),
        (np.repeat(EVEN_S[:3], 500), "must increase from line to line"),
    ],
    ids=["long gap", "many gaps", "another rate later", "too few", "two recordings", "too coarse"],
)
def test_a_doubtful_rate_is_an_error_that_offers_the_median_rate(time: Array, found: str) -> None:
    with pytest.raises(
        InputError, match=rf"a\.csv: column 't' {found}.*If the rate is .* Hz, .*, state it with rate_hz="
    ):
        rate_and_remark(time)


def test_times_that_start_again_in_each_block_give_the_rate_within_a_block() -> None:
    found, remark = rate_and_remark(np.tile(np.arange(100) / 500, 5)[:450])
    assert found == 500
    assert remark == (
        "column 't' starts again every 100 samples; the rate of 500 Hz is that within a block, and whether samples are "
        "missing between blocks is not known"
    )


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (EVEN_S, "by the times, no samples are missing"),
        (np.arange(N) / 900, "by the times, 500 of 4500 samples are missing (11.1%)"),
        (np.where(np.arange(N) == 7, np.nan, EVEN_S), f"1 of {N} samples have no time"),
        (np.zeros(N), "they do not increase, so they don't show missing samples"),
        (np.tile(EVEN_S[:100], 3), "they go back at 2 places, so they don't show missing samples"),
    ],
)
def test_ignored_times_are_reported_with_what_they_disagree_on(time: Array, expected: str) -> None:
    remark = remark_on_ignored(Times("t", time), 1012.5)
    assert remark == f"the times in column 't' are not even and were ignored, because 1012.5 Hz is stated; {expected}"
