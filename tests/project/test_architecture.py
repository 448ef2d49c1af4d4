"""The house: who may import whom, how many rooms and arrows it has, names, sizes, and what an import may load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from semg_hht import samples
from semg_hht.recordings.recording import Recording, write_recording

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src" / "semg_hht"
TESTS = REPOSITORY / "tests"
MAX_ROOMS = 30  # packages and modules directly in semg_hht, benchmarks/ and the scripts
MAX_ARROWS = 140  # imports from one room to another, counted once a pair
MAX_LINES = 400
MAX_FUNCTION_LINES = 80
MAX_PARAMETERS = 7
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "base", "manager", "helpers", "misc"}
# A verb of the command line has the name of the module that does its work.
VERBS = {path.stem for path in (SOURCE / "cli" / "commands").glob("*.py")}
# Tests of what several modules do together, and of the repository itself.
NOT_MIRRORED = ("end_to_end", "faults", "project")


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{name_of(path)}:{node.name}", node


def test_imports_keep_to_the_contracts() -> None:
    """The layers of pyproject.toml, and which package may import which library."""
    command = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {"benchmarks": sorted((REPOSITORY / "benchmarks").glob("*.py"))}
    for path in files():
        found.setdefault(path.relative_to(SOURCE).with_suffix("").parts[0], []).append(path)
    return found | {path.stem: [path] for path in sorted(REPOSITORY.glob("*.py")) if path.stem != "setup"}


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            parent = node.module or ""
            names = [f"{parent}.{alias.name}" for alias in node.names] if parent == "semg_hht" else [parent]
        for name in names:
            if name.startswith("semg_hht."):
                yield name.split(".")[1]


def test_the_house_has_few_rooms_and_arrows() -> None:
    """`pytest -s` shows both. A package's ``__init__`` that only hands names on is part of its room."""
    known = rooms()
    arrows = {
        (room, target)
        for room, paths in known.items()
        if room != "__init__"
        for path in paths
        for target in imported_rooms(path)
        if target in known and target != room
    }
    sys.stdout.write(f"{len(known)} rooms, {len(arrows)} arrows\n")
    assert len(known) <= MAX_ROOMS
    assert len(arrows) <= MAX_ARROWS


def test_no_two_files_have_one_name() -> None:
    counts = Counter(path.stem for path in files() if path.parent.name != "commands" and path.stem != "__init__")
    assert [name for name, count in counts.items() if count > 1] == []
    assert not FORBIDDEN_NAMES & set(counts)


def test_no_two_classes_have_one_name() -> None:
    classes = Counter(
        node.name.lstrip("_") for path in files() for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in classes.items() if count > 1] == []


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_a_file_is_short_and_says_what_it_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(tree_of(path)), f"{path}: a module says what it does"


def test_functions_are_short() -> None:
    assert [name for name, node in functions() if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES] == []


def test_functions_take_few_parameters() -> None:
    """But for the verbs, whose parameters are flags."""

    def n_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return sum(argument.arg not in ("self", "cls") for argument in named)

    crowded = [name for name, node in functions() if n_parameters(node) > MAX_PARAMETERS]
    assert [name for name in crowded if not (name.startswith("cli/commands/") and name.split(":")[1] in VERBS)] == []


def test_tests_mirror_the_tree() -> None:
    """A test file has the name and the place of the module it tests, and each module has one."""
    modules = {path.relative_to(SOURCE).with_suffix("").as_posix() for path in files() if path.stem[:2] != "__"}
    modules.remove("version")  # one string
    tested = {
        path.relative_to(TESTS).with_name(path.stem.removeprefix("test_")).as_posix()
        for path in TESTS.rglob("test_*.py")
        if path.relative_to(TESTS).parts[0] not in NOT_MIRRORED
    }
    assert sorted(tested - modules) == []
    assert sorted(modules - tested) == []


def modules_after(statements: str, *arguments: str) -> set[str]:
    """The modules that a fresh process has loaded at the end of some statements."""
    code = f"import sys\n{statements}\nsys.stderr.write(' '.join(sys.modules))"
    command = [sys.executable, "-c", code, *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())


