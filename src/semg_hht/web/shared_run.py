"""The run that answers everybody: the steps of a visit that need it, one visitor at a time.

Knows runs and how recordings are prepared for them: nothing of pages or browsers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.run import Run
from semg_hht.web import visit as steps
from semg_hht.web.repetition_table import Problem
from semg_hht.web.view import RunInfo
from semg_hht.web.visit import Visit


@dataclass
class Desk:
    """``make_run`` makes a run where there is none."""

    run: Run | None
    name: str = ""
    practice: bool = False
    references: Path | None = None
    config: PipelineConfig | None = None  # of recordings that no run says how to prepare
    make_run: Callable[[Callable[[float, str], None]], Run] | None = None
    making: threading.Lock = field(default_factory=threading.Lock)
    answering: threading.Lock = field(default_factory=threading.Lock)  # each answer takes much memory
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def run_info(self) -> RunInfo:
        if self.run is None:
            return RunInfo(None, practice=False)
        return RunInfo(self.name, self.practice, tuple(self.run.classes))

    @property
    def preparation(self) -> PipelineConfig:
        known = None if self.run is None else self.run.recording_config
        return known or self.config or PipelineConfig()

    def receive(self, visit: Visit, uploads: Sequence[Path], rate_hz: float | None, units: str) -> Visit:
        return steps.receive(replace(visit, rate_hz=rate_hz, units=units), uploads, self.preparation)

    def read_again(self, visit: Visit, rate_hz: float | None, units: str) -> Visit:
        return steps.read_again(visit, rate_hz, units, self.preparation)

    def look_closer(self, visit: Visit) -> Visit:
        """The session card of the file and channel that are looked at now, where there are answers."""
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
        """Make a run, unless somebody else has meanwhile; what kept it from being made."""

        def tell(share: float, what: str) -> None:
            if self.closing.is_set():
                raise InputError("the page is being closed")
            progress(share, what)

        with self.making:
            if self.run is None and self.make_run is not None and not self.closing.is_set():
                try:
                    self.run = self.make_run(tell)
                    self.practice = True
                except InputError as error:
                    return (Problem("app_says", {"said": str(error)}),)
        return ()

    def close(self) -> None:
        """Break off a run that is being made, and wait until it is: it lies in a folder that is about to be removed."""
        self.closing.set()
        with self.making:
            pass


def tracked(tell: Callable[[float, str], None], start: float, stop: float) -> Callable[..., Iterator[Any]]:
    """Work that is done item by item, told as a share of the whole between two shares."""

    def track(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        for done, item in enumerate(items):
            tell(start + (stop - start) * done / max(1, total), label)
            yield item

    return track
