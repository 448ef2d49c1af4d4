"""Attribute the answer of a model: evidence for one class in each cell of its matrices and in each block of its recipe.

The answer itself is attributed: from the matrices through the encoder and, for a task that an SVM or a committee
answers, through it. A committee is attributed as it answers a repetition alone. This module does not know files,
frequencies or pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import with_temperature
from semg_hht.explanation.explanation import INTEGRATED, METHODS, Array, Attribution
from semg_hht.explanation.integrated_gradients import Score, for_gradients, integrated_gradients
from semg_hht.explanation.measure_evidence import block_shares
from semg_hht.inference.discriminant import Committee
from semg_hht.inference.svm_inputs import COVARIANCE, NETWORK, SvmInputs, svm_table
from semg_hht.learning.checkpoint import Model
from semg_hht.learning.network import ActionNetwork
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.learning.svm_training import probabilities
from semg_hht.matrices.matrix import SIZE

Scored = Callable[[Tensor, Tensor], Tensor]  # features (k, n, n_features), logits (k, n, n_classes) -> scores (k,)

COVARIANCE_POINTS = 64  # of the path of the block ``mixing``, by the rule of Gauss and Legendre
CAM_LAYER = 3  # counted from 0; its map is 16 x 16, the last one's only 2 x 2


def attribute(
    model: Model,
    matrices: NDArray[np.float32],
    inputs: SvmInputs,
    task: str,
    name: str,
    *,
    method: str = INTEGRATED,
) -> Attribution:
    """Evidence for the class ``name`` in the matrices of one repetition.

    Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) from the empty matrix, or Grad-CAM (Selvaraju et
    al. 2017, arXiv 1610.02391) without its cut at 0, so that evidence can be negative too.

    Parameters
    ----------
    matrices : (n, n_planes, 256, 256): one for each channel, or one with all channels as planes.
    inputs : what is measured of the same repetition besides its matrices.

    Raises
    ------
    InputError
        An unknown method, or a task or class the model does not answer.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    classes, joined_blocks = model.description.classes, model.description.blocks.get(task, {})
    if task not in {*model.svms, *model.committees, model.description.encoder_task}:
        raise InputError(f"this run does not answer {task!r}; expected one of {', '.join(classes)}")
    if name not in classes[task]:
        raise InputError(f"{task} has no class {name!r}; expected one of {', '.join(classes[task])}")
    index = classes[task].index(name)
    blocks: dict[str, float] = {}
    average, table = 0.0, np.zeros((1, 0))
    if joined_blocks:
        table = svm_table(joined_blocks, model.features_and_logits(matrices)[0], inputs)[1]
        blocks, average = _blocks(model, table, task, index)
    of_features, is_odds = scored(model, inputs, task, index)
    network = for_gradients(model.network)
    score_at = score_of(network, of_features)
    x = torch.from_numpy(np.ascontiguousarray(matrices)).to(next(network.parameters()).device)
    with torch.no_grad():
        score, empty = score_at(torch.stack([x, torch.zeros_like(x)])).tolist()
    if joined_blocks and NETWORK not in joined_blocks:
        evidence = torch.zeros_like(x)  # the answer of this task reads nothing of the matrices
    elif method == INTEGRATED:
        evidence = integrated_gradients(score_at, x, score - empty)
    else:
        evidence = _grad_cam(network, score_at, x)
    cells = evidence.cpu().numpy().astype(np.float64)
    covariance = _covariance(model, table, task, index) if COVARIANCE in blocks else None
    return Attribution(cells, score, empty, is_odds, blocks, average, covariance)


def score_of(network: ActionNetwork, of_features: Scored) -> Score:
    """A function from matrices (k, n, n_planes, 256, 256) to scores (k,); ``of_features`` is that of `scored`."""

    def score_at(x: Tensor) -> Tensor:
        k, n = x.shape[:2]
        features = network.encoder(x.flatten(0, 1))  # (k, n, planes, 256, 256) -> (k * n, n_features)
        logits = network.head(features)
        return of_features(features.unflatten(0, (k, n)), logits.unflatten(0, (k, n)))

    return score_at


