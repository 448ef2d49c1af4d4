"""Each message that a visitor of the page can see has a translation, with the same holes."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import semg_hht
from semg_hht.reports.messages import GAP, MAX_LENGTH, catalogue, named_in, told, translated

SOURCE = Path(semg_hht.__file__).parent
ROOMS = ("recordings", "signals", "matrices", "datasets", "prediction", "inference", "learning", "explanation", "web")
# What no visitor of the page sees: verbs of the command line alone, help texts, and objects that only Python passes.
NOT_SHOWN = (
    "datasets/bids_export.py", "datasets/bids_names.py", "datasets/given_inputs.py", "datasets/labelled_repetitions.py",
    "datasets/rows_table.py", "learning/array_answers.py", "learning/pack_index.py", "matrices/scaling.py",
    "recordings/given.py", "recordings/mne_raw.py", "recordings/recorded.py", "signals/repetition_stack.py",
)  # fmt: skip
HOLE = "\0"
# Patterns, markup, style sheets, headers of HTTP and names of threads.
CODE = re.compile(r"[\\<>{}]|;.*;|=>|'self'|=/|^semg-hht ")
# A setting of Python (``whole=True``, ``rate_hz=...``) or a flag.
SETTING = re.compile(r"\b[a-z]+(?:_[a-z]+)*=\S|(?<![\w-])--[a-z]")
# Parts of messages of commands, of their folders and of who starts the page.
NOT_ON_THE_PAGE = (
    "overwrite=True", "resume=True", "gender=True", "batch_size=", "engine=", "engine}", "pack=", "data_dir=",
    "method=", "repetition={found}", "scaling {scaling}", "sensor=", "SensorSource", "matrices are",
    "semg-hht prepare", "save2gdf", "--port", "--host", "--public-url", "states no rate", "source_id=",
)  # fmt: skip
NAMES = {"Time Series", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"}


def ignored(tree: ast.Module) -> set[int]:
    """Nodes that are no messages of their own: docstrings, keys, and the parts of an f-string."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            found.add(id(node.value))
        elif isinstance(node, ast.Subscript):
            found.update(map(id, ast.walk(node.slice)))
        elif isinstance(node, ast.JoinedStr):
            found.update(id(part) for part in node.values if isinstance(part, ast.Constant))
            for part in node.values:
                if isinstance(part, ast.FormattedValue) and part.format_spec:
                    found.update(map(id, ast.walk(part.format_spec)))
    return found


def texts(tree: ast.Module) -> Iterator[str]:
    """Every text of two words or more in a module, with a mark for each hole."""
    skip = ignored(tree)
    for node in ast.walk(tree):
        if id(node) in skip:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"%(?:\.\d)?[sdg]|\{\w+\}", HOLE, node.value)
        else:
            continue
        if " " in text.strip() and len(re.findall(r"[a-z']{2,}", text)) >= 2 and not CODE.search(text):
            yield text


def core(text: str) -> str:
    """A template without the file before it and the holes at its ends."""
    text = re.sub(f"{HOLE}+", HOLE, text)
    text = re.sub(f"^(?:{HOLE}(?:, (?:line|channel) {HOLE})?: )+", "", text)
    return text.strip(HOLE)


def is_english(message: str) -> bool:
    return translated(message, "zh") == message


def known() -> set[str]:
    return {core(HOLE.join(template.parts)) for template in catalogue("zh")}


def settings_in(text: str) -> bool:
    return SETTING.search(text) is not None


def rewritten() -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads((SOURCE / "reports/messages_page.json").read_text(encoding="utf-8"))
    return content


def test_no_message_on_the_page_names_a_setting() -> None:
    """Each message with a setting has words for the page, or comes from commands and options that the page has not."""
    page = rewritten()
    english = {template for template in json.loads((SOURCE / "reports/messages_zh.json").read_text(encoding="utf-8"))}
    assert set(page) <= english
    named = {text for text in english if settings_in(text)} - set(page)
    assert sorted(text for text in named if not any(part in text for part in NOT_ON_THE_PAGE)) == []
    assert [part for part in NOT_ON_THE_PAGE if not any(part in text for text in named)] == []
    for text, texts_of in page.items():
        assert settings_in(text) and sorted(texts_of) == ["en", "zh"]
        assert not any(map(settings_in, texts_of.values()))


@pytest.mark.parametrize(
    ("message", "english", "chinese"),
    [
        (
            "a.csv: no repetition was found: no activity rises above rest; whole=True takes the recording as one",
            "a.csv: no repetition was found: no activity rises above rest; add one by hand",
            "a.csv：没有检测到动作：没有高于静息水平的肌电活动；请手动添加一次动作",
        ),
        (
            "a.csv: column 'time' is not even (steps of 1 to 2 s). State the rate with rate_hz=... to ignore the times",
            "a.csv: column 'time' is not even (steps of 1 to 2 s). If you know the sampling rate, state it: the times "
            "are then ignored",
            "a.csv：列 'time' 的间隔不均匀（间隔 1 至 2 秒）。如已知采样率，请填写，时间列将被忽略",
        ),
        ("a.csv: no such file or folder", "a.csv: no such file or folder", "a.csv：文件或文件夹不存在"),
    ],
)
def test_the_page_says_what_its_reader_can_do(message: str, english: str, chinese: str) -> None:
    assert (told(message, "en"), told(message, "zh")) == (english, chinese)


