"""Runs every command and snippet of the README, the guides and the documentation, in the order of each page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import pytest

from conftest import REPOSITORY, Simulated
from semg_hht.inference.answers import Predictions
from snippets import World, blocks_of, names_for, run_command

ENGLISH = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs" / "en").rglob("*.md")),
]
PAGES = [page for page in ENGLISH if page.name != "README.zh-CN.md" and blocks_of(page)]
IN_CHINESE = {
    page: REPOSITORY / "README.zh-CN.md"
    if page.name == "README.md"
    else REPOSITORY / "docs" / "zh" / page.relative_to(REPOSITORY / "docs" / "en")
    for page in ENGLISH
    if page.name == "README.md" or page.is_relative_to(REPOSITORY / "docs")
}


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_snippets_of_a_page_run(
    page: Path, simulated: Simulated, simulated_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(simulated, simulated_run)
    names: dict[str, Any] = names_for(page.name)
    monkeypatch.chdir(tmp_path)
    for number, block in enumerate(blocks_of(page)):
        if block.skipped:
            continue
        if block.begins_with is not None:
            (folder := tmp_path / f"block{number}").mkdir()
            for name_of_input in block.begins_with:
                world.put(name_of_input, folder)
            monkeypatch.chdir(folder)
        with joblib.parallel_config(backend="sequential"):  # each worker process would load torch
            if block.language == "python":
                exec(compile(block.code, f"{page.name}, block {number}", "exec"), names)
            else:
                for line in block.lines():
                    run_command(line)
    for value in names.values():
        assert not isinstance(value, Predictions) or not value.errors


@pytest.mark.parametrize("page", IN_CHINESE, ids=name)
def test_chinese_pages_have_the_same_commands(page: Path) -> None:
    english, chinese = (
        [(block.note, [line.replace("--lang zh", "--lang en") for line in block.lines()]) for block in blocks_of(path)]
        for path in (page, IN_CHINESE[page])
    )
    assert english == chinese
