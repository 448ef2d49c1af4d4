"""A recording is read and filtered once, whatever is asked of it."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Simulated
from page_builders import PageVisitor, page_of
from semg_hht.cli.main import main
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.recordings.recording import read_recording
from semg_hht.signals.filters import filter_steps
from semg_hht.web.visitors import Visitors

ONCE = {"read_recording": 1, "filter_steps": 1}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often recordings are read and filtered, wherever in the package."""
    counter: Counter[str] = Counter()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            counter[function.__name__] += 1
            return function(*args, **kwargs)

        return call

    for function in (read_recording, filter_steps):
        wrapper = counted(function)
        for name, module in list(sys.modules.items()):
            if name.startswith("semg_hht") and getattr(module, function.__name__, None) is function:
                monkeypatch.setattr(module, function.__name__, wrapper)
    return counter


@pytest.fixture
def recording(simulated: Simulated, tmp_path: Path) -> Path:
    """A recording of three repetitions, without a manifest beside it."""
    return Path(shutil.copy(simulated.manifest.parent / read_manifest(simulated.manifest)[0].file, tmp_path / "a.csv"))


@pytest.mark.parametrize(
    "arguments",
    [
        "predict --input {recording} --output {out}/answers.json",
        "predict --input {recording} --output {out}/answers.json --segment",
        "predict --input {recording} --output {out}/answers.json --segment --explain {out}/pictures",
        "explain --input {recording} --out {out}/evidence.png --segment --repetition 2",
        "report --card {recording} --out {out}/card.html",
        "report --card {recording} --out {out}/card.html --explain",
    ],
)
def test_a_command_reads_and_filters_a_recording_once(
    arguments: str, recording: Path, simulated_run: Path, tmp_path: Path, calls: Counter[str]
) -> None:
    command = arguments.format(recording=recording, out=tmp_path).split()
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--checkpoint", str(simulated_run), "--cpu"])
    assert calls == ONCE


def test_a_command_that_answers_several_recordings_reads_each_once(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, calls: Counter[str]
) -> None:
    """And a file that can't be used stops neither answers nor explanations of the others."""
    people = read_manifest(simulated.manifest)
    broken, *whole = list(dict.fromkeys(row.file for row in people))[:3]
    (folder := tmp_path / "recordings").mkdir()
    for name in whole:
        shutil.copy(simulated.manifest.parent / name, folder / name)
    (folder / broken).write_text("a,b\n1\n", encoding="utf-8")
    rows = [next(row for row in people if row.file == name) for name in (broken, *whole)]  # a repetition of each
    (folder / "manifest.csv").write_text(manifest_text(rows), encoding="utf-8")
    run, out = open_run(simulated_run, cpu=True), tmp_path / "answers.json"
    predictions = run.predict(folder, n_jobs=1)
    assert (len(predictions.predictions), list(predictions.errors)) == (2, [broken])
    assert calls == {"read_recording": 3, "filter_steps": 2}
    with pytest.raises(SystemExit, match="0"):
        main(["predict", "--checkpoint", str(simulated_run), "--cpu", "--input", str(folder), "--output", str(out),
              "--explain", str(tmp_path / "pictures")])  # fmt: skip
    content = json.loads(out.read_text(encoding="utf-8"))
    assert list(content.pop("errors")) == [broken]
    assert all(len(entry["evidence"]) == 2 for entry in content.values())


def test_an_answer_of_the_page_reads_and_filters_a_recording_once(
    recording: Path, simulated_run: Path, calls: Counter[str]
) -> None:  # uploads are read in a process of their own; measures and pictures come from what it kept
    with Visitors() as visitors:
        visitor = PageVisitor(page_of(visitors, open_run(simulated_run, cpu=True)))
        visitor.drop(recording)
        visitor.post("repetitions", file=1, repetitions=visitor.files[0]["repetitions"][:2])
        assert visitor.client.get("/api/picture?file=1&repetition=2").status_code == 200
        assert calls == {}
        visitor.post("answer")
        assert visitor.wait()["error"] == "" and calls == ONCE
        calls.clear()
        assert visitor.client.get("/api/card?file=1").status_code == 200 and calls == ONCE
