"""How the command line speaks: notes, progress bars, tables.

Knows the terminal: nothing of what is computed. Results go to standard output, all else to standard error, so that
``--json`` can be piped.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from semg_hht.errors import InputError
from semg_hht.system.progress import TrainingProgress

if TYPE_CHECKING:  # only what a verb needs is loaded, where it needs it
    from rich.progress import Progress

    from semg_hht.evaluation.metrics import Report
    from semg_hht.recordings.jobs import Failure, Remark

# In a notebook plain text: a block of HTML a print would part a line from its beginning.
out = Console(highlight=False, soft_wrap=True, force_jupyter=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, force_jupyter=False)
HELPS = os.environ.get("RANK", "0") != "0"  # of several processes that torchrun started, one speaks

MAX_LISTED = 10

T = TypeVar("T")


class NoteHandler(logging.Handler):
    """What the library logs, as one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        word, style = ("warning", "yellow") if record.levelno >= logging.WARNING else ("note", "cyan")
        err.print(f"[{style}]{word}:[/] ", end="")
        err.print(record.getMessage(), markup=False)


def listen() -> None:
    """Show the library's notes; what a terminal's encoding lacks stands as ``\\u4e2d``, and ends nothing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    logger = logging.getLogger("semg_hht")
    logger.handlers = [NoteHandler()]
    logger.setLevel(logging.ERROR if HELPS else logging.INFO)
    logger.propagate = False


def progress() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=err,
        transient=True,
        disable=not err.is_terminal or HELPS,  # a log file gets the lines, not the bar
    )


def track(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    """Pass items through under a bar with the time that remains."""
    if total < 2:
        yield from items
        return
    with progress() as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)


class TrainingBar:
    """Progress over the steps of a run, and a line an epoch."""

    def __enter__(self) -> TrainingBar:
        self._bar = progress()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self) -> TrainingProgress:
        return TrainingProgress(self._start, self._step, self._epoch)

    def _start(self, done: int, total: int) -> None:
        self._task = self._bar.add_task("training", total=total, completed=done)
        self._bar.start()

    def _step(self) -> None:
        self._bar.advance(self._task)

    def _epoch(self, epoch: Any) -> None:
        if HELPS:
            return
        err.print(
            f"  epoch {epoch.epoch:3d}   loss {epoch.train_loss:.3f}   training {epoch.train_accuracy:.2f}   "
            f"validation {epoch.validation_balanced_accuracy:.2f}"
        )
        if self._bar.tasks[self._task].finished:
            self._bar.stop()


def counted(n: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` where an s is not enough."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def list_failures(failures: Iterable[Failure]) -> None:
    failures = list(failures)
    if not failures:
        return
    err.print(f"[yellow]left out:[/] {counted(len(failures), 'file')} could not be used")
    list_first(err, failures, lambda failure: failure.reason)


def list_first(to: Console, items: Sequence[T], line: Callable[[T], str], more: str = "more") -> None:
    """A line each of the first, and how many more there are."""
    for item in items[:MAX_LISTED]:
        to.print(f"  {line(item)}", markup=False)
    if len(items) > MAX_LISTED:
        to.print(f"  and {len(items) - MAX_LISTED} {more}")


def print_json(content: Any) -> None:
    unicode = out.encoding.startswith("utf")
    out.print(json.dumps(content, indent=2, ensure_ascii=not unicode), markup=False)


def list_remarks(remarks: Iterable[Remark]) -> None:
    """What a person should know of recordings that were used; what holds for several of them is said once."""
    files: dict[str, list[str]] = {}
    for remark in remarks:
        files.setdefault(remark.text, []).append(remark.file)
    for text, of_files in list(files.items())[:MAX_LISTED]:
        others = f" and {counted(len(of_files) - 1, 'other')}" if len(of_files) > 1 else ""
        err.print("[yellow]note:[/] ", end="")
        err.print(f"{of_files[0]}{others}: {text}", markup=False)
    if len(files) > MAX_LISTED:
        err.print(f"  and {counted(len(files) - MAX_LISTED, 'more note')}; --json lists all")


def show_reports(reports: dict[str, Report], split_by: str) -> None:
    """Scores on people (or repetitions) not trained on, a table a task."""
    from rich.table import Table

    for task, report in reports.items():
        who = f"{counted(len(report.per_subject), split_by)} not trained on"
        out.print(f"\n[bold]{task.replace('_', ' ')}[/], {counted(report.n, 'repetition')} of {who}")
        out.print(f"  balanced accuracy {_with_interval(report, 'balanced_accuracy')}")
        out.print(f"  accuracy          {_with_interval(report, 'accuracy')}")
        table = Table(box=None, padding=(0, 2))
        for column in ("class", "precision", "recall", "F1", "n"):
            table.add_column(column, justify="left" if column == "class" else "right")
        for name, scores in report.per_class.items():
            numbers = (f"{scores[key]:.2f}" for key in ("precision", "recall", "f1"))
            table.add_row(name, *numbers, str(int(scores["support"])))
        out.print(table)


def show_findings(protocol: str, content: dict[str, Any]) -> None:
    """Scores of an evaluation: the network beside its baselines, a table a task."""
    from rich.table import Table

    n_people = len(content["data"]["subjects"])
    for task, found in content["tasks"].items():
        out.print(f"\n[bold]{task.replace('_', ' ')}[/], protocol {protocol}, {counted(n_people, 'subject')}")
        table = Table(box=None, padding=(0, 1))
        for column in ("method", "balanced accuracy", "95 % over people", "macro F1", "AUROC", "ECE"):
            table.add_column(column, justify="left" if column == "method" else "right", no_wrap=column == "method")
        for method, scores in {"network": found["network"], **found["baselines"]}.items():
            low_high, rare = scores["balanced_accuracy_interval_95"], scores["too_few_people_of"]
            area = scores["auroc"]
            table.add_row(
                method, f"{scores['balanced_accuracy']:.2f}",
                _too_few(rare) if low_high is None else f"{low_high[0]:.2f} to {low_high[1]:.2f}",
                f"{scores['macro_f1']:.2f}", "-" if area is None else f"{area:.2f}", f"{scores['ece']:.2f}",
            )  # fmt: skip
        out.print(table)
        for method, duel in found["duel"].items():
            if duel["decides"]:
                out.print(f"  [yellow]the network {_shown(method, duel)}[/]")
        unsure, n = found["unsure"], found["network"]["n"]
        if unsure is not None:
            out.print(
                f"  sets of answers hold the true one in {_share(unsure['coverage'], n)}, "
                f"promised {unsure['promise']:.0%}; unsure are {_share(unsure['share_unsure'], n)}"
            )


def _shown(method: str, duel: dict[str, Any]) -> str:
    """What a difference from a baseline shows that is not one in favour of the network."""
    interval = duel["interval_95"]
    said = "is not shown to be better than"
    if interval is not None and interval[1] <= 0:
        said = "is clearly worse than" if interval[1] < 0 else "is no better than"
    between = (
        "too few people for an interval"
        if interval is None
        else f"95 % interval {interval[0]:+.2f} to {interval[1]:+.2f}"
    )
    return f"{said} {method}: difference {duel['network_is_better_by']:+.2f}, {between}"


def _share(value: float, n: int) -> str:
    return f"{value:.0%} ({round(value * n)} of {n})"


def _too_few(classes: Sequence[str]) -> str:
    return f"too few people of {', '.join(classes)}" if classes else "too few people"


def _with_interval(report: Report, score: str) -> str:
    value, interval = getattr(report, score), getattr(report, f"{score}_interval")
    counts = f" ({round(value * report.n)} of {report.n})" if score == "accuracy" else ""
    if interval is None:
        return f"{value:.2f}{counts}  ({_too_few(report.too_few_people_of)} for an interval)"
    return f"{value:.2f}{counts}  (95 % interval over people {interval.low:.2f} to {interval.high:.2f})"


@contextmanager
def one_sentence(*, debug: bool) -> Iterator[None]:
    """An error becomes one sentence and exit code 1; with ``debug`` it keeps its traceback."""
    try:
        yield
    except KeyboardInterrupt:  # before or after a verb's work
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        if debug:
            raise
        if isinstance(error, (InputError, OSError)):
            said = str(error)
        elif isinstance(error, MemoryError):
            said = f"there is not enough memory; fewer --jobs, a smaller --batch_size or --pack need less ({error})"
        else:
            said = f"{type(error).__name__}: {error} (unexpected; --debug shows where)"
        err.print("[red]error:[/] ", end="")
        err.print(said, markup=False)
        raise SystemExit(1) from None


@contextmanager
def stoppable(how_to_go_on: str) -> Iterator[None]:
    """Ctrl-C, or the SIGTERM of a cluster's scheduler, ends the block with a sentence and exit code 130 or 143."""
    number = signal.SIGINT

    def terminate(*_: object) -> None:
        nonlocal number
        number = signal.SIGTERM
        raise KeyboardInterrupt  # so that whatever cleans up after Ctrl-C does it now, too

    in_charge = threading.current_thread() is threading.main_thread()  # no other thread may ask for signals
    before = signal.signal(signal.SIGTERM, terminate) if in_charge else None
    try:
        yield
    except KeyboardInterrupt:
        err.print("[yellow]stopped:[/] ", end="")
        err.print(how_to_go_on, markup=False)
        raise SystemExit(128 + number) from None
    finally:
        if in_charge:
            signal.signal(signal.SIGTERM, before)


def exit_if_strict(strict: bool, failures: Sequence[Failure]) -> None:
    """With ``--strict`` a file that had to be left out is an error, once the others are done."""
    if strict and failures:
        raise SystemExit(1)
