"""Say what is wrong with a command that was typed: an unknown verb or flag, something missing, a word too many.

It knows Typer's errors. It does not know what a verb does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

# Typer brings its own copy of Click; before that it took Click's classes.
UsageError: Any = typer.BadParameter.__mro__[1]

# What other programs call a verb or a flag of this one.
OTHER_VERBS = {
    "inference": "predict", "infer": "predict", "classify": "predict", "fit": "train", "cv": "evaluate",
    "crossvalidate": "evaluate", "audit": "check", "validate": "check", "convert": "prepare", "transform": "prepare",
    "hht": "prepare", "split": "segment", "cut": "segment", "gui": "app", "web": "app", "serve": "app",
    "stream": "live", "explainability": "explain", "annotate": "label", "plot": "report",
}  # fmt: skip
OTHER_FLAGS = {
    "lr": ("learning_rate",), "rate": ("rate_hz",), "fs": ("rate_hz",), "sampling_rate": ("rate_hz",),
    "sample_rate": ("rate_hz",), "sfreq": ("rate_hz",), "model": ("checkpoint", "checkpoint_dir"),
    "run": ("checkpoint", "checkpoint_dir"), "checkpoint": ("checkpoint_dir",), "checkpoint_dir": ("checkpoint",),
    "data": ("data_dir", "input"), "input": ("data_dir",), "input_dir": ("data_dir", "input"),
    "data_dir": ("input",), "output": ("out", "checkpoint_dir"), "output_dir": ("out", "checkpoint_dir"),
    "out": ("output", "checkpoint_dir"), "out_dir": ("out", "checkpoint_dir"), "workers": ("jobs",),
    "n_jobs": ("jobs",), "force": ("overwrite",), "yes": ("overwrite",), "folds": ("protocol",),
    "language": ("lang",), "filter": ("band",), "bandpass": ("band",), "notch": ("mains",), "batch": ("batch_size",),
    "device": ("cpu",), "no_cuda": ("cpu",), "unit": ("units",), "continue": ("resume",), "channel": ("channels",),
}  # fmt: skip


def sentence_of(error: Any, words: Sequence[str], examples: Mapping[str, str]) -> str:
    """One sentence on a usage error: what was found, what is expected, and an example where something is missing.

    Parameters
    ----------
    error : a `UsageError` of Typer.
    words : the command as it was typed, without the name of the program.
    examples : verb -> a command.
    """
    context = error.ctx
    verb = "" if context is None else context.info_name or ""
    example = f". Example: semg-hht {examples[verb]}" if verb in examples else ""
    if type(error).__name__ == "NoSuchOption":
        return _unknown_flag(verb, error, words)
    if type(error).__name__ == "MissingParameter" and context is not None:
        missing = [p for p in context.command.params if p.required and context.params.get(p.name) is None]
        return f"{verb} needs {' and '.join(map(_named, missing))}{example}"
    message = str(error.format_message()).strip()
    if message.startswith("No such command"):
        return _unknown_verb(words, context.command.list_commands(context))
    if message.startswith("Got unexpected extra argument") and context is not None:
        return _too_many(verb, context, message.rpartition(" (")[2].removesuffix(")")) + example
    return f"{verb}: {message[:1].lower()}{message[1:].removesuffix('.')}".removeprefix(": ")


def _named(parameter: Any) -> str:
    """``--out`` or ``INPUT``, with its help text."""
    name = next((opt for opt in parameter.opts if opt.startswith("--")), str(parameter.name).upper())
    text = str(parameter.help or "").partition("  [")[0].strip().rstrip(".")
    return f"{name} ({text[:1].lower()}{text[1:]})" if text else name


def _unknown_flag(verb: str, error: Any, words: Sequence[str]) -> str:
    typed = str(error.option_name)
    flags = [opt for p in error.ctx.command.params for opt in p.opts if opt.startswith("--")] if error.ctx else []
    flags.append("--help")
    for word in words:  # Typer reads -data_dir as -d
        if word[:1] == "-" and word[1:2] not in ("", "-") and typed == word[:2]:
            typed = word.partition("=")[0]
    name = typed.lstrip("-").replace("-", "_")
    likely = likeliest(name, [flag[2:] for flag in flags], OTHER_FLAGS)
    meant = f"; did you mean {' or '.join(f'--{flag}' for flag in likely)}?" if likely else f"; {verb} --help lists all"
    shown = typed if len(typed) == 2 or typed[:2] != "--" else f"--{name}"
    return f"{verb} has no option {shown}{meant}" if verb else f"there is no option {shown}{meant}"


def _unknown_verb(words: Sequence[str], verbs: Sequence[str]) -> str:
    typed = next((word for word in words if not word.startswith("-")), "")
    if typed == "help":
        return "there is no command help; semg-hht --help lists all, and semg-hht COMMAND --help explains one"
    likely = likeliest(typed.lower(), verbs, {name: (verb,) for name, verb in OTHER_VERBS.items()})
    meant = f"did you mean {' or '.join(likely)}?" if likely else f"expected one of {', '.join(verbs)}"
    return f"there is no command {typed!r}; {meant}"


def likeliest(typed: str, names: Iterable[str], others: Mapping[str, Sequence[str]]) -> list[str]:
    """The names that a person may have meant: what other programs call so, a name that begins so, similar names."""
    names = list(names)
    known = [name for name in others.get(typed, ()) if name in names]
    begun = [name for name in names if len(typed) > 2 and name.startswith(typed)]
    return (known or begun or difflib.get_close_matches(typed, names, n=2, cutoff=0.6))[:2]


def _too_many(verb: str, context: Any, found: str) -> str:
    own = [p for p in context.command.params if not any(opt.startswith("-") for opt in p.opts)]
    if own:
        name = str(own[0].name).upper()
        return f"{verb} takes one {name}; found {found} too: name the folder that holds them, or write a manifest.csv"
    flag = next(opt for p in context.command.params for opt in p.opts if opt.startswith("--"))
    return f"{verb} takes flags alone; found {found}: did you mean {flag} {found.split()[0]}"
