"""Train a run from the labelled recordings of a visit, by `semg-hht train` in a process of its own.

It writes the table, watches the files of the run for progress, and says how right the run is on new people. It does not
know networks.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.uploads import without_folder
from semg_hht.web.visit import BackgroundJob, Stopped, Visit

log = logging.getLogger(__name__)

MIN_PEOPLE = 3  # one to train on, one to choose the epoch, one to score
MIN_CLASSES = 2
GOOD_PEOPLE = 20  # with so many, the interval of the score is narrow enough to be of use
# Of the run that comes with the package: a small network in few epochs, which the recipe `auto` joins with measures.
SETTINGS = ("--recipe", "auto", "--base_channels", "4", "--epochs", "8", "--learning_rate", "0.001")
N_EPOCHS = 8
PREPARED = 0.1  # share of the whole that is shown when the matrices are made
# What follows the epochs, in durations of one: networks of half of the people, the choice of a method, and the scores.
N_AFTER = 6.0
POLL_S = 0.2
STOP_WAIT_S = 15.0  # from the signal to the end of the process
LIMIT_S = 6 * 3600.0


@dataclass(frozen=True)
class LabelledRepetitions:
    """The labelled repetitions of a visit. people : person -> classes. n_nameless : labelled files without a person."""

    rows: tuple[ManifestRow, ...]
    people: dict[str, set[str]]
    n_nameless: int

    @property
    def n_people(self) -> int:
        return len(self.people)

    @property
    def n_repetitions(self) -> int:
        return len(self.rows)

    @property
    def classes(self) -> Counter[str]:
        """Class -> number of people who show it."""
        return Counter(name for names in self.people.values() for name in names)


def labelled(visit: Visit) -> LabelledRepetitions:
    rows: list[ManifestRow] = []
    people: dict[str, set[str]] = {}
    n_nameless = 0
    for file in visit.files.values():
        own = [row for row in file.manifest_rows() if row.movement] if file.rows else []
        if own and not file.about.person:
            n_nameless += 1
        elif own:
            rows += [replace(row, gender="", extra={}) for row in own]
            people.setdefault(file.about.person, set()).update(row.movement for row in own)
    return LabelledRepetitions(tuple(rows), people, n_nameless)


def missing(found: LabelledRepetitions) -> Problem | None:
    """What training needs and is not there yet."""
    if found.n_people < MIN_PEOPLE:
        if found.n_nameless:
            return Problem("app_needs_persons", {"n": found.n_nameless})
        return Problem("app_needs_people", {"found": found.n_people, "least": MIN_PEOPLE,
                                            "more": MIN_PEOPLE - found.n_people})  # fmt: skip
    if len(found.classes) < MIN_CLASSES:
        return Problem("app_needs_classes", {"found": next(iter(found.classes), "–")})
    return None


def require_enough(found: LabelledRepetitions) -> None:
    """Raise `Refused` with what training needs and is not there yet."""
    problem = missing(found)
    if problem is not None:
        raise Refused(problem.name, **problem.values)


def train(visit: Visit, job: BackgroundJob, *, resume: bool = False) -> Path:
    """Train until the run is complete, and return its folder.

    Raises
    ------
    Refused
        Labels are missing, or training failed; it says why.
    Stopped
        The visitor stopped it; the run can be resumed.
    """
    with visit.lock:
        found = labelled(visit)
    require_enough(found)
    folder = visit.folder / "train"
    folder.mkdir(exist_ok=True)
    table, run, printed = visit.recordings / ".train.csv", folder / "run", folder / "output.txt"
    if not (resume and table.is_file()):
        table.write_text(manifest_text(found.rows), encoding="utf-8")
    scores = run / "metrics.json"
    scores.unlink(missing_ok=True)  # of an earlier run; it is written last, and says that this one is complete
    how = "--resume" if resume and (run / "last").is_dir() else "--overwrite"
    # An error is printed with its traceback (--debug): as a sentence alone, it would name flags of the command line.
    command = [sys.executable, "-m", "semg_hht", "train", "--debug", "--manifest", str(table),
               "--checkpoint_dir", str(run), "--task", "action_quality", *SETTINGS, how]  # fmt: skip
    try:
        with printed.open("wb") as output:
            _watch(command, output, scores, job)
    except Stopped:
        if not scores.is_file():
            raise  # else it was complete before it could be stopped
    if not scores.is_file():
        raise _failure(printed.read_text("utf-8", errors="replace"), visit)
    return run


def _watch(command: Sequence[str], output: Any, scores: Path, job: BackgroundJob) -> None:
    """Run the process until the run is complete, or it ends or is stopped, and tell how far it is."""
    run = scores.parent
    progress = _Progress(run, time.time())
    temporary = {"TMPDIR": str(run.parent)}  # what a process that is killed leaves goes with the visit
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               start_new_session=True, env=os.environ | temporary)  # fmt: skip
    try:
        # Complete, it would go on to draw pictures, which nobody sees here.
        while process.poll() is None and not scores.is_file():
            progress.tell(job)
            if job.stopping.wait(POLL_S) or time.time() - progress.begun_s > LIMIT_S:
                raise Stopped
    finally:
        end_process(process, at_once=job.is_abandoned or scores.is_file())


def end_process(process: subprocess.Popen[bytes], *, at_once: bool = False) -> None:
    """End a process and those that it started, and wait for them; unless ``at_once``, it may save what it has done."""
    if process.poll() is None and not at_once:
        process.terminate()  # a page that a shell started in the background does not hear Ctrl-C, nor do its children
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WAIT_S)
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # processes that the training started
    process.wait()


@dataclass
class _Progress:
    """How far a training is, from the files that it writes: settings, one line for each epoch.

    n_before : epochs that were done when it began; None: it has not begun.
    """

    run: Path
    begun_s: float
    n_before: int | None = None

    def tell(self, job: BackgroundJob) -> None:
        """Set the stage and the share; the remaining time, once an epoch has been measured and while it is not up."""
        history, config, now_s = self.run / "history.jsonl", self.run / "config.json", time.time()
        if not config.is_file() or config.stat().st_mtime < self.begun_s - 1:
            elapsed_s = now_s - self.begun_s
            job.share, job.stage = PREPARED * elapsed_s / (elapsed_s + 20.0), Problem("app_stage_prepare")
            return
        n_done = len(history.read_bytes().splitlines()) if history.is_file() else 0
        self.n_before = n_done if self.n_before is None else self.n_before
        job.stage = Problem("app_stage_choose")
        if n_done < N_EPOCHS:
            job.stage = Problem("app_stage_train", {"done": n_done, "all": N_EPOCHS})
        job.share, job.remaining_s = max(job.share, PREPARED), None
        if n_done > self.n_before:
            since_s = now_s - history.stat().st_mtime
            epoch_s = (history.stat().st_mtime - config.stat().st_mtime) / (n_done - self.n_before)
            left_s = epoch_s * (N_EPOCHS + N_AFTER - n_done) - since_s
            whole_s = epoch_s * (N_EPOCHS + N_AFTER - self.n_before)
            job.remaining_s = left_s if left_s > 0 else None
            job.share = max(job.share, min(0.99, 1 - (1 - PREPARED) * left_s / whole_s))


def _failure(printed: str, visit: Visit) -> Refused:
    """Why a training ended early, from the last error that it printed, without folders of the server."""
    found = re.findall(r"^([\w.]*Error|semg_hht\.errors\.\w+)(?:: (.*))?$", printed, re.MULTILINE)
    kind, text = found[-1] if found else ("", "")
    if kind.startswith("semg_hht.errors.") or kind == "OSError":
        said = without_folder(without_folder(text[:500], visit.recordings), visit.folder)
        return Refused("app_train_failed", said=said)
    log.error("the work %s in the background failed; it printed: %s", "train", printed.strip())
    return Refused("app_no_memory" if "Memory" in kind else "app_failed")


def score_of(run: Path, n_people: int) -> Problem:
    """How right the run is on people it was not trained on, and what is missing for a firmer answer."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    task = next(iter(metrics["test"]))
    report, chosen = metrics["test"][task], metrics["chosen"].get(task)
    score, interval, n_held = (
        report["balanced_accuracy"],
        report["balanced_accuracy_interval_95"],
        len(report["per_subject"]),
    )
    chance = 1 / max(1, len(report["per_class"]))
    values: dict[str, Any] = {"people": n_people, "held": n_held, "right": f"{score:.0%}", "chance": f"{chance:.0%}"}
    if interval is None:
        how_sure = Problem("app_score_alone")
    else:
        how_sure = Problem("app_score_interval", {"low": f"{interval[0]:.0%}", "high": f"{interval[1]:.0%}"})
    left_out = Problem("app_score_nothing")
    if chosen:
        right = f"{chosen['scores'][chosen['name']]:.0%}"
        left_out = Problem("app_score_left_out", {"n": chosen["n_people"], "right": right})
    more = max(0, GOOD_PEOPLE - n_people)
    advice = Problem("app_score_more", {"more": more}) if more else Problem("app_score_enough")
    return Problem("app_score", values | {"how_sure": how_sure, "left_out": left_out, "advice": advice})
