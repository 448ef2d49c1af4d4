"""Hostile files: every reader and loader gets mutated files, and must read them or refuse them with one sentence.

    python benchmarks/fuzz.py                           # 5,000 inputs a reader
    python benchmarks/fuzz.py --inputs 500 --only xdf --seed 7

Small valid files are mutated as bytes and by their structure (headers that declare 10^12 samples, members compressed
again, bombs, endless JSON; tests/malicious_files.py). Each goes through the public function of its reader, in a process
with 3 GB of memory above its start and 5 s of processor time for each input. Findings are: any error but InputError, a
process that dies or hangs, a file written, a pickle loaded, a program started, a connection opened. With atheris
installed (pip install atheris) coverage guides the choice of inputs; without it, or with --blind, every input follows
from the random seed and its number. Findings are kept under --out. POSIX only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

if TYPE_CHECKING:
    from valid_files import Reader

MEMORY = 3 * 2**30  # bytes above the start of the process
CPU_S, WALL_S = 5.0, 90.0  # processor time and wall time; the machine may be busy
FORBIDDEN = (  # audit events
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pickle.find_class", "socket.connect",
)  # fmt: skip
ENGINES = ("onnxruntime", "openvino")  # they start threads, which a fork must not copy
FIELDS = ("tried", "read", "refused", "findings", "peak_mb")


class Hang(BaseException):
    """An input took too much processor time."""


class Escape(BaseException):
    """A reader did what it must not."""


class Tally:
    """Counters in shared memory, which outlive the process that counts."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8 * len(FIELDS))

    def __getitem__(self, name: str) -> int:
        return int(struct.unpack_from("<q", self._shared, 8 * FIELDS.index(name))[0])

    def __setitem__(self, name: str, value: int) -> None:
        struct.pack_into("<q", self._shared, 8 * FIELDS.index(name), value)


class Trial:
    """One reader in this process: `try_one` gives it an input and counts the outcome."""

    def __init__(self, name: str, reader: Reader, folder: Path, out: Path, tally: Tally) -> None:
        self.name, self.reader, self.folder, self.out, self.tally = name, reader, folder, out, tally
        self.watched = False
        self.escaped = ""
        self.seen: Counter[str] = Counter()
        self.baseline_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.placed: tuple[int, str] | None = None
        sys.addaudithook(self._audit)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.watched:
            return
        if event in FORBIDDEN:
            self.escaped = f"{event} {args!r:.100}"
        elif event == "open" and isinstance(args[0], str):
            path, flags = args[0], args[2]
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if (writes and path != os.devnull) or "escaped" in path or "passwd" in path:
                self.escaped = f"opens {path!r:.100}"
        if self.escaped:
            raise Escape(self.escaped)

    def place(self, number: int, name: str, content: bytes) -> Path:
        """Write a valid set of files with one file changed; unchanged files are not written again."""
        files = self.reader.inputs[number]
        if self.placed is None or self.placed[0] != number:
            shutil.rmtree(self.folder, ignore_errors=True)
            for other, whole in files.items():
                (self.folder / other).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / other).write_bytes(whole)
        elif self.placed[1] != name:
            (self.folder / self.placed[1]).write_bytes(files[self.placed[1]])
        (self.folder / name).write_bytes(content)
        self.placed = number, name
        return Path(self.folder / self.reader.names[number])

    def try_one(self, number: int, name: str, content: bytes) -> None:
        from semg_hht import InputError

        path = self.place(number, name, content)
        self.tally["tried"] += 1
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        try:
            self.watched = True
            self.reader.read(path)
            outcome = "read"
        except InputError:
            outcome = "refused"
        except BaseException as error:
            self.watched, outcome = False, "findings"
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._keep(error)
        finally:
            self.watched = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        if self.escaped:  # a library may have caught the exception
            self._keep(Escape(self.escaped))
            self.escaped, outcome = "", "findings"
        self.tally[outcome] += 1
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.baseline_kb) // 1024
        if grown > self.tally["peak_mb"]:
            self.tally["peak_mb"] = grown

    def _keep(self, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "semg_hht" in f.filename]
        where = f"{type(error).__name__} at {ours[-1] if ours else '?'} ({frames[-1].name if frames else '?'})"
        self.seen[where] += 1
        if self.seen[where] > 1:
            return
        target = self.out / f"{self.name}-{self.tally['tried']}"
        shutil.copytree(self.folder, target, dirs_exist_ok=True)
        with (self.out / "findings.jsonl").open("a") as handle:
            line = {"reader": self.name, "what": where, "text": str(error)[:300], "kept": target.name}
            handle.write(json.dumps(line) + "\n")


