"""Worker processes that the system kills or refuses memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from builders import make_dataset
from semg_hht.cli.console import one_sentence
from semg_hht.errors import InputError
from semg_hht.learning import crossvalidation
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize
from semg_hht.recordings.jobs import Failure, Job, for_each
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.system import processes as workers
from worker_fates import end_process, meet_fate, use_more_memory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills")


def jobs(n: int) -> list[Job]:
    return [Job(Path(f"r{i}.csv"), (ManifestRow(file=f"r{i}.csv"),)) for i in range(n)]


@pytest.mark.slow
def test_a_killed_worker_loses_only_its_own_recording(tmp_path: Path) -> None:
    fates = {"r2": "killed", "r5": "killed once", "r8": "refused"}
    results = list(for_each(meet_fate, jobs(12), tmp_path, fates, n_jobs=2))
    told = [result.file if isinstance(result, Failure) else result for result in results]
    assert told == ["r0", "r1", "r2.csv", "r3", "r4", "r5", "r6", "r7", "r8.csv", "r9", "r10", "r11"]
    for result in (results[2], results[8]):
        assert isinstance(result, Failure)
        assert (
            "the system ended the process that worked on it, or refused memory, even with nothing else" in result.reason
        )
    assert (tmp_path / "r2.begun").stat().st_size == 2, "once beside others, once alone"


def test_a_recording_that_is_refused_memory_in_this_process_is_listed(tmp_path: Path) -> None:
    first, second = for_each(meet_fate, jobs(2), tmp_path, {"r0": "refused"}, n_jobs=1)
    assert isinstance(first, Failure)
    assert second == "r1"


def test_too_little_memory_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_sentence(debug=False):
        raise MemoryError("unable to allocate 3 GiB")
    assert "error: not enough memory; use fewer --jobs" in capsys.readouterr().err


def test_finished_folds_are_kept_if_another_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, size = TrainingConfig(epochs=1, batch_size=8), NetworkSize(base_channels=2)
    options = FoldOptions(protocol="grouped", n_folds=2, task="action_quality", cpu=True)
    with monkeypatch.context() as lost:
        lost.setattr(crossvalidation, "map_in_processes", lambda work, folds, *_, **__: iter((work(folds[0]), None)))
        with pytest.raises(InputError, match="1 of 2 folds are done, and the same command continues with the rest"):
            cross_validate(make_dataset(), tmp_path, config, size, options, n_jobs=1)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("answers.json")}
    assert len(before) == 1
    cross_validate(make_dataset(), tmp_path, config, size, options, n_jobs=1)
    assert all(path.stat().st_ino == number for path, number in before.items()), "computed twice"


def test_processes_that_end_before_their_work_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_marked", end_process)
    with pytest.raises(InputError, match="before they begin their work, again and again; a smaller n_jobs"):
        list(workers.map_in_processes(str, range(3), 2, str, ahead_each=3))


def test_processes_that_use_more_and_more_memory_are_replaced() -> None:
    pids = list(workers.map_in_processes(use_more_memory, range(5), 2, lambda i: -i, ahead_each=6))
    assert min(pids) > 0
    assert len(set(pids)) > 2
