"""The verdict and the methods paragraph: each sentence follows from the findings."""

from __future__ import annotations

import io
import json
import logging
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from builders import make_dataset, write_dataset
from evaluation_builders import HOSTILE, PEOPLE, Page, copy_of_run, evaluated, protocol, read_page, saved_matrices
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import OURS
from semg_hht.evaluation.metrics import evaluate
from semg_hht.figures import plots
from semg_hht.figures.captions import CHINESE, in_chinese
from semg_hht.figures.plots import chinese_font, draw_confusion, draw_history, draw_matrices, draw_matrix, plane_png
from semg_hht.hht.spectrum import DECOMPOSITIONS
from semg_hht.learning.baselines import BASELINES
from semg_hht.learning.epochs import Epoch
from semg_hht.learning.folds import PROTOCOLS
from semg_hht.matrices.matrix import Matrix
from semg_hht.matrices.scaling import SCALINGS
from semg_hht.recordings.manifest import TASKS
from semg_hht.report.evaluation_page import matrix_path, write_page
from semg_hht.report.evaluations import open_evaluation
from semg_hht.report.summary import gather
from semg_hht.report.template import fill, signed, ticks
from semg_hht.report.words import LANGUAGES, read_words
from semg_hht.system.files import read_json, write_json


def with_scores(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = content["tasks"]["action_quality"]
    found["network"] |= {name: value for name, value in changes.items() if name in found["network"]}
    found |= {name: value for name, value in changes.items() if name not in found["network"]}
    return content


def test_the_verdict_says_how_well_and_what_takes_it_back(tmp_path: Path) -> None:
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
    for name, fights, said in (
        (
            "one",
            duel | open_,
            "The network is not shown to be better than duration alone (difference +0.03, 95% interval −0.20 to +0.20)"
            ". It is clearly better than classical features (difference +0.10, 95% interval +0.02 to +0.20).",
        ),
        ("none", duel, "It is clearly better than each simple baseline."),
        (
            "lost",
            lost,
            "Simpler methods do as well as the network, or better: "
            "RMS alone (difference −0.10, 95% interval −0.20 to −0.03).",
        ),
        (
            "few",
            unknown,
            "There are too few people to tell whether the network is better than duration alone (difference +0.20).",
        ),
    ):
        honest = with_scores(protocol("loso"), **scores, duel=fights)
        flattered = with_scores(protocol("random"), balanced_accuracy=0.86)
        text = read_page(evaluated(tmp_path / name, loso=honest, random=flattered)).text
        for sentence in (
            "36 repetitions of 4 people (BICEPS, TRICEPS) were answered",
            "71% are right, averaged over classes (25 of 36 in all; 95% interval over people: 58% to 83%; ",
            "the score would have looked like 86% instead of 71%",
            "Sets of answers hold the true one in 88% (32 of 36) (promised: 90%); in 27% (10 of 36)",
            "Where it is sure, 92% (24 of 26) are right.",
            said,
        ):
            assert sentence in text
        assert text.count("It is clearly better than each") == (name == "none")
        assert ("do as well" in text) == (name == "lost")


def test_two_people_of_a_gender_leave_no_interval_and_the_page_says_why(tmp_path: Path) -> None:
    content = protocol("loso")
    scores = content["tasks"]["gender"]["network"]
    scores |= {name: None for name in scores if name.endswith("interval_95")} | {"too_few_people_of": ["F", "M"]}
    for language, said in (
        ("en", "no interval, for there are too few people of F, M: this may be far off"),
        ("zh", "F、M 类的人数太少，无法给出区间"),
    ):
        page = read_page(evaluated(tmp_path / language, loso=content), language=language)
        assert said in page.text
        assert page.tables["methods"][1][1][1].endswith("F, M" if language == "en" else "F、M 类的人数太少")


def test_a_score_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    text = {}
    for low in (0.2, 0.5):
        content = with_scores(
            protocol("loso"), balanced_accuracy=0.6, balanced_accuracy_interval_95=[low, 0.7]
        )  # fmt: skip
        del content["tasks"]["gender"]
        text[low] = read_page(evaluated(tmp_path / str(low), loso=content)).text
    assert "not clearly better than guessing" in text[0.2]
    assert "not clearly better than guessing" not in text[0.5]


def test_a_page_of_random_repetitions_alone_does_not_speak_of_new_people(tmp_path: Path) -> None:
    text = read_page(evaluated(tmp_path / "e", random=protocol("random"))).text
    assert "how it goes with new people is not known from this" in text
    assert "had seen nothing of that person" not in text


def test_a_run_split_by_repetition_does_not_speak_of_new_people(tmp_path: Path, simulated_run: Path) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    write_json(run / "metrics.json", {**metrics, "split_by": "repetition"})
    text = read_page(run).text
    assert "had seen nothing of that person" not in text
    assert "people may stand on two sides" in text


def test_one_class_alone_tells_nothing_of_telling_apart(tmp_path: Path) -> None:
    content = protocol("loso")
    rows = content["tasks"]["gender"]["network"]["per_class"]
    rows["M"]["support"] = 0
    page = read_page(evaluated(tmp_path / "e", loso=content))
    assert "but only F was shown" in page.text
    chances = [attributes["x1"] for tag, attributes in page.tags if tag == "line" and attributes["class"] == "dashed"]
    assert [float(str(x)) for x in chances if x != "48"] == [pytest.approx(150 + 290 / 3, abs=0.06)]


def test_the_methods_section_says_what_the_recipe_joins(tmp_path: Path) -> None:
    content = protocol("loso")
    content["training"]["recipe"] = "best"
    for language in LANGUAGES:
        texts = read_words(language).texts
        told = read_page(evaluated(tmp_path / f"best_{language}", loso=content), language=language).text
        plain = read_page(evaluated(tmp_path / f"plain_{language}", loso=protocol("loso")), language=language).text
        for key, of_best in (("methods_action_best", True), ("methods_gender_best", True), ("methods_gender", False)):
            assert (texts[key] in told, texts[key] in plain) == (of_best, not of_best), key
