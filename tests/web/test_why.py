"""Reasons in a physiotherapist's words: when, how fast and where, or the measures beside those of the set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from explanation_builders import explanation
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.reports.words import read_words
from semg_hht.web.visit import MeasuredFile, VisitFile
from semg_hht.web.why import measures_view, plain_sentence, why_text, why_view


def test_a_reason_says_when_how_fast_and_on_which_muscle() -> None:
    said = plain_sentence(explanation(), read_words("en"))
    assert said.startswith("What speaks for “half” is in the first part of the movement, at high frequencies")
    assert "%" not in said
    assert plain_sentence(explanation(), read_words("zh")).startswith("支持“半程”的依据主要在动作的前段，高频部分")
    nothing = explanation(evidence=np.zeros((2, 256, 256)))
    assert "unlike everything in training" in plain_sentence(nothing, read_words("en"))


def test_percentages_and_the_picture_stand_behind_the_sentence() -> None:
    view = why_view(why_text(explanation()), read_words("en"))
    assert view["task"] == "action quality" and any("%" in text for text in view["details"])
    assert view["picture"].startswith("data:image/png;base64,iVBOR")


def test_measures_are_compared_with_the_set() -> None:
    rows = tuple(ManifestRow("a.csv", start_s=float(i), stop_s=i + 0.5) for i in range(5))
    own = MeasuredFile(("biceps",), ((10.0,), (10.0,), (15.0,), (10.0,), (10.0,)), ((60.0,),) * 5)
    file = VisitFile(1, Path("a.csv"), rows=rows, measured=own)
    (view,) = measures_view(file, 3, ["action_quality"], read_words("en"))
    assert view["sentence"].endswith("of this recording: strength of biceps 50% higher than usual.")
    assert len(view["details"]) == 2
    (view,) = measures_view(file, 1, ["action_quality"], read_words("zh"))
    assert "均与其他动作相近" in view["sentence"]
    assert measures_view(file, 9, ["action_quality"], read_words("en")) == []
