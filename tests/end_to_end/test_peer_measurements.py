"""benchmarks/peers.py: the peers use our folds and our filtered samples, and no fold is computed twice."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from builders import noise
from conftest import Simulated
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.errors import InputError
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.learning.folds import make_folds
from semg_hht.matrices.transform import configure
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import write_recording


@pytest.fixture
def peers(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module("peers")


@pytest.fixture
def dataset(simulated: Simulated) -> Dataset:
    return load_folder(simulated.matrices)


def test_raw_channels_have_the_keys_of_the_matrices_and_one_length(
    peers: ModuleType, simulated: Simulated, dataset: Dataset
) -> None:
    signals, rate_hz = peers.raw_channels(find_jobs(simulated.manifest), simulated.config)
    assert set(signals) == set(dataset.repetitions)
    assert rate_hz == 500
    assert len({samples.shape for samples in signals.values()}) == 1
    assert {samples.dtype for samples in signals.values()} == {np.dtype(np.float32)}


def test_raw_channels_are_divided_by_the_reference(peers: ModuleType, simulated: Simulated) -> None:
    settings = configure(band_hz=(20.0, 200.0), scaling="subject")
    jobs = with_references(find_jobs(simulated.manifest), settings, None, n_jobs=1)
    plain, _ = peers.raw_channels(find_jobs(simulated.manifest), simulated.config)
    divided, _ = peers.raw_channels(jobs, settings)
    amplitude = {job.rows[0].file: job.reference.amplitude for job in jobs if job.reference}
    for key, samples in divided.items():
        reference = np.array(list(amplitude[key.split("|")[0]].values()))[:, None]
        np.testing.assert_allclose(samples * reference, plain[key], rtol=1e-4, atol=1e-3)


def test_recordings_of_two_rates_are_refused(peers: ModuleType, tmp_path: Path) -> None:
    for name, rate_hz in (("a.npz", 500.0), ("b.npz", 1000.0)):
        write_recording(noise(2, rate_hz=rate_hz), tmp_path / name)
    jobs = [Job(tmp_path / name, (ManifestRow(name),)) for name in ("a.npz", "b.npz")]
    with pytest.raises(InputError, match="found 500 Hz, 2 channels; 1000 Hz, 2 channels"):
        peers.raw_channels(jobs, configure(band_hz=(20.0, 200.0)))


def test_a_peer_answers_for_held_out_people_and_a_finished_fold_is_read(
    peers: ModuleType, simulated: Simulated, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals, rate_hz = peers.raw_channels(find_jobs(simulated.manifest), simulated.config)
    owner = {samples.tobytes(): key for key, samples in signals.items()}
    subject = dict(zip(dataset.repetitions, dataset.subjects, strict=True))
    calls = []

    def peer(x: Any, y: Any, x_new: Any, rate_hz: float, effort: Any) -> Any:
        calls.append(tuple({subject[owner[samples.tobytes()]] for samples in part} for part in (x, x_new)))
        assert len(x) == len(y)
        return np.eye(y.max() + 1)[np.zeros(len(x_new), dtype=int)]

    monkeypatch.setitem(peers.PEERS, "stub", peer)
    folds = make_folds(dataset, "loso", 5, 0.3, 0)
    data = peers.PeerData(dataset, signals, rate_hz, "action_quality")

    def answered(seed: int) -> Any:
        return peers.peer_answers("stub", data, folds, tmp_path, peers.Effort(84, 1, seed=seed))

    answers = answered(0)
    assert sorted(answers.repetitions) == sorted(signals)
    assert [new for _, new in calls] == [set(fold.held_out) for fold in folds]
    assert all(known == set(dataset.subjects) - new for known, new in calls)
    assert answers.report().balanced_accuracy == pytest.approx(1 / len(answers.classes))
    assert answered(0).probabilities.tolist() == answers.probabilities.tolist()
    assert len(calls) == len(folds), "finished folds were computed again"
    answered(1)
    assert len(calls) == 2 * len(folds), "the answers of another seed were reused"


def test_a_missing_peer_is_reported_in_one_sentence(peers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aeon", None)
    with pytest.raises(SystemExit, match=r'^--peers: .*aeon.*; pip install aeon "braindecode==0.8.1" installs what'):
        peers.require_peers()


@pytest.mark.parametrize(("name", "package"), [("EEGNet", "braindecode.models"), ("MultiRocketHydra", "aeon")])
def test_each_peer_returns_probabilities(peers: ModuleType, name: str, package: str) -> None:
    pytest.importorskip(package, exc_type=ImportError)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 2, 1200)).astype(np.float32)
    found = peers.PEERS[name](x, np.arange(12) % 3, x[:4], 1000.0, peers.Effort(84, 1))
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
