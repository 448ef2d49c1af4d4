"""A report shows right and wrong on the signal of a recording that lies beside the matrices, and on no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation_builders import evaluated, protocol, read_page
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.reports.signal_strips import recording_path, strips

SHOWN = {
    "file": "S01.npz", "subject": "S01",
    "repetitions": [
        {"start_s": 1, "stop_s": 3, "subject": "S01", "label": "full", "prediction": "full"},
        {"start_s": 4, "stop_s": 6, "subject": "S01", "label": "half", "prediction": "invalid"},
    ],
}  # fmt: skip


def written(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).standard_normal((1, 8000))
    write_recording(Recording(samples, 1000.0, ("biceps",), "mV", "S01"), folder / "S01.npz")
    return folder / "S01.npz"


def page_of(tmp_path: Path, shown: Any = SHOWN, language: str = "en") -> Any:
    content = protocol("loso") | {"shown": {"action_quality": shown}}
    return read_page(evaluated(tmp_path / "evaluation", loso=content), language=language)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "2 (half, predicted invalid)"), ("zh", "第 2 次（半程，预测为无效）")]
)
def test_right_and_wrong_stand_on_the_signal(tmp_path: Path, language: str, said: str) -> None:
    written(tmp_path / "recordings")
    page = page_of(tmp_path, language=language)
    assert said in page.text
    spans = [
        attributes["class"]
        for tag, attributes in page.tags
        if tag == "rect" and "span" in (attributes.get("class") or "")
    ]
    assert spans == ["span class1", "span unsure"]


@pytest.mark.parametrize("shown", [SHOWN, None, {**SHOWN, "file": "../S01.npz"}, {**SHOWN, "file": "/etc/passwd"}])
def test_without_the_recording_there_is_no_picture(tmp_path: Path, shown: Any) -> None:
    if shown is not SHOWN:
        written(tmp_path / "recordings")
    assert "predicted invalid" not in page_of(tmp_path, shown).text


def test_a_recording_that_can_not_be_read_costs_only_its_picture(tmp_path: Path) -> None:
    written(tmp_path / "recordings").write_bytes(b"broken")
    assert "predicted invalid" not in page_of(tmp_path).text


def test_recordings_are_found_above_the_matrices_alone(tmp_path: Path) -> None:
    data = tmp_path / "project" / "prepared" / "hht_matrices"
    data.mkdir(parents=True)
    assert recording_path(data, "S01.npz") is None
    for folder in ("project/recordings", "project", "project/prepared"):
        path = written(tmp_path / folder)
        assert recording_path(data, "S01.npz") == path
        path.unlink()
    written(tmp_path)
    assert recording_path(data, "../S01.npz") is None and recording_path(data, str(tmp_path / "S01.npz")) is None


def test_a_strip_holds_a_minute_with_its_repetitions() -> None:
    samples = np.sin(np.arange(90_000) / 7)
    first, second = strips(samples, 1000.0, [(10.0, 20.0, "class1"), (40.0, 50.0, True)])
    assert [span[0] for span in first["spans"]] == [1, 2] and [span[0] for span in second["spans"]] == [2]
    assert first["spans"][0][1:] == pytest.approx((10 / 45, 20 / 45, "class1"))
    assert second["spans"][0][1:3] == pytest.approx((0, 5 / 45))
