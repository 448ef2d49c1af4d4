"""Training and answers of the full network on a GPU: speed, share of the peak, loading, resuming, exactness.

    python benchmarks/gpu.py --out gpu.json                 # on a machine with a GPU; under eight minutes on an H200
    python benchmarks/gpu.py --out gpu.json --dry_run       # the same code on a CPU: a small network, a few steps

Each part prints its lines when it ends and then writes all figures so far to --out, so that a run that is killed leaves
what it measured. A part that would begin after --seconds is left out. Parts: "exactness" compares answers of one run on
the CPU and on the GPU; "resume" starts a run on the CPU and continues it on both; "whole" is a run in bfloat16; "steps"
counts the matrices that are trained on in a second; "loading" compares the rate at which a pack supplies them;
"compiled" is "steps" with torch.compile. Matrices are random: times do not depend on what a network has learned.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import measurement  # noqa: F401 - the path of this project
import numpy as np
import torch
from torch.nn import functional

from semg_hht.inference.description import NetworkConfig
from semg_hht.learning.cpu_convolution import (
    choose_convolutions,
    clip_gradients,
    take_gradients,
    weights_in_memory_order,
)
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.matrix_store import PackedMatrices, read_parts
from semg_hht.learning.network import ActionNetwork
from semg_hht.recordings.manifest import ManifestRow

# Dense peaks in TFLOP/s, by the data sheets of NVIDIA: "A100 Tensor Core GPU" (80 GB SXM), "H100 Tensor Core GPU" (SXM)
# and "H200 Tensor Core GPU" (SXM); the sheets of the H100 and H200 state twice as much, with sparsity.
PEAKS = {
    "A100": {"float32": 19.5, "tf32": 156.0, "bfloat16": 312.0},
    "H100": {"float32": 67.0, "tf32": 494.5, "bfloat16": 989.5},
    "H200": {"float32": 67.0, "tf32": 494.5, "bfloat16": 989.5},
}
PRECISIONS = ("float32", "tf32", "bfloat16")
TOLERANCE = 1e-4  # of probabilities, and of weights after a resumed epoch
SIZE = 256


@dataclass(frozen=True)
class Scale:
    """How large the network and the measurements are."""

    channels: int
    batches: tuple[int, ...]
    seconds: float  # of each measurement of a rate
    n_packed: int
    n_repetitions: int  # of each class and person of the run that is resumed


FULL = Scale(64, (16, 64, 256), 2.0, 2048, 2)
DRY = Scale(4, (4,), 0.05, 16, 1)


@dataclass
class Session:
    """One run of this script: where it computes and what it has found."""

    device: str
    scale: Scale
    peaks: dict[str, float]
    out: Path
    folder: Path
    compiles: bool
    found: dict[str, Any] = field(default_factory=dict)

    def note(self, part: str, line: str, **figures: Any) -> None:
        print(f"{part:10} {line}", flush=True)
        self.found.setdefault(part, []).append(figures)

    def write(self) -> None:
        self.out.write_text(json.dumps(self.found, indent=2) + "\n", encoding="utf-8")

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


@contextmanager
def computing(precision: str) -> Iterator[None]:
    """TF32 allowed for "tf32" and "bfloat16" alone."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def flop_per_matrix(channels: int) -> float:
    """Floating-point operations to train on a matrix: two per multiplication, for the outputs and both gradients."""
    network, n = ActionNetwork(NetworkConfig(3, base_channels=channels)).eval(), [0]

    def count(module: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        outputs = output.numel() if output.ndim == 2 else output.shape[1] * output.shape[2] * output.shape[3]
        n[0] += outputs * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 1, SIZE, SIZE))
    return 6.0 * n[0]


def step_of(session: Session, precision: str, *, compiled: bool = False) -> Callable[[torch.Tensor], None]:
    """A step of training as `semg_hht.learning.epochs` makes it."""
    torch.manual_seed(0)
    network = ActionNetwork(NetworkConfig(3, base_channels=session.scale.channels)).train()
    as_bfloat16 = torch.bfloat16 if precision == "bfloat16" else None
    choose_convolutions(network, as_products=True, precision=as_bfloat16)
    network.to(session.device)
    weights = weights_in_memory_order(network)
    optimizer = torch.optim.AdamW(weights, lr=1e-4, weight_decay=1e-4, fused=True)
    encoder = torch.compile(network.encoder) if compiled else network.encoder
    on_gpu = session.device == "cuda"

    def step(x: torch.Tensor) -> None:
        y = torch.arange(len(x), device=x.device) % 3
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16) if on_gpu and as_bfloat16 else nullcontext():
            logits = network.head(encoder(x))
        loss: Any = functional.cross_entropy(logits.float(), y, label_smoothing=0.1)
        loss.backward()
        take_gradients(weights, network)
        clip_gradients(weights, 1.0)
        optimizer.step()
        loss.item()

    return step


