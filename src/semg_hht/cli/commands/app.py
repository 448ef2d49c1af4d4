"""`semg-hht app`: the web page."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import semg_hht as sh
from semg_hht import InputError, SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.errors import missing_library
from semg_hht.system.memory import give_back_freed_memory
from semg_hht.system.progress import TrainingProgress

if TYPE_CHECKING:
    from semg_hht import Run
    from semg_hht.prediction.live import LiveOptions
    from semg_hht.recordings.lsl_stream import StreamChoice
    from semg_hht.web.shared_run import Desk
    from semg_hht.web.visitors import Visitors
    from semg_hht.web.watched_stream import WatchedStream

DEMO_RUN = Path("demo") / "run"


def app(
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="The run or export that predicts.  [default: demo/run; if there is none, the page offers the run that "
            "comes with semg-hht, and trains a practice run on simulated people]"
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to serve at; 0.0.0.0 serves the whole network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to serve at.")] = 7860,
    public_url: Annotated[
        str | None,
        typer.Option(help="Address that users open if a proxy serves the page, such as https://emg.example.org/semg."),
    ] = None,
    max_upload_mb: Annotated[int, typer.Option(help="Largest file that may be uploaded, in MB.")] = 100,
    sessions: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which the sessions of visitors are kept, recordings included; everybody who can open the "
            "page can open them.  [default: none, nothing is kept]"
        ),
    ] = None,
    live: Annotated[
        str,
        typer.Option(
            help="Name of a stream of Lab Streaming Layer, or a recording to play as if it were recorded now: the page "
            "gets a Live view. The flags from --out to --units are about it, as in `semg-hht live`.  [default: none]"
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which recordings of --live are saved.  [default: that of --sessions, else the current one; "
            "a recording that is played is not saved]"
        ),
    ] = None,
    speed: flags.Speed = 1.0,
    channel: flags.Channel = None,
    source_id: flags.SourceId = "",
    subject: flags.Subject = "",
    merge_gap_s: flags.MergeGap = SegmentConfig.merge_gap_s,
    min_duration_s: flags.MinDuration = SegmentConfig.min_duration_s,
    max_duration_s: flags.MaxDuration = SegmentConfig.max_duration_s,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    references: flags.References = None,
    band: flags.RunBand = None,
    mains: flags.RunMains = None,
    ecg: flags.RunEcg = None,
    decomposition: flags.RunDecomposition = None,
    scaling: flags.RunScaling = None,
    channels: flags.RunChannels = None,
    seed: flags.RunSeed = None,
    cpu: flags.Cpu = False,
) -> None:
    """Serve a web page for users who write no code. Upload a recording, check its repetitions, read the predictions."""
    from semg_hht.recordings.lsl_stream import StreamChoice
    from semg_hht.web.address import PageAddress
    from semg_hht.web.visitors import Visitors

    address = PageAddress(host, port, public_url)
    if max_upload_mb < 1:
        raise InputError(f"max_upload_mb must be at least 1; got {max_upload_mb}")
    stated = flags.StatedTransform(band, mains, ecg, decomposition, scaling, channels, seed)
    try:
        from semg_hht.web.page_server import serve
    except ImportError as error:
        raise missing_library("the web page", error, "app") from None
    give_back_freed_memory()  # before threads start: the page may run for weeks
    _end_on_signals()
    with Visitors() as visitors:
        desk = _desk(checkpoint, stated, references, cpu, visitors.folder / "practice", is_live=bool(live))
        segmentation = SegmentConfig(SegmentConfig.method, merge_gap_s, min_duration_s, max_duration_s)
        choice = StreamChoice(live, source_id, rate_hz, units)
        chosen = _LiveChoice(choice, speed, segmentation, subject, tuple(channel or ()), out, sessions)
        stream = _stream(chosen, desk, visitors) if live else None
        serve(
            desk, visitors, address, max_upload_mb=max_upload_mb, sessions=sessions, stream=stream,
            announce=lambda url: console.out.print(f"Now open:  {url}   (Ctrl+C stops the server)"),
        )  # fmt: skip


def _end_on_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as where a shell starts the page in the background
            signal.signal(number, _end)


def _end(*_: object) -> None:
    """Exit in a way that removes temporary files and ends trainings; a second signal does not interrupt that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


@dataclass(frozen=True)
class _LiveChoice:
    """What the flags say of the Live view."""

    stream: StreamChoice
    speed: float
    segmentation: SegmentConfig
    subject: str
    channels: tuple[str, ...]
    out: Path | None
    sessions: Path | None


