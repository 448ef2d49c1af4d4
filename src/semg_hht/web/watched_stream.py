"""The stream that the owner of the page named: one thread reads, answers and saves it, and all visits may watch it.

It does not know HTTP and languages.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from semg_hht.errors import InputError
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.shared_run import SHIPPED, Desk, RunInfo
from semg_hht.web.uploads import require_space, without_folder
from semg_hht.web.visit import Visit

if TYPE_CHECKING:  # a page is readable before these are imported
    from semg_hht.prediction.live import ChannelLevel, LiveOptions, LiveRepetition, LiveSession
    from semg_hht.prediction.run import Run
    from semg_hht.recordings.stream import SignalSource, StreamDescription
    from semg_hht.recordings.stream_recorder import SavedPart

log = logging.getLogger(__name__)

OFF, LOOKING, ON, SAVING = "off", "looking", "on", "saving"
SPACE_S = 5.0  # of the signal, between looks at the space on the disk
SAMPLE_BYTES = 8


@dataclass(frozen=True)
class LiveSource:
    """A stream, or a recording that is played, as the owner of the page named it.

    open_source : finds and opens it. options : makes its options, when they are needed: they import much.
    folder : where recordings are saved; None: for as long as the page runs.
    """

    name: str
    open_source: Callable[[], SignalSource]
    options: Callable[[], LiveOptions]
    folder: Path | None = None


@dataclass
class LiveRecording:
    """One recording from its start to its stop. Its thread writes it, and visits read it.

    starter : the folder of the visit that started it. run : what answers. levels : of now.
    notices, warnings : what to know about the stream, and about the answers.
    """

    starter: Path | None = None
    stage: str = OFF
    session: LiveSession | None = None
    run: RunInfo = RunInfo()
    levels: tuple[ChannelLevel, ...] = ()
    repetitions: list[LiveRepetition] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    saved: list[SavedPart] = field(default_factory=list)
    problem: Problem | None = None
    stopping: threading.Event = field(default_factory=threading.Event)


class WatchedStream:
    """Starts and stops recordings, one at a time. ``watching`` : for each visit that watches, by its folder, a token.

    folder : where recordings are saved that the owner does not keep.
    """

    def __init__(self, source: LiveSource, desk: Desk, folder: Path) -> None:
        self.source, self.desk, self.now = source, desk, LiveRecording()
        self.watching: dict[Path, object] = {}
        self._folder = source.folder or folder
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, visit: Visit, run: Run | None) -> None:
        """Start a recording that ``run`` answers; None: the run of the package where it knows the channels.

        Raises
        ------
        Refused
            A recording is under way.
        """
        with self._lock:
            if self.now.stage != OFF or self.desk.closing.is_set():
                raise Refused("app_live_on")
            if self.source.folder is None:
                shutil.rmtree(self._folder, ignore_errors=True)  # of the recording before
            now = self.now = LiveRecording(visit.folder, LOOKING)
            self._thread = threading.Thread(target=self._run, args=(now, visit, run), name="semg-hht live", daemon=True)
            self._thread.start()

    def may_stop(self, visit: Visit) -> bool:
        """Whether the visit started the recording, or the one that did watches it no longer."""
        return self.now.starter == visit.folder or self.now.starter not in self.watching

    def stop(self, visit: Visit) -> None:
        """End the recording, which is saved then. Raises `Refused` where another visit may stop it alone."""
        if not self.may_stop(visit):
            raise Refused("app_live_of_another")
        self.now.stopping.set()

    def close(self) -> None:
        """End and save the recording that is under way."""
        with self._lock:
            self.now.stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, now: LiveRecording, visit: Visit, run: Run | None) -> None:
        from semg_hht.web.answering import warnings_of_this_thread

        try:
            with warnings_of_this_thread() as now.warnings:
                self._record(now, visit, run)
        except Refused as refused:
            now.problem = refused.problem
        except InputError as error:
            now.problem = Problem("app_says", {"said": self._without_folders(str(error), run)})
        except OSError as error:
            now.problem = Problem("app_says", {"said": error.strerror or type(error).__name__})
        except Exception:
            log.exception("the recording of a stream failed")
            now.problem = Problem("app_failed")
        finally:
            now.stage = OFF

    def _record(self, now: LiveRecording, visit: Visit, run: Run | None) -> None:
        from semg_hht.prediction.live import LiveSession, follow
        from semg_hht.recordings.stream import Notice
        from semg_hht.recordings.stream_recorder import StreamRecorder, path_of

        source, options = self.source.open_source(), self.source.options()
        description = source.description
        if now.stopping.is_set():
            return
        run = self._chosen(visit, run, description, options)
        now.run = self.desk.info(visit.run, visit.trained) if run is not None else RunInfo()
        now.notices += description.remarks
        now.session = session = LiveSession(description, run, options)
        recorder = StreamRecorder(path_of(description, self._folder), description)
        now.saved = recorder.saved
        self._folder.mkdir(parents=True, exist_ok=True)
        now.stage = ON
        with recorder:
            for event in follow(source, session, recorder, self._watch_space(now, session, description)):
                if event is None:
                    now.levels = session.levels
                elif isinstance(event, Notice):
                    now.notices.append(event.text)
                else:
                    now.repetitions.append(event)
            now.stage = SAVING

    def _without_folders(self, text: str, run: Run | None) -> str:
        """An error without folders of the owner, which visitors must not see."""
        text = without_folder(text, self._folder)
        return text if run is None else without_folder(text, run.folder.parent)

    def _watch_space(
        self, now: LiveRecording, session: LiveSession, description: StreamDescription
    ) -> Callable[[], bool]:
        """A function that tells whether the recording is to end; it raises `Refused` where the disk is nearly full."""
        bytes_per_s = SAMPLE_BYTES * description.rate_hz * len(description.channel_names)
        looked_s = 0.0

        def is_stopped() -> bool:
            nonlocal looked_s
            if session.lasted_s - looked_s > SPACE_S:
                looked_s = session.lasted_s
                require_space(self._folder, round(bytes_per_s * looked_s))  # the file that is made at the end
            return now.stopping.is_set()

        return is_stopped

    def _chosen(
        self, visit: Visit, run: Run | None, description: StreamDescription, options: LiveOptions
    ) -> Run | None:
        """The run of the visit; where it has none, that of the package if its channels are those of the stream."""
        from semg_hht.prediction.live import fits

        if run is not None or self.desk.open_shipped is None:
            return run
        shipped = self.desk.take_shipped()
        if not fits(shipped, description, options.channels):
            return None
        with visit.lock:
            visit.run = SHIPPED
            visit.touch()
        return shipped
