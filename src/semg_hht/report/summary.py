"""What an evaluation found, gathered into one file; and one page that a person reads.

Knows the JSON of evaluations: nothing of how anything was computed.
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
    """Write ``folder/report.json`` of all protocols that were evaluated there, and return it.

    ``optimism`` : task -> the balanced accuracy of the random split beside that on new people, where both were made.

    Raises
    ------
    InputError
        No evaluation in the folder.
    """
    found = {name: read_json(folder / name / FINDINGS) for name in PROTOCOLS if (folder / name / FINDINGS).is_file()}
    if not found:
        raise InputError(f"{folder}: expected an evaluation ({', '.join(PROTOCOLS)}) in it; found none")
    content = {"format": FORMAT, "protocols": found, "optimism": _optimism(found)}
    write_json(folder / REPORT, content)
    return content


def _optimism(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    honest = next((found[name] for name in ("loso", "grouped") if name in found), None)
    if honest is None or "random" not in found:
        return {}
    gaps = {}
    for task, scores in honest["tasks"].items():
        if task in found["random"]["tasks"]:
            random = found["random"]["tasks"][task]["network"]["balanced_accuracy"]
            gaps[task] = {"new_people": scores["network"]["balanced_accuracy"], "random": random}
    return gaps