def _grad_cam(network: ActionNetwork, score_at: Score, x: Tensor) -> Tensor:
    """One map for each matrix, divided evenly among its planes, (n, n_planes, 256, 256)."""
    maps: list[Tensor] = []
    layer = network.encoder.layers[min(CAM_LAYER, len(network.encoder.layers) - 1)]
    hook = layer.register_forward_hook(lambda module, inputs, output: maps.append(output))
    score = score_at(x[None].requires_grad_())
    hook.remove()
    (gradients,) = torch.autograd.grad(score.sum(), maps[0])  # (n, c, h, w)
    coarse = (gradients.mean(dim=(2, 3), keepdim=True) * maps[0].detach()).sum(dim=1, keepdim=True)  # (n, 1, h, w)
    fine = functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    shares = (coarse.shape[-1] / SIZE) ** 2 / x.shape[1]  # the sum stays that of the coarse map
    return (fine * shares).expand(x.shape)


def scored(model: Model, inputs: SvmInputs, task: str, index: int) -> tuple[Scored, bool]:
    """A function from features and logits to the score of a class, and whether the score is log-odds."""
    temperature = model.description.temperature(task)
    if task not in model.svms and task not in model.committees:

        def by_head(features: Tensor, logits: Tensor) -> Tensor:
            scaled = logits.double() / temperature  # (k, n, n_classes)
            others = torch.cat([scaled[..., :index], scaled[..., index + 1 :]], dim=-1)
            return _pooled(scaled[..., index] - others.logsumexp(dim=-1))

        return by_head, True
    if task not in model.description.blocks:
        svm = _TorchSvm(model.svms[task], model.description.classes[task][index])
        return (lambda features, logits: _pooled(svm.odds(features.double()) / temperature)), True
    joined, rows = _joined(model, task, index), _rows(model, inputs, task)
    return (lambda features, logits: joined.score(rows(features.double()), temperature)), joined.is_odds


def _pooled(odds: Tensor) -> Tensor:
    """Log-odds (k, n) of n matrices -> log-odds (k,) of their mean probability, however near to 0 or 1 they are."""
    return functional.logsigmoid(odds).logsumexp(dim=1) - functional.logsigmoid(-odds).logsumexp(dim=1)


def _rows(model: Model, inputs: SvmInputs, task: str) -> Callable[[Tensor], Tensor]:
    """A function from features (k, n, n_features) of one repetition to rows (k, width) of its SVM; see `svm_table`."""
    widths = model.description.blocks[task]
    zeros = np.zeros((len(inputs.repetitions), model.description.network.n_features))
    fixed = torch.from_numpy(svm_table(widths, zeros, inputs)[1])  # (1, width)
    weight = torch.tensor([sum(reference or (1.0,)) for reference in inputs.references], dtype=torch.float64)
    weight /= weight.sum()
    start = sum(list(widths.values())[: list(widths).index(NETWORK)]) if NETWORK in widths else None

    def rows(features: Tensor) -> Tensor:
        row = fixed.to(features.device).expand(len(features), -1)
        if start is None:
            return row
        mean = torch.einsum("n,knf->kf", weight.to(features.device), features)
        return torch.cat([row[:, :start], mean, row[:, start + mean.shape[1] :]], dim=1)

    return rows


class _Joined(Protocol):
    """What reads the joined blocks of a task, for one class. ``mean``: the row of the training people's means."""

    mean: Tensor
    is_odds: bool

    def score(self, rows: Tensor, temperature: float) -> Tensor: ...


def _joined(model: Model, task: str, index: int) -> _Joined:
    if task in model.committees:
        return _TorchCommittee(model.committees[task], index)
    return _TorchSvm(model.svms[task], model.description.classes[task][index])


class _TorchCommittee:
    """A `Committee` in torch, for one class of a repetition of which nothing else is known."""

    is_odds = True

    def __init__(self, committee: Committee, index: int) -> None:
        self.index = index
        self.mean, self.weights = _tensor(committee.mean), _tensor(np.array(committee.weights))
        self.members = [
            tuple(
                map(
                    _tensor,
                    (m.mean, m.scale, m.weights, m.offset, m.centres, m.precision),
                )
            )
            for m in committee.members
        ]

    def score(self, rows: Tensor, temperature: float) -> Tensor:
        """Rows (k, width) -> log-odds (k,)."""
        shares = []
        for arrays in self.members:
            mean, scale, weights, offset, centres, precision = (array.to(rows.device) for array in arrays)
            away = (((rows - mean) / scale) @ weights + offset)[:, None] - centres  # (k, n_classes, d)
            squares = torch.einsum("kcd,de,kce->kc", away, precision, away)
            shares.append(functional.log_softmax(-0.5 * squares, dim=1))
        logs = torch.stack(shares) + self.weights.log().to(rows.device)[:, None, None]  # (n_members, k, n_classes)
        logs = logs.logsumexp(dim=0) / temperature
        others = torch.cat([logs[:, : self.index], logs[:, self.index + 1 :]], dim=1)
        return logs[:, self.index] - others.logsumexp(dim=1)


