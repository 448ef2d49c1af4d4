"""benchmarks/: those that the documentation quotes run, on a small network or a few recordings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from forked_python import PythonServer
from semg_hht.recordings.recording import Recording, write_recording

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


Printed = Callable[..., str]


@pytest.fixture(scope="session")
def printed_by(repository: Path) -> Iterator[Printed]:
    """Runs a benchmark with these words and returns what it printed."""
    python = PythonServer()

    def run(benchmark: str, *words: object) -> str:
        done = python.run(repository / "benchmarks" / benchmark, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    python.close()


@pytest.mark.slow
def test_every_part_of_inference_prints_every_side(printed_by: Printed, tmp_path: Path) -> None:
    # Without --data the part "raw" would use the recordings beside the repository.
    options = ["--base_channels", 4, "--files", 12, "--rounds", 1, "--folder", tmp_path, "--data", tmp_path]
    parts = printed_by("inference.py", *options).strip().split("\n\n")
    titles = ("1 file,", "12 files,", "batch 1, warm", "batch 32, warm", "raw recording")
    for part, title in zip(parts, titles, strict=True):
        assert part.startswith(title)
        for side in ("torch", "onnxruntime float32", "numpy float32", "onnxruntime int8"):
            assert f"  {side} " in part
    for line in parts[0].splitlines():
        if " float32 " in line:
            assert float(line.split()[-1]) <= 2e-6, line


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures peak memory as POSIX reports it")
def test_scale_prints_growth_of_whole_commands(printed_by: Printed, tmp_path: Path) -> None:
    sizes = ["--people", "3", "--recordings", "2", "4", "--matrices", "18", "36", "--rounds", "1"]
    printed = printed_by("scale.py", "--only", "recordings", "matrices", *sizes, "--folder", tmp_path)
    for title in ("recordings prepared", "packed, once", "read from the pack", "trained on", "answered, from npz"):
        assert title in printed
    lines = [line.split() for line in printed.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == ["2", "4", *["18", "36"] * 4]
    assert all(float(line[1]) > 0 and float(line[2]) > 0 for line in lines)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_segmentation_counts_repetitions_beside_planted_columns(printed_by: Printed) -> None:
    printed = printed_by("segmentation.py", "--planted", "--quick", "--rates", 1000)
    for column in ("constant with rounding", "label", "trigger, 5 V", "force, 12 bit", "counter of 256", "hum, 50 Hz"):
        assert f"  {column} " in printed
    (every,) = (line.split() for line in printed.splitlines() if line.startswith("  all "))
    n_same, n = map(int, every[1].split("/"))
    assert n >= 20
    assert n_same >= n - 2


@pytest.mark.slow
def test_formats_prints_a_row_per_kind(printed_by: Printed, tmp_path: Path) -> None:
    burst = np.random.default_rng(0).standard_normal(12_000) * np.repeat([1, 20, 1, 20, 1, 1], 2000)
    recording = Recording(np.stack([burst, 300 + np.arange(12_000) * 0.01]), 1000.0, ("EMG1", "knee angle (deg)"))
    place = tmp_path / "formats" / "lower_limb"
    place.mkdir(parents=True)
    write_recording(recording, place / "a.npz")
    (tmp_path / "broken.csv").write_text("1,2\nx,y\n")
    printed = printed_by("formats.py", tmp_path)
    assert "| other .npz | 1 | 1/1 | - | - | - | - | 1/1 |" in printed
    assert "| other .csv | 1 | 0/1 | - | - | - | - | 0/1 |" in printed
    assert "broken.csv: " in printed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures peak memory as POSIX reports it")
def test_text_tables_measures_our_reader_without_other_libraries(printed_by: Printed) -> None:
    printed = printed_by("text_tables.py", "--megabytes", 1, "--rounds", 1, "--readers", "ours")
    (ours,) = (line.split() for line in printed.splitlines() if line.startswith("  ours"))
    assert all(float(figure) > 0 for figure in ours[1:])


@pytest.mark.slow
def test_strangers_are_counted_beside_new_people(printed_by: Printed, real_data: Path) -> None:
    printed = printed_by("strangers.py", "--data", real_data, "--quick", "--rows", "simulated")
    rows = {line.split("|")[1].strip(): line for line in printed.splitlines() if line.startswith("| ")}
    for stranger in ("noise, as strong", "amplitude x 100", "ECG", "hum of 50 Hz", "another muscle"):
        assert "| 3 of 3 |" in rows[stranger]
    assert "| 1 of 1 |" in rows["a matrix of another tool"]
    assert " of 36 |" in rows["new people of the same kind"]


def test_the_gpu_script_runs_on_a_cpu_and_writes_each_part(printed_by: Printed, tmp_path: Path) -> None:
    printed = printed_by("gpu.py", "--dry_run", "--out", tmp_path / "gpu.json", "--peak", "float32=1",
                         "tf32=1", "bfloat16=1")  # fmt: skip
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found) == ["device", "exactness", "resume", "whole", "steps", "loading", "compiled", "end"]
    assert "FAILED" not in printed
    assert all(answers["equal"] and answers["spread"] > 0 for answers in found["exactness"])
    assert found["resume"][0]["equal"]
    assert [line["precision"] for line in found["steps"]] == ["float32", "tf32", "bfloat16"]
    assert all(0 < line["share_of_peak"] < 1 for line in found["steps"])
    assert found["loading"][0]["pack alone"] > 0


def test_a_gpu_script_that_is_late_leaves_parts_out(printed_by: Printed, tmp_path: Path) -> None:
    words = ["--dry_run", "--out", tmp_path / "gpu.json", "--only", "steps", "--seconds", "-1"]
    assert "steps      left out" in printed_by("gpu.py", *words)


def unable_to_make_namespaces() -> bool:
    return sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None


@pytest.mark.slow
@pytest.mark.skipif(unable_to_make_namespaces(), reason="needs Linux, root and ip")
def test_prepare_on_a_cluster_outlives_a_worker(printed_by: Printed, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    if subprocess.run(["ip", "netns", "add", "semgprobe"], capture_output=True, check=False).returncode:
        pytest.skip("root may make no namespaces here")
    subprocess.run(["ip", "netns", "del", "semgprobe"], check=True)
    words = ["--people", 4, "--repetitions", 2, "--only", "prepare", "--folder", tmp_path]
    assert "of which 0 differ" in printed_by("cluster.py", *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not unable_to_make_namespaces(), reason="tests what happens without root or ip")
def test_without_root_a_cluster_says_what_it_needs(repository: Path) -> None:
    command = [sys.executable, str(repository / "benchmarks" / "cluster.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "need" in done.stderr
