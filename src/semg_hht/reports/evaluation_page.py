"""The report of an evaluation or a run as one HTML file, which opens without a network connection and can be printed.

It works on the JSON of findings and a folder of matrices, and does not know how scores are computed. Jinja escapes all
names. Charts are SVG with text, so that the reader's browser chooses a font, also for Chinese.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.matrices.matrix import read_matrix
from semg_hht.reports.evaluations import Evaluation, open_evaluation
from semg_hht.reports.sentences import measured, methods, too_few, unsure_said, verdict
from semg_hht.reports.signal_strips import answered_signal
from semg_hht.reports.template import fill, ticks
from semg_hht.reports.words import Words, read_words
from semg_hht.system.files import file_as_named, require_new_file, write_text

PAGE = "report.html"
MAX_WORST = 4  # wrong answers with a picture, one row
SCORES = ("balanced_accuracy", "accuracy", "macro_f1", "auroc", "ece")
REFERENCES = (
    ("Merletti R. Standards for reporting EMG data. J Electromyogr Kinesiol 1999; 9(1): III-IV.", ""),
    ("Besomi M et al. Consensus for experimental design in electromyography (CEDE) project: Electrode selection "
     "matrix. J Electromyogr Kinesiol 2019; 48: 128-144.", "10.1016/j.jelekin.2019.07.008"),
    ("Besomi M et al. CEDE project: Amplitude normalization matrix. J Electromyogr Kinesiol 2020; 53: 102438.",
     "10.1016/j.jelekin.2020.102438"),
    ("Besomi M et al. CEDE project: Checklist for reporting and critically appraising studies using EMG (CEDE-Check). "
     "J Electromyogr Kinesiol 2024; 76: 102874.", "10.1016/j.jelekin.2024.102874"),
    ("Hermens HJ et al. Development of recommendations for SEMG sensors and sensor placement procedures. "
     "J Electromyogr Kinesiol 2000; 10(5): 361-374.", "10.1016/S1050-6411(00)00027-4"),
)  # fmt: skip


def write_page(
    path: Path, out: Path | None = None, *, language: str = "en", data_dir: Path | None = None, overwrite: bool = False
) -> Path:
    """Write the report of an evaluation or a run, and return its path.

    Parameters
    ----------
    path : folder of an evaluation, its report.json, or a run directory.
    out : the HTML file; None: report.html beside the file that was read.
    data_dir : folder of the matrices; None: the folder that the findings name. Missing matrices are not drawn.

    Raises
    ------
    InputError
        There is no evaluation, its content is not understood, or ``out`` exists and ``overwrite`` is not set.
    """
    words = read_words(language)
    evaluation = open_evaluation(path)
    out = out or evaluation.source.parent / PAGE
    require_new_file(out, overwrite=overwrite)
    write_text(out, render(evaluation, words, data_dir or evaluation.data_folder()))
    return out


def render(evaluation: Evaluation, words: Words, data_dir: Path | None) -> str:
    """Return the report as HTML; the same content gives the same bytes.

    Raises
    ------
    InputError
        A part of the JSON is missing or has another type than expected.
    """
    try:
        return fill("page.html.j2", words, **_view(evaluation, words, data_dir))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, jinja2.UndefinedError) as error:
        raise InputError(
            f"{evaluation.source}: expected the findings of an evaluation or the metrics of a run; "
            f"a part is missing or of another type ({type(error).__name__}: {error})"
        ) from None


def _plain(value: float) -> str:
    """Format a setting without unnecessary digits."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _view(evaluation: Evaluation, words: Words, data_dir: Path | None) -> dict[str, Any]:
    """Return the values of the template."""
    main = evaluation.protocols[evaluation.protocol]
    tasks = {name: words.known("tasks", name) for name in main["tasks"]}
    settings = {
        name: main[name]
        for name in ("protocol", "n_folds", "best_epoch", "network", "training", "data_fingerprint")
        if name in main
    }
    return {
        "title": words("title", tasks=words.listed(tasks.values())),
        "measured": words.joined(
            (measured(evaluation, words), words("protocol_is", protocol=words.known("protocols", evaluation.protocol)))
        ),
        "notes": [
            *(words.remark(note) for note in main.get("notes", [])),
            *(_fold_note(note, main["n_folds"], words) for note in main.get("fold_notes", [])),
        ],
        "tasks": [_task(evaluation, name, title, words, data_dir) for name, title in tasks.items()],
        "history": _history(evaluation.history, main.get("best_epoch")),
        "settings": list(_flat(settings)) + list(_flat({"preparation": main["data"].get("preparation")})),
        "versions": main["versions"],
        "methods": methods(evaluation, words),
        "references": REFERENCES,
    }


def _fold_note(note: Mapping[str, Any], n_folds: int, words: Words) -> str:
    folds = words.counted("folds", n_folds)
    return words("in_folds", n=note["n_folds"], folds=folds, text=words.remark(note["text"]))


