"""`semg-hht app`: the web page."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli.options import Band, Channels, Cpu, Decomposition, Ecg, Mains, References, Scaling, config_of
from semg_hht.errors import InputError
from semg_hht.system.memory import give_back_freed_memory
from semg_hht.system.progress import TrainingProgress

if TYPE_CHECKING:
    from semg_hht.prediction.run import Run
    from semg_hht.web.shared_run import Desk

DEMO_RUN = Path("demo") / "run"


def app(
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="The run that answers, or an export.  [default: demo/run; without one the page makes one]"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to serve at; 0.0.0.0: to the whole network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to serve at.")] = 7860,
    max_upload_mb: Annotated[int, typer.Option(help="Largest file that is taken.")] = 100,
    references: References = None,
    band: Band = None,
    mains: Mains = None,
    ecg: Ecg = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    channels: Channels = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the noise of an ensemble.  [default: the run's]")] = None,
    cpu: Cpu = False,
) -> None:
    """A web page for someone who writes no code: drop a recording, check its repetitions, read the answers."""
    from semg_hht.web.visitors import Visitors

    if max_upload_mb < 1:
        raise InputError(f"max_upload_mb must be at least 1; got {max_upload_mb}")
    stated: dict[str, Any] = {
        "band": band, "mains": mains, "ecg": ecg, "decomposition": decomposition, "scaling": scaling,
        "channels": channels, "seed": seed,
    }  # fmt: skip
    give_back_freed_memory()  # before threads start: visitors come and go for weeks
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what is temporary is removed then, too
    with Visitors() as visitors:
        os.environ |= visitors.environment
        try:
            from semg_hht.web.page import serve
        except ImportError as error:
            raise InputError(f"the web page needs {error.name}: pip install 'semg-hht[app]'") from None
        serve(
            _desk(checkpoint, stated, references, cpu, visitors.folder / "practice"),
            visitors, host=host, port=port, max_upload_mb=max_upload_mb,
            announce=lambda address: console.out.print(f"Now open:  [bold]{address}[/]   (Ctrl+C ends it)"),
        )  # fmt: skip


def _desk(checkpoint: Path | None, stated: dict[str, Any], references: Path | None, cpu: bool, practice: Path) -> Desk:
    """The run that was named, else the demo's, else a way to make one in the folder ``practice``."""
    from semg_hht.datasets.mvc import with_references
    from semg_hht.prediction.run import open_run
    from semg_hht.web.shared_run import Desk, tracked

    config = config_of(**stated) if any(value is not None for value in stated.values()) else None

    def opened(folder: Path) -> Run:
        run = open_run(folder, cpu=cpu)
        if config is not None:
            run = replace(run, recording_config=config_of(**stated, base=run.recording_config))
        if run.recording_config is not None:
            with_references([], run.recording_config, references, n_jobs=1)  # says at once where they lack
        return run

    def make_run(tell: Callable[[float, str], None]) -> Run:
        left: Iterator[float] = iter(())

        def began(_: int, n_steps: int) -> None:
            nonlocal left
            left = (0.3 + 0.7 * step / n_steps for step in range(1, n_steps + 1))

        def went_on() -> None:
            tell(next(left, 1.0), "training")

        shutil.rmtree(practice, ignore_errors=True)  # of a try that failed
        try:
            from semg_hht.demo import practice_run

            return opened(
                practice_run(practice, track=tracked(tell, 0.0, 0.3), progress=TrainingProgress(began, went_on))
            )
        except ImportError as error:
            raise InputError(f"a practice run needs {error.name}: pip install 'semg-hht[train]'") from None

    from_demo = checkpoint is None and (DEMO_RUN / "metrics.json").is_file()
    known = DEMO_RUN if from_demo else checkpoint
    if known is None:
        return Desk(None, references=references, config=config, make_run=make_run)
    return Desk(opened(known), known.resolve().name, practice=from_demo, references=references, config=config)
