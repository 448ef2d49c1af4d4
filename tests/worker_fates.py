"""What worker processes do in the tests of lost ones. Each worker loads this module, which therefore loads no torch."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from joblib.externals.loky import process_executor

from semg_hht.recordings.jobs import Job


def meet_fate(job: Job, n_threads: int | None, folder: Path, fates: dict[str, str]) -> str:
    """Count that it was begun, meet its fate, and count that it was ended."""
    with (folder / f"{job.path.stem}.begun").open("a") as begun:
        begun.write("x")
    fate = fates.get(job.path.stem, "")
    if fate == "killed" or (fate == "killed once" and (folder / f"{job.path.stem}.begun").stat().st_size == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "refused":
        raise MemoryError
    with (folder / f"{job.path.stem}.ended").open("a") as ended:
        ended.write("x")
    return job.path.stem


def end_process(*_: object) -> None:
    os._exit(1)


def end_process_at_two(item: int) -> int:
    if item == 2:
        os._exit(1)
    return item


def use_more_memory(_: int) -> int:
    """As loky sees it, which measures its processes once a second."""
    process_executor._MEMORY_LEAK_CHECK_DELAY = 0
    process_executor._MAX_MEMORY_LEAK_SIZE = -(10**15)
    return os.getpid()
