"""The report of an evaluation: complete in both languages, equal to the JSON, and without harm to its reader."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation_builders import PEOPLE, copy_of_run, evaluated, protocol, read_page, saved_matrices
from semg_hht.errors import InputError
from semg_hht.reports.evaluation_page import MAX_WORST, matrix_path, write_page
from semg_hht.reports.words import LANGUAGES, read_words
from semg_hht.system.files import write_json


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_has_every_part_in_both_languages(evaluation: Path, language: str) -> None:
    words = read_words(language)
    page = read_page(evaluation, language=language)
    action = ("confusion", "per_subject", "reliability", "worst", "beside_baselines", "other_protocols", "per_class",
              "per_muscle", "per_gender")  # fmt: skip
    gender = ["scores" if part == "beside_baselines" else part for part in action if part != "per_gender"]
    after = ("limits", "methods_section", "settings")
    tasks = list(words.texts["tasks"].values())
    expected = [tasks[0], *(words.texts[part] for part in action), tasks[1],
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


def test_the_chinese_report_holds_no_english_sentence(evaluation: Path) -> None:
    text = read_page(evaluation, language="zh").text
    assert "动作质量" in text and "登记性别" in text and "[请补充" not in text
    english = set(re.findall(r"\b(?:the|with|people|balanced|interval)\b", text))
    assert english <= {"with", "people"} or not english


def test_scores_of_the_report_equal_the_json(evaluation: Path) -> None:
    report = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    tasks = report["protocols"]["loso"]["tasks"]
    page = read_page(evaluation)
    for number, task in enumerate(tasks.values()):
        rows = page.tables["methods"][number][1:]
        results = {"network": task["network"], **task["baselines"]}
        assert [row[0] for row in rows] == list(results)
        for row, (name, result) in zip(rows, results.items(), strict=True):
            cells = [cell for i, cell in enumerate(row[1:]) if not (task["baselines"] and i == 1)]
            for cell, score in zip(cells, ("balanced_accuracy", "accuracy", "macro_f1", "auroc", "ece"), strict=True):
                low, high = result[f"{score}_interval_95"]
                n = result["n"]
                counts = f" {round(result[score] * n)} of {n}" if score == "accuracy" else ""
                assert cell == f"{result[score]:.2f}{counts} {low:.2f} to {high:.2f}"
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
        shown_interval = "too few people" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
        assert row[1:] == [f"{group['balanced_accuracy']:.2f} {shown_interval}", str(group["n"])]
    assert {group["interval_95"] is None for group in groups.values()} == {True, False}
    for name, value in action["network"]["per_subject"].items():
        assert re.search(rf"{name}\n{value:.2f}\n", page.text)
    for row in action["worst"][:MAX_WORST]:
        assert f"confidence {row['confidence']:.1%}" in page.text
    random = report["protocols"]["random"]["tasks"]["action_quality"]["network"]
    low, high = random["balanced_accuracy_interval_95"]
    assert page.tables["protocols"][0][1][1] == f"{random['balanced_accuracy']:.2f} {low:.2f} to {high:.2f}"


def test_dots_of_the_reliability_diagram_are_at_the_values_of_the_json(evaluation: Path) -> None:
    report = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    bins = report["protocols"]["loso"]["tasks"]["action_quality"]["network"]["reliability"]
    dots = [(float(str(a["cx"])), float(str(a["cy"]))) for tag, a in read_page(evaluation).tags
            if tag == "circle" and a.get("r") == "5"][: len(bins)]  # fmt: skip
    expected = [(48 + 250 * b["confidence"], 250 - 240 * b["accuracy"]) for b in bins]
    np.testing.assert_allclose(dots, expected, atol=0.06)


def test_a_note_of_several_folds_appears_once_with_their_number(tmp_path: Path) -> None:
    text = "a class of gender has only one subject: probabilities are calibrated on its own examples, and optimistic"
    content = {**protocol("loso"), "fold_notes": [{"text": text, "n_folds": 3}]}
    for language, note in (
        ("en", "In 3 of 4 folds: one gender has only one subject"),
        ("zh", "4 折中有 3 折：某一性别只有一名受试者"),
    ):
        page = read_page(evaluated(tmp_path / language, loso=content), language=language)
        assert page.text.count(note) == 1


def test_a_report_without_baselines_random_split_and_calibration(tmp_path: Path) -> None:
    content = protocol("grouped", PEOPLE[:2], sure=False)
    for findings in content["tasks"].values():
        findings["baselines"], findings["duel"], findings["per_muscle"] = {}, {}, {}
        findings["network"]["auroc"] = None
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


def test_matrices_are_drawn_with_their_axes_where_their_files_exist(tmp_path: Path, evaluation: Path) -> None:
    content = protocol("loso")
    n = sum(len(findings["worst"][:MAX_WORST]) for findings in content["tasks"].values())
    assert n > 2
    bare = read_page(evaluation)
    assert bare.text.count("The file of this matrix was not found.") == n
    saved_matrices(tmp_path / "data", content)
    (tmp_path / "data" / content["tasks"]["gender"]["worst"][0]["file"]).write_bytes(b"broken")
    page = read_page(evaluation)
    assert sum(tag == "image" for tag, _ in page.tags) == n - 1
    assert page.text.count("The file of this matrix was not found.") == 1
    assert "400\n" in page.text and "Hz\n" in page.text and "1.5\n" in page.text
    moved = (tmp_path / "data").rename(tmp_path / "moved")
    assert "image" not in {tag for tag, _ in read_page(evaluation).tags}
    assert "image" in {tag for tag, _ in read_page(evaluation, data_dir=moved / "hht_matrices").tags}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_verdict_and_its_picture_come_first_and_details_are_folded(evaluation: Path, language: str) -> None:
    html = write_page(evaluation, language=language).read_text(encoding="utf-8")
    body = html[html.index("<body>") :]
    before = re.sub(r"<[^>]*>", " ", body[: body.index("<svg")])
    assert len(before.split()) < 150
    folded = "".join(re.findall(r"<details>.*?</details>", body, flags=re.DOTALL))
    for part in ('class="methods"', 'class="settings"', 'class="references"', "<blockquote>"):
        assert body.count(part) == folded.count(part) > 0
    shown = re.sub(r"<[^>]*>", " ", re.sub(r"<details>.*?</details>", "", body, flags=re.DOTALL))
    assert len(shown.split()) < 0.5 * len(re.sub(r"<[^>]*>", " ", body).split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_has_a_report(tmp_path: Path, simulated_run: Path, language: str) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    words = read_words(language)
    page = read_page(run, language=language)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for part in ("history", "confusion", "reliability", "per_subject", "no_baselines", "settings"):
        assert words.texts[part] in page.text
    assert page.tables["methods"][0][1][1].startswith(f"{metrics['test']['action_quality']['balanced_accuracy']:.2f}")
    assert words.texts["worst"] not in page.text
    assert words.texts["nothing_promised"] not in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_needs_no_network(tmp_path: Path, evaluation: Path, language: str) -> None:
    saved_matrices(tmp_path / "data", protocol("loso"))
    html = write_page(evaluation, language=language).read_text(encoding="utf-8")
    links = re.findall(r"""(?:href|src|action|data|poster|xlink:href)\s*=\s*["']?([^"'\s>]*)""", html)
    assert any(link.startswith("data:image/png;base64,") for link in links)
    assert [link for link in links if not link.startswith(("data:image/png;base64,", "https://doi.org/10."))] == []
    left = re.sub(r'<a href="https://doi\.org/[^"]*">|base64,[\w+/=]*', "", html)
    assert re.findall(r"https?:|//[a-z]|url\(|@import|<link|<script|<iframe|<object|srcset", left) == []


def test_only_matrices_in_the_data_folder_are_read(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "data" / "m.npz"
    inside.parent.mkdir(parents=True)
    for path in (inside, tmp_path / "secret.npz"):
        path.write_bytes(b"")
    assert matrix_path(inside.parent, "m.npz") == inside.resolve()
    assert matrix_path(inside.parent, "../../secret.npz") is None
    assert matrix_path(inside.parent, str(tmp_path / "secret.npz")) is None


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, evaluation: Path) -> None:
    saved_matrices(tmp_path / "data", protocol("loso"))
    first = write_page(evaluation, tmp_path / "1.html").read_bytes()
    assert write_page(evaluation, tmp_path / "2.html").read_bytes() == first
    assert b"matplotlib" not in first and str(tmp_path).encode() not in first


def test_an_existing_report_is_replaced_only_with_overwrite(evaluation: Path) -> None:
    page = evaluation / "report.html"
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists already; name another file, or say overwrite=True"):
        write_page(evaluation)
    assert page.read_text(encoding="utf-8") == "mine"
    write_page(evaluation, overwrite=True)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("part", "value"),
    [("network", {}), ("network", None), ("classes", ["other"]), ("duel", {"x": {}}), ("worst", [{"file": 1}])],
)
def test_invalid_findings_get_a_message_and_no_report(tmp_path: Path, part: str, value: Any) -> None:
    content = protocol("loso")
    write_json(tmp_path / "e" / "report.json", {"format": 1, "protocols": {"loso": content}, "optimism": {}})
    write_page(tmp_path / "e", tmp_path / "good.html")
    content["tasks"]["action_quality"][part] = value
    write_json(tmp_path / "e" / "report.json", {"format": 1, "protocols": {"loso": content}, "optimism": {}})
    with pytest.raises(InputError, match="a part is missing or of another type"):
        write_page(tmp_path / "e", tmp_path / "bad.html")
    assert not (tmp_path / "bad.html").exists()
