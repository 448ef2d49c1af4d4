"""Accuracy on held-out people: the rows of the README's table, each prepared and evaluated in one command.

    python benchmarks/accuracy.py --data FOLDER [--out FOLDER] [--recipe NAME ...] [--peers] [--quick] [--rows ...]

FOLDER holds the folders that experiment.py names, each with its manifest.csv. Every person is held out once, in groups.
All methods answer for the same people after training on all others: the network by each recipe, the baselines of
`semg-hht evaluate`, and with ``--peers`` MultiRocketHydra and EEGNet on the raw channels (peers.py says what to
install). Intervals are 95 % over people. ``--quick``: a smaller network, fewer epochs, folds and kernels; at most 20
minutes on two idle cores. Started again with the same --out, it continues.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from experiment import (
    ARMBAND_GENDER,
    EFFORT_LOG,
    EFFORT_MVC,
    EFFORT_SUBJECT,
    EXERCISE,
    FORCE,
    FORCE_SUBJECT,
    TECHNIQUE,
    Experiment,
    folder_or_temporary,
    parser_of,
)
from peers import PEERS, Effort, PeerData, peer_answers, raw_channels, require_peers

from semg_hht.evaluation.comparison import HeldOutAnswers, compare
from semg_hht.evaluation.intervals import Interval
from semg_hht.inference.svm_inputs import RECIPES
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import make_folds
from semg_hht.learning.train import NetworkSize

PLAIN = "plain"  # the recipe that is the network alone
NOT_QUICK = ("best",)  # recipes that --quick leaves out unless they are named: each trains its network anew


@dataclass(frozen=True)
class Goal:
    """A row of the table.

    accuracy : the balanced accuracy to reach. simple : that of the best simple method when the goal was set.
    quick_epochs : the number of epochs with ``--quick``, fewer where there are more matrices.
    """

    experiment: Experiment
    accuracy: float
    simple: str
    quick_epochs: int


def stacked(experiment: Experiment) -> Experiment:
    """The same with all channels of a repetition in one matrix, for a network that compares them."""
    return replace(experiment, settings={**experiment.settings, "channels": "stack"})


GOALS = (
    Goal(stacked(TECHNIQUE), 0.85, "0.74", 8),
    Goal(FORCE, 0.88, "0.76", 8),
    Goal(FORCE_SUBJECT, 0.97, "0.955", 8),
    Goal(stacked(EXERCISE), 0.92, "0.80", 10),
    Goal(stacked(EFFORT_MVC), 0.98, "0.98", 6),
    Goal(stacked(EFFORT_SUBJECT), 0.98, "0.97", 6),
    Goal(stacked(EFFORT_LOG), 0.68, "0.62", 6),
    Goal(stacked(ARMBAND_GENDER), 0.92, "0.87-0.89", 6),
)


@dataclass(frozen=True)
class Methods:
    """What answers: the network by each recipe, and the peers unless None."""

    recipes: list[str]
    training: TrainingConfig
    size: NetworkSize
    n_folds: int
    n_jobs: int
    peers: Effort | None

    def answers(self, experiment: Experiment, data: Path, out: Path) -> dict[str, HeldOutAnswers]:
        """Method -> its answers: recipes first, then the baselines and the peers, all for the same folds."""
        jobs = experiment.jobs(data, out)
        dataset = experiment.prepared(jobs, out / "prepared")
        options = FoldOptions(protocol="grouped", n_folds=self.n_folds, task=experiment.task)
        ours, others = {}, {}
        for recipe in self.recipes:
            config = replace(self.training, recipe=recipe)
            network, *baselines = cross_validate(
                dataset, out / f"evaluation_{recipe}", config, self.size, options, n_jobs=self.n_jobs
            )
            ours[recipe] = network
            others = {answers.method: answers for answers in baselines}
        if self.peers is not None:
            validation_size, seed = self.training.validation_size, self.training.seed
            folds = make_folds(dataset, "grouped", self.n_folds, validation_size, seed)
            peer_data = PeerData(dataset, *raw_channels(jobs, experiment.config), experiment.task)
            others |= {name: peer_answers(name, peer_data, folds, out / "peers", self.peers) for name in PEERS}
        return ours | others


def between(interval: Interval | None, sign: str = "") -> str:
    return "too few people" if interval is None else f"{interval.low:{sign}.2f} to {interval.high:{sign}.2f}"


def cell(answers: HeldOutAnswers) -> str:
    """Balanced accuracy, its interval, and for gender the number of people whose repetitions are right by vote."""
    report = answers.report()
    votes = ""
    if answers.task == "gender":
        n_right = sum(share > 0.5 for share in report.per_subject.values())
        votes = f", {n_right} of {len(report.per_subject)} people by vote"
    return f"{report.balanced_accuracy:.3f} ({between(report.balanced_accuracy_interval)}){votes}"


def verdict(answers: dict[str, HeldOutAnswers], recipe: str) -> str:
    """The recipe compared with the best method that is not ours: ahead, behind, or equal within the interval."""
    others = [method for method in answers if method not in RECIPES]
    best = max(others, key=lambda method: answers[method].report().balanced_accuracy)
    difference = compare(answers[recipe], answers[best])
    interval = difference.interval
    if interval is None:
        word = "undecided"
    elif interval.low > 0:
        word = "ahead"
    else:
        word = "behind" if interval.high < 0 else "equal"
    return f"{word}: {difference.value:+.3f} ({between(interval, '+')}) to {best}"


def show(goal: Goal, answers: dict[str, HeldOutAnswers]) -> None:
    """The scores of one task, each method on a line, and how each recipe compares with the best other method."""
    first = next(iter(answers.values()))
    print(
        f"\n{goal.experiment.name}: {len(first.labels)} repetitions of {len(set(first.subjects))} people; "
        f"goal {goal.accuracy:.2f}, best simple method {goal.simple}"
    )
    for method, of_method in answers.items():
        print(f"  {method:20} {cell(of_method)}")
    for recipe in (method for method in answers if method in RECIPES):
        print(f"  {recipe:20} {verdict(answers, recipe)}", flush=True)


def show_table(rows: list[tuple[Goal, dict[str, HeldOutAnswers]]]) -> None:
    """All tasks in one Markdown table."""
    methods = list(dict.fromkeys(method for _, answers in rows for method in answers))
    names = ["the network alone" if method == PLAIN else method for method in methods]
    print(f"\n| {' | '.join(['task', 'goal', 'best simple method', *names])} |")
    print("|---" * (3 + len(names)) + "|")
    for goal, answers in rows:
        cells = (cell(answers[method]) if method in answers else "" for method in methods)
        print(f"| {' | '.join([goal.experiment.name, f'{goal.accuracy:.2f}', goal.simple, *cells])} |")


def main() -> None:
    parser = parser_of(__doc__, [goal.experiment for goal in GOALS])
    parser.set_defaults(epochs=15)
    parser.add_argument("--recipe", nargs="+", choices=list(RECIPES), metavar="NAME", help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--layers", type=int, default=NetworkSize.n_layers)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=-1, help="folds at the same time; -1: one per core")
    parser.add_argument("--peers", action="store_true", help="also MultiRocketHydra and EEGNet on the raw channels")
    parser.add_argument("--peer_kernels", type=int, help="default: those of the authors; with --quick 84")
    parser.add_argument("--peer_epochs", type=int, help="default: 30; with --quick 1")
    options = parser.parse_args()
    effort = Effort(seed=options.seed)
    if options.quick:
        options.base_channels, options.folds = 4, 3
        effort = replace(effort, kernels=84, epochs=1)
    effort = replace(
        effort, kernels=options.peer_kernels or effort.kernels, epochs=options.peer_epochs or effort.epochs
    )
    if options.peers:
        require_peers()
    recipes = options.recipe or [recipe for recipe in RECIPES if not (options.quick and recipe in NOT_QUICK)]
    methods = Methods(
        recipes,
        TrainingConfig(epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed),
        NetworkSize(options.layers, options.base_channels),
        options.folds,
        options.jobs,
        effort if options.peers else None,
    )
    rows = []
    with folder_or_temporary(options.out) as out:
        for goal in (goal for goal in GOALS if goal.experiment.name in options.rows):
            if options.quick:
                methods = replace(methods, training=replace(methods.training, epochs=goal.quick_epochs))
            rows.append((goal, methods.answers(goal.experiment, options.data, out / goal.experiment.folder_name)))
            show(*rows[-1])
    show_table(rows)


if __name__ == "__main__":
    main()
