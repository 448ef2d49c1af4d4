"""Uploaded files: each is read within limits, and a bad one becomes a message."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from builders import claimed_npy, foreign_matrix, write_members
from page_builders import CONFIG, notes_of
from semg_hht.prediction.run import Run
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.report.words import LANGUAGES
from semg_hht.web import uploads as files
from semg_hht.web.uploads import MAX_POINTS, Dropped
from semg_hht.web.visit import (
    Visit,
    answer,
    receive,
)


def test_a_table_that_states_times_outside_is_a_sentence(visit: Visit, curl: Path, tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    table.write_text("file,start_s,stop_s\ncurl.csv,1,2\ncurl.csv,5,5000\n", encoding="utf-8")
    assert "row 2 of its table says 5000 s; expected times within" in notes_of(receive(visit, [curl, table], CONFIG))


def test_a_table_leads_to_no_file_that_was_not_dropped(visit: Visit, curl: Path, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.parent.mkdir()
    shutil.copy(curl, secret)
    table = tmp_path / "reps.csv"
    table.write_text(f"file,start_s,stop_s\n{secret},1,2\n../elsewhere/secret.csv,1,3\n", encoding="utf-8")
    assert receive(visit, [table], CONFIG).files == ()
    broken = tmp_path / "broken.csv"
    broken.write_text("file,start_s\ncurl.csv,soon\n", encoding="utf-8")
    assert "broken.csv, line 2: start_s must be a number" in notes_of(receive(visit, [curl, broken], CONFIG))


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(visit: Visit, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("samples.npy", "w") as member:
        for _ in range(2**10 + 1):
            member.write(bytes(2**20))
    assert bomb.stat().st_size < 2_000_000
    assert "bomb.npz unpacks to more than this page takes" in notes_of(receive(visit, [bomb], CONFIG))


def test_a_long_recording_is_drawn_by_its_extremes(visit: Visit, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 1, (1, 60_000))
    samples[0, 31_234] = 90.0
    write_recording(Recording(samples, 1000.0, ("ch1",), "uV"), tmp_path / "long.npz")
    visit = receive(visit, [tmp_path / "long.npz"], CONFIG)
    assert visit.recorded is not None
    channel, points_a_second = visit.recorded.drawn(0)
    assert channel.envelope.size <= MAX_POINTS
    peak = int(np.argmax(channel.envelope))
    assert channel.envelope[peak] > 20  # filtered, yet there
    assert peak / points_a_second == pytest.approx(31.234, abs=0.02)


def test_the_same_upload_serves_two_visitors(visit: Visit, curl: Path, tmp_path: Path) -> None:
    other = Visit(tmp_path / "other")
    other.folder.mkdir()
    assert receive(visit, [curl], CONFIG).recorded is not None
    assert receive(other, [curl], CONFIG).recorded is not None
    assert receive(visit, [curl], CONFIG).files[0] != Dropped(curl)


def test_bad_files_are_sentences_and_the_others_go_on(visit: Visit, curl: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "noise.edf").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "cut.npz").write_bytes(foreign_matrix(tmp_path / "whole.npz").read_bytes()[:3000])
    write_members(tmp_path / "huge.npz", hht=claimed_npy((2**40, 256, 256)))
    names = ("empty.csv", "noise.edf", "picture.png", "cut.npz", "huge.npz")
    visit = receive(visit, [curl, *(tmp_path / name for name in names)], run.recording_config or CONFIG)
    for language in LANGUAGES:
        notes = notes_of(visit, language)
        for name in names:
            assert name in notes
        assert str(visit.folder) not in notes
    assert visit.file is not None and visit.file.path.name == "curl.csv"
    assert answer(visit, run).answered is not None


def test_what_takes_too_much_is_a_sentence(visit: Visit, long_recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def troubles(visit: Visit) -> list[str]:
        return [file.trouble.name for file in visit.files if file.trouble] + [one.name for one in visit.troubles]

    fine = receive(visit, [long_recording], CONFIG)
    assert troubles(fine) == []
    rows = [ManifestRow("long.npz", start_s=i / 10, stop_s=i / 10 + 0.05) for i in range(files.MAX_REPETITIONS + 1)]
    (long_recording.parent / "table.csv").write_text(manifest_text(rows), encoding="utf-8")
    many = receive(visit, [long_recording, long_recording.parent / "table.csv"], CONFIG)
    assert many.files[0].trouble is not None
    assert "long.npz: 501 repetitions; this page takes at most 500" in many.files[0].trouble.values["said"]
    if sys.platform == "linux":
        with monkeypatch.context() as patch:
            patch.setattr(files, "MAX_MEMORY", 2**20)
            (trouble,) = [file.trouble for file in receive(visit, [long_recording], CONFIG).files]
            assert trouble is not None
            assert "long.npz: can't be read as NPZ; Unable to allocate" in trouble.values["said"]
    monkeypatch.setattr(files, "LOOK_S", 0.0)
    monkeypatch.setattr(files, "LOOK_S_A_MB", 0.0)
    assert troubles(receive(visit, [long_recording], CONFIG)) == ["app_too_slow"]


def test_a_drawing_of_many_channels_takes_no_more_than_one_of_those_that_are_looked_at() -> None:
    samples = np.random.default_rng(0).standard_normal((10 * files.MAX_CHANNELS, 50_000))
    drawn = files.envelope(samples)
    assert drawn.size <= files.MAX_POINTS * files.MAX_CHANNELS
    assert drawn.max() == samples.max()
