"""Small evaluations and sessions for the tests of reports, and a parser for HTML pages."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from builders import values
from semg_hht.datasets.feature_table import Drift, Measures
from semg_hht.evaluation.comparison import HeldOutAnswers, task_findings
from semg_hht.inference.answers import Answer, Part
from semg_hht.matrices.matrix import Matrix, write_matrix
from semg_hht.matrices.transform import configure
from semg_hht.prediction.session import ChannelCard, Session
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.reports.evaluation_page import write_page
from semg_hht.reports.summary import gather
from semg_hht.signals.trend import trend
from semg_hht.system.files import write_json

PEOPLE = ("S01", "S02", "S03", "S04")
MOVEMENTS = ("full", "half", "invalid")
HOSTILE = "<script>alert('&{{7*7}}{0}')</script>\"'><img src=x onerror=alert(1)>"


def answered(
    task: str, method: str, classes: tuple[str, ...], people: tuple[str, ...] = PEOPLE, seed: int = 0, sure: bool = True
) -> HeldOutAnswers:
    """Answers for people who each perform every class three times; most answers are correct."""
    rng = np.random.default_rng(seed)
    rows = [(who, name, i) for who in people for name in classes for i in range(3)]
    probabilities = rng.dirichlet(np.ones(len(classes)), len(rows))
    for row, (_, name, _) in zip(probabilities, rows, strict=True):
        row[classes.index(name)] += 0.6
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return HeldOutAnswers(
        task=task,
        method=method,
        classes=classes,
        repetitions=tuple(f"{who}|{name}|{i}" for who, name, i in rows),
        labels=tuple(name for _, name, _ in rows),
        subjects=tuple(who for who, _, _ in rows),
        muscles=tuple(("BICEPS", "TRICEPS")[i % 2] for _, _, i in rows),
        genders=tuple("FM"[people.index(who) % 2] for who, _, _ in rows),
        files=tuple(f"hht_matrices/{who}_{name}_{i}.npz" for who, name, i in rows),
        probabilities=probabilities,
        in_set=probabilities > 0.3 if sure else None,
    )


def protocol(name: str, people: tuple[str, ...] = PEOPLE, *, sure: bool = True, seed: int = 0) -> dict[str, Any]:
    """Return a copy of `_protocol` that a test may change."""
    return copy.deepcopy(_protocol(name, people, sure, seed))


@cache
def _protocol(name: str, people: tuple[str, ...], sure: bool, seed: int) -> dict[str, Any]:
    """Return the findings of a protocol as `semg_hht.learning.crossvalidation.describe` writes them."""
    answers = [
        answered("action_quality", "network", MOVEMENTS, people, seed, sure),
        answered("action_quality", "classical features", MOVEMENTS, people, seed + 1),
        answered("action_quality", "duration alone", MOVEMENTS, people, seed + 2),
        answered("gender", "network", ("F", "M"), people, seed + 3, sure=False),
    ]
    content = {
        "protocol": name,
        "n_folds": len(people),
        "task": "both",
        "network": {"n_layers": 7, "base_channels": 8},
        "training": {"epochs": 20, "batch_size": 16, "learning_rate": 1e-4, "patience": None, "seed": 42},
        "data_fingerprint": "abc",
        "data": {
            "folder": "../data",
            "n_matrices": 36,
            "n_repetitions": 36,
            "subjects": list(people),
            "n_per_gender": {"F": 2, "M": 2},
            "rates_hz": [1000.0],
            "muscles": ["BICEPS", "TRICEPS"],
            "preparation": configure(band_hz=(15.0, 430.0), mains_hz=50.0).to_json(),
        },
        "tasks": task_findings(answers),
        "fold_notes": [],
        "versions": {"python": "3.11", "semg-hht": "9.8.7", "torch": "2.6"},
    }
    return json.loads(json.dumps(content))  # type: ignore[no-any-return]


def evaluated(folder: Path, **protocols: dict[str, Any]) -> Path:
    """Write the findings of protocols into a folder, with their combined report."""
    for name, content in protocols.items():
        write_json(folder / name / "findings.json", content)
    gather(folder)
    return folder


def session(n: int = 6, **changes: Any) -> Session:
    """A session of ``n`` repetitions of one second; every second answer is unsure, and the median frequency falls."""
    mdf_hz = 90.0 - 2.0 * np.arange(n) + 0.1 * (-1.0) ** np.arange(n)
    row = ManifestRow("a.csv")
    sure = Answer("full", 0.9, {"full": 0.9, "half": 0.1}, ("full",))
    unsure = Answer("half", 0.6, {"full": 0.4, "half": 0.6}, ("full", "half"))
    gender = Answer("F", 0.7, {"F": 0.7, "M": 0.3})
    parts = tuple(
        Part(str(i + 1), 2.0 * i + 0.5, 2.0 * i + 1.5, {"action_quality": unsure if i % 2 else sure, "gender": gender})
        for i in range(n)
    )
    measures = tuple(
        Measures(replace(row, start_s=part.start_s, stop_s=part.stop_s), "ch1", "uV",
                 {"rms": 50.0 + i, "mdf_hz": float(value)})
        for i, (part, value) in enumerate(zip(parts, mdf_hz, strict=True))
    )  # fmt: skip
    drifts = (Drift(row, "ch1", "mdf_hz", "Hz", trend(mdf_hz)),) if n >= 4 else ()
    samples = np.random.default_rng(0).standard_normal(round(2 * n * 500))
    built = Session(
        file="a.csv",
        rate_hz=500.0,
        parts=parts,
        answers={"action_quality": sure, "gender": gender},
        channels=(ChannelCard("ch1", "uV", samples, measures, drifts),),
        remarks=(),
        promises=True,
    )
    return replace(built, **changes)


class Page(HTMLParser):
    """A parsed HTML page: tags with attributes, tables as text by their class, headings, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.text = ""
        self.headings: list[str] = []
        self._rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self._skip = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag == "style"
        if tag == "table":
            self._rows = []
            self.tables.setdefault(str(dict(attrs)["class"]), []).append(self._rows)
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        self._skip = False
        if tag in ("td", "th") and self._cell is not None:
            self._rows[-1].append(" ".join(self._cell))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._skip or not data.strip():
            return
        self.text += data + "\n"
        if self.tags[-1][0] in ("h2", "h3"):
            self.headings.append(data)
        if self._cell is not None:
            self._cell.append(data.strip())


def read_page(folder: Path, **options: Any) -> Page:
    return Page(write_page(folder, overwrite=True, **options).read_text(encoding="utf-8"))


def saved_matrices(folder: Path, content: dict[str, Any]) -> None:
    for found in content["tasks"].values():
        for row in found["worst"]:
            matrix = Matrix(
                values(1, np.random.default_rng(0)),
                configure().to_json(),
                np.linspace(20, 450, 256),
                np.linspace(0.005, 1.995, 256),
            )
            write_matrix(folder / row["file"], matrix)


def copy_of_run(run: Path, folder: Path) -> Path:
    for name in ("metrics.json", "config.json", "split.json", "history.jsonl"):
        (folder / "run").mkdir(exist_ok=True)
        (folder / "run" / name).write_bytes((run / name).read_bytes())
    return folder / "run"
