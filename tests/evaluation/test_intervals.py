"""Intervals over people: they hold what they promise, with few people too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose

from semg_hht.evaluation.intervals import difference_interval, rarely_shown, score_interval


def test_equal_repetitions_give_students_t_over_people() -> None:
    own = np.array([0.5, 0.7, 0.8, 0.6])
    influence, support = (own - own.mean()) / own.size, np.full((4, 3), 8)
    found = difference_interval((own.mean(), 0.0), (influence, np.zeros(4)), support)
    expected = scipy.stats.ttest_1samp(own, 0).confidence_interval()
    assert_allclose([found.low, found.high], [expected.low, expected.high])
    score = score_interval(own.mean(), influence, support)
    logit = scipy.special.logit([score.low, own.mean(), score.high])
    assert_allclose(logit[2] - logit[1], (found.high - own.mean()) / (own.mean() * (1 - own.mean())))
    assert_allclose(logit[1] - logit[0], logit[2] - logit[1])


def test_one_class_a_person_gives_the_degrees_of_freedom_of_two_samples() -> None:
    """Equal groups: Student's t of two independent samples, whose balanced accuracy is the mean of both means."""
    first, second = np.array([0.6, 0.7, 0.9]), np.array([0.3, 0.5, 0.4])
    influence = np.concatenate([(first - first.mean()) / 6, (second - second.mean()) / 6])
    support = 10 * np.repeat(np.eye(2, dtype=int), 3, axis=0)
    found = difference_interval((0.0, 0.0), (influence, np.zeros(6)), support)
    expected = scipy.stats.ttest_ind(first, second).confidence_interval()  # of the difference: twice that of the mean
    assert_allclose(found.high - found.low, (expected.high - expected.low) / 2)


def test_a_score_stays_between_0_and_1_and_equal_people_do_not_make_it_certain() -> None:
    support = np.full((3, 2), 10)
    influence = np.array([0.05, 0.03, -0.08])
    wide = score_interval(0.95, influence, support)
    assert 0 < wide.low < 0.7
    assert 0.95 < wide.high < 1
    perfect = score_interval(1.0, np.zeros(3), support)
    assert_allclose([perfect.low, perfect.high], [0.025 ** (1 / 60), 1])
    same = score_interval(0.7, np.zeros(3), support)
    assert same.low < 0.6 < 0.8 < same.high


def test_the_same_difference_in_all_people_is_not_certain_either() -> None:
    support, none = np.full((3, 2), 10), np.zeros(3)
    small = difference_interval((0.7, 0.6), (none, none), support)
    assert small.low < 0 < 0.1 < small.high
    assert difference_interval((1.0, 0.4), (none, none), support).low > 0
    tied = difference_interval((0.7, 0.7), (none, none), support)
    assert tied.low == tied.high == 0


def test_classes_of_fewer_than_three_people_are_rare() -> None:
    assert rarely_shown(np.array([[1, 1, 0, 0], [2, 0, 0, 0], [1, 3, 0, 9]])) == [1, 3]


@pytest.mark.parametrize("n_people", [3, 6, 20])
@pytest.mark.parametrize("ability", [0.7, 0.9])
def test_95_percent_holds_the_truth_and_equal_methods_are_seldom_called_better(n_people: int, ability: float) -> None:
    """The percentile bootstrap holds it in 71, 85 and 92 %, and calls equal methods better in 10, 7 and 3 %."""
    rng = np.random.default_rng(0)
    n_draws = 2000
    support = np.full((n_people, 3), 8)
    held = better = 0
    for _ in range(n_draws):
        own = rng.binomial(24, rng.beta(12 * ability, 12 * (1 - ability), (2, n_people))) / 24
        scores = own.mean(axis=1)
        influence = (own - scores[:, None]) / n_people
        interval = score_interval(scores[0], influence[0], support)
        held += interval.low <= ability <= interval.high
        better += difference_interval((scores[0], scores[1]), (influence[0], influence[1]), support).low > 0
    assert 0.93 <= held / n_draws <= 0.97
    assert better / n_draws <= 0.035


def test_the_benchmark_prints_every_table(repository: Path) -> None:
    command = [sys.executable, str(repository / "benchmarks" / "intervals.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for title in ("balanced accuracy", "AUROC", "equal methods"):
        assert f"| {title}" in done.stdout
