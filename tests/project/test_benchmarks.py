"""benchmarks/: inference.py and scale.py, which the documentation quotes, run on a small network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.mark.slow
def test_every_part_of_inference_prints_every_side(repository: Path, tmp_path: Path) -> None:
    # Without --data the part "raw" would use the recordings beside the repository.
    options = ["--base_channels", "4", "--rounds", "1", "--folder", str(tmp_path), "--data", str(tmp_path)]
    command = [sys.executable, str(repository / "benchmarks" / "inference.py"), *options]
    output = {}
    for part in ("1", "60", "warm", "raw"):
        done = subprocess.run([*command, "--only", part], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        output[part] = done.stdout
    for part, title in {"1": "1 file,", "60": "60 files,", "warm": "batch 32, warm", "raw": "raw recording"}.items():
        assert title in output[part]
        for side in ("torch", "onnxruntime float32", "numpy float32", "onnxruntime int8"):
            assert f"  {side} " in output[part]
    for line in output["1"].splitlines():
        if " float32 " in line:
            assert float(line.split()[-1]) <= 2e-6, line


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures peak memory as POSIX reports it")
def test_scale_prints_growth_of_whole_commands(repository: Path, tmp_path: Path) -> None:
    sizes = ["--recordings", "2", "4", "--matrices", "100", "200", "--rounds", "1", "--folder", str(tmp_path)]
    command = [sys.executable, str(repository / "benchmarks" / "scale.py"), "--only", "recordings", "matrices", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for title in ("recordings prepared", "packed, once", "read from the pack", "trained on", "answered, from npz"):
        assert title in done.stdout
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == ["2", "4", *["100", "200"] * 4]
    assert all(float(line[1]) > 0 and float(line[2]) > 0 for line in lines)
    assert not list(tmp_path.iterdir())
