"""`semg-hht simulate`: simulated recordings with known labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht import InputError
from semg_hht.cli import console
from semg_hht.cli import options as flags


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the recordings and their manifest.csv.")],
    n_subjects: Annotated[int, typer.Option(help="Number of people, alternately male and female.")] = 6,
    n_sessions: Annotated[int, typer.Option(help="Recordings per person; the electrodes move between them.")] = 1,
    n_repetitions: Annotated[
        int, typer.Option(help="Repetitions of each movement (full, half, invalid) per recording.")
    ] = 4,
    n_channels: Annotated[int, typer.Option(help="Channels per recording.")] = 1,
    rate_hz: Annotated[float, typer.Option(help="Sampling rate in Hz.")] = 1000.0,
    mains: Annotated[str, typer.Option(help="Mains interference: 50, 60 or off.")] = "50",
    fatigue: Annotated[float, typer.Option(help="Share by which frequencies fall during a recording.")] = 0.25,
    goniometer: Annotated[
        bool, typer.Option("--goniometer", help="Also simulate a joint angle, elbow_angle, for semg-hht label.")
    ] = False,
    seed: flags.Seed = 42,
    overwrite: flags.Overwrite = False,
) -> None:
    """Simulate raw recordings with known labels. People differ; there is fatigue, mains interference and ECG."""
    from semg_hht import SimulationConfig
    from semg_hht.verbs.simulating import simulate as simulate_people

    mains_hz = flags.mains_hz_of(mains)
    if mains_hz == "auto":
        raise InputError("--mains of a simulation must be 50, 60 or off; got 'auto'")
    mains_of = {"mains_uv": 0.0} if mains_hz is None else {"mains_hz": mains_hz}
    config = SimulationConfig(n_subjects, n_sessions, n_repetitions, rate_hz, n_channels, fatigue=fatigue, **mains_of)
    manifest = simulate_people(out, config, seed=seed, goniometer=goniometer, overwrite=overwrite, work=console.work())
    n_recordings = console.counted(n_subjects * n_sessions, "recording")
    console.out.print(f"{n_recordings}, {3 * n_repetitions} repetitions each; the labels are in {manifest}")
