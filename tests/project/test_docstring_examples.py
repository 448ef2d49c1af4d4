"""The examples in the docstrings of estimators, plots and what gives them their input run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from matplotlib import pyplot

MODULES = (
    "datasets.labelled_repetitions",
    "estimators.repetition_classifier",
    "estimators.transformers",
    "figures.label_plot",
    "figures.result_plots",
    "figures.signal_plots",
    "reports.explanation_text",
    "signals.repetition_stack",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = import_module(f"semg_hht.{name}")
    tests = [test for test in doctest.DocTestFinder().find(module, globs={}) if test.examples]
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    assert tests
    assert [test.name for test in tests if runner.run(test).failed] == []
    pyplot.close("all")
