"""`semg-hht app`: the web page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht import console
from semg_hht.errors import InputError
from semg_hht.options import Band, Channels, Cpu, Decomposition, Ecg, Mains, References, Scaling, config_of

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
    try:
        from semg_hht.app.page import Desk, serve, tracked
    except ImportError as error:
        raise InputError(f"the web page needs {error.name}: pip install 'semg-hht[app]'") from None
    from semg_hht.predict import Run, open_run
    from semg_hht.references import with_references

    if max_upload_mb < 1:
        raise InputError(f"max_upload_mb must be at least 1; got {max_upload_mb}")
    stated: dict[str, Any] = {
        "band": band, "mains": mains, "ecg": ecg, "decomposition": decomposition, "scaling": scaling,
        "channels": channels, "seed": seed,
    }  # fmt: skip
    is_stated = any(value is not None for value in stated.values())

    def opened(folder: Path) -> Run:
        run = open_run(folder, cpu=cpu)
        if is_stated:
            run = replace(run, recording_config=config_of(**stated, base=run.recording_config))
        if run.recording_config is not None:
            with_references([], run.recording_config, references, n_jobs=1)  # says at once where they lack
        return run

    with tempfile.TemporaryDirectory(prefix="semg-hht-practice-") as folder:

        def make_run(tell: Callable[[float, str], None]) -> Run:
            from semg_hht.demo import practice_run

            done = n_steps = 0

            def began(already: int, total: int) -> None:
                nonlocal done, n_steps
                done, n_steps = already, total

            def went_on() -> None:
                nonlocal done
                done += 1
                tell(0.3 + 0.7 * done / max(1, n_steps), "training")

            made = practice_run(Path(folder), track=tracked(tell, 0.0, 0.3), on_start=began, on_step=went_on)
            return opened(made)

        from_demo = checkpoint is None and (DEMO_RUN / "metrics.json").is_file()
        known = DEMO_RUN if from_demo else checkpoint
        desk = Desk(
            None if known is None else opened(known),
            name="" if known is None else known.resolve().name,
            practice=from_demo,
            references=references,
            config=config_of(**stated) if is_stated else None,
            make_run=make_run,
        )
        serve(
            desk, host=host, port=port, max_upload_mb=max_upload_mb,
            said=lambda address: console.out.print(f"Now open:  [bold]{address}[/]   (Ctrl+C ends it)"),
        )  # fmt: skip
