"""How much better answers get with more of a person: a repetition, a recording, all recordings, five labelled ones.

    python benchmarks/examples.py --data FOLDER [--out FOLDER] [--rows ...]

Each person is held out in turn. The recipe ``auto`` chooses among the measures (no network is trained) on the other
people, and answers the person's repetitions alone; with those of the same recording; with all; and alone with five
labelled repetitions of the person, which are drawn with equal numbers of each class and not scored.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from experiment import (
    ARMBAND_GENDER,
    EFFORT_LOG,
    EXERCISE,
    FORCE,
    TECHNIQUE,
    Experiment,
    folder_or_temporary,
    parser_of,
)
from numpy.typing import NDArray

from semg_hht.evaluation.metrics import evaluate
from semg_hht.inference.discriminant import Committee, Together
from semg_hht.learning.auto import LabelledExamples, choose
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.discriminant_training import RepetitionRows

EXPERIMENTS = (TECHNIQUE, FORCE, EXERCISE, EFFORT_LOG, ARMBAND_GENDER)
N_EXAMPLES = 5
KINDS = ("alone", "with the recording", "with all recordings", f"with {N_EXAMPLES} examples")
Array = NDArray[np.float64]


def of_people(dataset: Dataset, chosen: NDArray[np.bool_], task: str) -> LabelledExamples:
    people = dataset.subset(np.flatnonzero(chosen))
    nothing = np.zeros((len(people), 0), dtype=np.float32)
    return LabelledExamples(people, nothing, (), task, dataset.classes()[task])


def examples_of(labels: NDArray[np.intp], rng: np.random.Generator) -> list[int]:
    """Numbers of repetitions that a person would label: of each class in turn."""
    by_class = [list(rng.permutation(np.flatnonzero(labels == c))) for c in np.unique(labels)]
    drawn: list[int] = []
    while len(drawn) < N_EXAMPLES and any(by_class):
        drawn += [int(own.pop()) for own in by_class if own]
    return drawn[:N_EXAMPLES]


def answers_of(
    committee: Committee, rows: RepetitionRows, rng: np.random.Generator
) -> tuple[dict[str, Array], list[int]]:
    """Kind -> probabilities (n, n_classes) of one person, and the numbers of the repetitions that were labelled."""
    n = len(rows.labels)
    alone = [str(i) for i in range(n)]
    unknown = np.full(n, -1)
    answers = {
        KINDS[0]: committee.probabilities(rows.table, Together(alone, alone, unknown)),
        KINDS[1]: committee.probabilities(rows.table, Together(list(rows.recordings), list(rows.recordings), unknown)),
        KINDS[2]: committee.probabilities(rows.table, rows.together),
        KINDS[3]: np.zeros((n, rows.n_classes)),
    }
    examples = examples_of(rows.labels, rng)
    for i in range(n):
        chosen = [*examples, i]
        known = np.append(rows.labels[examples], -1)
        together = Together(["one"] * len(chosen), [alone[j] for j in chosen], known)
        answers[KINDS[3]][i] = committee.probabilities(rows.table[chosen], together)[-1]
    return answers, examples


def show(experiment: Experiment, dataset: Dataset, seed: int) -> None:
    task = experiment.task
    dataset = dataset.subset(np.flatnonzero([bool(label) for label in dataset.labels(task)]))
    who, rng = np.array(dataset.subjects), np.random.default_rng(seed)
    kinds: dict[str, list[Array]] = {kind: [] for kind in KINDS}
    labels: list[int] = []
    people: list[str] = []
    scored: list[NDArray[np.bool_]] = []
    for person in sorted(set(who)):
        choice = choose(of_people(dataset, who != person, task))
        assert choice is not None
        rows, _ = (own := of_people(dataset, who == person, task)).rows(tuple(choice[0].widths), own.features)
        answers, examples = answers_of(choice[0].committee, rows, rng)
        for kind in KINDS:
            kinds[kind].append(answers[kind])
        labels += rows.labels.tolist()
        people += [person] * len(rows.labels)
        scored.append(~np.isin(np.arange(len(rows.labels)), examples))
    classes = dataset.classes()[task]
    for kind in KINDS:
        kept = np.flatnonzero(np.concatenate(scored) if kind == KINDS[3] else np.ones(len(labels), dtype=bool))
        report = evaluate(
            [classes[labels[i]] for i in kept], np.concatenate(kinds[kind])[kept], classes, [people[i] for i in kept]
        )
        interval = report.balanced_accuracy_interval
        between = f"{interval.low:.2f} to {interval.high:.2f}" if interval else "too few people"
        n_right = sum(share > 0.5 for share in report.per_subject.values())
        line = f"{report.balanced_accuracy:.3f} ({between}), {n_right} of {len(report.per_subject)} people above half"
        print(f"{experiment.name:24} {kind:22} {line}", flush=True)


def main() -> None:
    parser = parser_of(__doc__, EXPERIMENTS)
    options = parser.parse_args()
    with folder_or_temporary(options.out) as out:
        for experiment in EXPERIMENTS:
            if experiment.name in options.rows:
                folder = out / experiment.name.replace(", ", "_").replace(" ", "_")
                separate = replace(experiment, settings={**experiment.settings, "channels": "separate"})
                dataset = separate.prepared(separate.jobs(options.data, folder), folder / "prepared")
                show(separate, dataset, options.seed)


if __name__ == "__main__":
    main()
