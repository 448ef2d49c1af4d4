"""Who may import whom, as data; and what importing the package may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "semg_hht"
MAX_LINES = 400
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "base", "manager", "helpers", "misc"}

# Room -> the rooms of ours it may import. A folder's name stands for everything in it.
ROOMS: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "allocator": set(),
    "tracking": set(),
    "workers": {"errors"},
    "hht": {"hht"},
    "storage": {"errors"},
    "labels": {"errors", "storage"},
    "scaling": set(),
    "joining": {"errors"},
    "signals": {"signals", "errors", "storage"},
    "matrices": {"errors", "scaling", "storage"},
    "evaluation": {"labels"},
    "calibration": {"evaluation"},
    "findings": {"calibration", "evaluation"},
    "report": {
        "errors", "evidence", "figures", "findings", "matrices", "measure", "pipeline", "predictions", "report",
        "session", "signals", "storage", "version",
    },
    "session": {
        "errors", "measure", "pipeline", "predict", "predictions", "references", "segment", "signals", "sources",
    },
    "predictions": {"calibration", "labels"},
    "audit": {"audit", "labels"},
    "pipeline": {"errors", "hht", "joining", "labels", "matrices", "scaling", "signals", "workers"},
    "engines": {"calibration", "engines", "errors", "joining", "matrices", "storage"},
    "bids": {"errors", "labels", "storage"},
    "bids_names": {"errors", "pipeline"},
    "bids_export": {"bids", "bids_names", "errors", "labels", "pipeline", "signals", "storage", "tracking", "version"},
    "sources": {"bids", "errors", "labels", "matrices", "pipeline", "signals", "storage"},
    "references": {"errors", "labels", "pipeline", "scaling", "signals", "sources"},
    "segment": {"errors", "figures", "labels", "pipeline", "signals", "storage", "tracking"},
    "measure": {"errors", "figures", "labels", "pipeline", "signals", "storage", "tracking"},
    "evidence": {
        "errors", "hht", "intake", "joining", "learning", "matrices", "pipeline", "predict", "predictions", "signals",
        "tracking",
    },
    "figures": {"errors", "figures", "matrices", "storage", "evaluation"},
    "prepare": {"errors", "figures", "labels", "matrices", "pipeline", "signals", "sources", "storage", "tracking"},
    "samples": {"errors", "labels", "matrices", "pipeline", "signals", "sources", "storage", "tracking"},
    "learning": {
        "calibration", "learning", "engines", "errors", "evaluation", "findings", "joining", "labels", "matrices",
        "pipeline", "predictions", "prepare", "sources", "references", "storage", "tracking", "version", "workers",
    },
    "examine": {
        "audit", "errors", "labels", "learning", "matrices", "pipeline", "prepare", "sources", "storage", "tracking",
    },
    "intake": {
        "errors", "joining", "labels", "matrices", "pipeline", "references", "scaling", "segment", "signals", "sources",
        "tracking", "workers",
    },
    "predict": {
        "calibration", "engines", "errors", "intake", "joining", "learning", "pipeline", "predictions", "signals",
        "tracking",
    },
    "demo": {
        "errors", "evaluation", "figures", "labels", "learning", "matrices", "pipeline", "predict", "predictions",
        "prepare", "report", "samples", "segment", "signals", "sources", "storage", "tracking",
    },
    "notebook": {"errors", "learning", "matrices", "prepare", "storage"},
    "console": {"errors", "evaluation", "pipeline"},
    "options": {"errors", "hht", "pipeline", "scaling", "signals", "workers"},
    "commands": {
        "allocator", "app", "audit", "bids_export", "commands", "console", "demo", "errors", "evidence", "examine",
        "figures", "findings",
        "labels", "learning", "measure", "options", "pipeline", "predict", "prepare", "references", "report", "samples",
        "segment", "session", "signals", "sources", "storage", "workers",
    },
    "app": {
        "allocator", "app", "errors", "evidence", "figures", "labels", "matrices", "pipeline", "predict", "predictions",
        "references", "report", "segment", "session", "signals", "sources", "storage",
    },
    "cli": {"commands", "console", "version"},
    "__init__": {"errors", "hht", "pipeline", "predict", "predictions", "signals", "version"},
    "__main__": {"cli"},
}  # fmt: skip

# Library -> the rooms that may import it.
LIBRARIES: dict[str, set[str]] = {
    "torch": {"commands", "learning", "predict"},
    "lightning_fabric": {"commands", "learning"},  # commands only ask whether it is there
    "safetensors": {"learning"},
    "sklearn": {"learning"},
    "skops": {"learning"},
    "onnx": {"learning"},
    "onnxruntime": {"engines", "learning"},
    "openvino": {"engines"},
    "captum": {"learning"},
    "matplotlib": {"figures"},
    "jinja2": {"report"},
    "typer": {"cli", "commands", "options"},
    "rich": {"cli", "console"},
    "tqdm": {"notebook"},
    "joblib": {"workers"},
    "distributed": {"workers"},
    "h5py": {"signals"},
    "pyedflib": {"signals"},
    "edfio": {"signals"},
    "pyxdf": {"signals"},
    "wfdb": {"signals"},
    "gradio": {"app"},
    "starlette": {"app"},
}
LAZY = {
    ("predict", "torch"),
    ("commands", "torch"),
    ("commands", "lightning_fabric"),
    ("predict", "learning"),
    ("evidence", "learning"),
    ("commands", "app"),
}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether it is imported at the top of the module)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "semg_hht":
                yield from ((f"semg_hht.{alias.name}", id(node) in top) for alias in node.names)
            else:
                yield node.module or "", id(node) in top


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    assert room in ROOMS, f"{room} is a new room: say in ROOMS what it may import"
    for name, at_top in imports(path):
        library = name.split(".")[0]
        if library == "semg_hht":
            target = name.split(".")[1] if "." in name else "__init__"
            assert target in ROOMS[room], f"{room} imports {name}"
            assert not (at_top and (room, target) in LAZY), f"{room} imports {name} at its top"
        elif library in LIBRARIES:
            assert room in LIBRARIES[library], f"{room} imports {name}"
            assert not (at_top and (room, library) in LAZY), f"{room} imports {name} at its top"


def test_the_table_lists_no_room_that_is_gone() -> None:
    assert set(ROOMS) == {room_of(path) for path in files()}


def test_signals_and_hht_do_not_know_each_other() -> None:
    assert "hht" not in ROOMS["signals"]
    assert ROOMS["hht"] == {"hht"}


def test_nothing_imports_the_command_line() -> None:
    assert [room for room, known in ROOMS.items() if "cli" in known] == ["__main__"]


def test_evaluation_and_audit_know_only_labels_and_arrays() -> None:
    assert ROOMS["evaluation"] <= {"labels"}
    assert ROOMS["audit"] <= {"audit", "labels"}


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_file_outgrows_its_room(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert path.stem not in FORBIDDEN_NAMES
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{path}: a module says what it does"


def loaded_by(statement: str) -> set[str]:
    """The libraries that a statement loads in a fresh process."""
    code = f"import sys\n{statement}\nsys.stdout.write(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_neither_torch_nor_matplotlib() -> None:
    heavy = {"torch", "matplotlib", "lightning_fabric", "sklearn", "skops", "typer", "rich"}
    assert not loaded_by("import semg_hht") & heavy


def test_asking_the_command_line_for_help_loads_no_torch() -> None:
    assert not loaded_by("import semg_hht.cli.main") & {"torch", "matplotlib", "sklearn", "jinja2"}
