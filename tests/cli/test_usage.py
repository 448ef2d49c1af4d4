"""Tests of the sentence on a command that was typed wrongly."""

from __future__ import annotations

import json

import pytest

from command_line import run
from semg_hht.cli.usage import likeliest


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("segmnet x", "there is no command 'segmnet'; did you mean segment?"),
        ("inference x", "there is no command 'inference'; did you mean predict?"),
        ("qqq", "there is no command 'qqq'; expected one of demo, simulate, segment"),
        ("help", "semg-hht --help lists all, and semg-hht COMMAND --help explains one"),
        ("train --data_dri x", "train has no option --data_dri; did you mean --data_dir?"),
        ("train --data-dri x", "train has no option --data_dri; did you mean --data_dir?"),
        ("train -data_dir x", "train has no option -data_dir; did you mean --data_dir?"),
        ("train --lr 0.1", "train has no option --lr; did you mean --learning_rate?"),
        ("train --zzz 0.1", "train has no option --zzz; train --help lists all"),
        ("predict --model x", "predict has no option --model; did you mean --checkpoint?"),
        ("segment x --rate 9", "segment has no option --rate; did you mean --rate_hz?"),
        ("--hlep", "did you mean --help?"),
        ("segment", "segment needs INPUT (a recording, a folder of recordings, or a manifest.csv). Example: semg-hht "),
        ("prepare", "prepare needs INPUT (a recording, a folder of recordings, or a manifest.csv) and --out (folder"),
        ("evaluate --out x", "evaluate needs --data_dir (folder of matrices"),
        ("segment a.csv b.csv", "segment takes one INPUT; found b.csv too: name the folder that holds them"),
        ("train sim", "train takes flags alone; found sim: did you mean --data_dir sim"),
        ("train --epochs ten", "train: invalid value for '--epochs': 'ten' is not a valid int"),
    ],
)
def test_a_wrong_command_is_one_sentence(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_with_json_the_sentence_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("segment", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"].startswith("segment needs INPUT")
    assert run("segment", "nowhere", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"error": "nowhere: no such file or folder"}


def test_a_name_of_other_programs_comes_before_a_similar_one() -> None:
    names = ["rate_hz", "recipe", "learning_rate"]
    assert likeliest("rate", names, {}) == ["rate_hz"]
    assert likeliest("rate", names, {"rate": ("learning_rate", "absent")}) == ["learning_rate"]
    assert likeliest("xyz", names, {}) == []
