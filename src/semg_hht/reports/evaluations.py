"""Read an evaluation or a single run into one form, `Evaluation`.

It works on the JSON files of evaluations and runs, and does not know about pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.reports.summary import FORMAT, REPORT
from semg_hht.system.files import BROKEN_JSON, read_json

METRICS = "metrics.json"  # file name in a run
SPLIT = "split"  # the protocol of a run: one division of the people
NEW_PEOPLE = ("loso", "grouped", SPLIT)  # protocols that test new people, the preferred one first


@dataclass(frozen=True)
class Evaluation:
    """The findings of an evaluation or of a run.

    source : the file they were read from, for messages.
    protocols : protocol -> the content of its ``findings.json``.
    optimism : task -> balanced accuracy on ``new_people`` and of the ``random`` split; empty where one is missing.
    history : losses and scores of each epoch of a run; empty for an evaluation.
    """

    source: Path
    protocols: dict[str, dict[str, Any]]
    optimism: dict[str, dict[str, float]]
    history: tuple[dict[str, Any], ...] = ()

    @property
    def protocol(self) -> str:
        """The protocol that the page reports."""
        return next((name for name in NEW_PEOPLE if name in self.protocols), next(iter(self.protocols)))

    @property
    def people_are_new(self) -> bool:
        """Whether the protocol tests only people who were not in training."""
        main = self.protocols[self.protocol]
        return self.protocol in NEW_PEOPLE and main.get("split_by", "subject") == "subject"

    def data_folder(self) -> Path | None:
        """Return the folder of the matrices, where the findings name it."""
        folder = self.protocols[self.protocol]["data"].get("folder")
        return None if folder is None else self.source.parent / str(folder)


def open_evaluation(path: Path) -> Evaluation:
    """Read an evaluation (its folder or report.json) or a run directory.

    Raises
    ------
    InputError
        ``path`` holds neither of them, or a file of another format.
    """
    if path.is_file():
        return _evaluation(path)
    if (path / REPORT).is_file():
        return _evaluation(path / REPORT)
    if (path / METRICS).is_file():
        return _run(path)
    found = "a folder without them" if path.is_dir() else "nothing"
    raise InputError(f"{path}: expected an evaluation ({REPORT}) or a finished run ({METRICS}); found {found}")


def _evaluation(path: Path) -> Evaluation:
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: expected the report of an evaluation, format {FORMAT}; found another JSON")
    protocols = content.get("protocols")
    if not isinstance(protocols, dict) or not protocols or not all(isinstance(p, dict) for p in protocols.values()):
        raise InputError(f"{path}: expected findings of at least one protocol; found none")
    return Evaluation(path, protocols, content.get("optimism") or {})


def _run(folder: Path) -> Evaluation:
    """Read a run as an evaluation with one fold and no baselines."""
    metrics, config, split = (read_json(folder / name) for name in (METRICS, "config.json", "split.json"))
    try:
        sides = {side: split[side] for side in ("train", "validation", "test")}
        findings = {
            "protocol": SPLIT,
            "split_by": metrics["split_by"],
            "notes": metrics["notes"],
            "network": {name: config["network"][name] for name in ("n_layers", "base_channels")},
            "training": config["training"],
            "best_epoch": metrics["best_epoch"],
            "data_fingerprint": config["data_fingerprint"],
            "data": {
                "n_matrices": sum(len(side["files"]) for side in sides.values()),
                "subjects": sorted({name for side in sides.values() for name in side["subjects"]} - {""}),
                "n_per_side": {name: len(set(side["subjects"]) - {""}) for name, side in sides.items()},
                "preparation": config["preparation"],
            },
            "tasks": {
                task: {"classes": config["classes"][task], "network": report}
                for task, report in metrics["test"].items()
            },
            "chosen": {task: {chosen["name"]: 1} for task, chosen in metrics.get("chosen", {}).items()},
            "margins": metrics.get("chosen", {}),
            "versions": metrics["versions"],
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder}: expected metrics, config and split of a run; {error!r} is missing") from None
    return Evaluation(folder / METRICS, {SPLIT: findings}, {}, _history(folder / "history.jsonl"))


def _history(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.is_file():
        return ()
    try:
        return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except BROKEN_JSON as error:
        raise InputError(f"{path}: expected a line of JSON an epoch; {error}") from None
