"""explanation_text.py: sentences on bands, spans, IMFs, channels and blocks, and the pictures they belong to."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from explanation_builders import explanation
from semg_hht.explanation.explanation import Imf
from semg_hht.inference.novelty import TEXTS, Reason
from semg_hht.reports.explanation_text import evidence_said, evidence_title, evidence_view, write_evidence_of_all
from semg_hht.reports.words import LANGUAGES, read_words


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_tell_band_span_imf_channel_and_direction(language: str) -> None:
    words = read_words(language)
    said = words.joined(evidence_said(explanation(), words))
    for told in ("50%", "88%", "75%", "25%", "100", "0.50", "IMF 1", "biceps 100%"):
        assert told in said, told
    assert "弯举.csv" in evidence_title(explanation(), words)
    assert "{" not in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_tell_what_carries_no_evidence(language: str) -> None:
    words = read_words(language)
    blocks = {"amplitude": -0.05, "mixing": 0.33}
    blind = explanation(
        evidence=np.zeros((2, 256, 256)), blocks=blocks, average=0.5, channel_covariance=(3.0, 1.0), imfs=None
    )
    said = evidence_said(blind, words)
    assert "biceps 75%" in said[2]
    assert blind.to_json()["channels"] == {"biceps": 3.0, "triceps": 1.0}
    assert re.search(r"\+33.*\N{MINUS SIGN}5", said[0])
    assert words.texts["evidence_no_matrix"] in said
    assert evidence_view(blind, words)["picture"] is None
    spread = evidence_said(explanation(evidence=np.ones((2, 256, 256)), frequency_hz=None, is_odds=False), words)
    assert len(spread) > 3
    even = explanation(evidence=np.full((2, 256, 256), 1e-3), imfs=(Imf(1, 9.0, -5.0),), channels=("a", "b"))
    assert any(
        words("evidence_imfs_none", side=words.texts["evidence_sides"][0]) in s for s in evidence_said(even, words)
    )
    flat = explanation(evidence=np.zeros((2, 256, 256)), imfs=None, no_imfs="matrix")
    assert words.texts["evidence_flat"] in evidence_said(flat, words)
    weak = evidence_said(explanation(evidence=explanation().evidence / 10), words)
    assert words("evidence_weak", total="0.4") in weak
    assert words("evidence_weak", total="4") not in evidence_said(explanation(), words)
    upstream = explanation(imfs=None, no_imfs="upstream")
    assert words.texts["evidence_no_imfs_upstream"] in evidence_said(upstream, words)


def test_files_that_differ_in_their_ending_have_a_picture_each(tmp_path: Path) -> None:
    made = [explanation(file=file, n_repetitions=1) for file in ("a.csv", "a.npz")]
    content, more = write_evidence_of_all(made, tmp_path, read_words("en"))
    assert [one["picture"] for entry in content.values() for one in entry] == ["a.png", "a.npz.png"]
    assert not more


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_unlike_the_training_data_is_said_first(language: str) -> None:
    words = read_words(language)
    strange = explanation(unlike=(Reason("rate", {"rate": "200", "trained": "1000"}), Reason("contrast")))
    said = evidence_said(strange, words)
    assert "200 Hz" in said[0]
    assert said[1:] == evidence_said(explanation(), words)
    assert strange.to_json()["unlike"][0] == "200 Hz; trained on 1000 Hz"
    assert "unlike" not in explanation().to_json()


def test_each_reason_has_a_text_in_each_language() -> None:
    assert read_words("en").texts["unlike_reasons"] == TEXTS
    chinese = read_words("zh").texts["unlike_reasons"]
    values = {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in TEXTS.items()}
    assert {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in chinese.items()} == values
