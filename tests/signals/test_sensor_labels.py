"""Tests of labels from a second sensor: on drawn movements, simulated people, and repetitions a person labelled."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.recordings.sensor import read_sensor
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.sensor_alignment import FRAME_HZ, LagSearch, Movement, align, envelope_of
from semg_hht.signals.sensor_labels import (
    Excursion,
    LabelConfig,
    SensorLabel,
    best_of,
    label_excursions,
    measure,
    no_movement,
    sensor_remarks,
)
from semg_hht.signals.simulate import SimulatedRecording, SimulationConfig, simulate_people
from semg_hht.signals.simulated_sensor import SimulatedSensor, simulate_sensor

CONFIG = LabelConfig()
SEEN = json.loads((Path(__file__).parents[1] / "references" / "sensor_labels_seen.json").read_text())
REST_S, MOVE_S = 2.0, 2.0


def movement_of(
    *ways: tuple[tuple[float, float], ...], active: bool = True
) -> tuple[Movement, list[tuple[float, float]]]:
    """A repetition every 4 s; each way is a list of points (second, level), between rests at level 0."""
    n = round((REST_S + len(ways) * (MOVE_S + REST_S)) * FRAME_HZ)
    times_s = np.arange(n) / FRAME_HZ
    values, envelope, spans = np.zeros(n), np.full(n, 0.05), []
    for i, way in enumerate(ways):
        start_s = REST_S + i * (MOVE_S + REST_S)
        points = [(0.0, 0.0), *way, (MOVE_S, 0.0)]
        inside = (times_s >= start_s) & (times_s < start_s + MOVE_S)
        values[inside] = np.interp(times_s[inside] - start_s, *np.transpose(points))
        if active:
            envelope[inside] = 1.0
        spans.append((start_s, start_s + MOVE_S))
    noise = 0.002 * np.random.default_rng(0).standard_normal(n)
    return Movement(values + noise, envelope, 1, 0.0, 0.9), spans


def to(level: float) -> tuple[tuple[float, float], ...]:
    return ((0.8, level), (1.2, level))


def labels_of(movement: Movement, spans: list[tuple[float, float]], config: LabelConfig = CONFIG) -> list[SensorLabel]:
    excursions = measure(movement, spans)
    best = best_of(excursions)[0] if config.full_at is None else config.full_at
    return label_excursions(excursions, best, config)


def test_the_share_of_the_best_decides() -> None:
    found = labels_of(*movement_of(to(1.0), to(0.9), to(0.75), to(0.5), to(0.27), to(0.1)))
    assert [label.label for label in found] == ["full", "full", "", "half", "", "invalid"]
    assert [label.share for label in found] == pytest.approx([1.0, 0.9, 0.75, 0.5, 0.27, 0.1], abs=0.02)
    assert min(label.confidence for label in found) > 0.95
    near = labels_of(*movement_of(to(0.655), to(1.0)))[0]
    assert near.confidence < 0.9, "a share near a threshold is less certain"


def test_a_stated_range_replaces_the_best() -> None:
    found = labels_of(*movement_of(to(1.0), to(0.5)), replace(CONFIG, full_at=2.0))
    assert [label.label for label in found] == ["half", ""]


def test_a_movement_that_stops_or_reverses_is_invalid() -> None:
    stops = ((0.3, 0.5), (1.0, 0.5), (1.3, 1.0))
    reverses = ((0.4, 0.9), (0.8, 0.4), (1.2, 1.0))
    hold = ((0.4, 0.95), (1.5, 1.0))
    found = labels_of(*movement_of(to(1.0), stops, reverses, hold))
    assert [label.label for label in found] == ["full", "invalid", "invalid", "full"]
    assert [label.remark for label in found[1:3]] == [
        "the movement stops on the way",
        "the movement reverses on the way",
    ]


def test_a_repetition_without_muscle_is_invalid() -> None:
    movement, spans = movement_of(to(1.0), to(1.0), to(0.9))
    envelope = movement.envelope.copy()
    envelope[round(spans[1][0] * FRAME_HZ) : round(spans[1][1] * FRAME_HZ)] = 0.05
    found = labels_of(replace(movement, envelope=envelope), spans)
    assert [(label.label, label.remark) for label in found] == [
        ("full", ""),
        ("invalid", "no muscle works"),
        ("full", ""),
    ]


def test_drift_of_the_rest_does_not_count() -> None:
    movement, spans = movement_of(to(1.0), to(0.5), to(0.95), to(0.5))
    drift = np.linspace(0, 2, movement.values.size)
    found = labels_of(replace(movement, values=movement.values + drift), spans)
    assert [label.label for label in found] == ["full", "half", "full", "half"]


def test_a_clipped_best_leaves_labels_open() -> None:
    movement, spans = movement_of(((0.5, 1.4), (1.0, 1.4)), ((0.5, 1.4), (1.0, 1.4)), to(0.5), to(0.05))
    clipped = replace(movement, values=np.minimum(movement.values, 0.8))
    found = labels_of(clipped, spans)
    assert [label.label for label in found] == ["", "", "", "invalid"]
    assert found[0].remark == "the sensor is clipped here"
    assert "clipped at 0.8 deg in 2 repetitions" in sensor_remarks(clipped, measure(clipped, spans), "deg")[0]
    assert [label.label for label in labels_of(clipped, spans, replace(CONFIG, full_at=1.4))][2] == "half"


def test_missing_samples_leave_their_repetitions_open() -> None:
    movement, spans = movement_of(to(1.0), to(0.5), to(0.9))
    values = movement.values.copy()
    values[round(spans[1][0] * FRAME_HZ) :] = np.nan
    gap = replace(movement, values=values)
    found = labels_of(gap, spans)
    assert [(label.label, label.remark) for label in found] == [
        ("full", ""), ("", "the sensor has no samples here"), ("", "the sensor has no samples here"),
    ]  # fmt: skip
    assert sensor_remarks(gap, measure(gap, spans)) == ["the sensor has no samples in 2 of 3 repetitions"]
    none = replace(movement, values=np.full(values.size, np.nan))
    assert no_movement(none, measure(none, spans)) == "the sensor has no samples in any repetition"


def test_a_movement_that_goes_on_outside_has_no_label() -> None:
    movement, spans = movement_of(to(1.0), to(1.0))
    envelope = movement.envelope.copy()
    envelope[round((spans[1][0] - 1.0) * FRAME_HZ) :] = 1.0  # the muscle works before the movement begins
    movement = replace(movement, envelope=envelope)
    found = labels_of(movement, [spans[0], (spans[1][0] - 1.0, spans[1][0] + 0.1)])
    assert [(label.label, label.remark) for label in found] == [
        ("full", ""), ("", "the movement goes on outside the repetition"),
    ]  # fmt: skip


def test_a_movement_in_two_parts_is_not_half() -> None:
    """A repetition that ends within the movement of the next one does not raise the rest of the next one."""
    movement, spans = movement_of(to(1.0), to(1.0), to(1.0))
    envelope = movement.envelope.copy()
    start_s, stop_s = spans[1]
    envelope[round((start_s - 1) * FRAME_HZ) : round(start_s * FRAME_HZ)] = 1.0
    parts = [spans[0], (start_s - 1, start_s + 0.3), (start_s + 0.3, stop_s), spans[2]]
    assert [label.label for label in labels_of(replace(movement, envelope=envelope), parts)] == [
        "full",
        "",
        "full",
        "full",
    ]


def test_a_movement_that_the_end_of_the_recording_cuts_has_no_label() -> None:
    movement, spans = movement_of(to(1.0), to(1.0))
    n = round((spans[1][0] + 0.4) * FRAME_HZ)
    ended = replace(movement, values=movement.values[:n], envelope=movement.envelope[:n])
    assert [label.label for label in labels_of(ended, [spans[0], (spans[1][0], n / FRAME_HZ)])] == ["full", ""]


def test_a_flat_or_unrelated_sensor_is_refused_with_a_reason() -> None:
    movement, spans = movement_of(to(1.0), to(1.0))
    flat = replace(movement, values=np.full(movement.values.size, 3.0))
    assert no_movement(flat, measure(flat, spans)) == "the sensor is 3 throughout; expected a movement"
    noise = replace(movement, values=np.random.default_rng(0).standard_normal(movement.values.size))
    assert no_movement(noise, measure(noise, spans)) == "no movement rises above the noise of the sensor"
    other = replace(movement, correlation=0.1)
    assert "does not follow the muscles (correlation 0.10" in no_movement(other, measure(other, spans))
    assert no_movement(movement, measure(movement, spans)) == ""


def test_a_reversed_sensor_has_a_remark() -> None:
    movement, spans = movement_of(to(1.0))
    assert "its sign was reversed" in sensor_remarks(replace(movement, sign=-1), measure(movement, spans))[0]
    assert "state it with lag_s=" in sensor_remarks(replace(movement, is_periodic=True), measure(movement, spans))[0]


def whole(value: float) -> Excursion:
    return Excursion(value, 1.0, (0.0, 0.0))


def test_a_largest_excursion_far_above_the_others_is_doubted() -> None:
    assert best_of([whole(v) for v in (90, 100, 95, 50)]) == (100, "")
    best, remark = best_of([whole(v) for v in (90, 400, 100, 50)])
    assert np.isnan(best) and "400, is 4.0 times the next: it may be an artefact, so state" in remark
    best, remark = best_of([whole(v) for v in (50, 100, 48, 52)])
    assert best == 100 and "if it is an artefact, state the full range with full_at=" in remark
    assert np.isnan(best_of([replace(whole(90), stops=True)])[0])
    (label,) = label_excursions([whole(90)], float("nan"), CONFIG)
    assert (label.label, label.remark) == ("", "no repetition can serve as the person's best")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"invalid_below": 0.5}, "expected 0 < invalid_below <= half_from < half_to <= full_from; got 0.5, 0.35"),
        ({"full_at": -3.0}, "full_at must be above 0, in units of the sensor; got -3"),
        ({"lag": LagSearch(max_lag_s=-1)}, "max_lag_s must be 0 or more; got -1"),
    ],
)
def test_invalid_settings_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelConfig(**options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def people() -> list[tuple[SimulatedRecording, np.ndarray]]:
    config = SimulationConfig(n_subjects=3, n_repetitions=4)
    return [
        (person, envelope_of(preprocess(person.recording.samples, 1000.0, FilterConfig()), 1000.0))
        for person in simulate_people(config, seed=11)
    ]


@pytest.mark.parametrize("lag_s", [-0.5, 0.0, 0.2, 0.5])
@pytest.mark.parametrize(("drift", "is_reversed"), [(0.0, False), (0.5, True), (-1.0, False)])
def test_the_truth_of_simulated_people_is_recovered(
    people: list[tuple[SimulatedRecording, np.ndarray]], lag_s: float, drift: float, is_reversed: bool
) -> None:
    sensor = SimulatedSensor(drift=drift, is_reversed=is_reversed, lag_s=lag_s, rate_hz=100.0)
    right = []
    for person, envelope in people:
        spans = [(r.start_s, r.stop_s) for r in person.repetitions]
        period_s = float(np.median(np.diff([start for start, _ in spans])))
        movement = align(simulate_sensor(person, sensor, seed=5), 100.0, envelope, CONFIG.lag, period_s)
        assert movement.sign == (-1 if is_reversed else 1)
        right += [
            label.label == truth.movement
            for label, truth in zip(labels_of(movement, spans), person.repetitions, strict=True)
        ]
    assert np.mean(right) >= 0.99


@pytest.mark.parametrize(
    ("dataset", "band_hz", "channel", "at_least"),
    [("grip_force", (20, 95), "Force", 0.97), ("knee_angle", (20, 450), "", 0.92)],
)
def test_labels_agree_with_those_of_a_person(
    real_data: Path, dataset: str, band_hz: tuple[float, float], channel: str, at_least: float
) -> None:
    """`benchmarks/labels.py` lists the disagreements."""
    agree, pairs = [], Counter[tuple[str, str]]()
    for job in find_jobs(real_data / dataset / "manifest.csv"):
        seen = SEEN.get(f"{dataset}/{job.file}")
        if seen is None:
            continue
        filtered = open_filtered(job, configure(band_hz=band_hz).filter).filtered.select(())
        sensor = read_sensor(job.path, channel, rate_hz=job.rows[0].rate_hz)
        spans = [(start, stop) for start, stop, _, _ in seen]
        period_s = float(np.median(np.diff([start for start, _ in spans])))
        envelope = envelope_of(filtered.samples, filtered.rate_hz)
        movement = align(sensor.samples, sensor.rate_hz, envelope, CONFIG.lag, period_s)
        silent = no_movement(movement, measure(movement, spans))
        for (_, _, person, _), found in zip(seen, labels_of(movement, spans), strict=True):
            if person is not None:
                agree.append(person == ("" if silent else found.label))
                pairs[person, "" if silent else found.label] += 1
    assert np.mean(agree) >= at_least, pairs
    assert pairs["full", "half"] == pairs["half", "full"] == pairs["invalid", "full"] == 0
