"""`explain`: the evidence for a prediction, in Hz and seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.given_inputs import Data
from semg_hht.errors import InputError
from semg_hht.explanation.explain import Question
from semg_hht.explanation.explain import explain as explain_inputs
from semg_hht.explanation.explanation import Explanation
from semg_hht.prediction.inputs import Choice
from semg_hht.recordings.jobs import Failure
from semg_hht.reports.explanation_text import evidence_json, evidence_said, evidence_title, write_evidence
from semg_hht.reports.words import read_words
from semg_hht.system.arguments import checked
from semg_hht.system.files import require_new_file, require_suffix
from semg_hht.verbs.predicting import Checkpoint, opened

N_SHOWN = 2  # sentences of each explanation in its representation: what is for the answer, and against it


@checked
@dataclass(frozen=True)
class ExplainOptions:
    """What is explained, and how.

    task : ``action_quality`` or ``gender``; empty: all tasks of the run.
    method : ``integrated_gradients`` or ``grad_cam``; empty: the first.
    file : the name of the file in a folder or table; empty: the only one. repetition : its number, from 1.
    language : of the sentences, ``en`` or ``zh``. cpu : don't use a GPU. overwrite : replace an existing picture.

    Examples
    --------
    >>> import semg_hht as sh
    >>> second = sh.ExplainOptions(repetition=2)
    >>> file = sh.samples.recordings()["P30_supinated"]
    >>> sh.explain(file, sh.samples.RUN, options=second).explanations[0].repetition.number
    2
    """

    task: str = ""
    method: str = ""
    file: str = ""
    repetition: int = 1
    language: str = "en"
    cpu: bool = False
    overwrite: bool = False


@dataclass(frozen=True, repr=False)
class Evidence:
    """The explanations of one repetition, one for each task; it can be iterated over, and printed as sentences.

    picture : the PNG; None if none was written.
    """

    explanations: tuple[Explanation, ...]
    language: str
    picture: Path | None

    def __len__(self) -> int:
        return len(self.explanations)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.explanations)

    def __repr__(self) -> str:
        lines = [line for title, sentences in self.said() for line in (title, *sentences[:N_SHOWN])]
        return "<Evidence: " + "\n  ".join(lines) + ">"

    def __str__(self) -> str:
        return "\n\n".join("\n  ".join([title, *sentences]) for title, sentences in self.said())

    def said(self) -> list[tuple[str, list[str]]]:
        """The title and the sentences of each explanation."""
        words = read_words(self.language)
        return [(evidence_title(one, words), evidence_said(one, words)) for one in self.explanations]

    def to_json(self) -> dict[str, Any]:
        """File, repetition, and for each task its answer and evidence."""
        words, first = read_words(self.language), self.explanations[0].repetition
        content = {one.task: {**one.answer.to_json(), "evidence": evidence_json(one, words)} for one in self}
        return {"file": first.file, "repetition": first.number, **content}


@checked
def explain(
    data: Data,
    checkpoint: Checkpoint | None = None,
    out: str | Path | None = None,
    *,
    rate_hz: float | None = None,
    units: str = "",
    inputs: InputOptions = InputOptions(),
    options: ExplainOptions = ExplainOptions(),
) -> Evidence:
    """Find the evidence for a prediction: which bands, times and IMFs, or which measures, are for it or against it.

    Parameters
    ----------
    data, checkpoint, inputs : as for `predict`; one repetition of one file is explained.
    out : PNG to write; None: none is drawn.
    rate_hz, units : of recordings that do not state them.

    Raises
    ------
    InputError
        ``out`` exists or is no .png, several files where ``options`` choose none, no such repetition, or an export
        whose network is part of an answer.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 20)
    >>> evidence = sh.explain(recording, sh.samples.RUN)
    >>> sentences = str(evidence)
    >>> evidence.explanations[0].task
    'action_quality'
    """
    picture = None if out is None else Path(out)
    if picture is not None:
        require_suffix(picture, ".png")
        require_new_file(picture, overwrite=options.overwrite)
    words = read_words(options.language)
    run = opened(checkpoint, cpu=options.cpu)
    where = data if isinstance(data, (str, Path)) else "recordings"
    explanations: list[Explanation] = []
    question, choice = Question(options.task, options.method), Choice(options.file, options.repetition)
    for result in explain_inputs(run, data, inputs.stating(rate_hz, units), question=question, choice=choice):
        if isinstance(result, Failure):
            raise InputError(result.reason)
        if explanations and result.repetition.file != explanations[0].repetition.file:
            raise InputError(f"{where}: holds several files; choose one with file=..., or explain each by itself")
        explanations.append(result)
    if not explanations:
        raise InputError(f"{where}: does not hold the file {options.file!r}; expected a name as predict lists it")
    if picture is not None:
        write_evidence(explanations, picture, words)
    return Evidence(tuple(explanations), options.language, picture)
