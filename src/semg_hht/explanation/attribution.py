"""Why a model answered so: evidence for one class, cell by cell of its matrices, and block by block of a recipe.

Knows models and arrays: nothing of files, frequencies or pictures. Attribution is Captum's; what is attributed is the
answer itself, from the matrices through the encoder and, where one answers, through the calibrated SVM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, with_temperature
from semg_hht.inference.svm_inputs import MIXING, NETWORK, REFERENCE, Beside, joined
from semg_hht.learning.checkpoint import Model
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.learning.svm_training import probabilities
from semg_hht.matrices.matrix import SIZE

Array = NDArray[np.float64]
Scored = Callable[[Tensor, Tensor], Tensor]  # features (k, n, n_features), logits (k, n, n_classes) -> scores (k,)

INTEGRATED, GRAD_CAM = "integrated_gradients", "grad_cam"
METHODS = (INTEGRATED, GRAD_CAM)
STEPS = 32  # of the path from an empty matrix; doubled until the evidence adds up
MAX_STEPS = 256
TOLERANCE = 0.02  # of the score's change that may be missing from the sum
BATCH = 16  # matrices of the path at once: gradients keep every layer's output
CAM_LAYER = 3  # counted from 0; its map is 16 x 16, the last one's only 2 x 2


@dataclass(frozen=True)
class Attribution:
    """What spoke for one class of one repetition.

    evidence : (n, n_planes, 256, 256), in units of the score; above 0 speaks for the class, below 0 against it. Under
        integrated gradients it adds up to ``score - empty``.
    score : log-odds of the class, pooled over the matrices; where an SVM tells more than two classes apart, the mean of
        its decisions for the class against each other one.
    empty : the same of empty matrices, in which nothing oscillates.
    is_odds : whether the score is log-odds.
    blocks : what each block of the recipe added to the probability (its Shapley value, where leaving a block out means
        putting the training people's mean in its place); empty where nothing is joined.
    average : probability of the class for the training people's mean; with all blocks it adds up to the answer.
    mixing : (n_numbers,) evidence of each number of the block ``mixing``, in units of the score: integrated gradients
        from the training people's mean. None without.
    """

    evidence: Array
    score: float
    empty: float
    is_odds: bool
    blocks: dict[str, float]
    average: float
    mixing: Array | None = None


def attribute(
    model: Model,
    matrices: NDArray[np.float32],
    beside: Beside,
    task: str,
    name: str,
    *,
    method: str = INTEGRATED,
) -> Attribution:
    """Evidence for the class ``name`` in the matrices of one repetition.

    Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) from the empty matrix, or Grad-CAM (Selvaraju et
    al. 2017, arXiv 1610.02391) without its cut at 0, so that it can speak against too.

    Parameters
    ----------
    matrices : (n, n_planes, 256, 256), one a channel, or one with all channels as planes.
    beside : what lies beside them, of one repetition.

    Raises
    ------
    InputError
        An unknown method, a task or class the model does not answer, or Captum is missing.
    """
    if method not in METHODS:
        raise InputError(f"--method must be one of {', '.join(METHODS)}; got {method!r}")
    if task not in model.svms and task != model.encoder_task:
        raise InputError(f"this run does not answer {task!r}; expected one of {', '.join(model.classes)}")
    if name not in model.classes[task]:
        raise InputError(f"{task} has no class {name!r}; expected one of {', '.join(model.classes[task])}")
    index = model.classes[task].index(name)
    blocks, average = _blocks(model, matrices, beside, task, index)
    scored, is_odds = _scored(model, beside, task, index)
    forward = _forward(model, scored)
    x = torch.from_numpy(np.ascontiguousarray(matrices)).to(next(model.network.parameters()).device)[None]
    with torch.no_grad():
        score, empty = float(forward(x)), float(forward(torch.zeros_like(x)))
    if task in model.blocks and NETWORK not in model.blocks[task]:
        evidence = torch.zeros_like(x)  # this answer does not look at the matrices
    else:
        evidence = (_integrated if method == INTEGRATED else _grad_cam)(model, forward, x, score - empty)
    found = evidence[0].detach().cpu().numpy().astype(np.float64)
    mixing = _mixing(model, matrices, beside, task, index) if MIXING in blocks else None
    return Attribution(found, score, empty, is_odds, blocks, average, mixing)


def _forward(model: Model, scored: Scored) -> Callable[[Tensor], Tensor]:
    """(k, n, n_planes, 256, 256) -> scores (k,), in evaluation mode."""
    network = model.network.eval()

    def forward(x: Tensor) -> Tensor:
        k, n = x.shape[:2]
        features = network.encoder(x.flatten(0, 1))  # (k, n, planes, 256, 256) -> (k * n, n_features)
        logits = network.head(features)
        return scored(features.unflatten(0, (k, n)), logits.unflatten(0, (k, n)))

    return forward


def _integrated(model: Model, forward: Callable[[Tensor], Tensor], x: Tensor, change: float) -> Tensor:
    """Steps are doubled until the sum is near ``change``: the score bends where probabilities saturate."""
    method, steps = captum_methods().IntegratedGradients(forward), STEPS
    while True:
        evidence: Tensor = method.attribute(x, n_steps=steps, internal_batch_size=max(1, BATCH // x.shape[1]))
        missing = abs(float(evidence.double().sum()) - change)
        if missing <= TOLERANCE * max(abs(change), 1.0) or steps >= MAX_STEPS:
            return evidence
        steps *= 2


def _grad_cam(model: Model, forward: Callable[[Tensor], Tensor], x: Tensor, change: float) -> Tensor:
    """One map a matrix, spread evenly over its planes."""
    layers = model.network.encoder.layers
    method = captum_methods().LayerGradCam(forward, layers[min(CAM_LAYER, len(layers) - 1)])
    coarse = method.attribute(x)  # (n, 1, h, w)
    fine = functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    shares = (coarse.shape[-1] / SIZE) ** 2 / x.shape[2]  # the sum stays that of the coarse map
    spread: Tensor = (fine * shares).expand(x.shape[1:])
    return spread[None]


def captum_methods() -> Any:
    """Captum's module of methods, or an InputError that says what to install."""
    try:
        import captum.attr
    except ImportError as error:
        raise InputError(f"explain needs {error.name}: pip install 'semg-hht[explain]'") from None
    return captum.attr


