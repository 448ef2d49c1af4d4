"""Templates escape all names, and axes get round numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation_builders import HOSTILE, copy_of_run, evaluated, protocol, read_page
from semg_hht.reports.template import ticks
from semg_hht.reports.words import LANGUAGES
from semg_hht.system.files import write_json


def hostile(content: dict[str, Any]) -> dict[str, Any]:
    """Put markup into the names of subjects, muscles, classes, folders and versions."""
    text = json.dumps(content)
    for name in ("S01", "BICEPS", "half", "hht_matrices", "9.8.7"):
        text = text.replace(name, json.dumps(HOSTILE + name)[1:-1])
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_in_findings_never_become_markup(tmp_path: Path, evaluation: Path, language: str) -> None:
    plain = read_page(evaluation, language=language)
    wild = hostile(protocol("loso"))
    page = read_page(
        evaluated(tmp_path / "wild", loso=wild, random=hostile(protocol("random", seed=9))), language=language
    )
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert [set(attributes) for _, attributes in page.tags] == [set(attributes) for _, attributes in plain.tags]
    for name in ("S01", "BICEPS", "half", "9.8.7"):
        assert HOSTILE + name in page.text


def test_notes_of_a_run_never_become_markup(tmp_path: Path, simulated_run: Path) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    write_json(run / "metrics.json", {**metrics, "notes": [HOSTILE]})
    page = read_page(run)
    assert HOSTILE in page.text
    assert not {"script", "img"} & {tag for tag, _ in page.tags}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]), (20, 450, ["100", "200", "300", "400"]), (1, 1, [])],
)
def test_ticks_are_round_numbers_at_their_positions(low: float, high: float, expected: list[str]) -> None:
    labels = ticks(low, high)
    assert [text for text, _ in labels] == expected
    for text, at in labels:
        assert low + at * (high - low) == pytest.approx(float(text))
