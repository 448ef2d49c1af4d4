"""`generate_sample_data.py`: simulated files to practise with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags


def sample_data(
    output_dir: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("data"),
    n_samples: Annotated[int, typer.Option(help="Number of labelled files.")] = 20,
    n_test: Annotated[int, typer.Option(help="Number of unlabelled files, named Test*.")] = 10,
    raw: Annotated[bool, typer.Option("--raw", help="Write recordings (.csv) instead of matrices (.npz).")] = False,
    seed: flags.Seed = 42,
    overwrite: flags.Overwrite = False,
) -> None:
    """Write files to practise with: simulated repetitions, transformed as real ones are."""
    from semg_hht.verbs.simulating import write_samples

    written = write_samples(
        output_dir, n_samples, n_test, seed, raw=raw, overwrite=overwrite,
        track=console.track,
    )  # fmt: skip
    console.out.print(f"{console.counted(len(written), 'file')} in {output_dir}, for example {written[0].name}")
