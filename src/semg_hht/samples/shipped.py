"""Where the shipped recordings and the shipped run are, and what is known about the run.

It knows files and their description. It does not read recordings or answer. `tools/build_samples.py` writes the files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

_FOLDER = Path(str(files("semg_hht.samples")))
RECORDINGS = _FOLDER / "elbow_flexors"  # recordings of three men, README.md with source and licence
MANIFEST = RECORDINGS / "manifest.csv"
RUN = _FOLDER / "technique_run"  # an export: `semg-hht predict --checkpoint`, `open_run`
METRICS = "metrics.json"
ALONE, TOGETHER = "each_recording_alone", "recordings_of_a_person_together"  # scores in it
MUCH = 0.01  # a smaller gain is not worth a sentence


@dataclass(frozen=True)
class Score:
    """Of a cross-validation in which every person is held out once.

    balanced_accuracy, low, high : of a repetition, and the 95 % interval over people.
    n_recordings_right : recordings whose repetitions together are answered right.

    Examples
    --------
    >>> import semg_hht as sh
    >>> score = sh.samples.about_run().alone
    >>> score.low < score.balanced_accuracy < score.high
    True
    """

    n_people: int
    n_repetitions: int
    balanced_accuracy: float
    low: float
    high: float
    n_recordings: int
    n_recordings_right: int

    def __str__(self) -> str:
        return f"{self.balanced_accuracy:.0%} ({self.low:.0%} to {self.high:.0%}, {self.n_people} men)"


@dataclass(frozen=True)
class SampleRun:
    """What a person should know about the shipped run before using it.

    trained_on, held_out : codes of the people it was trained on, and of those whose recordings are shipped; none is in
        both.
    alone, together : how right the same training is on new people, where each recording is answered alone, and where
        both recordings of a person are answered together.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.samples.about_run().held_out
    ('P04', 'P06', 'P30')
    """

    trained_on: tuple[str, ...]
    held_out: tuple[str, ...]
    recipe: str
    alone: Score
    together: Score

    @property
    def description(self) -> str:
        """What it answers, on whom it was trained, how right it is, and what it can't answer."""
        with_both = f"; with both recordings of a man together, {self.together}"
        gains = self.together.balanced_accuracy - self.alone.balanced_accuracy >= MUCH
        return (
            "This is the run that comes with semg-hht: grip technique of elbow flexion, neutral or supinated, from the "
            f"EMG of biceps and brachioradialis. It was trained on {len(self.trained_on)} men. Of the repetitions of "
            f"men it was not trained on, it answers {self.alone} right{with_both if gains else ''}. "
            "It can't tell full, half and invalid apart, and knows no other muscle or exercise."
        )


def recordings() -> dict[str, Path]:
    """Name of each shipped recording (person and grip) -> its file, which `read_recording` and `predict` take.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sorted(sh.samples.recordings())[:2]
    ['P04_neutral', 'P04_supinated']
    """
    return {path.stem: path for path in sorted(RECORDINGS.glob("*.mat"))}


def about_run() -> SampleRun:
    """What `tools/build_samples.py` measured when it trained the shipped run.

    Examples
    --------
    >>> import semg_hht as sh
    >>> len(sh.samples.about_run().trained_on)
    17
    """
    content: dict[str, Any] = json.loads((RUN / METRICS).read_text(encoding="utf-8"))
    alone, together = (Score(**content[name]) for name in (ALONE, TOGETHER))
    recipe = content["settings"]["recipe"]
    return SampleRun(tuple(content["trained_on"]), tuple(content["held_out"]), recipe, alone, together)
