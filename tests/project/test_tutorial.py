"""The tutorial notebook: in step with its text, short, and run whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from conftest import REPOSITORY

TEXT = REPOSITORY / "examples" / "notebooks" / "recording_to_score.py"
N_PICTURES = 2


def outputs_of(notebook: Any) -> list[Any]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == N_PICTURES
    return outputs


def printed(outputs: list[Any]) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_text_and_the_notebook_are_the_same() -> None:
    kept = nbformat.read(TEXT.with_suffix(".ipynb"), as_version=4)
    cells = jupytext.read(TEXT).cells
    assert [(c.cell_type, c.source) for c in kept.cells] == [(c.cell_type, c.source) for c in cells], "make notebook"
    assert len(cells) == 15
    assert "repetitions held out at random" in printed(outputs_of(kept))
    for cell in cells:
        if cell.cell_type == "markdown":
            assert any("\u4e00" <= letter <= "\u9fff" for letter in cell.source), cell.source


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    notebook = jupytext.read(TEXT)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    text = printed(outputs_of(notebook))
    means = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if " mean " in line]
    by_people, at_random = means
    assert 0.5 < by_people < at_random - 0.1  # a random split flatters
    assert "the measures of semg-hht train: 0." in text
