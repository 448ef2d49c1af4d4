"""One long piece of work at a time in the background of a visit, in a thread, with its progress and its end.

It does not know what the work is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from semg_hht.errors import InputError
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.uploads import problem_of
from semg_hht.web.visit import BackgroundJob, Stopped, Visit

log = logging.getLogger(__name__)

MAX_JOBS = 24  # of all visitors together, most of which wait for one that answers
TRAININGS = "train", "practice"  # kinds of work that change no answers until they end
_running = threading.BoundedSemaphore(MAX_JOBS)


def start(
    visit: Visit, kind: str, work: Callable[[BackgroundJob], None], stage: Problem = Problem("app_stage_wait")
) -> None:
    """Run ``work(job)`` in a thread; it sets the stage and the share of the job.

    Raises
    ------
    Refused
        Other work of this visit has not ended, or too many visitors wait.
    """
    with visit.lock:
        if not visit.job.done:
            raise Refused("app_busy")
        if not _running.acquire(blocking=False):
            raise Refused("app_too_busy")
        job = visit.job = BackgroundJob(kind, stage, done=False)
    threading.Thread(target=_run, args=(visit, job, work), daemon=True, name=f"semg-hht {kind}").start()


def start_short(visit: Visit, kind: str, work: Callable[[BackgroundJob], None]) -> None:
    """`start` short ``work(job)``; during a training of the visitor, which may take hours, do it at once instead.

    Raises
    ------
    Refused
        As `start`; or it was done at once and failed.
    """
    if visit.job.done or visit.job.kind not in TRAININGS:
        start(visit, kind, work)
        return
    if not _running.acquire(blocking=False):
        raise Refused("app_too_busy")
    job = BackgroundJob(kind, done=False)
    _run(visit, job, work)
    if job.error is not None:
        raise Refused(job.error.name, **job.error.values)


def _run(visit: Visit, job: BackgroundJob, work: Callable[[BackgroundJob], None]) -> None:
    try:
        work(job)
    except Stopped:
        job.error = Problem("app_stopped")
    except Refused as refused:
        job.error = refused.problem
    except InputError as error:
        job.error = problem_of(error, visit.recordings)
    except MemoryError:
        job.error = Problem("app_no_memory")
    except Exception:
        log.exception("the work %s in the background failed", job.kind)
        job.error = Problem("app_failed")
    finally:
        _running.release()
        with visit.lock:
            job.share, job.done = 1.0, True
            visit.touch()
