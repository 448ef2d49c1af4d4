"""How a verb works, whatever it computes: processes, progress, and what it says of files that can't be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from semg_hht.recordings.jobs import Failure
from semg_hht.system.arguments import checked
from semg_hht.system.progress import Track, TrainingProgress, untracked

log = logging.getLogger(__name__)


def log_failures(failures: Sequence[Failure]) -> None:
    """Log a warning with the number of files that could not be used, and the first reason."""
    if failures:
        log.warning("left out: %d file(s) could not be used; the first: %s", len(failures), failures[0].reason)


@checked
@dataclass(frozen=True)
class Work:
    """How a verb works.

    n_jobs : recordings (for `evaluate` folds) at the same time; -1: one for each core.
    track : passes items through and shows progress; by default it shows none.
    progress : what is called while a network trains.
    say_failures : is told the files that could not be used, where the result does not list them; the others are used.
    backend : where the work runs: ``loky`` (processes), ``threading``, or ``dask``.
    scheduler : address of a Dask scheduler; empty: Dask starts a cluster of this machine's cores.

    Examples
    --------
    >>> import semg_hht as sh
    >>> repetitions = sh.segment(sh.samples.MANIFEST, work=sh.Work(n_jobs=1))
    """

    n_jobs: int = -1
    track: Track = untracked
    progress: TrainingProgress = TrainingProgress()
    say_failures: Callable[[Sequence[Failure]], None] = log_failures
    backend: str = "loky"
    scheduler: str = ""
