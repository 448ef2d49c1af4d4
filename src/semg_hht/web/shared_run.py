"""The run that all visitors share: the steps of a visit that need it, for one visitor at a time.

It does not know the page or browsers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.inference.description import SIMULATED_NOTE
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.run import Run
from semg_hht.web import visit as steps
from semg_hht.web.repetition_table import Problem
from semg_hht.web.uploads import UploadedRecording, read_uploads
from semg_hht.web.view import RunInfo, ShippedFacts
from semg_hht.web.visit import Visit


@dataclass
class Desk:
    """The run of a page and what it needs to answer.

    run : None until there is one.
    practice : whether the run was trained on simulated people, also where the run itself does not say so.
    config : how recordings are prepared where no run states it.
    make_run : makes a run where there is none; it reports a share and a label of its progress.
    sample : a recording that a visitor without files may open.
    shipped : what the page says about the run that comes with the package; ``open_shipped`` opens it where there is no
        run, and ``is_shipped`` states that it answers.
    """

    run: Run | None
    name: str = ""
    practice: bool = False
    references: Path | None = None
    config: PipelineConfig | None = None
    make_run: Callable[[Callable[[float, str], None]], Run] | None = None
    sample: Path | None = None
    shipped: ShippedFacts | None = None
    open_shipped: Callable[[], Run] | None = None
    is_shipped: bool = False
    making: threading.Lock = field(default_factory=threading.Lock)
    answering: threading.Lock = field(default_factory=threading.Lock)  # one answer at a time: each takes much memory
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def run_info(self) -> RunInfo:
        if self.run is None:
            return RunInfo(None, practice=False, shipped=self.shipped)
        practice = self.practice or self.run.description.note == SIMULATED_NOTE
        shipped = self.shipped if self.is_shipped else None
        chosen = {task: chosen.name for task, chosen in self.run.description.chosen.items()}
        return RunInfo(self.name, practice, tuple(self.run.classes), shipped, chosen)

    @property
    def preparation(self) -> PipelineConfig:
        of_run = None if self.run is None else self.run.recording_config
        return of_run or self.config or PipelineConfig()

    def receive(self, visit: Visit, uploads: Sequence[Path], rate_hz: float | None, units: str) -> Visit:
        return steps.receive(replace(visit, rate_hz=rate_hz, units=units), uploads, self.preparation)

    def read_again(self, visit: Visit, rate_hz: float | None, units: str) -> Visit:
        return steps.read_again(visit, rate_hz, units, self.preparation)

    @cached_property
    def sample_recorded(self) -> UploadedRecording | None:
        """The sample recording with its repetitions, read once for all visitors."""
        if self.sample is None:
            return None
        files, _ = read_uploads([self.sample], None, "", self.preparation.filter)
        return files[0].recorded

    def open_sample(self, visit: Visit) -> Visit:
        return visit if self.sample is None else self.receive(visit, [self.sample], None, "")

    def look_closer(self, visit: Visit) -> Visit:
        """Show the session card of the file and channel on display, where there are answers."""
        if self.run is None or visit.answered is None:
            return visit
        with self.answering:
            return steps.look_closer(visit, self.run, self.references)

    def answer(self, visit: Visit, gender: bool) -> Visit:
        visit = replace(visit, gender=gender)
        if self.run is None:
            return visit
        with self.answering:
            return steps.answer(visit, self.run, self.references)

    def look_why(self, visit: Visit, number: int) -> Visit:
        if self.run is None:
            return visit
        with self.answering:
            return steps.look_why(visit, self.run, number, self.references)

    def make(self, progress: Callable[[float, str], None]) -> tuple[Problem, ...]:
        """Make a run, unless there is one by now; the reason where it can't be made."""

        def report(share: float, label: str) -> None:
            if self.closing.is_set():
                raise InputError("the page is being closed")
            progress(share, label)

        with self.making:
            if self.run is None and self.make_run is not None and not self.closing.is_set():
                try:
                    self.run = self.make_run(report)
                    self.practice = True
                except InputError as error:
                    return (Problem("app_says", {"said": str(error)}),)
        return ()

    def take_shipped(self) -> tuple[Problem, ...]:
        """Answer with the run that comes with the package, unless there is a run by now."""
        with self.making:
            if self.run is None and self.open_shipped is not None:
                try:
                    self.run, self.is_shipped = self.open_shipped(), True
                except InputError as error:
                    return (Problem("app_says", {"said": str(error)}),)
        return ()

    def close(self) -> None:
        """Stop making a run and wait until it is stopped: its folder is about to be removed."""
        self.closing.set()
        with self.making:
            pass


def tracked(report: Callable[[float, str], None], start: float, stop: float) -> Callable[..., Iterator[Any]]:
    """A `Track` that reports work on items as a share of the whole, from ``start`` to ``stop``."""

    def track(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        for done, item in enumerate(items):
            report(start + (stop - start) * done / max(1, total), label)
            yield item

    return track
