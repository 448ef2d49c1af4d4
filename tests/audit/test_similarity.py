"""Similarity of matrices and of people."""

from __future__ import annotations

import numpy as np
import pytest

from audit_builders import matrices
from semg_hht.audit.similarity import MIN_REPETITIONS, MIN_TYPICAL, compare_people, profile, similar_pairs, sketch
from semg_hht.matrices.density import DensityConfig, power_density
from semg_hht.matrices.matrix import SIZE


def test_likeness_survives_gain_but_not_another_signal() -> None:
    one, two = matrices(2)
    sketches = np.stack([sketch(m) for m in (one, np.sqrt(3 * one), two)])
    pairs = similar_pairs(sketches, ["a", "b", "c"])
    assert [(p.first, p.second) for p in pairs] == [(0, 1)]
    assert pairs[0].likeness > 0.9


def test_directions_that_all_rows_share_are_no_likeness() -> None:
    """The envelope of a curl is similar for all people; only the copy is found."""
    envelope = np.sin(np.linspace(0, np.pi, SIZE, dtype=np.float32)) * 2
    values = [m + envelope for m in matrices(120)]
    sketches = np.stack([sketch(m) for m in [*values, values[3]]])
    groups = [str(i) for i in range(len(sketches))]
    assert [(p.first, p.second) for p in similar_pairs(sketches, groups)] == [(3, 120)]


def test_slow_rows_are_alike_by_chance_and_only_their_copy_is_found() -> None:
    """Of a short recording neighbouring times are alike: few independent values, so large correlations by chance."""
    slow = [np.repeat(m[:, :, ::16], 16, axis=2) for m in matrices(30)]
    values = [*matrices(90, seed=1), *slow, 3 * slow[5]]
    groups = [str(i) for i in range(len(values))]
    [pair] = similar_pairs(np.stack([sketch(m) for m in values]), groups)
    assert (pair.first, pair.second) == (95, 120)
    assert 0.2 < pair.limit < 0.9 < pair.likeness


def test_rows_of_one_recording_are_not_compared() -> None:
    one = sketch(matrices(1)[0])
    assert similar_pairs(np.stack([one, one]), ["a", "a"]) == []
    assert similar_pairs(one[None], ["a"]) == []


def people(n_people: int, n_each: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n_people), n_each)
    own = rng.standard_normal((n_people, 32)) * 3
    return (own[who] + rng.standard_normal((len(who), 32))).astype(np.float32), [f"S{i}" for i in who]


@pytest.mark.parametrize("seed", range(5))
def test_one_person_under_two_names_is_found_and_nobody_else(seed: int) -> None:
    profiles, names = people(6, 2 * MIN_REPETITIONS, seed)
    labels = ["x"] * len(names)
    assert compare_people(profiles, names, labels).lookalikes == ()
    names[: 2 * MIN_REPETITIONS : 2] = ["ZZ"] * MIN_REPETITIONS
    found = compare_people(profiles, names, labels).lookalikes
    assert [(pair.first, pair.second) for pair in found] == [("S0", "ZZ")]


def test_people_whom_the_data_cannot_distinguish_are_not_reported() -> None:
    profiles = np.random.default_rng(0).standard_normal((80, 32)).astype(np.float32)
    compared = compare_people(profiles, [f"S{i % 4}" for i in range(80)], ["x"] * 80)
    assert compared.lookalikes == ()
    assert not compared.distinguishes_people


def test_people_with_too_few_repetitions_are_not_compared() -> None:
    profiles, names = people(6, MIN_TYPICAL - 1)
    assert compare_people(profiles, names, ["x"] * len(names)).typical is None
    profiles, names = people(6, MIN_TYPICAL)
    assert compare_people(profiles, names, ["x"] * len(names)).typical is not None


def test_profile_and_sketch_have_values_for_each_plane() -> None:
    stack = np.concatenate(matrices(3))
    assert profile(stack).shape == (3 * 16,)
    assert sketch(stack).shape == (3 * 8 * 128,)
    np.testing.assert_allclose(profile(stack)[:16], profile(stack[:1]))


def test_smooth_matrices_of_unrelated_recordings_are_no_copies_and_a_copy_is_found() -> None:
    """Their slow courses are alike: without the differences no likeness stands out."""
    time_s = 2.5 * (np.arange(SIZE) + 0.5) / SIZE
    envelope = np.sin(np.linspace(0, np.pi, SIZE)) ** 2
    rng = np.random.default_rng(0)
    powers = [envelope * rng.exponential(size=(SIZE, SIZE)) * (rng.random((SIZE, SIZE)) < 0.1) for _ in range(60)]
    powers.append(0.2 * powers[3] + 0.002 * rng.random((SIZE, SIZE)))
    values = [np.log1p(power_density(1e4 * power, time_s, DensityConfig()))[None] for power in powers]
    groups = [str(i) for i in range(len(values))]
    found = similar_pairs(np.stack([sketch(m, smooth=True) for m in values]), groups)
    assert [(p.first, p.second) for p in found] == [(3, 60)]
