"""novelty.py: what the training data looked like, and why a repetition is unlike it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from semg_hht.inference.novelty import (
    TEXTS,
    Reason,
    Stated,
    TrainingData,
    TrainingRepetition,
    describe_training,
    fit_likeness,
)

PREPARATION = {"filter": {"band_hz": [20.0, 450.0]}, "scaling": "log"}
STATED = Stated(1000.0, "uV", ("a", "b"))


def people(n_people: int = 6, n_each: int = 10, seed: int = 0) -> list[TrainingRepetition]:
    """Repetitions of people who differ about as much as one person's repetitions do."""
    rng = np.random.default_rng(seed)
    found = []
    for who in range(n_people):
        own = {"amplitude": rng.normal(2, 0.3, 1), "spectrum": rng.normal(0, 1, 5), "channels": rng.normal(0, 1, 3)}
        found += [
            TrainingRepetition(
                f"P{who}",
                STATED,
                {kind: centre + rng.normal(0, 0.1 if kind == "amplitude" else 1, centre.size)
                 for kind, centre in own.items()},
                2,
            )
            for _ in range(n_each)
        ]  # fmt: skip
    return found


def described(repetitions: list[TrainingRepetition] | None = None) -> TrainingData:
    return describe_training(people() if repetitions is None else repetitions, PREPARATION)


def names(training: TrainingData, repetition: TrainingRepetition, stated: Stated = STATED) -> list[str]:
    return [reason.name for reason in training.reasons(repetition.numbers, stated)]


@pytest.mark.parametrize("n_people", [3, 4, 6, 20])
def test_new_people_of_the_same_kind_are_seldom_unlike(n_people: int) -> None:
    found = []
    for seed in range(12):
        everyone = people(n_people + 6, seed=seed)
        training = described([r for r in everyone if int(r.person[1:]) < n_people])
        found += [bool(names(training, r)) for r in everyone if int(r.person[1:]) >= n_people]
    assert np.mean(found) <= 0.05


def test_what_is_stated_is_compared() -> None:
    training, same = described(), people()[0]
    assert names(training, same) == []
    for stated, reason in [
        (replace(STATED, rate_hz=200.0), "200 Hz; trained on 1000 Hz"),
        (replace(STATED, units="adc"), "units adc; trained on volts"),
        (replace(STATED, channels=("b", "a")), "channels in another order (b, a); trained on a, b"),
        (replace(STATED, is_foreign=True), "a matrix of another tool; trained on matrices of this program"),
    ]:
        assert [str(found) for found in training.reasons(same.numbers, stated)] == [reason]
    clipped = replace(STATED, clipped={"a": 0.01, "b": 0.2})
    (reason,) = training.reasons(same.numbers, clipped)
    assert str(reason) == "channel b is clipped: 20% of its samples are at the ends of its range"


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        (("Biceps (uV)", "Brachioradialis (uV)"), ""),
        (("肱二头肌", "肱桡肌"), ""),
        (("Brachioradialis", "Biceps"), "channels in another order (Brachioradialis, Biceps); trained on {trained}"),
        (("Recto Femoral", "VM"), "muscles Recto Femoral, VM; trained on {trained}"),
        (("Biceps", "Triceps"), "muscles Biceps, Triceps; trained on {trained}"),
        (("Triceps", "EMG 2"), ""),  # one name says nothing
        (("L Triceps", "R Triceps"), ""),  # nobody knows which side stands first
    ],
)
def test_names_of_muscles_are_compared_in_any_language(channels: tuple[str, ...], reason: str) -> None:
    trained = ("BicepsBrachi", "Brachioradialis")
    training, same = replace(described(), orders=(trained,)), people()[0]
    found = training.reasons(same.numbers, replace(STATED, channels=channels))
    assert "; ".join(map(str, found)) == reason.format(trained=", ".join(trained))
    unknown = replace(training, orders=(("EMG 1", "EMG 2"),))
    assert unknown.reasons(same.numbers, replace(STATED, channels=channels)) == ()


@pytest.mark.parametrize(
    "stated",
    [
        replace(STATED, rate_hz=2148.0),  # it covers the same band
        replace(STATED, rate_hz=None),
        replace(STATED, units="V"),
        replace(STATED, units=""),
        replace(STATED, channels=("ch1", "ch2")),  # another device's names
        replace(STATED, clipped={"a": 0.01}),
    ],
    ids=["rate", "no rate", "units", "no units", "names", "clipped"],
)
def test_what_does_not_matter_is_no_reason(stated: Stated) -> None:
    assert names(described(), people()[0], stated) == []


