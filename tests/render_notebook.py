"""The notebook from its text, run where no data lies, with what its cells show: `make notebook`.

What changes from run to run without meaning anything (times of execution, steps of a bar, names of cells) is left out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

TEXT = Path(__file__).resolve().parent.parent / "semg_hht_cnn_classifier.py"


def render() -> None:
    notebook = jupytext.read(TEXT)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(
            notebook, kernel_name="python3", resources=where, coalesce_streams=True, record_timing=False
        ).execute()
    nbformat.write(notebook, TEXT.with_suffix(".ipynb"))


if __name__ == "__main__":
    render()
