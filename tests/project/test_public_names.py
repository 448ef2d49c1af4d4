"""The names of the package: documented by examples that run, imported late, and typed for a caller's own code."""

from __future__ import annotations

import ast
import doctest
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import pytest

import semg_hht as sh
from conftest import REPOSITORY
from semg_hht import hht, samples

# What a verb returns, or reads in an example that trains: shown in the example of that verb.
SHOWN_BY = {
    "Dataset": "load_dataset", "Evaluated": "evaluate", "Evidence": "explain", "Explanation": "explain",
    "ExportResult": "export", "Result": "train", "TrainingConfig": "train",
}  # fmt: skip
SCRIPT = """
import numpy as np
import semg_hht as sh

recording = sh.read_recording("curl.csv", rate_hz=1000)
repetitions = sh.find_repetitions(recording)
times: list[float] = [repetition.start_s for repetition in repetitions]
x = recording["biceps"]
imfs = sh.hht.emd(x, stopping="sd")
noisy = sh.hht.ceemdan(x, n_trials=100, noise_std=0.2, seed=0)
spectrum = sh.hht.hilbert_spectrum(x, rate_hz=1000)
power = spectrum.power
run = sh.open_run("checkpoints")
predictions = run.predict(["curl.csv", "BICEPS_half_F_012.npz"])
answer: str = predictions[0].answers["action_quality"].prediction
confidences: list[float] = [one.answers["action_quality"].confidence for one in predictions]

manifest = sh.simulate("people", sh.SimulationConfig(n_subjects=4), seed=1)
found = sh.segment(recording, config=sh.SegmentConfig(min_duration_s=0.5), options=sh.SegmentOptions(channels=("1",)))
starts: list[float | None] = [row.start_s for row in found]
labelled = sh.label(found, "elbow_angle", options=sh.LabelOptions(sh.LabelConfig(full_from=0.9)))
measured = sh.features(np.zeros((2, 1000)), rate_hz=1000, segmentation=sh.SegmentConfig())
table = measured.to_dataframe()
prepared = sh.prepare(labelled, "prepared", transform=sh.configure(band_hz=(20.0, 450.0)))
problems: int = sh.check("prepared").count("error")
small, few = sh.NetworkSize(base_channels=8), sh.TrainingConfig(epochs=5)
result = sh.train(prepared, "checkpoints", training=few, size=small, options=sh.RunOptions(cpu=True))
scores = sh.evaluate("prepared", "evaluation", options=sh.EvaluationOptions(("grouped",))).to_dataframe()
answers = sh.predict([recording, "curl.csv"], result, rate_hz=1000)
answers = run.predict(np.zeros((2, 1000)), rate_hz=1000, units="uV")
values = sh.prepare(labelled)[0].values
copies: int = sh.check([recording, "curl.csv", np.zeros((2, 1000)), prepared], rate_hz=1000).count("error")
labels_shown, shown = sh.plot_labels(labelled), recording.plot(found)
evidence: str = str(sh.explain(recording, run, "why.png", options=sh.ExplainOptions(repetition=2)))
size: int = sh.export(run, "exported", data="prepared").n_bytes
page = sh.report(recording, "card.html", checkpoint=run).name
raw = recording.select("biceps").crop(0.5, 2.0).to_mne(repetitions)
try:
    sh.predict(raw)
except sh.InputError as error:
    message = str(error)
"""
# What pip installs is found without MYPYPATH and checked as someone else's. Libraries that stand in no signature of the
# package are left out: to check torch takes as long as all the rest.
SETTINGS = f"""[mypy]
mypy_path = {REPOSITORY / "src"}
[mypy-semg_hht.*]
follow_imports = silent
[mypy-torch.*,lightning_fabric.*,safetensors.*,scipy.*,sklearn.*,rich.*,typer.*,starlette.*,uvicorn.*,jinja2.*]
follow_imports = skip
"""


def names() -> Iterator[tuple[str, Any]]:
    spaces: tuple[ModuleType, ...] = (sh, hht, samples)
    for space in spaces:
        for name in space.__all__:
            value = getattr(space, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield name, value


PUBLIC = dict(names())


def examples_of(name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(PUBLIC[name], name, globs={})
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_the_example_of_a_name_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    own = examples_of(name)
    assert own or examples_of(SHOWN_BY[name]), f"{name}: expected a runnable example in its docstring"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    with joblib.parallel_config(backend="sequential"):  # each worker process would load the libraries
        for test in own:
            assert runner.run(test).failed == 0


def test_each_name_is_imported_from_where_its_types_come_from() -> None:
    """The imports for type checkers and the table of modules say the same."""
    tree = ast.parse(Path(sh.__file__).read_text(encoding="utf-8"))
    (typing,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.name: (node.module or "").removeprefix("semg_hht.")
        for node in typing.body
        if isinstance(node, ast.ImportFrom) and node.module != "semg_hht"
        for alias in node.names
    }
    assert typed == sh._MODULE_OF
    assert {*typed, "hht", "samples", "__version__"} == set(sh.__all__) == set(sh.__all__) & set(dir(sh))
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        sh.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", ["report", "export"])
def test_a_verb_stays_a_function_when_its_modules_are_loaded(name: str) -> None:
    code = (
        f"import semg_hht, semg_hht.cli.commands.{name}, semg_hht.reports.card, semg_hht.exports\n"
        f"print(callable(semg_hht.{name}))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.strip() == "True"


MISTAKES = {
    "x: int = sh.segment('a.csv')[0].start_s": "Incompatible types in assignment",
    "sh.predict('a.csv', rate='1000')": 'Unexpected keyword argument "rate"',
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a strict type checker says of a caller's script, and of one for each mistake: file -> messages."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("callers")
    (folder / "mypy.ini").write_text(SETTINGS, encoding="utf-8")
    wrong = {f"wrong{number}.py": f"import semg_hht as sh\n{line}\n" for number, line in enumerate(MISTAKES)}
    scripts = {"mine.py": SCRIPT, **wrong}
    for name, text in scripts.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "mypy.ini", "--cache-dir",
               REPOSITORY / ".mypy_cache" / "caller", *scripts]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 1 and not done.stderr, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert all(line.split(":")[0] in scripts for line in said), done.stdout
    return {name: [line for line in said if line.startswith(f"{name}:")] for name in scripts}


@pytest.mark.slow
def test_a_strict_type_checker_accepts_a_callers_script(complaints: dict[str, list[str]]) -> None:
    assert complaints["mine.py"] == []
    assert (REPOSITORY / "src" / "semg_hht" / "py.typed").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_a_strict_type_checker_finds_a_callers_mistake(number: int, complaints: dict[str, list[str]]) -> None:
    (found,) = complaints[f"wrong{number}.py"]
    assert found.startswith(f"wrong{number}.py:2: ") and list(MISTAKES.values())[number] in found