def _task(evaluation: Evaluation, task: str, title: str, words: Words, data_dir: Path | None) -> dict[str, Any]:
    main = evaluation.protocols[evaluation.protocol]
    findings = main["tasks"][task]
    scores, duel = findings["network"], findings.get("duel") or {}
    rows = {"network": scores, **(findings.get("baselines") or {})}
    occurring = sum(row["support"] > 0 for row in scores["per_class"].values())
    unsure = findings.get("unsure") or {}
    return {
        "name": task,
        "title": title,
        "verdict": verdict(evaluation, task, words),
        "unsure": unsure_said(findings, words),
        "signal": answered_signal((main.get("shown") or {}).get(task), main["data"], data_dir, words),
        "methods": [
            {
                "name": words.known("methods", name),
                "cells": [_cell(row, score, words) for score in SCORES],
                "duel": duel.get(name),
            }
            for name, row in rows.items()
        ],
        "has_baselines": len(rows) > 1,
        "chance": 1 / occurring if occurring > 1 else None,
        "others": [
            (words.known("protocols", name), _cell(content["tasks"][task]["network"], "balanced_accuracy", words))
            for name, content in evaluation.protocols.items()
            if name != evaluation.protocol and task in content["tasks"]
        ],
        "classes": findings["classes"],
        "confusion": list(_confusion(scores["confusion"], findings["classes"])),
        "reliability": scores["reliability"],
        "subjects": sorted(scores["per_subject"].items(), key=lambda item: (-item[1], item[0])),
        "per_class": [
            (name, scores["per_class"][name], *_class_counts(scores, name, words)) for name in findings["classes"]
        ],
        "covered": unsure.get("coverage_per_class") or {},
        "groups": [
            (kind, [(name, row["n"], _cell(row, "balanced_accuracy", words)) for name, row in groups.items()])
            for kind in ("muscle", "gender")
            if (groups := findings.get(f"per_{kind}"))
        ],
        "worst": [_wrong_answer(row, data_dir) for row in findings["worst"][:MAX_WORST]]
        if "worst" in findings
        else None,
    }


def _cell(scores: Mapping[str, Any], score: str, words: Words) -> dict[str, Any]:
    """Return a score, its counts where it is a share of repetitions, and its interval or the reason for none."""
    n, value = scores["n"], scores[score]
    return {
        "value": value,
        "counts": words("n_of", hits=round(value * n), n=n) if score == "accuracy" else "",
        "interval": scores["interval_95" if "interval_95" in scores else f"{score}_interval_95"],
        "too_few": too_few(scores, words),
    }


def _confusion(counts: Mapping[str, Mapping[str, int]], classes: list[str]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each recorded class with the count and the share of its row for each predicted class."""
    for true in classes:
        n = max(1, sum(counts[true].values()))
        yield true, [(counts[true][name], counts[true][name] / n) for name in classes]


def _class_counts(scores: Mapping[str, Any], name: str, words: Words) -> tuple[str, str]:
    """Return the counts behind the precision and the recall of a class."""
    counts = scores["confusion"]
    hits, predicted = counts[name][name], sum(row[name] for row in counts.values())
    return words("n_of", hits=hits, n=predicted), words("n_of", hits=hits, n=sum(counts[name].values()))


def _flat(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings with dotted names."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _flat(value, f"{name}.{key}" if name else key)
    elif isinstance(content, list):
        yield name, ", ".join(_plain(value) for value in content)
    else:
        yield name, "–" if content is None else _plain(content)


def _wrong_answer(row: Mapping[str, Any], data_dir: Path | None) -> dict[str, Any]:
    """Return a wrong answer with a picture of its matrix, or None where the matrix can't be read."""
    path = None if data_dir is None else matrix_path(data_dir, str(row["file"]))
    try:
        return {**row, "picture": None if path is None else _picture(path)}
    except InputError:
        return {**row, "picture": None}


def matrix_path(data_dir: Path, file: str) -> Path | None:
    """Find a matrix by its name in a manifest in ``data_dir`` or the folder above; None where it is missing.

    A report must not lead to files outside these folders.
    """
    for folder in (data_dir.resolve(), data_dir.resolve().parent):
        path = file_as_named(folder, file).resolve()
        if path.is_relative_to(folder) and path.is_file():
            return path
    return None


def _picture(path: Path) -> dict[str, Any]:
    from semg_hht.figures.plots import plane_png  # matplotlib; most cards show no picture of a plane

    matrix = read_matrix(path)
    picture = framed(plane_png(matrix.values[0]), matrix.frequency_hz, matrix.time_s)
    return {**picture, "n_planes": len(matrix.values)}


def framed(png: bytes, frequency_hz: NDArray[np.float64] | None, time_s: NDArray[np.float64] | None) -> dict[str, Any]:
    """Return a picture of a plane with the labels of its axes, as the template draws it."""
    from semg_hht.figures.drawing import bin_edges

    return {
        "png": base64.b64encode(png).decode("ascii"),
        "time": ticks(*bin_edges(time_s)),
        "time_unit": "time_bin" if time_s is None else "time_s",
        "frequency": ticks(*bin_edges(frequency_hz)),
        "frequency_unit": "frequency_bin" if frequency_hz is None else "frequency_hz",
    }


def _history(history: tuple[dict[str, Any], ...], best_epoch: int | None) -> dict[str, Any] | None:
    """Return losses over epochs as points from 0 to 1; None where there are fewer than two epochs."""
    if len(history) < 2:
        return None
    epochs = [int(record["epoch"]) for record in history]
    lines = {name: [float(record[f"{name}_loss"]) for record in history] for name in ("train", "validation")}
    top = max((value for line in lines.values() for value in line if math.isfinite(value)), default=1.0) or 1.0
    left, right = epochs[0], max(epochs[-1], epochs[0] + 1)
    return {
        "best": best_epoch,
        "best_at": None if best_epoch is None else (best_epoch - left) / (right - left),
        "epochs": [tick for tick in ticks(left, right) if "." not in tick[0]],
        "losses": ticks(0, top),
        "lines": {
            name: [((epoch - left) / (right - left), value / top)
                   for epoch, value in zip(epochs, line, strict=True) if math.isfinite(value)]
            for name, line in lines.items()
        },
    }  # fmt: skip
