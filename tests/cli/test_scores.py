"""Tests of the scores that are printed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evaluation_builders import protocol
from semg_hht.cli import scores
from semg_hht.evaluation.metrics import evaluate


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        ([-0.3, -0.1], "is clearly worse than logistic: difference -0.20, 95 % interval -0.30 to -0.10"),
        ([-0.3, 0.0], "is no better than logistic"),
        ([-0.3, 0.1], "is not shown to be better than logistic"),
        (None, "is not shown to be better than logistic: difference -0.20, too few people for an interval"),
    ],
)
def test_a_network_that_is_not_better_than_a_baseline_is_reported(
    interval: Any, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = protocol("loso")
    for scored in content["tasks"].values():
        scored["duel"] = {"logistic": {"decides": True, "interval_95": interval, "network_is_better_by": -0.2}}
    scores.show_findings("loso", content)
    printed = capsys.readouterr().out
    assert f"the network {sentence}" in printed
    assert "action quality, protocol loso, " in printed


@pytest.mark.parametrize(
    ("split_by", "said"),
    [("subject", "4 repetitions of 2 subjects not trained on"), ("repetition", "gender, 4 repetitions not trained on")],
)
def test_scores_say_what_was_not_trained_on(split_by: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate(["F", "M", "F", "M"], np.eye(2)[[0, 1, 0, 1]], ("F", "M"), ["S1", "S2", "S1", "S2"])
    scores.show_reports({"gender": report}, split_by)
    assert said in capsys.readouterr().out
