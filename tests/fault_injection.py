"""Run every command that writes, in this process or a forked one; inject faults; inspect the files that remain.

Shared by tests/faults/ and benchmarks/faults.py. A process of its own is a fork of one that has torch in memory, so
that most of its life is work. POSIX only.
"""

from __future__ import annotations

import atexit
import ctypes
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

LEFTOVER = re.compile(r"\.(.*\.(part|old)|in_use)")
NETWORK = "--epochs 2 --batch_size 8 --base_channels 2 --num_encoder_layers 3 --cpu"
ON_MATRICES = f"--data_dir {{matrices}} {NETWORK}"
# Short commands; the text after "|" is added when a command is started again.
VERBS = {
    "simulate": "simulate --out {disk}/recordings --n_subjects 3 --n_repetitions 1 --rate_hz 500 | --overwrite",
    "sample data": "sample_data --output_dir {disk}/data --n_samples 3 --n_test 1 | --overwrite",
    "segment": "segment {folder} --out {disk}/reps.csv --pictures --jobs 1",
    "features": "features {recordings} --out {disk}/features.csv --jobs 1",
    "prepare": "prepare {recordings} --out {disk}/prepared --band 20 200 --images --jobs 1",
    "prepare --bids": "prepare {recordings} --out {disk}/prepared --band 20 200 --bids --jobs 1 | --overwrite",
    "train": f"train {ON_MATRICES} --checkpoint_dir {{disk}}/run | --resume",
    "train --pack": f"train {ON_MATRICES} --checkpoint_dir {{disk}}/run --pack {{disk}}/pack | --resume",
    "evaluate": f"evaluate {ON_MATRICES} --out {{disk}}/evaluation --protocol grouped --folds 2 --jobs 1",
    "report": "report {evaluation} --out {disk}/report.html",
    "report --card": "report --card {recording} --checkpoint {run} --out {disk}/card.html",
    "predict": "predict --checkpoint {run} --input {folder} --output {disk}/predictions.json | --overwrite",
    "predict --explain": "predict --checkpoint {run} --input {recording} --output {disk}/predictions.json "
    "--explain {disk}/why | --overwrite",
    "explain": "explain --checkpoint {run} --input {recording} --out {disk}/why.png",
    "export": "export --checkpoint {run} --out {disk}/exported",
}
# Loaded before a fork, so that each child needn't load them again: seconds, when the rest of a short training is less.
LOADED_BY_TRAINING = ("lightning_fabric", "sklearn.calibration", "sklearn.model_selection", "sklearn.svm", "skops.io")
SLOW = ("sample data", "evaluate", "predict --explain", "explain")
EVERY = [pytest.param(verb, marks=pytest.mark.slow) if verb in SLOW else verb for verb in VERBS]


@dataclass(frozen=True)
class Inputs:
    """Inputs of the commands, which none of them changes."""

    recordings: Path  # a manifest.csv of them
    matrices: Path
    run: Path
    evaluation: Path

    def words(self, verb: str, disk: Path, *, again: bool = False) -> list[str]:
        """A command that writes to ``disk``; ``again``: with the flag of its second start."""
        recording = next(self.recordings.parent.glob("S01*.csv"))
        places = {**vars(self), "folder": self.recordings.parent, "recording": recording, "disk": disk}
        first, _, more = VERBS.get(verb, verb).partition("|")
        return [word.format(**places) for word in (first + more if again else first).split()]


def make_inputs(folder: Path) -> Inputs:
    """Four simulated people, their matrices, a tiny run and an evaluation of random answers."""
    from evaluation_builders import evaluated, protocol
    from semg_hht.datasets.find_inputs import find_jobs
    from semg_hht.datasets.prepare import prepare
    from semg_hht.datasets.simulated import write_simulation
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train
    from semg_hht.matrices.transform import configure
    from semg_hht.signals.simulate import SimulationConfig

    recordings = write_simulation(folder / "recordings", SimulationConfig(4, n_repetitions=1, rate_hz=500.0), seed=1)
    done = prepare(find_jobs(recordings), folder / "prepared", configure(band_hz=(20.0, 200.0)), n_jobs=1)
    matrices = done.folder / "hht_matrices"
    config = TrainingConfig(epochs=2, batch_size=4, learning_rate=1e-3)
    train(load_folder(matrices), folder / "run", config, NetworkSize(base_channels=2), RunOptions(cpu=True))
    return Inputs(recordings, matrices, folder / "run", evaluated(folder / "evaluation", loso=protocol("loso")))


@dataclass(frozen=True)
class Ended:
    """Exit code (negative after a signal) and output of a command."""

    code: int
    said: str

    def sentence(self, word: str = "error") -> str:
        """The text after ``error:`` if it is the single last line and there is no traceback; else empty."""
        lines = self.said.splitlines()
        if not lines or not lines[-1].startswith(f"{word}: ") or "Traceback" in self.said:
            return ""
        return "" if self.said.count("\nerror: ") > 1 else lines[-1].removeprefix(f"{word}: ")


