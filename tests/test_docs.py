"""The pages that people read: both languages alike, and true of the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.relative_to(ROOT / "docs" / "en") for path in (ROOT / "docs" / "en").rglob("*.md"))
SOURCES = sorted(path for path in (ROOT / "src" / "semg_hht").rglob("*.py") if not path.name.startswith("__"))


def headings(path: Path) -> list[int]:
    """Levels of the headings, in order; a # in a code block is none."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", text, flags=re.MULTILINE)]


def table_rows(path: Path) -> int:
    return sum(line.startswith("|") for line in path.read_text(encoding="utf-8").splitlines())


def test_both_languages_have_the_same_pages() -> None:
    assert PAGES
    assert sorted(p.relative_to(ROOT / "docs" / "zh") for p in (ROOT / "docs" / "zh").rglob("*.md")) == PAGES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_pages_have_the_same_headings_and_tables(page: Path) -> None:
    english, chinese = ROOT / "docs" / "en" / page, ROOT / "docs" / "zh" / page
    assert headings(english) == headings(chinese)
    assert table_rows(english) == table_rows(chinese)


@pytest.mark.parametrize("name", ["README.md", "docs/en/design.md", "docs/zh/design.md"])
def test_every_file_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = [path.name for path in SOURCES if path.name not in text and path.name not in ("version.py",)]
    assert not missing


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", *[f"docs/en/{p}" for p in PAGES]])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
