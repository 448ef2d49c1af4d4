"""Tests that both languages have the same pages, and that the pages agree with the code."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import semg_hht
from conftest import REPOSITORY as ROOT
from semg_hht import hht, samples
from semg_hht.cli.main import VERBS
from snippets import blocks_of, run_command

PAGES = sorted(path.relative_to(ROOT / "docs" / "en") for path in (ROOT / "docs" / "en").rglob("*.md"))
LANGUAGES = ("en", "zh")
PACKAGE = ROOT / "src" / "semg_hht"
PACKAGES = sorted(path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("*/__init__.py"))
DESIGN = [f"docs/{language}/design.md" for language in LANGUAGES]


def headings(path: Path) -> list[int]:
    """Levels of the headings, in order; a # in a code block is no heading."""
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


@pytest.mark.parametrize("name", DESIGN)
def test_every_package_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert PACKAGES
    assert [package for package in PACKAGES if f"{package}/" not in text] == []


@pytest.mark.parametrize("name", DESIGN)
def test_every_path_in_the_design_exists(name: str) -> None:
    """A path is given from the package (`hht/emd.py`), or from the root (`tests/project/test_docs.py`)."""
    code = re.findall(r"`([^`\n]+)`", (ROOT / name).read_text(encoding="utf-8"))
    paths = [text for text in code if re.fullmatch(r"[\w./-]+(?:\.(?:py|sh|md|toml|json)|/)", text)]
    assert len(paths) > len(PACKAGES)
    assert [path for path in paths if not any((base / path).exists() for base in (PACKAGE, ROOT))] == []


GUIDES = ["DUAL_CLASSIFIER_GUIDE.md", "TRAINING_GUIDE.md", "SCRIPTS_README.md", "REFACTORING_SUMMARY.md"]
IN_ROOT = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", *GUIDES]


@pytest.mark.parametrize("name", [*IN_ROOT, *[f"docs/{language}/{p}" for language in LANGUAGES for p in PAGES]])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of docs/ by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_commands_has_every_verb_with_the_example_of_its_help(language: str) -> None:
    page = ROOT / "docs" / language / "scripts.md"
    described = re.findall(r"^::: semg-hht (\w+)$", page.read_text(encoding="utf-8"), re.M)
    assert described == list(VERBS)
    examples = [line for block in blocks_of(page) for line in block.lines()]
    assert examples == [f"semg-hht {example}" for example in VERBS.values()]


def test_options_are_described_from_the_program(hooks: Any) -> None:
    reference: ModuleType = hooks("command_reference")
    predict = reference.options_of("semg-hht predict")
    assert "* `--checkpoint <path>`:" in predict and "[required]" in predict
    assert "[default: predictions.json]" in predict
    assert "[default: as in the run]" in predict  # a default that only the sentence of the option states
    assert "[default: 20 450]" in reference.options_of("semg-hht prepare")
    assert "* `--n_test <int>`:" in reference.options_of("generate_sample_data.py")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("prefix", "module"), [("sh", semg_hht), ("sh.hht", hht), ("sh.samples", samples)])
def test_the_page_of_python_names_everything_public(language: str, prefix: str, module: ModuleType) -> None:
    text = (ROOT / "docs" / language / "api.md").read_text(encoding="utf-8")
    public = [name for name in module.__all__ if callable(getattr(module, name))]
    assert [name for name in public if f"`{prefix}.{name}`" not in text] == []


