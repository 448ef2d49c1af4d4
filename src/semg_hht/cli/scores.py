"""Print scores: those of a run on held-out people, and those of an evaluation beside its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from semg_hht.cli.console import counted, out

if TYPE_CHECKING:
    from semg_hht.verbs.training import Report


def show_reports(reports: dict[str, Report], split_by: str) -> None:
    """Print the scores on held-out people (or repetitions), one table per task."""
    from rich.table import Table

    for task, report in reports.items():
        # A split by repetition may have trained on other repetitions of the same people.
        of_people = f" of {counted(len(report.per_subject), 'subject')}" if split_by == "subject" else ""
        out.print(f"\n{task.replace('_', ' ')}", end="", style="bold")
        out.print(f", {counted(report.n, 'repetition')}{of_people} not trained on")
        out.print(f"  balanced accuracy {_with_interval(report, 'balanced_accuracy')}")
        out.print(f"  accuracy          {_with_interval(report, 'accuracy')}")
        table = Table(box=None, padding=(0, 2))
        for column in ("class", "precision", "recall", "F1", "n"):
            table.add_column(column, justify="left" if column == "class" else "right")
        for name, scores in report.per_class.items():
            numbers = (f"{scores[key]:.2f}" for key in ("precision", "recall", "f1"))
            table.add_row(name, *numbers, str(int(scores["support"])))
        out.print(table)


def show_findings(protocol: str, content: dict[str, Any]) -> None:
    """Print the scores of an evaluation: the network and its baselines, one table per task."""
    from rich.table import Table

    n_people = len(content["data"]["subjects"])
    for task, scored in content["tasks"].items():
        out.print(f"\n{task.replace('_', ' ')}", end="", style="bold")
        out.print(f", protocol {protocol}, {counted(n_people, 'subject')}")
        table = Table(box=None, padding=(0, 1))
        for column in ("method", "balanced accuracy", "95 % over people", "macro F1", "AUROC", "ECE"):
            table.add_column(column, justify="left" if column == "method" else "right", no_wrap=column == "method")
        for method, scores in {"network": scored["network"], **scored["baselines"]}.items():
            low_high, rare = scores["balanced_accuracy_interval_95"], scores["too_few_people_of"]
            area = scores["auroc"]
            table.add_row(
                method, f"{scores['balanced_accuracy']:.2f}",
                _too_few(rare) if low_high is None else f"{low_high[0]:.2f} to {low_high[1]:.2f}",
                f"{scores['macro_f1']:.2f}", "-" if area is None else f"{area:.2f}", f"{scores['ece']:.2f}",
            )  # fmt: skip
        out.print(table)
        for method, duel in scored["duel"].items():
            if duel["decides"]:
                out.print(f"  the network {_comparison(method, duel)}", style="yellow")
        unsure, n = scored["unsure"], scored["network"]["n"]
        if unsure is not None:
            out.print(
                f"  prediction sets contain the true class in {_share(unsure['coverage'], n)}, "
                f"promised {unsure['promise']:.0%}; {_share(unsure['share_unsure'], n)} are unsure"
            )


def _comparison(method: str, duel: dict[str, Any]) -> str:
    """How the network compares with a baseline that it is not better than."""
    interval = duel["interval_95"]
    verdict, uncertainty = "is not shown to be better than", "too few people for an interval"
    if interval is not None:
        uncertainty = f"95 % interval {interval[0]:+.2f} to {interval[1]:+.2f}"
        if interval[1] <= 0:
            verdict = "is clearly worse than" if interval[1] < 0 else "is no better than"
    return f"{verdict} {method}: difference {duel['network_is_better_by']:+.2f}, {uncertainty}"


def _share(value: float, n: int) -> str:
    return f"{value:.0%} ({round(value * n)} of {n})"


def _too_few(classes: Sequence[str]) -> str:
    return f"too few people of {', '.join(classes)}" if classes else "too few people"


def _with_interval(report: Report, score: str) -> str:
    value, interval = getattr(report, score), getattr(report, f"{score}_interval")
    counts = f" ({round(value * report.n)} of {report.n})" if score == "accuracy" else ""
    if interval is None:
        return f"{value:.2f}{counts}  ({_too_few(report.too_few_people_of)} for an interval)"
    return f"{value:.2f}{counts}  (95 % interval over people {interval.low:.2f} to {interval.high:.2f})"