def rate_of(session: Session, work: Callable[[], int]) -> float:
    """Matrices a second, after a few calls that are not counted."""
    for _ in range(3):
        work()
    session.wait()
    started, n = time.perf_counter(), 0
    while time.perf_counter() - started < session.scale.seconds:
        n += work()
    session.wait()
    return n / (time.perf_counter() - started)


def measured_steps(session: Session, part: str, precisions: tuple[str, ...], *, compiled: bool) -> None:
    flop = flop_per_matrix(session.scale.channels)
    for precision in precisions:
        for batch in session.scale.batches:
            with computing(precision):
                x = torch.rand(batch, 1, SIZE, SIZE, device=session.device)
                step = step_of(session, precision, compiled=compiled)

                def work(x: torch.Tensor = x, step: Callable[[torch.Tensor], None] = step) -> int:
                    step(x)
                    return len(x)

                rate = rate_of(session, work)
            share = rate * flop / (session.peaks[precision] * 1e12) if session.peaks else None
            of_peak = f", {share:.1%} of {session.peaks[precision]:g} TFLOP/s" if share is not None else ""
            session.note(part, f"{precision}, batch {batch}: {rate:,.0f} matrices a second{of_peak}",
                         precision=precision, batch=batch, matrices_per_s=rate, share_of_peak=share)  # fmt: skip


def steps(session: Session) -> None:
    measured_steps(session, "steps", PRECISIONS, compiled=False)


def compiled(session: Session) -> None:
    if not session.compiles:
        session.note("compiled", "left out: torch.compile needs a GPU, or --compile", skipped=True)
        return
    measured_steps(session, "compiled", ("tf32", "bfloat16"), compiled=True)


def loading(session: Session) -> None:
    """The rate of a pack alone, of steps on data that is there, and of steps on the pack."""
    n, batch = session.scale.n_packed, session.scale.batches[-1]
    rng, path = np.random.default_rng(0), session.folder / "matrices.f32"
    with path.open("wb") as handle:
        for _ in range(n):
            rng.random(SIZE * SIZE, dtype=np.float32).tofile(handle)
    pack = PackedMatrices(path, 1, np.arange(n), np.zeros((n, 32), np.uint8), np.ones(n, np.float32))
    step = step_of(session, "bfloat16")
    fixed = torch.rand(batch, 1, SIZE, SIZE, device=session.device)

    def parts() -> Iterator[torch.Tensor]:
        while True:
            order = rng.permutation(n)
            for part in read_parts(pack, [order[i : i + batch] for i in range(0, n - batch + 1, batch)]):
                yield torch.from_numpy(part).to(session.device, non_blocking=True)

    def one(supply: Iterator[torch.Tensor], use: Callable[[torch.Tensor], None]) -> int:
        x = next(supply)
        use(x)
        return len(x)

    def here() -> Iterator[torch.Tensor]:
        while True:
            yield fixed

    rates: dict[str, tuple[Any, Any]] = {
        "pack alone": (parts(), lambda _: None), "steps alone": (here(), step), "steps on the pack": (parts(), step),
    }  # fmt: skip
    found = {}
    with computing("bfloat16"):
        for name, (supply, use) in rates.items():
            found[name] = rate_of(session, partial(one, supply, use))
            supply.close()
    share = found["steps on the pack"] / found["steps alone"]
    listed = ", ".join(f"{name} {rate:,.0f}" for name, rate in found.items())
    session.note("loading", f"bfloat16, batch {batch}, matrices a second: {listed}; fed to {share:.0%}",
                 **found, fed=share, batch=batch)  # fmt: skip


def examples(n_repetitions: int) -> Dataset:
    """Random matrices of six people, whose bright band depends on the class."""
    rng, rows, values = np.random.default_rng(0), [], []
    for who in range(6):
        for number, movement in enumerate(("full", "half", "invalid")):
            for i in range(n_repetitions):
                rows.append(
                    ManifestRow(f"p{who}_{movement}_{i}.npz", f"P{who}", movement=movement, gender="FM"[who % 2])
                )
                matrix = rng.random((1, SIZE, SIZE), dtype=np.float32)
                matrix[:, 60 * number : 60 * number + 50] += 2
                values.append(matrix)
    return Dataset(np.stack(values), tuple(rows), tuple(row.file for row in rows), None)


def trained(
    session: Session, folder: Path, epochs: int, *, on_gpu: bool, resume: bool = False, precision: str = "float32"
) -> float:
    """Train; the seconds that it takes. With float32 all its digits are used."""
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    config = TrainingConfig(epochs=epochs, batch_size=8, learning_rate=1e-4, warmup_epochs=0, precision=precision)
    size, options = NetworkSize(base_channels=session.scale.channels), RunOptions(resume=resume, cpu=not on_gpu)
    started = time.perf_counter()
    with computing(precision):
        train(examples(session.scale.n_repetitions), folder, config, size, options)
    return time.perf_counter() - started


