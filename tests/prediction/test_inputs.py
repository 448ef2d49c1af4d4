"""inputs.py: matrices and recordings in the form that a model needs; a file that does not fit is a failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from builders import SETTINGS, as_json, foreign_matrix, make_dataset, noise, write_dataset
from conftest import Simulated
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.inference.description import Chosen, ModelDescription, NetworkConfig
from semg_hht.inference.svm_inputs import AMPLITUDE, COVARIANCE
from semg_hht.matrices.scaling import min_max
from semg_hht.matrices.transform import configure, transform_job
from semg_hht.prediction.inputs import Choice, InputLoader, LoadedInput
from semg_hht.prediction.run import open_run
from semg_hht.recordings.jobs import Failure, Job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import write_recording

CONFIG = configure(band_hz=(20, 200))
MODEL = ModelDescription(
    NetworkConfig(3), "action_quality", {"action_quality": ("full", "half", "invalid")}, as_json(SETTINGS), peak=7.5
)
LOADER = InputLoader(MODEL, CONFIG)


@pytest.fixture
def curl(tmp_path: Path) -> Path:
    """A table of two repetitions of a recording of two channels."""
    write_recording(noise(2), tmp_path / "curl.npz")
    (tmp_path / "reps.csv").write_text("file,repetition,start_s,stop_s\ncurl.npz,a,0,1\ncurl.npz,b,1,2\n")
    return tmp_path / "reps.csv"


def loaded(*given: object, loader: InputLoader = LOADER, **options: object) -> list[LoadedInput | Failure]:
    return list(loader.load(*given, n_jobs=1, **options))  # type: ignore[arg-type]


def test_a_recording_is_loaded_channel_by_channel_of_each_repetition(curl: Path) -> None:
    (item,) = loaded(curl)
    assert isinstance(item, LoadedInput)
    rows = tuple(
        ManifestRow("curl.npz", repetition=name, start_s=s, stop_s=s + 1) for name, s in (("a", 0.0), ("b", 1.0))
    )
    examples = transform_job(Job(curl.parent / "curl.npz", rows), None, CONFIG)
    assert_array_equal(item.matrices, np.stack([example.matrix.values for example in examples]))
    assert item.repetitions() == [[0, 1], [2, 3]]
    assert [(origin.row.repetition, origin.channel) for origin in item.origins] == [
        ("a", "ch1"), ("a", "ch2"), ("b", "ch1"), ("b", "ch2"),
    ]  # fmt: skip
    assert (item.file, item.number, item.n_repetitions, item.rate_hz, item.source) == ("curl.npz", 1, 2, 500.0, None)
    assert_array_equal(item.axes[0][0], examples[0].matrix.frequency_hz)
    assert len(set(item.svm_inputs.repetitions)) == 2


def test_one_repetition_of_one_file_is_chosen_and_its_recording_kept(curl: Path) -> None:
    write_recording(noise(1), curl.parent / "other.npz")
    (item,) = loaded([curl, curl.parent / "other.npz"], choice=Choice("curl.npz", 2, keep_recordings=True))
    assert isinstance(item, LoadedInput)
    assert (item.number, item.n_repetitions, item.repetitions()) == (2, 2, [[0, 1]])
    assert item.source is not None
    assert [row.repetition for row in item.source.job.rows] == ["b"]
    (failure,) = loaded(curl, choice=Choice(repetition=3))
    assert failure == Failure("curl.npz", "curl.npz: has 2 repetitions; got repetition=3")


def test_files_of_one_name_in_two_inputs_have_long_names(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        write_recording(noise(seed=seed), tmp_path / name / "curl.npz")
    items = loaded([tmp_path / "a" / "curl.npz", tmp_path / "b" / "curl.npz"])
    assert len({item.file for item in items if isinstance(item, LoadedInput)}) == 2


def test_a_matrix_prepared_with_other_settings_is_refused(tmp_path: Path) -> None:
    write_dataset(make_dataset(n_subjects=1, n_repetitions=1), tmp_path, settings={**SETTINGS, "scaling": "db"})
    items = loaded(tmp_path)
    assert len(items) == 3
    for item in items:
        assert isinstance(item, Failure)
        assert "prepared with other settings than the matrices this run was trained on" in item.reason


def test_a_matrix_of_another_tool_is_stretched_to_the_range_of_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = foreign_matrix(tmp_path / "Test1_1_001.npz")
    (item,) = loaded(path)
    assert isinstance(item, LoadedInput)
    assert_allclose((item.matrices.min(), item.matrices.max()), (0, 7.5))
    assert (item.axes, item.origins, item.repetitions()) == (((None, None),), (), [[0]])
    assert "matrices of another tool (1)" in caplog.text
    assert "the answers are unreliable" in caplog.text
    (unscaled,) = loaded(path, loader=InputLoader(replace(MODEL, preparation=None), None))
    assert isinstance(unscaled, LoadedInput) and unscaled.matrices.max() == 1


def test_recordings_are_stretched_for_a_model_of_foreign_matrices(curl: Path) -> None:
    (item,) = loaded(curl, loader=InputLoader(replace(MODEL, preparation=None), CONFIG))
    (plain,) = loaded(curl)
    assert isinstance(item, LoadedInput) and isinstance(plain, LoadedInput)
    assert_array_equal(item.matrices[3, 0], min_max(plain.matrices[3, 0]))
    (failure,) = loaded(curl, loader=InputLoader(replace(MODEL, preparation=None), None))
    assert isinstance(failure, Failure)
    assert "does not know how to transform a recording; state it, for example with band_hz=(20, 450)" in failure.reason


def test_inputs_that_a_recipe_lacks_are_refused(curl: Path, tmp_path: Path) -> None:
    for blocks, reason in (
        ({AMPLITUDE: 1}, "this run's recipe needs their features"),
        ({COVARIANCE: 10}, "this run's recipe needs the covariance of their channels"),
    ):
        loader = InputLoader(replace(MODEL, blocks={"gender": blocks}), CONFIG)
        (failure,) = loaded(foreign_matrix(tmp_path / "Test1_1_001.npz"), loader=loader)
        assert isinstance(failure, Failure) and reason in failure.reason
    (failure,) = loaded(curl, loader=loader)
    assert isinstance(failure, Failure) and "a covariance of 10 numbers (they have 36)" in failure.reason


def test_rows_that_stack_different_channels_are_one_files_error(tmp_path: Path) -> None:
    write_recording(noise(2), tmp_path / "a.npz")
    write_recording(noise(1), tmp_path / "b.npz")
    rows = "file,start_s,stop_s,channels\na.npz,0,1,ch1\na.npz,1,2,ch1;ch2\nb.npz,0,1,ch1\n"
    (tmp_path / "manifest.csv").write_text(rows)
    stacked = replace(LOADER, recording_config=replace(CONFIG, channels="stack"))
    failure, item = loaded(tmp_path / "manifest.csv", loader=stacked)
    assert isinstance(item, LoadedInput) and item.file == "b.npz"
    assert (
        isinstance(failure, Failure)
        and "trained on 1 channel and the recording has 2 (ch1, ch2); choose the same" in failure.reason
    )


def test_options_reach_recordings_that_do_not_state_everything(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ch1\n" + "\n".join(map(str, noise().samples[0])))
    (item,) = loaded(tmp_path / "a.csv", InputOptions(rate_hz=500, units="mV"))
    assert isinstance(item, LoadedInput)
    assert (item.rate_hz, item.origins[0].row.units) == (500.0, "mV")


def test_a_recording_is_cut_only_if_it_is_longer_than_two_training_repetitions(tmp_path: Path) -> None:
    recording = noise(1, duration_s=12)
    bursts = np.zeros(recording.n_samples)
    for start_s in (1, 4, 7, 10):
        bursts[start_s * 500 : (start_s + 1) * 500] = 1.0
    write_recording(replace(recording, samples=recording.samples * (0.01 + bursts)), tmp_path / "curls.npz")
    for longest_s, n_repetitions in ((0.0, 1), (1.2, 4), (5.9, 4), (6.0, 1)):
        loader = InputLoader(replace(MODEL, longest_s=longest_s), CONFIG)
        (item,) = loaded(tmp_path / "curls.npz", loader=loader)
        assert isinstance(item, LoadedInput)
        assert (longest_s, item.n_repetitions) == (longest_s, n_repetitions)
        assert any("whole=True" in remark for remark in item.remarks) == (n_repetitions > 1)
    loader = InputLoader(replace(MODEL, longest_s=1.2), CONFIG)
    write_recording(recording, tmp_path / "steady.npz")
    (failure,) = loaded(tmp_path / "steady.npz", loader=loader)
    assert isinstance(failure, Failure)
    assert failure.reason.endswith("no activity rises above rest; whole=True takes the recording as one")
    (item,) = loaded(tmp_path / "curls.npz", InputOptions(whole=True), loader=loader)
    assert isinstance(item, LoadedInput)
    assert item.n_repetitions == 1


def test_a_matrix_of_one_channel_is_refused_where_all_channels_answer_together(
    simulated: Simulated, simulated_run: Path
) -> None:
    run = open_run(simulated_run)
    path = next(iter(sorted(simulated.matrices.iterdir())))
    assert run.description.training is not None
    several = replace(run.description.training, n_channels=(2,))
    for chosen, refused in (({"action_quality": Chosen("measures", {}, 5)}, True), ({}, False)):
        model = replace(run.description, training=several, chosen=chosen)
        (loaded,) = InputLoader(model, run.recording_config).load(path, n_jobs=1)
        assert isinstance(loaded, Failure) == refused
        if isinstance(loaded, Failure):
            assert (
                "holds 1 of the 2 channels that this run answers from together; expected the recording" in loaded.reason
            )
