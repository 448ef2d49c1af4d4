"""The answers of a file as a part of a saved session, and back. What is read may come from a stranger: it is checked.

Answers of single channels are left out, so that a session stays small. This module does not know runs or zip files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from semg_hht.recordings.manifest import TASKS, ManifestRow
from semg_hht.web.repetition_table import MAX_REPETITIONS, Refused, one_line, times_of
from semg_hht.web.shared_run import OWN, PRACTICE, SHIPPED, TRAINED, RunInfo
from semg_hht.web.visit import VisitFile

if TYPE_CHECKING:
    from semg_hht.inference.answers import Answer, Part
    from semg_hht.inference.novelty import Reason

MAX_CLASSES = 50
MAX_TEXTS = 50  # remarks, or reasons
MAX_CHARACTERS = 500  # of a remark


def answers_to_json(file: VisitFile) -> dict[str, Any] | None:
    """The answers of a file with the run that gave them; None: there are none."""
    found, by = file.prediction, file.answered_by
    if found is None or by is None:
        return None
    parts = [
        {"repetition": part.repetition, "start_s": part.start_s, "stop_s": part.stop_s,
         "answers": _to_json(part.answers), "unlike": _reasons_to_json(part.unlike)}
        for part in found.parts
    ]  # fmt: skip
    return {
        "run": {"kind": by.kind, "name": by.name, "is_practice": by.is_practice, "fingerprint": by.fingerprint},
        "rows": [times_of(row) for row in file.answered_rows],
        "answers": _to_json(found.answers), "unlike": _reasons_to_json(found.unlike), "parts": parts,
        "remarks": list(found.remarks), "warnings": list(file.warnings),
    }  # fmt: skip


def _to_json(answers: Mapping[str, Answer]) -> dict[str, Any]:
    return {task: {"prediction": answer.prediction, "probabilities": answer.probabilities,
                   "possible": answer.possible} for task, answer in answers.items()}  # fmt: skip


def _reasons_to_json(reasons: Sequence[Reason]) -> list[Any]:
    return [{"name": reason.name, "values": dict(reason.values)} for reason in reasons]


def with_answers(file: VisitFile, content: Any) -> VisitFile:
    """The file with its saved answers.

    Raises
    ------
    Refused
        They are not what `answers_to_json` returns.
    """
    from semg_hht.inference.answers import Prediction

    try:
        run, answers = content["run"], _answers(content["answers"])
        rows = [ManifestRow(file.name, start_s=_time(start), stop_s=_time(stop)) for start, stop in content["rows"]]
        parts = [_part(item, answers) for item in content["parts"]]
        if run["kind"] not in (OWN, SHIPPED, PRACTICE, TRAINED) or max(len(rows), len(parts)) > MAX_REPETITIONS:
            raise ValueError
        if rows:  # the exact times of the recording, by which a card finds the measures of a repetition
            here = {times_of(row): row for row in (*rows, *file.rows)}
            parts = [replace(part, start_s=(row := here[_times(part)]).start_s, stop_s=row.stop_s) for part in parts]
            if len({*map(_times, parts)}) != len(parts) or len(parts) != len(rows):
                raise ValueError
        by = RunInfo(run["kind"], one_line(run["name"], 60), run["is_practice"] is True,
                     one_line(run["fingerprint"], 64))  # fmt: skip
        prediction = Prediction(
            file.name, answers, tuple(parts), _texts(content["remarks"]), _reasons(content["unlike"])
        )
        return replace(file, prediction=prediction, answered_rows=tuple(rows), answered_by=by, is_restored=True,
                       warnings=_texts(content["warnings"]))  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        raise Refused("app_saved_answers") from None


def _times(part: Part) -> tuple[float, float]:
    return times_of(ManifestRow("", start_s=part.start_s, stop_s=part.stop_s))


def _part(item: Any, of_file: Mapping[str, Answer]) -> Part:
    from semg_hht.inference.answers import Part

    answers = _answers(item["answers"])
    if answers.keys() != of_file.keys():
        raise ValueError
    return Part(one_line(item["repetition"], 20), _time(item["start_s"]), _time(item["stop_s"]), answers,
                unlike=_reasons(item["unlike"]))  # fmt: skip


def _answers(content: Any) -> dict[str, Answer]:
    """Task -> answer, at least one; the confidence is the probability of the class that is answered."""
    from semg_hht.inference.answers import Answer

    found = {}
    for task, item in content.items():
        shares = {one_line(name, 80): float(p) for name, p in item["probabilities"].items()}
        possible = tuple(one_line(name, 80) for name in item["possible"])
        if task not in TASKS or len(shares) > MAX_CLASSES or not set(possible) <= shares.keys():
            raise ValueError
        if not all(0 <= p <= 1 for p in shares.values()):
            raise ValueError
        found[task] = Answer(item["prediction"], shares[item["prediction"]], shares, possible)
    if not found:
        raise ValueError
    return found


def _reasons(content: Any) -> tuple[Reason, ...]:
    from semg_hht.inference.novelty import Reason

    reasons = tuple(
        Reason(item["name"], {name: one_line(value, 60) for name, value in item["values"].items()})
        for item in content[:MAX_TEXTS]
    )
    for reason in reasons:
        str(reason)  # a KeyError where the name is unknown or a value is missing
    return reasons


def _texts(content: Any) -> tuple[str, ...]:
    return tuple(one_line(text, MAX_CHARACTERS) for text in content[:MAX_TEXTS])


def _time(value: Any) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError
    return value  # type: ignore[no-any-return]
