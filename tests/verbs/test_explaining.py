"""verbs/explaining.py: evidence for one repetition."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from semg_hht.verbs.explaining import ExplainOptions, explain

RECORDING = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 20)


def test_the_evidence_is_sentences_json_and_a_picture(tmp_path: Path) -> None:
    evidence = explain(RECORDING, sh.samples.RUN, tmp_path / "why.png", options=ExplainOptions(repetition=2))
    assert (len(evidence), evidence.picture) == (1, tmp_path / "why.png")
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    content = evidence.to_json()
    assert content["repetition"] == 2
    assert str(evidence).count("\n  ") == len(content["action_quality"]["evidence"]["said"])
    shown = repr(evidence)  # the answer, and what is for it and against it
    assert shown.startswith(f"<Evidence: {evidence.said()[0][0]}\n  Strongest evidence for ")
    (explanation,) = evidence
    assert repr(explanation).endswith(f", repetition 2 of 5, action_quality: {explanation.answer.said}>")
    with pytest.raises(sh.InputError, match=r"why\.png: exists already"):
        explain(RECORDING, sh.samples.RUN, tmp_path / "why.png")


def test_one_file_is_explained() -> None:
    with pytest.raises(sh.InputError, match="recordings: holds several files"):
        explain([RECORDING, RECORDING.crop(0, 12)], sh.samples.RUN)
    with pytest.raises(sh.InputError, match=r"recordings: does not hold the file 'x\.csv'"):
        explain(RECORDING, sh.samples.RUN, options=ExplainOptions(file="x.csv"))
