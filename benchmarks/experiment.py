"""What accuracy.py, explain.py and choices.py have in common: tasks, their recordings, and options."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from semg_hht import LabelOptions, label
from semg_hht.datasets.find_inputs import MANIFEST, find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import prepare
from semg_hht.datasets.segment import Pictures, segment
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.matrices.transform import PipelineConfig, configure
from semg_hht.recordings.jobs import Job
from semg_hht.signals.repetitions import SegmentConfig

QUALITY, GENDER = "action_quality", "gender"
# Folders of recordings, each with its manifest.csv.
FOREARM, ARMBAND = "contraction_intensity", "myo_armband"
ELBOW, GRIP, KNEE = "elbow_flexors", "grip_force", "knee_angle"


@dataclass(frozen=True)
class Experiment:
    """A task on recordings of real people, and how they are prepared.

    folder : of the recordings, below the folder of all data.
    settings : of `configure`.
    references : manifest of maximal contractions in ``folder``, for the scaling ``mvc``.
    without : motions that are left out.
    segmented : whether a recording holds several repetitions, which `segment` finds; else it is one repetition.
    sensor : channel from which `label` labels these repetitions; empty: they have the label of the recording.
    labels : those that are told apart; empty: all.
    channels : names or numbers of the channels to use; empty: all that are EMG.
    """

    name: str
    folder: str
    task: str
    settings: dict[str, Any] = field(default_factory=dict)
    references: str = ""
    without: tuple[str, ...] = ()
    segmented: bool = False
    sensor: str = ""
    labels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """The name as that of a folder."""
        return self.name.replace(",", "").replace(" ", "_")

    @property
    def config(self) -> PipelineConfig:
        return configure(mains_hz=50.0, **self.settings)

    def jobs(self, data: Path, out: Path | None = None) -> list[Job]:
        """The recordings below ``data``.

        ``out`` : folder of the table of repetitions, where the recordings are segmented.

        The reference of the scaling ``subject`` is measured on all repetitions, also on those without a label.
        """
        table = data / self.folder / MANIFEST
        if self.segmented:
            assert out is not None
            table = self._repetitions(table, out)
        jobs = [
            replace(job, rows=tuple(replace(row, channels=self.channels or row.channels) for row in job.rows))
            for job in find_jobs(table)
            if job.rows[0].extra.get("motion") not in self.without
        ]
        references = data / self.folder / self.references if self.references else None
        jobs = with_references(jobs, self.config, references)
        kept = [
            replace(job, rows=tuple(row for row in job.rows if not self.labels or row.movement in self.labels))
            for job in jobs
        ]
        return [job for job in kept if job.rows]

    def _repetitions(self, manifest: Path, out: Path) -> Path:
        """The table of repetitions, with labels where a sensor gives them; made where ``out`` does not hold it."""
        out.mkdir(parents=True, exist_ok=True)
        found, labelled = out / "repetitions.csv", out / "labelled.csv"
        filters = self.config.filter
        if not found.is_file():
            segment(find_jobs(manifest), found, SegmentConfig(), filters, pictures=Pictures(repetitions=False))
        if not self.sensor:
            return found
        if not labelled.is_file():
            label(found, self.sensor, out=labelled, options=LabelOptions(filters=filters, pictures=False))
        return labelled

    def prepared(self, jobs: list[Job], out: Path) -> Dataset:
        """The matrices of the recordings, written into ``out``; those that are there are read."""
        prepare(jobs, out, self.config, overwrite=True)
        return load_folder(out / "hht_matrices")


LOW_BAND = {"band_hz": (5.0, 100.0)}  # of an armband of 200 Hz
_EFFORT = Experiment("effort", FOREARM, QUALITY, without=("C1",))  # C1 is rest, whatever its label
TECHNIQUE = Experiment("grip technique", ELBOW, QUALITY, segmented=True)
FORCE = Experiment("half or full", GRIP, QUALITY, LOW_BAND, segmented=True, sensor="Force", labels=("full", "half"))
FORCE_SUBJECT = replace(FORCE, name="half or full, subject", settings={**LOW_BAND, "scaling": "subject"})
# Half of the recordings name the muscles RF, BF, VM, ST, the others write them out.
EXERCISE = Experiment("exercise of three", KNEE, QUALITY, segmented=True, channels=("1", "2", "3", "4"))
EFFORT_MVC = replace(_EFFORT, name="effort, mvc", settings={"scaling": "mvc"}, references="manifest_mvc.csv")
EFFORT_SUBJECT = replace(_EFFORT, name="effort, subject", settings={"scaling": "subject"})
EFFORT_LOG = replace(_EFFORT, name="effort, no reference")
ARMBAND_GENDER = Experiment("gender", ARMBAND, GENDER, LOW_BAND)


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
