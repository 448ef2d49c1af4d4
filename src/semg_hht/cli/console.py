"""Output of the command line: notes, progress bars, tables and errors.

It knows the terminal. It does not know what is computed. Results go to standard output, everything else to standard
error, so that the output of ``--json`` can be piped.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.text import Text

import semg_hht as sh
from semg_hht import InputError
from semg_hht.cli.flags import as_flags
from semg_hht.system.progress import TrainingProgress

if TYPE_CHECKING:  # a verb loads only what it needs
    from rich.progress import Progress

    from semg_hht.recordings.jobs import Failure, Remark
    from semg_hht.verbs.training import Report
    from semg_hht.verbs.work import Work


class Terminal(Console):
    """A console that prints settings in messages of the library as flags. JSON is data and stays as it is."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(as_flags(one) if isinstance(one, str) else one for one in objects), **options)


# Plain text in notebooks too: as HTML, each print would start a new block and a line could not be continued.
out = Terminal(highlight=False, soft_wrap=True, force_jupyter=False)
err = Terminal(stderr=True, highlight=False, soft_wrap=True, force_jupyter=False)
# Of the processes that torchrun starts, only the first prints. Kubeflow sets RANK for processes that train alone.
IS_SILENT = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"

MAX_LISTED = 10
# In a log file, where no bar moves, a line says how far the work is, at most this often.
LINE_EVERY_S = 60.0
# The first training steps prepare the memory; the time of those after them is that of all others.
N_WARM_STEPS, N_TIMED_STEPS = 2, 6
LONG_S = 600.0

T = TypeVar("T")


class NoteHandler(logging.Handler):
    """Prints each log record of the library as one line."""

    def emit(self, record: logging.LogRecord) -> None:
        word, style = ("warning", "yellow") if record.levelno >= logging.WARNING else ("note", "cyan")
        err.print(f"[{style}]{word}:[/] ", end="")
        err.print(record.getMessage(), markup=False)


def listen() -> None:
    """Print what the library logs.

    Characters that the encoding of the terminal lacks are printed as ``\\u4e2d``; they do not stop the program.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    logger = logging.getLogger("semg_hht")
    logger.handlers = [NoteHandler()]
    logger.setLevel(logging.ERROR if IS_SILENT else logging.INFO)
    logger.propagate = False


def progress() -> Progress:
    """A progress bar on a terminal; nothing where standard error is a file."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=err,
        transient=True,
        disable=not err.is_terminal or IS_SILENT,
    )


def track(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    """Pass items through and show a progress bar with the remaining time; in a log file, a line a minute."""
    if total < 2 or IS_SILENT:
        yield from items
        return
    if not err.is_terminal:
        yield from _track_in_lines(items, total, label)
        return
    with progress() as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)


def _track_in_lines(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    begun = said = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if done < total and now - said >= LINE_EVERY_S:
            err.print(f"  {label}: {done} of {total}, about {duration((now - begun) / done * (total - done))} left")
            said = now


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``4 h 10 min``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class TerminalTrainingBar:
    """Progress over the training steps of a run, one line per epoch, and a note before a training of many minutes."""

    def __enter__(self) -> TerminalTrainingBar:
        self._bar = progress()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self) -> TrainingProgress:
        return TrainingProgress(self._start, self._step, self._epoch)

    def _start(self, done: int, total: int) -> None:
        self._task = self._bar.add_task("training", total=total, completed=done)
        self._n_left, self._n_steps = total - done, 0
        self._bar.start()

    def _step(self) -> None:
        self._bar.advance(self._task)
        self._n_steps += 1
        if self._n_steps == N_WARM_STEPS:
            self._timed_from = time.monotonic()
        elif self._n_steps == N_WARM_STEPS + N_TIMED_STEPS and not IS_SILENT:
            step_s = (time.monotonic() - self._timed_from) / N_TIMED_STEPS
            left_s = step_s * (self._n_left - self._n_steps)
            if left_s > LONG_S:
                note(
                    f"training takes about {duration(left_s)} on this machine; a network with --base_channels 8 "
                    "--learning_rate 0.001 needs a sixtieth of that. To change, stop with Ctrl-C and add --overwrite"
                )

    def _epoch(self, epoch: Any) -> None:
        if IS_SILENT:
            return
        err.print(
            f"  epoch {epoch.epoch:3d}   loss {epoch.train_loss:.3f}   training {epoch.train_accuracy:.2f}   "
            f"validation {epoch.validation_balanced_accuracy:.2f}"
        )
        if self._bar.tasks[self._task].finished:
            self._bar.stop()


def work(jobs_at_once: int = -1, backend: str = "loky", scheduler: str = "") -> Work:
    """How a verb works under the command line: with progress bars, and with the files left out printed."""
    from semg_hht.verbs.work import Work

    return Work(jobs_at_once, track, say_failures=list_failures, backend=backend, scheduler=scheduler)


