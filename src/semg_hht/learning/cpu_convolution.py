"""The encoder's convolutions as matrix products, which train faster on a CPU than torch's convolutions.

Each patch of the input becomes a row and the filters become a matrix. The convolution and its two gradients are matrix
products (im2col; Chellapilla et al. 2006, "High performance convolutional neural networks for document processing").
oneDNN, which torch calls, is slow on maps of 2x2 to 8x8 with thousands of channels, and reorders activations and
weights at every call. Here both keep the channels last in memory, so that nothing is reordered.

It works on tensors and does not know networks or training.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

COLUMNS_AT_ONCE = 2**24  # values of the patches that are in memory at once: 64 MiB
KEPT = 2**23  # values of a layer's patches that stay in memory until its gradient is computed: 32 MiB
FEW = 4  # channels, up to which a patch is copied row by row
# Along one axis, with stride 2 and padding 1: the inputs that element k of the filter reads, and their outputs.
REACHED = {
    0: (slice(1, -1, 2), slice(1, None)),
    1: (slice(0, None, 2), slice(None)),
    2: (slice(1, None, 2), slice(None)),
}


class Convolution(nn.Conv2d):
    """A convolution without bias: 3x3 with stride 2 and padding 1, or 1x1.

    as_products : use matrix products in training. On another device, on maps of odd size and in evaluation torch's
        convolution runs: its result for a matrix does not depend on the rest of the batch.
    precision : data type of the products; results are float32. ``torch.bfloat16`` is less precise.
    """

    as_products = False
    precision: torch.dtype | None = None  # None: as the weights

    def forward(self, x: Tensor) -> Tensor:
        fits = x.device.type == "cpu" and not (x.shape[2] % 2 or x.shape[3] % 2)
        if not (self.training and self.as_products and fits):
            return super().forward(x)
        precision = self.precision or self.weight.dtype
        if self.kernel_size == (3, 3):
            return _Products.apply(x, self.weight, precision)  # type: ignore[no-any-return, no-untyped-call]
        rows = x.permute(0, 2, 3, 1).to(precision)  # (n, c, h, w) -> (n, h, w, c)
        y = functional.linear(rows, _matrix(self.weight).to(precision))
        return y.to(self.weight.dtype).permute(0, 3, 1, 2)  # (n, h, w, c) -> (n, c, h, w)


class _Products(torch.autograd.Function):
    """3x3, stride 2, padding 1, even map: y = P W', dW = dy' P, dP = dy W, where each row of P is a patch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, precision: torch.dtype) -> Tensor:
        n, c, h, w = x.shape
        padded = x.new_empty(n, h + 1, w + 1, c, dtype=precision)  # no patch reaches the last row and column
        padded[:, 0], padded[:, :, 0] = 0, 0
        padded[:, 1:, 1:] = x.permute(0, 2, 3, 1)
        matrix = _matrix(weight).to(precision)
        y = padded.new_empty(n * h * w // 4, len(matrix))
        kept = None
        for part, rows in _parts(padded):
            patches = _patches(padded[part])
            torch.mm(patches, matrix.T, out=y[rows])
            if len(patches) == len(y) and patches.numel() <= KEPT:
                kept = patches
        ctx.save_for_backward(padded, matrix, kept)
        return y.to(weight.dtype).view(n, h // 2, w // 2, -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        padded, matrix, kept = ctx.saved_tensors
        n, h, w, c = padded.shape[0], padded.shape[1] - 1, padded.shape[2] - 1, padded.shape[3]
        rows_of_dy = dy.permute(0, 2, 3, 1).reshape(-1, len(matrix)).to(padded.dtype)
        wants_dx, wants_dw, _ = ctx.needs_input_grad
        dx = padded.new_empty(n, h, w, c) if wants_dx else None
        dw = None
        for part, rows in _parts(padded):
            if wants_dw:
                patches, own = _patches(padded[part]) if kept is None else kept, rows_of_dy[rows]
                dw = torch.mm(own.T, patches) if dw is None else dw.addmm_(own.T, patches)
            if dx is not None:
                _spread(torch.mm(rows_of_dy[rows], matrix), dx[part])
        return (
            None if dx is None else dx.to(dy.dtype).permute(0, 3, 1, 2),
            None if dw is None else dw.to(dy.dtype).view(-1, 3, 3, c).permute(0, 3, 1, 2),
            None,
        )


def _matrix(weight: Tensor) -> Tensor:
    """(n_out, n_in, h, w) -> (n_out, h w n_in); a view if the channels are last in memory."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _parts(padded: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of examples that are processed together, and of the rows of their patches."""
    n, h, w, c = padded.shape
    n_rows = (h // 2) * (w // 2)
    step = max(1, COLUMNS_AT_ONCE // (n_rows * 9 * c))
    for start in range(0, n, step):
        stop = min(n, start + step)
        yield slice(start, stop), slice(start * n_rows, stop * n_rows)


def _patches(padded: Tensor) -> Tensor:
    """(n, h + 1, w + 1, c) -> (n * h/2 * w/2, 9 c): every second patch of 3x3, its three rows one after the other."""
    n, h, w, c = padded.shape
    of_n, of_h, of_w, _ = padded.stride()
    size, strides = (n, h // 2, w // 2, 3, 3 * c), (of_n, 2 * of_h, 2 * of_w, of_h, 1)
    patches = padded.as_strided(size, strides, padded.storage_offset())
    if c > FEW:
        return patches.reshape(-1, 9 * c)
    # torch copies 3 c values at a time: its loop over fewer takes twice the time of three loops over single rows.
    copied = padded.new_empty(size)
    for row in range(3):
        copied[:, :, :, row] = patches[:, :, :, row]
    return copied.view(-1, 9 * c)  # (n, h/2, w/2, 3, 3 c) -> (n * h/2 * w/2, 9 c)


def _spread(patches: Tensor, x: Tensor) -> None:
    """Sum patches (n * h/2 * w/2, 9 c) at the positions in ``x`` (n, h, w, c) that they were taken from."""
    n, h, w, c = x.shape
    placed = patches.view(n, h // 2, w // 2, 3, 3, c)
    # The elements with i and j in (1, 2) reach every input exactly once, so they assign and need no zeros in ``x``.
    for i in (1, 2, 0):
        for j in (1, 2, 0):
            (to_h, from_h), (to_w, from_w) = REACHED[i], REACHED[j]
            if i and j:
                x[:, to_h, to_w] = placed[:, from_h, from_w, i, j]
            else:
                x[:, to_h, to_w] += placed[:, from_h, from_w, i, j]


def choose_convolutions(network: nn.Module, *, as_products: bool, precision: torch.dtype | None = None) -> None:
    """Set how all convolutions of ``network`` are computed in training."""
    if as_products:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, Convolution):
            module.as_products, module.precision = as_products, precision


def weights_in_memory_order(network: nn.Module) -> list[nn.Parameter]:
    """The weights of ``network`` for an optimizer: views of the same memory whose indices follow the memory order.

    torch's fused AdamW reads a weight in memory order but its gradient in index order. With the channels last in memory
    it would pair the wrong elements (observed with torch 2.13).
    """
    return [w if w.is_contiguous() else nn.Parameter(_last(w.detach())) for w in network.parameters()]


def take_gradients(weights: list[nn.Parameter], network: nn.Module) -> None:
    """Move the gradients of ``network`` to its `weights_in_memory_order`."""
    for weight, own in zip(weights, network.parameters(), strict=True):
        if weight is not own:
            weight.grad = None if own.grad is None else _last(own.grad)
            own.grad = None


def clip_gradients(weights: list[nn.Parameter], max_norm: float) -> None:
    """As ``torch.nn.utils.clip_grad_norm_``, in a third of its time on a CPU; gradients in memory order."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norm = torch.stack([torch.dot(g.view(-1), g.view(-1)) for g in gradients]).sum().sqrt()
    scale = max_norm / (norm + 1e-6)
    if scale.device.type != "cpu":
        torch._foreach_mul_(gradients, scale.clamp(max=1))  # a comparison would wait for the GPU
    elif scale < 1:
        torch._foreach_mul_(gradients, scale)


def _last(weight: Tensor) -> Tensor:
    """(n_out, n_in, h, w) -> (n_out, h, w, n_in)."""
    return weight.permute(0, 2, 3, 1)
