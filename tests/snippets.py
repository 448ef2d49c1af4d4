"""Read the commands and Python snippets of the pages, and run them in this process, with small networks.

A comment before a block tells the tests how to run it:

    <!-- test: begins with recordings, checkpoints -->   runs in a new folder with this content (see `World`); without
                                                         the comment a block continues in the folder of the last one
    <!-- test: skip because ... -->                      does not run, for the reason given

Sybil and pytest-examples could find the blocks, but these comments and the folders would still be our own code.
"""

from __future__ import annotations

import csv
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from conftest import REPOSITORY, Simulated
from semg_hht.cli.main import main
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.recordings.recording import read_recording, write_recording

BLOCK = re.compile(
    r"(?:^<!-- test: (?P<note>.*?) -->\n)?^```(?P<language>bash|sh|python)\n(?P<code>.*?)^```$", re.M | re.S
)
# Added after the options of a command; where an option is given twice, the last one counts.
TRAINING = "--base_channels 2 --epochs 1 --batch_size 4 --cpu"
SMALL = {
    "train": TRAINING,
    "evaluate": f"{TRAINING} --folds 2 --jobs 1",
    "simulate": "--n_subjects 4 --n_repetitions 1 --rate_hz 500",
    "prepare": "--jobs 1",
    "segment": "--jobs 1",
    "label": "--jobs 1",
    "features": "--jobs 1",
    "predict": "--cpu",
    "generate_sample_data.py": "--n_samples 24 --n_test 2",
}
SCRIPT_OF = {"train.py": "train", "inference.py": "predict", "generate_sample_data.py": "generate_sample_data.py"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page with the note from the comment before it."""

    language: str
    code: str
    note: str

    @property
    def skipped(self) -> bool:
        return self.note.startswith("skip because ")

    @property
    def begins_with(self) -> list[str] | None:
        """Content of the new folder; None if the block continues in the folder of the last one."""
        if not self.note.startswith("begins with "):
            return None
        return self.note.removeprefix("begins with ").split(", ")

    def lines(self) -> list[str]:
        """The lines without comments; a shell command broken over several lines is one line."""
        text = self.code.replace("\\\n", " ") if self.language != "python" else self.code
        bare = (re.sub(r"(^|\s+)#.*", "", line).rstrip() for line in text.splitlines())
        return [line for line in bare if line]


def blocks_of(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(match["language"], match["code"], match["note"] or "") for match in found]


@dataclass(frozen=True)
class World:
    """The files that the pages assume: recordings of simulated people, their matrices and a run."""

    simulated: Simulated
    run: Path

    def put(self, name: str, folder: Path) -> None:
        """Create the file or folder ``name`` in ``folder``."""
        recordings = self.simulated.manifest.parent
        first = sorted(recordings.glob("*.csv"))[0]
        target = folder / name
        if name == "nothing":
            return
        if name == "recordings":
            shutil.copytree(recordings, target)
        elif name == "prepared":
            shutil.copytree(self.simulated.prepared_manifest.parent, target)
        elif name == "checkpoints":
            shutil.copytree(self.run, target)
        elif name in ("new_recordings", "new_data"):
            target.mkdir()
            write_recording(self._at_1000_hz(first), target / "curl.csv")
        elif name == "curl.csv":
            write_recording(self._at_1000_hz(first), target)
        elif name == "mvc.csv":
            rows = [row for row in read_manifest(self.simulated.manifest) if row.movement == "full"]
            rows = [replace(row, file=f"recordings/{row.file}", movement="mvc") for row in rows]
            target.write_text(manifest_text(rows), encoding="utf-8")
        elif name == "BICEPS_half_F_012.npz":
            shutil.copy(sorted(self.simulated.matrices.glob("*.npz"))[0], target)
        else:
            raise AssertionError(f"{name}: expected a name that World.put can create")

    def _at_1000_hz(self, path: Path) -> Any:
        return replace(read_recording(path), rate_hz=1000.0)


def run_command(line: str) -> None:
    """Run one command in this process, with a small network where it trains.

    A ``pip install`` is only compared with the extras in pyproject.toml, a make target only with the Makefile.
    """
    words = shlex.split(line)
    if words[0] == "semg-hht" or words[:3] == ["python", "-m", "semg_hht"]:
        arguments = words[1:] if words[0] == "semg-hht" else words[3:]
        _in_process(lambda: main([*arguments, *SMALL.get(arguments[0], "").split()]))
        if arguments[0] == "segment":
            _fill_in(Path(arguments[arguments.index("--out") + 1]))
    elif words[0] == "python" and words[1] in SCRIPT_OF:
        small = SMALL[SCRIPT_OF[words[1]]].split()
        with patch.object(sys, "argv", [words[1], *words[2:], *small]):
            _in_process(lambda: runpy.run_path(str(REPOSITORY / words[1]), run_name="__main__"))
    elif words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=REPOSITORY, check=True, capture_output=True)
    elif words[:3] == ["pip", "install", "-r"]:
        assert (REPOSITORY / words[3]).is_file()
    elif words[:2] == ["pip", "install"]:
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        match = re.fullmatch(r"(?P<name>[\w-]+)(\[(?P<extras>[\w,]+)\])?", words[2])
        assert match and match["name"] == project["name"]
        assert set((match["extras"] or "").split(",")) - {""} <= set(project["optional-dependencies"])
    else:
        raise AssertionError(f"{line}: expected semg-hht, a script of this project, make or pip install")


def _in_process(call: Any) -> None:
    try:
        call()
    except SystemExit as stop:
        assert not stop.code, f"exit code {stop.code}"


def _fill_in(table: Path) -> None:
    """Label the repetitions in the table, as its user would."""
    with table.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for i, row in enumerate(rows):
        row["movement"] = ("full", "half", "invalid")[i % 3]
    with table.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def names_for(page: str) -> dict[str, Any]:
    """The variables that the Python snippets of a page assume."""
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal(500), "batch": rng.standard_normal((2, 500))} if page == "transform.md" else {}