def _scored(model: Model, beside: Beside, task: str, index: int) -> tuple[Scored, bool]:
    """Score of a class from features and logits, and whether it is log-odds."""
    temperature = model.calibration.get(task, Calibration()).temperature
    if task not in model.svms:

        def by_head(features: Tensor, logits: Tensor) -> Tensor:
            scaled = logits.double() / temperature  # (k, n, n_classes)
            others = torch.cat([scaled[..., :index], scaled[..., index + 1 :]], dim=-1)
            return _pooled(scaled[..., index] - others.logsumexp(dim=-1))

        return by_head, True
    svm = _Svm(model.svms[task], model.classes[task][index])
    if task not in model.blocks:
        return (lambda features, logits: _pooled(svm.odds(features.double()) / temperature)), True
    rows = _rows(model, beside, task)
    return (lambda features, logits: svm.score(rows(features.double()), temperature)), svm.is_binary


def _pooled(odds: Tensor) -> Tensor:
    """Log-odds (k, n) of n matrices -> log-odds (k,) of their mean probability, however near to 0 or 1 they are."""
    return functional.logsigmoid(odds).logsumexp(dim=1) - functional.logsigmoid(-odds).logsumexp(dim=1)


def _rows(model: Model, beside: Beside, task: str) -> Callable[[Tensor], Tensor]:
    """Features (k, n, n_features) of one repetition -> what its SVM reads (k, width); see `joined`."""
    widths = model.blocks[task]
    zeros = np.zeros((len(beside.repetitions), model.network.config.n_features))
    fixed = torch.from_numpy(joined(tuple(widths), zeros, beside)[1])  # (1, width)
    weight = torch.tensor([sum(found.get(REFERENCE, (1.0,))) for found in beside.features], dtype=torch.float64)
    weight /= weight.sum()
    start = sum(list(widths.values())[: list(widths).index(NETWORK)]) if NETWORK in widths else None

    def rows(features: Tensor) -> Tensor:
        row = fixed.to(features.device).expand(len(features), -1)
        if start is None:
            return row
        seen = torch.einsum("n,knf->kf", weight.to(features.device), features)
        return torch.cat([row[:, :start], seen, row[:, start + seen.shape[1] :]], dim=1)

    return rows


