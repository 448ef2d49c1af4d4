"""notebook.py, and the notebooks: in step with their texts, and run whole, that of training also as on Kaggle."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from builders import foreign_matrix, make_dataset, values, write_dataset, write_npz
from conftest import REPOSITORY
from semg_hht import notebook
from semg_hht.errors import InputError
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.train import Result

TEXT = REPOSITORY / "semg_hht_cnn_classifier.py"
TUTORIAL = REPOSITORY / "examples" / "notebooks" / "recording_to_score.py"
SMALL = "EPOCHS, BASE_CHANNELS, N_SIMULATED = 1, 2, 24"


def cells() -> list[Any]:
    return list(jupytext.read(TEXT).cells)


def code() -> str:
    return "\n".join(cell.source for cell in cells() if cell.cell_type == "code")


@pytest.fixture(scope="module")
def client() -> Iterator[NotebookClient]:
    """One process for all runs of the notebooks: to load their libraries takes longer than a run."""
    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", shutdown_kernel="immediate")
    client.execute(cleanup_kc=False)
    yield client
    client.nb = nbformat.v4.new_notebook()
    client.execute(cleanup_kc=True)


def start_in(folder: Path, more: str = "") -> Any:
    """The first cell of a run in ``folder``, as in a new process."""
    return nbformat.v4.new_code_cell(f"import os\nos.chdir({str(folder)!r})\n{more}\n%reset -f")


def printed_by(client: NotebookClient, notebook: Any, n_pictures: int) -> str:
    """What the cells of a notebook print."""
    client.nb = notebook
    client.execute(cleanup_kc=False)
    return printed_in(notebook, n_pictures)


def printed_in(notebook: Any, n_pictures: int) -> str:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == n_pictures
    return "".join(output.text for output in outputs if output.output_type == "stream")


def execute(client: NotebookClient, folder: Path, kaggle: Path, settings: str = SMALL, more: str = "") -> str:
    """Run the notebook in ``folder`` with small settings, as papermill puts them in; what its cells printed."""
    shown = jupytext.read(TEXT)
    shown.cells.insert(0, start_in(folder, f"os.environ['SEMG_HHT_KAGGLE'] = {str(kaggle)!r}"))
    place = next(i for i, cell in enumerate(shown.cells) if "parameters" in cell.metadata.get("tags", ()))
    shown.cells.insert(place + 1, nbformat.v4.new_code_cell(settings))
    shown.cells.append(nbformat.v4.new_code_cell(more))
    return printed_by(client, shown, n_pictures=4)


@pytest.mark.parametrize("text", [TEXT, TUTORIAL], ids=lambda text: text.stem)
def test_the_text_and_the_notebook_are_the_same(text: Path) -> None:
    kept, written = nbformat.read(text.with_suffix(".ipynb"), as_version=4).cells, jupytext.read(text).cells
    assert [(c.cell_type, c.source) for c in kept] == [(c.cell_type, c.source) for c in written], "make notebook"


def test_the_notebook_shows_what_it_did_and_stays_small() -> None:
    path = TEXT.with_suffix(".ipynb")
    assert path.stat().st_size < 1_000_000
    kept = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in kept] == list(range(1, len(kept) + 1))
    printed_in(nbformat.read(path, as_version=4), n_pictures=4)


def test_the_tutorial_is_short_shows_what_it_did_and_speaks_both_languages() -> None:
    kept = nbformat.read(TUTORIAL.with_suffix(".ipynb"), as_version=4)
    assert len(kept.cells) == 15
    assert "repetitions held out at random" in printed_in(kept, n_pictures=2)
    for cell in kept.cells:
        if cell.cell_type == "markdown":
            assert any("\u4e00" <= letter <= "\u9fff" for letter in cell.source), cell.source


def test_it_defines_nothing_and_speaks_both_languages() -> None:
    defined = (ast.ClassDef, ast.FunctionDef, ast.Lambda)
    assert not [node for node in ast.walk(ast.parse(code())) if isinstance(node, defined)]
    for cell in cells():
        if cell.cell_type == "markdown":
            assert any("\u4e00" <= letter <= "\u9fff" for letter in cell.source), cell.source


def test_sections_stand_in_the_order_of_the_seed() -> None:
    titles = [c.source.splitlines()[0] for c in cells() if c.source.startswith("## ") and c.source[3].isdigit()]
    words = ("package", "loading", "extraction", "Normalisation", "SVM", "Validation", "Test inference", "Checkpoint")
    assert len(titles) == len(words)
    assert all(word in title for word, title in zip(words, titles, strict=True))


@pytest.mark.slow
def test_it_runs_on_simulated_data_and_goes_on_when_run_again(tmp_path: Path, client: NotebookClient) -> None:
    again = next(cell.source for cell in cells() if "TrainingBar" in cell.source)
    printed = execute(client, tmp_path, tmp_path / "no-kaggle", more=again)
    assert "simulated data: 30 matrices" in printed
    assert "resumed after epoch 1 of 1" in printed
    assert printed.count("best epoch 1 of 1; people are identified by subject") == 2
    answers = json.loads((tmp_path / "simulated" / "checkpoints" / "test_predictions.json").read_text())
    assert len(answers) == 6 and all(name in printed for name in answers)


@pytest.mark.slow
def test_it_runs_as_on_kaggle(tmp_path: Path, client: NotebookClient) -> None:
    """Matrices of another tool, without subjects, in an attached folder that can't be written to."""
    data, working = tmp_path / "input" / "hilbertmatrix-npz" / "hht_matrices", tmp_path / "working"
    data.mkdir(parents=True)
    working.mkdir()
    rng = np.random.default_rng(0)
    for number in range(18):
        movement = ("fatiguetest", "half", "invalid")[number % 3]
        write_npz(data / f"BICEPS_{movement}_{'MF'[number % 2]}_{number:03d}.npz", hht=values(number % 3, rng)[0])
    foreign_matrix(data / "Test1_1_001.npz", key="hht")
    data.chmod(0o555)
    printed = execute(client, working, tmp_path, settings=f"{SMALL}\nLANG = 'zh'")
    assert "kaggle data: 19 matrices" in printed
    assert "action_quality: full 6, half 6, invalid 6" in printed
    assert (working / "checkpoints" / "metrics.json").is_file()
    assert list(json.loads((working / "checkpoints" / "test_predictions.json").read_text())) == ["Test1_1_001.npz"]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, client: NotebookClient) -> None:
    tutorial = jupytext.read(TUTORIAL)
    tutorial.cells.insert(0, start_in(tmp_path))
    printed = printed_by(client, tutorial, n_pictures=2)
    means = [float(line.rsplit(" ", 1)[1]) for line in printed.splitlines() if " mean " in line]
    by_people, at_random = means
    assert 0.5 < by_people < at_random - 0.1  # a random split flatters
    assert "the measures of semg-hht train: 0." in printed