def resume(session: Session) -> None:
    """One epoch on the CPU, then a second one there and on the GPU."""
    from safetensors.torch import load_file

    first, here, there = (session.folder / name for name in ("started", "on_cpu", "on_gpu"))
    if not first.exists():
        trained(session, first, 1, on_gpu=False)
    seconds = {}
    for folder, on_gpu in ((here, False), (there, True)):
        shutil.copytree(first, folder)
        seconds[on_gpu] = trained(session, folder, 2, on_gpu=on_gpu, resume=True)
    before, one, two = (load_file(f / "final" / "network.safetensors") for f in (first, here, there))
    weights = [name for name in one if name.rsplit(".", 1)[1] in ("weight", "bias")]
    difference = max(float((one[name] - two[name]).abs().max()) for name in weights)
    apart = sum(float((one[name] - two[name]).double().square().sum()) for name in weights) ** 0.5
    moved = sum(float((one[name] - before[name]).double().square().sum()) for name in weights) ** 0.5
    session.note("resume", f"weights differ by {difference:.1e} at most ({verdict(difference)}), in all by "
                 f"{apart / moved:.1e} of what the epoch changed; {seconds[False]:.1f} s on the CPU, "
                 f"{seconds[True]:.1f} s on the GPU", difference=difference, share_of_change=apart / moved,
                 equal=difference <= TOLERANCE, cpu_s=seconds[False], gpu_s=seconds[True])  # fmt: skip


def whole(session: Session) -> None:
    """A whole run of two epochs in bfloat16, with its SVM and its scores."""
    seconds = trained(session, session.folder / "bfloat16", 2, on_gpu=True, precision="bfloat16")
    history = (session.folder / "bfloat16" / "history.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train_loss"] for line in history]
    session.note("whole", f"bfloat16, {len(losses)} epochs: {seconds:.1f} s, loss {losses[0]:.3f} to {losses[-1]:.3f}",
                 seconds=seconds, losses=losses)  # fmt: skip


def exactness(session: Session) -> None:
    """Answers of one run on both."""
    from semg_hht.learning.checkpoint import load_model

    first = session.folder / "started"
    if not first.exists():
        trained(session, first, 1, on_gpu=False)
    matrices, model = examples(4).matrices, load_model(first / "best")
    one = model.probabilities(matrices)
    model.network.to(session.device)
    two = model.probabilities(matrices)
    for task in one:
        difference = float(np.abs(one[task] - two[task]).max())
        spread = float(np.ptp(one[task]))
        session.note("exactness", f"{task}: probabilities of {len(matrices)} matrices, which span {spread:.2f}, differ "
                     f"by {difference:.1e} at most ({verdict(difference)})",
                     task=task, difference=difference, spread=spread, equal=difference <= TOLERANCE)  # fmt: skip


def verdict(difference: float) -> str:
    return f"{'at most' if difference <= TOLERANCE else 'MORE THAN'} {TOLERANCE:g}"


PARTS = {part.__name__: part for part in (exactness, resume, whole, steps, loading, compiled)}


def peaks_of(name: str, stated: list[str]) -> dict[str, float]:
    """Peaks of a GPU by its name, replaced by those that are stated as precision=TFLOP/s."""
    known = next((peaks for model, peaks in PEAKS.items() if model in name), {})
    return {**known, **{key: float(value) for key, value in (text.split("=") for text in stated)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--dry_run", action="store_true", help="on the CPU, with 4 channels and a few steps")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile in a dry run too")
    parser.add_argument("--seconds", type=float, default=360, help="no part begins later")
    parser.add_argument("--peak", nargs="+", default=[], metavar="PRECISION=TFLOPS", help="instead of the data sheet's")
    given = parser.parse_args()
    if not given.dry_run and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here; --dry_run runs the same code on the CPU")
    device = "cpu" if given.dry_run else "cuda"
    name = "CPU" if given.dry_run else torch.cuda.get_device_name()
    scale = DRY if given.dry_run else FULL
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(device, scale, peaks_of(name, given.peak), given.out, Path(folder),
                          compiles=given.compile or not given.dry_run)  # fmt: skip
        if missing := [precision for precision in PRECISIONS if session.peaks and precision not in session.peaks]:
            raise SystemExit(f"--peak: expected float32, tf32 and bfloat16; {', '.join(missing)} is missing")
        session.note("device", f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads", name=name,
                     torch=torch.__version__, python=platform.python_version(), channels=scale.channels)  # fmt: skip
        for part in given.only:
            if time.perf_counter() - started > given.seconds:
                session.note(part, f"left out: {given.seconds:g} s are over", skipped=True)
                continue
            try:
                PARTS[part](session)
            except Exception as error:  # the other parts are measured all the same
                session.note(part, f"FAILED: {type(error).__name__}: {error}", failed=str(error))
            session.write()
        session.note("end", f"{time.perf_counter() - started:.0f} s", seconds=time.perf_counter() - started)
        session.write()


if __name__ == "__main__":
    main()
