"""A signal in strips with its repetitions; and one recording of an evaluation, with what is right and wrong in it.

The recording is looked for beside the matrices; without it nothing is drawn. This module does not know scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.recording import Array
from semg_hht.reports.template import ticks
from semg_hht.reports.words import Words
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.system.files import file_as_named

ROW_S = 60.0  # of the signal in one row
MAX_ROWS = 3
N_COLUMNS = 700  # in one row; each shows the lowest and the highest sample of its interval
Span = tuple[float | None, float | None, str | bool]  # start and stop in seconds, class of style; True: unsure
RIGHT, WRONG = "class1", "unsure"  # styles of page.css: green and orange


def strips(samples: Array, rate_hz: float, spans: Sequence[Span]) -> list[dict[str, Any]]:
    """The signal in rows of about a minute: extremes from -1 to 1, and the repetitions of each row from 0 to 1."""
    duration_s = samples.size / rate_hz
    stated = [(0.0 if start is None else start, duration_s if stop is None else stop, u) for start, stop, u in spans]
    n_rows = int(np.clip(np.ceil(duration_s / ROW_S), 1, MAX_ROWS))
    row_s = duration_s / n_rows
    top = float(np.max(np.abs(samples))) or 1.0
    rows = []
    for i, part in enumerate(np.array_split(samples / top, n_rows)):
        left, right = i * row_s, (i + 1) * row_s
        columns = np.array_split(part, min(N_COLUMNS, part.size))
        inside = [
            (number, max(0.0, (start - left) / row_s), min(1.0, (stop - left) / row_s), unsure)
            for number, (start, stop, unsure) in enumerate(stated, start=1)
            if stop > left and start < right
        ]
        rows.append(
            {
                "extremes": [(j / len(columns), float(c.min()), float(c.max())) for j, c in enumerate(columns)],
                "top": top,
                "ticks": ticks(left, right, 8),
                "spans": inside,
            }
        )
    return rows


def answered_signal(
    shown: Mapping[str, Any] | None, data: Mapping[str, Any], data_dir: Path | None, words: Words
) -> dict[str, Any] | None:
    """The strips of a recording, and what is wrong in it in words; None where the recording is not at hand.

    shown : file, subject and repetitions, of the findings. data : their entry ``data``, with the preparation.
    """
    path = None if not shown or data_dir is None else recording_path(data_dir, str(shown["file"]))
    if not shown or path is None or not data.get("preparation"):
        return None
    rates = data.get("rates_hz") or []
    try:
        (job,) = find_jobs(path, rate_hz=rates[0] if len(rates) == 1 else None)
        filtered = open_filtered(job, PipelineConfig.from_json(data["preparation"]).filter).filtered
    except (InputError, ValueError):
        return None
    repetitions = sorted(shown["repetitions"], key=lambda repetition: float(repetition["start_s"]))
    is_right = [repetition["label"] == repetition["prediction"] for repetition in repetitions]
    spans = [(float(repetition["start_s"]), float(repetition["stop_s"]), RIGHT if right else WRONG)
             for repetition, right in zip(repetitions, is_right, strict=True)]  # fmt: skip
    strongest = filtered.samples[int(np.argmax(filtered.samples.std(axis=1)))]
    wrong = [
        words("signal_wrong", n=number, label=words.known("classes", repetition["label"]),
              prediction=words.known("classes", repetition["prediction"]))
        for number, (repetition, right) in enumerate(zip(repetitions, is_right, strict=True), start=1) if not right
    ]  # fmt: skip
    said = words("signal_shown", subject=shown["subject"] or shown["file"], right=sum(is_right), n=len(is_right))
    return {
        "strips": strips(strongest, filtered.rate_hz, spans)[:2],
        "legend": [(style, words(name)) for style, name in ((RIGHT, "signal_right"), (WRONG, "signal_not_right"))],
        "said": words.joined([said, *([words("signal_wrong_are", listed=words.listed(wrong))] if wrong else [])]),
    }


def recording_path(data_dir: Path, file: str) -> Path | None:
    """Find a recording by its name in the folders above the matrices, or in their folder ``recordings``; else None.

    A report must not lead to files outside these folders.
    """
    above = data_dir.resolve().parents[:2]
    for folder in (folder for parent in above for folder in (parent, parent / "recordings")):
        path = file_as_named(folder, file).resolve()
        if path.is_relative_to(folder) and path.is_file():
            return path
    return None
