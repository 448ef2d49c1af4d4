"""`semg-hht live`: repetitions answered while the signal arrives."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import semg_hht as sh
from semg_hht import InputError, SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.system.files import in_command

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from semg_hht import Run
    from semg_hht.prediction.live import ChannelLevel, LiveRepetition, LiveSession
    from semg_hht.recordings.lsl_stream import StreamChoice
    from semg_hht.recordings.stream import SignalSource, StreamDescription
    from semg_hht.recordings.stream_recorder import SavedPart, StreamRecorder

BAR_WIDTH = 40
DRAWINGS_PER_S = 8


def live(
    stream: Annotated[str, typer.Option(help="Name of a stream of Lab Streaming Layer.  [default: none]")] = "",
    replay: Annotated[
        Path | None, typer.Option(help="A recording to play instead, as if it were recorded now.  [default: none]")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="The run or export that answers.  [default: the run that comes with semg-hht where the channels are "
            "those it knows; otherwise repetitions and RMS are shown without an answer]"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File (.npz) for the recording; no file is replaced.  [default: the name of the stream and the time; "
            "a replayed recording is not saved]"
        ),
    ] = None,
    speed: flags.Speed = 1.0,
    sound: Annotated[bool, typer.Option("--sound", help="Sound the terminal's bell at each repetition.")] = False,
    channel: flags.Channel = None,
    source_id: flags.SourceId = "",
    wait_s: Annotated[float, typer.Option(help="How long to look for the stream.")] = 10.0,
    duration_s: Annotated[
        float | None, typer.Option(help="Stop after so many seconds of the signal.  [default: at Ctrl+C]")
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(help="Manifest of maximal contractions, to show amplitudes in % of MVC too.  [default: none]"),
    ] = None,
    subject: flags.Subject = "",
    merge_gap_s: flags.MergeGap = SegmentConfig.merge_gap_s,
    min_duration_s: flags.MinDuration = SegmentConfig.min_duration_s,
    max_duration_s: flags.MaxDuration = SegmentConfig.max_duration_s,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    band: flags.Band = None,
    mains: flags.Mains = None,
    ecg: flags.Ecg = None,
    cpu: flags.Cpu = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a repetition.")] = False,
) -> None:
    """Answer repetitions while they are recorded, from a stream of Lab Streaming Layer. Ctrl+C ends and saves."""
    from semg_hht.prediction.live import LiveOptions, LiveSession
    from semg_hht.recordings.lsl_stream import StreamChoice
    from semg_hht.recordings.stream_recorder import StreamRecorder
    from semg_hht.verbs.predicting import with_config

    if bool(stream) == (replay is not None):
        raise InputError("expected either --stream NAME or --replay FILE")
    if duration_s is not None and not duration_s > 0:
        raise InputError(f"--duration_s must be above 0; got {duration_s:g}")
    if out is not None:
        StreamRecorder.require_free(out)  # before anybody waits for a stream
    if Path(stream).is_file():
        raise InputError(
            f"{stream}: is a file, and --stream takes the name of a stream; expected --replay {in_command(stream)}"
        )
    with _stopped_by_signal() as is_stopped:
        source = _source(StreamChoice(stream, source_id, rate_hz, units, wait_s), replay, speed)
        chosen = tuple(channel or ())
        run = _run_for(source.description, checkpoint, chosen, cpu=cpu)
        stated = flags.StatedTransform(band, mains, ecg)
        config = stated.config(None if run is None else run.recording_config)
        if run is not None and stated:
            run = with_config(run, config)
        segmentation = SegmentConfig(SegmentConfig.method, merge_gap_s, min_duration_s, max_duration_s)
        session = LiveSession(source.description, run, LiveOptions(config, segmentation, references, subject, chosen))
        _introduce(source.description, session.channel_names)
        recorder = _recorder(out, source.description, is_replay=replay is not None)
        screen = _Screen(session.units, sound=sound, as_json=as_json)
        most_s = float("inf") if duration_s is None else duration_s
        tally = _follow(source, session, recorder, screen, lambda: is_stopped() or session.lasted_s >= most_s)
    _conclude(tally, [] if recorder is None else recorder.saved, as_json=as_json)


def _follow(
    source: SignalSource,
    session: LiveSession,
    recorder: StreamRecorder | None,
    screen: _Screen,
    is_stopped: Callable[[], bool],
) -> _Tally:
    """Show and save what arrives, until the source ends or is stopped."""
    from semg_hht.prediction.live import follow

    tally = _Tally()
    with recorder or nullcontext(), screen.shown():
        for event in follow(source, session, recorder, is_stopped):
            if event is None:
                screen.draw(session.levels, session.lasted_s)
            else:
                screen.tell(event)
                tally.count(event)
    return tally


def _source(choice: StreamChoice, replay: Path | None, speed: float) -> SignalSource:
    if replay is None:
        from semg_hht.recordings.lsl_stream import LslStream

        console.err.print(f"looking for the stream {choice.name!r}")
        return LslStream(choice)
    from semg_hht.recordings.stream import ReplayedRecording

    return ReplayedRecording(sh.read_recording(replay, rate_hz=choice.rate_hz, units=choice.units), speed)


def _run_for(
    description: StreamDescription, checkpoint: Path | None, channels: tuple[str, ...], *, cpu: bool
) -> Run | None:
    """The run that the user named, else the shipped one if its channels are those of the stream."""
    from semg_hht.prediction.live import fits

    if checkpoint is not None:
        return sh.open_run(checkpoint, cpu=cpu)
    shipped = sh.open_run(sh.samples.RUN, cpu=cpu)
    if fits(shipped, description, channels):
        console.chosen_run(None)  # says what it is
        return shipped
    known = " or ".join(", ".join(order) for order in shipped.description.training.orders)  # type: ignore[union-attr]
    console.note(
        f"no --checkpoint is named, and the run that comes with semg-hht knows other channels ({known}): repetitions "
        "and RMS are shown without an answer"
    )
    return None


def _recorder(out: Path | None, description: StreamDescription, *, is_replay: bool) -> StreamRecorder | None:
    from semg_hht.recordings.stream_recorder import StreamRecorder, path_of

    if out is None and is_replay:
        return None
    return StreamRecorder(out or path_of(description), description)


def _introduce(description: StreamDescription, names: Sequence[str]) -> None:
    units = f", in {description.units}" if description.units else ", units not stated"
    listed = console.counted(len(names), "channel")
    console.note(f"{description.name}: {description.rate_hz:g} Hz, {listed} ({', '.join(names)}){units}")
    for remark in description.remarks:
        console.note(remark)


@contextmanager
def _stopped_by_signal() -> Iterator[Any]:
    """Yield a function that tells whether Ctrl+C or SIGTERM came, which end the signal and not the program."""
    stop = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()  # no other thread may handle signals
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Screen:
    """Prints repetitions and notices as they come, and below them, on a terminal, a bar for each channel."""

    units: str
    sound: bool
    as_json: bool
    bars: Live | None = None
    highest: float = 0.0
    n_drawn: int = 0

    @contextmanager
    def shown(self) -> Iterator[_Screen]:
        from rich.live import Live

        if not console.out.is_terminal or self.as_json:
            yield self
            return
        with Live(console=console.out, auto_refresh=False, transient=True) as self.bars:
            yield self

    def draw(self, levels: Sequence[ChannelLevel], lasted_s: float) -> None:
        if self.bars is None or int(lasted_s * DRAWINGS_PER_S) == self.n_drawn:
            return
        self.n_drawn = int(lasted_s * DRAWINGS_PER_S)
        self.highest = max(self.highest, *(level.rms for level in levels))
        self.bars.update(self._table(levels, lasted_s), refresh=True)

    def _table(self, levels: Sequence[ChannelLevel], lasted_s: float) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 1), title=f"{lasted_s:.0f} s   Ctrl+C ends", title_justify="left")
        for column in ("channel", "", "RMS", ""):
            table.add_column(column, justify="right" if column == "RMS" else "left", no_wrap=True)
        for level in levels:
            whole = self.highest if level.percent_mvc is None else 100 * level.rms / max(level.percent_mvc, 1e-9)
            n = min(BAR_WIDTH, round(BAR_WIDTH * level.rms / max(whole, 1e-30)))
            mvc = "" if level.percent_mvc is None else f"{level.percent_mvc:.0f} % MVC"
            bar = Text("█" * n + "·" * (BAR_WIDTH - n), "green")
            table.add_row(Text(level.name), bar, Text(f"{level.rms:.3g} {self.units}".strip()), mvc)
        return table

    def tell(self, event: Any) -> None:
        from semg_hht.recordings.stream import Notice

        if isinstance(event, Notice):
            console.note(event.text, is_warning=True)
            return
        if self.as_json:
            console.print_line_of_json(event.to_json())
        else:
            console.out.print(_line(event, self.units))
        if self.sound:
            console.err.bell()


def _line(repetition: LiveRepetition, units: str) -> str:
    """A repetition in one line, as `predict` prints it; without an answer its amplitudes."""
    from semg_hht.cli.commands.predict import answers_text, unlike_text

    times = f"{repetition.start_s:7.2f} to {repetition.stop_s:.2f} s"
    where = f"part {repetition.stretch}, " if repetition.stretch > 1 else ""
    levels = ", ".join(
        f"{level.name} {level.rms:.3g} {units}".strip()
        + ("" if level.percent_mvc is None else f" ({level.percent_mvc:.0f} % MVC)")
        for level in repetition.levels
    )
    told = answers_text(repetition.answers) + unlike_text(repetition.unlike) if repetition.part is not None else levels
    return f"{repetition.number:>4} {where}{times}  {repetition.problem or told}"


class _Tally:
    """Counts repetitions and answers."""

    def __init__(self) -> None:
        self.n = self.n_unsure = 0
        self.answers: dict[str, Counter[str]] = {}

    def count(self, event: Any) -> None:
        answers = getattr(event, "answers", None)
        if answers is None:
            return
        self.n += 1
        self.n_unsure += any(answer.is_unsure for answer in answers.values())
        for task, answer in answers.items():
            self.answers.setdefault(task, Counter())[answer.prediction] += 1

    def __str__(self) -> str:
        text = console.counted(self.n, "repetition")
        for counts in self.answers.values():
            text += f"; {', '.join(f'{n} {name}' for name, n in counts.most_common())}"
        return text + (f"; {self.n_unsure} unsure" if self.n_unsure else "")


def _conclude(tally: _Tally, saved: Sequence[SavedPart], *, as_json: bool) -> None:
    to = console.err if as_json else console.out
    to.print(str(tally))
    for part in saved:
        to.print(f"  recording   {part.path} ({part.duration_s:.1f} s)")
    if saved:
        first = saved[0].path
        to.print(
            f"  next        semg-hht predict --input {in_command(first)}, which answers all its repetitions together",
        )
