"""Integrated gradients of a score along the path from empty matrices, with few points and fast convolutions.

A point of the path costs as much as the network forwards and backwards. So further points lie where the gradient
changes, and on a CPU a copy of the network that shares its weights computes the gradients in half the time of torch's
convolutions. It knows tensors and layers. It does not know models, classes or files.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from semg_hht.learning.cpu_convolution import Convolution
from semg_hht.learning.network import ActionNetwork

Score = Callable[[Tensor], Tensor]  # (k, n, n_planes, 256, 256) -> scores (k,)

FIRST_POINTS = 12
SPLIT = 4  # parts of the path that get two more points each, while evidence is missing
MAX_POINTS = 128  # the gradient of each is in memory
TOLERANCE = 0.02  # of the score's change that may be missing from the sum
BATCH = 16  # matrices in one batch: gradients keep the output of every layer
NARROW = 16  # maps up to this width, with hundreds of channels, are faster as one matrix product


@dataclass(frozen=True)
class _PathPart:
    """A part of the path from 0 (empty) to 1, and what was computed at its middle.

    gradient : (n, n_planes, 256, 256).
    slope : derivative of the score along the path.
    """

    low: float
    high: float
    gradient: Tensor
    slope: float

    @property
    def width(self) -> float:
        return self.high - self.low


def integrated_gradients(score: Score, x: Tensor, change: float) -> Tensor:
    """Evidence (n, n_planes, 256, 256), in float64, that sums to ``change``, the score of ``x`` less that of zeros.

    The path (Sundararajan et al. 2017, arXiv 1703.01365) is divided into equal parts, with a gradient at the middle of
    each. While more than `TOLERANCE` of the change is missing from the sum, the parts in which the gradient changes
    most are divided into three; their middle point is used again.

    x : (n, n_planes, 256, 256).
    """
    parts = _parts(score, x, list(pairwise(np.linspace(0, 1, FIRST_POINTS + 1).tolist())))
    while True:
        missing = abs(sum(part.width * part.slope for part in parts) - change)
        if missing <= TOLERANCE * max(abs(change), 1.0) or len(parts) >= MAX_POINTS:
            break
        parts = _divided(score, x, parts)
    mean = torch.zeros_like(x, dtype=torch.float64)
    for part in parts:
        mean += part.width * part.gradient
    return mean * x


def _divided(score: Score, x: Tensor, parts: list[_PathPart]) -> list[_PathPart]:
    """The parts, with three in place of each of the `SPLIT` parts whose slope differs most from that of a neighbour."""
    steps = np.abs(np.diff([part.slope for part in parts]))
    uneven = np.maximum(np.append(steps[0], steps), np.append(steps, steps[-1]))
    worst = np.argsort(-uneven * [part.width for part in parts], kind="stable")[:SPLIT]
    inner, outer = [], []
    for part in (parts[i] for i in worst):
        low, high = part.low + part.width / 3, part.high - part.width / 3
        inner.append(replace(part, low=low, high=high))
        outer += [(part.low, low), (high, part.high)]
    others = [part for i, part in enumerate(parts) if i not in worst]
    return sorted([*others, *inner, *_parts(score, x, outer)], key=lambda part: part.low)


def _parts(score: Score, x: Tensor, spans: list[tuple[float, float]]) -> list[_PathPart]:
    """A part for each span, its gradient computed at the middle."""
    parts = []
    step = max(1, BATCH // len(x))
    for start in range(0, len(spans), step):
        some = spans[start : start + step]
        middles = torch.tensor([(low + high) / 2 for low, high in some], dtype=x.dtype, device=x.device)
        points = (middles.view(-1, 1, 1, 1, 1) * x).requires_grad_()  # (k, n, n_planes, 256, 256)
        (gradients,) = torch.autograd.grad(score(points).sum(), points)
        slopes = torch.einsum("knphw,nphw->k", gradients.double(), x.double())
        parts += [
            _PathPart(low, high, gradient, slope)
            for (low, high), gradient, slope in zip(some, gradients, slopes.tolist(), strict=True)
        ]
    return parts


def for_gradients(network: ActionNetwork) -> ActionNetwork:
    """A copy of a network in evaluation mode, with its weights, whose input has its gradient computed faster on a CPU.

    The copy shares the weights, so that it takes no memory, and the network itself is unchanged: another thread may
    answer with it. Results differ from those of the network by rounding.
    """
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    own = copy.deepcopy(network, shared).eval()
    if next(network.parameters()).device.type == "cpu":
        for module in list(own.modules()):
            for name, child in module.named_children():
                if isinstance(child, Convolution):
                    setattr(module, name, _InputConvolution(child.weight.detach()))
    return own


class _InputConvolution(nn.Module):
    """What `Convolution` computes: with channels last in memory, or as one matrix product where maps are small.

    oneDNN, which torch calls, reorders wide maps whose channels come first, and the weights, which are large where maps
    are small: half of its time (see `semg_hht.learning.cpu_convolution`).
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        matrix = self.weight.flatten(1)  # (n_out, n_in, 3, 3) -> (n_out, 9 n_in), a view
        if self.weight.shape[-1] == 1:
            return functional.linear(x.permute(0, 2, 3, 1), matrix).permute(0, 3, 1, 2)  # (n, h, w, c) inside
        if w > NARROW or h % 2 or w % 2:
            last = self.weight.contiguous(memory_format=torch.channels_last)  # small: few channels where maps are wide
            return functional.conv2d(x, last, stride=2, padding=1)
        patches = functional.unfold(x, 3, padding=1, stride=2).transpose(1, 2).flatten(0, 1)  # (n * h/2 * w/2, 9 n_in)
        return functional.linear(patches, matrix).view(n, h // 2, w // 2, -1).permute(0, 3, 1, 2)  # (n, n_out, ..)
