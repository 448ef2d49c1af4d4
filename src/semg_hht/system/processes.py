"""Who does the work: processes on this machine, a Dask cluster, or threads that read ahead.

Knows joblib's backends: nothing of what the work is.
"""

from __future__ import annotations

import signal
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from semg_hht.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

P = TypeVar("P", Path, Path | None)
T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

BACKENDS = ("loky", "threading", "dask")
WAIT_S = 30  # for the first worker of a cluster
MAX_IDLE = 3  # times that a process may be lost which worked on none of the items
N_READERS = 2  # threads: reading a matrix is unpacking it, which lets other threads run

_cluster: ContextVar[Client | None] = ContextVar("cluster", default=None)


@contextmanager
def workers(backend: str = "loky", scheduler: str = "") -> Iterator[None]:
    """Let parallel work within the block run on ``backend``.

    Parameters
    ----------
    backend : ``loky`` (processes), ``threading``, or ``dask``: on the cluster whose scheduler has the address
        ``scheduler``, or on one of this machine's cores where none is named. Its workers must see the same files.

    Raises
    ------
    InputError
        An unknown backend, Dask not installed, a scheduler that doesn't answer or has no workers, or one named without
        ``dask``.
    """
    if backend not in BACKENDS:
        raise InputError(f"--backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    if scheduler and backend != "dask":
        raise InputError(f"--scheduler goes with --backend dask; got {backend!r}")
    import joblib  # here: the command line loads this file whatever its verb

    if backend != "dask":
        with joblib.parallel_config(backend=backend):
            yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--backend dask needs distributed: pip install 'semg-hht[dask]'") from None
    try:
        client = Client(scheduler or None, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {scheduler}; {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT_S)
        except TimeoutError:
            raise InputError(f"the Dask scheduler at {scheduler} had no worker within {WAIT_S} s") from None
        before = _cluster.set(client)
        try:
            yield
        finally:
            _cluster.reset(before)


def path_for_workers(backend: str, path: P) -> P:
    """A path as workers elsewhere must be told it: a cluster's have working folders of their own."""
    return path.absolute() if path is not None and backend == "dask" else path


def map_in_processes(
    work: Callable[[T], U], items: Sequence[T], n_jobs: int, lost: Callable[[T], V], *, ahead_each: int
) -> Iterator[U | V]:
    """``work`` of each item, in order, over ``n_jobs`` processes (-1: all cores), or those of the cluster.

    Each works ahead of who takes the results by ``ahead_each`` items at most. Where one is killed, as a system does
    that runs out of memory, or is refused memory, the items that were being worked on are tried once more, one by one
    with nothing beside them (a cluster tries as often as it is told); ``lost`` stands for one that fails then, too. All
    others go on in fresh processes.
    """
    client = _cluster.get()
    if client is not None:
        yield from _each_on_cluster(client, work, items, lost, ahead_each)
        return
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed, effective_n_jobs

    # A process that grew is replaced, and all goes on. Where warnings are errors, this one would end the thread of
    # joblib's that waits for results, and everybody would wait for ever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    at_once = ahead_each * effective_n_jobs(n_jobs)
    for start in range(0, len(items), at_once):
        chunk = items[start : start + at_once]
        alone: dict[int, U | V] = {}
        n_done, n_idle = 0, 0
        while n_done < len(chunk):
            left = [i for i in range(n_done, len(chunk)) if i not in alone]
            with TemporaryDirectory(prefix="semg-hht-", ignore_cleanup_errors=True) as marks:
                try:
                    with ctrl_c_blocked():
                        fresh = Parallel(n_jobs=n_jobs, return_as="generator")(
                            delayed(_marked)(work, chunk[i], Path(marks) / str(i)) for i in left
                        )
                    with _closed_quietly(fresh):
                        while n_done < len(chunk):
                            yield alone[n_done] if n_done in alone else next(fresh)
                            n_done += 1
                        next(fresh, None)  # its end
                except (BrokenProcessPool, MemoryError):
                    begun = sorted(int(mark.name) for mark in Path(marks).iterdir())
                    n_idle = 0 if begun else n_idle + 1
                    if n_idle > MAX_IDLE:
                        raise InputError(
                            "worker processes are ended by the system before they begin their work, again and again; "
                            "fewer --jobs need less memory"
                        ) from None
                    for i in begun:
                        try:
                            with ctrl_c_blocked():
                                # 2: with 1 it would be done in this process, and take it along.
                                (alone[i],) = Parallel(n_jobs=2)([delayed(work)(chunk[i])])
                        except (BrokenProcessPool, MemoryError):
                            alone[i] = lost(chunk[i])


def _each_on_cluster(
    client: Client, work: Callable[[T], U], items: Sequence[T], lost: Callable[[T], V], ahead_each: int
) -> Iterator[U | V]:
    """Not by way of joblib, which waits for ever for a piece of work that the cluster has given up."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    n_ahead = ahead_each * sum(client.ncores().values())
    waiting: deque[tuple[T, Any]] = deque()
    sent: Any = None

    def submit(some: Iterable[T], *, anew: bool = False) -> None:
        nonlocal sent
        if anew:
            sent = client.scatter(work, broadcast=True, hash=False)  # with all it holds, to each worker once
        waiting.extend((item, client.submit(_called, sent, item, pure=False)) for item in some)

    def result(item: T, future: Any) -> U | V:
        try:
            found: U = future.result()
        except (KilledWorker, MemoryError):
            return lost(item)
        return found

    def next_result() -> U | V:
        try:
            found = result(*waiting[0])
        except CancelledError:
            # Every worker that held the work has ended, and what waits for it is gone. By which of the items shows with
            # nothing beside it.
            first, *others = (item for item, _ in waiting)
            waiting.clear()
            submit([first], anew=True)
            try:
                found = result(*waiting[0])
            except CancelledError:
                found = lost(first)
            submit(others, anew=True)
        waiting.popleft()
        return found

    submit([], anew=True)
    for item in items:
        submit([item])
        if len(waiting) > n_ahead:
            yield next_result()
    while waiting:
        yield next_result()


def _called(work: Callable[[T], U], item: T) -> U:
    return work(item)


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Processes begun meanwhile don't hear Ctrl-C, which would have each print where it stood: who began them does, and
    ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from joblib.externals.loky.backend.resource_tracker import ensure_running

    ensure_running()  # it is the first to be begun, and lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _closed_quietly(results: Generator[U, None, None]) -> Iterator[None]:
    """Who takes the results may stop half-way, and has said why: joblib's warning of work undone adds nothing."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()


def _marked(work: Callable[[T], U], item: T, mark: Path) -> U:
    """In a worker: ``mark`` is there as long as the work goes on, and stays if it never ends."""
    mark.touch()
    found = work(item)
    mark.unlink()
    return found


def map_ahead(work: Callable[[T], U], items: Sequence[T], n: int) -> Iterator[U]:
    """``work`` of each item, in order; threads do up to ``n`` more while the caller is busy with those it has."""
    if len(items) < 2 or n < 1:
        yield from map(work, items)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[Future[U]] = deque()
    with ThreadPoolExecutor(N_READERS) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > n:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
