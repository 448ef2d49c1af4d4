"""What others would use on the raw channels, on the folds our network is tried on: `accuracy.py --peers`.

Each is given filtered repetitions (n, n_channels, n_samples), divided by the reference amplitude where the row has one,
and weighs the classes evenly, as our network and our baselines do. They need, in this environment:

    pip install aeon "braindecode==0.8.1"

braindecode from 1.0 on imports torchaudio, whose Linux wheel on PyPI needs CUDA; 0.8.1 has the same layers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import Answers
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.folds import Fold
from semg_hht.matrices.transform import PipelineConfig, scaled_repetitions
from semg_hht.recordings.jobs import Job, read_job
from semg_hht.system.files import read_json, write_json

Signals = NDArray[np.float32]  # (n, n_channels, n_samples)
Labels = NDArray[np.intp]  # (n,) index of the class
Probabilities = NDArray[np.float64]  # (n, n_classes)


@dataclass(frozen=True)
class Effort:
    """How much the peers compute, stored with their answers; the defaults are their usual settings.

    kernels : of MultiRocket; with fewer, Hydra has as many times fewer groups.
    eegnet_hz : recordings of twice this rate and more are decimated for EEGNet, whose kernels are made for such rates.
    """

    kernels: int = 6250
    epochs: int = 30
    eegnet_hz: float = 250.0
    seed: int = 42


Peer = Callable[[Signals, Labels, Signals, float, Effort], Probabilities]


def multirocket_hydra(x: Signals, y: Labels, x_new: Signals, rate_hz: float, effort: Effort) -> Probabilities:
    """aeon's MultiRocketHydraClassifier, all channels together: 1 for the class it names, for it knows no other."""
    from aeon.classification.convolution_based import MultiRocketHydraClassifier
    from aeon.transformations.collection.convolution_based import MultiRocket

    groups = max(1, round(64 * effort.kernels / Effort.kernels))
    classifier = MultiRocketHydraClassifier(n_groups=groups, class_weight="balanced", random_state=effort.seed)
    # The classifier passes every setting on but this one.
    fewer = partial(MultiRocket, n_kernels=effort.kernels)
    with patch("aeon.classification.convolution_based._mr_hydra.MultiRocket", fewer):
        classifier.fit(x, y)
    return np.asarray(classifier.predict_proba(x_new), dtype=np.float64)


def eegnet(x: Signals, y: Labels, x_new: Signals, rate_hz: float, effort: Effort) -> Probabilities:
    """braindecode's EEGNet as it comes, channels standardised over the training people; Adam 1e-3, batches of 16."""
    import torch
    from braindecode.models import EEGNetv4
    from scipy.signal import decimate

    every = max(1, int(rate_hz / effort.eegnet_hz))
    if every > 1:
        x, x_new = (decimate(part, every, ftype="fir", axis=-1) for part in (x, x_new))
    mean, std = x.mean(axis=(0, 2), keepdims=True), x.std(axis=(0, 2), keepdims=True)
    seen, new = (torch.from_numpy(np.float32((part - mean) / std)) for part in (x, x_new))
    torch.manual_seed(effort.seed)
    counts = np.bincount(y)
    network = EEGNetv4(n_chans=x.shape[1], n_outputs=len(counts), n_times=x.shape[2])
    loss_of = torch.nn.CrossEntropyLoss(torch.tensor(len(y) / (len(counts) * counts), dtype=torch.float32))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    true = torch.from_numpy(y)
    for _ in range(effort.epochs):
        for batch in torch.randperm(len(y)).split(16):
            optimizer.zero_grad()
            loss_of(network(seen[batch]), true[batch]).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return network(new).softmax(dim=1).double().numpy()


PEERS: dict[str, Peer] = {"MultiRocketHydra": multirocket_hydra, "EEGNet": eegnet}