def counted(n: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` is the plural where it is not formed with an s."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def note(text: str, *, is_warning: bool = False) -> None:
    """Print a sentence that the user should know, in one line."""
    err.print("[yellow]note:[/] " if is_warning else "[cyan]note:[/] ", end="")
    err.print(text, markup=False)


def chosen_run(checkpoint: Path | None) -> Path:
    """The run that the user named, else the one that comes with the package, with a note on what it is."""
    if checkpoint is not None:
        return checkpoint
    note(f"no --checkpoint is named. {sh.samples.about_run().description}")
    return sh.samples.RUN


def list_failures(failures: Sequence[Failure]) -> None:
    """Print the files that could not be used, and the reason for each."""
    if not failures:
        return
    err.print(f"[yellow]left out:[/] {counted(len(failures), 'file')} could not be used")
    list_first(err, failures, lambda failure: failure.reason)


def list_first(to: Console, items: Sequence[T], line: Callable[[T], str], more: str = "more") -> None:
    """Print one line for each of the first items, and how many more there are."""
    for item in items[:MAX_LISTED]:
        to.print(f"  {line(item)}", markup=False)
    if len(items) > MAX_LISTED:
        to.print(f"  and {len(items) - MAX_LISTED} {more}")


def print_json(content: Any) -> None:
    """Print JSON, with escapes where the terminal's encoding is not Unicode."""
    unicode = out.encoding.startswith("utf")
    out.print(Text(json.dumps(content, indent=2, ensure_ascii=not unicode)))


def print_line_of_json(content: Any) -> None:
    """Print JSON in one line, at once, for a program that reads line by line."""
    out.print(Text(json.dumps(content, ensure_ascii=not out.encoding.startswith("utf"))))
    out.file.flush()


def list_remarks(remarks: Iterable[Remark]) -> None:
    """Print remarks on recordings that were used. A remark that several recordings share is printed once."""
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
    """Print the scores on held-out people (or repetitions), one table per task."""
    from rich.table import Table

    for task, report in reports.items():
        # A split by repetition may have trained on other repetitions of the same people.
        of_people = f" of {counted(len(report.per_subject), 'subject')}" if split_by == "subject" else ""
        out.print(f"\n[bold]{task.replace('_', ' ')}[/], {counted(report.n, 'repetition')}{of_people} not trained on")
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
    """Print the scores of an evaluation: the network and its baselines, one table per task."""
    from rich.table import Table

    n_people = len(content["data"]["subjects"])
    for task, scored in content["tasks"].items():
        out.print(f"\n[bold]{task.replace('_', ' ')}[/], protocol {protocol}, {counted(n_people, 'subject')}")
        table = Table(box=None, padding=(0, 1))
        for column in ("method", "balanced accuracy", "95 % over people", "macro F1", "AUROC", "ECE"):
            table.add_column(column, justify="left" if column == "method" else "right", no_wrap=column == "method")
        for method, scores in {"network": scored["network"], **scored["baselines"]}.items():
            low_high, rare = scores["balanced_accuracy_interval_95"], scores["too_few_people_of"]
            area = scores["auroc"]
            table.add_row(
                method, f"{scores['balanced_accuracy']:.2f}",
                _too_few(rare) if low_high is None else f"{low_high[0]:.2f} to {low_high[1]:.2f}",
                f"{scores['macro_f1']:.2f}", "-" if area is None else f"{area:.2f}", f"{scores['ece']:.2f}",
            )  # fmt: skip
        out.print(table)
        for method, duel in scored["duel"].items():
            if duel["decides"]:
                out.print(f"  [yellow]the network {_comparison(method, duel)}[/]")
        unsure, n = scored["unsure"], scored["network"]["n"]
        if unsure is not None:
            out.print(
                f"  prediction sets contain the true class in {_share(unsure['coverage'], n)}, "
                f"promised {unsure['promise']:.0%}; {_share(unsure['share_unsure'], n)} are unsure"
            )


def _comparison(method: str, duel: dict[str, Any]) -> str:
    """How the network compares with a baseline that it is not better than."""
    interval = duel["interval_95"]
    verdict, uncertainty = "is not shown to be better than", "too few people for an interval"
    if interval is not None:
        uncertainty = f"95 % interval {interval[0]:+.2f} to {interval[1]:+.2f}"
        if interval[1] <= 0:
            verdict = "is clearly worse than" if interval[1] < 0 else "is no better than"
    return f"{verdict} {method}: difference {duel['network_is_better_by']:+.2f}, {uncertainty}"


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
    """Print an error as one sentence and exit with code 1; with ``debug``, let it pass with its traceback."""
    try:
        yield
    except KeyboardInterrupt:  # before or after the work of a verb, which `stoppable` covers
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        if debug:
            raise
        if isinstance(error, (InputError, OSError)):
            sentence = str(error)
        elif isinstance(error, MemoryError):
            sentence = f"not enough memory; use fewer --jobs, a smaller --batch_size, or --pack ({error})"
        else:
            sentence = f"{type(error).__name__}: {error} (unexpected; --debug shows where)"
        err.print("[red]error:[/] ", end="")
        err.print(sentence, markup=False)
        raise SystemExit(1) from None


@contextmanager
def stoppable(how_to_continue: str) -> Iterator[None]:
    """Stop the block on Ctrl-C or SIGTERM (from the scheduler of a cluster): one sentence, exit code 130 or 143."""
    number = signal.SIGINT

    def terminate(*_: object) -> None:
        nonlocal number
        number = signal.SIGTERM
        raise KeyboardInterrupt  # what cleans up after Ctrl-C cleans up now too

    is_main = threading.current_thread() is threading.main_thread()  # no other thread may handle signals
    before = signal.signal(signal.SIGTERM, terminate) if is_main else None
    try:
        yield
    except KeyboardInterrupt:
        err.print("[yellow]stopped:[/] ", end="")
        err.print(how_to_continue, markup=False)
        raise SystemExit(128 + number) from None
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def exit_if_strict(strict: bool, failures: Sequence[Failure]) -> None:
    """Exit with code 1 if ``strict`` and a file could not be used. The other files are done by then."""
    if strict and failures:
        raise SystemExit(1)
