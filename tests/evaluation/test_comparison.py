"""Findings about the answers of all folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import as_json
from semg_hht.evaluation.comparison import OURS, HeldOutAnswers, compare, task_findings

CLASSES = ("full", "half")


def answers(method: str, right: float, *, n_people: int = 6, seed: int = 0, in_set: bool = False) -> HeldOutAnswers:
    """Ten repetitions per person, of which about the share ``right`` is correct."""
    rng = np.random.default_rng(seed)
    n = 10 * n_people
    true = np.arange(n) % 2
    confidence = rng.uniform(0.6, 0.9, n)
    hit = rng.random(n) < right
    likely = np.where(hit, true, 1 - true)
    probabilities = np.where(np.arange(2) == likely[:, None], confidence[:, None], 1 - confidence[:, None])
    return HeldOutAnswers(
        task="action_quality",
        method=method,
        classes=CLASSES,
        repetitions=tuple(f"r{i}" for i in range(n)),
        labels=tuple(CLASSES[c] for c in true),
        subjects=tuple(f"S{i // 10}" for i in range(n)),
        muscles=tuple("BICEPS" if i % 4 < 2 else "TRICEPS" for i in range(n)),
        genders=tuple("F" if i < n // 2 else "M" for i in range(n)),
        files=tuple(f"r{i}.npz" for i in range(n)),
        probabilities=probabilities,
        in_set=probabilities > 0.15 if in_set else None,
    )


def test_a_clear_difference_is_distinguished_from_a_tie() -> None:
    good, bad, alike = answers(OURS, 0.95), answers("b", 0.5, seed=1), answers("c", 0.95, seed=2)
    won = compare(good, bad)
    assert won.interval is not None
    assert won.interval.low > 0.05
    assert won.value == pytest.approx(good.report().balanced_accuracy - bad.report().balanced_accuracy)
    tied = compare(good, alike)
    assert tied.interval is not None
    assert tied.interval.low <= 0 <= tied.interval.high
    assert compare(good, good).value == 0


def test_methods_are_compared_on_what_both_answered_in_any_order() -> None:
    good, bad = answers(OURS, 0.95), answers("b", 0.5, seed=1)
    order = np.random.default_rng(0).permutation(60)
    shuffled = replace(
        bad,
        **{name: tuple(getattr(bad, name)[i] for i in order)
           for name in ("repetitions", "labels", "subjects", "muscles", "genders", "files")},
        probabilities=bad.probabilities[order],
    )  # fmt: skip
    assert compare(good, shuffled) == compare(good, bad)


def test_two_people_give_no_interval() -> None:
    ours, other = answers(OURS, 0.9, n_people=2), answers("b", 0.5, n_people=2)
    assert compare(ours, other).interval is None
    duel = task_findings([ours, other])["action_quality"]["duel"]["b"]
    assert duel["network_is_better_by"] > 0
    assert duel["decides"]


def test_a_class_of_two_people_gives_no_interval() -> None:
    first, second = (replace(answers(m, 0.9), labels=("full",) * 40 + ("half",) * 20) for m in (OURS, "b"))
    assert compare(first, second).interval is None
    assert compare(answers(OURS, 0.9), answers("b", 0.9)).interval is not None


def test_findings_name_baselines_that_the_network_does_not_beat() -> None:
    found = task_findings(
        [answers(OURS, 0.8), answers("duration alone", 0.8, seed=3), answers("RMS alone", 0.4, seed=4)]
    )
    duel = found["action_quality"]["duel"]
    assert duel["duration alone"]["decides"]
    assert not duel["RMS alone"]["decides"]
    assert as_json(found) == found, "nothing but JSON"


def test_coverage_groups_and_worst_mistakes() -> None:
    ours = answers(OURS, 0.8, in_set=True)
    found = task_findings([ours])["action_quality"]
    assert set(found["per_muscle"]) == {"BICEPS", "TRICEPS"}
    assert found["per_gender"]["F"]["n"] == found["per_gender"]["M"]["n"] == 30
    sizes = (ours.probabilities > 0.15).sum(axis=1)
    held = (ours.probabilities > 0.15)[np.arange(60), ours.true]
    assert_allclose(found["unsure"]["coverage"], held.mean())
    assert_allclose(found["unsure"]["share_unsure"], np.mean(sizes > 1))
    worst = found["worst"]
    assert all(mistake["label"] != mistake["prediction"] for mistake in worst)
    assert [m["confidence"] for m in worst] == sorted((m["confidence"] for m in worst), reverse=True)
    assert found["unsure"]["promise"] == 0.9
    assert task_findings([answers(OURS, 0.8)])["action_quality"]["unsure"] is None


def test_sets_calibrated_across_people_reach_the_promised_coverage() -> None:
    coverage = [task_findings([answers(OURS, 0.8, n_people=10, seed=seed)])["action_quality"]["unsure_across_people"]
                for seed in range(8)]  # fmt: skip
    assert np.mean([found["coverage"] for found in coverage]) == pytest.approx(0.9, abs=0.03)
    assert task_findings([answers(OURS, 0.8, n_people=2)])["action_quality"]["unsure_across_people"] is None


def test_a_single_muscle_is_no_group() -> None:
    ours = replace(answers(OURS, 0.8), muscles=("BICEPS",) * 60)
    assert task_findings([ours])["action_quality"]["per_muscle"] == {}
