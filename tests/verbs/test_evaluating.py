"""verbs/evaluating.py: scores by cross-validation."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from builders import TINY
from conftest import Simulated
from semg_hht.verbs.evaluating import COLUMNS, EvaluationOptions, evaluate, report_file


def test_scores_are_a_table_and_a_page(simulated: Simulated, tmp_path: Path) -> None:
    options = EvaluationOptions(("grouped",), 2, "action_quality", cpu=True, notes=("a note",))
    done = evaluate(
        simulated.matrices, tmp_path / "e", training=TINY, size=sh.NetworkSize(base_channels=2), options=options,
        work=sh.Work(n_jobs=1),
    )  # fmt: skip
    assert done.page.is_file() and report_file(done).is_file()
    found = done.content["protocols"]["grouped"]
    assert found["notes"] == ["a note"]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in done.rows()]
    assert {row["method"] for row in rows} > {"network"} and {row["protocol"] for row in rows} == {"grouped"}
    assert repr(done).count("\n  grouped, action_quality: ") == len(rows)
    pytest.importorskip("pandas")
    assert len(done.to_dataframe()) == len(rows)


def test_an_unknown_protocol_is_an_error_before_the_folds(tmp_path: Path) -> None:
    with pytest.raises(sh.InputError, match="protocols must be one of loso, grouped, random; got 'sideways'"):
        evaluate(tmp_path, options=EvaluationOptions(("sideways",)))


@pytest.mark.parametrize(("epochs", "base_channels", "said"), [(5000, 64, True), (5000, 8, False), (2, 64, False)])
def test_hours_of_training_are_announced(
    simulated: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    epochs: int, base_channels: int, said: bool,
) -> None:  # fmt: skip
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semg_hht.learning.crossvalidation.cross_validate", stopped)
    caplog.set_level("INFO")
    options = EvaluationOptions(("loso", "grouped"), 3, cpu=True)
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            simulated.matrices, tmp_path / "e", training=sh.TrainingConfig(epochs=epochs),
            size=sh.NetworkSize(base_channels=base_channels), options=options,
        )  # fmt: skip
    text = "the full network is trained 7 times, which takes hours without a GPU; base_channels=8 with"
    assert (text in caplog.text) is said