@pytest.mark.parametrize("name", GUIDES)
def test_guides_are_short_and_lead_to_both_languages(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "docs/en/" in text and "docs/zh/" in text
    assert len(text.splitlines()) <= 60
    english, chinese = text.split("## 中文", 1)
    assert len(re.findall(r"^- ", english, re.M)) == len(re.findall(r"^- ", chinese, re.M))


def test_lines_of_a_chinese_paragraph_are_joined(hooks: Any) -> None:
    chinese = hooks("chinese")
    left_alone = "```bash\nls  # 看,\n这里\n```\n\nIn English, (plain):\nyes!\n"
    text = f"一二，\n三四\n`f(a, b)`，五\nEMD 六。\n\n{left_alone}"
    assert chinese.on_page_markdown(text) == f"一二，三四`f(a, b)`，五\nEMD 六。\n\n{left_alone}"


@pytest.mark.parametrize("name", ["README.zh-CN.md", *GUIDES, *[f"docs/zh/{page}" for page in PAGES]])
def test_chinese_text_has_full_width_marks(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$|<!--.*?-->|`[^`]*`|\]\([^)]*\)", "", text, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"[\u3400-\u9fff][,:;?!(].*|.*[,:;?!)][\u3400-\u9fff]", prose) == []


# One Chinese word for each thing: the rejected word, as a pattern, and the word of docs/zh/glossary.md.
REJECTED = {
    "训练结果": "模型", "配方": "方案", "中位频率": "中值频率", "重复动作|重复次数": "动作", "最大收缩": "最大自主收缩",
    "固有模态": "本征模态", "掩蔽": "掩膜", "臂带": "臂环", "全程": "完整", "标定": "校准", "会话": "评估",
    "委员会|联合判别": "集成分类器", "答案": "结果", "(?<!活动)幅度": "幅值", "识别出?.{0,6}动作": "检测",
    "个记录": "段记录",
}  # fmt: skip
NOTEBOOKS = ["semg_hht_cnn_classifier.ipynb", "examples/notebooks/recording_to_score.ipynb"]
TEXTS = [f"src/semg_hht/{name}" for name in ("reports/messages_zh.json", "reports/zh.json", "web/page/zh.json")]


@pytest.mark.parametrize(
    "name",
    [
        "README.zh-CN.md",
        *GUIDES,
        *NOTEBOOKS,
        *TEXTS,
        "src/semg_hht/figures/captions.py",
        *[f"docs/zh/{p}" for p in PAGES],
    ],
)
def test_chinese_texts_use_one_word_for_each_thing(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {(match.group(), word) for pattern, word in REJECTED.items() for match in re.finditer(pattern, text)}
    assert found == set()


def test_the_site_is_built_without_a_warning_and_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the site needs what the dev extra installs")
    site = tmp_path / "site"
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("index.html"))
    assert len(pages) == 2 * len(PAGES)
    for page in pages:
        fetched = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]*)"', page.read_text(encoding="utf-8")
        )
        assert fetched == []
    for folder in (site, site / "zh"):
        commands = (folder / "scripts" / "index.html").read_text(encoding="utf-8")
        python = (folder / "api" / "index.html").read_text(encoding="utf-8")
        assert ":::" not in commands + python
        assert "--checkpoint" in commands and "--n_test" in commands
        assert all(f'id="semg_hht.{name}"' in python for name in ("read_recording", "hht.emd.emd", "hht.ceemdan"))


@cache
def _texts_of_the_code() -> list[str]:
    """Every text in the code; a placeholder of an f-string or a format is ``...``."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%[.\w]*[sdg]", "...", node.value))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_messages_of_the_troubleshooting_page_are_those_of_the_code(language: str) -> None:
    page = (ROOT / "docs" / language / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)
    assert len(messages) > 25
    texts = _texts_of_the_code()
    assert [message for message in messages if not any(message in text for text in texts)] == []


def _page(language: str, name: str) -> str:
    return (ROOT / "docs" / language / name).read_text(encoding="utf-8")


def test_the_answers_on_the_page_of_prediction_are_those_of_the_shipped_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = samples.recordings()["P04_supinated"]
    for number, recordings in enumerate((samples.RECORDINGS, alone)):
        run_command(f"semg-hht predict --input {recordings} --output {tmp_path / str(number)}.json")
    lines = [line for line in capsys.readouterr().out.splitlines() if ".mat: " in line or line.startswith("      1")]
    assert len(lines) == 6 + 2
    for name in ("README.md", "README.zh-CN.md"):
        readme = (ROOT / name).read_text(encoding="utf-8")
        assert [line for line in lines[:6] if line not in readme] == []
    answer = json.loads((tmp_path / "1.json").read_text(encoding="utf-8"))[alone.name]
    for language in LANGUAGES:
        page = _page(language, "inference.md")
        assert [line for line in lines if line not in page] == []
        (shown,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        content = json.loads(shown)[alone.name]
        own, part = content["action_quality"], content["parts"][0]
        assert own["confidence"] == pytest.approx(answer["action_quality"]["confidence"], abs=1e-4)
        assert own["possible"] == answer["action_quality"]["possible"]
        assert part["start_s"] == answer["parts"][0]["start_s"]
        assert [remark for remark in content["remarks"] if remark not in answer["remarks"]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_citation_is_that_of_the_file(language: str) -> None:
    stated = dict(
        re.findall(r"^(version|license|repository-code|title): (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    )
    entry = dict(re.findall(r"^  (\w+) +=\s\{(.*?)\},?$", _page(language, "index.md"), re.MULTILINE))
    assert (entry["title"], entry["version"]) == (stated["title"], stated["version"])
    assert (entry["license"], entry["url"]) == (stated["license"], stated["repository-code"])
