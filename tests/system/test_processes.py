"""Work in processes, on a Dask cluster and in threads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builders import make_dataset, noise, write_dataset
from fault_injection import LOADED_BY_TRAINING
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.recordings.recording import write_recording
from semg_hht.system.processes import map_ahead, map_in_processes, workers
from worker_fates import end_process_at_two


def run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0


def on_dask(test: Any) -> Any:
    """Mark a test as slow and ignore Dask's own warnings."""
    ignored = pytest.mark.filterwarnings(*(f"ignore::{name}Warning" for name in ("Resource", "Deprecation", "Runtime")))
    return pytest.mark.slow(ignored(test))


def test_an_unknown_backend_is_refused() -> None:
    with (
        pytest.raises(InputError, match="one of loky, threading, dask; got 'spark'"),
        workers("spark"),
    ):
        pass


def test_a_scheduler_goes_with_dask() -> None:
    with (
        pytest.raises(InputError, match="scheduler=... goes with backend='dask'"),
        workers("loky", "tcp://localhost:1"),
    ):
        pass


def test_dask_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'semg-hht\[dask\]'"), workers("dask"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="has no signal masks")
def test_workers_leave_ctrl_c_to_this_process() -> None:
    """In a process of its own, whose helper processes do not run yet: starting them unblocks the signal."""
    code = """if True:
        import functools, signal
        from semg_hht.system.processes import map_in_processes
        blocked = functools.partial(signal.pthread_sigmask, signal.SIG_BLOCK)
        for mask in map_in_processes(blocked, [(), ()], 2, str, ahead_each=2):
            assert signal.SIGINT in mask, mask
        assert signal.SIGINT not in blocked(())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_as_the_workers_start_closes_what_they_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise joblib warns of it as the program ends."""
    closed: list[bool] = []

    class Results:
        def close(self) -> None:
            closed.append(True)

    @contextmanager
    def pressed() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr("joblib.Parallel", lambda **_: lambda _: Results())
    monkeypatch.setattr("semg_hht.system.processes.ctrl_c_blocked", pressed)
    with pytest.raises(KeyboardInterrupt):
        next(map_in_processes(str, [1, 2], 2, str, ahead_each=1))
    assert closed == [True]


@pytest.mark.parametrize("n", [0, 1, 4])
def test_reading_ahead_keeps_the_order_and_its_bounds(n: int) -> None:
    done: list[int] = []

    def work(item: int) -> int:
        done.append(item)
        return -item

    found = []
    for result in map_ahead(work, range(30), n):
        found.append(result)
        assert len(done) <= len(found) + n
    assert found == [-i for i in range(30)]


def test_an_error_while_reading_ahead_is_raised_at_its_item() -> None:
    results = map_ahead(lambda item: 1 // item, (1, 0, 1), 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def distributed() -> Any:
    return pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Any]:
    """Its processes are forks of one that has loaded torch, which takes each of them seconds."""
    found = distributed()
    import dask

    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        context = found.utils.get_mp_context()
        context.set_forkserver_preload(["distributed", "semg_hht.learning.crossvalidation", *LOADED_BY_TRAINING])
        with found.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1"
        ) as running:
            yield running


@pytest.fixture
def cluster(shared_cluster: Any) -> Any:
    """Two workers and no task yet."""
    with distributed().Client(shared_cluster) as client:
        client.wait_for_workers(2)
    shared_cluster.scheduler.transition_log.clear()
    return shared_cluster


def done_by(cluster: Any) -> set[str]:
    """Names of the tasks that the cluster has computed."""
    return {str(entry[0]) for entry in cluster.scheduler.transition_log if entry[1:3] == ("processing", "memory")}


@on_dask
def test_a_cluster_of_two_workers_prepares_the_same_bytes(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # workers have other working directories
    for number in range(4):
        write_recording(noise(seed=number), tmp_path / "recordings" / f"r{number}.npz")
    command = ["prepare", "recordings", "--band", "20", "200"]
    run([*command, "--out", "here", "--jobs", "1"])
    run([*command, "--out", "there", "--backend", "dask", "--scheduler", cluster.scheduler_address])
    assert done_by(cluster)
    here = {path.name: path.read_bytes() for path in (tmp_path / "here" / "hht_matrices").iterdir()}
    assert len(here) == 4
    assert here == {path.name: path.read_bytes() for path in (tmp_path / "there" / "hht_matrices").iterdir()}


@on_dask
@pytest.mark.parametrize("pack", [(), ("--pack", "pack")])
def test_a_cluster_evaluates_as_one_process_does(
    tmp_path: Path, cluster: Any, pack: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sent, scatter = [], distributed().Client.scatter
    monkeypatch.setattr(
        distributed().Client, "scatter", lambda client, work, **how: sent.append(work) or scatter(client, work, **how)
    )
    write_dataset(make_dataset(n_subjects=6, n_repetitions=1), tmp_path / "data")
    size = ["--epochs", "1", "--batch_size", "8", "--base_channels", "2", "--num_encoder_layers", "2", "--cpu"]
    command = ["evaluate", "--data_dir", "data", "--protocol", "grouped", "--folds", "2", *size, *pack]
    run([*command, "--out", "here", "--jobs", "1"])
    run([*command, "--out", "there", "--backend", "dask", "--scheduler", cluster.scheduler_address])
    # Each fold is one task, including its scikit-learn fits. The matrices are sent separately, once.
    assert [name.split("-")[0] for name in done_by(cluster)] == ["_call"] * 2
    assert len(sent) == 1
    told = {path.parent.name: path.read_bytes() for path in Path("here").glob("grouped/folds/*/answers.json")}
    assert len(told) == 2
    assert told == {path.parent.name: path.read_bytes() for path in Path("there").glob("grouped/folds/*/answers.json")}


@on_dask
@pytest.mark.parametrize("allowed_failures", [0, 3])
def test_an_item_that_kills_its_worker_is_lost_alone(cluster: Any, allowed_failures: int) -> None:
    """With Dask's default of 3 all workers end one after the other, and the scattered work with the last."""
    cluster.scheduler.allowed_failures = allowed_failures
    with workers("dask", cluster.scheduler_address):
        items = (1, 2, 3, 4, 5, 6)  # all at once: some wait on the worker that ends
        results = map_in_processes(end_process_at_two, items, -1, lambda item: f"lost {item}", ahead_each=3)
        assert list(results) == [1, "lost 2", 3, 4, 5, 6]


@on_dask
def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed(), "Client", refuse)
    with pytest.raises(InputError, match="no Dask scheduler answers at tcp://127.0.0.1:9; Timed out"):  # noqa: SIM117
        with workers("dask", "tcp://127.0.0.1:9"):
            pass


@on_dask
def test_a_cluster_without_workers_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.system.processes.WAIT_S", 1)
    with (
        distributed().LocalCluster(n_workers=0, dashboard_address=":0", host="127.0.0.1") as empty,
        pytest.raises(InputError, match="had no worker within 1 s"),
        workers("dask", empty.scheduler_address),
    ):
        pass