def limit() -> None:
    """Limit memory, write no core files, and set an alarm on processor time."""

    def ring(*_: object) -> None:
        raise Hang(f"more than {CPU_S:g} s")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, ring)
    warnings.simplefilter("ignore")


def blindly(trial: Trial, first: int, stop: int, seed: int) -> None:
    from malicious_files import mutated

    valid = trial.reader.inputs
    contents = tuple(content for files in valid for content in files.values())
    for number in range(first, stop):
        rng = random.Random(f"{seed}/{trial.name}/{number}")
        at = rng.randrange(len(valid))
        name = rng.choice(sorted(valid[at]))
        trial.try_one(at, name, mutated(valid[at], name, rng, contents))


def guided(trial: Trial, n_inputs: int, seed: int, corpus: Path) -> None:
    """Inputs of libFuzzer: the number of a set of files, that of a file in it, and the file's content."""
    import atheris

    from malicious_files import mutated

    valid = trial.reader.inputs
    names = [sorted(files) for files in valid]
    longest = max(len(content) for files in valid for content in files.values())
    corpus.mkdir(parents=True, exist_ok=True)
    for i, files in enumerate(valid):
        for j, name in enumerate(names[i]):
            (corpus / f"{i}_{j}").write_bytes(bytes((i, j)) + files[name])

    def of(data: bytes) -> tuple[int, str, bytes]:
        i = data[0] % len(valid) if data else 0
        return i, names[i][data[1] % len(names[i]) if len(data) > 1 else 0], data[2:]

    def change(data: bytes, max_size: int, number: int) -> bytes:
        rng = random.Random(number)
        if rng.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        i, name, content = of(data)
        return bytes((data[:2].ljust(2, b"\0") + mutated({name: content}, name, rng))[:max_size])

    options = [f"-atheris_runs={n_inputs}", f"-seed={seed + 1}", f"-max_len={2 * longest + 1000}", "-timeout=0",
               "-rss_limit_mb=0", "-handle_segv=0", "-handle_abrt=0", "-len_control=0",
               f"-artifact_prefix={corpus}/"]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: trial.try_one(*of(data)), custom_mutator=change)
    atheris.Fuzz()


def run(name: str, reader: Reader, base: Path, options: argparse.Namespace, tally: Tally) -> Counter[str]:
    """All inputs of one reader; a process that dies is replaced."""
    deaths: Counter[str] = Counter()
    folder = base / name
    while tally["tried"] < options.inputs:
        began = tally["tried"]
        child = os.fork()
        if not child:
            code = 1
            try:
                silence = os.open(os.devnull, os.O_RDWR)
                os.dup2(silence, 1)
                os.dup2(silence, 2)
                trial = Trial(name, reader, folder, options.out, tally)
                if name == "openvino":
                    import openvino  # noqa: F401 - its first import keeps a note in the home folder
                limit()
                if options.blind:
                    blindly(trial, began, options.inputs, options.seed)
                else:
                    guided(trial, options.inputs - began, options.seed + began, base / f"corpus_{name}")
                code = 0
            except BaseException:  # in this program itself
                (options.out / "harness.txt").write_text(traceback.format_exc())
            finally:
                os._exit(code)
        status = _watched(child, tally)
        if status == 0 or (os.WIFEXITED(status) and tally["tried"] >= options.inputs):
            break
        died = (
            "hangs"
            if status == -1
            else f"crashes ({signal.strsignal(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else status})"
        )
        deaths[died] += 1
        kept = options.out / f"{name}-{tally['tried']}-{died.split()[0]}"
        with contextlib.suppress(OSError):
            shutil.copytree(folder, kept, dirs_exist_ok=True)
        if tally["tried"] == began or sum(deaths.values()) > 50:
            break
    return deaths


