"""Simulate a goniometer beside simulated EMG: the movement of each repetition as its true label says.

The movements are assumptions for trying and testing the software: a full repetition reaches 90 to 100 % of the range of
motion, a half one 42 to 58 %; an invalid one stays below 14 %, stops on the way, or reverses on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from semg_hht.signals.simulate import Array, SimulatedRecording, TrueRepetition

NAME = "elbow_angle"
SHORTEST_S = 1.6  # duration of a movement with a stop or a reversal
STOP_S = 0.7
FAULTS = ("small", "stops", "reverses")


@dataclass(frozen=True)
class SimulatedSensor:
    """Properties of a simulated goniometer.

    rest, range_of_motion, noise : in degrees. drift : change of the rest over the recording, in shares of the range.
    is_reversed : whether the angle falls where the muscles work. lag_s : by how much the sensor is later than the EMG.
    rate_hz : of the sensor; None: that of the EMG.
    """

    rest: float = 10.0
    range_of_motion: float = 110.0
    noise: float = 0.5
    drift: float = 0.0
    is_reversed: bool = False
    lag_s: float = 0.0
    rate_hz: float | None = None


def simulate_sensor(simulated: SimulatedRecording, sensor: SimulatedSensor, seed: int) -> Array:
    """The angle in degrees, (n_samples,), over the duration of a simulated recording."""
    recording = simulated.recording
    rate_hz = sensor.rate_hz or recording.rate_hz
    rng = np.random.default_rng([seed, *map(ord, f"{simulated.person.subject}{simulated.session}")])
    t = np.arange(round(recording.duration_s * rate_hz)) / rate_hz
    moved = np.zeros(t.size)
    for repetition in simulated.repetitions:
        times, levels = _path(repetition, rng)
        moved += _smooth_path(t - sensor.lag_s, times, levels)
    progress = t / recording.duration_s
    drift = sensor.drift * (progress + 0.2 * np.sin(2 * np.pi * progress + rng.uniform(0, 2 * np.pi)))
    sign = -1.0 if sensor.is_reversed else 1.0
    noise = sensor.noise * rng.standard_normal(t.size)
    return np.asarray(sensor.rest + sign * sensor.range_of_motion * moved + sensor.range_of_motion * drift + noise)


def with_sensor(simulated: SimulatedRecording, sensor: SimulatedSensor, seed: int) -> SimulatedRecording:
    """The same recording with the goniometer as its last channel, which is not EMG."""
    recording = simulated.recording
    angle = simulate_sensor(simulated, replace(sensor, rate_hz=None), seed)
    joined = replace(
        recording,
        samples=np.concatenate([recording.samples, angle[None]]),  # (n_channels + 1, n_samples)
        channel_names=(*recording.channel_names, NAME),
        non_emg=(*recording.non_emg, NAME),
    )
    return replace(simulated, recording=joined)


def _path(repetition: TrueRepetition, rng: np.random.Generator) -> tuple[Array, Array]:
    """Times in s and levels in shares of the range between which a movement goes smoothly."""
    start = repetition.start_s + 0.05
    duration = repetition.stop_s - start
    if repetition.movement in ("full", "half"):
        top = rng.uniform(0.9, 1.0) if repetition.movement == "full" else rng.uniform(0.42, 0.58)
        return start + duration * np.array([0, 0.42, 0.55, 1]), np.array([0, top, top, 0])
    fault = FAULTS[rng.integers(len(FAULTS))]
    if fault == "small":
        top = rng.uniform(0.03, 0.14)
        return start + duration * np.array([0, 0.4, 0.6, 1]), np.array([0, top, top, 0])
    duration = max(duration, SHORTEST_S)
    top = rng.uniform(0.85, 1.0)
    if fault == "stops":
        rest = duration - STOP_S
        level = top * rng.uniform(0.35, 0.6)
        steps: Sequence[float] = np.cumsum([0, 0.25 * rest, STOP_S, 0.3 * rest, 0.45 * rest]).tolist()
        return start + np.array(steps), np.array([0, level, level, top, 0])
    return start + duration * np.array([0, 0.25, 0.45, 0.65, 1]), np.array(
        [0, top, rng.uniform(0.3, 0.5) * top, top, 0]
    )


def _smooth_path(t: Array, times: Array, levels: Array) -> Array:
    """Position between the levels, with the velocity 0 at each (minimum jerk)."""
    position = np.zeros(t.size)
    for (begin, end), (a, b) in zip(
        zip(times, times[1:], strict=False), zip(levels, levels[1:], strict=False), strict=True
    ):
        inside = (t >= begin) & (t < end)
        u = (t[inside] - begin) / (end - begin)
        position[inside] = a + (b - a) * (10 * u**3 - 15 * u**4 + 6 * u**5)
    return position
