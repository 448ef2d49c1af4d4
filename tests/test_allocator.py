"""allocator.py: what is freed is kept, or given back, and that is said."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from semg_hht import allocator

FAULTS = """
import logging, resource, sys
import numpy as np
from semg_hht.allocator import keep_freed_memory
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**25)  # 256 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
sys.stdout.write(str(faults()))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_memory_that_was_freed_is_asked_for_without_page_faults() -> None:
    found = {}
    for how in ("give back", "keep"):
        done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
        found[how] = int(done.stdout)
        assert ("kept for the next one" in done.stderr) == (how == "keep")
    assert found["keep"] < found["give back"] / 20


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: pytest.fail("no C library was to be asked"))
    assert not allocator.keep_freed_memory()
