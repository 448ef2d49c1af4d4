"""The summary and the methods paragraph: each sentence follows from the findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation_builders import copy_of_run, evaluated, protocol, read_page
from semg_hht.reports.words import LANGUAGES, read_words
from semg_hht.system.files import write_json


def with_scores(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    findings = content["tasks"]["action_quality"]
    findings["network"] |= {name: value for name, value in changes.items() if name in findings["network"]}
    findings |= {name: value for name, value in changes.items() if name not in findings["network"]}
    return content


def test_the_summary_states_score_baselines_optimism_and_unsure_answers(tmp_path: Path) -> None:
    duel = {"classical features": {"network_is_better_by": 0.1, "interval_95": [0.02, 0.2], "decides": False}}
    open_ = {"duration alone": {"network_is_better_by": 0.03, "interval_95": [-0.2, 0.2], "decides": True}}
    lost = {"RMS alone": {"network_is_better_by": -0.1, "interval_95": [-0.2, -0.03], "decides": True}}
    unknown = {"duration alone": {"network_is_better_by": 0.2, "interval_95": None, "decides": True}}
    unsure = {"promise": 0.9, "coverage": 0.88, "share_unsure": 0.27, "accuracy_where_sure": 0.923,
              "coverage_per_class": {}}  # fmt: skip
    scores = {
        "balanced_accuracy": 0.71,
        "accuracy": 25 / 36,
        "balanced_accuracy_interval_95": [0.58, 0.83],
        "unsure": unsure,
    }
    for name, duels, sentence in (
        (
            "one",
            duel | open_,
            "The data do not show that the network is better than duration alone. "
            "The network is clearly better than classical features.",
        ),
        ("none", duel, "The network is clearly better than every simple baseline."),
        (
            "lost",
            lost,
            "Simpler methods are as good as the network or better: RMS alone.",
        ),
        (
            "few",
            unknown,
            "There are too few people to decide whether the network is better than duration alone.",
        ),
    ):
        honest = with_scores(protocol("loso"), **scores, duel=duels)
        flattered = with_scores(protocol("random"), balanced_accuracy=0.86)
        text = read_page(evaluated(tmp_path / name, loso=honest, random=flattered)).text
        for expected in (
            "36 repetitions of 4 people (BICEPS, TRICEPS), each answered by a network that was trained on other people",
            "Balanced accuracy is 71% (25 of 36 repetitions correct; 95% interval over people: 58% to 83%; ",
            "With the same people in training and test the score is 86% instead of 71%",
            "contains the correct class in 88% (32 of 36) of the repetitions (target: 90%). In 27% (10 of 36)",
            "Where the answer is sure, 92% (24 of 26) are correct.",
            sentence,
        ):
            assert expected in text
        assert text.count("is clearly better than every") == (name == "none")
        assert ("are as good as" in text) == (name == "lost")


def test_without_an_interval_the_reason_is_stated(tmp_path: Path) -> None:
    content = protocol("loso")
    scores = content["tasks"]["gender"]["network"]
    scores |= {name: None for name in scores if name.endswith("interval_95")} | {"too_few_people_of": ["F", "M"]}
    for language, reason in (
        ("en", "There is no interval because there are too few people of F, M, so the true value"),
        ("zh", "女、男 类的受试者太少，无法给出置信区间"),
    ):
        page = read_page(evaluated(tmp_path / language, loso=content), language=language)
        assert reason in page.text
        assert page.tables["methods"][1][1][1].endswith("F, M" if language == "en" else "女、男 类的受试者太少")


def test_a_score_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    text = {}
    for low in (0.2, 0.5):
        content = with_scores(
            protocol("loso"), balanced_accuracy=0.6, balanced_accuracy_interval_95=[low, 0.7]
        )  # fmt: skip
        del content["tasks"]["gender"]
        text[low] = read_page(evaluated(tmp_path / str(low), loso=content)).text
    assert "not clearly better than chance" in text[0.2]
    assert "not clearly better than chance" not in text[0.5]


def test_a_random_split_alone_makes_no_claim_about_new_people(tmp_path: Path) -> None:
    text = read_page(evaluated(tmp_path / "e", random=protocol("random"))).text
    assert "do not show how well it works for new people" in text
    assert "was trained on other people" not in text


def test_a_run_split_by_repetition_makes_no_claim_about_new_people(tmp_path: Path, simulated_run: Path) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    write_json(run / "metrics.json", {**metrics, "split_by": "repetition"})
    text = read_page(run).text
    assert "was trained on other people" not in text
    assert "the same people may belong to several of these sets" in text


def test_a_single_class_says_nothing_about_distinguishing_classes(tmp_path: Path) -> None:
    content = protocol("loso")
    rows = content["tasks"]["gender"]["network"]["per_class"]
    rows["M"]["support"] = 0
    page = read_page(evaluated(tmp_path / "e", loso=content))
    assert "all repetitions belong to the class F" in page.text
    chances = [attributes["x1"] for tag, attributes in page.tags if tag == "line" and attributes["class"] == "dashed"]
    assert [float(str(x)) for x in chances if x != "48"] == [pytest.approx(184 + 265 / 3, abs=0.06)]


def test_the_methods_paragraph_names_the_inputs_of_the_support_vector_machines(tmp_path: Path) -> None:
    content = protocol("loso")
    content["training"]["recipe"] = "best"
    for language in LANGUAGES:
        texts = read_words(language).texts
        best = read_page(evaluated(tmp_path / f"best_{language}", loso=content), language=language).text
        plain = read_page(evaluated(tmp_path / f"plain_{language}", loso=protocol("loso")), language=language).text
        for key, of_best in (("methods_action_best", True), ("methods_gender_best", True), ("methods_gender", False)):
            assert (texts[key] in best, texts[key] in plain) == (of_best, not of_best), key


def test_what_was_chosen_stands_in_the_methods_paragraph(tmp_path: Path, simulated_run: Path) -> None:
    folds = {"action_quality": {"measures": 17, "the network alone": 3}}
    content = protocol("loso") | {"chosen": folds}
    content["training"]["recipe"] = "auto"
    page = read_page(evaluated(tmp_path / "evaluation", loso=content)).text
    assert "was chosen on people left out of the training: measures of the channels (17 folds)" in page
    assert "the network alone (3 folds)" in page
    run = copy_of_run(simulated_run, tmp_path)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    chosen = {
        "name": "measures", "scores": {"measures": 0.9, "the network alone": 0.7}, "n_people": 16,
        "margin": 0.2, "margin_low": 0.05, "margin_high": 0.35,
    }  # fmt: skip
    write_json(run / "metrics.json", metrics | {"chosen": {"action_quality": chosen}})
    page = read_page(run).text
    assert "action quality, 16 people left out in turn): measures of the channels 0.90, the network alone 0.70" in page
    assert "+0.20 over the network alone (95 % interval +0.05 to +0.35)" in page
