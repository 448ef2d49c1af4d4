"""Findings of an evaluation -> the sentences of its summary and of a methods section.

This module decides what each sentence states; ``en.json`` and ``zh.json`` hold the wording. It does not know about
pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from semg_hht.reports.evaluations import SPLIT, Evaluation
from semg_hht.reports.words import Words
from semg_hht.signals.filters import BAND_PASS_ORDER


def percent(value: float) -> str:
    return f"{value:.0%}"


def share(value: float, n: int, words: Words) -> str:
    """Format a share with its counts: ``83% (15 of 18)``."""
    return words("share", share=percent(value), counts=words("n_of", hits=round(value * n), n=n))


def too_few(scores: Mapping[str, Any], words: Words) -> str:
    """Return the reason why there is no interval, with the classes that too few people performed."""
    rare = scores.get("too_few_people_of")
    return words("too_few_of", classes=_classes(rare, words)) if rare else words("too_few")


def _classes(names: Iterable[str], words: Words) -> str:
    return words.listed(words.known("classes", name) for name in names)


def measured(evaluation: Evaluation, words: Words) -> str:
    """State how many repetitions of how many people were classified, and whether the people were new."""
    main = evaluation.protocols[evaluation.protocol]
    data = main["data"]
    n = max(task["network"]["n"] for task in main["tasks"].values())
    n_people = max(len(task["network"]["per_subject"]) for task in main["tasks"].values())
    name = "measured" if evaluation.people_are_new else "measured_same_people"
    muscles = words("of_muscles", muscles=words.listed(data["muscles"])) if data.get("muscles") else ""
    repetitions, people = words.counted("repetitions", n), words.counted("people", n_people)
    return words(name, repetitions=repetitions, people=people, muscles=muscles)


def verdict(evaluation: Evaluation, task: str, words: Words) -> list[str]:
    """State the score, the comparison with baselines and the effect of a random split."""
    findings = evaluation.protocols[evaluation.protocol]["tasks"][task]
    scores = findings["network"]
    occurring = [name for name, row in scores["per_class"].items() if row["support"] > 0]
    chance = 1 / max(1, len(occurring))
    interval = scores["balanced_accuracy_interval_95"]
    right = words("n_of", hits=round(scores["accuracy"] * scores["n"]), n=scores["n"])
    values = {"score": percent(scores["balanced_accuracy"]), "right": right, "chance": percent(chance)}
    if len(occurring) < 2:
        sentences = [words("one_class_shown", score=values["score"], right=right, name=_classes(occurring, words))]
    elif interval is None:
        sentences = [words("score_without_interval", too_few=too_few(scores, words), **values)]
    else:
        sentences = [words("score", low=percent(interval[0]), high=percent(interval[1]), **values)]
        if interval[0] <= chance:
            sentences.append(words("no_better_than_guessing"))
    sentences += _against_baselines(findings.get("duel") or {}, words)
    gap = evaluation.optimism.get(task)
    if gap is not None:
        values = {key: percent(gap[key]) for key in ("random", "new_people")}
        is_optimistic = gap["random"] > gap["new_people"] and values["random"] != values["new_people"]
        sentences.append(words("optimism" if is_optimistic else "no_optimism", **values))
    return sentences


def unsure_said(findings: Mapping[str, Any], words: Words) -> list[str]:
    """State how often the answers of a task are unsure, and how many of the others are correct."""
    return [_unsure(findings["unsure"], findings["network"]["n"], words)] if "unsure" in findings else []


def _against_baselines(duel: Mapping[str, Any], words: Words) -> list[str]:
    """Group the baselines by what the paired differences show, and name each group in a sentence."""
    groups: dict[str, list[str]] = {}
    for name, result in duel.items():
        groups.setdefault(_conclusion(result), []).append(words.known("methods", name))
    if list(groups) == ["beats"]:
        return [words("beats_baselines")]
    order = ("at_least_as_good", "not_shown_better", "not_known_better", "beats")
    return [words(name, methods=words.listed(groups[name])) for name in order if name in groups]


def _conclusion(result: Mapping[str, Any]) -> str:
    if result["interval_95"] is None:
        return "not_known_better"
    low, high = result["interval_95"]
    return "at_least_as_good" if high <= 0 else "beats" if low > 0 else "not_shown_better"


def _unsure(unsure: Mapping[str, Any] | None, n: int, words: Words) -> str:
    if unsure is None:
        return words("nothing_promised")
    values = {name: share(unsure[name], n, words) for name in ("coverage", "share_unsure")}
    sentences = [words("unsure", promise=percent(unsure["promise"]), **values)]
    if unsure["accuracy_where_sure"] is not None:
        n_sure = n - round(unsure["share_unsure"] * n)
        sentences.append(words("where_sure", accuracy=share(unsure["accuracy_where_sure"], n_sure, words)))
    return words.joined(sentences)


def methods(evaluation: Evaluation, words: Words) -> str:
    """Return a paragraph for a methods section from what the files state."""
    main = evaluation.protocols[evaluation.protocol]
    sentences = [_subjects(main, words), *_preparation(main["data"].get("preparation"), words), _network(main, words)]
    best, chosen = main["training"].get("recipe") == "best", main.get("chosen") or {}
    sentences += [chosen_text(task, chosen[task], words) for task in main["tasks"] if task in chosen]
    sentences += [margin_text(task, margin, words) for task, margin in (main.get("margins") or {}).items()]
    if best and "action_quality" in main["tasks"]:
        sentences.append(words("methods_action_best"))
    if "gender" in main["tasks"] and "gender" not in chosen:
        sentences.append(words("methods_gender_best" if best else "methods_gender"))
    sentences.append(_validation(evaluation, main, words))
    sentences.append(words("methods_scores"))
    versions = main["versions"]
    listed = words.listed(f"{name} {version}" for name, version in versions.items() if name != "semg-hht")
    sentences.append(words("methods_versions", version=versions.get("semg-hht", "?"), listed=listed))
    return words.joined(sentences)


def chosen_text(task: str, folds: Mapping[str, int], words: Words) -> str:
    """What the recipe ``auto`` chose for a task, in how many folds."""
    names = [words.known("candidates", name) for name in folds]
    if len(folds) > 1:
        names = [f"{name} ({words.counted('folds', n)})" for name, n in zip(names, folds.values(), strict=True)]
    return words("chosen", task=words.known("tasks", task), names=words.listed(names))


def margin_text(task: str, chosen: Mapping[str, Any], words: Words) -> str:
    """The scores of all candidates, and the margin of the winner over the network alone."""
    listed = words.listed(f"{words.known('candidates', name)} {score:.2f}" for name, score in chosen["scores"].items())
    values = {
        "task": words.known("tasks", task),
        "scores": listed,
        "people": words.counted("people", chosen["n_people"]),
    }
    if chosen["margin"] is None:
        return words("chosen_scores", **values)
    if chosen["margin_low"] is None:
        return words("chosen_margin", margin=f"{chosen['margin']:+.2f}", **values)
    low, high = f"{chosen['margin_low']:+.2f}", f"{chosen['margin_high']:+.2f}"
    return words("chosen_interval", margin=f"{chosen['margin']:+.2f}", low=low, high=high, **values)


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
    genders = {
        words.known("classes", name) if name else words("not_recorded"): n
        for name, n in data.get("n_per_gender", {}).items()
    }
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
    sentences = [words("methods_filter", low=low, high=high, order=BAND_PASS_ORDER)]
    sentences.append(words(notch) if notch != "mains_fixed" else words(notch, mains=f"{mains:g}"))
    if filters["ecg"]:
        sentences.append(words("methods_ecg"))
    low_hz, high_hz = spectrum["band_hz"]
    low, high = f"{low_hz:g}", f"{high_hz:g}"
    name = words.known("decompositions", spectrum["decomposition"])
    scaling = words.known("scalings", preparation["scaling"])
    sentences.append(words("methods_transform", decomposition=name, low=low, high=high, scaling=scaling))
    density = preparation.get("density")
    if density is not None:
        time, frequency = f"{1000 * density['time_s']:g}", f"{density['rows'] * (high_hz - low_hz) / 256:.1f}"
        sentences.append(words("methods_density", time=time, frequency=frequency))
    return sentences


def _network(main: Mapping[str, Any], words: Words) -> str:
    training = main["training"]
    return words(
        "methods_network", layers=main["network"]["n_layers"], channels=main["network"]["base_channels"],
        epochs=training["epochs"], batch=training["batch_size"], rate=f"{training['learning_rate']:g}",
        seed=training["seed"],
    )  # fmt: skip
