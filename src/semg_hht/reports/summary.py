"""Combine the findings of all protocols of an evaluation in one file, ``report.json``.

It works on the JSON of evaluations and does not know how scores are computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import FINDINGS, PROTOCOLS
from semg_hht.system.files import read_json, write_json

REPORT = "report.json"
FORMAT = 1


def gather(folder: Path) -> dict[str, Any]:
    """Write ``folder/report.json`` from the findings of all protocols in the folder, and return its content.

    Its entry ``optimism`` compares, for each task, the balanced accuracy of the random split with that on new people.

    Raises
    ------
    InputError
        There is no evaluation in the folder.
    """
    paths = {name: folder / name / FINDINGS for name in PROTOCOLS}
    findings = {name: read_json(path) for name, path in paths.items() if path.is_file()}
    if not findings:
        raise InputError(f"{folder}: expected an evaluation ({', '.join(PROTOCOLS)}) in it; found none")
    content = {"format": FORMAT, "protocols": findings, "optimism": _optimism(findings)}
    write_json(folder / REPORT, content)
    return content


def _optimism(findings: dict[str, Any]) -> dict[str, dict[str, float]]:
    new_people = next((findings[name] for name in ("loso", "grouped") if name in findings), None)
    if new_people is None or "random" not in findings:
        return {}
    scores = {"new_people": new_people["tasks"], "random": findings["random"]["tasks"]}
    return {
        task: {name: tasks[task]["network"]["balanced_accuracy"] for name, tasks in scores.items()}
        for task in new_people["tasks"]
        if task in scores["random"]
    }
