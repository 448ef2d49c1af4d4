"""Data-parallel training: the processes that torchrun starts train one network together.

Each process computes its share of every batch. Batch norm, dropout and the loss use the whole batch, so that the result
is that of a single process, except for rounding.

It works on tensors and does not know datasets or files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from semg_hht.learning.device import use_gpu

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# torchrun sets all of them. A scheduler sets some: the operator of Kubeflow sets RANK and WORLD_SIZE, for example.
TORCHRUN_VARIABLES = ("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Share:
    """Number of this process (``rank``) among ``n``. The first writes all files; the others only compute."""

    rank: int = 0
    n: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def rows(self, n_rows: int) -> slice:
        """The rows of a batch that this process computes."""
        return slice(self.rank * n_rows // self.n, (self.rank + 1) * n_rows // self.n)


@dataclass(frozen=True)
class Batch:
    """A batch of ``n_rows``, and the rows of it that this process computes."""

    rows: slice
    n_rows: int


class BatchNorm(nn.BatchNorm2d):
    """Batch norm over the whole batch of all processes. torch's ``SyncBatchNorm`` needs GPUs."""

    batch: Batch | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.batch is None or not self.training:
            return super().forward(x)
        # Running statistics are not updated here: `recalibrate_batch_norm` computes them at the end of the epoch.
        n = self.batch.n_rows * x.shape[2] * x.shape[3]
        mean = _summed(x.sum(dim=(0, 2, 3))) / n
        centred = x - mean[:, None, None]
        variance = _summed(centred.square().sum(dim=(0, 2, 3))) / n
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]


class Dropout(nn.Dropout):
    """Dropout with the mask that a single process would draw for the whole batch on a CPU.

    Every process draws the mask of the whole batch from the same random numbers and uses its own rows. A GPU gets the
    mask of the CPU: with random numbers of its own a run that is resumed there would go another way.
    """

    batch: Batch | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or (self.batch is None and x.device.type == "cpu"):
            return super().forward(x)
        own = Batch(slice(None), len(x)) if self.batch is None else self.batch
        mask = functional.dropout(torch.ones(own.n_rows, *x.shape[1:]), self.p)[own.rows]
        return x * mask.to(x)


class _Summed(torch.autograd.Function):
    """Sum a tensor over all processes; the gradient is summed over all processes too."""

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
    """Set the share of a batch for the next steps of ``network``; None: every process computes whole batches."""
    for module in network.modules():
        if isinstance(module, (BatchNorm, Dropout)):
            module.batch = batch


def stop_other_processes(share: Share) -> None:
    """End the process group. The first process continues alone; in the others this raises SystemExit."""
    if share.n > 1:
        distributed.destroy_process_group()
    if not share.leads:
        raise SystemExit(0)


def make_fabric(*, cpu: bool, half: bool) -> Fabric:
    """A Fabric for this process, or for the processes that torchrun started, on CPUs or GPUs.

    Without torchrun this process trains alone, whatever the variables of a scheduler (SLURM, LSF, MPI, Kubeflow) say.

    half : compute in bfloat16 on GPUs. On a CPU `cpu_convolution` sets the precision of the convolutions instead.
    """
    from lightning_fabric import Fabric  # imported here, because predictions don't need it
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    on_gpu = use_gpu(cpu=cpu)
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed" if half and on_gpu else "32-true"
    accelerator = "gpu" if on_gpu else "cpu"
    if not all(name in os.environ for name in TORCHRUN_VARIABLES):
        return Fabric(accelerator=accelerator, devices=1, precision=precision, plugins=LightningEnvironment())
    n_here = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=accelerator,
        devices=n_here,
        num_nodes=int(os.environ["WORLD_SIZE"]) // n_here,
        strategy="ddp",
        precision=precision,
        plugins=TorchElasticEnvironment(),
    )
    fabric.launch()
    return fabric
