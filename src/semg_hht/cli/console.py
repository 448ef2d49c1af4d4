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
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from rich.console import Console
from rich.text import Text

import semg_hht as sh
from semg_hht import InputError
from semg_hht.cli.flags import as_flags
from semg_hht.system.progress import TrainingProgress
from semg_hht.verbs.alike import alike

if TYPE_CHECKING:  # a verb loads only what it needs
    from rich.progress import Progress

    from semg_hht.recordings.jobs import Failure, Remark
    from semg_hht.verbs.work import Work


class Terminal(Console):
    """A console that prints settings in messages of the library as flags. JSON is data and stays as it is."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(as_flags(one) if isinstance(one, str) else one for one in objects), **options)


# Plain text in notebooks too: as HTML, each print would start a new block and a line could not be continued. Without
# markup, which would take a part of a path in brackets for a style, and without emoji: a file named a:v:b is not a✌b,
# and the table of their names need not be loaded.
PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True, "force_jupyter": False}
out = Terminal(**PLAIN)
err = Terminal(stderr=True, **PLAIN)
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
        say(word, record.getMessage(), style=style)


def say(word: str, text: str, *, style: str) -> None:
    """Print ``word: text`` to standard error, wrapped to the width of a terminal; in a file it is one line."""
    err.print(f"{word}: ", end="", style=style)
    err.print(wrapped(err, text, first_at=len(word) + 2))


def wrapped(to: Console, text: str, *, first_at: int = 0, indent: int = 2) -> str:
    """The text in lines of at most the terminal's width, as it is where the output is a file.

    first_at : column at which the first line begins. indent : of the other lines.
    """
    text = as_flags(text)  # before it is broken into lines
    if not to.is_terminal:
        return text
    lines = textwrap.wrap(
        text, max(to.width, 40), initial_indent=" " * first_at, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join(lines)[first_at:]


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

    return Work(jobs_at_once, track, say_failures=_list_failures_of_training, backend=backend, scheduler=scheduler)


def counted(n: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` is the plural where it is not formed with an s."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def note(text: str, *, is_warning: bool = False) -> None:
    """Print a sentence that the user should know."""
    say("note", text, style="yellow" if is_warning else "cyan")


def chosen_run(checkpoint: Path | None) -> Path:
    """The run that the user named, else the one that comes with the package, with a note on what it is."""
    if checkpoint is not None:
        return checkpoint
    note(f"no --checkpoint is named. {sh.samples.about_run().description}")
    return sh.samples.RUN


SEE_ALL = "--json lists all"


def list_failures(failures: Sequence[Failure], see_all: str = SEE_ALL) -> None:
    """Print the files that could not be used: a line for each reason. ``see_all`` says what shows the rest."""
    if not failures:
        return
    say("left out", f"{counted(len(failures), 'file')} could not be used", style="yellow")
    list_alike(err, ((failure.file, failure.reason) for failure in failures), see_all)


def _list_failures_of_training(failures: Sequence[Failure]) -> None:
    list_failures(failures, "semg-hht check DATA --json lists all")


def list_alike(to: Console, told: Iterable[tuple[str, str]], see_all: str = SEE_ALL) -> None:
    """Print a line for each kind of sentence, each with its files, from pairs (file, sentence)."""
    kinds = alike(told)
    for kind in kinds[:MAX_LISTED]:
        to.print(f"  {wrapped(to, kind.line(), first_at=2, indent=4)}")
    _name_the_rest(to, len(kinds) - MAX_LISTED, any(kind.hides for kind in kinds), see_all)


def _name_the_rest(to: Console, n_more: int, is_hidden: bool, see_all: str) -> None:
    if n_more > 0:
        to.print(f"  and {n_more} more of other kinds; {see_all}")
    elif is_hidden:
        to.print(f"  {see_all}")


def list_first(to: Console, items: Sequence[T], line: Callable[[T], str], more: str = "more") -> None:
    """Print one line for each of the first items, and how many more there are."""
    for item in items[:MAX_LISTED]:
        to.print(f"  {wrapped(to, line(item), first_at=2, indent=4)}")
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


def list_remarks(remarks: Iterable[Remark], see_all: str = SEE_ALL) -> None:
    """Print remarks on recordings that were used, one note a kind: a channel that is clipped in 30 files is one."""
    kinds = alike((remark.file, remark.text) for remark in remarks)
    for kind in kinds[:MAX_LISTED]:
        say("note", kind.line(), style="yellow")
    _name_the_rest(err, len(kinds) - MAX_LISTED, any(kind.hides for kind in kinds), see_all)


@contextmanager
def one_sentence(*, debug: bool, as_json: bool = False) -> Iterator[None]:
    """Print an error as one sentence and exit with code 1; with ``debug``, let it pass with its traceback.

    as_json : print ``{"error": ...}`` to standard output too, for the program that reads the result there.
    """
    try:
        yield
    except VerbStopped as stopped:
        fail(stopped.how_to_continue, 128 + stopped.signal, as_json=as_json, word="stopped", style="yellow")
    except KeyboardInterrupt:  # before or after the work of a verb, which `stoppable` covers
        fail("no half-written file is left", 128 + signal.SIGINT, as_json=as_json, word="stopped", style="yellow")
    except Exception as error:
        if debug:
            raise
        if isinstance(error, (InputError, OSError)):
            sentence = str(error)
        elif isinstance(error, MemoryError):
            sentence = f"not enough memory; use fewer --jobs, a smaller --batch_size, or --pack ({error})"
        else:
            sentence = f"{type(error).__name__}: {error} (unexpected; --debug shows where)"
        fail(sentence, 1, as_json=as_json)


def fail(sentence: str, code: int, *, as_json: bool, word: str = "error", style: str = "red") -> NoReturn:
    """Print why the program ends, and end it with this exit code."""
    if as_json:
        print_line_of_json({word: as_flags(sentence)})
    say(word, sentence, style=style)
    raise SystemExit(code) from None


class VerbStopped(Exception):
    """The work of a verb was stopped by a signal; ``how_to_continue`` is a sentence for the user."""

    def __init__(self, how_to_continue: str, number: int) -> None:
        super().__init__(how_to_continue)
        self.how_to_continue, self.signal = how_to_continue, number


@contextmanager
def stoppable(how_to_continue: str) -> Iterator[None]:
    """Stop the block on Ctrl-C or SIGTERM (from the scheduler of a cluster) with `VerbStopped`."""
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
        raise VerbStopped(how_to_continue, number) from None
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def exit_if_strict(strict: bool, failures: Sequence[Failure]) -> None:
    """Exit with code 1 if ``strict`` and a file could not be used. The other files are done by then."""
    if strict and failures:
        raise SystemExit(1)
