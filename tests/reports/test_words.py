"""The texts of the reports and the web page: both languages have the same keys and placeholders."""

from __future__ import annotations

import string
from typing import Any

import pytest

from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import OURS
from semg_hht.hht.spectrum import DECOMPOSITIONS
from semg_hht.learning.baselines import BASELINES
from semg_hht.learning.folds import PROTOCOLS
from semg_hht.matrices.scaling import SCALINGS
from semg_hht.recordings.manifest import TASKS
from semg_hht.reports.words import LANGUAGES, read_words


def test_an_unknown_language_gets_a_message() -> None:
    with pytest.raises(InputError, match="language must be one of en, zh; got 'fr'"):
        read_words("fr")


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, chinese = (read_words(language).texts for language in LANGUAGES)

    def placeholders(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: placeholders(item) for key, item in value.items()}
        if isinstance(value, list):
            return [placeholders(item) for item in value]
        return {name for _, name, _, _ in string.Formatter().parse(value) if name}

    assert placeholders(english) == placeholders(chinese)


def test_each_name_of_the_program_has_a_text() -> None:
    names = {
        "methods": [OURS, *BASELINES], "decompositions": DECOMPOSITIONS, "scalings": SCALINGS, "tasks": TASKS,
        "protocols": [*PROTOCOLS, "split"],
    }  # fmt: skip
    for language in LANGUAGES:
        texts = read_words(language).texts
        assert {group: set(texts[group]) for group in names} == {
            group: set(expected) for group, expected in names.items()
        }
