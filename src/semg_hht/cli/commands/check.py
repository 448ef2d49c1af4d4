"""`semg-hht check`: find problems of a data folder before training."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from semg_hht import Finding
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.verbs.alike import MAX_NAMED
from semg_hht.verbs.checking import ADVICE, SEVERITIES
from semg_hht.verbs.checking import check as check_data

STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}


def check(
    data: Annotated[Path, typer.Argument(help="A folder of matrices or recordings, a manifest.csv, or a run.")],
    split: Annotated[
        Path | None, typer.Option(help="A run, or its split.json, to compare with the data.  [default: none]")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 on warnings too.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Find problems before training: unreadable files, copies, leaks. An error gives exit code 1."""
    result = check_data(data, split, work=console.work())
    counts = {severity: result.count(severity) for severity in SEVERITIES}
    if as_json:
        console.print_json(
            {
                "data": str(result.source),
                "n_files": result.n_files,
                "n_subjects": result.n_subjects,
                **{f"n_{severity}s": n for severity, n in counts.items()},
                "findings": [{**vars(f), "files": list(f.files), "advice": ADVICE[f.what]} for f in result.findings],
            }
        )
    else:
        for (severity, what), findings in groupby(result.findings, key=lambda f: (f.severity, f.what)):
            _print_findings(severity, what, list(findings))
        data_size = f"{console.counted(result.n_files, 'file')} of {console.counted(result.n_subjects, 'subject')}"
        summary = ", ".join(console.counted(n, severity) for severity, n in counts.items())
        console.out.print(f"{data_size}: {summary}")
    if counts["error"] or (strict and counts["warning"]):
        raise SystemExit(1)


def _print_findings(severity: str, what: str, findings: list[Finding]) -> None:
    """Print the findings of a kind: those about one file each by their sentences, a line for files with the same."""
    console.out.print(f"{severity}: ", end="", style=STYLES[severity])
    console.out.print(f"{what} ({len(findings)})" if len(findings) > 1 else what)
    of_a_file = [f for f in findings if len(f.files) == 1]
    others = [f for f in findings if len(f.files) != 1]
    console.list_alike(console.out, ((f.files[0], f.sentence) for f in of_a_file))
    console.list_first(console.out, others, lambda finding: finding.sentence, f"more; {console.SEE_ALL}")
    if len(others) <= console.MAX_LISTED and any(len(f.files) > MAX_NAMED for f in others):
        console.out.print(f"  {console.SEE_ALL}")
    if ADVICE[what]:
        console.out.print(f"  -> {console.wrapped(console.out, ADVICE[what], first_at=5, indent=5)}")
