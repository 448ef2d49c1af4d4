"""Flags that several commands share, and the settings they make.

Knows names, help texts and defaults: nothing of what is computed with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht.errors import InputError
from semg_hht.hht.spectrum import DECOMPOSITIONS
from semg_hht.matrices.scaling import SCALINGS
from semg_hht.matrices.transform import CHANNELS, PipelineConfig, configure
from semg_hht.signals.filters import MainsHz
from semg_hht.system.processes import BACKENDS

Band = Annotated[tuple[float, float] | None, typer.Option(help="Band in Hz: low and high edge.  \\[default: 20 450]")]
Mains = Annotated[
    str | None, typer.Option(help="Mains to notch: 50 or 60, with harmonics; auto: what hums; off.  \\[default: auto]")
]
Ecg = Annotated[
    bool | None,
    typer.Option("--ecg/--no-ecg", help="Take the heart's beat off, for muscles of the trunk.  \\[default: no]"),
]
Decomposition = Annotated[str | None, typer.Option(help=f"{', '.join(DECOMPOSITIONS)}.  \\[default: emd]")]
Scaling = Annotated[str | None, typer.Option(help=f"{', '.join(SCALINGS)}.  \\[default: log]")]
Channels = Annotated[
    str | None,
    typer.Option(help=f"{' or '.join(CHANNELS)}: a matrix a channel, or all as planes of one.  \\[default: separate]"),
]
Segment = Annotated[
    bool, typer.Option("--segment", help="Find the repetitions of recordings whose manifest states no times.")
]
References = Annotated[Path | None, typer.Option(help="Manifest of maximal contractions, for --scaling mvc.")]
RateHz = Annotated[float | None, typer.Option(help="Samples a second, where a recording does not say.")]
Units = Annotated[str, typer.Option(help="Units of the samples (V, mV, uV), where a recording does not say.")]
Recipe = Annotated[
    str,
    typer.Option(
        help="plain: the network for action quality, an SVM on its features for gender; best: SVMs that join amplitude "
        "and how the channels go together, where that told new people better."
    ),
]
Convolutions = Annotated[
    str, typer.Option(help="On a CPU: products (of matrices, faster) or torch (its own); to rounding the same.")
]
Precision = Annotated[
    str, typer.Option(help="float32; bfloat16: faster where the processor or GPU computes in it, and not exact.")
]
Pack = Annotated[
    Path | None,
    typer.Option(help="Folder to keep all matrices in as one file, read batch by batch: for more than memory holds."),
]
Backend = Annotated[str, typer.Option(help=f"Who works: {', '.join(BACKENDS)}.")]
Scheduler = Annotated[str, typer.Option(help="Address of a Dask scheduler, for --backend dask.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with an error if any file had to be left out.")]
Lang = Annotated[str, typer.Option(help="Language of the page: en or zh.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Cpu = Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")]


def config_of(
    *,
    band: tuple[float, float] | None = None,
    mains: str | None = None,
    ecg: bool | None = None,
    decomposition: str | None = None,
    scaling: str | None = None,
    channels: str | None = None,
    seed: int | None = None,
    base: PipelineConfig | None = None,
) -> PipelineConfig:
    """The settings that were stated, the rest as in ``base`` or by default."""
    chosen: dict[str, Any] = {}
    if base is not None:
        chosen = {
            "band_hz": base.spectrum.band_hz,
            "mains_hz": base.filter.mains_hz,
            "ecg": base.filter.ecg,
            "decomposition": base.spectrum.decomposition,
            "scaling": base.scaling,
            "channels": base.channels,
            "seed": base.spectrum.seed,
        }
        if decomposition is not None:
            del chosen["scaling"]  # each recipe has its own default
    stated = {
        "band_hz": band,
        "ecg": ecg,
        "decomposition": decomposition,
        "scaling": scaling,
        "channels": channels,
        "seed": seed,
    }
    chosen |= {name: value for name, value in stated.items() if value is not None}
    if mains is not None:
        chosen["mains_hz"] = mains_hz_of(mains)
    return configure(**chosen)


def mains_hz_of(text: str) -> MainsHz:
    known: dict[str, MainsHz] = {"auto": "auto", "50": 50.0, "60": 60.0, "off": None}
    if text not in known:
        raise InputError(f"--mains must be auto, 50, 60 or off; got {text!r}")
    return known[text]
