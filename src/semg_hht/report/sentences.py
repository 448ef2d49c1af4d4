"""What was found, in plain language: the verdict, and a paragraph for a methods section.

Knows the JSON of findings: nothing of pages. What a sentence claims is decided here, how it is worded in the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semg_hht.report.evaluations import SPLIT, Evaluation
from semg_hht.report.words import Words
from semg_hht.signals.filters import BAND_PASS_ORDER

ALONE = " alone"  # how a baseline of one number is called


def percent(value: float) -> str:
    return f"{value:.0%}"


def measured(evaluation: Evaluation, words: Words) -> str:
    """What was measured, on whom, and how."""
    main = evaluation.protocols[evaluation.protocol]
    data = main["data"]
    n = max(found["network"]["n"] for found in main["tasks"].values())
    n_people = max(len(found["network"]["per_subject"]) for found in main["tasks"].values())
    name = "measured" if evaluation.people_are_new else "measured_same_people"
    of = words("of_muscles", muscles=words.listed(data["muscles"])) if data.get("muscles") else ""
    return words(
        name, repetitions=words.counted("repetitions", n), people=words.counted("people", n_people), muscles=of
    )  # fmt: skip


def verdict(evaluation: Evaluation, task: str, words: Words) -> list[str]:
    """A few sentences: how well, whether one number does as well, what flatters, and what is unsure."""
    found = evaluation.protocols[evaluation.protocol]["tasks"][task]
    scores = found["network"]
    shown = [name for name, row in scores["per_class"].items() if row["support"] > 0]
    chance = 1 / max(1, len(shown))
    interval = scores["balanced_accuracy_interval_95"]
    values = {"score": percent(scores["balanced_accuracy"]), "chance": percent(chance)}
    if len(shown) < 2:
        said = [words("one_class_shown", score=values["score"], name=words.listed(shown))]
    elif interval is None:
        said = [words("score_without_interval", **values)]
    else:
        said = [words("score", low=percent(interval[0]), high=percent(interval[1]), **values)]
        if interval[0] <= chance:
            said.append(words("no_better_than_guessing"))
    said += _against_baselines(found.get("duel") or {}, words)
    gap = evaluation.optimism.get(task)
    if gap is not None:
        values = {key: percent(gap[key]) for key in ("random", "new_people")}
        flatters = gap["random"] > gap["new_people"] and values["random"] != values["new_people"]
        name = "optimism" if flatters else "no_optimism"
        said.append(words(name, **values))
    if "unsure" in found:
        said.append(_unsure(found["unsure"], words))
    return said


def _against_baselines(duel: Mapping[str, Any], words: Words) -> list[str]:
    """Who does as well as the network; one number alone is the stronger warning."""
    as_good = [name for name, result in duel.items() if result["decides"]]
    alone = [name for name in as_good if name.endswith(ALONE)]
    if alone:
        return [words("one_number_decides", methods=words.listed(words.known("methods", name) for name in alone))]
    if as_good:
        return [words("baseline_decides", methods=words.listed(words.known("methods", name) for name in as_good))]
    return [words("beats_baselines")] if duel else []


def _unsure(unsure: Mapping[str, Any] | None, words: Words) -> str:
    if unsure is None:
        return words("nothing_promised")
    values = {name: percent(unsure[name]) for name in ("promise", "coverage", "share_unsure")}
    said = [words("unsure", **values)]
    if unsure["accuracy_where_sure"] is not None:
        said.append(words("where_sure", accuracy=percent(unsure["accuracy_where_sure"])))
    return words.joined(said)


def methods(evaluation: Evaluation, words: Words) -> str:
    """A paragraph for a methods section, of what is known."""
    main = evaluation.protocols[evaluation.protocol]
    said = [_subjects(main, words), *_preparation(main["data"].get("preparation"), words), _network(main, words)]
    if "gender" in main["tasks"]:
        said.append(words("methods_gender"))
    said.append(_validation(evaluation, main, words))
    said.append(words("methods_scores"))
    versions = main["versions"]
    listed = words.listed(f"{name} {version}" for name, version in versions.items() if name != "semg-hht")
    said.append(words("methods_versions", version=versions.get("semg-hht", "?"), listed=listed))
    return words.joined(said)


def _validation(evaluation: Evaluation, main: Mapping[str, Any], words: Words) -> str:
    if evaluation.protocol != SPLIT:
        return words(f"methods_{evaluation.protocol}", folds=words.counted("folds", main["n_folds"]))
    if not evaluation.people_are_new:
        return words("methods_split_repetitions")
    return words("methods_split", **main["data"]["n_per_side"])


def _subjects(main: Mapping[str, Any], words: Words) -> str:
    data = main["data"]
    gap = words("gap")
    muscles = words.listed(data["muscles"]) if data.get("muscles") else gap
    rates = words.listed(f"{rate:g}" for rate in data["rates_hz"]) if data.get("rates_hz") else gap
    genders = {name or words("not_recorded"): n for name, n in data.get("n_per_gender", {}).items()}
    counted = words.listed(f"{name}: {n}" for name, n in sorted(genders.items())) or gap
    people = words.counted("people", len(data["subjects"]))
    return words("methods_subjects", muscles=muscles, people=people, genders=counted, rates=rates)


def _preparation(preparation: Mapping[str, Any] | None, words: Words) -> list[str]:
    if preparation is None:
        return [words("methods_foreign")]
    filters, spectrum = preparation["filter"], preparation["spectrum"]
    mains = filters["mains_hz"]
    notch = {"auto": "mains_auto", None: "mains_off"}.get(mains, "mains_fixed")
    low, high = (f"{edge:g}" for edge in filters["band_hz"])
    said = [words("methods_filter", low=low, high=high, order=BAND_PASS_ORDER)]
    said.append(words(notch) if notch != "mains_fixed" else words(notch, mains=f"{mains:g}"))
    if filters["ecg"]:
        said.append(words("methods_ecg"))
    low, high = (f"{edge:g}" for edge in spectrum["band_hz"])
    name = words.known("decompositions", spectrum["decomposition"])
    scaling = words.known("scalings", preparation["scaling"])
    said.append(words("methods_transform", decomposition=name, low=low, high=high, scaling=scaling))
    return said


def _network(main: Mapping[str, Any], words: Words) -> str:
    training = main["training"]
    return words(
        "methods_network", layers=main["network"]["n_layers"], channels=main["network"]["base_channels"],
        epochs=training["epochs"], batch=training["batch_size"], rate=f"{training['learning_rate']:g}",
        seed=training["seed"],
    )  # fmt: skip
