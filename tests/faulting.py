"""Every verb that writes, run in this process or in one of its own, and what it leaves behind. Shared by tests/faults/ and
benchmarks/faults.py; knows nothing of a particular fault."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
BELOW_FINAL_NAME = re.compile(r"^\.(.*\.(part|old)|in_use)$")


@dataclass(frozen=True)
class Inputs:
    """What the verbs read; none of them writes here."""

    recordings: Path  # a manifest.csv of them
    matrices: Path
    run: Path
    evaluation: Path

    def words(self, disk: Path, template: str) -> list[str]:
        """A command as a list: names of inputs and ``disk``, where it writes, in their places."""
        recording = next(self.recordings.parent.glob("S01*.csv"))
        places = {**vars(self), "folder": self.recordings.parent, "recording": recording, "disk": disk}
        return [word.format(**places) for word in template.split()]


NETWORK = "--epochs 2 --batch_size 8 --base_channels 2 --num_encoder_layers 3 --cpu"
# Verb -> a short command; "|" parts it from the flags with which it is started again.
VERBS = {
    "simulate": "simulate --out {disk}/recordings --n_subjects 3 --n_repetitions 1 --rate_hz 500 | --overwrite",
    "sample-data": "sample_data --output_dir {disk}/data --n_samples 3 --n_test 1 | --overwrite",
    "segment": "segment {folder} --out {disk}/reps.csv --pictures --jobs 1",
    "features": "features {recordings} --out {disk}/features.csv --jobs 1",
    "prepare": "prepare {recordings} --out {disk}/prepared --band 20 200 --images --jobs 1",
    "prepare --bids": "prepare {recordings} --out {disk}/prepared --band 20 200 --bids --jobs 1",
    "train": "train --data_dir {matrices} --checkpoint_dir {disk}/run " + NETWORK + " | --resume",
    "train --pack": "train --data_dir {matrices} --checkpoint_dir {disk}/run --pack {disk}/pack " + NETWORK + " | --resume",
    "evaluate": "evaluate --data_dir {matrices} --out {disk}/evaluation --protocol grouped --folds 2 --jobs 1 " + NETWORK,
    "report": "report {evaluation} --out {disk}/report.html",
    "report --card": "report --card {recording} --checkpoint {run} --out {disk}/card.html",
    "predict": "predict --checkpoint {run} --input {folder} --output {disk}/predictions.json",
    "predict --explain": "predict --checkpoint {run} --input {recording} --output {disk}/predictions.json --explain {disk}/why | --overwrite",
    "explain": "explain --checkpoint {run} --input {recording} --out {disk}/why.png",
    "export": "export --checkpoint {run} --out {disk}/exported",
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``code`` is negative where a signal ended it."""

    code: int
    said: str

    def one_sentence(self) -> str:
        """What stands behind ``error:``; empty unless it is all that was said of the end, on one line."""
        lines = [line for line in self.said.splitlines() if line.startswith("error: ")]
        return lines[0].removeprefix("error: ") if len(lines) == 1 and "Traceback" not in self.said else ""


def command(words: list[str]) -> None:
    """A verb, or ``sample_data``, which is a script of its own; ends with SystemExit or returns."""
    from semg_hht.cli import main, script

    if words[0] != "sample_data":
        main(words)
        return
    from semg_hht.commands.sample_data import sample_data

    sys.argv = ["generate_sample_data.py", *words[1:]]
    script(sample_data, sys.argv[0])


def here(words: list[str]) -> Ended:
    """Run in this process."""
    said, before = io.StringIO(), sys.argv
    with redirect_stdout(said), redirect_stderr(said):
        try:
            command(words)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        finally:
            sys.argv = before
    return Ended(code, said.getvalue())


def forked(work: Callable[[], None], log: Path) -> int:
    """Process number of a child that does ``work``: it has what this process has loaded, so that it begins at once."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child: int, log: Path) -> Ended:
    """Wait for a child."""
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(encoding="utf-8"))
