"""Settings of glibc for freed memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from semg_hht.system import memory as allocator

FAULTS = """
import resource, sys
import numpy as np
from semg_hht.system.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**25)  # 256 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
sys.stdout.write(str(faults()))
"""


def told(code: str, how: str) -> tuple[int, str]:
    """The number that a separate process prints, and its log."""
    done = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True)
    return int(done.stdout), done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_freed_memory_is_reused_without_page_faults() -> None:
    (given_back, _), (kept, said) = told(FAULTS, "give back"), told(FAULTS, "keep")
    assert kept < given_back / 20
    assert said == ""


def test_without_glibc_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: pytest.fail("no C library was to be asked"))
    assert not allocator.keep_freed_memory()
    assert not allocator.give_back_freed_memory()


HEAPS = """
import ctypes, sys, tempfile, threading
from semg_hht.system.memory import give_back_freed_memory
if sys.argv[1] == "give back":
    assert give_back_freed_memory()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)
def work():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with tempfile.NamedTemporaryFile() as file:
    to = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, to)
    libc.fclose(to)
    sys.stdout.write(str(open(file.name).read().count("<heap ")))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back")
def test_threads_of_a_server_share_two_heaps() -> None:
    assert told(HEAPS, "give back")[0] <= 2 < told(HEAPS, "by itself")[0]