def test_units_matter_only_where_the_scaling_keeps_them() -> None:
    relative = describe_training(people(), PREPARATION | {"scaling": "mvc"})
    assert names(relative, people()[0], replace(STATED, units="adc")) == []


def test_the_number_of_channels_is_that_of_the_covariance() -> None:
    reasons = described().reasons(people()[0].numbers, STATED, np.zeros(4 * 8 * (4 * 8 + 1) // 2))
    assert [str(reason) for reason in reasons] == ["8 channels; trained on 2"]


def test_amplitudes_beyond_those_of_the_training_people_are_named() -> None:
    training, repetition = described(), people()[0]
    high = training.ranges["amplitude"][1]
    loud = replace(repetition, numbers=repetition.numbers | {"amplitude": np.array([high + 2])})
    (reason,) = training.reasons(loud.numbers, STATED)
    assert str(reason) == "amplitude 100 times the largest of the training people"
    quiet = replace(repetition, numbers=repetition.numbers | {"amplitude": repetition.numbers["amplitude"] - 3})
    assert names(training, quiet) == ["low"]


def test_a_channel_pattern_unlike_any_is_named() -> None:
    training, repetition = described(), people()[0]
    strange = replace(repetition, numbers=repetition.numbers | {"channels": np.array([9.0, -9.0, 9.0])})
    assert names(training, strange) == ["channels"]


def test_with_two_people_the_limits_are_wider() -> None:
    training = described(people(2))
    few, many = (np.mean([of.shapes[kind].limit for kind in of.shapes]) for of in (training, described()))
    assert few > 1.5 * many
    assert described(people(1, 11)).shapes == {}  # too few repetitions
    low, high = training.ranges["amplitude"]
    numbers = people()[0].numbers
    assert training.reasons(numbers | {"amplitude": np.array([high + 0.9])}, STATED) == ()
    assert training.reasons(numbers | {"amplitude": np.array([low - 1.1])}, STATED) != ()


def test_fewer_people_need_a_larger_distance() -> None:
    def limit(n_people: int) -> float:
        found = []
        for seed in range(20):
            repetitions = people(n_people, seed=seed)
            table = np.stack([r.numbers["spectrum"] for r in repetitions])
            found.append(fit_likeness(table, [r.person for r in repetitions]).limit)
        return float(np.median(found))

    assert limit(3) > limit(6) > limit(20)


def test_what_not_every_repetition_has_is_not_compared() -> None:
    repetitions = people()
    del repetitions[0].numbers["spectrum"]
    assert set(described(repetitions).shapes) == {"channels"}


def test_the_description_survives_json_and_is_small() -> None:
    wide = [replace(r, numbers=r.numbers | {"channels": np.random.default_rng(i).normal(size=136)})
            for i, r in enumerate(people())]  # fmt: skip
    training = replace(described(wide), alone=described())
    text = json.dumps(training.to_json())
    assert TrainingData.from_json(json.loads(text)) == training
    assert len(text) < 200_000  # 16 channels


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("ranges"),
        lambda c: c.update(ranges={"loudness": [0, 1]}),
        lambda c: c.update(ranges={"amplitude": [0, float("nan")]}),
        lambda c: c.update(ranges={"amplitude": [0]}),
        lambda c: c.update(rates_hz="fast"),
        lambda c: c.update(alone=3),
        lambda c: c["shapes"]["spectrum"].update(limit=0),
        lambda c: c["shapes"]["spectrum"]["spread"].pop(),
        lambda c: c["shapes"]["spectrum"].update(spread=[0.0] * 5),
        lambda c: c["shapes"]["spectrum"].update(centre=[], spread=[], whitening=[]),
        lambda c: c["shapes"].update(spectrum=None),
    ],
)
def test_a_damaged_description_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(json.dumps(described().to_json()))
    change(content)
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        TrainingData.from_json(content)


def test_every_reason_has_a_text() -> None:
    for name, text in TEXTS.items():
        values = {key: "x" for key in ("rate", "trained", "units", "n", "given", "name", "share", "ratio", "duration",
                                       "shortest", "longest", "value", "low", "high")}  # fmt: skip
        assert str(Reason(name, values)) == text.format(**values)
