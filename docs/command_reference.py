"""Insert the options of each command into the page "Commands and scripts" while MkDocs builds it.

Typer describes its own commands (`typer.cli.get_docs_for_click`); this hook replaces the lines `::: semg-hht VERB` and
`::: SCRIPT.py` of a page by the description. No plug-in can do so: mkdocs-click does not support Typer's copy of click,
and mkdocs-typer2 does not find verbs that are imported only when they are called.
"""

from __future__ import annotations

import re
from typing import Any

import typer.cli
import typer.main

from semg_hht.cli.commands.sample_data import sample_data
from semg_hht.cli.main import app, command_of

IN_CHINESE = {"**Usage**": "**用法**", "**Arguments**": "**参数**", "**Options**": "**选项**", "[required]": "[必填]"}


def options_of(name: str) -> str:
    """Usage, arguments and options of ``semg-hht VERB`` or of a script, as Markdown."""
    if name.startswith("semg-hht "):
        program: Any = typer.main.get_command(app)
        command = program.get_command(None, name.removeprefix("semg-hht "))
    else:
        command = command_of(sample_data)
    command.help = command.epilog = None  # the page has its own sentence and example
    text = typer.cli.get_docs_for_click(obj=command, ctx=typer.Context(command, info_name=name), name=name)
    return text[text.index("**Usage**") :]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs with every page."""
    text = re.sub(r"^::: (semg-hht \w+|\w+\.py)$", lambda line: options_of(line[1]), markdown, flags=re.MULTILINE)
    if text != markdown and page.file.src_uri.startswith("zh/"):
        for english, chinese in IN_CHINESE.items():
            text = text.replace(english, chinese)
    return text