def _watched(child: int, tally: Tally) -> int:
    """Exit status of the process; -1 if it made no progress for `WALL_S` and was killed."""
    last, since = -1, time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if tally["tried"] != last:
            last, since = tally["tried"], time.monotonic()
        elif time.monotonic() - since > WALL_S:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1
        time.sleep(0.05)


def readers(folder: Path, only: list[str]) -> dict[str, Reader]:
    import valid_files

    names = {
        valid_files.recordings: ("csv", "txt", "trigno", "mat", "npz", "npy", "hdf5", "edf", "bdf", "wfdb", "xdf",
                                 "otb", "c3d", "xlsx", "ods", "parquet", "feather", "acq", "rhd",
                                 "poly5", "smr"),
        valid_files.tables: ("manifest", "events", "bids", "matrix", "pack"),
        valid_files.runs: ("model", "state", "split", "report", "numpy", "onnxruntime", "openvino"),
    }  # fmt: skip
    found: dict[str, Reader] = {}
    for make, made in names.items():
        if not only or set(only) & set(made):
            if make is valid_files.runs:
                child = os.fork()  # keeps the threads of an engine out of this process, which is forked again
                if not child:
                    valid_files.train_and_export(folder / "runs")
                    os._exit(0)
                os.waitpid(child, 0)
            found |= make(folder / make.__name__)
    unknown = set(only) - {name for made in names.values() for name in made}
    if unknown:
        raise SystemExit(
            f"--only {', '.join(sorted(unknown))}: expected of {', '.join(n for m in names.values() for n in m)}"
        )
    return {name: reader for name, reader in found.items() if not only or name in only}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=5000, help="for each reader")
    parser.add_argument("--only", nargs="*", default=[], help="these readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blind", action="store_true", help="without atheris")
    parser.add_argument("--out", type=Path, default=Path("fuzz_findings"))
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        options.blind = True
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as base_name:
        base = Path(base_name)
        import logging

        import numpy  # noqa: E401, F401 - before what is instrumented
        import torch

        torch.set_num_threads(1)
        logging.disable()
        looking = contextlib.nullcontext() if options.blind else atheris.instrument_imports(include=["semg_hht"])
        with looking:
            found = readers(base / "valid", options.only)
            for key, reader in found.items():  # imports what the readers need before the forks
                if key in ENGINES:
                    continue
                for i, files in enumerate(reader.inputs):
                    for name, content in files.items():
                        path = base / "first" / name
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(content)
                    reader.read(base / "first" / reader.names[i])
                    shutil.rmtree(base / "first")
        print(f"{'reader':12} {'inputs':>8} {'read':>8} {'refused':>8} {'else':>6}  {'peak':>8}", flush=True)
        totals: Counter[str] = Counter()
        for name, reader in found.items():
            tally = Tally()
            began = time.monotonic()
            deaths = run(name, reader, base, options, tally)
            told = ", ".join(f"{n} {what}" for what, n in deaths.items())
            print(f"{name:12} {tally['tried']:8} {tally['read']:8} {tally['refused']:8} {tally['findings']:6}"
                  f"  {tally['peak_mb']:5} MB  {time.monotonic() - began:6.0f} s  {told}", flush=True)  # fmt: skip
            totals += Counter({field: tally[field] for field in ("tried", "read", "refused", "findings")})
            totals["deaths"] += sum(deaths.values())
    how = "blind" if options.blind else "guided by coverage"
    print(f"{totals['tried']} inputs ({how}, seed {options.seed}): {totals['read']} read, {totals['refused']} refused "
          f"with InputError, {totals['findings']} other errors, {totals['deaths']} crashes and hangs")  # fmt: skip
    raise SystemExit(int(bool(totals["findings"] or totals["deaths"])))


if __name__ == "__main__":
    main()
