"""recordings/quality.py: gaps, clipping, flat channels, whole numbers and implausible rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.recordings.quality import clipped_ends, counts_per_unit, interpolate_gaps, median_hz, quality_remarks
from semg_hht.recordings.recording import read_recording
from semg_hht.signals.filters import FilterConfig, preprocess

RATE_HZ = 1000.0


def muscle(n_samples: int = 4000, *, rate_hz: float = RATE_HZ, rms: float = 1.0) -> np.ndarray:
    """Noise in the band of EMG: (n_samples,)."""
    noise = np.random.default_rng(0).standard_normal((1, n_samples))
    shaped = preprocess(noise, rate_hz, FilterConfig((30, 150), None))[0]
    return rms * shaped / np.sqrt(np.mean(shaped**2))


def remarks_on(*channels: np.ndarray, rate_hz: float = RATE_HZ, units: str = "uV") -> str:
    return "; ".join(quality_remarks(channels, rate_hz, [f"ch{i + 1}" for i in range(len(channels))], units))


def test_short_gaps_are_interpolated_and_reported() -> None:
    whole = np.linspace(0, 1, 1000)
    samples = np.stack([whole, whole])
    samples[1, 100:110] = np.nan
    samples[1, :3] = np.nan  # the first sample that exists is repeated
    remarks = interpolate_gaps(samples, RATE_HZ, ["a", "b"])
    assert remarks == ("channel b: 2 gaps were filled by interpolation, the longest of 10.0 ms",)
    assert_array_equal(samples[0], whole)
    assert_allclose(samples[1, 3:], whole[3:], rtol=1e-12)
    assert_array_equal(samples[1, :3], whole[3])


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (slice(200, 251), r"channel a lacks 51 of 1000 samples, .* from 0\.200 to 0\.251 s; expected gaps"),
        (slice(0, 1000), "channel a lacks 1000 of 1000 samples"),
        (slice(0, None, 10), "channel a lacks 100 of 1000 samples"),
    ],
)
def test_a_longer_gap_is_an_error_with_its_place(missing: slice, message: str) -> None:
    samples = np.zeros((1, 1000))
    samples[0, missing] = np.nan
    with pytest.raises(InputError, match=message):
        interpolate_gaps(samples, RATE_HZ, ["a"])


def test_infinite_values_are_an_error() -> None:
    with pytest.raises(InputError, match="channel a has 2 infinite samples"):
        interpolate_gaps(np.array([[0.0, np.inf, -np.inf]]), RATE_HZ, ["a"])


@pytest.mark.parametrize("step", [0.0, 0.05], ids=["floating", "quantised"])
def test_clipping_is_found_at_the_end_where_it_happens(step: float) -> None:
    signal = muscle()
    if step:
        signal = step * np.rint(signal / step)
    assert clipped_ends(signal) == []
    cut = np.minimum(signal, 1.5)
    ((value, n_clipped),) = clipped_ends(cut)
    assert value == 1.5
    assert n_clipped == np.count_nonzero(signal >= 1.5)
    assert "channel ch1 is clipped" in remarks_on(cut)


def test_coarse_steps_and_constant_channels_are_not_clipping() -> None:
    assert clipped_ends(np.rint(muscle(rms=0.8))) == []  # four or five steps of the converter
    assert clipped_ends(np.zeros(1000)) == []


def test_a_flat_channel_and_whole_numbers_are_reported() -> None:
    assert remarks_on(muscle(), np.full(4000, 3.5)) == "nothing was recorded on ch2: all samples have the same value"
    assert "whole numbers without units" in remarks_on(np.rint(muscle(rms=100)), units="")
    assert remarks_on(np.rint(muscle(rms=100))) == ""
    assert remarks_on(muscle(), units="") == ""


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("units", ["", "adc"])
def test_counts_that_were_divided_by_the_range_are_read_as_counts(tmp_path: Path, bits: int, units: str) -> None:
    full = 2 ** (bits - 1)
    counts = np.rint(np.clip(muscle(rms=full / 10), -full, full - 1))
    two = np.column_stack([counts, counts[::-1]])
    for name, table in (("counts.csv", two), ("shares.csv", two / full)):
        np.savetxt(tmp_path / name, table, delimiter=",", fmt="%.7g", header="biceps,triceps", comments="")
    recordings = [
        read_recording(tmp_path / name, rate_hz=RATE_HZ, units=units) for name in ("counts.csv", "shares.csv")
    ]
    assert_allclose(recordings[1].samples, recordings[0].samples, atol=0.01)
    own = [remark for remark in recordings[1].remarks if f"they were multiplied by {full}" in remark]
    assert len(own) == 1
    assert not any("multiplied" in remark for remark in recordings[0].remarks)


def test_other_numbers_are_not_taken_for_counts_that_were_divided(tmp_path: Path) -> None:
    shares = np.rint(muscle(rms=20)) / 128
    assert counts_per_unit([shares]) == 128
    assert counts_per_unit([shares, np.full(4000, np.nan)]) == 128
    assert counts_per_unit([shares, 1e-5 * muscle()]) == 1  # another channel is in another unit
    assert counts_per_unit([np.rint(muscle(rms=20)) / 2]) == 1  # the mean of two counts
    assert counts_per_unit([np.rint(muscle(rms=2000)) / 2**20]) == 1  # 32 bits
    assert counts_per_unit([1e-5 * muscle()]) == counts_per_unit([1000 * muscle()]) == 1
    np.savetxt(tmp_path / "a.csv", shares, header="biceps", comments="")
    recording = read_recording(tmp_path / "a.csv", rate_hz=RATE_HZ, units="mV")
    assert_allclose(recording.samples[0], shares)  # a stated voltage is one


def test_an_armband_whose_files_hold_counts_or_shares_of_the_range_is_read_in_counts(real_data: Path) -> None:
    paths = sorted((real_data / "grip_force").glob("*.mat"))
    divided = set()
    for path in paths:
        recording = read_recording(path, rate_hz=200, units="adc")
        signals = recording.samples[:8]
        assert np.array_equal(signals, np.rint(signals))
        assert -128 <= signals.min() < signals.max() <= 127
        divided |= {path.stem for remark in recording.remarks if "they were multiplied by 128" in remark}
    assert divided == {"v1", "v3", "v4", "v9"}


@pytest.mark.parametrize(
    ("true_hz", "stated_hz", "expected"),
    [
        (1000, 1000, ""),
        (2000, 2000, ""),
        (1000, 10000, "lies above"),
        (2000, 20000, "lies above"),
        (2000, 200, "lies below"),
        (1000, 100, "100 Hz covers little of the band of surface EMG"),
    ],
)
def test_a_rate_ten_times_too_high_or_low_is_reported(true_hz: float, stated_hz: float, expected: str) -> None:
    remarks = remarks_on(muscle(8000, rate_hz=true_hz), rate_hz=stated_hz)
    assert expected in remarks
    assert bool(remarks) == bool(expected)


def test_the_median_frequency_ignores_drift() -> None:
    time_s = np.arange(4000) / RATE_HZ
    drifting = np.sin(2 * np.pi * 80 * time_s) + 100 * np.sin(2 * np.pi * 0.5 * time_s)
    assert median_hz(drifting, RATE_HZ) == pytest.approx(80, abs=1)


def test_the_quality_of_a_joint_angle_is_not_checked(tmp_path: Path) -> None:
    angle = np.clip(90 * np.sin(np.arange(4000) / 300), -40, None)
    table = np.column_stack([muscle(), angle])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header="vastus,knee angle", comments="")
    recording = read_recording(tmp_path / "a.csv", rate_hz=RATE_HZ)
    assert recording.remarks == ("channels that are not EMG, by their names: knee angle",)


def test_every_clipped_recording_of_the_armband_is_found(real_data: Path) -> None:
    paths = sorted((real_data / "myo_armband").rglob("*.csv"))
    clipped = [p for p in paths if p.name != "manifest.csv" and any(
        "is clipped" in remark for remark in read_recording(p, rate_hz=200).remarks
    )]  # fmt: skip
    for path in clipped:
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        at_end = np.count_nonzero((table == -128) | (table == 127), axis=0)
        assert at_end.max() >= 8
    assert len(clipped) == 8


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_a_wrong_rate_of_real_recordings_is_reported(real_data: Path, factor: float) -> None:
    paths = sorted((real_data / "contraction_intensity" / "S1").glob("*.csv"))[::9]
    for path in paths:
        remarks = read_recording(path, rate_hz=1000 * factor).remarks
        assert any("the rate" in remark for remark in remarks) == (factor != 1)


def test_a_rectified_signal_is_said_to_be_one_and_not_clipped_at_0() -> None:
    counts = np.rint(50 * muscle())
    said = remarks_on(np.abs(counts))
    assert said.startswith("channel ch1 lies on one side of 0, as a rectified signal or an envelope (RMS, moving")
    assert "clipped" not in said
    assert "one side" not in remarks_on(counts + 512)
