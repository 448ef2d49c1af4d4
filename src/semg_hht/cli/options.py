"""Flags that several commands share, and the transform settings that they state.

It knows names, help texts and defaults. It does not know what is computed with them.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht import InputError, PipelineConfig, configure
from semg_hht.system.processes import BACKENDS
from semg_hht.verbs.choices import CHANNELS, DECOMPOSITIONS, MainsHz

MAINS_HZ: dict[str, MainsHz] = {"auto": "auto", "50": 50.0, "60": 60.0, "off": None}

OF_RUN = "as in the run"  # default of the transform settings where a run predicts


def _setting(text: str, default: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=f"{text}  [default: {default}]")


_BAND = "Edges of the band, in Hz."
Band = Annotated[tuple[float, float] | None, _setting(_BAND, "20 450", metavar="LOW HIGH")]
RunBand = Annotated[tuple[float, float] | None, _setting(_BAND, OF_RUN, metavar="LOW HIGH")]
_MAINS = "Mains frequency to remove, with its harmonics: 50, 60, auto (the one that is present) or off."
Mains = Annotated[str | None, _setting(_MAINS, "auto")]
RunMains = Annotated[str | None, _setting(_MAINS, OF_RUN)]
_ECG = "Remove the heartbeat, for muscles of the trunk."
Ecg = Annotated[bool | None, _setting(_ECG, "no-ecg", "--ecg/--no-ecg")]
RunEcg = Annotated[bool | None, _setting(_ECG, OF_RUN, "--ecg/--no-ecg")]
_DECOMPOSITION = f"One of {', '.join(DECOMPOSITIONS)}."
Decomposition = Annotated[str | None, _setting(_DECOMPOSITION, "emd")]
RunDecomposition = Annotated[str | None, _setting(_DECOMPOSITION, OF_RUN)]
_SCALING = (
    "How power becomes matrix values. minmax: each matrix from 0 to 1; log: logarithm; db: decibels below the "
    "strongest cell; mvc: log, relative to maximal contractions (--references); subject: log, relative to the "
    "subject's mean amplitude; upstream: for --decomposition upstream only."
)
Scaling = Annotated[str | None, _setting(_SCALING, "log")]
RunScaling = Annotated[str | None, _setting(_SCALING, OF_RUN)]
_CHANNELS = f"{CHANNELS[0]}: one matrix per channel; {CHANNELS[1]}: all channels as planes of one matrix."
Channels = Annotated[str | None, _setting(_CHANNELS, CHANNELS[0])]
RunChannels = Annotated[str | None, _setting(_CHANNELS, OF_RUN)]
RunSeed = Annotated[int | None, _setting("Random seed of the noise in ensemble decompositions.", OF_RUN)]
RunOrShipped = Annotated[
    Path | None,
    typer.Option(
        help="A run directory, one of its checkpoints, or an export.  [default: the run that comes with semg-hht (grip "
        "technique of elbow flexion)]"
    ),
]
Segment = Annotated[
    bool, typer.Option("--segment", help="Find the repetitions in recordings whose manifest states no times.")
]
Whole = Annotated[bool, typer.Option("--whole", help="Take a recording as one repetition, however long it is.")]
References = Annotated[
    Path | None, typer.Option(help="Manifest of maximal contractions, for --scaling mvc.  [default: none]")
]
MinDuration = Annotated[float, typer.Option(help="Shorter activity is not a repetition.")]
MaxDuration = Annotated[float, typer.Option(help="Longer activity is split at its deepest pause.")]
RateHz = Annotated[
    float | None, typer.Option(help="Sampling rate in Hz, for recordings that do not state it.  [default: none]")
]
Units = Annotated[
    str,
    typer.Option(help="Units of the samples (V, mV, uV), for recordings that do not state them.  [default: none]"),
]
Speed = Annotated[float, typer.Option(help="Speed at which a recording is played; 2: twice as fast as recorded.")]
Channel = Annotated[
    list[str] | None,
    typer.Option(help="Channel of the signal to use, by name or number; may be repeated.  [default: all EMG]"),
]
SourceId = Annotated[
    str, typer.Option(help="Source id of the stream, if several streams have the same name.  [default: any]")
]
Subject = Annotated[
    str, typer.Option(help="Person in --references, where it holds several.  [default: its only person]")
]
MergeGap = Annotated[
    float, typer.Option(help="A shorter rest is part of a repetition; an answer comes this long after its end.")
]
Recipe = Annotated[
    str,
    typer.Option(
        help="auto: chooses, on training people left out, between network, measures, both and amplitude, and answers "
        "all repetitions of a person together; plain: the network answers action quality, an SVM on its features "
        "answers gender; best: SVMs that join the network's features with amplitude and channel covariance."
    ),
]
Convolutions = Annotated[
    str,
    typer.Option(help="On a CPU: products (matrix products, faster) or torch. They differ by rounding only."),
]
Precision = Annotated[
    str,
    typer.Option(help="float32, or bfloat16: less exact, and faster on a processor or GPU that supports it."),
]
Pack = Annotated[
    Path | None,
    typer.Option(
        help="Folder for one file of all matrices, read batch by batch, for data larger than memory.  "
        "[default: keep them in memory]"
    ),
]
Backend = Annotated[str, typer.Option(help=f"Where the work runs: {', '.join(BACKENDS)}.")]
Scheduler = Annotated[
    str,
    typer.Option(help="Address of a Dask scheduler, for --backend dask.  [default: a cluster of this machine's cores]"),
]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with code 1 if any file could not be used.")]
Lang = Annotated[str, typer.Option(help="Language of pages and pictures: en or zh.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Cpu = Annotated[bool, typer.Option("--cpu", help="Use the CPU even if there is a GPU.")]


@dataclass(frozen=True)
class StatedTransform:
    """The transform settings that a user stated by flags. None: not stated."""

    band_hz: tuple[float, float] | None = None
    mains: str | None = None
    ecg: bool | None = None
    decomposition: str | None = None
    scaling: str | None = None
    channels: str | None = None
    seed: int | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in astuple(self))

    def config(self, base: PipelineConfig | None = None) -> PipelineConfig:
        """The stated settings; the others as in ``base``, or by default.

        A stated decomposition brings its own default scaling, whatever the scaling of ``base``.
        """
        settings: dict[str, Any] = {}
        if base is not None:
            settings = {
                "band_hz": base.spectrum.band_hz,
                "mains_hz": base.filter.mains_hz,
                "ecg": base.filter.ecg,
                "decomposition": base.spectrum.decomposition,
                "scaling": base.scaling if self.decomposition is None else None,
                "channels": base.channels,
                "seed": base.spectrum.seed,
            }
        stated = {name: value for name, value in vars(self).items() if value is not None}
        if "mains" in stated:
            stated["mains_hz"] = mains_hz_of(stated.pop("mains"))
        config = configure(**settings | stated)
        # A run of a version without densities keeps its matrices whatever else is stated.
        return config if base is None or config.density is None else replace(config, density=base.density)


def mains_hz_of(text: str) -> MainsHz:
    """The value of ``--mains``."""
    if text not in MAINS_HZ:
        raise InputError(f"--mains must be auto, 50, 60 or off; got {text!r}")
    return MAINS_HZ[text]