def _stream(choice: _LiveChoice, desk: Desk, visitors: Visitors) -> WatchedStream:
    """The stream of the page, or the recording that is played if a file has this name."""
    from semg_hht import PipelineConfig
    from semg_hht.recordings.lsl_stream import LslStream
    from semg_hht.recordings.stream import ReplayedRecording
    from semg_hht.web.watched_stream import LiveSource, WatchedStream

    def options() -> LiveOptions:
        from semg_hht.prediction.live import LiveOptions

        config = desk.config or PipelineConfig()
        return LiveOptions(config, choice.segmentation, desk.references, choice.subject, choice.channels)

    stated, path, folder = choice.stream, Path(choice.stream.name), choice.out
    if path.is_file():
        recording = sh.read_recording(path, rate_hz=stated.rate_hz, units=stated.units)
        played = ReplayedRecording(replace(recording, source=path.stem), choice.speed)  # without the owner's folders
        source = LiveSource(path.stem, lambda: played, options, folder)
    elif path.is_dir() or is_file_name(stated.name):
        found = "is a folder" if path.is_dir() else "no such file"
        raise InputError(
            f"{path}: {found}; expected a recording to play, or the name of a stream of Lab Streaming Layer"
        )
    elif find_spec("pylsl") is None:
        raise missing_library("a stream", ImportError(name="pylsl"), "live")
    else:
        source = LiveSource(stated.name, lambda: LslStream(stated), options, folder or choice.sessions or Path())
    console.note(f"Live plays the recording {path}" if path.is_file() else f"Live waits for the stream {stated.name!r}")
    return WatchedStream(source, desk, visitors.folder / "live")


def is_file_name(name: str) -> bool:
    """Whether somebody who names a stream so means a file: it is in a folder, or ends as recordings do."""
    from semg_hht.recordings.formats.readers import NOT_READ, READERS

    return "/" in name or "\\" in name or Path(name).suffix.lower() in {*READERS, *NOT_READ}


def _desk(
    checkpoint: Path | None, stated: flags.StatedTransform, references: Path | None, cpu: bool, practice: Path,
    *, is_live: bool = False,
) -> Desk:  # fmt: skip
    """The run in ``checkpoint``, else of the demo; beside it the shipped run, and one trained in ``practice``.

    is_live : whether there is a Live view, which shows amplitudes relative to ``references`` whatever run answers.
    """
    from semg_hht.web.shared_run import Desk, ShippedFacts, tracked

    def opened(folder: Path) -> Run:
        from semg_hht.verbs.predicting import require_references

        run = sh.open_run(folder, cpu=cpu)
        if stated:
            run = replace(run, recording_config=stated.config(run.recording_config))
        is_relative = run.recording_config is not None and run.recording_config.scaling == "mvc"
        if run.recording_config is not None and references is not None and (is_relative or not is_live):
            require_references(run.recording_config, references)
        return run

    def make_run(tell: Callable[[float, str], None]) -> Run:
        shares: Iterator[float] = iter(())

        def on_start(_: int, n_steps: int) -> None:
            nonlocal shares
            shares = (0.3 + 0.7 * step / n_steps for step in range(1, n_steps + 1))

        def on_step() -> None:
            tell(next(shares, 1.0), "training")

        shutil.rmtree(practice, ignore_errors=True)  # left by an attempt that failed
        try:
            from semg_hht.demo import practice_run

            progress = TrainingProgress(on_start, on_step)
            return opened(practice_run(practice, track=tracked(tell, 0.0, 0.3), progress=progress))
        except ImportError as error:
            raise missing_library("a practice run", error, "train") from None

    from_demo = checkpoint is None and (DEMO_RUN / "metrics.json").is_file()
    folder = DEMO_RUN if from_demo else checkpoint
    about = sh.samples.about_run()
    score = about.alone  # visitors drop recordings without saying whose they are
    trains = find_spec("torch") is not None and find_spec("lightning_fabric") is not None
    return Desk(
        None if folder is None else opened(folder),
        "" if folder is None else folder.resolve().name,
        is_practice=from_demo,
        references=references,
        config=stated.config() if stated else None,
        make_practice=make_run if trains else None,
        open_shipped=lambda: opened(sh.samples.RUN),
        open_trained=opened if trains else None,
        shipped=ShippedFacts(len(about.trained_on), score.balanced_accuracy, score.low, score.high, score.n_people),
        sample=next(iter(sh.samples.recordings().values())),
    )
