"""Published methods on the raw channels, scored on the folds of our network, for `accuracy.py --peers`.

Each gets filtered repetitions (n, n_channels, n_samples), divided by the reference amplitude where the row has one, and
weighs all classes alike, as our network and our baselines do. They need, in this environment:

    pip install aeon "braindecode==0.8.1"

braindecode 1.0 and later imports torchaudio, whose Linux wheel on PyPI needs CUDA; 0.8.1 has the same EEGNet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from semg_hht import InputError
from semg_hht.evaluation.comparison import HeldOutAnswers
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.folds import Fold
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Job
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.system.files import read_json, write_json

Signals = NDArray[np.float32]  # (n, n_channels, n_samples)
Labels = NDArray[np.intp]  # (n,) index of the class
Probabilities = NDArray[np.float64]  # (n, n_classes)


@dataclass(frozen=True)
class Effort:
    """How much the peers compute, stored with their answers; the defaults are the settings of their authors.

    kernels : of MultiRocket; the number of groups of Hydra is reduced in proportion.
    eegnet_hz : the rate that EEGNet's kernels are designed for; recordings of twice this rate and more are decimated.
    """

    kernels: int = 6250
    epochs: int = 30
    eegnet_hz: float = 250.0
    seed: int = 42


Peer = Callable[[Signals, Labels, Signals, float, Effort], Probabilities]


def multirocket_hydra(x: Signals, y: Labels, x_new: Signals, rate_hz: float, effort: Effort) -> Probabilities:
    """aeon's MultiRocketHydraClassifier on all channels. It gives its class the probability 1."""
    from aeon.classification.convolution_based import MultiRocketHydraClassifier
    from aeon.transformations.collection.convolution_based import MultiRocket

    groups = max(1, round(64 * effort.kernels / Effort.kernels))
    classifier = MultiRocketHydraClassifier(n_groups=groups, class_weight="balanced", random_state=effort.seed)
    # The classifier has no argument for the number of kernels.
    fewer = partial(MultiRocket, n_kernels=effort.kernels)
    with patch("aeon.classification.convolution_based._mr_hydra.MultiRocket", fewer):
        classifier.fit(x, y)
    return np.asarray(classifier.predict_proba(x_new), dtype=np.float64)


def eegnet(x: Signals, y: Labels, x_new: Signals, rate_hz: float, effort: Effort) -> Probabilities:
    """braindecode's EEGNet; channels standardised over the training people, Adam 1e-3, batches of 16."""
    import torch
    from braindecode.models import EEGNetv4
    from scipy.signal import decimate

    factor = max(1, int(rate_hz / effort.eegnet_hz))
    if factor > 1:
        x, x_new = (decimate(part, factor, ftype="fir", axis=-1) for part in (x, x_new))
    mean, std = x.mean(axis=(0, 2), keepdims=True), x.std(axis=(0, 2), keepdims=True)
    known, new = (torch.from_numpy(np.float32((part - mean) / std)) for part in (x, x_new))
    torch.manual_seed(effort.seed)
    counts = np.bincount(y)
    network = EEGNetv4(n_chans=x.shape[1], n_outputs=len(counts), n_times=x.shape[2])
    loss_of = torch.nn.CrossEntropyLoss(torch.tensor(len(y) / (len(counts) * counts), dtype=torch.float32))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    true = torch.from_numpy(y)
    for _ in range(effort.epochs):
        shuffled: Any = torch.randperm(len(y))
        for batch in shuffled.split(16):
            optimizer.zero_grad()
            loss_of(network(known[batch]), true[batch]).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return np.asarray(network(new).softmax(dim=1).double().numpy())


PEERS: dict[str, Peer] = {"MultiRocketHydra": multirocket_hydra, "EEGNet": eegnet}


def require_peers() -> None:
    """End the program with one sentence where a peer can't be imported, before the long work starts."""
    try:
        from aeon.classification.convolution_based import MultiRocketHydraClassifier  # noqa: F401
        from braindecode.models import EEGNetv4  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a library for another build of torch
        raise SystemExit(f'--peers: {error}; pip install aeon "braindecode==0.8.1" installs what it needs') from None


