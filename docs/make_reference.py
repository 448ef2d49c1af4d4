"""Write the reference pages of the documentation from the program itself, so that they can't drift from it.

    python docs/make_reference.py [--out FOLDER]

``scripts.md``: every verb and root script with its options, from the parser. ``api.md``: what `semg_hht` offers to
Python, from signatures and docstrings. Both in English and Chinese: what comes from the program stays in English.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

import semg_hht
from semg_hht import hht
from semg_hht.cli.commands.predict import predict as predict_command
from semg_hht.cli.commands.sample_data import sample_data
from semg_hht.cli.commands.train import train
from semg_hht.cli.main import main as cli
from semg_hht.inference import answers as predictions
from semg_hht.prediction import run as predict

LANGUAGES = ("en", "zh")
SCRIPTS = {"generate_sample_data.py": sample_data, "train.py": train, "inference.py": predict_command}

WORDS = {
    "en": {
        "title": "Commands and scripts",
        "how": "One command, `semg-hht` (also `python -m semg_hht`), with a verb for each step. Options may be written "
        "`--like_this` or `--like-this`. Where something fails, one sentence says what, and the exit code is 1; "
        "`--debug` with any verb shows the traceback. This page is written by `python docs/make_reference.py` from the "
        "program's own parser.",
        "verbs": "Verbs, in the order of the data",
        "scripts": "Scripts",
        "fronts": "The scripts in the folder of the project are fronts of the same engine. `example_workflow.sh` runs "
        "the three in turn in a folder of its own.",
        "as_verb": "The options of `semg-hht {verb}`, above.",
        "header": "| option | default | meaning |",
        "required": "required",
        "api": "From Python",
        "api_how": "`import semg_hht as sh` loads neither torch nor matplotlib. Names are those of the command line. "
        "This page is written by `python docs/make_reference.py` from signatures and docstrings.",
        "package": "The package",
        "transform": "The transform",
        "answers": "A run and its answers",
    },
    "zh": {
        "title": "命令与脚本",
        "how": "只有一个命令 `semg-hht`（也可写作 `python -m semg_hht`），每一步是它的一个子命令。选项写成 "
        "`--like_this` 或 `--like-this` 都可以。出错时用一句话说明原因，退出码为 1；任何子命令加上 `--debug` "
        "都会显示完整的调用栈。本页由 `python docs/make_reference.py` 根据程序自身的解析器生成，"
        "选项的说明因此保持英文原文。",
        "verbs": "子命令，按数据的流向排列",
        "scripts": "脚本",
        "fronts": "项目根目录下的脚本是同一套程序的入口。`example_workflow.sh` 在单独的文件夹里依次运行这三个脚本。",
        "as_verb": "选项与上面的 `semg-hht {verb}` 相同。",
        "header": "| 选项 | 默认值 | 含义 |",
        "required": "必填",
        "api": "在 Python 中使用",
        "api_how": "`import semg_hht as sh` 不会加载 torch 和 matplotlib。名称与命令行一致。本页由 "
        "`python docs/make_reference.py` 根据函数签名和文档字符串生成，说明因此保持英文原文。",
        "package": "软件包",
        "transform": "变换",
        "answers": "训练结果与答案",
    },
}
# What each verb does, for readers of Chinese; one that is missing is shown with the program's own sentence.
IN_CHINESE = {
    "demo": "在模拟受试者身上走完全程，最后给出要打开的报告。",
    "simulate": "生成真值已知的原始表面肌电记录：人与人不同，含完整、半程和无效的动作，以及疲劳、工频干扰和心电。",
    "segment": "找出每次重复：写出一张可以核对和修改的表格（`prepare` 会读取它），并为每段记录画一张图。",
    "features": "计算每次重复、每个通道的 RMS、中值频率等经典特征，也可换算为 %MVC，并给出它们随重复的变化趋势。",
    "prepare": "把记录变成 256x256 的希尔伯特-黄矩阵，以及 `train` 读取的 manifest.csv。",
    "check": "在训练之前找出会毁掉训练的问题：读不出的文件、换名的副本、训练与测试之间的泄漏。有错误时退出码为 1。",
    "train": "训练两个分类器，在从未用于训练的人身上评分，并预测名字以 Test 开头的文件。",
    "evaluate": "得到在新的人身上仍然成立的分数：每位受试者都被留出一次，训练中不含其任何信息，并与简单的基线对照。",
    "report": "生成一页报告：分数、错误与局限，附一段可用于论文方法部分的文字；也可以只报告一段记录。",
    "predict": "回答新文件。除非选项另有说明，记录的处理方式与训练数据相同。",
    "export": "导出一个文件夹，`predict` 只用 onnxruntime 或 OpenVINO 就能打开它；写入前先与原结果核对。",
    "explain": "说明为什么给出这个标签：画在频率与时间上。",
    "app": "在浏览器中使用的网页。",
}
# What tests have to know of an example (see tests/snippets.py).
TOLD = {
    "demo": "skip because tests/cli/test_main.py walks it with fewer people",
    "simulate": "begins with new_data",
    "explain": "begins with checkpoints, curl.csv",
    "app": "skip because it serves until it is stopped",
}


def scripts_page(language: str) -> str:
    words = WORDS[language]
    program: Any = typer.main.get_command(cli.app)
    context = program.make_context("semg-hht", [], resilient_parsing=True)
    lines = [f"# {words['title']}", words["how"], f"## {words['verbs']}"]
    for verb in program.list_commands(context):
        command = program.get_command(context, verb)
        lines += [
            f"### {verb}",
            _sentence(command, verb, language),
            *_example(command, verb),
            _options(command, language),
        ]
    lines += [f"## {words['scripts']}", words["fronts"]]
    verb_of = {found.callback: verb for verb in program.list_commands(context)
               for found in [program.get_command(context, verb)]}  # fmt: skip
    for script, function in SCRIPTS.items():
        own = typer.Typer(add_completion=False)
        own.command()(function)
        command = typer.main.get_command(own)
        verb = next((v for f, v in verb_of.items() if inspect.unwrap(f) is function), "")
        lines += [f"### {script}"]
        if verb:
            lines += [words["as_verb"].format(verb=verb)]
        else:
            lines += [_sentence(command, "", language), _options(command, language)]
    return "\n\n".join(lines) + "\n"


def _sentence(command: Any, verb: str, language: str) -> str:
    told = " ".join((command.help or "").split())
    return IN_CHINESE.get(verb, told) if language == "zh" else told


def _example(command: Any, verb: str) -> list[str]:
    """The example of ``--help``, which tests run in the order of the page."""
    found = re.search(r"Example: (.*)", command.epilog or "")
    told = f"<!-- test: {TOLD[verb]} -->\n" if verb in TOLD else ""
    return [f"{told}```bash\n{found.group(1)}\n```"] if found else []


def _options(command: Any, language: str) -> str:
    rows = [WORDS[language]["header"], "|---|---|---|"]
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        told = parameter.help or ""
        stated = re.search(r"\s*\\\[default: (.*)\]$", told)  # escaped, for rich takes it for markup
        default = "" if parameter.default in (None, False, "") else f"`{parameter.default}`"
        if stated:
            told, default = told[: stated.start()], stated.group(1)
        if parameter.required:
            default = WORDS[language]["required"]
        rows.append(f"| {names} | {default} | {told} |".replace("  ", " "))
    return "\n".join(rows)


def api_page(language: str) -> str:
    words = WORDS[language]
    rooms = (
        (words["package"], "sh", _public(semg_hht)),
        (words["transform"], "sh.hht", _public(hht)),
        (words["answers"], "", [
            ("Run", predict.Run),
            *((n, getattr(predictions, n)) for n in ("Predictions", "Prediction", "Part", "Answer")),
        ]),
    )  # fmt: skip
    lines = [f"# {words['api']}", words["api_how"]]
    for title, prefix, things in rooms:
        lines.append(f"## {title}")
        for name, thing in things:
            lines += _described(f"{prefix}.{name}" if prefix else name, thing)
    return "\n\n".join(lines) + "\n"


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    """What a module offers that can be called, by name."""
    return [(name, thing) for name in module.__all__ if callable(thing := getattr(module, name))]


def _described(name: str, thing: Any) -> Iterator[str]:
    yield f"### {name}"
    if not (inspect.isclass(thing) and issubclass(thing, Exception)):
        yield f"    {name}{_signature(thing)}"
    yield _docstring(thing)
    if inspect.isclass(thing):
        for method, function in vars(thing).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                yield f"#### {name}.{method}"
                yield f"    {method}{_signature(function)}"
                yield _docstring(function)


def _signature(thing: Any) -> str:
    """As in the source: annotations are texts there, and what is filled in by a factory is three dots."""
    parts = []
    star = False
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        told = f"{parameter.name}: {parameter.annotation}"
        if parameter.default is not parameter.empty:
            plain = isinstance(parameter.default, (str, int, float, tuple, type(None)))
            told += f" = {parameter.default!r}" if plain else " = ..."
        parts.append(told)
    found = inspect.signature(thing).return_annotation
    back = f" -> {found}" if inspect.isfunction(thing) and found is not inspect.Signature.empty else ""
    whole = f"({', '.join(parts)}){back}"
    return whole if len(whole) < 90 else "(\n" + "".join(f"        {part},\n" for part in parts) + f"    ){back}"


def _docstring(thing: Any) -> str:
    """Sections in bold, what is listed as a list, the rest as it stands."""
    out: list[str] = []
    lines = (inspect.getdoc(thing) or "").splitlines()
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if below and set(below) == {"-"}:
            out.append(f"\n**{line}**\n")
        elif line and set(line) == {"-"}:
            continue
        elif item := re.match(r"([A-Za-z_*][\w, *]*) : (.*)", line):
            names = ", ".join(f"`{name.strip()}`" for name in item.group(1).split(","))
            out.append(f"- {names}: {item.group(2)}")
        elif re.fullmatch(r"\w+(Error|Warning)", line):
            out.append(f"\n`{line}`:")
        else:
            out.append(line.strip())
    text = re.sub(r":(func|mod|class):`([^`]+)`", r"`\2`", "\n".join(out).replace("``", "`"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


PAGES = {"scripts.md": scripts_page, "api.md": api_page}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    for language in LANGUAGES:
        for name, page in PAGES.items():
            (out / language / name).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
