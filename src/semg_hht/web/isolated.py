"""Run a function in a process of its own, with limits on its time and its memory.

A crash of that process does not reach the server. This module does not know about files or pages.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing import util as multiprocessing_util
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from semg_hht.errors import InputError

T = TypeVar("T")

# The fork server imports these once for all processes: importing takes twice as long as reading a small file. The first
# file waits for it, so nothing stands here that no reader needs: scipy.signal takes as long as all others.
PRELOADED = (
    "semg_hht.web.editing",
    "semg_hht.datasets.label",
    "semg_hht.datasets.segment",
    "semg_hht.matrices.transform",
    *(f"semg_hht.recordings.formats.{name}" for name in ("arrays", "edf", "hdf5", "sheets", "tables", "trigno", "xdf")),
    "semg_hht.cli.main",  # each process imports the script that started the server
    "scipy.io",
    "h5py",
    "pyedflib",
    "pyxdf",
    "python_calamine",
)
SETTLED_S = 0.1  # without any process, before all count as ended
_running: set[Any] = set()
_CONTEXT: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    _CONTEXT.set_forkserver_preload(list(PRELOADED))


# The path of a socket has at most 103 bytes (macOS; 107 on Linux), and multiprocessing adds 32 to the folder.
MAX_FOLDER_BYTES = 103 - 32
SHORT_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - multiprocessing makes a folder of its own in it, of mode 0700


def start_forkserver() -> None:
    """Import the preloaded modules now, in the background, so that the first file does not wait for them.

    Raises
    ------
    InputError
        The folder of temporary files has too long a name for the socket of the fork server, and no other can be used.
    """
    if sys.platform != "win32":
        _choose_socket_folder()
        forkserver.ensure_running()


def _choose_socket_folder() -> None:
    """Have multiprocessing keep its sockets under a short name, where the folder of temporary files has a long one."""
    folder, before = tempfile.gettempdir(), tempfile.tempdir
    if len(os.fsencode(folder)) <= MAX_FOLDER_BYTES:
        return
    short = next((name for name in SHORT_FOLDERS if os.access(name, os.W_OK | os.X_OK)), None)
    if short is None:
        raise InputError(
            f"{folder}: the folder of temporary files has a name of {len(os.fsencode(folder))} bytes; expected at most "
            f"{MAX_FOLDER_BYTES}, so that a socket fits into it. Set TMPDIR to a folder with a shorter name"
        )
    tempfile.tempdir = short
    try:
        multiprocessing_util.get_temp_dir()  # made once for each process
    finally:
        tempfile.tempdir = before


def run_isolated(work: Callable[..., T], *arguments: Any, timeout_s: float, max_bytes: int) -> T:
    """Return what ``work(*arguments)`` returns in a new process, or raise what it raises.

    max_bytes : memory that the process may allocate in addition to what it has at its start (enforced on Linux).

    Raises
    ------
    MemoryError
        The process needed more memory, or ended on its own, for example because a library crashed on a damaged file.
    TimeoutError
        The process took longer than ``timeout_s``.
    """
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_send_result, args=(sender, max_bytes, work, arguments), daemon=True)
    process.start()
    sender.close()
    _running.add(process)
    try:
        if not receiver.poll(max(0.0, timeout_s)):
            raise TimeoutError
        result, is_error = receiver.recv()
    except EOFError:
        raise MemoryError from None
    finally:
        _running.discard(process)
        process.kill()
        process.join()
        process.close()
        receiver.close()
    if is_error:
        raise result
    return result  # type: ignore[no-any-return]


def end_all(thread: threading.Thread, timeout_s: float = 3.0) -> None:
    """End all processes, also those that begin until the thread that has them started ends; or the time is up.

    Those who wait for a process get a `MemoryError`.
    """
    now_s = time.monotonic()
    end_s, begun_s = now_s + timeout_s, now_s  # of the last process
    while (thread.is_alive() or now_s - begun_s < SETTLED_S) and now_s < end_s:
        for process in list(_running):
            begun_s = now_s
            with suppress(ValueError, AttributeError):  # it has ended meanwhile
                process.kill()
        thread.join(0.02) if thread.is_alive() else time.sleep(0.02)
        now_s = time.monotonic()


def _send_result(sender: Connection, max_bytes: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the server, which then kills this process
    _limit_memory(max_bytes)
    try:
        sender.send((work(*arguments), False))
    except Exception as error:  # noqa: BLE001 - the waiting process raises it again
        sender.send((error, True))


def _limit_memory(max_bytes: int) -> None:
    """Allow ``max_bytes`` more than now: an allocation beyond that fails, and the system does not kill the process."""
    if sys.platform != "linux":
        return
    import resource

    used = int(re.findall(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[0]) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = used + max_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
