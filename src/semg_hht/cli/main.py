"""The command line: the program, its verbs in the order of the data, and how it ends.

What a verb takes and prints stands in ``commands/``, what is computed in the other rooms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from semg_hht.cli import console
from semg_hht.version import __version__

# Both --snake_case and --kebab-case name an option.
CONTEXT = {"token_normalize_func": lambda token: token.replace("_", "-"), "help_option_names": ["-h", "--help"]}

# In the order of the data, each with an example.
VERBS = {
    "demo": "demo --out demo",
    "simulate": "simulate --out recordings --n_subjects 10",
    "segment": "segment recordings --out reps.csv",
    "features": "features reps.csv --out features.csv",
    "prepare": "prepare recordings/manifest.csv --out prepared --band 20 450",
    "check": "check prepared",
    "train": "train --data_dir prepared/hht_matrices --checkpoint_dir checkpoints --base_channels 8",
    "evaluate": "evaluate --data_dir prepared/hht_matrices --out evaluation --base_channels 8",
    "report": "report evaluation --out evaluation.html --lang zh",
    "predict": "predict --checkpoint checkpoints --input new_data --output predictions.json",
    "explain": "explain --checkpoint checkpoints --input curl.csv --rate_hz 1000 --out why.png",
    "export": "export --checkpoint checkpoints --out exported",
    "app": "app --checkpoint checkpoints",
}


# What a person who stops a verb is told; what is in braces is the value of that option.
IN_A_NEW_FOLDER = "nothing half-written was left; the same command with --overwrite begins anew"
STOPPED = {
    "demo": IN_A_NEW_FOLDER,
    "simulate": IN_A_NEW_FOLDER,
    "sample_data": IN_A_NEW_FOLDER,
    "prepare": "what was finished is in {out}; the same command goes on from there, with --overwrite where it has a "
    "manifest.csv already",
    "predict": "nothing half-written was left; the same command begins anew, with --overwrite where {output} is there "
    "already",
    "train": "every epoch that was finished is kept; the same command with --resume goes on from {checkpoint_dir}",
    "evaluate": "the folds that were finished are in {out}; the same command goes on from there",
}


def _stoppable(verb: Callable[..., None]) -> Callable[..., None]:
    @wraps(verb)
    def run(**options: Any) -> None:
        told = STOPPED.get(verb.__name__, "nothing half-written was left; the same command begins anew")
        with console.stoppable(told.format(**options)):
            verb(**options)

    return run


class _Verbs(TyperGroup):
    """Imports the file of a verb when it is called, and all of them only for ``--help``: a prediction starts sooner."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(VERBS)  # type: ignore[assignment]  # names, for "did you mean"

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        verb = getattr(import_module(f"semg_hht.cli.commands.{cmd_name}"), cmd_name)
        alone = typer.Typer(context_settings=CONTEXT, add_completion=False, rich_markup_mode="rich")
        alone.command(cmd_name, epilog=f"Example: semg-hht {VERBS[cmd_name]}")(_stoppable(verb))
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=_Verbs,
    context_settings=CONTEXT,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Surface EMG of exercise repetitions in; action quality and recorded gender out, with honest confidence.",
    epilog="Start with [bold]semg-hht demo[/]: the whole path on simulated people, in about two minutes. "
    "--debug with any command shows the traceback of an error.",
)


WHERE_TO_START = (
    "[bold]semg-hht demo[/]                                 the whole path on simulated people, in about two minutes",
    "[bold]semg-hht segment RECORDINGS --out reps.csv[/]    your own recordings: find the repetitions first",
    "[bold]semg-hht --help[/]                               every command; COMMAND --help explains one",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        console.out.print(f"semg-hht {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.out.print("\n".join(WHERE_TO_START))


def main(args: Sequence[str] | None = None, *, program: typer.Typer = app, name: str = "semg-hht") -> None:
    """Run the command line. Exit code 0; or 1 with one sentence on standard error; 2 for a wrong flag.

    130 after Ctrl-C and 143 after SIGTERM, with a sentence that says how to go on.
    """
    words = list(sys.argv[1:] if args is None else args)
    console.listen()
    with console.one_sentence(debug="--debug" in words):
        program([word for word in words if word != "--debug"], prog_name=name)


def script(command: Any, name: str) -> None:
    """Front of a root script: one command, the same engine."""
    program = typer.Typer(context_settings=CONTEXT, add_completion=False, pretty_exceptions_enable=False)
    program.command()(_stoppable(command))
    main(program=program, name=name)
