"""Tests of settings in messages: arguments in the library, flags on the terminal."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import semg_hht
from semg_hht.cli.flags import FLAG_OF, SENSOR_RATE, as_flags
from semg_hht.cli.main import VERBS, app

SOURCE = Path(semg_hht.__file__).parent
ON_THE_TERMINAL = ("cli", "web", "demo.py")  # these speak to people who started a command
WHOLE_LINE = re.compile(r"semg-hht \w+.*|numpy\.savez\(.*\)")  # a command, or a line of Python


@cache
def messages() -> list[tuple[str, str]]:
    """Every text of the library but docstrings: the module, and the text with ``...`` in the place of each hole."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name.split("/")[0] in ON_THE_TERMINAL:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                texts = [str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values]
                found.append((name, "".join(texts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                found.append((name, node.value))
    return [(name, WHOLE_LINE.sub("", text)) for name, text in found if " " in text]


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        (
            "a.csv: the rate is unknown; state it with rate_hz=...",
            "a.csv: the rate is unknown; state it with --rate_hz",
        ),
        ("out: holds a run; resume=True continues it", "out: holds a run; --resume continues it"),
        ("rows stay empty (band_hz=(20, 100.5) would use them)", "rows stay empty (--band 20 100.5 would use them)"),
        ("of 0.31 to 0.4 s: min_duration_s=0.3 keeps them", "of 0.31 to 0.4 s: --min_duration_s 0.3 keeps them"),
        ("prepare with scaling='mvc' (or 'db')", "prepare with --scaling mvc (or 'db')"),
        ("engine must be one of auto, numpy; got 'x'", "--engine must be one of auto, numpy; got 'x'"),
        (f"state it with {SENSOR_RATE}", "state it with --sensor_rate_hz"),
        ("data/rate_hz=1000.csv: no such file", "data/rate_hz=1000.csv: no such file"),
        ("numpy.savez('a', samples=..., rate_hz=...)", "numpy.savez('a', samples=..., rate_hz=...)"),
        ("subject=3 and all units must agree", "subject=3 and all units must agree"),
    ],
)
def test_settings_are_printed_as_flags(message: str, printed: str) -> None:
    assert as_flags(message) == printed


def test_no_message_of_the_library_names_a_flag() -> None:
    """A user of Python knows no flags."""
    assert [(name, text) for name, text in messages() if re.search(r"(^|[\s(])--[a-z]", text)] == []


def test_each_setting_in_a_message_is_printed_as_a_flag() -> None:
    settings = r"(?<![\w('\"])(?<!=\.\.\., )[a-z_]+=(?:\.\.\.|True)(?![\w(])"
    prose = [(name, text) for name, text in messages() if len(re.findall(r"[a-z]{2,}", text)) > 3]
    found = [(name, text) for name, text in prose if re.search(settings, text)]
    assert len(found) > 20
    assert [(name, text) for name, text in found if re.search(settings, as_flags(text))] == []


def test_each_flag_exists() -> None:
    import typer

    group = typer.main.get_command(app)
    commands = [group.get_command(None, verb) for verb in VERBS]  # type: ignore[attr-defined]
    known = {option.lstrip("-") for command in commands for parameter in command.params for option in parameter.opts}
    assert sorted({*FLAG_OF.values(), "sensor_rate_hz"} - known) == []
