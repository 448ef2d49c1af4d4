"""run.py: a run answers for new files."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import TINY, as_json, foreign_matrix, make_dataset, noise, truncate, write_dataset
from conftest import Simulated
from semg_hht.datasets.find_inputs import InputOptions, find_jobs
from semg_hht.errors import InputError
from semg_hht.learning.dataset import from_examples, load_folder
from semg_hht.learning.train import NetworkSize, Result, RunOptions, train
from semg_hht.matrices.transform import configure, transform_all
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.recordings.recording import write_recording
from semg_hht.samples import RUN
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.verbs.predicting import PredictOptions, predict


@pytest.fixture(scope="module")
def opened(simulated_run: Path) -> Run:
    return open_run(simulated_run, cpu=True)


def probabilities(entry: dict[str, Any]) -> list[float]:
    return [p for task in ("action_quality", "gender") for p in entry[task]["probabilities"].values()]


def test_an_answer_has_the_shape_of_the_contract(opened: Run, simulated: Simulated) -> None:
    path = sorted(simulated.matrices.iterdir())[0]
    content = as_json(opened.predict(path, n_jobs=1).to_json())
    assert list(content) == [path.name]
    entry = content[path.name]
    assert list(entry) == ["gender", "action_quality"]
    assert list(entry["gender"]["probabilities"]) == ["F", "M"]
    assert list(entry["action_quality"]["probabilities"]) == ["full", "half", "invalid"]
    for said in entry.values():
        assert list(said) == ["prediction", "confidence", "probabilities"]
        best = max(said["probabilities"], key=said["probabilities"].__getitem__)
        assert said["prediction"] == best
        assert_allclose(said["confidence"], said["probabilities"][best])
        assert_allclose(sum(said["probabilities"].values()), 1, atol=5e-6)


def test_a_fingerprint_names_the_files_and_settings_that_a_run_answers_from(
    opened: Run, simulated_run: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(opened.folder, tmp_path / "copy"))
    assert open_run(simulated_run, cpu=True).fingerprint == opened.fingerprint == open_run(copied, cpu=True).fingerprint
    assert opened.recording_config is not None
    other = replace(opened.recording_config, scaling="db")
    assert replace(opened, recording_config=other).fingerprint != opened.fingerprint
    (copied / "model.json").write_text((copied / "model.json").read_text() + " ")
    assert open_run(copied, cpu=True).fingerprint != opened.fingerprint


def test_a_recording_and_its_matrices_get_the_same_answer(opened: Run, simulated: Simulated) -> None:
    by_matrix = opened.predict(simulated.prepared_manifest).to_json()
    by_recording = opened.predict(simulated.manifest, n_jobs=1).to_json()
    assert len(by_recording) == 4
    for row in read_manifest(simulated.prepared_manifest):
        parts = by_recording[row.extra["recording"]]["parts"]
        (part,) = [p for p in parts if p["repetition"] == row.repetition]
        assert_allclose(probabilities(part), probabilities(by_matrix[row.file]), atol=1e-5)
        assert_allclose(part["start_s"], float(row.extra["recording_start_s"]))


def test_a_recording_is_pooled_over_its_repetitions(opened: Run, simulated: Simulated) -> None:
    for entry in opened.predict(simulated.manifest, n_jobs=1).to_json().values():
        assert [part["repetition"] for part in entry["parts"]] == ["1", "2", "3"]
        pooled = np.mean([probabilities(part) for part in entry["parts"]], axis=0)
        assert_allclose(probabilities(entry), pooled, atol=3e-6)


def test_a_recording_is_pooled_over_its_channels(opened: Run, tmp_path: Path) -> None:
    write_recording(noise(2), tmp_path / "curl.npz")
    entry = opened.predict(tmp_path / "curl.npz", n_jobs=1).to_json()["curl.npz"]
    (part,) = entry["parts"]
    assert list(part["channels"]) == ["ch1", "ch2"]
    pooled = np.mean([probabilities(channel) for channel in part["channels"].values()], axis=0)
    assert_allclose(probabilities(part), pooled, atol=3e-6)


def test_repetitions_that_nobody_stated_are_found(opened: Run, simulated: Simulated, tmp_path: Path) -> None:
    job, *_ = find_jobs(simulated.manifest)
    recording = tmp_path / "curls.csv"
    recording.write_bytes(job.path.read_bytes())
    flat = tmp_path / "flat.csv"
    flat.write_text("time_s,ch1\n" + "".join(f"{i / 500},1\n" for i in range(1000)))
    (whole,) = opened.predict(recording, InputOptions(units="uV", whole=True)).predictions
    assert len(whole.parts) == 1
    found = opened.predict([recording, flat], InputOptions(units="uV", segmentation=SegmentConfig()))
    (cut,) = found.predictions
    (by_itself,) = opened.predict(recording, InputOptions(units="uV")).predictions
    assert by_itself.parts == cut.parts, "the recording is longer than twice the longest training repetition"
    assert "; repetitions found: 3; whole=True takes it as one" in by_itself.remarks[-1]
    assert_allclose([p.start_s for p in cut.parts], [row.start_s for row in job.rows], atol=0.3)
    assert "no repetition was found" in found.errors["flat.csv"]
    stated = opened.predict(simulated.manifest, InputOptions(segmentation=SegmentConfig()))
    assert stated == opened.predict(simulated.manifest), "times that somebody stated are kept"


def test_what_a_person_should_know_stands_in_the_answer(opened: Run, tmp_path: Path) -> None:
    recording = noise(1)
    write_recording(replace(recording, samples=np.rint(50 * recording.samples), units=""), tmp_path / "counts.npz")
    answer = opened.predict(tmp_path / "counts.npz").to_json()["counts.npz"]
    assert "whole numbers" in answer["remarks"][0]


def test_batches_do_not_change_answers_or_order(opened: Run, simulated: Simulated) -> None:
    few, many = (predict(simulated.matrices, opened, options=PredictOptions(batch_size=n)).to_json() for n in (1, 32))
    assert list(few) == list(many) == [path.name for path in sorted(simulated.matrices.iterdir())]
    for file in few:
        assert_allclose(probabilities(few[file]), probabilities(many[file]), atol=1e-5)


def test_a_bad_file_is_listed_and_the_others_are_answered(opened: Run, simulated: Simulated, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulated.matrices, tmp_path / "data"))
    first, second, *_ = sorted(folder.iterdir())
    truncate(first)
    np.savez(second, hht=np.full((256, 256), np.nan))
    write_recording(noise(), folder / "curl.csv")
    (folder / "broken.csv").write_text("a,b\n1\n")
    content = opened.predict(folder, InputOptions(500), n_jobs=1).to_json()
    assert set(content["errors"]) == {first.name, second.name, "broken.csv"}
    assert "cut short" in content["errors"][first.name]
    assert "65536 of 65536 are NaN" in content["errors"][second.name]
    assert len(content) == 10 + 1 + 1
    assert "parts" in content["curl.csv"]


def test_no_errors_no_key(opened: Run, simulated: Simulated) -> None:
    assert "errors" not in opened.predict(simulated.matrices).to_json()


def test_several_inputs_and_a_single_recording(opened: Run, simulated: Simulated, tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "curl.csv")
    matrix = sorted(simulated.matrices.iterdir())[0]
    predictions = opened.predict([tmp_path / "curl.csv", matrix], InputOptions(500), n_jobs=1).predictions
    assert [prediction.file for prediction in predictions] == [matrix.name, "curl.csv"]


def test_a_checkpoint_is_a_run_its_best_or_its_final(tiny_result: Result, tmp_path: Path) -> None:
    run = tiny_result.folder
    assert open_run(run, cpu=True).folder == run / "best"
    assert open_run(str(run / "final"), cpu=True).folder == run / "final"
    assert open_run(run / "checkpoint_epoch_2", cpu=True).folder == run / "checkpoint_epoch_2"
    shutil.copytree(run / "final", tmp_path / "only" / "final")
    assert open_run(tmp_path / "only", cpu=True).folder == tmp_path / "only" / "final"


def test_a_folder_without_a_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run directory or a checkpoint in it; found no model.json"):
        open_run(tmp_path)
    with pytest.raises(InputError, match="found no model.json"):
        open_run(tmp_path / "nowhere")


def test_without_torch_the_missing_piece_is_named(tiny_result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "semg_hht.learning.checkpoint")
    with pytest.raises(InputError, match=r"this run needs torch: pip install 'semg-hht\[train\]'"):
        open_run(tiny_result.folder)


def test_the_real_matrix_of_another_tool_is_predicted(opened: Run, real_data: Path) -> None:
    said = opened.predict(real_data / "formats" / "hilbert_matrix" / "Test1_1_001.npz")
    assert [p.file for p in said.predictions] == ["Test1_1_001.npz"]


def test_a_run_on_foreign_matrices_can_not_know_how_to_transform(tmp_path: Path) -> None:
    data = make_dataset()
    train(replace(data, settings=None), tmp_path / "run", TINY, NetworkSize(base_channels=2), RunOptions(cpu=True))
    run = open_run(tmp_path / "run", cpu=True)
    assert run.description.preparation is None
    (tmp_path / "new").mkdir()
    foreign_matrix(tmp_path / "new" / "a.npz")
    write_recording(noise(), tmp_path / "new" / "curl.csv")
    said = run.predict(tmp_path / "new", n_jobs=1)
    assert [p.file for p in said.predictions] == ["a.npz"]
    assert "does not know how to transform a recording" in said.errors["curl.csv"]
    told = replace(run, recording_config=configure(band_hz=(20, 200)))
    assert len(told.predict(tmp_path / "new", InputOptions(500), n_jobs=1).predictions) == 2


def test_stacked_channels_train_save_load_and_predict(tmp_path: Path) -> None:
    config = configure(band_hz=(20, 200), channels="stack")
    rows = []
    for who in range(4):
        for number, movement in enumerate(("low", "high")):
            for repetition in range(2):
                name = f"{who}{movement}{repetition}.npz"
                recording = noise(2, 0.5, seed=10 * who + number)
                write_recording(replace(recording, samples=recording.samples * (1 + 9 * number)), tmp_path / name)
                rows.append(f"{name},S{who},{movement},{'FM'[who % 2]}")
    (tmp_path / "manifest.csv").write_text("file,subject,movement,gender\n" + "\n".join(rows) + "\n")
    data = from_examples(transform_all(find_jobs(tmp_path), config, n_jobs=1))
    assert data.matrices.shape == (16, 2, 256, 256)
    train(data, tmp_path / "run", TINY, NetworkSize(base_channels=2), RunOptions(task="action_quality", cpu=True))
    run = open_run(tmp_path / "run", cpu=True)
    assert run.description.network.n_planes == 2
    said = run.predict(tmp_path / "manifest.csv", n_jobs=1)
    assert (len(said.predictions), said.errors) == (16, {})
    assert list(said.predictions[0].answers["action_quality"].probabilities) == ["low", "high"]
    write_recording(noise(3, 0.5), tmp_path / "three.npz")
    errors = run.predict(tmp_path / "three.npz", n_jobs=1).errors
    assert "three.npz: this run was trained on 2 channels (ch1, ch2) and the recording has 3" in errors["three.npz"]


@pytest.mark.parametrize(
    ("n_channels", "said"),
    [
        (1, "has 1 (ch1); record the same muscles, or train a run on recordings like this one"),
        (3, "has 3 (ch1, ch2, ch3); choose the same ones in the column 'channels' of a manifest, or train a run"),
    ],
)
def test_another_number_of_channels_than_the_run_was_trained_on(tmp_path: Path, n_channels: int, said: str) -> None:
    write_recording(noise(n_channels, 3), tmp_path / "a.npz")
    (reason,) = open_run(RUN).predict(tmp_path / "a.npz").errors.values()
    assert "this run was trained on 2 channels (BicepsBrachi, Brachioradialis) and the recording " + said in reason
    if n_channels == 3:
        (tmp_path / "manifest.csv").write_text("file,channels\na.npz,ch1;ch2\n")
        assert not open_run(RUN).predict(tmp_path / "manifest.csv").errors


def test_a_stack_for_a_run_on_single_channels_is_refused(opened: Run, tmp_path: Path) -> None:
    write_dataset(make_dataset(n_subjects=1, n_repetitions=1, n_planes=2), tmp_path)
    said = opened.predict(tmp_path)
    assert all("has 2 channels; this run was trained on 1" in reason for reason in said.errors.values())
    assert len(said.errors) == 3


def test_the_rate_decides_nothing_silently(opened: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_recording(noise(rate_hz=200), tmp_path / "curl.npz")
    assert opened.predict(tmp_path / "curl.npz", n_jobs=1).predictions
    assert "at 200 Hz the band-pass ends at 95 Hz instead of 200 Hz" in caplog.text


def test_nothing_to_predict_is_said(opened: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected matrices \(\.npz\), recordings or a manifest\.csv; found none"):
        opened.predict(tmp_path)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        opened.predict(tmp_path / "nowhere")


def test_a_manifest_may_list_matrices_recordings_and_missing_files(
    opened: Run, simulated: Simulated, tmp_path: Path
) -> None:
    shutil.copy(sorted(simulated.matrices.iterdir())[0], tmp_path / "m.npz")
    write_recording(noise(), tmp_path / "r.csv")
    (tmp_path / "list.csv").write_text("file,rate_hz\nm.npz,\nr.csv,500\ngone.csv,500\n")
    content = opened.predict(tmp_path / "list.csv", n_jobs=1).to_json()
    assert set(content) == {"m.npz", "r.csv", "errors"}
    assert "no such file" in content["errors"]["gone.csv"]


def test_a_run_trained_on_recordings_answers_for_prepared_matrices(simulated: Simulated, tmp_path: Path) -> None:
    data = from_examples(transform_all(find_jobs(simulated.manifest), simulated.config, n_jobs=1))
    train(data, tmp_path / "run", TINY, NetworkSize(base_channels=2), RunOptions(cpu=True))
    said = open_run(tmp_path / "run", cpu=True).predict(simulated.matrices)
    assert (len(said.predictions), said.errors) == (12, {})


def test_references_reach_the_prediction(simulated: Simulated, tmp_path: Path) -> None:
    mvc = configure(band_hz=(20, 200), scaling="mvc")
    rows = read_manifest(simulated.manifest)
    references = simulated.manifest.parent / "mvc.csv"
    references.write_text(manifest_text({row.file: replace(row, start_s=None, stop_s=None) for row in rows}.values()))
    from semg_hht.datasets.mvc import with_references

    jobs = with_references(find_jobs(simulated.manifest), mvc, references, n_jobs=1)
    train(
        from_examples(transform_all(jobs, mvc, n_jobs=1)),
        tmp_path / "run",
        TINY,
        NetworkSize(base_channels=2),
        RunOptions(cpu=True),
    )
    run = open_run(tmp_path / "run", cpu=True)
    assert len(run.predict(simulated.manifest, InputOptions(references=references), n_jobs=1).predictions) == 4
    with pytest.raises(InputError, match="scaling 'mvc' and references=... go together"):
        run.predict(simulated.manifest, n_jobs=1)


def test_predictions_of_a_folder_are_the_same_as_in_training(tiny_result: Result, tmp_path: Path) -> None:
    data = make_dataset(n_unlabelled=2)
    write_dataset(data, tmp_path / "data")
    assert load_folder(tmp_path / "data").fingerprint() == data.fingerprint()
    said = open_run(tiny_result.folder, cpu=True).predict(tmp_path / "data").to_json()
    assert len(said) == len(data)


def test_a_checkpoint_without_its_svm_says_so(tiny_copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = open_run(tiny_copy / "checkpoint_epoch_2", cpu=True)
    assert "has no gender SVM (it comes when training ends): only action quality is answered" in caplog.text
    assert run.classes["action_quality"]


def test_a_gender_run_without_its_svm_can_not_answer(tmp_path: Path) -> None:
    train(make_dataset(movements=("",)), tmp_path / "run", TINY, NetworkSize(base_channels=2), RunOptions(cpu=True))
    (tmp_path / "run" / "best" / "gender.skops").unlink()
    with pytest.raises(InputError, match="has no gender SVM, which is fitted at the end .*; use best or final"):
        open_run(tmp_path / "run", cpu=True)


def test_a_run_on_foreign_matrices_sees_recordings_on_its_own_scale(tmp_path: Path) -> None:
    """The engine is asked what reached it: matrices stretched to 0..1, as in training."""
    train(
        replace(make_dataset(), settings=None),
        tmp_path / "run",
        TINY,
        NetworkSize(base_channels=2),
        RunOptions(cpu=True),
    )
    write_recording(noise(), tmp_path / "curl.csv")
    seen: list[np.ndarray] = []

    run = open_run(tmp_path / "run", cpu=True)

    class Spy:
        description = run.description

        def ready(self, n_matrices: int) -> Spy:
            return self

        def features_and_logits(self, matrices: np.ndarray, *_: object) -> tuple[np.ndarray, np.ndarray]:
            seen.append(matrices)
            return np.zeros((len(matrices), 1)), np.zeros((len(matrices), 3))

        def combine(self, features: np.ndarray, logits: np.ndarray, *_: object) -> dict[str, np.ndarray]:
            return {"action_quality": np.full((len(logits), 3), 1 / 3)}

    told = replace(run, engine=Spy(), recording_config=configure(band_hz=(20, 200)))
    told.predict(tmp_path / "curl.csv", InputOptions(500), n_jobs=1)
    assert (seen[0].min(), seen[0].max()) == (0, 1)


def test_an_array_is_answered_as_the_recording_that_holds_it(opened: Run, tmp_path: Path) -> None:
    recording = noise(1)
    (expected,) = opened.predict(recording, n_jobs=1)
    (found,) = opened.predict(recording.samples, rate_hz=recording.rate_hz, units="uV", n_jobs=1)
    assert found.answers == expected.answers
    write_recording(recording, tmp_path / "curl.csv")
    (by_path,) = opened.predict(str(tmp_path / "curl.csv"), rate_hz=recording.rate_hz, units="uV", n_jobs=1)
    assert list(by_path.answers) == list(expected.answers)
    with pytest.raises(InputError, match="expected rate_hz=1000 or the like"):
        opened.predict(recording.samples)


def test_only_the_channels_that_are_named_are_answered(opened: Run) -> None:
    recording = noise(3)
    (expected,) = opened.predict(recording.select("ch2"), n_jobs=1)
    for channels in (["ch2"], "ch2"):
        (found,) = opened.predict(recording, InputOptions(channels=channels), n_jobs=1)
        assert found.answers == expected.answers
