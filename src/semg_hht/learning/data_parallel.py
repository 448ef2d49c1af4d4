"""Several processes that train one network as one process would with all their examples; torchrun starts them.

Each takes its share of every batch. Batch norm, dropout and the loss are those of the whole batch, so that the result
depends on the number of processes by rounding alone.

Knows tensors and processes: nothing of what is learnt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Share:
    """Which of ``n`` processes this is; the first leads: it writes, the others only compute."""

    rank: int = 0
    n: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def rows(self, n_rows: int) -> slice:
        """Its own rows of a batch."""
        return slice(self.rank * n_rows // self.n, (self.rank + 1) * n_rows // self.n)


@dataclass(frozen=True)
class Batch:
    """Its own rows of a batch of ``n_rows``."""

    rows: slice
    n_rows: int


class BatchNorm(nn.BatchNorm2d):
    """Batch norm over the whole batch of all processes. torch's own way of doing so wants GPUs."""

    batch: Batch | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.batch is None or not self.training:
            return super().forward(x)
        # No running statistics: they are computed anew when the epoch is over.
        n = self.batch.n_rows * x.shape[2] * x.shape[3]
        mean = _summed(x.sum(dim=(0, 2, 3))) / n
        centred = x - mean[:, None, None]
        variance = _summed(centred.square().sum(dim=(0, 2, 3))) / n
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]


class Dropout(nn.Dropout):
    """Dropout that drops of each row what one process with the whole batch would drop."""

    batch: Batch | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.batch is None or not self.training:
            return super().forward(x)
        return x * functional.dropout(x.new_ones(self.batch.n_rows, *x.shape[1:]), self.p)[self.batch.rows]


class _Summed(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        dy = dy.contiguous().clone()
        distributed.all_reduce(dy)
        return dy


def _summed(x: Tensor) -> Tensor:
    return _Summed.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def share_batch(network: nn.Module, batch: Batch | None) -> None:
    """The next steps of ``network`` are on this share of a batch; None: every process is on its own."""
    for module in network.modules():
        if isinstance(module, (BatchNorm, Dropout)):
            module.batch = batch


def stop_other_processes(share: Share) -> None:
    """End the work in common: what follows is the first process's alone, and the others exit."""
    if share.n > 1:
        distributed.destroy_process_group()
    if not share.leads:
        raise SystemExit(0)


def make_fabric(*, cpu: bool, half: bool) -> Fabric:
    """One process, or those that torchrun started, on processors or GPUs.

    half : bfloat16 on GPUs; on a processor the convolutions themselves see to it.
    """
    from lightning_fabric import Fabric  # here, so that a prediction does not load it

    on_gpu = torch.cuda.is_available() and not cpu
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed" if half and on_gpu else "32-true"
    accelerator = "gpu" if on_gpu else "cpu"
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Fabric(accelerator=accelerator, devices=1, precision=precision)
    n_here = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=accelerator,
        devices=n_here,
        num_nodes=int(os.environ["WORLD_SIZE"]) // n_here,
        strategy="ddp",
        precision=precision,
    )
    fabric.launch()
    return fabric
