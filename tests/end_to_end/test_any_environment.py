"""All commands in other environments: no output depends on the folder, locale, time zone, umask or hash seed.

They run in two environments that differ in all of this, each in a process of its own, and write the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from semg_hht.datasets.simulated import write_simulation
from semg_hht.signals.simulate import SimulationConfig

COMMANDS = """
import locale, os, sys, time
os.umask(int(os.environ["UMASK"], 8))
locale.setlocale(locale.LC_ALL, "")
time.tzset()
from semg_hht.cli.main import main

data, out = sys.argv[1:]
prepared, run, exported = f"{out}/prepared/hht_matrices", f"{out}/run", f"{out}/exported"
small = ["--epochs", "1", "--base_channels", "2", "--batch_size", "4", "--num_encoder_layers", "3"]
for words in (
    ["prepare", f"{data}/manifest.csv", "--out", f"{out}/prepared", "--band", "20", "200", "--jobs", "1"],
    ["features", f"{data}/manifest.csv", "--out", f"{out}/features.csv", "--band", "20", "200", "--jobs", "1"],
    ["train", "--data_dir", prepared, "--checkpoint_dir", run, "--cpu", *small],
    ["evaluate", "--data_dir", prepared, "--out", f"{out}/evaluation", "--protocol", "grouped", "--folds", "2",
     "--jobs", "1", "--cpu", *small],
    ["report", f"{out}/evaluation", "--out", f"{out}/report.html", "--lang", "zh"],
    ["predict", "--checkpoint", run, "--input", f"{data}/S02_E01_BICEPS.csv", "--output", f"{out}/recording.json"],
    ["predict", "--checkpoint", run, "--input", prepared, "--output", f"{out}/torch.json"],
    ["export", "--checkpoint", run, "--out", exported],
    ["predict", "--checkpoint", exported, "--engine", "numpy", "--input", prepared, "--output", f"{out}/numpy.json"],
    ["predict", "--checkpoint", exported, "--engine", "onnxruntime", "--input", prepared,
     "--output", f"{out}/onnxruntime.json"],
):
    try:
        main(words)
    except SystemExit as done:
        if done.code:
            raise
"""


@dataclass(frozen=True)
class Environment:
    """Where and how the commands run.

    env : environment variables; None: the variable is not set.
    relative : whether the commands get relative paths.
    """

    env: dict[str, str | None] = field(default_factory=dict)
    folder: str = "plain"
    relative: bool = False
    umask: str = "022"


# Numbers with commas and with points, letters in UTF-8 and not, and a language with another i.
GERMAN = Environment(
    {"LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1", "HOME": None},
    "Müllers Übung & 中文/" + "lang " * 30 + "/" + "x" * 200, relative=True, umask="077",
)  # fmt: skip
TURKISH = Environment(
    {"LC_ALL": None, "LANG": "tr_TR.ISO-8859-9", "LC_NUMERIC": "C", "PYTHONUTF8": "0", "TZ": "America/New_York",
     "PYTHONHASHSEED": "2", "HOME": "/dev/null/nobody"},
)  # fmt: skip


@pytest.fixture
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """German and Turkish locales, compiled for these tests."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/tr_TR").is_file():
        pytest.skip("compiling locales needs localedef (apt-get install locales)")
    for name in ("de_DE.UTF-8", "tr_TR.ISO-8859-9"):
        language, encoding = name.split(".")
        subprocess.run(["localedef", "-i", language, "-f", encoding, str(folder / name)], check=True)
    return folder


@pytest.fixture
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "data"
    path = write_simulation(folder, SimulationConfig(4, n_repetitions=1, rate_hz=500.0), seed=1)
    rows = path.read_text(encoding="utf-8")
    for plain, odd in (("full", "İyi ılık"), ("half", "Übung, „halb“"), ("invalid", "错误")):
        rows = rows.replace(f",{plain},", f',"{odd}",')
    path.write_text(rows, encoding="utf-8")
    return folder


def run_in(recordings: Path, locales: Path, base: Path, where: Environment) -> dict[str, str]:
    """Run the commands; returns the SHA-256 of every file that they write."""
    data, out = base / where.folder / "data", base / where.folder / "out"
    shutil.copytree(recordings, data)
    env = {**os.environ, "LOCPATH": str(locales), "UMASK": where.umask} | where.env
    paths = [str(path.relative_to(base) if where.relative else path) for path in (data, out)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMANDS, *paths], cwd=base if where.relative else "/",
        env={name: value for name, value in env.items() if value is not None}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    files = sorted(p for p in out.rglob("*") if p.is_file())
    return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.slow
def test_output_does_not_depend_on_the_environment(recordings: Path, locales: Path, tmp_path: Path) -> None:
    one, other = (
        run_in(recordings, locales, tmp_path / name, where) for name, where in (("1", GERMAN), ("2", TURKISH))
    )
    assert one.keys() == other.keys()
    assert [file for file in one if one[file] != other[file]] == []
