"""Several processes train one network as a single process does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import MPIEnvironment
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file
from torch import distributed, nn
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn import functional

from builders import make_dataset, write_dataset
from fault_injection import ended, forked
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.learning.data_parallel import (
    Batch,
    BatchNorm,
    Dropout,
    Share,
    make_fabric,
    share_batch,
    stop_other_processes,
)
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.network import ActionNetwork, NetworkConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train

WORDS = ["--batch_size", "8", "--learning_rate", "1e-3", "--base_channels", "2", "--recipe", "plain", "--cpu", "--json"]


@pytest.fixture
def alone() -> Iterator[None]:
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_shares_cover_a_batch_once() -> None:
    for n_rows in (3, 8, 17):
        for n in (1, 2, 3):
            rows = [np.arange(n_rows)[Share(rank, n).rows(n_rows)] for rank in range(n)]
            assert np.concatenate(rows).tolist() == list(range(n_rows))
            assert min(map(len, rows)) >= 1
    assert Share().leads and not Share(1, 2).leads


@pytest.mark.usefixtures("alone")
def test_shared_batch_norm_equals_batch_norm_and_its_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    x, dy = (torch.randn(4, 3, 5, 6, dtype=torch.float64, generator=generator) for _ in range(2))
    found = {}
    for norm in (nn.BatchNorm2d(3).double(), BatchNorm(3).double()):
        nn.init.uniform_(norm.weight, 0.5, 2, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(norm.bias, generator=torch.Generator().manual_seed(2))
        share_batch(norm, Batch(slice(0, 4), 4))
        own = x.clone().requires_grad_()
        y = norm(own)
        found[type(norm)] = [y, *torch.autograd.grad(y, (own, norm.weight, norm.bias), dy)]
    for ours, theirs in zip(*found.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_dropout_masks_are_those_of_one_process() -> None:
    x, layer = torch.rand(6, 100) + 1, Dropout(0.5)
    torch.manual_seed(3)
    whole = layer(x)
    torch.manual_seed(3)
    share_batch(layer, Batch(slice(2, 5), 6))
    assert torch.equal(layer(x[2:5]), whole[2:5])
    torch.manual_seed(3)
    assert torch.equal(whole, functional.dropout(x, 0.5))


def test_evaluation_mode_does_not_use_the_shared_batch() -> None:
    network, x = ActionNetwork(NetworkConfig(3, base_channels=2)).eval(), torch.rand(2, 1, 256, 256)
    before = network(x)
    share_batch(network, Batch(slice(0, 2), 4))
    assert torch.equal(network(x), before)


def test_a_batch_smaller_than_the_processes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fabric, "world_size", property(lambda self: 9))
    with pytest.raises(InputError, match="a batch of 2 is too small for 9 processes; set batch_size="):
        train(
            make_dataset(),
            tmp_path / "run",
            TrainingConfig(epochs=1, batch_size=8),
            NetworkSize(base_channels=2),
            RunOptions(cpu=True),
        )


def test_only_the_first_process_continues_after_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)
    stop_other_processes(Share(0, 2))
    with pytest.raises(SystemExit, match="0"):
        stop_other_processes(Share(1, 2))


SLURM = "SLURM_JOB_ID=7 SLURM_JOB_NAME=train SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NNODES=1"


@pytest.mark.parametrize(
    "variables",
    [
        SLURM,
        SLURM.replace("PROCID=0", "PROCID=3"),
        "LSB_JOBID=7 LSB_DJOB_RANKFILE=missing JSM_NAMESPACE_LOCAL_RANK=0 JSM_NAMESPACE_SIZE=4 JSM_NAMESPACE_RANK=0",
        "OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_LOCAL_RANK=1 PMI_SIZE=4 PMI_RANK=1",
        "RANK=1 WORLD_SIZE=4 MASTER_ADDR=train-master-0 MASTER_PORT=23456 KUBERNETES_PORT=tcp://10.0.0.1:443",
        "TORCHELASTIC_RUN_ID=7",
    ],
    ids=["SLURM", "SLURM, fourth task", "LSF", "MPI", "Kubeflow", "part of what torchrun sets"],
)
def test_without_torchrun_one_process_trains_whatever_the_scheduler_sets(
    variables: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in variables.split():
        monkeypatch.setenv(*variable.split("=", 1))
    monkeypatch.setattr(MPIEnvironment, "detect", lambda: "OMPI_COMM_WORLD_SIZE" in os.environ)  # as with mpi4py
    fabric = make_fabric(cpu=True, half=False)
    assert (fabric.world_size, fabric.global_rank, fabric.local_rank) == (1, 0, 0)
    train(
        make_dataset(),
        tmp_path / "run",
        TrainingConfig(epochs=1, batch_size=8),
        NetworkSize(base_channels=2),
        RunOptions(cpu=True),
    )
    assert (tmp_path / "run" / "history.jsonl").read_text().count("\n") == 1


def in_one_process(words: list[str], place: Path) -> str:
    done = ended(forked(partial(main, words), place / "log"), place / "log")
    assert done.code == 0, done.said
    return done.said


def run_command(words: list[str]) -> None:
    try:
        main(words)
    except SystemExit as done:
        if done.code:
            raise


def by_torchrun(words: list[str], place: Path) -> str:
    """As by ``torchrun --standalone --nproc_per_node 2 -m semg_hht``, but its processes are forked."""

    def launch() -> None:
        config = LaunchConfig(1, 1, 2, run_id="test", rdzv_backend="c10d", rdzv_endpoint="localhost:0")
        config.start_method = "fork"
        elastic_launch(config, run_command)(words)

    done = ended(forked(launch, place / "log"), place / "log")
    assert done.code == 0, done.said
    return done.said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun")
def test_two_processes_train_the_same_network_as_one(tmp_path: Path) -> None:
    data = write_dataset(make_dataset(), tmp_path / "data")

    def run(how: Callable[[list[str], Path], str], folder: str, *more: str) -> dict[str, np.ndarray]:
        words = ["train", "--data_dir", str(data), *WORDS, "--checkpoint_dir", str(tmp_path / folder), *more]
        said = how(words, tmp_path)
        assert "Grad strides do not match" not in said
        assert said.count("best_epoch") == 1  # only the first process prints
        return load_file(tmp_path / folder / "final" / "network.safetensors")

    one, two = run(in_one_process, "one", "--epochs", "1"), run(by_torchrun, "two", "--epochs", "1")
    for name, weight in one.items():  # the first steps of Adam amplify rounding errors of tiny gradients
        assert_allclose(two[name], weight, rtol=0, atol=5e-3 * max(1.0, float(np.abs(weight).max())))
        assert np.linalg.norm(two[name] - weight) <= 1e-2 * np.linalg.norm(weight) + 1e-6
    longer = run(in_one_process, "two", "--epochs", "2", "--resume")
    other = run(by_torchrun, "one", "--epochs", "2", "--resume")
    assert (tmp_path / "two" / "history.jsonl").read_text().count("\n") == 2
    for name, weight in longer.items():
        assert np.linalg.norm(other[name] - weight) <= 2e-2 * np.linalg.norm(weight) + 1e-6


def test_another_device_gets_the_mask_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that continues on a GPU draws the random numbers of a CPU; "meta" stands for the GPU here."""
    layer, x = Dropout(0.5).train(), torch.rand(6, 100)
    torch.manual_seed(3)
    expected = layer(x)
    moved: list[torch.Tensor] = []
    to = torch.Tensor.to

    def spy(mask: torch.Tensor, *target: Any, **how: Any) -> torch.Tensor:
        moved.append(mask)
        return to(mask, *target, **how)

    monkeypatch.setattr(torch.Tensor, "to", spy)
    torch.manual_seed(3)
    assert layer(x.to("meta")).device.type == "meta"
    assert_array_equal((x * moved[-1]).numpy(), expected.numpy())
    assert_array_equal(layer.eval()(x).numpy(), x.numpy())
