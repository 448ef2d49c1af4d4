"""Files of simulated people: recordings with known labels, or one file per repetition to practise with.

It knows the file conventions. `signals/simulate.py` simulates the signals, `matrices/transform.py` transforms them.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from semg_hht.datasets.find_inputs import MANIFEST, find_jobs
from semg_hht.errors import InputError
from semg_hht.matrices.matrix import write_matrix
from semg_hht.matrices.transform import PipelineConfig, transform_all
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import write_recording
from semg_hht.signals.simulate import MOVEMENTS, SimulatedRecording, SimulationConfig, simulate_people
from semg_hht.signals.simulated_sensor import SimulatedSensor, with_sensor
from semg_hht.system.files import require_new_folder, write_text
from semg_hht.system.progress import Track, untracked

MUSCLE = "BICEPS"
N_PEOPLE = 8  # in the sample files: enough for a split by subject


def write_simulation(
    out: Path,
    config: SimulationConfig,
    seed: int,
    *,
    goniometer: bool = False,
    overwrite: bool = False,
    track: Track = untracked,
) -> Path:
    """Write one CSV per person and session, and a manifest.csv with the true labels, one row per repetition.

    goniometer : whether each recording has a joint angle, too; it drifts, and falls with every second person.

    Returns the path of the manifest.
    """
    require_new_folder(out, overwrite=overwrite)
    rows = []
    people = simulate_people(config, seed)
    for number, simulated in enumerate(track(people, len(people), "writing")):
        if goniometer:
            angle = SimulatedSensor(drift=0.2, is_reversed=number % 2 == 1, lag_s=0.1)
            simulated = with_sensor(simulated, angle, seed)
        file = f"{simulated.person.subject}_{simulated.session}_{MUSCLE}.csv"
        write_recording(simulated.recording, out / file)
        rows += [
            ManifestRow(
                file=file,
                subject=simulated.person.subject,
                session=simulated.session,
                repetition=str(number),
                muscle=MUSCLE,
                movement=truth.movement,
                gender=simulated.person.gender,
                rate_hz=simulated.recording.rate_hz,
                units=simulated.recording.units,
                start_s=truth.start_s,
                stop_s=truth.stop_s,
            )
            for number, truth in enumerate(simulated.repetitions, start=1)
        ]
    write_text(out / MANIFEST, manifest_text(rows))
    return out / MANIFEST


def write_samples(
    out: Path,
    n_samples: int,
    n_test: int,
    seed: int,
    *,
    raw: bool = False,
    overwrite: bool = False,
    track: Track = untracked,
) -> list[Path]:
    """Write one file per repetition: ``S01_BICEPS_half_F_003.npz``, and unlabelled ``Test1_1_001.npz`` of other people.

    The files are matrices of simulated recordings, transformed as real ones are; with ``raw``, recordings as CSV.
    """
    if n_samples < 0 or n_test < 0 or n_samples + n_test == 0:
        raise InputError(f"expected at least one file to write; got n_samples {n_samples} and n_test {n_test}")
    require_new_folder(out, overwrite=overwrite)
    if raw:
        return _write_repetitions(out, n_samples, n_test, seed)
    with tempfile.TemporaryDirectory(prefix="semg-hht-") as folder:
        _write_repetitions(Path(folder), n_samples, n_test, seed)
        written = []
        jobs = find_jobs(Path(folder), units="uV")
        for result in track(transform_all(jobs, PipelineConfig()), len(jobs), "transforming"):
            if isinstance(result, Failure):
                raise InputError(result.reason)
            (example,) = result
            path = out / Path(example.row.file).with_suffix(".npz")
            write_matrix(
                path, example.matrix, rate_hz=example.rate_hz, dropped=example.dropped, source=example.row.file
            )
            written.append(path)
    return written


def _write_repetitions(out: Path, n_samples: int, n_test: int, seed: int) -> list[Path]:
    n_each = -(-max(n_samples, n_test) // (N_PEOPLE * len(MOVEMENTS)))  # rounded up
    people = simulate_people(SimulationConfig(n_subjects=2 * N_PEOPLE, n_repetitions=n_each), seed)
    written = []
    for number, (simulated, index) in enumerate(_in_turn(people[:N_PEOPLE], n_samples), start=1):
        movement = simulated.repetitions[index].movement
        name = f"{simulated.person.subject}_{MUSCLE}_{movement}_{simulated.person.gender}_{number:03d}.csv"
        written.append(_write_repetition(simulated, index, out / name))
    for number, (simulated, index) in enumerate(_in_turn(people[N_PEOPLE:], n_test), start=1):
        person = int(simulated.person.subject[1:]) - N_PEOPLE
        written.append(_write_repetition(simulated, index, out / f"Test{person}_1_{number:03d}.csv"))
    return written


def _in_turn(people: list[SimulatedRecording], n: int) -> list[tuple[SimulatedRecording, int]]:
    """``n`` repetitions, given by their recording and index: people take turns, and so do the movements."""
    chosen = []
    for i in range(n):
        turn, person = divmod(i, len(people))
        movement = MOVEMENTS[(turn + person) % len(MOVEMENTS)]
        indices = [j for j, truth in enumerate(people[person].repetitions) if truth.movement == movement]
        chosen.append((people[person], indices[turn // len(MOVEMENTS)]))
    return chosen


def _write_repetition(simulated: SimulatedRecording, index: int, path: Path) -> Path:
    truth = simulated.repetitions[index]
    recording = simulated.recording
    start, stop = (round(t * recording.rate_hz) for t in (truth.start_s, truth.stop_s))
    write_recording(replace(recording, samples=recording.samples[:, start:stop]), path)
    return path
