"""`semg-hht simulate`: recordings of known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli.options import Overwrite, Seed, mains_hz_of
from semg_hht.errors import InputError


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the recordings and their manifest.csv.")],
    n_subjects: Annotated[int, typer.Option(help="People, men and women in turn.")] = 6,
    n_sessions: Annotated[int, typer.Option(help="Recordings of each person; the electrodes shift between them.")] = 1,
    n_repetitions: Annotated[
        int, typer.Option(help="Repetitions of each kind (full, half, invalid) in a recording.")
    ] = 4,
    n_channels: Annotated[int, typer.Option(help="Channels of each recording.")] = 1,
    rate_hz: Annotated[float, typer.Option(help="Samples a second.")] = 1000.0,
    mains: Annotated[str, typer.Option(help="Hum of the mains: 50, 60 or off.")] = "50",
    fatigue: Annotated[float, typer.Option(help="Share by which frequencies fall over a recording.")] = 0.25,
    seed: Seed = 42,
    overwrite: Overwrite = False,
) -> None:
    """Raw sEMG recordings of known truth: people who differ, full, half and invalid repetitions, fatigue, hum, ECG."""
    from semg_hht.datasets.simulated import write_simulation
    from semg_hht.signals.simulate import SimulationConfig

    mains_hz = mains_hz_of(mains)
    if mains_hz == "auto":
        raise InputError("--mains of a simulation must be 50, 60 or off; got 'auto'")
    hum = {"mains_uv": 0.0} if mains_hz is None else {"mains_hz": mains_hz}
    config = SimulationConfig(n_subjects, n_sessions, n_repetitions, rate_hz, n_channels, fatigue=fatigue, **hum)
    n_recordings = n_subjects * n_sessions
    manifest = write_simulation(
        out,
        config,
        seed,
        overwrite=overwrite,
        track=console.track,
    )
    console.out.print(
        f"{console.counted(n_recordings, 'recording')}, {3 * n_repetitions} repetitions each; the truth: {manifest}"
    )
