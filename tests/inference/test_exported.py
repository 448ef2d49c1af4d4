"""exported.py: an export folder of an earlier version is opened, and refused where its files do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semg_hht.errors import InputError
from semg_hht.inference.exported import DESCRIPTION_FILE, is_export, open_export
from semg_hht.inference.streamed import TABLE_FILE

KEPT = Path(__file__).parents[1] / "references" / "run" / "export"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of an export, to be damaged."""
    return Path(shutil.copytree(KEPT, tmp_path / "export"))


def test_an_export_is_a_folder_with_a_description(folder: Path) -> None:
    assert is_export(folder)
    assert not is_export(folder.parent)
    answers = open_export(folder, "numpy").ready(1).probabilities(np.zeros((3, 1, 256, 256), np.float32), batch_size=2)
    assert {task: rows.shape for task, rows in answers.items()} == {"action_quality": (3, 3), "gender": (3, 2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(precision="int4"), "expected a precision of float32, int8; found int4"),
        (lambda c: c.pop("precision"), r"expected the description of an export; KeyError\('precision'\)"),
        (lambda c: c.update(svms=3), "expected the description of an export; TypeError"),
        (lambda c: c.update(svms=["age"]), "expected SVMs of action_quality, gender; found age"),
        (lambda c: c.update(n_features=7), "expected 32 features; found 7"),
        (lambda c: c.update(classes=3), "expected the description of a model; AttributeError"),
        (lambda c: c.update(format=99), "format 99; this version reads format 2, export the run again"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    content = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    change(content)
    (folder / DESCRIPTION_FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=rf"export\.json: .*{message}"):
        open_export(folder)


def test_an_int8_export_of_an_earlier_version_needs_another_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    (folder / DESCRIPTION_FILE).write_text(json.dumps(content | {"precision": "int8"}), encoding="utf-8")
    (folder / TABLE_FILE).unlink()
    said = r"an int8 export without network\.json .* needs onnxruntime or openvino: .*, or export the run again"
    with pytest.raises(InputError, match=said):
        open_export(folder, "numpy")
    monkeypatch.setattr("semg_hht.inference.engines.find_spec", lambda name: name if name == "numpy" else None)
    with pytest.raises(InputError, match=said):
        open_export(folder)
    opened: list[str] = []
    monkeypatch.setattr("semg_hht.inference.engines.find_spec", lambda name: name)
    monkeypatch.setattr("semg_hht.inference.exported.open_network", lambda path, name: opened.append(name))
    with pytest.raises(AttributeError):
        open_export(folder).ready(1).probabilities(np.zeros((1, 1, 256, 256), np.float32))
    assert opened == ["onnxruntime"]


def test_a_description_that_is_no_object_is_refused(folder: Path) -> None:
    (folder / DESCRIPTION_FILE).write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"export\.json: format list; this version reads format 2"):
        open_export(folder)


def test_arrays_of_objects_are_not_unpickled(folder: Path) -> None:
    np.savez(folder / "gender.npz", mean=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="can't be read as the arrays of an SVM"):
        open_export(folder)