def raw_channels(jobs: list[Job], settings: PipelineConfig) -> tuple[dict[str, Signals], float]:
    """The filtered samples of each repetition, cut or padded with zeros to the median length, and their rate.

    Returns
    -------
    Key of `Dataset.repetitions` -> (n_channels, n_samples), and the rate in Hz.

    Raises
    ------
    InputError
        The recordings have several rates or several numbers of channels.
    """
    signals: dict[str, Any] = {}
    kinds = set()
    for job in jobs:
        for row, repetition in open_filtered(job, settings.filter).scaled_repetitions():
            times = ("" if time_s is None else f"{time_s:.10g}" for time_s in (row.start_s, row.stop_s))
            signals["|".join((row.file, *times))] = repetition.samples
            kinds.add((repetition.rate_hz, len(repetition.samples)))
    if len(kinds) != 1:
        listed = "; ".join(f"{rate_hz:g} Hz, {n} channels" for rate_hz, n in sorted(kinds))
        raise InputError(f"peers on raw channels need one rate and one number of channels; found {listed or 'none'}")
    length = int(np.median([samples.shape[1] for samples in signals.values()]))
    for key, samples in signals.items():
        padded = np.pad(samples[:, :length], ((0, 0), (0, max(0, length - samples.shape[1]))))
        signals[key] = padded.astype(np.float32)
    return signals, kinds.pop()[0]


@dataclass(frozen=True)
class PeerData:
    """A labelled data set, its raw channels by key of the repetition, and the task."""

    dataset: Dataset
    signals: dict[str, Signals]
    rate_hz: float
    task: str

    @cached_property
    def example_of(self) -> dict[str, int]:
        """Key of each repetition -> its first example."""
        return {key: i for i, key in reversed(list(enumerate(self.dataset.repetitions)))}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return self.dataset.classes()[self.task]

    def label(self, key: str) -> str:
        return self.dataset.rows[self.example_of[key]].label(self.task)

    def labelled(self, indices: NDArray[np.intp]) -> list[str]:
        """Keys of the labelled repetitions among these examples, each once, in order of appearance."""
        return [key for key in dict.fromkeys(self.dataset.repetitions[i] for i in indices) if self.label(key)]

    def samples(self, keys: list[str]) -> Signals:
        return np.stack([self.signals[key] for key in keys])  # (n, n_channels, n_samples)


def peer_answers(name: str, data: PeerData, folds: list[Fold], folder: Path, effort: Effort) -> HeldOutAnswers:
    """A peer's answers for the people held out of each fold, after training on all others.

    Folds that were computed before from the same data and effort are read from ``folder``.
    """
    made_of = {"data_fingerprint": data.dataset.fingerprint(), "task": data.task, **asdict(effort)}
    answers: dict[str, list[float]] = {}
    for fold in folds:
        path = folder / name / f"{fold.number:02d}.json"
        new = data.labelled(fold.split.test)
        content: dict[str, Any] = read_json(path) if path.is_file() else {}
        if content.get("made_of") != made_of or list(content["answers"]) != new:
            known = data.labelled(np.concatenate([fold.split.train, fold.split.validation]))
            y = np.array([data.classes.index(data.label(key)) for key in known])
            start = time.perf_counter()
            probabilities = PEERS[name](data.samples(known), y, data.samples(new), data.rate_hz, effort)
            seconds = round(time.perf_counter() - start, 1)
            of_fold = dict(zip(new, probabilities.tolist(), strict=True))
            content = {"made_of": made_of, "seconds": seconds, "answers": of_fold}
            write_json(path, content)
        answers |= content["answers"]
    rows = [data.dataset.rows[data.example_of[key]] for key in answers]
    return HeldOutAnswers(
        task=data.task,
        method=name,
        classes=data.classes,
        repetitions=tuple(answers),
        labels=tuple(row.label(data.task) for row in rows),
        subjects=tuple(row.subject for row in rows),
        muscles=tuple(row.muscle for row in rows),
        genders=tuple(row.gender for row in rows),
        files=tuple(row.file for row in rows),
        probabilities=np.array(list(answers.values())),
    )
