"""A recording of a job, filtered once: its units, its reference amplitudes and its repetitions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from builders import noise
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Job, Reference
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import write_recording
from semg_hht.signals.filtered_recording import FilteredRecording, open_filtered
from semg_hht.signals.filters import FilterConfig, filter_steps

FILTERS = FilterConfig((20.0, 200.0))


def opened(path: Path, units: str = "uV", reference: Reference | None = None, **row: float) -> FilteredRecording:
    """Two channels of noise, 2 s at 500 Hz, as one job."""
    write_recording(replace(noise(2), units=units), path)
    return open_filtered(Job(path, (ManifestRow(file=path.name, subject="S1", **row),), reference), FILTERS)


def test_it_is_filtered_and_keeps_the_steps_on_request(tmp_path: Path) -> None:
    recording = opened(tmp_path / "a.npz")
    steps = filter_steps(recording.raw.samples, 500.0, FILTERS)
    assert_array_equal(recording.filtered.samples, steps[-1][1])
    assert recording.steps == ()
    kept = open_filtered(recording.job, FILTERS, keep_steps=True).steps
    assert [name for name, _ in kept] == [name for name, _ in steps]


def test_volts_become_microvolts_and_units_of_the_device_stay(tmp_path: Path) -> None:
    volts, device = opened(tmp_path / "a.npz", "V"), opened(tmp_path / "b.npz", "")
    converted = volts.in_microvolts()
    assert converted.raw.units == converted.filtered.units == "uV"
    assert_allclose(converted.filtered.samples, 1e6 * volts.filtered.samples)
    assert device.in_microvolts() is device


def test_the_unit_amplitude(tmp_path: Path) -> None:
    reference = Reference({"ch1": 40.0}, in_microvolts=True)
    assert opened(tmp_path / "a.npz").unit_amplitude("ch1") == 1
    assert_allclose(opened(tmp_path / "b.npz", "V").unit_amplitude("ch1"), 1e-6)
    assert opened(tmp_path / "c.npz", "").unit_amplitude("ch1") == 1
    assert_allclose(opened(tmp_path / "d.npz", "mV", reference).unit_amplitude("ch1"), 0.04)
    with pytest.raises(InputError, match=r"e\.npz, channel ch2: no reference amplitude of subject 'S1'"):
        opened(tmp_path / "e.npz", "mV", reference).unit_amplitude("ch2")
    with pytest.raises(InputError, match=r"f\.npz, channel ch1: the units .* can't be compared"):
        opened(tmp_path / "f.npz", "", reference).unit_amplitude("ch1")


def test_repetitions_are_cut_and_divided_by_the_unit_amplitude(tmp_path: Path) -> None:
    reference = Reference({"ch1": 40.0, "ch2": 10.0}, in_microvolts=True)
    recording = opened(tmp_path / "a.npz", reference=reference, start_s=0.5, stop_s=1.5)
    ((row, repetition),) = recording.scaled_repetitions()
    assert row.file == "a.npz"
    assert_allclose(repetition.samples * [[40], [10]], recording.filtered.samples[:, 250:750])


def test_a_long_recording_without_times_has_a_remark(tmp_path: Path) -> None:
    write_recording(noise(1, duration_s=21.0), tmp_path / "a.npz")
    job = Job(tmp_path / "a.npz", (ManifestRow(file="a.npz"),))
    assert "21 s were taken as one repetition" in open_filtered(job, FILTERS).remarks[-1]
    timed = replace(job, rows=(ManifestRow(file="a.npz", start_s=1.0, stop_s=3.0),))
    assert not any("as one repetition" in remark for remark in open_filtered(timed, FILTERS).remarks)


def test_a_band_above_the_rate_names_the_file(tmp_path: Path) -> None:
    write_recording(noise(1), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: band 300-400 Hz needs a rate above"):
        open_filtered(Job(tmp_path / "a.npz", (ManifestRow(file="a.npz"),)), FilterConfig((300.0, 400.0)))


@pytest.mark.parametrize("value", [0.0, 31.0])
def test_a_channel_without_signal_is_left_out_unless_it_is_named(tmp_path: Path, value: float) -> None:
    samples = noise(3).samples
    samples[1], samples[2] = value, 1.7e9 + np.arange(samples.shape[1]) / 500
    write_recording(replace(noise(3), samples=samples, channel_names=("emg", "dead", "clock")), tmp_path / "a.npz")
    recording = open_filtered(Job(tmp_path / "a.npz", (ManifestRow(file="a.npz"),)), FILTERS)
    ((_, repetition),) = recording.scaled_repetitions()
    assert repetition.channel_names == ("emg",)
    assert recording.remarks[-1] == "channels without a signal in the pass band were left out: dead, clock"

    named = ManifestRow(file="a.npz", channels=("emg", "dead"))
    with pytest.raises(InputError, match=r"a\.npz: channel dead holds the same value throughout; expected a signal"):
        recording.channels_of(named)
    with pytest.raises(InputError, match=r"a\.npz: channel clock has nothing in the pass band; expected a signal"):
        recording.channels_of(replace(named, channels=("clock",)))
    write_recording(replace(noise(1), samples=samples[1:2]), tmp_path / "a.npz")
    only = open_filtered(Job(tmp_path / "a.npz", (ManifestRow(file="a.npz"),)), FILTERS)
    with pytest.raises(InputError, match="channel ch1 holds the same value throughout"):
        next(only.scaled_repetitions())


@pytest.mark.parametrize(
    ("starts_s", "is_remarked"),
    [
        ((1, 4, 7), False),
        ((1, 7, 7.1), False),  # one of the three was not stated
        ((2.5, 5.5, 8.5), True),
        ((0.5, 2, 3.5), True),  # in seconds of another rate
        ((2.5, 5.5), False),  # too few to tell
    ],
)
def test_times_that_miss_the_muscles_have_a_remark(
    tmp_path: Path, starts_s: tuple[float, ...], is_remarked: bool
) -> None:
    recording = noise(duration_s=10)
    level = np.full(recording.n_samples, 0.1)
    for start_s in (1, 4, 7):
        level[start_s * 500 : (start_s + 1) * 500] = 1.0
    write_recording(replace(recording, samples=recording.samples * level), tmp_path / "a.npz")
    rows = tuple(ManifestRow(file="a.npz", start_s=start_s, stop_s=start_s + 1) for start_s in starts_s)
    source = open_filtered(Job(tmp_path / "a.npz", rows), FILTERS)
    remarks = [remark for remark in source.remarks if "belong to this recording" in remark]
    assert bool(remarks) == is_remarked
    assert (source.misses_the_muscles is not None) == is_remarked


def test_times_of_the_whole_recording_have_no_remark(tmp_path: Path) -> None:
    write_recording(noise(duration_s=3), tmp_path / "a.npz")
    rows = tuple(ManifestRow(file="a.npz", start_s=i, stop_s=i + 1) for i in range(3))
    assert open_filtered(Job(tmp_path / "a.npz", rows), FILTERS).misses_the_muscles is None
