"""Python in processes of their own that begin with the libraries loaded: to load them takes longer than most scripts.

A server that has only imported them forks for each. The process of the tests can't: engines have started threads there.
Elsewhere than on Linux each process starts anew.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO

LIBRARIES = (
    "torch._dynamo", "sklearn.svm", "skops.io", "onnx", "semg_hht.learning.train", "semg_hht.cli.main",
    "semg_hht.figures.plots",
)  # fmt: skip
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


class PythonServer:
    """Runs Python with the variables of the environment that the tests had at the first call."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """`python *words`. What a benchmark measures is forked too."""
        command = [*map(str, words)]
        if sys.platform != "linux":
            return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._server.stdin is not None and self._server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            outputs = [Path(folder) / name for name in ("stdout", "stderr")]
            print(json.dumps([command, str(Path.cwd()), *map(str, outputs)]), file=self._server.stdin, flush=True)
            status = int(self._server.stdout.readline())
            return subprocess.CompletedProcess(command, status, *(path.read_text() for path in outputs))

    def close(self) -> None:
        if self._server is not None:
            with self._server:
                self._server.kill()


def forked(command: list[str], stdout: IO[bytes], stderr: IO[bytes], env: object = None) -> SimpleNamespace:
    """Stands in for `subprocess.Popen` where the command is Python; has the number of the process."""
    sys.stdout.flush()
    if pid := os.fork():
        return SimpleNamespace(pid=pid)
    status = 1
    try:
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
        _python(command[1:])
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            sys.stderr.write(f"{stop.code}\n")
    except BaseException:
        traceback.print_exc()
    finally:  # without what is registered with atexit: it would remove the temporary folders of the forked process
        threading._shutdown()
        sys.stdout.flush()
        os._exit(status)


def _python(words: list[str]) -> None:
    if words[0] == "-c":
        sys.argv, sys.modules["__main__"] = ["-c", *words[2:]], ModuleType("__main__")
        exec(words[1], vars(sys.modules["__main__"]))  # noqa: S102
    elif words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        if Path(words[0]).parent == BENCHMARKS:
            import measurement

            measurement.subprocess = SimpleNamespace(Popen=forked)
        runpy.run_path(words[0], run_name="__main__")


def _serve() -> None:
    import scipy.special  # noqa: F401 - before torch, see semg_hht.learning

    for name in LIBRARIES:
        __import__(name)
    for line in sys.stdin:
        words, place, *outputs = json.loads(line)
        os.chdir(place)
        with Path(outputs[0]).open("wb") as stdout, Path(outputs[1]).open("wb") as stderr:
            process = forked(["python", *words], stdout, stderr)
        _, status = os.waitpid(process.pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
