"""`report`: an HTML page about an evaluation, a run or one recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from semg_hht.datasets.find_inputs import InputOptions, is_manifest
from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.errors import InputError
from semg_hht.inference.answers import Prediction, Predictions
from semg_hht.prediction.inputs import Choice, LoadedInput
from semg_hht.prediction.run import Run, collect_predictions
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.manifest import TASKS
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.arguments import checked
from semg_hht.system.files import require_new_file, require_suffix
from semg_hht.verbs.predicting import Checkpoint, InFolder, opened
from semg_hht.verbs.work import Work

Answered = tuple[LoadedInput, Prediction] | Failure

PAGES = (".html", ".htm")
MAX_ON_CARD = 6  # explained repetitions: one printed page, and half a second of computing each


@checked
@dataclass(frozen=True)
class ReportOptions:
    """What a page shows.

    language : ``en`` or ``zh``.
    data_dir : of an evaluation or a run, the folder of the matrices, if it was moved.
    explain, gender : of a recording, also show the evidence for the first answers, and recorded gender.
    cpu : don't use a GPU. overwrite : replace an existing page.

    Examples
    --------
    >>> import semg_hht as sh
    >>> chinese = sh.ReportOptions(language="zh", overwrite=True)
    """

    language: str = "en"
    data_dir: Path | None = None
    explain: bool = False
    gender: bool = False
    cpu: bool = False
    overwrite: bool = False


@checked
def report(
    source: Data | InFolder,
    out: str | Path,
    *,
    checkpoint: Checkpoint | None = None,
    rate_hz: float | None = None,
    units: str = "",
    inputs: InputOptions = InputOptions(segmentation=SegmentConfig()),
    options: ReportOptions = ReportOptions(),
) -> Path:
    """Write a page on an evaluation, a run or one recording: scores, errors and limits, or the answers and their trend.

    Parameters
    ----------
    source : the folder of an evaluation or a run, or the result of `evaluate` or `train`; or one recording as for
        `predict`, which gets a card.
    out : the page, one HTML file that needs no other files.
    checkpoint : the run that answers for a recording, as for `predict`.
    rate_hz, units : of a recording that does not state them.
    inputs : more on recordings; repetitions are found by default.

    Returns
    -------
    The path of the page.

    Raises
    ------
    InputError
        ``out`` exists or is no .html, there is nothing to report, or the recording can't be used.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 20)
    >>> sh.report(recording, "card.html", checkpoint=sh.samples.RUN).name
    'card.html'
    """
    page = Path(out)
    folder = _folder_of(source)
    if folder is not None:
        return report_findings(folder, page, options)
    return report_recording(source, page, checkpoint, inputs.stating(rate_hz, units), options)  # type: ignore[arg-type]


def _folder_of(source: Data | InFolder) -> Path | None:
    """The folder of an evaluation or a run; None where the source is a recording."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        is_data = (path / "manifest.csv").is_file() or is_manifest(path)
        return path if (path.is_dir() or path.suffix.lower() == ".json") and not is_data else None
    folder = getattr(source, "folder", None)
    return folder if isinstance(folder, Path) else None


def report_findings(folder: Path, page: Path, options: ReportOptions) -> Path:
    """`report` for an evaluation or a run."""
    require_suffix(page, *PAGES)
    if options.gender:
        raise InputError("gender=True needs source=RECORDING: a report holds the tasks that were evaluated")
    if options.explain:
        raise InputError("explain=True needs source=RECORDING: an evaluation holds no recording to explain")
    from semg_hht.reports.evaluation_page import write_page

    return write_page(folder, page, language=options.language, data_dir=options.data_dir, overwrite=options.overwrite)


def report_recording(
    recording: Data, page: Path, checkpoint: Checkpoint | None, inputs: InputOptions, options: ReportOptions
) -> Path:
    """`report` for one recording."""
    from semg_hht.explanation.explain import Question, explain_loaded, model_of
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.prediction.session import open_session
    from semg_hht.reports.card import without_gender, write_card
    from semg_hht.reports.words import read_words

    require_suffix(page, *PAGES)
    require_new_file(page, overwrite=options.overwrite)
    read_words(options.language)
    run = opened(checkpoint, cpu=options.cpu)
    if options.explain:
        model_of(run)
    session, loaded = open_session(run, recording, inputs)
    if not options.gender:
        session = without_gender(session)
    evidence: list[Explanation] = []
    if options.explain:
        task = next(task for task in TASKS if task in session.answers)
        evidence = list(islice(explain_loaded(run, model_of(run), loaded, Question(task)), MAX_ON_CARD))
    write_card(
        session, page, evidence=evidence, language=options.language, gender=options.gender, overwrite=options.overwrite
    )
    return page


def write_cards(
    run: Run, recordings: Data, folder: Path, *, overwrite: bool = False, work: Work = Work()
) -> tuple[Predictions, tuple[Path, ...]]:
    """Answer recordings together, and write a card on each; returns the predictions and the pages."""
    from semg_hht.prediction.session import session_of
    from semg_hht.reports.card import write_card

    cards: list[Path] = []

    def with_card(answered: Iterable[Answered]) -> Iterator[Answered]:
        for item in answered:
            if not isinstance(item, Failure):
                loaded, prediction = item
                assert loaded.source is not None
                cards.append(folder / f"{Path(loaded.file).stem}.html")
                write_card(session_of(loaded.source, prediction, is_percent=False), cards[-1], overwrite=overwrite)
            yield item

    loaded = run.loader.load(recordings, choice=Choice(keep_recordings=True), n_jobs=work.n_jobs)
    answered = work.track(run.answers(loaded), len(jobs_of(recordings)), "recordings")
    return collect_predictions(with_card(answered)), tuple(cards)
