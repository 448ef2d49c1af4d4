"""`simulate`: recordings of simulated people with known labels."""

from __future__ import annotations

from pathlib import Path

from semg_hht.datasets.simulated import write_samples, write_simulation
from semg_hht.inference.description import SIMULATED_NOTE
from semg_hht.signals.simulate import SimulationConfig
from semg_hht.system.arguments import checked
from semg_hht.verbs.work import Work

__all__ = ["SIMULATED_NOTE", "simulate", "write_samples"]


@checked
def simulate(
    out: str | Path,
    config: SimulationConfig = SimulationConfig(),
    *,
    seed: int = 42,
    goniometer: bool = False,
    overwrite: bool = False,
    work: Work = Work(),
) -> Path:
    """Write raw recordings of simulated people, who differ, tire, and have mains interference and a heartbeat.

    Parameters
    ----------
    out : folder for the recordings and their manifest.csv.
    seed : of the random numbers; the same seed gives the same recordings.
    goniometer : also simulate a joint angle, ``elbow_angle``, for `label`.

    Returns
    -------
    The path of the manifest.csv, which states the labels.

    Raises
    ------
    InputError
        The folder is not empty and ``overwrite`` is not set.

    Examples
    --------
    >>> import semg_hht as sh
    >>> manifest = sh.simulate("people", sh.SimulationConfig(n_subjects=2, n_repetitions=1))
    >>> manifest.name
    'manifest.csv'
    """
    return write_simulation(Path(out), config, seed, goniometer=goniometer, overwrite=overwrite, track=work.track)
