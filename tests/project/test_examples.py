"""The scripts in examples/ run as they are, and stay short enough to copy."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from builders import TINY
from conftest import REPOSITORY, Simulated
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import read_manifest
from semg_hht.recordings.recording import read_recording

EXAMPLES = REPOSITORY / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def recording(simulated: Simulated) -> Path:
    return simulated.manifest.parent / read_manifest(simulated.manifest)[0].file


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_has_fewer_than_40_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


def test_transform_only(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("transform_only").main(recording, 500.0, tmp_path / "spectrum.png")
    n_samples = read_recording(recording, rate_hz=500.0).n_samples
    assert f"{n_samples} samples at 500 Hz" in capsys.readouterr().out
    assert (tmp_path / "spectrum.png").read_bytes().startswith(b"\x89PNG")


def test_train_on_your_data(simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("train_on_your_data").main(simulated.manifest, tmp_path, replace(TINY, epochs=1), base_channels=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["action_quality", "gender", "the run"]
    assert set(open_run(tmp_path / "run", cpu=True).classes) == {"action_quality", "gender"}


def test_recording_to_report(
    recording: Path, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "card.html"
    example("recording_to_report").main(simulated_run, recording, 500.0, page)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2 and " s: " in lines[0]
    assert recording.name in page.read_text(encoding="utf-8")
