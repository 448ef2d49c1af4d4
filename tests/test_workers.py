"""workers.py: who does the work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from making import noise
from semg_hht.errors import InputError
from semg_hht.pipeline import configure
from semg_hht.prepare import prepare
from semg_hht.signals.recording import write_recording
from semg_hht.sources import find_jobs
from semg_hht.workers import ahead, workers

CONFIG = configure(band_hz=(20, 200))


def test_an_unknown_backend_is_refused() -> None:
    with (
        pytest.raises(InputError, match="one of loky, threading, dask; got 'spark'"),
        workers("spark"),
    ):
        pass


def test_a_scheduler_goes_with_dask() -> None:
    with pytest.raises(InputError, match="--scheduler goes with --backend dask"), workers("loky", "tcp://localhost:1"):
        pass


def test_dask_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'semg-hht\[dask\]'"), workers("dask"):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_a_cluster_of_two_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    for number in range(4):
        write_recording(noise(seed=number), tmp_path / f"r{number}.npz")
    prepare(find_jobs(tmp_path), tmp_path / "here", CONFIG, n_jobs=1)
    jobs = [job for job in find_jobs(tmp_path) if job.path.parent == tmp_path]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        with workers("dask", cluster.scheduler_address):
            done = prepare(jobs, tmp_path / "there", CONFIG)
        done_there = {entry[0] for entry in cluster.scheduler.transition_log if entry[1:3] == ("processing", "memory")}
    assert done_there  # the work was the cluster's
    assert done.n_recordings == 4
    here = {path.name: path.read_bytes() for path in (tmp_path / "here" / "hht_matrices").iterdir()}
    assert here == {path.name: path.read_bytes() for path in (tmp_path / "there" / "hht_matrices").iterdir()}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(InputError, match="no Dask scheduler answers at tcp://127.0.0.1:9; Timed out"):  # noqa: SIM117
        with workers("dask", "tcp://127.0.0.1:9"):
            pass


@pytest.mark.parametrize("n", [0, 1, 4])
def test_reading_ahead_keeps_the_order_and_its_bounds(n: int) -> None:
    done: list[int] = []

    def work(item: int) -> int:
        done.append(item)
        return -item

    found = []
    for result in ahead(work, range(30), n):
        found.append(result)
        assert len(done) <= len(found) + n
    assert found == [-i for i in range(30)]


def test_an_error_while_reading_ahead_is_raised_where_it_belongs() -> None:
    results = ahead(lambda item: 1 // item, (1, 0, 1), 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
