"""What is read as an evaluation, and the message where nothing can be read."""

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