class _Svm:
    """The Pipeline of `semg_hht.learning.svm_training` in torch and float64, as seen by one of its classes."""

    def __init__(self, pipeline: Any, name: str) -> None:
        names = tuple(pipeline.classes_)
        plain = svm_arrays(pipeline, names)
        self.index, self.n_classes = names.index(name), len(names)
        self.is_binary = self.n_classes == 2
        self.gamma = float(plain.gamma)
        sign = -1 if self.is_binary else 1  # of two classes the arrays' decision speaks for the second
        arrays = (plain.mean, plain.scale, plain.support_vectors, sign * plain.coefficients.T, sign * plain.intercept)
        self.mean, self.scale, self.vectors, self.coefficients, self.intercepts = map(_tensor, arrays)
        self.sigmoid = tuple(map(float, plain.sigmoids[0]))

    def decisions(self, x: Tensor) -> Tensor:
        """(..., n_features) -> (..., n_pairs): above 0 speaks for the first class of a pair."""
        device = x.device
        scaled = (x - self.mean.to(device)) / self.scale.to(device)
        squared = ((scaled[..., None, :] - self.vectors.to(device)) ** 2).sum(dim=-1)  # (..., n_vectors)
        return torch.exp(-self.gamma * squared) @ self.coefficients.to(device) + self.intercepts.to(device)

    def odds(self, x: Tensor) -> Tensor:
        """Calibrated log-odds of the class, of two (Platt 1999: 1 / (1 + exp(a decision + b)) for the second)."""
        a, b = self.sigmoid
        second = a * self.decisions(x)[..., 0] - b  # the decision is turned round: it speaks for the first
        return second if self.index == 1 else -second

    def score(self, rows: Tensor, temperature: float) -> Tensor:
        """Rows (k, width) of joined blocks -> (k,): log-odds of two classes, of more the margin."""
        return self.odds(rows) / temperature if self.is_binary else self.margin(rows)

    def margin(self, x: Tensor) -> Tensor:
        """Mean decision for the class against each other one. Calibration goes by votes, which have no gradient."""
        signs = torch.zeros(self.intercepts.numel(), dtype=torch.float64, device=x.device)
        for pair, (first, second) in enumerate(combinations(range(self.n_classes), 2)):
            signs[pair] = float(first == self.index) - float(second == self.index)
        return self.decisions(x) @ signs / (self.n_classes - 1)


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _blocks(
    model: Model, matrices: NDArray[np.float32], beside: Beside, task: str, index: int
) -> tuple[dict[str, float], float]:
    """Shapley values of the blocks, and the probability where every block is the training people's mean."""
    widths = model.blocks.get(task, {})
    if not widths:
        return {}, 0.0
    svm, temperature = model.svms[task], model.calibration.get(task, Calibration()).temperature
    _, table = joined(tuple(widths), model.features_and_logits(matrices)[0], beside)
    mean, edges = svm.steps[0][1].mean_, np.cumsum([0, *widths.values()])

    def value(kept: frozenset[str]) -> float:
        row = table.copy()
        for block, start, stop in zip(widths, edges[:-1], edges[1:], strict=True):
            if block not in kept:
                row[:, start:stop] = mean[start:stop]
        found = with_temperature(probabilities(svm, row, model.classes[task]), temperature)
        return float(found[:, index].mean())

    orders = list(permutations(widths))
    shares = dict.fromkeys(widths, 0.0)
    for order in orders:
        for i, block in enumerate(order):
            shares[block] += (value(frozenset(order[: i + 1])) - value(frozenset(order[:i]))) / len(orders)
    return shares, value(frozenset())


def _mixing(model: Model, matrices: NDArray[np.float32], beside: Beside, task: str, index: int) -> Array:
    """Evidence of each number of the block ``mixing``, all else as it is."""
    widths = model.blocks[task]
    svm, temperature = _Svm(model.svms[task], model.classes[task][index]), model.calibration.get(task, Calibration())
    row = _tensor(joined(tuple(widths), model.features_and_logits(matrices)[0], beside)[1])  # (1, width)
    start = sum(list(widths.values())[: list(widths).index(MIXING)])
    block = slice(start, start + widths[MIXING])
    usual = row.clone()
    usual[:, block] = svm.mean[block]
    method = captum_methods().IntegratedGradients(lambda rows: svm.score(rows, temperature.temperature))
    found: Tensor = method.attribute(row, baselines=usual, n_steps=MAX_STEPS)
    return found[0, block].detach().numpy()