def installing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the first cell gives to pip in ``folder``, where the package is missing."""
    called: list[list[str]] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.check_call", called.append)
    monkeypatch.setattr("shutil.copytree", lambda source, target, **_: f"copy of {source}")
    monkeypatch.setenv("SEMG_HHT_KAGGLE", str(folder / "kaggle"))
    monkeypatch.chdir(folder)
    exec(next(cell.source for cell in cells() if "find_spec" in cell.source), {})  # noqa: S102  our own cell
    (command,) = called
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    return command[5:]


def test_the_first_cell_installs_what_is_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached = tmp_path / "kaggle" / "input"
    with pytest.raises(SystemExit, match="semg_hht is not installed"):
        installing(tmp_path, monkeypatch)
    clone = attached / "repository"
    clone.mkdir(parents=True)
    shutil.copy(REPOSITORY / "pyproject.toml", clone)
    assert installing(tmp_path, monkeypatch) == [f"copy of {clone}[train]"]
    (attached / "wheels").mkdir()
    (attached / "wheels" / "semg_hht-0.1.0-cp311-abi3-linux_x86_64.whl").touch()
    assert installing(tmp_path, monkeypatch) == [
        "--no-index", "--find-links", str(attached / "wheels"), "semg-hht[train]",
    ]  # fmt: skip
    monkeypatch.setenv("SEMG_HHT_SOURCE", "elsewhere")
    assert installing(tmp_path, monkeypatch) == ["elsewhere"]


@pytest.mark.parametrize(
    ("matrices", "found"),
    [
        (["hilbertmatrix-npz/hht_matrices", "other/hht_matrices"], "hilbertmatrix-npz/hht_matrices"),
        (["datasets/someone/mine/hht_matrices"], "datasets/someone/mine/hht_matrices"),
        (["mine/full", "mine/half"], "mine"),
        (["mine", "mine", "yours"], "mine"),
    ],
)
def test_attached_matrices_are_found(tmp_path: Path, matrices: list[str], found: str) -> None:
    (tmp_path / "working").mkdir()
    for number, folder in enumerate(matrices):
        (tmp_path / "input" / folder).mkdir(parents=True, exist_ok=True)
        foreign_matrix(tmp_path / "input" / folder / f"Test1_1_{number:03d}.npz")
    write_npz(tmp_path / "input" / "0.npz", weights=np.zeros(3))
    places = notebook.find_folders(tmp_path, tmp_path)
    assert places == notebook.NotebookFolders(
        tmp_path / "input" / found, tmp_path / "working" / "checkpoints", "kaggle"
    )


def test_without_matrices_places_are_for_simulated_ones(tmp_path: Path) -> None:
    assert notebook.find_folders(tmp_path, tmp_path / "kaggle").data == tmp_path / "simulated" / "data"
    (tmp_path / "working").mkdir()
    assert notebook.find_folders(tmp_path, tmp_path).checkpoints == tmp_path / "working" / "simulated" / "checkpoints"
    (tmp_path / "data").mkdir()
    foreign_matrix(tmp_path / "data" / "Test1_1_001.npz")
    local = notebook.NotebookFolders(tmp_path / "data", tmp_path / "checkpoints", "local")
    assert notebook.find_folders(tmp_path, tmp_path / "kaggle") == local


def test_a_run_of_an_earlier_session_is_brought_back_once(tmp_path: Path, tiny_result: Result) -> None:
    (tmp_path / "working").mkdir()
    shutil.copytree(tiny_result.folder, tmp_path / "input" / "my-notebook" / "checkpoints")
    places = notebook.find_folders(tmp_path, tmp_path)
    assert notebook.bring_back(places)
    assert (places.checkpoints / "last" / "state.safetensors").is_file()
    assert not notebook.bring_back(places)
    assert not notebook.bring_back(notebook.NotebookFolders(tmp_path, tmp_path, "local"))


@pytest.mark.parametrize("movements", [("full", "half", "invalid"), ()])
def test_one_matrix_of_each_class(tmp_path: Path, movements: tuple[str, ...]) -> None:
    dataset = make_dataset(n_subjects=2, n_repetitions=1, movements=movements or ("",))
    folder = write_dataset(dataset, tmp_path / "prepared") / "hht_matrices"
    folder.mkdir()
    for path in folder.parent.glob("*.npz"):
        path.rename(folder / path.name)
    manifest = folder.parent / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("\np", "\nhht_matrices/p"))
    found = notebook.one_of_each(folder, load_folder(folder))
    assert [name for name, _ in found] == list(movements or ("F", "M"))
    assert all(matrix.values.shape == (1, 256, 256) for _, matrix in found)


def test_bars_want_tqdm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(notebook.track([1, 2], 2, "counting")) == [1, 2]
    assert "counting: 100%" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(InputError, match=r"progress in a notebook needs tqdm: pip install 'semg-hht\[notebook\]'"):
        notebook.track([], 0, "counting")
