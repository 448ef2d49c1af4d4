"""What accuracy.py, explain.py and choices.py have in common: the recordings they train on, and their options."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import prepare
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.matrices.transform import PipelineConfig, configure
from semg_hht.recordings.jobs import Job

FOREARM, ARMBAND = "contraction_intensity", "myo_armband"  # folders of recordings, each with its manifest.csv


@dataclass(frozen=True)
class Experiment:
    """A task on recordings of real people, and how they are prepared.

    folder : of the recordings, below the folder of all data.
    settings : of `configure`.
    references : manifest of maximal contractions in ``folder``, for the scaling ``mvc``.
    """

    name: str
    folder: str
    task: str
    settings: dict[str, Any] = field(default_factory=dict)
    references: str = ""

    @property
    def config(self) -> PipelineConfig:
        return configure(mains_hz=50.0, **self.settings)

    def jobs(self, data: Path, channels: tuple[str, ...] = (), without: Sequence[str] = ()) -> list[Job]:
        """The recordings below ``data``; only these channels where any are named, and without these motions."""
        jobs = [
            replace(job, rows=tuple(replace(row, channels=channels or row.channels) for row in job.rows))
            for job in find_jobs(data / self.folder / "manifest.csv")
            if job.rows[0].extra.get("motion") not in without
        ]
        references = data / self.folder / self.references if self.references else None
        return with_references(jobs, self.config, references)

    def prepared(self, jobs: list[Job], out: Path) -> Dataset:
        """The matrices of the recordings, written into ``out``; those that are there are read."""
        prepare(jobs, out, self.config, overwrite=True)
        return load_folder(out / "hht_matrices")


def parser_of(description: str | None, experiments: Sequence[Experiment]) -> argparse.ArgumentParser:
    """The options of a benchmark that trains small networks."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [experiment.name for experiment in experiments]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="keep results here, and continue from those that are there")
    parser.add_argument("--rows", nargs="*", default=names, help=f"rows of the table; of {'; '.join(names)}")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--base_channels", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--quick", action="store_true", help="as little as shows that it runs")
    return parser


@contextmanager
def folder_or_temporary(out: Path | None) -> Iterator[Path]:
    """``out``, or where it is None a temporary folder."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
