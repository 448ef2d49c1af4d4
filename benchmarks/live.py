"""How long after the end of a repetition its answer is there, while a signal of 8 channels at 2000 Hz arrives.

    python benchmarks/live.py [--repetitions 1000] [--checkpoint RUN] [--channels 8] [--rate_hz 2000]
    python benchmarks/live.py --recordings FOLDER [--rate_hz 2000]

Simulated people; without --checkpoint a small run is trained on others of them first. Pieces of 50 ms are processed
one after the other, without waiting for the time at which they would arrive: a piece is done when it has arrived, those
before it are done, and the time that it takes itself has passed. That time is measured twice, as processor time, as on
a machine that does nothing else, and by the clock. A repetition ends when the muscle has rested for 0.5 s; the delay
counts from there, so add 0.5 s for the time since the muscle came to rest. Prints the percentiles, the part of the
delay that no faster machine would shorten, and the processor time for each repetition and each second of the signal.

With --recordings: how many repetitions of the recordings in FOLDER are those that `segment` finds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.datasets.simulated import write_simulation
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.live import LiveRepetition, LiveSession, follow
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.recordings.stream import ReplayedRecording
from semg_hht.signals.repetitions import SegmentConfig, find_repetitions
from semg_hht.signals.simulate import SimulationConfig, simulate_people

GAP_S = SegmentConfig().merge_gap_s
PERCENTILES = (50, 90, 99, 100)
OF_EACH_MOVEMENT = 10  # repetitions of a simulated person


def trained_run(folder: Path, rate_hz: float, n_channels: int) -> Run:
    """A small run that answers full, half and invalid from all channels of a repetition."""
    manifest = write_simulation(folder / "recordings", SimulationConfig(4, 1, 1, rate_hz, n_channels), seed=1)
    done = prepare(find_jobs(manifest), folder / "prepared", PipelineConfig(), n_jobs=1)
    matrices = load_folder(done.folder / "hht_matrices")
    train(matrices, folder / "run", TrainingConfig(epochs=1), NetworkSize(base_channels=4), RunOptions(cpu=True))
    return open_run(folder / "run")


class Delays:
    """When each piece is done, if the one before must be done first; and how late repetitions are."""

    def __init__(self) -> None:
        self.done_s = 0.0
        self.late_s: list[float] = []

    def add(self, arrived_s: float, took_s: float, ends_s: list[float]) -> None:
        self.done_s = max(arrived_s, self.done_s) + took_s
        self.late_s += [self.done_s - end_s - GAP_S for end_s in ends_s]


@dataclass(frozen=True)
class Played:
    """Delays of the repetitions of a recording by processor time, by the clock, and on a machine that takes no time."""

    by_processor: Delays
    by_clock: Delays
    at_once: Delays
    lasted_s: float

    @property
    def late_s(self) -> list[tuple[float, ...]]:
        return list(zip(self.by_processor.late_s, self.by_clock.late_s, self.at_once.late_s, strict=True))


def play(recording: Recording, run: Run, n_most: int) -> Played:
    source = ReplayedRecording(recording, float("inf"))
    session = LiveSession(source.description, run)
    by_processor, by_clock, at_once = Delays(), Delays(), Delays()
    for piece in source.pieces():
        begin, begin_cpu = time.perf_counter(), time.process_time()
        found = session.add(np.asarray(piece))
        took = time.perf_counter() - begin, time.process_time() - begin_cpu
        ends_s = [repetition.stop_s for repetition in found]
        by_clock.add(session.lasted_s, took[0], ends_s)
        by_processor.add(session.lasted_s, took[1], ends_s)
        at_once.add(session.lasted_s, 0.0, ends_s)
        if len(by_clock.late_s) >= n_most:
            break
    return Played(by_processor, by_clock, at_once, session.lasted_s)


def compare(folder: Path, rate_hz: float) -> None:
    """Print how far the repetitions found while the signal arrives are those of the whole recording."""
    n_whole = n_live = n_same = 0
    for path in sorted(folder.glob("*.mat")):
        recording = read_recording(path, rate_hz=rate_hz)
        source = ReplayedRecording(recording, float("inf"))
        session = LiveSession(source.description, None)
        found = [repetition for repetition in follow(source, session) if isinstance(repetition, LiveRepetition)]
        live = [(repetition.start_s, repetition.stop_s) for repetition in found]
        whole = [(one.start / recording.rate_hz, one.stop / recording.rate_hz) for one in find_repetitions(recording)]
        same = sum(any(_overlap(one, other) > 0.5 for other in live) for one in whole)
        print(
            f"{path.name:<16} segment {len(whole):3}  live {len(live):3}  overlap by more than half {same:3}",
            flush=True,
        )
        n_whole, n_live, n_same = n_whole + len(whole), n_live + len(live), n_same + same
    print(f"{'all':<16} segment {n_whole:3}  live {n_live:3}  overlap by more than half {n_same:3}")


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """What two spans share, as a part of what either covers."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared / (max(one[1], other[1]) - min(one[0], other[0]))


def show(name: str, values: NDArray[np.float64]) -> None:
    told = "  ".join(
        f"{'largest' if p == 100 else f'p{p}'} {1000 * np.percentile(values, p):6.0f} ms" for p in PERCENTILES
    )
    print(f"  {name:<36} {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--rate_hz", type=float, default=2000.0)
    parser.add_argument("--recordings", type=Path, help="folder of .mat files to compare with segment")
    options = parser.parse_args()
    if options.recordings:
        compare(options.recordings, options.rate_hz)
        return
    with tempfile.TemporaryDirectory() as folder:
        run = open_run(options.checkpoint) if options.checkpoint else None
        run = run or trained_run(Path(folder), options.rate_hz, options.channels)
        late: list[tuple[float, ...]] = []
        played_s = used_s = 0.0
        n_true = person = 0
        while len(late) < options.repetitions:
            config = SimulationConfig(1, 1, OF_EACH_MOVEMENT, options.rate_hz, options.channels)
            (simulated,) = simulate_people(config, seed=100 + person)
            person += 1
            begin = time.process_time()
            played = play(simulated.recording, run, options.repetitions - len(late))
            used_s += time.process_time() - begin
            played_s += played.lasted_s
            n_true += sum(true.stop_s < played.lasted_s - GAP_S for true in simulated.repetitions)
            late += played.late_s
            print(f"{len(late)} repetitions of {n_true} in {played_s:.0f} s of signal, {person} people")
            by_processor, by_clock, at_once = np.array(late).T  # (n_repetitions, 3) -> (3, n_repetitions)
            show("delay, by processor time", by_processor)
            show("delay, by the clock", by_clock)
            show("of this, before the search finds it", at_once)
            cpu = f"{used_s / len(late):.2f} s for a repetition, {used_s / played_s:.3f} s for a second of signal"
            print(f"  processor time: {cpu}", flush=True)


if __name__ == "__main__":
    main()
