"""Run work in processes on this machine, on a Dask cluster, or in threads that read ahead.

Work survives processes that the system kills, for example because memory runs out: items that were in progress are
tried once more, alone, and all other items continue in new processes. The module does not know what the work is.
"""

from __future__ import annotations

import signal
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
WAIT_S = 30  # time to wait for the first worker of a cluster
MAX_IDLE = 3  # consecutive losses of a process before any item was started; after that the work is given up
N_READERS = 2  # threads; packing and unpacking a matrix release the interpreter lock

_cluster: ContextVar[Client | None] = ContextVar("cluster", default=None)


@contextmanager
def workers(backend: str = "loky", scheduler: str = "") -> Iterator[None]:
    """Let parallel work within the block run on ``backend``.

    Parameters
    ----------
    backend : ``loky`` (processes), ``threading``, or ``dask``.
    scheduler : address of the scheduler of a Dask cluster, whose workers must see the same files; empty: Dask starts a
        cluster on this machine.

    Raises
    ------
    InputError
        An unknown backend, Dask not installed, a scheduler that does not answer or has no workers, or a scheduler
        without ``dask``.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    if scheduler and backend != "dask":
        raise InputError(f"scheduler=... goes with backend='dask'; got {backend!r}")
    import joblib  # imported here, because every command loads this module

    if backend != "dask":
        with joblib.parallel_config(backend=backend):
            yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("backend='dask' needs distributed: pip install 'semg-hht[dask]'") from None
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
    """A path that workers can use: absolute for a cluster, whose workers have other working directories."""
    return path.absolute() if path is not None and backend == "dask" else path


def map_in_processes(
    work: Callable[[T], U], items: Sequence[T], n_jobs: int, lost: Callable[[T], V], *, ahead_each: int
) -> Iterator[U | V]:
    """Yield ``work(item)`` for each item, in order, computed in processes or on the cluster of `workers`.

    The system may kill a process that needs too much memory, or refuse it memory. The items that were in progress are
    then tried once more, one at a time with no other process (on a cluster each time as often as its settings state).
    All other items continue in new processes.

    Parameters
    ----------
    n_jobs : number of processes; -1: one for each core.
    lost : gives the result for an item that fails again.
    ahead_each : largest number of items that each process computes before the caller takes their results, so that
        finished results don't fill the memory.

    Raises
    ------
    InputError
        Processes are killed again and again before they start an item.
    """
    client = _cluster.get()
    if client is not None:
        yield from _map_on_cluster(client, work, items, lost, ahead_each)
        return
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed, effective_n_jobs

    # joblib replaces a worker that uses more and more memory, and warns. If warnings are errors, this one would end
    # joblib's thread that collects results, and the caller would wait forever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    # joblib computes everything that it gets, whether the caller takes results or not, so it gets one chunk at a time.
    at_once = ahead_each * effective_n_jobs(n_jobs)
    for start in range(0, len(items), at_once):
        chunk = items[start : start + at_once]
        alone: dict[int, U | V] = {}  # results of items that were computed alone, after a process was killed
        n_done, n_idle = 0, 0
        while n_done < len(chunk):
            left = [i for i in range(n_done, len(chunk)) if i not in alone]
            # A worker keeps a mark (an empty file) while it computes an item. After a kill, the remaining marks show
            # which items were in progress.
            with TemporaryDirectory(prefix="semg-hht-", ignore_cleanup_errors=True) as marks:
                try:
                    with ExitStack() as begun:
                        with ctrl_c_blocked():  # until the stack knows what it closes
                            results = Parallel(n_jobs=n_jobs, return_as="generator")(
                                delayed(_marked)(work, chunk[i], Path(marks) / str(i)) for i in left
                            )
                            begun.enter_context(_closed_quietly(results))
                        while n_done < len(chunk):
                            yield alone[n_done] if n_done in alone else next(results)
                            n_done += 1
                        next(results, None)  # lets joblib finish; it closes its pool at the end of the generator
                except (BrokenProcessPool, MemoryError):
                    started = sorted(int(mark.name) for mark in Path(marks).iterdir())
                    n_idle = 0 if started else n_idle + 1
                    if n_idle > MAX_IDLE:
                        raise InputError(
                            "worker processes are ended by the system before they begin their work, again and again; "
                            "a smaller n_jobs=... needs less memory"
                        ) from None
                    for i in started:
                        try:
                            with ctrl_c_blocked():
                                # Two jobs: with one, joblib computes in this process, which a kill would end.
                                (alone[i],) = Parallel(n_jobs=2)([delayed(work)(chunk[i])])
                        except (BrokenProcessPool, MemoryError):
                            alone[i] = lost(chunk[i])


def _map_on_cluster(
    client: Client, work: Callable[[T], U], items: Sequence[T], lost: Callable[[T], V], ahead_each: int
) -> Iterator[U | V]:
    """`map_in_processes` on a cluster, without joblib, which waits forever for a task that the cluster has given up."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    failures = (KilledWorker, CancelledError, MemoryError)
    n_ahead = ahead_each * sum(client.ncores().values())
    waiting: deque[tuple[T, Any]] = deque()  # items and their futures, in order
    sent: Any = None  # future of ``work`` on the workers

    def send_work() -> None:
        """Copy ``work`` with its data to each worker once, instead of with each item."""
        nonlocal sent
        sent = client.scatter(work, broadcast=True, hash=False)

    def submit(batch: Iterable[T]) -> None:
        waiting.extend((item, client.submit(_call, sent, item, pure=False)) for item in batch)

    def next_result() -> U | V:
        item, future = waiting.popleft()
        outcome: U | V
        try:
            outcome = future.result()
        except failures:
            # It, or another item that waited on the same worker, ended the worker. If it ended every worker with a copy
            # of the work, the cluster cancelled all waiting items. Computing it alone shows whether it was the cause.
            others = [other for other, _ in waiting]
            client.cancel([its for _, its in waiting])
            waiting.clear()
            send_work()
            try:
                outcome = client.submit(_call, sent, item, pure=False).result()
            except failures:
                outcome = lost(item)
            send_work()
            submit(others)
        return outcome

    send_work()
    for item in items:
        submit([item])
        if len(waiting) > n_ahead:
            yield next_result()
    while waiting:
        yield next_result()


def _call(work: Callable[[T], U], item: T) -> U:
    """Compute an item on a worker, where Dask replaces the future of ``work`` by ``work`` itself."""
    return work(item)


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Processes that are started during the block ignore Ctrl-C: this process handles it and ends them.

    Otherwise each of them would print a traceback. A new process inherits the blocked signal.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    # The helper processes of loky and of Python start first; starting them would unblock the signal again.
    loky_tracker.ensure_running()
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _closed_quietly(results: Generator[U, None, None]) -> Iterator[None]:
    """Close ``results`` without joblib's warning about unfinished items, if the caller stops early with an error."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()


def _marked(work: Callable[[T], U], item: T, mark: Path) -> U:
    """Compute an item in a worker. The file ``mark`` exists meanwhile, and remains if the process is killed."""
    mark.touch()
    result = work(item)
    mark.unlink()
    return result


def map_ahead(work: Callable[[T], U], items: Iterable[T], n: int) -> Iterator[U]:
    """Yield ``work(item)`` for each item, in order; threads compute up to ``n`` more in advance."""
    if n < 1 or (isinstance(items, Sequence) and len(items) < 2):
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
