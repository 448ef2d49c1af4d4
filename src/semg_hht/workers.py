"""Who does the work: processes on this machine, a Dask cluster, or threads that read ahead.

Knows joblib's backends: nothing of what the work is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from semg_hht.errors import InputError

P = TypeVar("P", Path, Path | None)
T = TypeVar("T")
U = TypeVar("U")

BACKENDS = ("loky", "threading", "dask")
N_READERS = 2  # threads: reading a matrix is unpacking it, which lets other threads run


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
        An unknown backend, Dask not installed, a scheduler that doesn't answer, or one named without ``dask``.
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
    with client, joblib.parallel_config(backend="dask"):
        yield


def seen_by_workers(backend: str, path: P) -> P:
    """A path as workers elsewhere must be told it: a cluster's have working folders of their own."""
    return path.absolute() if path is not None and backend == "dask" else path


def ahead(work: Callable[[T], U], items: Sequence[T], n: int) -> Iterator[U]:
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
