"""Whether to compute on a GPU, and whether it can compute.

It knows torch. It does not know networks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from semg_hht.errors import InputError


def use_gpu(*, cpu: bool) -> bool:
    """Whether to compute on a GPU: there is one, and ``cpu`` is not asked for.

    torch reports a GPU that is older than its compiled operations (a P100, say) as available; only the first operation
    fails.

    Raises
    ------
    InputError
        The GPU is there, but an operation on it fails.
    """
    if cpu or not torch.cuda.is_available():
        return False
    own = int(os.environ.get("LOCAL_RANK", "0"))  # of the processes that torchrun starts, each has its own GPU
    own = own if own < torch.cuda.device_count() else 0  # other schedulers set the variable too
    try:
        torch.ones(2, device=f"cuda:{own}").square().sum().item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"the GPU is there, but its first operation failed; {reason}. cpu=True computes without it. Otherwise use "
            f"a GPU that torch {torch.__version__} supports (on Kaggle T4, not P100)"
        ) from error
    return True


@contextmanager
def exact_float32() -> Iterator[None]:
    """Compute with all digits of float32 on a GPU, as a CPU does.

    torch lets convolutions on a GPU round their inputs to TF32, with 10 bits instead of 23: answers would differ from
    those of a CPU in the third digit. Training keeps what torch is set to.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products
