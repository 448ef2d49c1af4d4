"""learning/device.py: a GPU that is there and can't compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from semg_hht.errors import InputError
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.data_parallel import make_fabric
from semg_hht.learning.device import exact_float32, use_gpu
from semg_hht.learning.train import Result
from semg_hht.prediction.run import open_run


@pytest.fixture
def old_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch as it behaves with a GPU that it has no kernels for."""

    on_cpu = torch.ones

    def ones(*size: Any, device: str | None = None, **settings: Any) -> torch.Tensor:
        if str(device).startswith("cuda"):
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel ...")
        return on_cpu(*size, **settings)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)


def test_a_gpu_that_fails_is_an_error_that_names_the_way_out(old_gpu: None, tiny_result: Result) -> None:
    for use in (
        lambda: use_gpu(cpu=False),
        lambda: make_fabric(cpu=False, half=False),
        lambda: open_run(tiny_result.folder),
    ):
        with pytest.raises(InputError, match=r"operation failed; CUDA error: no kernel image .*\. cpu=True computes"):
            use()


def test_without_a_gpu_or_with_cpu_none_is_touched(old_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not use_gpu(cpu=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not use_gpu(cpu=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_computes_is_used() -> None:
    assert use_gpu(cpu=False)


def test_answers_are_computed_without_tf32(tiny_result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    model = load_model(tiny_result.folder / "best")
    model.network.encoder.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    model.features_and_logits(np.zeros((1, 1, 256, 256), np.float32))
    assert seen == [False]
    with exact_float32():
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32
