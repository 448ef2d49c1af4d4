"""Work in a process of its own: what it uses up, how long it takes and what it breaks is not the server's.

Knows processes, memory and clocks: nothing of files or pages.
"""

from __future__ import annotations

import multiprocessing
import re
import signal
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

# Loaded once, and there in every process: a look at a small file takes a fifth of the time that importing takes.
PRELOADED = (
    "semg_hht.web.uploads",
    "semg_hht.cli.main",
    "scipy.signal",
    "scipy.io",
    "scipy.ndimage",
    "h5py",
    "pyedflib",
    "pyxdf",
)
_CONTEXT: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    _CONTEXT.set_forkserver_preload(list(PRELOADED))


def begin() -> None:
    """Load what is preloaded now, in the background, rather than in the time of the first file."""
    if sys.platform != "win32":
        forkserver.ensure_running()


def apart(work: Callable[..., T], *given: Any, seconds: float, n_bytes: int) -> T:
    """What ``work`` of ``given`` returns or raises; it may take ``n_bytes`` of memory (where the system is Linux).

    Raises
    ------
    MemoryError
        It wanted more, or its process ended by itself, as it does where a library falls over a damaged file.
    TimeoutError
        It took longer than ``seconds``.
    """
    here, there = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_do, args=(there, n_bytes, work, given), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(max(0.0, seconds)):
            raise TimeoutError
        found, is_error = here.recv()
    except EOFError:
        raise MemoryError from None
    finally:
        process.kill()
        process.join()
        process.close()
        here.close()
    if is_error:
        raise found
    return found  # type: ignore[no-any-return]


def _do(line: Connection, n_bytes: int, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server, which ends this too
    _allow(n_bytes)
    try:
        line.send((work(*given), False))
    except Exception as error:  # noqa: BLE001 - it is raised again where somebody waits for it
        line.send((error, True))


def _allow(n_bytes: int) -> None:
    """Memory beyond what the process has already; asked for more, it says so instead of being ended by the system."""
    if sys.platform != "linux":
        return
    import resource

    has = int(re.findall(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[0]) * 1024
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = has + n_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
