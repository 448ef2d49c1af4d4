"""One visit of the web page: the files of a visitor, what is known about each, and what runs in the background.

It holds and changes data. It does not read signals, answer, or know browsers and other visitors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.web.repetition_table import Problem, Refused, times_of

if TYPE_CHECKING:  # a page without files needs none of them
    from semg_hht.datasets.feature_table import Drift
    from semg_hht.inference.answers import Prediction
    from semg_hht.prediction.inputs import LoadedInput
    from semg_hht.prediction.run import Run
    from semg_hht.web.shared_run import RunInfo

MAX_FILES = 60


@dataclass(frozen=True)
class About:
    """What a visitor states about one file; the rate and the units only where the file does not state them."""

    person: str = ""
    date: str = ""
    muscle: str = ""
    side: str = ""
    note: str = ""
    rate_hz: float | None = None
    units: str = ""


@dataclass(frozen=True)
class Channel:
    """A channel as it is drawn: filtered EMG, or a sensor as it was recorded."""

    name: str
    units: str
    is_sensor: bool


@dataclass(frozen=True)
class ReadRecording:
    """What reading a recording found.

    shared : the values that all rows of the manifest have in common.
    samples : the file of the drawn channels, (n_channels, n_samples) float32.
    units, rate_hz : of the samples.
    """

    shared: ManifestRow
    samples: Path
    rate_hz: float
    duration_s: float
    channels: tuple[Channel, ...]
    strongest: int
    units: str
    remarks: tuple[str, ...]

    @property
    def emg(self) -> list[int]:
        """Numbers of the channels that are EMG."""
        return [i for i, channel in enumerate(self.channels) if not channel.is_sensor]


@dataclass(frozen=True)
class MeasuredFile:
    """Measures of each repetition and EMG channel, and how they change over the repetitions.

    rms, percent_mvc, mdf_hz : (n_repetitions, n_channels) as nested tuples; percent_mvc is empty without a maximum.
    bands : of each of the ``drifts``, its line at each repetition: value and 95 % interval, (n_repetitions, 3).
    """

    names: tuple[str, ...]
    rms: tuple[tuple[float, ...], ...]
    mdf_hz: tuple[tuple[float, ...], ...]
    percent_mvc: tuple[tuple[float, ...], ...] = ()
    drifts: tuple[Drift, ...] = ()
    bands: tuple[tuple[tuple[float, float, float], ...], ...] = ()


@dataclass(frozen=True)
class WhyText:
    """The reasons for one answer: a sentence and details in each language, and a picture as a data URL or nothing."""

    task: str
    sentences: dict[str, str]
    details: dict[str, list[str]]
    picture: str = ""


@dataclass(frozen=True)
class VisitFile:
    """A file of a visit: a recording, a matrix (neither ``recorded`` nor ``problem``), or a file that can't be used.

    number : stays as long as the file does. path : where it is stored, under a name that no other file has.
    rows : the repetitions of a recording. why : explanations by repetition; None: the run can't give any.
    answered_rows : the repetitions that ``prediction`` is about; the visitor may have changed them since.
    answered_by : the run that gave ``prediction``. is_restored : it comes from a saved session.
    measures_read : what a run that answers from measures alone has read, from which it explains its answers.
    kept : the name of the kept session that it belongs to.
    """

    number: int
    path: Path
    about: About = About()
    recorded: ReadRecording | None = None
    problem: Problem | None = None
    needs_rate: bool = False
    rows: tuple[ManifestRow, ...] = ()
    measured: MeasuredFile | None = None
    prediction: Prediction | None = None
    answered_rows: tuple[ManifestRow, ...] = ()
    answered_by: RunInfo | None = None
    is_restored: bool = False
    warnings: tuple[str, ...] = ()
    why: dict[int, tuple[WhyText, ...] | None] = field(default_factory=dict)
    measures_read: LoadedInput | None = None
    kept: str = ""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_matrix(self) -> bool:
        return self.recorded is None and self.problem is None

    @property
    def is_answered(self) -> bool:
        """Whether the answers are about exactly the repetitions that are here now."""
        return self.prediction is not None and self.has_times_of(self.answered_rows)

    def has_times_of(self, rows: tuple[ManifestRow, ...]) -> bool:
        """Whether the repetitions have the times of these, whatever their labels."""
        return list(map(times_of, self.rows)) == list(map(times_of, rows))

    @property
    def row(self) -> ManifestRow:
        """The values that all repetitions have in common, with those that the visitor states."""
        shared = ManifestRow(self.name) if self.recorded is None else self.recorded.shared
        muscle = " ".join(filter(None, [self.about.side, self.about.muscle]))
        return replace(shared, subject=self.about.person, session=self.about.date, muscle=muscle)

    def manifest_rows(self) -> list[ManifestRow]:
        """The repetitions as a manifest states them; a recording without any is one repetition."""
        common = self.row
        return [
            replace(row, subject=common.subject, session=common.session, muscle=common.muscle) for row in self.rows
        ] or [common]

    def without_answers(self) -> VisitFile:
        return replace(self, prediction=None, answered_by=None, is_restored=False, warnings=(), why={},
                       measures_read=None)  # fmt: skip


@dataclass(frozen=True)
class Maximum:
    """A person's maximal contraction: an interval of a file of the visit, or all of it."""

    file: int
    start_s: float
    stop_s: float
    is_whole: bool = False


