"""What becomes of memory that is freed, where the C library is glibc: kept for the next step, or given back at once.

By itself glibc gives every large array back to the system, which clears its pages anew at the next step: half a million
page faults a step of training the full-size network, up to a third of its time. A server of many threads has the
opposite trouble: each thread gets a heap of its own, and what lies freed in the middle of those stays with the process.
Knows nothing of tensors or pages.
"""

from __future__ import annotations

import ctypes
import logging
import platform

log = logging.getLogger(__name__)

# What glibc's malloc.h calls M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX and M_ARENA_MAX.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -2, -3, -4, -8
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 64 * 2**20, ARENA_MAX: 1}
# Once stated, the size from which an array has pages of its own no longer grows with what was freed.
GIVE_BACK = {ARENA_MAX: 2, MMAP_THRESHOLD: 2**20, TRIM_THRESHOLD: 16 * 2**20}


def keep_freed_memory() -> bool:
    """Set it for the rest of this process and say so; False where there is no glibc, and nothing was changed."""
    done = _set(KEEP)
    if done:
        log.info("memory that a step frees is kept for the next one (glibc's mallopt)")
    return done


def give_back_freed_memory() -> bool:
    """Now, and for the rest of this process, threads that are yet to start included; False where there is no glibc."""
    done = _set(GIVE_BACK)
    if done:
        ctypes.CDLL(None).malloc_trim(0)  # what lies free in the middle of a heap, too
    return done


def _set(settings: dict[int, int]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(setting, value) == 1 for setting, value in settings.items()])
