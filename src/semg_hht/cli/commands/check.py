"""`semg-hht check`: what is wrong with a data folder before anyone trains on it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from semg_hht.audit import ADVICE, SEVERITIES, Finding
from semg_hht.cli import console
from semg_hht.cli.options import AsJson

STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}


def check(
    data: Annotated[Path, typer.Argument(help="A folder of matrices or recordings, a manifest.csv, or a run.")],
    split: Annotated[Path | None, typer.Option(help="A run or its split.json, to hold against the data.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 on a warning too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find what would spoil a training: unreadable files, copies under two names, leaks. Exit code 1 on an error."""
    from semg_hht.audit.check import check_data

    found = check_data(data, split, track=console.track)
    counts = {severity: found.count(severity) for severity in SEVERITIES}
    if as_json:
        console.print_json(
            {
                "data": str(found.source),
                "n_files": found.n_files,
                "n_subjects": found.n_subjects,
                **{f"n_{severity}s": n for severity, n in counts.items()},
                "findings": [{**vars(f), "files": list(f.files), "advice": ADVICE[f.what]} for f in found.findings],
            }
        )
    else:
        for (severity, what), kind in groupby(found.findings, key=lambda f: (f.severity, f.what)):
            _print_kind(severity, what, list(kind))
        of = f"{console.counted(found.n_files, 'file')} of {console.counted(found.n_subjects, 'subject')}"
        told = ", ".join(console.counted(n, severity) for severity, n in counts.items())
        console.out.print(f"{of}: {told}", markup=False)
    if counts["error"] or (strict and counts["warning"]):
        raise SystemExit(1)


def _print_kind(severity: str, what: str, findings: list[Finding]) -> None:
    console.out.print(f"[{STYLES[severity]}]{severity}:[/] {what}", end="")
    console.out.print(f" ({len(findings)})" if len(findings) > 1 else "")
    console.list_first(console.out, findings, lambda finding: finding.sentence, "more; --json lists all")
    if ADVICE[what]:
        console.out.print(f"  -> {ADVICE[what]}", markup=False)