def command(words: list[str]) -> None:
    """Run a command, or the script ``sample_data``; it returns or raises SystemExit."""
    from semg_hht.cli.main import main, script

    if words[0] != "sample_data":
        main(words)
        return
    from semg_hht.cli.commands.sample_data import sample_data

    sys.argv = ["generate_sample_data.py", *words[1:]]
    script(sample_data, sys.argv[0])


def here(words: list[str]) -> Ended:
    """Run in this process."""
    said, before = io.StringIO(), sys.argv
    with redirect_stdout(said), redirect_stderr(said):
        try:
            command(words)
            code = 0
        except SystemExit as error:
            code = _code(error)
        finally:
            sys.argv = before
    return Ended(code, said.getvalue())


def forked(work: Callable[[], None], log: Path) -> int:
    """Fork a child that does ``work`` in its own process group, as in a terminal; return its process number."""
    for name in LOADED_BY_TRAINING:
        import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that the child won't have
        child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell disables it in the background
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(target, 1)
        os.dup2(target, 2)
        # Where pytest captures what tests print, these two write elsewhere.
        sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", buffering=1, closefd=False) for n in (1, 2))  # noqa: PTH123, SIM115
        work()
        code = 0
    except SystemExit as error:
        code = _code(error)
    except BaseException:
        traceback.print_exc()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading._shutdown()  # as the interpreter does at its end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def in_a_fork(script: Path, words: Sequence[object], log: Path) -> Ended:
    """Run a Python script as a program of its own, in a fork, which has loaded torch already."""

    def work() -> None:
        sys.argv = [str(script), *map(str, words)]
        sys.path.insert(0, str(script.parent))
        warnings.resetwarnings()  # as in a new process
        runpy.run_path(str(script), run_name="__main__")

    return ended(forked(work, log), log)


def _code(error: SystemExit) -> int:
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def ended(child: int, log: Path) -> Ended:
    """Wait for a child."""
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(encoding="utf-8") if log.exists() else "")


@contextmanager
def mounted(folder: Path, n_bytes: int) -> Iterator[bool]:
    """Mount a disk of ``n_bytes`` at ``folder``; yield False without permission to mount."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)]
    there = shutil.which("mount") is not None and not subprocess.run(words, capture_output=True, check=False).returncode
    try:
        yield there
    finally:
        if there:
            subprocess.run(["umount", str(folder)], check=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def under_permissions() -> Iterator[None]:
    """Let file permissions apply to root as well."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc, header, own = ctypes.CDLL(None), _Header(0x20080522, 0), (_Capabilities * 2)()
    assert libc.capget(ctypes.byref(header), own) == 0
    before = own[0].effective
    own[0].effective = before & ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(ctypes.byref(header), own) == 0
    try:
        yield
    finally:
        own[0].effective = before
        assert libc.capset(ctypes.byref(header), own) == 0


def set_read_only(folder: Path, read_only: bool) -> None:
    """Set the permissions of all folders of a tree; folders that disappear meanwhile are skipped."""
    for parent, _, _ in os.walk(folder):
        try:
            Path(parent).chmod(0o555 if read_only else 0o755)
        except FileNotFoundError:
            continue


def leftovers(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if LEFTOVER.fullmatch(path.name)]


def unreadable(folder: Path) -> list[str]:
    """Files under their final names that can't be read in their format."""
    from safetensors import safe_open

    from semg_hht.learning.svm_training import load_svm

    bad = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(LEFTOVER.fullmatch(part) for part in path.relative_to(folder).parts):
            continue  # temporary files may be incomplete
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".jsonl":
                [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="np") as archive:
                    [archive.get_tensor(name) for name in archive.keys()]  # noqa: SIM118 - no mapping
            elif path.suffix == ".skops":
                load_svm(path)
            elif path.suffix == ".npz":
                with zipfile.ZipFile(path) as members:
                    assert members.testzip() is None
            elif path.suffix == ".png":
                assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
            elif path.suffix == ".html":
                assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
            elif path.suffix in (".csv", ".tsv"):
                assert path.read_text(encoding="utf-8").endswith("\n")
        except Exception as error:
            bad.append(f"{path.relative_to(folder)}: {error}")
    return bad


def contents(folder: Path) -> dict[str, bytes]:
    """Files that must be equal bit for bit: all without times or paths, which pages and pictures contain."""
    kinds = (".safetensors", ".skops", ".npz", ".csv", ".jsonl", ".f32", ".bdf")
    names = ("metrics.json", "config.json", "split.json", "model.json", "predictions.json", "answers.json")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (path.suffix in kinds or path.name in names)
        and not any(LEFTOVER.fullmatch(part) for part in path.relative_to(folder).parts)
    }
