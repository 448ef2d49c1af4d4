"""The findings of all protocols are combined in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation_builders import protocol
from semg_hht.errors import InputError
from semg_hht.reports.summary import FORMAT, gather
from semg_hht.system.files import read_json, write_json


def test_the_report_holds_all_protocols_and_the_effect_of_a_random_split(tmp_path: Path) -> None:
    findings = {"loso": protocol("loso"), "random": protocol("random", seed=9)}
    del findings["random"]["tasks"]["gender"]
    for name, content in findings.items():
        write_json(tmp_path / name / "findings.json", content)
    report = gather(tmp_path)
    assert report == read_json(tmp_path / "report.json")
    assert (report["format"], report["protocols"]) == (FORMAT, findings)
    scores = {name: findings[name]["tasks"]["action_quality"]["network"]["balanced_accuracy"] for name in findings}
    assert report["optimism"] == {"action_quality": {"new_people": scores["loso"], "random": scores["random"]}}


@pytest.mark.parametrize("name", ["loso", "random"])
def test_one_protocol_has_nothing_to_compare(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / name / "findings.json", protocol(name))
    assert gather(tmp_path)["optimism"] == {}


def test_a_folder_without_an_evaluation_gets_a_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected an evaluation \(loso, .*\) in it; found none"):
        gather(tmp_path)
