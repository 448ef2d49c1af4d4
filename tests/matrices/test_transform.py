"""transform.py: the one path from recordings to matrices."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from builders import noise
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.errors import InputError
from semg_hht.hht import SpectrumConfig, hilbert_spectrum
from semg_hht.matrices.density import DensityConfig
from semg_hht.matrices.transform import Example, PipelineConfig, configure, transform_all, transform_job
from semg_hht.recordings.jobs import Failure, Job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import write_recording
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.signals.filters import FilterConfig

CONFIG = configure(band_hz=(20, 200))


def job(folder: Path, *rows: ManifestRow, n_channels: int = 2, name: str = "a.npz") -> Job:
    write_recording(noise(n_channels), folder / name)
    return Job(folder / name, rows or (ManifestRow(name),))


def examples_of(job: Job, config: PipelineConfig) -> list[Example]:
    return transform_job(job, None, config)


def test_one_matrix_a_channel_with_axes_and_settings(tmp_path: Path) -> None:
    examples = examples_of(job(tmp_path), CONFIG)
    assert [example.channel for example in examples] == ["ch1", "ch2"]
    for example in examples:
        assert example.matrix.values.shape == (1, 256, 256)
        assert example.matrix.values.dtype == np.float32
        assert example.matrix.settings == CONFIG.to_json()
        assert (example.row.rate_hz, example.row.units, example.rate_hz) == (500.0, "uV", 500.0)
        assert 0 <= example.dropped < 1
    matrix = examples[0].matrix
    assert matrix.frequency_hz is not None
    assert matrix.time_s is not None
    assert_allclose(matrix.frequency_hz[[0, -1]], [20 + 180 / 512, 200 - 180 / 512])
    assert_allclose(matrix.time_s[-1], 2 - 2 / 512)  # true time: the signal lasts 2 s


def test_stacked_channels_are_planes_of_one(tmp_path: Path) -> None:
    separate = examples_of(job(tmp_path), CONFIG)
    (stacked,) = examples_of(job(tmp_path), replace(CONFIG, channels="stack"))
    assert stacked.channel == "ch1+ch2"
    assert_allclose(stacked.matrix.values, np.concatenate([e.matrix.values for e in separate]))
    assert_allclose(stacked.dropped, np.mean([e.dropped for e in separate]))


def test_stacked_channels_have_the_names_or_numbers_that_the_row_states(tmp_path: Path) -> None:
    (by_name,) = examples_of(job(tmp_path), replace(CONFIG, channels="stack"))
    (stated,) = examples_of(job(tmp_path, ManifestRow("a.npz", channels=("1", "2"))), replace(CONFIG, channels="stack"))
    assert stated.channel == "1+2"
    assert_array_equal(stated.matrix.values, by_name.matrix.values)


def test_repetitions_are_cut_after_the_filter(tmp_path: Path) -> None:
    rows = [ManifestRow("a.npz", repetition=str(i), start_s=s, stop_s=s + 1) for i, s in enumerate((0.0, 1.0))]
    examples = examples_of(job(tmp_path, *rows, n_channels=1), CONFIG)
    assert [example.row.repetition for example in examples] == ["0", "1"]
    assert len({example.repetition_key for example in examples}) == 2
    time_s = examples[1].matrix.time_s
    assert time_s is not None
    assert_allclose(time_s[-1], 1 - 1 / 512)


def test_chosen_channels_only(tmp_path: Path) -> None:
    examples = examples_of(job(tmp_path, ManifestRow("a.npz", channels=("2",))), CONFIG)
    assert [example.channel for example in examples] == ["ch2"]


def test_volts_and_microvolts_give_the_same_matrix(tmp_path: Path) -> None:
    microvolts = examples_of(job(tmp_path), CONFIG)[0].matrix.values
    recording = noise(2)
    write_recording(replace(recording, samples=recording.samples / 1e6, units="V"), tmp_path / "a.npz")
    volts = examples_of(Job(tmp_path / "a.npz", (ManifestRow("a.npz"),)), CONFIG)[0].matrix.values
    assert_allclose(volts, microvolts, rtol=1e-5, atol=1e-5)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again = (examples_of(job(tmp_path), CONFIG)[0].matrix.values for _ in range(2))
    assert first.tobytes() == again.tobytes()


def test_settings_survive_json() -> None:
    for config in (
        PipelineConfig(),
        configure(band_hz=(5, 100), mains_hz=None, scaling="db", channels="stack"),
        configure(mains_hz=60.0, ecg=True),
    ):
        assert PipelineConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert PipelineConfig().to_json()["filter"]["mains_hz"] == configure().filter.mains_hz == "auto"


def test_settings_and_matrices_of_before_the_density_stay_as_they_were(tmp_path: Path) -> None:
    """A run of version 0.2.0 stored no density: its recordings are transformed without one, to the same settings."""
    stored = PipelineConfig().to_json()
    assert stored.pop("density") == {"time_s": 0.05, "rows": 10.0}
    before = PipelineConfig.from_json(stored)
    assert before.density is None
    assert before.to_json() == stored
    (example, _) = examples_of(job(tmp_path), before)
    assert example.matrix.settings == stored
    samples = open_filtered(job(tmp_path), before.filter)
    ((_, repetition),) = samples.scaled_repetitions()
    power = hilbert_spectrum(repetition.samples[0], repetition.rate_hz, before.spectrum).power
    assert_array_equal(example.matrix.values[0], np.log1p(power).astype(np.float32))
    assert np.mean(example.matrix.values == 0) > 0.5
    (now, _) = examples_of(job(tmp_path), PipelineConfig())
    assert np.mean(now.matrix.values == 0) < 0.4  # at 500 Hz the rows above 250 Hz are empty
    assert now.matrix.settings == PipelineConfig().to_json()


def test_upstream_has_no_density() -> None:
    config = configure(decomposition="upstream")
    assert config.density is None
    assert "density" not in config.to_json()
    with pytest.raises(InputError, match="expected no density"):
        replace(config, density=DensityConfig())
    with pytest.raises(InputError, match="time_s of the density must be a width above 0; got -1"):
        PipelineConfig.from_json({**PipelineConfig().to_json(), "density": {"time_s": -1, "rows": 9}})


def test_settings_stored_before_mains_was_found_and_hearts_were_removed_still_load() -> None:
    content = PipelineConfig().to_json()
    old = {**content, "filter": {"band_hz": [20.0, 450.0], "mains_hz": 50.0}}
    assert PipelineConfig.from_json(old).filter == FilterConfig((20.0, 450.0), 50.0, ecg=False)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"unheard_of": 1},
        {**PipelineConfig().to_json(), "unheard_of": 1},
        {**PipelineConfig().to_json(), "filter": 3},
        {**PipelineConfig().to_json(), "filter": {"band_hz": [20.0, 450.0], "mains_hz": "50"}},
    ],
)
def test_settings_of_another_version_are_refused(content: dict[str, object]) -> None:
    with pytest.raises(InputError, match="preparation settings can't be understood by this version"):
        PipelineConfig.from_json(content)


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(InputError, match="scaling 'loud' is unknown; expected one of minmax, log, db, mvc, subject"):
        configure(scaling="loud")
    with pytest.raises(InputError, match="channels 'mixed' is unknown; expected one of separate, stack"):
        configure(channels="mixed")
    with pytest.raises(InputError, match="decomposition 'wavelet' is unknown; expected one of"):
        configure(decomposition="wavelet")
    with pytest.raises(InputError, match="band 450-20 Hz is empty"):
        configure(band_hz=(450, 20))


def test_a_constant_channel_is_named(tmp_path: Path) -> None:
    recording = noise(2)
    recording.samples[1] = 3
    write_recording(recording, tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: channel ch2 holds the same value throughout; expected a signal"):
        examples_of(Job(tmp_path / "a.npz", (ManifestRow("a.npz", channels=("ch2",)),)), CONFIG)


def test_a_band_above_the_rate_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz: band 300-400 Hz needs a rate above .*; the recording has 500 Hz"):
        examples_of(job(tmp_path), configure(band_hz=(300, 400)))


def test_a_repetition_of_too_few_samples_names_file_and_channel(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz, channel ch1: a signal needs at least \d+ samples; got 3"):
        examples_of(job(tmp_path, ManifestRow("a.npz", start_s=0, stop_s=0.006)), CONFIG)


def test_a_band_that_the_rate_can_not_hold_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = [job(tmp_path, name=f"{name}.npz", n_channels=1) for name in "ab"]
    assert len(list(transform_all(jobs, configure(), n_jobs=1))) == 2
    (record,) = caplog.records
    assert "at 500 Hz the band-pass ends at 237.5 Hz instead of 450 Hz" in record.getMessage()
    assert "band_hz=(20, 250)" in record.getMessage()
    caplog.clear()
    assert len(list(transform_all(jobs, CONFIG, n_jobs=1))) == 2
    assert not caplog.records


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_bad_file_stops_only_itself(tmp_path: Path, n_jobs: int) -> None:
    jobs = [job(tmp_path, name=f"{name}.npz", n_channels=1) for name in "abc"]
    (tmp_path / "b.npz").write_bytes(b"nothing")
    first, broken, last = transform_all(jobs, CONFIG, n_jobs=n_jobs)
    assert isinstance(broken, Failure)
    assert broken.file == "b.npz"
    assert "b.npz: can't be read as NPZ" in broken.reason
    assert not isinstance(first, Failure)
    assert not isinstance(last, Failure)
    assert last[0].row.file == "c.npz"


def test_the_upstream_recipe_has_its_own_scaling(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    config = configure(band_hz=(20, 200), decomposition="upstream", seed=3)
    assert config.scaling == "upstream"
    (example, *_) = examples_of(find_jobs(tmp_path / "a.npz")[0], config)
    positive = example.matrix.values[example.matrix.values > 0]
    # the recipe divides by the 5th percentile of the positive cells, then takes log1p
    assert abs(float(np.percentile(positive, 5)) - np.log(2)) < 1e-3
    with pytest.raises(InputError, match="'upstream' is a decomposition with its own scaling; got .* 'minmax'"):
        configure(decomposition="upstream", scaling="minmax")
    with pytest.raises(InputError, match="got decomposition 'emd' with scaling 'upstream'"):
        configure(scaling="upstream")


def test_the_seed_counts_where_noise_is_drawn() -> None:
    assert configure(seed=1) == configure(seed=2)
    assert configure(decomposition="eemd", seed=1) != configure(decomposition="eemd", seed=2)


@pytest.mark.parametrize("decomposition", ["eemd", "ceemdan", "iceemdan", "mask"])
def test_every_decomposition_reaches_the_matrix(tmp_path: Path, decomposition: str) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    job = find_jobs(tmp_path / "a.npz")[0]
    by_seed = [examples_of(job, configure(band_hz=(20, 200), decomposition=decomposition, seed=s)) for s in (1, 1, 2)]
    values = [examples[0].matrix.values for examples in by_seed]
    np.testing.assert_array_equal(values[0], values[1])
    assert np.array_equal(values[0], values[2]) == (decomposition == "mask")
    assert not np.array_equal(values[0], examples_of(job, configure(band_hz=(20, 200)))[0].matrix.values)


def test_each_part_keeps_its_own_band() -> None:
    config = PipelineConfig(FilterConfig((20.0, 450.0)), SpectrumConfig((10.0, 500.0)))
    assert PipelineConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    broken = {**config.to_json(), "spectrum": {**config.to_json()["spectrum"], "decomposition": "vmd"}}
    with pytest.raises(InputError, match="can't be understood by this version; decomposition 'vmd' is unknown"):
        PipelineConfig.from_json(broken)