def loaded_by(statement: str) -> set[str]:
    """The libraries that a statement loads in a fresh process."""
    return {name.split(".")[0] for name in modules_after(statement)}


def test_importing_the_package_loads_nothing_else() -> None:
    ours = {name for name in modules_after("import semg_hht") if name.startswith("semg_hht")}
    assert ours == {"semg_hht", "semg_hht.version"}
    assert not loaded_by("import semg_hht") & {"numpy", "scipy", "torch", "matplotlib", "typer", "rich"}


RUN_MAIN = "from semg_hht.cli.main import main\ntry:\n    main()\nexcept SystemExit:\n    pass"


def test_finding_repetitions_loads_few_libraries(tmp_path: Path) -> None:
    """Importing `scipy.signal`, with its statistics, takes longer than finding the repetitions."""
    samples_uv = np.random.default_rng(5).standard_normal((1, 12000))
    samples_uv[:, 2000:4000] *= 10
    samples_uv[:, 6000:8000] *= 10
    write_recording(Recording(samples_uv, 1000.0, ("1",)), tmp_path / "a.csv")
    words = ["segment", str(tmp_path / "a.csv"), "--out", str(tmp_path / "reps.csv"), "--no-pictures"]
    loaded = modules_after(RUN_MAIN, *words)
    assert (tmp_path / "reps.csv").exists()
    heavy = {"torch", "matplotlib", "joblib", "sklearn", "jinja2", "filelock", "h5py"}
    assert not loaded & (heavy | {f"scipy.{part}" for part in ("fft", "linalg", "signal", "special", "stats")})
    assert not loaded & {f"semg_hht.recordings.formats.{name}" for name in ("hdf5", "xdf", "c3d", "otb", "parquet")}


@pytest.mark.parametrize("words", ["predict --output {out} --input {file}", "report --out {out} --card {file}"])
def test_answering_a_recording_loads_few_libraries(words: str, tmp_path: Path) -> None:
    recording, out = samples.RECORDINGS / "P04_neutral.mat", tmp_path / "out"
    loaded = modules_after(RUN_MAIN, *words.format(out=out, file=recording).split())
    assert out.exists()
    assert not loaded & {"torch", "matplotlib", "sklearn", "joblib", "scipy.signal", "scipy.stats", "scipy.interpolate"}


def test_answering_a_matrix_with_numpy_loads_few_libraries(tmp_path: Path) -> None:
    kept, out = TESTS / "references" / "run", tmp_path / "out.json"
    words = ["--checkpoint", kept / "export", "--engine", "numpy", "--input", kept / "matrix.npz", "--output", out]
    loaded = modules_after(RUN_MAIN, "predict", *map(str, words))
    assert out.exists()
    assert not loaded & {"hashlib", "numpy.random", "rich._emoji_codes", "scipy.special", "onnxruntime", "openvino"}
    assert not loaded & {"semg_hht.datasets.prepare", "semg_hht.datasets.bids_export"}


@pytest.mark.parametrize(
    "module", ["explanation.explain", "prediction.session", "cli.commands.predict", "web.page_server"]
)
def test_what_needs_torch_loads_it_late(module: str) -> None:
    assert "torch" not in loaded_by(f"import semg_hht.{module}")


def test_asking_the_command_line_for_help_loads_no_torch() -> None:
    assert not loaded_by("import semg_hht.cli.main") & {"torch", "matplotlib", "sklearn", "jinja2", "starlette"}


def test_a_path_in_a_printed_command_is_quoted() -> None:
    """In a sentence such as "next: semg-hht train --data_dir X", a path with spaces would be two words."""
    unquoted = []
    for path in files():
        for node in ast.walk(tree_of(path)):
            said = ""
            for part in node.values if isinstance(node, ast.JoinedStr) else ():
                is_word = isinstance(part, ast.FormattedValue) and re.search(
                    r"semg-hht [a-z]+ [\w -]*$|--replay $", said
                )
                if is_word and not re.match(r"\{(in_command\(|quoted\})", ast.unparse(part).removeprefix("f'")):
                    unquoted.append(f"{name_of(path)}:{node.lineno}: {ast.unparse(part)}")
                said += str(part.value) if isinstance(part, ast.Constant) else "X"
    assert unquoted == []
