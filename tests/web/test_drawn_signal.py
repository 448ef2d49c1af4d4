"""What is drawn of an interval: extremes of blocks, the moving RMS, and gaps of a sensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semg_hht.web.drawn_signal import MAX_POINTS, draw_interval, read_samples, write_samples

NAMES = [("biceps", "uV", False), ("angle", "deg", True)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    samples = np.random.default_rng(0).normal(0, 1, (2, 60_000))
    samples[0, 31_234], samples[0, 40_000:41_000], samples[1, 500:5000] = 90.0, 5.0, np.nan
    write_samples(samples, tmp_path / "a.npy")
    return tmp_path / "a.npy"


def test_a_long_interval_is_drawn_by_extremes_that_keep_each_peak(path: Path) -> None:
    drawn = draw_interval(path, 1000.0, NAMES, (0.0, 60.0), 5000)
    (biceps,), (angle,), (envelope,) = drawn["channels"], drawn["sensors"], drawn["envelope"]
    assert len(biceps["high"]) <= MAX_POINTS and max(biceps["high"]) == 90.0
    at_s = biceps["t0"] + biceps["dt"] * int(np.argmax(biceps["high"]))
    assert at_s == pytest.approx(31.234, abs=biceps["dt"])
    assert angle["low"][20] is None and angle["units"] == "deg"
    at_plateau = envelope["values"][round(40.5 / envelope["dt"])]
    assert at_plateau == pytest.approx(5.0, rel=0.01)
    assert (drawn["from"], drawn["to"]) == (0.0, 60.0)


def test_a_short_interval_is_drawn_sample_by_sample(path: Path) -> None:
    drawn = draw_interval(path, 1000.0, NAMES, (31.23, 31.24), 1200)
    biceps = drawn["channels"][0]
    assert biceps["low"] == biceps["high"] and biceps["dt"] == 0.001
    assert biceps["high"][4] == 90.0
    whole = read_samples(path)[0, 31_230:31_241]
    np.testing.assert_allclose(biceps["low"], whole, atol=0.01)
    exact = np.sqrt(np.mean(read_samples(path)[0, 31_184:31_284] ** 2))
    assert drawn["envelope"][0]["values"][4] == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("interval", [(-5.0, 1e9), (70.0, 80.0), (5.0, 1.0), (59.9999, 60.0)])
def test_any_interval_gives_an_answer(path: Path, interval: tuple[float, float]) -> None:
    drawn = draw_interval(path, 1000.0, NAMES, interval, 10)
    assert 1 <= len(drawn["channels"][0]["low"]) <= 11