def test_each_message_has_a_translation() -> None:
    translations = known()
    missing = {
        f"{path.relative_to(SOURCE)}: {text.replace(HOLE, '{}')}"
        for room in ROOMS
        for path in sorted((SOURCE / room).rglob("*.py"))
        if path.relative_to(SOURCE).as_posix() not in NOT_SHOWN
        for text in texts(ast.parse(path.read_text(encoding="utf-8")))
        if text not in NAMES and core(text) not in translations and is_english(text.replace(HOLE, "7"))
    }
    assert sorted(missing) == []


def test_a_message_without_a_translation_is_found() -> None:
    tree = ast.parse(
        'raise InputError(f"{path}: expected five legs; found {n:g}")\nlog.warning("%s: has %d legs", a, 5)'
    )
    assert [core(text) for text in texts(tree)] == [f"expected five legs; found {HOLE}".strip(HOLE), f"has {HOLE} legs"]
    assert not known() & {core(text) for text in texts(tree)}


def test_a_translation_has_the_holes_of_the_message() -> None:
    for template in catalogue("zh"):
        holes = {hole for _, hole, _, _ in string.Formatter().parse(template.text) if hole}
        assert holes == set(template.holes), template


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a.csv: no such file or folder", "a.csv：文件或文件夹不存在"),
        ("a.csv, line 3: expected 4 cells; found 5", "a.csv 第 3 行：应有 4 个单元格；实际为 5 个"),
        (
            "a.csv: can't be read as CSV; line 3, column 'ch1': found 'x', expected a number",
            "a.csv：无法按 CSV 格式读取；第 3 行 'ch1' 列为 'x'，应为数值",
        ),
        (
            "no repetition was found in 3 recordings; the first: a.csv: no repetition was found: no activity rises "
            "above rest; the picture is in out",
            "3 段记录中都没有检测到动作；第一段：a.csv：没有检测到动作：没有高于静息水平的肌电活动；图在 out",
        ),
        (
            "column 't' is not even (steps of 0.001 to 0.02 s); it gives 1000 Hz between gaps, and by its times 30 of "
            "900 samples are missing, the first before line 12",
            "列 't' 的间隔不均匀（间隔 0.001 至 0.02 秒）；间断之间为 1000 Hz；按时间计算，900 个采样点中有 30 个丢失，"
            "第一个在第 12 行之前",
        ),
        (
            "2 files of kinds that are not read were left alone (.gz, .mot): .gz: unpack it with gunzip; .mot: open it "
            "in Spike2 and export it as text (.txt)",
            "有 2 个文件的格式不能读取，已跳过（.gz, .mot）：.gz：请先用 gunzip 解压；.mot：请用 Spike2 打开"
            "并导出为文本（.txt）",
        ),
        ("clipped here", "在此处削波"),
        (
            "a.acq: can't be read as AcqKnowledge; Buffer size too small (8 instead of at least 20 bytes)",
            "a.acq：无法按 AcqKnowledge 格式读取；文件过短：8 字节，至少应有 20 字节",
        ),
        (
            "a.mat: can't be read as a MAT file; Mat 4 mopt wrong format, byteswapping problem?",
            "a.mat：无法按 MAT 格式读取；文件开头不符合 MAT 格式",
        ),
        ("lasts long; nobody knows", "lasts long; nobody knows"),
        ("a.csv: nobody knows", "a.csv: nobody knows"),
    ],
)
def test_a_message_is_told_in_chinese(message: str, expected: str) -> None:
    assert translated(message, "zh") == expected
    assert translated(message, "en") == message


def test_names_with_braces_and_long_messages_stay_as_they_are() -> None:
    assert translated("{x}.csv: no such file or folder", "zh") == "{x}.csv：文件或文件夹不存在"
    long = "a: " * MAX_LENGTH + "no such file or folder"
    assert translated(long, "zh") == long
    many = "a: found b; expected c, " * 10 + "no such file or folder"
    assert translated(many, "zh") == many


@pytest.mark.parametrize(
    ("message", "rest", "name"),
    [
        ("channel ch3 is clipped: 2.5% of its samples are at the ends of its range",
         f"channel {GAP} is clipped: 2.5% of its samples are at the ends of its range", "ch3"),
        ("channels that are not EMG, by their units: knee [deg]",
         f"channels that are not EMG, by their units: {GAP}", "knee [deg]"),
        ("no such file or folder", "no such file or folder", ""),
        ("channel ch3 is a mystery", "channel ch3 is a mystery", ""),
    ],
)  # fmt: skip
def test_the_name_in_a_message_is_found(message: str, rest: str, name: str) -> None:
    assert named_in(message) == (rest, name)