@dataclass(frozen=True)
class KeptSession:
    """What a visit knows of a kept session. stamp : of its file; description : what stood in it when it was opened."""

    stamp: tuple[int, ...]
    description: str


@dataclass(frozen=True)
class SessionConflict:
    """A kept session that somebody else changed meanwhile, and the copy that has what this visit has of it."""

    name: str
    copy: str


@dataclass
class BackgroundJob:
    """Work in the background of a visit, which the page shows.

    kind : ``answer``, ``why``, ``train``, ``practice``; empty: nothing ran yet. share : done, from 0 to 1.
    stage : key of a text, and its values. remaining_s : once a stage that tells it has been measured; else None.
    is_abandoned : nobody needs what it has done: its visit is removed.
    """

    kind: str = ""
    stage: Problem = Problem("app_stage_wait")
    share: float = 0.0
    remaining_s: float | None = None
    done: bool = True
    error: Problem | None = None
    is_abandoned: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)

    def abandon(self) -> None:
        self.is_abandoned = True
        self.stopping.set()


class Stopped(Exception):
    """The visitor stopped the work."""


@dataclass
class Visit:
    """Everything that a visitor has here.

    stated : the repetitions that tables of the visitor state, by the name of the recording.
    maxima : maximal contractions by person; of a file whose person is not stated, by its number.
    run : which run answers: ``own``, ``shipped``, ``practice``, ``trained``; empty: none.
    gender : whether the visitor asked for recorded gender.
    n_opening : sessions that are being opened; until they are whole, the visit is not kept.
    changed : counts the changes; ``saved`` is its value when the sessions were kept.
    kept : kept sessions by name, as this visit knows them. conflicts : those that somebody else changed meanwhile.
    not_kept : why the sessions could not be kept at the last try.
    """

    folder: Path
    language: str = "en"
    files: dict[int, VisitFile] = field(default_factory=dict)
    stated: dict[str, tuple[ManifestRow, ...]] = field(default_factory=dict)
    maxima: dict[str, Maximum] = field(default_factory=dict)
    run: str = ""
    trained: Run | None = None
    score: Problem | None = None
    gender: bool = False
    problems: tuple[Problem, ...] = ()
    changed: int = 0
    saved: int = 0
    n_files: int = 0
    n_readings: int = 0
    n_opening: int = 0
    kept: dict[str, KeptSession] = field(default_factory=dict)
    conflicts: tuple[SessionConflict, ...] = ()
    not_kept: Problem | None = None
    job: BackgroundJob = field(default_factory=BackgroundJob)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        for folder in (self.recordings, self.drawn):
            folder.mkdir(exist_ok=True)

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings"

    @property
    def n_bytes(self) -> int:
        """Bytes of the stored files."""
        return sum(path.stat().st_size for path in self.recordings.iterdir())

    @property
    def drawn(self) -> Path:
        return self.folder / "drawn"

    def file(self, number: Any) -> VisitFile:
        """The file of this number.

        Raises
        ------
        Refused
            There is none.
        """
        if not isinstance(number, int) or number not in self.files:
            raise Refused("app_no_such_file")
        return self.files[number]

    def recording(self, number: Any) -> tuple[VisitFile, ReadRecording]:
        """A file that is a recording; as `file`."""
        file = self.file(number)
        if file.recorded is None:
            raise Refused("app_no_such_file")
        return file, file.recorded

    def put(self, file: VisitFile) -> None:
        self.files[file.number] = file
        self.touch()

    def touch(self) -> None:
        self.changed += 1

    def change_each(self, change: Callable[[VisitFile], VisitFile], files: Iterable[VisitFile] | None = None) -> None:
        for file in list(self.files.values() if files is None else files):
            self.put(change(file))

    def next_path(self, name: str) -> Path:
        """Where a new file of this name is stored: another file of the visit may have it."""
        path, n = self.recordings / name, 1
        while path.exists():
            n += 1
            path = self.recordings / f"{Path(name).stem} ({n}){Path(name).suffix}"
        return path

    def next_drawn(self, number: int) -> Path:
        """Where the channels of a reading are written: another request may still draw those of the reading before."""
        self.n_readings += 1
        return self.drawn / f"{number}-{self.n_readings}.npy"

    def person_key(self, file: VisitFile) -> str:
        return file.about.person or f"\N{NULL}{file.number}"

    def maximum(self, file: VisitFile) -> Maximum | None:
        return self.maxima.get(self.person_key(file))

    def remove(self, number: Any) -> None:
        file = self.file(number)
        del self.files[file.number]
        file.path.unlink(missing_ok=True)
        if file.recorded is not None:
            file.recorded.samples.unlink(missing_ok=True)
        self.drop_maxima(file.number)
        self.touch()

    def drop_maxima(self, number: int) -> None:
        """Forget the maximal contractions in a file, and the shares of them."""
        gone = {key for key, maximum in self.maxima.items() if maximum.file == number}
        self.maxima = {key: maximum for key, maximum in self.maxima.items() if key not in gone}
        for other in [other for other in self.files.values() if self.person_key(other) in gone]:
            if other.measured is not None:
                self.put(replace(other, measured=replace(other.measured, percent_mvc=())))

    def usable(self) -> list[VisitFile]:
        return [file for file in self.files.values() if file.problem is None]

    def table(self) -> str:
        """All repetitions in the form that `prepare` and `train` read; empty: there is no recording."""
        rows = [row for file in self.usable() if file.recorded is not None for row in file.manifest_rows()]
        return manifest_text(rows) if rows else ""
