"""The command line: the program, its verbs in the order of the data, and how it ends.

What a verb takes and prints stands in ``commands/``, what is computed in the other rooms.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from semg_hht import console
from semg_hht.commands.app import app as web_page
from semg_hht.commands.check import check
from semg_hht.commands.demo import demo
from semg_hht.commands.evaluate import evaluate
from semg_hht.commands.export import export
from semg_hht.commands.features import features
from semg_hht.commands.predict import predict
from semg_hht.commands.prepare import prepare
from semg_hht.commands.report import report
from semg_hht.commands.segment import segment
from semg_hht.commands.simulate import simulate
from semg_hht.commands.train import train
from semg_hht.version import __version__

# Both --snake_case and --kebab-case name an option.
CONTEXT = {"token_normalize_func": lambda token: token.replace("_", "-"), "help_option_names": ["-h", "--help"]}

app = typer.Typer(
    context_settings=CONTEXT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Surface EMG of exercise repetitions in; action quality and recorded gender out, with honest confidence.",
    epilog="Start with [bold]semg-hht demo[/]: the whole path on simulated people, in about two minutes. "
    "--debug with any command shows the traceback of an error.",
)

for _verb, _example in (
    (demo, "demo --out demo"),
    (simulate, "simulate --out recordings --n_subjects 10"),
    (segment, "segment recordings --out reps.csv"),
    (features, "features reps.csv --out features.csv"),
    (prepare, "prepare recordings/manifest.csv --out prepared --band 20 450"),
    (check, "check prepared"),
    (train, "train --data_dir prepared/hht_matrices --checkpoint_dir checkpoints --base_channels 8"),
    (evaluate, "evaluate --data_dir prepared/hht_matrices --out evaluation --base_channels 8"),
    (report, "report evaluation --out evaluation.html --lang zh"),
    (predict, "predict --checkpoint checkpoints --input new_data --output predictions.json"),
    (export, "export --checkpoint checkpoints --out exported"),
    (web_page, "app --checkpoint checkpoints"),
):
    app.command(epilog=f"Example: semg-hht {_example}")(_verb)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.out.print(f"semg-hht {__version__}")
        raise typer.Exit


def main(args: Sequence[str] | None = None, *, program: typer.Typer = app, name: str = "semg-hht") -> None:
    """Run the command line. Exit code 0; or 1 with one sentence on standard error; 2 for a wrong flag."""
    words = list(sys.argv[1:] if args is None else args)
    console.listen()
    with console.one_sentence(debug="--debug" in words):
        program([word for word in words if word != "--debug"], prog_name=name)


def script(command: Any, name: str) -> None:
    """Front of a root script: one command, the same engine."""
    program = typer.Typer(context_settings=CONTEXT, add_completion=False, pretty_exceptions_enable=False)
    program.command()(command)
    main(program=program, name=name)
