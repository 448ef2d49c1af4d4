"""What was found, in plain language: the verdict, and a paragraph for a methods section.

Knows the JSON of findings: nothing of pages. What a sentence claims is decided here, how it is worded in the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semg_hht.report.evaluations import SPLIT, Evaluation
from semg_hht.report.template import signed
from semg_hht.report.words import Words
from semg_hht.signals.filters import BAND_PASS_ORDER


def percent(value: float) -> str:
    return f"{value:.0%}"


def share(value: float, n: int, words: Words) -> str:
    """A share with its counts: ``83% (15 of 18)``."""
    return words("share", share=percent(value), counts=words("n_of", hits=round(value * n), n=n))


def too_few(scores: Mapping[str, Any], words: Words) -> str:
    """Why there is no interval; the classes are named that too few people show."""
    rare = scores.get("too_few_people_of")
    return words("too_few_of", classes=words.listed(rare)) if rare else words("too_few")


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
    """A few sentences: how well, what it is shown to beat, what flatters, and what is unsure."""
    found = evaluation.protocols[evaluation.protocol]["tasks"][task]
    scores = found["network"]
    shown = [name for name, row in scores["per_class"].items() if row["support"] > 0]
    chance = 1 / max(1, len(shown))
    interval = scores["balanced_accuracy_interval_95"]
    right = words("n_of", hits=round(scores["accuracy"] * scores["n"]), n=scores["n"])
    values = {"score": percent(scores["balanced_accuracy"]), "right": right, "chance": percent(chance)}
    if len(shown) < 2:
        said = [words("one_class_shown", score=values["score"], right=right, name=words.listed(shown))]
    elif interval is None:
        said = [words("score_without_interval", too_few=too_few(scores, words), **values)]
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
        said.append(_unsure(found["unsure"], scores["n"], words))
    return said


def _against_baselines(duel: Mapping[str, Any], words: Words) -> list[str]:
    """What the paired differences show: who is at least as good as the network, who is not ruled out, who is beaten."""
    groups: dict[str, list[str]] = {}
    for name, result in duel.items():
        groups.setdefault(_shown(result), []).append(_difference(name, result, words))
    if list(groups) == ["beats"]:
        return [words("beats_baselines")]
    order = ("at_least_as_good", "not_shown_better", "not_known_better", "beats")
    return [words(name, methods=words.listed(groups[name])) for name in order if name in groups]


def _shown(result: Mapping[str, Any]) -> str:
    if result["interval_95"] is None:
        return "not_known_better"
    low, high = result["interval_95"]
    return "at_least_as_good" if high <= 0 else "beats" if low > 0 else "not_shown_better"


def _difference(name: str, result: Mapping[str, Any], words: Words) -> str:
    """A method, by how much the network is better, and the interval."""
    values = {"method": words.known("methods", name), "difference": signed(result["network_is_better_by"])}
    if result["interval_95"] is None:
        return words("difference", **values)
    low, high = result["interval_95"]
    return words("difference_interval", low=signed(low), high=signed(high), **values)


def _unsure(unsure: Mapping[str, Any] | None, n: int, words: Words) -> str:
    if unsure is None:
        return words("nothing_promised")
    values = {name: share(unsure[name], n, words) for name in ("coverage", "share_unsure")}
    said = [words("unsure", promise=percent(unsure["promise"]), **values)]
    if unsure["accuracy_where_sure"] is not None:
        n_sure = n - round(unsure["share_unsure"] * n)
        said.append(words("where_sure", accuracy=share(unsure["accuracy_where_sure"], n_sure, words)))
    return words.joined(said)


def methods(evaluation: Evaluation, words: Words) -> str:
    """A paragraph for a methods section, of what is known."""
    main = evaluation.protocols[evaluation.protocol]
    said = [_subjects(main, words), *_preparation(main["data"].get("preparation"), words), _network(main, words)]
    best = main["training"].get("recipe") == "best"
    if best and "action_quality" in main["tasks"]:
        said.append(words("methods_action_best"))
    if "gender" in main["tasks"]:
        said.append(words("methods_gender_best" if best else "methods_gender"))
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
