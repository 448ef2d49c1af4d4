"""Answers in Python and in JSON: of one task, one repetition, one file, and all files.

It works on class names and probabilities. It does not know models or recordings.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, answer_sets
from semg_hht.inference.novelty import Reason
from semg_hht.recordings.manifest import TASKS
from semg_hht.system.dataframes import dataframe, html_table

MAX_SHOWN = 10  # files that the text of `Predictions` lists
DIGITS = 6  # of a probability in JSON; further digits are rounding errors of float32


@dataclass(frozen=True)
class Answer:
    """The answer of one task: the likeliest class, its probability, and the probabilities of all classes.

    probabilities : class -> probability, in output order.
    possible : the classes that the run can't exclude at its calibrated error rate; with more than one the answer is
        unsure. Empty where the run has no such calibration.

    Examples
    --------
    >>> import semg_hht as sh
    >>> prediction = sh.predict(sh.samples.recordings()["P30_supinated"], sh.samples.RUN)[0]
    >>> answer = prediction.answers["action_quality"]
    >>> answer.prediction, answer.is_unsure
    ('supinated', False)
    """

    prediction: str
    confidence: float
    probabilities: dict[str, float]
    possible: tuple[str, ...] = ()

    @property
    def is_unsure(self) -> bool:
        return len(self.possible) > 1

    @property
    def said(self) -> str:
        """Class and probability in a few words."""
        return f"{self.prediction} {self.confidence:.0%}{' unsure' * self.is_unsure}"

    def to_json(self) -> dict[str, Any]:
        return {
            "prediction": self.prediction,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
        } | ({"unsure": self.is_unsure, "possible": list(self.possible)} if self.possible else {})


@dataclass(frozen=True)
class Part:
    """The answer for one repetition of a recording, pooled over its channels.

    channels : channel -> its own answers, where there are several.
    unlike : why the repetition is unlike the training data; empty where it is not.

    Examples
    --------
    >>> import semg_hht as sh
    >>> prediction = sh.predict(sh.samples.recordings()["P30_supinated"], sh.samples.RUN)[0]
    >>> prediction.parts[0].start_s, prediction.parts[0].answers["action_quality"].prediction
    (1.69, 'supinated')
    """

    repetition: str
    start_s: float | None
    stop_s: float | None
    answers: dict[str, Answer]
    channels: dict[str, dict[str, Answer]] = field(default_factory=dict)
    unlike: tuple[Reason, ...] = ()

    def to_json(self) -> dict[str, Any]:
        where = {"repetition": self.repetition, "start_s": self.start_s, "stop_s": self.stop_s}
        content = {name: value for name, value in where.items() if value not in ("", None)} | answers_json(self.answers)
        if self.channels:
            content["channels"] = {channel: answers_json(own) for channel, own in self.channels.items()}
        return content | _unlike_json(self.unlike)


@dataclass(frozen=True, repr=False)
class Prediction:
    """The answers for one file, pooled over its repetitions and channels.

    parts : the answers for each repetition of a recording; empty for a matrix file.
    remarks : what a person should know about the recording, one short sentence each.
    unlike : why the file is unlike the training data: the reasons of its repetitions, where at least half have one.

    Examples
    --------
    >>> import semg_hht as sh
    >>> prediction = sh.predict(sh.samples.recordings()["P30_supinated"], sh.samples.RUN)[0]
    >>> prediction.file, len(prediction.parts)
    ('P30_supinated.mat', 11)
    """

    file: str
    answers: dict[str, Answer]
    parts: tuple[Part, ...] = ()
    remarks: tuple[str, ...] = ()
    unlike: tuple[Reason, ...] = ()

    def __repr__(self) -> str:
        of = f", {len(self.parts)} repetition{'s' * (len(self.parts) != 1)}" if self.parts else ""
        return f"<Prediction for {self.said}{of}>"

    @property
    def said(self) -> str:
        """The file and its answers in a line."""
        answers = ", ".join(answer.said for answer in self.answers.values())
        return f"{self.file}: {answers}{', unlike the training data' * bool(self.unlike)}"

    def to_json(self) -> dict[str, Any]:
        content = answers_json(self.answers)
        if self.parts:
            content["parts"] = [part.to_json() for part in self.parts]
        if self.remarks:
            content["remarks"] = list(self.remarks)
        return content | _unlike_json(self.unlike)


@dataclass(frozen=True, repr=False)
class Predictions:
    """The answers for each file, and file -> reason for those that could not be used.

    It has a length, can be iterated over and indexed by number or by file, and becomes a DataFrame by `to_dataframe`.

    Examples
    --------
    >>> import semg_hht as sh
    >>> predictions = sh.predict(sh.samples.MANIFEST, sh.samples.RUN)
    >>> len(predictions), predictions["P30_supinated.mat"].answers["action_quality"].prediction
    (6, 'supinated')
    >>> table = predictions.to_dataframe()
    """

    predictions: tuple[Prediction, ...]
    errors: dict[str, str]

    def __len__(self) -> int:
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __getitem__(self, which: int | str) -> Prediction:
        """A prediction by its number, or by its file.

        Raises
        ------
        InputError
            There is no prediction for the file.
        """
        if not isinstance(which, str):
            return self.predictions[which]
        for prediction in self.predictions:
            if prediction.file == which:
                return prediction
        reason = self.errors.get(which, f"expected one of {', '.join(one.file for one in self.predictions)}")
        raise InputError(f"{which}: has no prediction; {reason}")

    def __repr__(self) -> str:
        lines = [f"<Predictions for {len(self)} file{'s' * (len(self) != 1)}, {len(self.errors)} could not be used"]
        for one in self.predictions[: MAX_SHOWN + 1]:
            lines.append(f"  {one.said}")
        lines += [f"  {file}: {reason}" for file, reason in self.errors.items()]
        return "\n".join(lines[: MAX_SHOWN + 1] + ["  ..."] * (len(lines) > MAX_SHOWN + 1)) + ">"

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each repetition (for each matrix file one), and its answers.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        return dataframe(*self._columns_and_cells())

    def _repr_html_(self) -> str:
        columns, rows = self._columns_and_cells()
        rows = [*([file, *[None] * (len(columns) - 2), reason] for file, reason in self.errors.items()), *rows]
        return html_table(columns, rows, f"files predicted: {len(self)}; could not be used: {len(self.errors)}")

    def _columns_and_cells(self) -> tuple[list[str], list[list[Any]]]:
        """A row for each repetition, with columns for each task."""
        tasks = [task for task in TASKS if any(task in prediction.answers for prediction in self.predictions)]
        columns = ["file", "repetition", "start_s", "stop_s"]
        columns += [f"{task}{end}" for task in tasks for end in ("", "_confidence", "_unsure")]
        rows: list[list[Any]] = []
        for prediction in self.predictions:
            parts = prediction.parts or (Part("", None, None, prediction.answers, unlike=prediction.unlike),)
            for number, part in enumerate(parts, start=1):
                row: list[Any] = [prediction.file, part.repetition or str(number), part.start_s, part.stop_s]
                for answer in (part.answers.get(task) for task in tasks):
                    row += (
                        [None, None, None]
                        if answer is None
                        else [answer.prediction, answer.confidence, answer.is_unsure if answer.possible else None]
                    )
                rows.append([*row, "; ".join(map(str, part.unlike)), "; ".join(prediction.remarks)])
        return [*columns, "unlike", "remarks"], rows

    def to_json(self) -> dict[str, Any]:
        content: dict[str, Any] = {prediction.file: prediction.to_json() for prediction in self.predictions}
        if self.errors:
            content["errors"] = dict(self.errors)
        return content

    def to_csv(self) -> str:
        """A table with a line for each repetition (for each matrix file one), and for each file without an answer."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        columns, rows = self._columns_and_cells()
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_text(name, cell) for name, cell in zip(columns, row, strict=True)])
        for file, reason in self.errors.items():
            writer.writerow([file, *[""] * (len(columns) - 2), reason])
        return out.getvalue()


