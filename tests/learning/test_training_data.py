"""training_data.py: what the training repetitions of a run looked like."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from builders import make_dataset
from conftest import Simulated
from semg_hht.learning.dataset import from_examples, load_folder
from semg_hht.learning.training_data import reasons_of_matrix, training_data_of
from semg_hht.matrices.transform import PipelineConfig, transform_all
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording, write_recording


def test_recordings_and_their_matrices_look_alike(simulated: Simulated) -> None:
    training = training_data_of(load_folder(simulated.matrices))
    assert training.units == ("volts",)
    assert training.n_channels == (1,)
    assert len(training.rates_hz) == 1
    assert training.alone is None
    assert set(training.ranges) == {"amplitude", "duration"}
    assert set(training.shapes) == {"spectrum", "course"}


def test_channels_stand_in_the_order_of_the_recording_and_are_described_alone(tmp_path: Path) -> None:
    jobs = []
    for number in range(3):
        x = np.random.default_rng(number).normal(size=(2, 600)) * np.array([[1.0], [5.0]])
        write_recording(Recording(x, 1000.0, ("z", "a"), "uV"), tmp_path / f"{number}.npz")
        jobs.append(Job(tmp_path / f"{number}.npz", (ManifestRow(f"{number}.npz", f"P{number}", movement="full"),)))
    people = from_examples(transform_all(jobs, PipelineConfig(), n_jobs=1))
    training = training_data_of(people)
    assert training.orders == (("z", "a"),)
    assert training.n_channels == (2,)
    assert training.n_repetitions == 3
    assert training.alone is not None
    assert training.alone.n_repetitions == 6
    low, high = training.alone.ranges["amplitude"]
    assert high - low > 0.5  # the two channels
    assert all(reasons_of_matrix(training, people, i) == () for i in range(6))


def test_matrices_of_another_tool_have_bands_and_course() -> None:
    people = make_dataset(n_subjects=4)
    training = training_data_of(people)
    assert set(training.shapes) == {"spectrum", "course"}
    assert training.ranges == {}
    assert reasons_of_matrix(None, people, 0) == ()
