"""Pages do no harm: names stay names, nothing is fetched, nothing is replaced unasked, bad input is a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evaluation_builders import HOSTILE, copy_of_run, evaluated, protocol, read_page, saved_matrices
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.report.evaluation_page import matrix_path, write_page
from semg_hht.report.evaluations import open_evaluation
from semg_hht.report.words import LANGUAGES
from semg_hht.system.files import write_json


def test_an_unknown_language_is_one_sentence(evaluation: Path) -> None:
    with pytest.raises(InputError, match="--lang must be one of en, zh; got 'fr'"):
        write_page(evaluation, language="fr")


def hostile(content: dict[str, Any]) -> dict[str, Any]:
    """Subjects, files, movements and everything else a user may name, out to break out of their place."""
    text = json.dumps(content)
    for name in ("S01", "BICEPS", "half", "hht_matrices", "9.8.7"):
        text = text.replace(name, json.dumps(HOSTILE + name)[1:-1])
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_users_never_become_markup(tmp_path: Path, evaluation: Path, language: str) -> None:
    calm = read_page(evaluation, language=language)
    wild = hostile(protocol("loso"))
    page = read_page(
        evaluated(tmp_path / "wild", loso=wild, random=hostile(protocol("random", seed=9))), language=language
    )
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in calm.tags]
    assert [set(attributes) for _, attributes in page.tags] == [set(attributes) for _, attributes in calm.tags]
    for name in ("S01", "BICEPS", "half", "9.8.7"):
        assert HOSTILE + name in page.text


def test_notes_of_a_run_never_become_markup(tmp_path: Path, simulated_run: Path) -> None:
    run = copy_of_run(simulated_run, tmp_path)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    write_json(run / "metrics.json", {**metrics, "notes": [HOSTILE]})
    page = read_page(run)
    assert HOSTILE in page.text
    assert not {"script", "img"} & {tag for tag, _ in page.tags}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_asks_nothing_of_the_network(tmp_path: Path, evaluation: Path, language: str) -> None:
    saved_matrices(tmp_path / "data", protocol("loso"))
    html = write_page(evaluation, language=language).read_text(encoding="utf-8")
    links = re.findall(r"""(?:href|src|action|data|poster|xlink:href)\s*=\s*["']?([^"'\s>]*)""", html)
    assert any(link.startswith("data:image/png;base64,") for link in links)
    assert [link for link in links if not link.startswith(("data:image/png;base64,", "https://doi.org/10."))] == []
    left = re.sub(r'<a href="https://doi\.org/[^"]*">|base64,[\w+/=]*', "", html)
    assert re.findall(r"https?:|//[a-z]|url\(|@import|<link|<script|<iframe|<object|srcset", left) == []


def test_only_matrices_of_the_data_are_read(tmp_path: Path) -> None:
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


def test_a_page_that_stands_there_is_not_replaced_unasked(evaluation: Path) -> None:
    page = evaluation / "report.html"
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists already; name another file, or say --overwrite"):
        write_page(evaluation)
    assert page.read_text(encoding="utf-8") == "mine"
    write_page(evaluation, overwrite=True)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_what_is_no_evaluation_is_one_sentence(tmp_path: Path, evaluation: Path, simulated_run: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected an evaluation \(report.json\) or a finished run"):
        open_evaluation(tmp_path / "empty")
    with pytest.raises(InputError, match="found nothing"):
        open_evaluation(tmp_path / "absent")
    good = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    for content, said in (
        ([], "found another JSON"),
        ({**good, "format": 2}, "format 1; found another JSON"),
        ({**good, "protocols": {}}, "expected findings of at least one protocol"),
    ):
        write_json(tmp_path / "report.json", content)
        with pytest.raises(InputError, match=said):
            open_evaluation(tmp_path / "report.json")
    run = copy_of_run(simulated_run, tmp_path)
    write_json(run / "config.json", {})
    with pytest.raises(InputError, match="expected metrics, config and split of a run; KeyError"):
        open_evaluation(run)
    run = copy_of_run(simulated_run, tmp_path)
    (run / "history.jsonl").write_text("{oops", encoding="utf-8")
    with pytest.raises(InputError, match="expected a line of JSON an epoch"):
        open_evaluation(run)


@pytest.mark.parametrize(
    ("part", "value"),
    [("network", {}), ("network", None), ("classes", ["other"]), ("duel", {"x": {}}), ("worst", [{"file": 1}])],
)
def test_findings_of_another_kind_are_one_sentence(tmp_path: Path, part: str, value: Any) -> None:
    content = protocol("loso")
    write_json(tmp_path / "e" / "report.json", {"format": 1, "protocols": {"loso": content}, "optimism": {}})
    write_page(tmp_path / "e", tmp_path / "good.html")
    content["tasks"]["action_quality"][part] = value
    write_json(tmp_path / "e" / "report.json", {"format": 1, "protocols": {"loso": content}, "optimism": {}})
    with pytest.raises(InputError, match="a part is missing or of another kind"):
        write_page(tmp_path / "e", tmp_path / "bad.html")
    assert not (tmp_path / "bad.html").exists()


def test_evaluate_refuses_an_unknown_language_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--data_dir", str(tmp_path), "--out", str(tmp_path / "out"), "--lang", "fr"])
    assert ended.value.code == 1
    assert "--lang must be one of en, zh; got 'fr'" in capsys.readouterr().err
