"""unlike.py: a run says which repetitions are unlike its training data, and is not sure of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import foreign_matrix
from conftest import Simulated
from semg_hht import samples
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.inference.answers import Prediction
from semg_hht.prediction.inputs import LoadedInput
from semg_hht.prediction.run import Run, open_run
from semg_hht.prediction.unlike import reasons_of
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.manifest import manifest_text
from semg_hht.recordings.recording import Recording, write_recording


@pytest.fixture(scope="module")
def opened(simulated_run: Path) -> Run:
    return open_run(simulated_run, cpu=True)


Change = Callable[[Recording], Recording]


@pytest.fixture
def answer(opened: Run, simulated: Simulated, tmp_path: Path) -> Callable[[Change], Prediction]:
    """The prediction for the first recording of the training people, changed."""

    def answered(change: Change) -> Prediction:
        job = find_jobs(simulated.manifest)[0]
        recording = change(read_job(job))
        write_recording(recording, tmp_path / "a.npz")
        rows = [replace(row, file="a.npz", rate_hz=None, units="") for row in job.rows]
        (tmp_path / "manifest.csv").write_text(manifest_text(rows), encoding="utf-8")
        (prediction,) = opened.predict(tmp_path / "manifest.csv", n_jobs=1).predictions
        return prediction

    return answered


def test_the_training_people_are_like_themselves(answer: Callable[..., Prediction]) -> None:
    prediction = answer(lambda recording: recording)
    assert prediction.unlike == ()
    assert all(part.unlike == () for part in prediction.parts)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: replace(r, samples=1e4 * r.samples), "times the largest of the training people"),
        (lambda r: replace(r, samples=1e-4 * r.samples), "times smaller than the smallest of the training people"),
        (lambda r: replace(r, units="adc"), "units adc; trained on volts"),
        (lambda r: replace(r, samples=np.rint(r.samples), units=""), "units counts; trained on volts"),
        (lambda r: replace(r, samples=r.samples[:, ::4], rate_hz=r.rate_hz / 4), "Hz; trained on"),
        (lambda r: replace(r, samples=np.concatenate([r.samples] * 2), channel_names=("a", "b")), "2 channels"),
        (lambda r: replace(r, samples=np.clip(r.samples, -9, 9)), "clipped"),
    ],
)
def test_a_stranger_is_named_and_no_class_is_sure(
    answer: Callable[..., Prediction], change: Change, reason: str
) -> None:
    prediction = answer(change)
    assert any(reason in str(found) for found in prediction.unlike), prediction.unlike
    for part in prediction.parts:
        assert part.unlike
        assert part.answers["action_quality"].confidence <= 0.67
        assert part.answers["gender"].confidence <= 0.75


def test_a_matrix_of_another_tool_is_named(opened: Run, tmp_path: Path) -> None:
    (prediction,) = opened.predict(foreign_matrix(tmp_path / "a.npz"), n_jobs=1).predictions
    expected = ["a matrix of another tool; trained on matrices of this program"]
    assert prediction.to_json()["unlike"] == expected


def test_a_run_of_an_earlier_version_answers_as_before(opened: Run, tmp_path: Path) -> None:
    description = replace(opened.description, training=None)
    earlier = replace(opened, engine=replace(opened.engine, description=description))  # type: ignore[type-var]
    path = foreign_matrix(tmp_path / "a.npz")
    (prediction,) = earlier.predict(path, n_jobs=1).predictions
    (now,) = opened.predict(path, n_jobs=1).predictions
    assert prediction.unlike == ()
    for task, answer in now.answers.items():
        before = prediction.answers[task]
        n = len(before.probabilities)
        np.testing.assert_allclose(answer.confidence, (before.confidence + 1 / n) / 2, atol=1e-6)


def test_a_note_of_the_run_stands_first_among_the_remarks(opened: Run, tmp_path: Path) -> None:
    description = replace(opened.description, note="trained on simulated people")
    noted = replace(opened, engine=replace(opened.engine, description=description))  # type: ignore[type-var]
    (prediction,) = noted.predict(foreign_matrix(tmp_path / "a.npz"), n_jobs=1).predictions
    assert prediction.to_json()["remarks"] == ["trained on simulated people"]


def test_no_repetition_of_a_rectified_recording_is_sure_where_most_are_unlike() -> None:
    run = open_run(samples.RUN)
    (item,) = run.loader.load(samples.recordings()["P06_neutral"])
    assert isinstance(item, LoadedInput)
    assert item.one_sided == ()
    training = run.description.training
    rectified = replace(item, one_sided=("BicepsBrachi",))
    assert not any(reasons_of(training, rectified)), "a run that was trained on envelopes may know them"
    far = replace(rectified, rate_hz=200.0)
    assert {reason.name for reasons in reasons_of(training, far) for reason in reasons} == {"one_sided", "rate"}


def test_repetitions_of_wrong_times_are_not_sure(tmp_path: Path) -> None:
    run, path = open_run(samples.RUN), samples.recordings()["P06_neutral"]
    parts = run.predict(path)[0].parts
    said = {}
    for name, shift_s in (("right", 0.0), ("shifted", 1.5)):
        lines = [f"{path},{p.start_s + shift_s},{p.stop_s + shift_s}" for p in parts[:-1] if p.start_s and p.stop_s]
        (tmp_path / f"{name}.csv").write_text("file,start_s,stop_s\n" + "\n".join(lines), encoding="utf-8")
        (answered,) = run.predict(tmp_path / f"{name}.csv").predictions
        said[name] = {str(reason).split(" only")[0] for part in answered.parts for reason in part.unlike}
        assert answered.answers["action_quality"].is_unsure == (name == "shifted")
    assert said == {"right": set(), "shifted": {"amplitude"}}
