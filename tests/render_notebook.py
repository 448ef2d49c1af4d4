"""The notebooks from their texts, run where no data lies, with what their cells show: `make notebook`.

    python tests/render_notebook.py [TEXT]

What changes from run to run without meaning anything (times of execution, steps of a bar, names of cells) is left out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
TEXTS = (ROOT / "semg_hht_cnn_classifier.py", ROOT / "examples" / "notebooks" / "recording_to_score.py")


def render(text: Path) -> None:
    notebook = jupytext.read(text)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(
            notebook, kernel_name="python3", resources=where, coalesce_streams=True, record_timing=False
        ).execute()
    nbformat.write(notebook, text.with_suffix(".ipynb"))


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or TEXTS:
        render(path)
