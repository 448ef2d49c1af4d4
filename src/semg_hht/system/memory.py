"""Set whether glibc keeps freed memory for the next allocation or returns it to the system.

By default glibc returns every large array to the system. The next training step asks for the memory again, and the
system clears it page by page: half a million pages in each step of the full-size network, which took up to a third of
the time. A server with many threads has the
opposite problem: each thread gets its own heap, and freed memory in the middle of a heap stays with the process.
"""

from __future__ import annotations

import ctypes
import platform

# What glibc's malloc.h calls M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX and M_ARENA_MAX.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -2, -3, -4, -8
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 64 * 2**20, ARENA_MAX: 1}
# A fixed MMAP_THRESHOLD: by default glibc raises it whenever a larger array is freed.
GIVE_BACK = {ARENA_MAX: 2, MMAP_THRESHOLD: 2**20, TRIM_THRESHOLD: 16 * 2**20}


def keep_freed_memory() -> bool:
    """Keep freed memory for the rest of this process; False without glibc, where nothing changes."""
    return _set(KEEP)


def give_back_freed_memory() -> bool:
    """Return freed memory now and for the rest of this process, in all threads; False without glibc."""
    done = _set(GIVE_BACK)
    if done:
        ctypes.CDLL(None).malloc_trim(0)  # also returns free pages in the middle of a heap
    return done


def _set(settings: dict[int, int]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(setting, value) == 1 for setting, value in settings.items()])