class _TorchSvm:
    """The Pipeline of `semg_hht.learning.svm_training` in torch and float64, for one of its classes."""

    def __init__(self, pipeline: Any, name: str) -> None:
        names = tuple(pipeline.classes_)
        plain = svm_arrays(pipeline, names)
        self.index, self.n_classes = names.index(name), len(names)
        self.is_binary = self.is_odds = self.n_classes == 2
        self.gamma = float(plain.gamma)
        sign = -1 if self.is_binary else 1  # with two classes the arrays' decision is positive for the second
        arrays = (plain.mean, plain.scale, plain.support_vectors, sign * plain.coefficients.T, sign * plain.intercept)
        self.mean, self.scale, self.vectors, self.coefficients, self.intercepts = map(_tensor, arrays)
        self.sigmoid = tuple(map(float, plain.sigmoids[0]))

    def decisions(self, x: Tensor) -> Tensor:
        """(..., n_features) -> (..., n_pairs): positive for the first class of a pair."""
        device = x.device
        scaled = (x - self.mean.to(device)) / self.scale.to(device)
        squared = ((scaled[..., None, :] - self.vectors.to(device)) ** 2).sum(dim=-1)  # (..., n_vectors)
        return torch.exp(-self.gamma * squared) @ self.coefficients.to(device) + self.intercepts.to(device)

    def odds(self, x: Tensor) -> Tensor:
        """Calibrated log-odds of one of two classes (Platt 1999: 1 / (1 + exp(a decision + b)) for the second)."""
        a, b = self.sigmoid
        second = a * self.decisions(x)[..., 0] - b  # the sign differs: this decision is positive for the first
        return second if self.index == 1 else -second

    def score(self, rows: Tensor, temperature: float) -> Tensor:
        """Rows (k, width) of joined blocks -> (k,): log-odds with two classes, the margin with more."""
        return self.odds(rows) / temperature if self.is_binary else self.margin(rows)

    def margin(self, x: Tensor) -> Tensor:
        """Mean decision for the class against each other class; calibration uses votes, which have no gradient."""
        signs = torch.zeros(self.intercepts.numel(), dtype=torch.float64, device=x.device)
        for pair, (first, second) in enumerate(combinations(range(self.n_classes), 2)):
            signs[pair] = float(first == self.index) - float(second == self.index)
        return self.decisions(x) @ signs / (self.n_classes - 1)


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _blocks(model: Model, table: Array, task: str, index: int) -> tuple[dict[str, float], float]:
    """`block_shares` of a task that joins blocks to a table, (1, width)."""
    temperature, answer, mean = model.description.temperature(task), *_of_table(model, task)
    widths = model.description.blocks[task]
    return block_shares(lambda row: with_temperature(answer(row), temperature)[:, index], table, mean, widths)


def _of_table(model: Model, task: str) -> tuple[Callable[[Array], Array], Array]:
    """A function from a table of joined blocks to probabilities (n, n_classes), and the training people's mean row."""
    if task in model.committees:
        return model.committees[task].alone, model.committees[task].mean
    svm, classes = model.svms[task], model.description.classes[task]
    return (lambda table: probabilities(svm, table, classes)), svm.steps[0][1].mean_


def _covariance(model: Model, table: Array, task: str, index: int) -> Array:
    """Evidence of each number of the block ``mixing`` of a table, (1, width), with the other blocks fixed."""
    widths, temperature = model.description.blocks[task], model.description.temperature(task)
    joined = _joined(model, task, index)
    row = _tensor(table)
    start = sum(list(widths.values())[: list(widths).index(COVARIANCE)])
    block = slice(start, start + widths[COVARIANCE])
    baseline = row.clone()
    baseline[:, block] = joined.mean[block]
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.legendre.leggauss(COVARIANCE_POINTS))
    path = (baseline + (1 + nodes[:, None]) / 2 * (row - baseline)).requires_grad_()  # (n_points, width)
    (slopes,) = torch.autograd.grad(joined.score(path, temperature).sum(), path)
    evidence = (row - baseline)[0] * (weights / 2 @ slopes)
    return evidence[block].numpy()
