"""The page of an evaluation: all of it there, in both languages, and true to the JSON."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import make_dataset
from evaluation_builders import PEOPLE, Page, copy_of_run, evaluated, protocol, read_page, saved_matrices
from semg_hht.cli.main import main
from semg_hht.figures.plots import plane_png
from semg_hht.report.template import ticks
from semg_hht.report.words import LANGUAGES, read_words
from semg_hht.system.files import write_json


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_is_there_in_both_languages(evaluation: Path, language: str) -> None:
    words = read_words(language)
    page = read_page(evaluation, language=language)
    action = ("beside_baselines", "other_protocols", "confusion", "reliability", "per_subject", "per_class",
              "per_muscle", "per_gender", "worst")  # fmt: skip
    gender = ["scores", *(part for part in action[1:] if part != "per_gender")]  # drawn without baselines
    after = ("settings", "methods_section", "limits")
    tasks = list(words.texts["tasks"].values())
    expected = [*tasks, tasks[0], *(words.texts[part] for part in action), tasks[1],
                *(words.texts[part] for part in (*gender, *after))]  # fmt: skip
    assert [heading for heading in page.headings if heading.strip()] == expected
    assert words.texts["limit_gender"] in page.text and words.texts["standards"] in page.text
    for item in words.texts["missing"]:
        assert item in page.text
    assert ("html", {"lang": words.texts["html_lang"]}) in page.tags
    for name in ("S01", "BICEPS", "invalid", "9.8.7", "training.epochs", "15", "430"):
        assert name in page.text
    assert len(page.tables["confusion"]) == 2
    assert "{" not in page.text and "Undefined" not in page.text


def test_chinese_pages_speak_chinese(evaluation: Path) -> None:
    text = read_page(evaluation, language="zh").text
    assert "动作质量" in text and "登记性别" in text and "待说明" not in text
    english = set(re.findall(r"\b(?:the|with|people|balanced|interval)\b", text))
    assert english <= {"with", "people"} or not english


def test_languages_hold_the_same_sentences_with_the_same_places() -> None:
    english, chinese = (read_words(language).texts for language in LANGUAGES)

    def places(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: places(item) for key, item in value.items()}
        if isinstance(value, list):
            return [places(item) for item in value]
        return {name for _, name, _, _ in string.Formatter().parse(value) if name}

    assert places(english) == places(chinese)


def test_each_name_of_ours_has_a_word() -> None:
    from semg_hht.evaluation.comparison import OURS
    from semg_hht.hht.spectrum import DECOMPOSITIONS
    from semg_hht.learning.baselines import BASELINES
    from semg_hht.learning.folds import PROTOCOLS
    from semg_hht.matrices.scaling import SCALINGS
    from semg_hht.recordings.manifest import TASKS

    names = {
        "methods": [OURS, *BASELINES], "decompositions": DECOMPOSITIONS, "scalings": SCALINGS, "tasks": TASKS,
        "protocols": [*PROTOCOLS, "split"],
    }  # fmt: skip
    for language in LANGUAGES:
        texts = read_words(language).texts
        assert {group: set(texts[group]) for group in names} == {group: set(known) for group, known in names.items()}


def test_scores_on_the_page_are_those_of_the_json(evaluation: Path) -> None:
    found = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    tasks = found["protocols"]["loso"]["tasks"]
    page = read_page(evaluation)
    for number, task in enumerate(tasks.values()):
        rows = page.tables["methods"][number][1:]
        reports = {"network": task["network"], **task["baselines"]}
        assert [row[0] for row in rows] == list(reports)
        for row, (name, report) in zip(rows, reports.items(), strict=True):
            scores = [cell for i, cell in enumerate(row[1:]) if not (task["baselines"] and i == 1)]
            for cell, score in zip(scores, ("balanced_accuracy", "accuracy", "macro_f1", "auroc", "ece"), strict=True):
                low, high = report[f"{score}_interval_95"]
                n = report["n"]
                counts = f" {round(report[score] * n)} of {n}" if score == "accuracy" else ""
                assert cell == f"{report[score]:.2f}{counts} {low:.2f} to {high:.2f}"
            if name in task["duel"]:
                duel = task["duel"][name]
                low, high = duel["interval_95"]
                assert row[2].replace("−", "-") == f"{duel['network_is_better_by']:+.2f} {low:+.2f} to {high:+.2f}"
        counts = task["network"]["confusion"]
        assert page.tables["confusion"][number][0] == ["", *task["classes"]]
        for row in page.tables["confusion"][number][1:]:
            true = counts[row[0]]
            n = sum(true.values())
            assert row[1:] == [f"{true[name]} {true[name] / n:.0%}" for name in task["classes"]]
        for row in page.tables["classes"][number][1:]:
            scores = task["network"]["per_class"][row[0]]
            covered = (task["unsure"] or {}).get("coverage_per_class", {})
            hits, claimed = counts[row[0]][row[0]], sum(answers[row[0]] for answers in counts.values())
            expected = [
                f"{scores['precision']:.2f} {hits} of {claimed}",
                f"{scores['recall']:.2f} {hits} of {sum(counts[row[0]].values())}",
                f"{scores['f1']:.2f}",
            ]
            expected += [f"{covered[row[0]]:.0%}"] if covered else []
            assert row[1:] == [*expected, str(scores["support"])]
    action = tasks["action_quality"]
    groups = {**action["per_muscle"], **action["per_gender"]}
    shown = [row for table in page.tables["groups"] for row in table[1:]]
    assert [row[0] for row in shown] == list(groups) + [*tasks["gender"]["per_muscle"]]
    for row in shown[: len(groups)]:
        group = groups[row[0]]
        interval = group["interval_95"]
        said = "too few people" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
        assert row[1:] == [f"{group['balanced_accuracy']:.2f} {said}", str(group["n"])]
    assert {group["interval_95"] is None for group in groups.values()} == {True, False}
    for name, value in action["network"]["per_subject"].items():
        assert re.search(rf"{name}\n{value:.2f}\n", page.text)
    for row in action["worst"]:
        assert f"sure to {row['confidence']:.1%}" in page.text
    random = found["protocols"]["random"]["tasks"]["action_quality"]["network"]
    low, high = random["balanced_accuracy_interval_95"]
    assert page.tables["protocols"][0][1][1] == f"{random['balanced_accuracy']:.2f} {low:.2f} to {high:.2f}"


def test_dots_of_the_reliability_diagram_stand_where_the_json_has_them(evaluation: Path) -> None:
    found = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    bins = found["protocols"]["loso"]["tasks"]["action_quality"]["network"]["reliability"]
    dots = [(float(str(a["cx"])), float(str(a["cy"]))) for tag, a in read_page(evaluation).tags
            if tag == "circle" and a.get("r") == "5"][: len(bins)]  # fmt: skip
    expected = [(48 + 250 * b["confidence"], 250 - 240 * b["accuracy"]) for b in bins]
    np.testing.assert_allclose(dots, expected, atol=0.06)


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


def test_a_warning_of_folds_is_told_once_with_how_many(tmp_path: Path) -> None:
    text = "a class of gender has only one subject: probabilities are calibrated on its own examples, and optimistic"
    content = {**protocol("loso"), "fold_notes": [{"text": text, "n_folds": 3}]}
    for language, said in (("en", f"In 3 of 4 folds: {text}."), ("zh", "4 折中有 3 折：某一性别只有一名受试者")):
        page = read_page(evaluated(tmp_path / language, loso=content), language=language)
        assert page.text.count(said) == 1


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


def test_a_page_without_random_baselines_promise_or_people_enough(tmp_path: Path) -> None:
    content = protocol("grouped", PEOPLE[:2], sure=False)
    for found in content["tasks"].values():
        found["baselines"], found["duel"], found["per_muscle"] = {}, {}, {}
        found["network"]["auroc"] = None
    content["data"] |= {"preparation": None, "muscles": [], "rates_hz": [], "n_per_gender": {}}
    for language in LANGUAGES:
        words = read_words(language)
        page = read_page(evaluated(tmp_path / language, grouped=content), language=language)
        assert words.texts["too_few"] in page.tables["methods"][0][1][1]
        assert page.tables["methods"][0][1][4] == "–"
        assert words.texts["nothing_promised"] in page.text
        assert words.texts["methods_foreign"] in page.text
        assert words.texts["gap"] in page.text
        assert not {words.texts[name] for name in ("other_protocols", "per_muscle")} & set(page.headings)


def test_a_page_of_random_repetitions_alone_does_not_speak_of_new_people(tmp_path: Path) -> None:
    text = read_page(evaluated(tmp_path / "e", random=protocol("random"))).text
    assert "how it goes with new people is not known from this" in text
    assert "had seen nothing of that person" not in text


def test_matrices_are_drawn_with_their_axes(tmp_path: Path, evaluation: Path) -> None:
    content = protocol("loso")
    n = sum(len(found["worst"]) for found in content["tasks"].values())
    assert n > 2
    bare = read_page(evaluation)
    assert bare.text.count("The matrix is not where it was.") == n
    saved_matrices(tmp_path / "data", content)
    (tmp_path / "data" / content["tasks"]["gender"]["worst"][0]["file"]).write_bytes(b"broken")
    page = read_page(evaluation)
    assert sum(tag == "image" for tag, _ in page.tags) == n - 1
    assert page.text.count("The matrix is not where it was.") == 1
    assert "400\n" in page.text and "Hz\n" in page.text and "1.5\n" in page.text
    moved = (tmp_path / "data").rename(tmp_path / "moved")
    assert "image" not in {tag for tag, _ in read_page(evaluation).tags}
    assert "image" in {tag for tag, _ in read_page(evaluation, data_dir=moved / "hht_matrices").tags}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_has_a_page(tmp_path: Path, simulated_run: Path, language: str) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    words = read_words(language)
    page = read_page(run, language=language)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for part in ("history", "confusion", "reliability", "per_subject", "no_baselines", "settings"):
        assert words.texts[part] in page.text
    assert page.tables["methods"][0][1][1].startswith(f"{metrics['test']['action_quality']['balanced_accuracy']:.2f}")
    assert words.texts["worst"] not in page.text
    assert words.texts["nothing_promised"] not in page.text


def test_a_run_split_by_repetition_does_not_speak_of_new_people(tmp_path: Path, simulated_run: Path) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    write_json(run / "metrics.json", {**metrics, "split_by": "repetition"})
    text = read_page(run).text
    assert "had seen nothing of that person" not in text
    assert "people may stand on two sides" in text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]), (20, 450, ["100", "200", "300", "400"]), (1, 1, [])],
)
def test_ticks_are_round_numbers_in_their_place(low: float, high: float, expected: list[str]) -> None:
    found = ticks(low, high)
    assert [text for text, _ in found] == expected
    for text, at in found:
        assert low + at * (high - low) == pytest.approx(float(text))


def test_a_plane_is_drawn_low_frequencies_below() -> None:
    import io

    from matplotlib.image import imread

    plane = np.zeros((256, 256), np.float32)
    plane[3, 200] = 1.0  # a low frequency, late
    pixels = imread(io.BytesIO(plane_png(plane)))
    assert pixels.shape[:2] == (128, 128)
    row, column = np.unravel_index(pixels[..., :3].sum(axis=-1).argmax(), (128, 128))
    assert (row, column) == (128 - 1 - 3 // 2, 100)


def test_the_verb_writes_a_page(evaluation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["report", str(evaluation), "--out", str(tmp_path / "page.html"), "--lang", "zh"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    assert '<html lang="zh-CN">' in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1
    assert "say --overwrite" in capsys.readouterr().err


def test_one_class_alone_tells_nothing_of_telling_apart(tmp_path: Path) -> None:
    content = protocol("loso")
    rows = content["tasks"]["gender"]["network"]["per_class"]
    rows["M"]["support"] = 0
    page = read_page(evaluated(tmp_path / "e", loso=content))
    assert "but only F was shown" in page.text
    chances = [attributes["x1"] for tag, attributes in page.tags if tag == "line" and attributes["class"] == "dashed"]
    assert [float(str(x)) for x in chances if x != "48"] == [pytest.approx(150 + 290 / 3, abs=0.06)]


@pytest.mark.slow
def test_evaluate_writes_the_page_and_draws_its_matrices(tmp_path: Path) -> None:
    from making import write_dataset

    data = write_dataset(make_dataset(n_subjects=4, n_repetitions=1), tmp_path / "data")
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--data_dir", str(data), "--out", str(tmp_path / "out"), "--epochs", "1", "--cpu",
              "--base_channels", "2", "--jobs", "1", "--lang", "zh", "--task", "action_quality"])  # fmt: skip
    assert ended.value.code == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["protocols"]["loso"]
    assert found["data"]["folder"] == "../data"
    page = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "结论" not in page.text  # a heading for screen readers alone
    n_wrong = len(found["tasks"]["action_quality"]["worst"])
    assert n_wrong > 0
    assert sum(tag == "image" for tag, _ in page.tags) == n_wrong


def test_the_methods_section_says_what_the_recipe_joins(tmp_path: Path) -> None:
    content = protocol("loso")
    content["training"]["recipe"] = "best"
    for language in LANGUAGES:
        texts = read_words(language).texts
        told = read_page(evaluated(tmp_path / f"best_{language}", loso=content), language=language).text
        plain = read_page(evaluated(tmp_path / f"plain_{language}", loso=protocol("loso")), language=language).text
        for key, of_best in (("methods_action_best", True), ("methods_gender_best", True), ("methods_gender", False)):
            assert (texts[key] in told, texts[key] in plain) == (of_best, not of_best), key
