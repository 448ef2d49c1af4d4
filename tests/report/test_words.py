"""The texts of the report and of the web page: both languages hold the same sentences."""

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


def test_an_unknown_language_is_one_sentence(evaluation: Path) -> None:
    with pytest.raises(InputError, match="--lang must be one of en, zh; got 'fr'"):
        write_page(evaluation, language="fr")


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