def require_peers() -> None:
    """Leave with one sentence where a peer can't be loaded, before anything long is begun."""
    try:
        from aeon.classification.convolution_based import MultiRocketHydraClassifier  # noqa: F401
        from braindecode.models import EEGNetv4  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a library of another build of torch
        raise SystemExit(f'--peers: {error}; pip install aeon "braindecode==0.8.1" brings what it needs') from None


def raw_channels(jobs: list[Job], settings: PipelineConfig) -> tuple[dict[str, Signals], float]:
    """Key of each repetition -> (n_channels, n_samples) as transformed, cut or padded with zeros to the median length;
    and the rate.

    Raises
    ------
    InputError
        Recordings of several rates, or of several numbers of channels.
    """
    found, kinds = {}, set()
    for job in jobs:
        for row, repetition in scaled_repetitions(job, read_job(job), settings):
            times = ("" if time_s is None else f"{time_s:.10g}" for time_s in (row.start_s, row.stop_s))
            found["|".join((row.file, *times))] = repetition.samples  # the key of `Dataset.repetitions`
            kinds.add((repetition.rate_hz, len(repetition.samples)))
    if len(kinds) != 1:
        listed = "; ".join(f"{rate_hz:g} Hz, {n} channels" for rate_hz, n in sorted(kinds))
        raise InputError(f"peers on raw channels need one rate and one number of channels; found {listed or 'none'}")
    length = int(np.median([samples.shape[1] for samples in found.values()]))
    for key, samples in found.items():
        padded = np.pad(samples[:, :length], ((0, 0), (0, max(0, length - samples.shape[1]))))
        found[key] = padded.astype(np.float32)
    return found, kinds.pop()[0]


def peer_answers(
    name: str,
    dataset: Dataset,
    signals: dict[str, Signals],
    rate_hz: float,
    folds: list[Fold],
    task: str,
    folder: Path,
    effort: Effort,
) -> Answers:
    """What a peer answers for the people held out, trained on all others; a fold that stands in ``folder`` is read."""
    first = {key: i for i, key in reversed(list(enumerate(dataset.repetitions)))}
    classes = dataset.classes()[task]
    label_of = {key: dataset.rows[i].label(task) for key, i in first.items()}
    made_of = {"data_fingerprint": dataset.fingerprint(), "task": task, **asdict(effort)}
    told: dict[str, list[float]] = {}
    for fold in folds:
        path = folder / name / f"{fold.number:02d}.json"
        new = _labelled(dataset, fold.split.test, label_of)
        content: dict[str, Any] = read_json(path) if path.is_file() else {}
        if content.get("made_of") != made_of or list(content["answers"]) != new:
            seen = _labelled(dataset, np.concatenate([fold.split.train, fold.split.validation]), label_of)
            y = np.array([classes.index(label_of[key]) for key in seen])
            x, x_new = (np.stack([signals[key] for key in keys]) for keys in (seen, new))
            start = time.perf_counter()
            probabilities = PEERS[name](x, y, x_new, rate_hz, effort)
            seconds = round(time.perf_counter() - start, 1)
            answers = dict(zip(new, probabilities.tolist(), strict=True))
            content = {"made_of": made_of, "seconds": seconds, "answers": answers}
            write_json(path, content)
        told |= content["answers"]
    rows = [dataset.rows[first[key]] for key in told]
    return Answers(
        task=task,
        method=name,
        classes=classes,
        repetitions=tuple(told),
        labels=tuple(row.label(task) for row in rows),
        subjects=tuple(row.subject for row in rows),
        muscles=tuple(row.muscle for row in rows),
        genders=tuple(row.gender for row in rows),
        files=tuple(row.file for row in rows),
        probabilities=np.array(list(told.values())),
    )


def _labelled(dataset: Dataset, indices: NDArray[np.intp], label_of: dict[str, str]) -> list[str]:
    """Keys of the repetitions that have a label, each once, in order of appearance."""
    return [key for key in dict.fromkeys(dataset.repetitions[i] for i in indices) if label_of[key]]
