"""A job is one recording and its manifest rows; run many jobs in order and collect failures.

It does not know what is done with the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from semg_hht.errors import InputError, WriteError
from semg_hht.recordings.events import Event
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.system.processes import map_in_processes

T = TypeVar("T")

AHEAD = 16  # recordings that a process may finish before their results are taken


@dataclass(frozen=True)
class Reference:
    """Reference amplitude of each channel: in microvolts, or in the device's own unit where that is not volts.

    in_microvolts : None where it was measured in both, so that it fits no recording.
    """

    amplitude: dict[str, float]
    in_microvolts: bool | None


@dataclass(frozen=True)
class Job:
    """One recording and the manifest rows that describe it, one for each repetition. The file is read once.

    reference : for scalings that divide by a reference amplitude.
    events : intervals or clicks that a person marked in this recording, or a file of them; None: there are none.
    recording : the recording, where it is in memory; then ``path`` names it in messages and need not exist.
    """

    path: Path
    rows: tuple[ManifestRow, ...]
    reference: Reference | None = None
    events: Path | tuple[Event, ...] | None = None
    recording: Recording | None = field(default=None, compare=False)

    @property
    def file(self) -> str:
        """The recording as the manifest names it."""
        return self.rows[0].file

    @property
    def states_times(self) -> bool:
        """Whether any row states where a repetition starts or stops."""
        return any(row.start_s is not None or row.stop_s is not None for row in self.rows)


@dataclass(frozen=True)
class Failure:
    """A file that could not be used, and the reason; the other files are processed."""

    file: str
    reason: str


@dataclass(frozen=True)
class Remark:
    """Something a person should know about a recording, although it can be used."""

    file: str
    text: str


def read_job(job: Job) -> Recording:
    """Read the recording of a job with the rate and units that its rows state; one in memory is returned as it is."""
    if job.recording is not None:
        return job.recording
    first = job.rows[0]
    channels = (
        {channel for row in job.rows for channel in row.channels} if all(row.channels for row in job.rows) else ()
    )
    return read_recording(
        job.path, rate_hz=first.rate_hz, units=first.units, rate_source=first.rate_source, channels=channels
    )


def for_each(work: Callable[..., T], jobs: Sequence[Job], *args: Any, n_jobs: int = -1) -> Iterator[T | Failure]:
    """Yield ``work(job, n_threads, *args)`` for each job in order, over ``n_jobs`` processes (-1: all cores).

    `semg_hht.system.processes.workers` decides where the processes run. Each process works ahead of the caller by at
    most `AHEAD` jobs. A recording whose process is killed becomes a `Failure`; the other recordings are processed.
    An `InputError` of ``work`` becomes a `Failure` too; a `WriteError` stops all of them.
    """
    task = partial(_work_or_fail, work, args)
    if n_jobs == 1 or len(jobs) == 1:
        yield from (task(job, n_threads=None) for job in jobs)
        return
    # The other cores work on other recordings: one thread each.
    yield from map_in_processes(partial(task, n_threads=1), jobs, n_jobs, _too_large, ahead_each=AHEAD)


def _work_or_fail(work: Callable[..., T], args: tuple[Any, ...], job: Job, n_threads: int | None) -> T | Failure:
    try:
        return work(job, n_threads, *args)
    except WriteError:
        raise
    except InputError as error:
        return Failure(job.file, str(error))
    except MemoryError:
        if n_threads is not None:
            raise  # the pool runs the job once more, with no other job in memory
        return _too_large(job)


def _too_large(job: Job) -> Failure:
    return Failure(
        job.file,
        f"{job.path}: the system ended the process that worked on it, or refused memory, even with nothing else "
        "running beside it; most likely it needs more memory than there is",
    )


def collect(results: Iterable[T | Failure], what: str = "recordings") -> tuple[list[T], list[Failure]]:
    """Separate results from failures.

    Raises
    ------
    InputError
        Every result is a failure; the text gives the first reason.
    """
    usable: list[T] = []
    failures: list[Failure] = []
    for result in results:
        if isinstance(result, Failure):
            failures.append(result)
        else:
            usable.append(result)
    if failures and not usable:
        raise none_usable(failures, what)
    return usable, failures


def none_usable(failures: Sequence[Failure], what: str = "recordings") -> InputError:
    """The error where every input failed; of a single one, its reason."""
    if len(failures) == 1:
        return InputError(failures[0].reason)
    return InputError(f"none of {len(failures)} {what} could be used; the first: {failures[0].reason}")
