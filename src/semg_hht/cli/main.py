"""The command line program: its verbs in the order of the data, its help and its exit codes.

The modules in ``commands/`` define the flags and the output of each verb. The other packages do the work.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from semg_hht import __version__
from semg_hht.cli import console
from semg_hht.cli.usage import UsageError, sentence_of

# Both --snake_case and --kebab-case name an option.
CONTEXT = {"token_normalize_func": lambda token: token.replace("_", "-"), "help_option_names": ["-h", "--help"]}

# In the order of the data, each with an example.
VERBS = {
    "demo": "demo --out demo",
    "simulate": "simulate --out recordings --n_subjects 10 --goniometer",
    "segment": "segment recordings --out reps.csv",
    "label": "label reps.csv --sensor elbow_angle",
    "features": "features reps.csv --out features.csv",
    "prepare": "prepare recordings/manifest.csv --out prepared --band 20 450",
    "check": "check prepared",
    "train": "train --data_dir prepared/hht_matrices --checkpoint_dir checkpoints --base_channels 8",
    "evaluate": "evaluate --data_dir prepared/hht_matrices --out evaluation --base_channels 8",
    "report": "report evaluation --out evaluation.html --lang zh",
    "predict": "predict --checkpoint checkpoints --input new_data --output predictions.json",
    "explain": "explain --checkpoint checkpoints --input curl.csv --rate_hz 1000 --out why.png",
    "export": "export --checkpoint checkpoints --out exported",
    "live": "live --stream EMG --checkpoint checkpoints",
    "app": "app --checkpoint checkpoints",
}


# How to continue after a verb was stopped; a name in braces stands for the value of that option.
AGAIN = "no half-written file is left; run the same command to start again"
AGAIN_IN_ITS_FOLDER = "no half-written file is left; run the same command with --overwrite to start again"
STOPPED = {
    "demo": AGAIN_IN_ITS_FOLDER,
    "simulate": AGAIN_IN_ITS_FOLDER,
    "sample_data": AGAIN_IN_ITS_FOLDER,
    "prepare": "finished matrices are in {out}; run the same command to continue (with --overwrite if there is a "
    "manifest.csv already)",
    "predict": f"{AGAIN} (with --overwrite if {{output}} exists already)",
    "train": "finished epochs are kept; run the same command with --resume to continue from {checkpoint_dir}",
    "evaluate": "finished folds are in {out}; run the same command to continue",
}


def _stoppable(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that prints how to continue when it is stopped."""

    @wraps(verb)
    def run(**options: Any) -> None:
        with console.stoppable(STOPPED.get(verb.__name__, AGAIN).format(**options)):
            verb(**options)

    return run


def _program(**settings: Any) -> typer.Typer:
    return typer.Typer(
        context_settings=CONTEXT,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **settings,
    )


def command_of(verb: Callable[..., None], *, name: str | None = None, epilog: str | None = None) -> Any:
    """A verb as a command. Its help names the flags as the examples and the pages do: ``--data_dir``."""
    program = _program()
    program.command(name, epilog=epilog)(_stoppable(verb))
    command: Any = typer.main.get_command(program)
    for parameter in command.params:
        parameter.opts = [name[:2] + name[2:].replace("-", "_") for name in parameter.opts]
    return command


class _Verbs(TyperGroup):
    """Imports the module of a verb when it is called, and all of them only for ``--help``: verbs start sooner."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(VERBS)  # type: ignore[assignment]  # names, for "did you mean"

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        verb = getattr(import_module(f"semg_hht.cli.commands.{cmd_name}"), cmd_name)
        return command_of(verb, name=cmd_name, epilog=f"Example: semg-hht {VERBS[cmd_name]}")


app = _program(
    cls=_Verbs,
    help="Predict action quality and recorded gender from surface EMG of repetitions, with calibrated confidence.",
    epilog="Start with `semg-hht demo`: all steps on simulated people, in less than a minute. "
    "With any command, --debug shows the traceback of an error.",
)


WHERE_TO_START = (
    "[bold]semg-hht demo[/]                                 all steps on simulated people, in less than a minute",
    "[bold]semg-hht demo --real[/]                          real recordings, answered in half a minute",
    "[bold]semg-hht segment RECORDINGS --out reps.csv[/]    your own recordings: find the repetitions first",
    "[bold]semg-hht --help[/]                               all commands; COMMAND --help explains one of them",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        console.out.print(f"semg-hht {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.out.print("\n".join(WHERE_TO_START), markup=True)


def main(
    args: Sequence[str] | None = None,
    *,
    program: Callable[..., Any] = app,
    name: str = "semg-hht",
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Run the command line; ``defaults`` replace those of options of ``program``.

    Exit codes: 0; 1 after an error, with one sentence on standard error; 2 for a wrong flag; 130 after Ctrl-C and 143
    after SIGTERM, with a sentence on how to continue. With ``--json``, standard output holds the sentence as JSON.
    """
    words = list(sys.argv[1:] if args is None else args)
    as_json = "--json" in words
    console.listen()
    with console.one_sentence(debug="--debug" in words, as_json=as_json):
        typed = [word for word in words if word != "--debug"]
        try:
            ended = program(typed, prog_name=name, default_map=defaults, standalone_mode=False)
        except UsageError as error:
            console.fail(sentence_of(error, typed, VERBS), error.exit_code, as_json=as_json)
        if ended == 128 + signal.SIGINT:  # Typer's answer to Ctrl-C before the work of a verb
            raise KeyboardInterrupt
    sys.exit(ended if isinstance(ended, int) else 0)


def script(verb: Callable[..., None], name: str, **defaults: str) -> None:
    """Run a verb under the name of a root script; ``defaults`` replace those of its options."""
    main(program=command_of(verb), name=name, defaults=defaults)
