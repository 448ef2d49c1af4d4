"""The pages that people read: both languages alike, and true of the tree."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
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


GUIDES = ["DUAL_CLASSIFIER_GUIDE.md", "TRAINING_GUIDE.md", "SCRIPTS_README.md", "REFACTORING_SUMMARY.md"]
IN_ROOT = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", *GUIDES]


@pytest.mark.parametrize("name", [*IN_ROOT, *[f"docs/{language}/{p}" for language in ("en", "zh") for p in PAGES]])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What writes pages, and what mends Chinese ones."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("make_reference")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["scripts.md", "api.md"])
def test_reference_pages_are_what_the_program_says(name: str, language: str, writers: ModuleType) -> None:
    stands = (ROOT / "docs" / language / name).read_text(encoding="utf-8")
    assert stands == writers.PAGES[name](language), "run: python docs/make_reference.py"


@pytest.mark.parametrize("name", GUIDES)
def test_guides_are_short_and_lead_to_both_languages(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "docs/en/" in text and "docs/zh/" in text
    assert len(text.splitlines()) <= 60
    english, chinese = text.split("## 中文", 1)
    assert len(re.findall(r"^- ", english, re.M)) == len(re.findall(r"^- ", chinese, re.M))


def test_chinese_marks(writers: ModuleType) -> None:
    chinese = importlib.import_module("chinese")
    left_alone = "```bash\nls  # 看,这里\n```\n\nIn English, (plain): yes!\n"
    text = f"见 [表](a.md#x,y),共 3,000 行(`f(a, b)`):\n一二\n三,四!\n\n{left_alone}"
    shown = f"见 [表](a.md#x,y)，共 3,000 行（`f(a, b)`）：一二三，四！\n\n{left_alone}"
    assert chinese.on_page_markdown(text) == shown


def test_the_site_is_built_without_a_warning_and_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the site needs what the dev extra installs")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("index.html"))
    assert len(pages) == 2 * len(PAGES)
    for page in pages:
        fetched = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]*)"', page.read_text(encoding="utf-8")
        )
        assert fetched == []