def _text(column: str, cell: Any) -> Any:
    """The cell of a CSV file."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.4f}" if column.endswith("_confidence") and cell is not None else cell


def _unlike_json(reasons: Sequence[Reason]) -> dict[str, Any]:
    return {"unlike": [str(reason) for reason in reasons]} if reasons else {}


def halved(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities (..., n_classes) halfway between the model's own and equal ones.

    The answer for a repetition that is unlike the training data: of two classes none has more than 75 %, of three none
    more than 67 %, whatever the model says.
    """
    return np.asarray((probabilities + 1 / probabilities.shape[-1]) / 2)


def reasons_of_file(of_repetitions: Sequence[tuple[Reason, ...]]) -> tuple[Reason, ...]:
    """The reasons of a file, one of each name, where at least half of its repetitions have any."""
    if 2 * sum(map(bool, of_repetitions)) < max(1, len(of_repetitions)):
        return ()
    by_name: dict[str, Reason] = {}
    for reason in (reason for reasons in of_repetitions for reason in reasons):
        by_name.setdefault(reason.name, reason)
    return tuple(by_name.values())


def answer(
    probabilities: NDArray[np.float64], classes: Sequence[str], threshold: float = 0.0, *, is_unlike: bool = False
) -> Answer:
    """The answer for probabilities (n_classes,) in the order of ``classes``.

    threshold : of `semg_hht.evaluation.calibration.answer_sets`; 0: the run does not report unsure answers.
    is_unlike : the example is unlike the training data, so that the run can't exclude any class.
    """
    possible: tuple[str, ...] = ()
    if threshold > 0 and is_unlike:
        possible = tuple(classes)
    elif threshold > 0:
        possible = tuple(np.array(classes)[answer_sets(probabilities[None], threshold)[0]].tolist())
    rounded = {name: round(float(p), DIGITS) for name, p in zip(classes, probabilities, strict=True)}
    best = classes[int(np.argmax(probabilities))]
    return Answer(best, rounded[best], rounded, possible)


def answers(
    probabilities: Mapping[str, NDArray[np.float64]],
    classes: Mapping[str, Sequence[str]],
    calibration: Mapping[str, Calibration],
    *,
    is_unlike: bool = False,
) -> dict[str, Answer]:
    """Task -> answer, from task -> probabilities (n_classes,)."""
    return {
        task: answer(row, classes[task], calibration.get(task, Calibration()).threshold, is_unlike=is_unlike)
        for task, row in probabilities.items()
    }


def answers_json(by_task: Mapping[str, Answer]) -> dict[str, Any]:
    """Task -> answer in the form of the prediction JSON, gender first."""
    return {task: by_task[task].to_json() for task in reversed(TASKS) if task in by_task}
