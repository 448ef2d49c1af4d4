"""The runs that visitors share: the owner's, the one that comes with the package, and a practice run made on demand.

It opens and makes runs. It does not know browsers or what a visit holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semg_hht.errors import InputError

if TYPE_CHECKING:
    from semg_hht.matrices.transform import PipelineConfig
    from semg_hht.prediction.run import Run

CLOSING_S = 3.0  # to wait for the work that ends with the page
OWN, SHIPPED, PRACTICE, TRAINED = "own", "shipped", "practice", "trained"
Tell = Callable[[float, str], None]  # a share of the work, and what is done


def is_relative(run: Run) -> bool:
    """Whether a run answers relative to a maximal contraction."""
    return run.recording_config is not None and run.recording_config.scaling == "mvc"


@dataclass(frozen=True)
class ShippedFacts:
    """What the page says about the run that comes with the package.

    n_trained : men it was trained on.
    balanced_accuracy, low, high : of a repetition of a new man, and the 95 % interval over ``n_people`` men.
    """

    n_trained: int
    balanced_accuracy: float
    low: float
    high: float
    n_people: int


@dataclass(frozen=True)
class RunInfo:
    """The run that answers a visitor.

    kind : ``own``, ``shipped``, ``practice`` or ``trained``; empty: there is none yet.
    classes : task -> class names. fingerprint : of `Run.fingerprint`.
    """

    kind: str = ""
    name: str = ""
    is_practice: bool = False
    fingerprint: str = ""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Desk:
    """The runs of a page and what they need to answer.

    own : the run that the owner named; None: there is none. is_practice : whether it was trained on simulated people.
    config : how recordings are prepared where no run states it.
    make_practice : makes a practice run; it reports its progress. open_shipped : opens the run of the package.
    open_trained : opens the run that a visitor trained, in a folder; None: training is not installed.
    sample : a recording that a visitor may open.
    """

    own: Run | None = None
    name: str = ""
    is_practice: bool = False
    references: Path | None = None
    config: PipelineConfig | None = None
    make_practice: Callable[[Tell], Run] | None = None
    open_shipped: Callable[[], Run] | None = None
    open_trained: Callable[[Path], Run] | None = None
    shipped: ShippedFacts | None = None
    sample: Path | None = None
    opened: dict[str, Run] = field(default_factory=dict)
    making: threading.Lock = field(default_factory=threading.Lock)
    answering: threading.Lock = field(default_factory=threading.Lock)  # one answer at a time: each takes much memory
    explaining: threading.Lock = field(default_factory=threading.Lock)  # one "why" or card, of one file, beside it
    training: threading.Lock = field(default_factory=threading.Lock)  # one training at a time: it takes all cores
    closing: threading.Event = field(default_factory=threading.Event)

    def run(self, kind: str) -> Run | None:
        return self.own if kind == OWN else self.opened.get(kind)

    @property
    def first_kind(self) -> str:
        """The run that answers a new visitor."""
        return OWN if self.own is not None else ""

    @property
    def filters(self) -> Any:
        """The filters of recordings that are drawn and measured."""
        from semg_hht.matrices.transform import PipelineConfig

        of_run = None if self.own is None else self.own.recording_config
        return (of_run or self.config or PipelineConfig()).filter

    def info(self, kind: str, trained: Run | None = None) -> RunInfo:
        run = trained if kind == TRAINED else self.run(kind)
        if run is None:
            return RunInfo()
        from semg_hht.inference.description import SIMULATED_NOTE

        is_practice = kind == PRACTICE or (kind == OWN and self.is_practice) or run.description.note == SIMULATED_NOTE
        name = self.name if kind == OWN else ""
        return RunInfo(kind, name, is_practice, run.fingerprint, dict(run.classes))

    def take_shipped(self) -> Run:
        """Open the run that comes with the package, once for all visitors."""
        with self.making:
            if SHIPPED not in self.opened:
                if self.open_shipped is None:
                    raise InputError("this page has no run of the package; the run of its owner answers")
                self.opened[SHIPPED] = self.open_shipped()
            return self.opened[SHIPPED]

    def make(self, tell: Tell) -> Run:
        """Train a practice run on simulated people, once for all visitors.

        Raises
        ------
        InputError
            It can't be made, or the page is being closed.
        """

        def report(share: float, what: str) -> None:
            if self.closing.is_set():
                raise InputError("the page is being closed")
            tell(share, what)

        with self.making:
            if PRACTICE not in self.opened:
                if self.make_practice is None or self.closing.is_set():
                    raise InputError("this page trains no practice run; the run of its owner answers")
                self.opened[PRACTICE] = self.make_practice(report)
            return self.opened[PRACTICE]

    def close(self) -> None:
        """Stop making a run, and wait a moment until it is stopped: its folder is about to be removed."""
        self.closing.set()
        if self.making.acquire(timeout=CLOSING_S):
            self.making.release()


def tracked(report: Tell, start: float, stop: float) -> Callable[..., Iterator[Any]]:
    """A `Track` that reports work on items as a share of the whole, from ``start`` to ``stop``."""

    def track(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        for done, item in enumerate(items):
            report(start + (stop - start) * done / max(1, total), label)
            yield item

    return track
