"""`semg-hht report`: an evaluation or a run -> one page that a person reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht import console
from semg_hht.options import Lang


def report(
    source: Annotated[
        Path, typer.Argument(metavar="RUN_OR_EVALUATION", help="A run directory, or the folder of an evaluation.")
    ],
    out: Annotated[Path, typer.Option(help="The page, one HTML file that needs no other.")],
    lang: Lang = "en",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the matrices, where it was moved.  [default: where it was]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the page that stands there.")] = False,
) -> None:
    """One page of scores, mistakes, limits, and a paragraph for a methods section; opens offline, prints."""
    from semg_hht.report.page import write_page

    write_page(source, out, language=lang, data_dir=data_dir, overwrite=overwrite)
    console.out.print(f"report      {out}")
