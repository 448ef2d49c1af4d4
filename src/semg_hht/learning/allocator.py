"""Memory that one step frees and the next asks for again is kept by the process, where the C library is glibc.

By itself glibc gives every large array back to the system, which clears its pages anew at the next step: half a million
page faults a step of the full-size network, up to a third of its time. Knows nothing of tensors.
"""

from __future__ import annotations

import ctypes
import logging
import platform

log = logging.getLogger(__name__)

# What glibc's malloc.h calls M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX and M_ARENA_MAX.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 64 * 2**20, ARENA_MAX: 1}


def keep_freed_memory() -> bool:
    """Set it for the rest of this process and say so; False where there is no glibc, and nothing was changed."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    done = all([mallopt(setting, value) == 1 for setting, value in KEEP.items()])
    if done:
        log.info("memory that a step frees is kept for the next one (glibc's mallopt)")
    return done
