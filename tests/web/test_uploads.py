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
from semg_hht.web import uploads
from semg_hht.web.uploads import MAX_POINTS, UploadedFile
from semg_hht.web.visit import Visit, answer, receive


def test_a_table_with_times_outside_the_recording_gets_a_message(visit: Visit, curl: Path, tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    table.write_text("file,start_s,stop_s\ncurl.csv,1,2\ncurl.csv,5,5000\n", encoding="utf-8")
    assert "row 2 of its table says 5000 s; expected times within" in notes_of(receive(visit, [curl, table], CONFIG))


def test_a_table_does_not_lead_to_files_that_were_not_uploaded(visit: Visit, curl: Path, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.parent.mkdir()
    shutil.copy(curl, secret)
    table = tmp_path / "reps.csv"
    table.write_text(f"file,start_s,stop_s\n{secret},1,2\n../elsewhere/secret.csv,1,3\n", encoding="utf-8")
    assert receive(visit, [table], CONFIG).files == ()
    broken = tmp_path / "broken.csv"
    broken.write_text("file,start_s\ncurl.csv,soon\n", encoding="utf-8")
    assert "broken.csv, line 2: start_s must be a number" in notes_of(receive(visit, [curl, broken], CONFIG))


def test_a_small_archive_that_unpacks_to_a_huge_one_is_refused(visit: Visit, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("samples.npy", "w") as member:
        for _ in range(2**10 + 1):
            member.write(bytes(2**20))
    assert bomb.stat().st_size < 2_000_000
    assert "bomb.npz is larger after unpacking than this page accepts" in notes_of(receive(visit, [bomb], CONFIG))


def test_a_long_recording_is_drawn_by_its_extremes(visit: Visit, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 1, (1, 60_000))
    samples[0, 31_234] = 90.0
    write_recording(Recording(samples, 1000.0, ("ch1",), "uV"), tmp_path / "long.npz")
    visit = receive(visit, [tmp_path / "long.npz"], CONFIG)
    assert visit.recorded is not None
    channel, points_per_s = visit.recorded.drawn(0)
    assert channel.extremes.size <= MAX_POINTS
    peak = int(np.argmax(channel.extremes))
    assert channel.extremes[peak] > 20  # the peak survives the filter
    assert peak / points_per_s == pytest.approx(31.234, abs=0.02)


def test_two_visitors_can_send_the_same_file(visit: Visit, curl: Path, tmp_path: Path) -> None:
    other = Visit(tmp_path / "other")
    other.folder.mkdir()
    assert receive(visit, [curl], CONFIG).recorded is not None
    assert receive(other, [curl], CONFIG).recorded is not None
    assert receive(visit, [curl], CONFIG).files[0] != UploadedFile(curl)


def test_invalid_files_get_messages_and_the_others_are_used(visit: Visit, curl: Path, run: Run, tmp_path: Path) -> None:
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


def test_a_file_that_needs_too_much_gets_a_message(
    visit: Visit, long_recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(visit: Visit) -> list[str]:
        return [file.problem.name for file in visit.files if file.problem] + [
            problem.name for problem in visit.problems
        ]

    fine = receive(visit, [long_recording], CONFIG)
    assert problems(fine) == []
    rows = [ManifestRow("long.npz", start_s=i / 10, stop_s=i / 10 + 0.05) for i in range(uploads.MAX_REPETITIONS + 1)]
    (long_recording.parent / "table.csv").write_text(manifest_text(rows), encoding="utf-8")
    many = receive(visit, [long_recording, long_recording.parent / "table.csv"], CONFIG)
    assert many.files[0].problem is not None
    assert "long.npz: 501 repetitions; this page takes at most 500" in many.files[0].problem.values["said"]
    if sys.platform == "linux":
        with monkeypatch.context() as patch:
            patch.setattr(uploads, "MAX_READ_BYTES", 2**20)
            (problem,) = [file.problem for file in receive(visit, [long_recording], CONFIG).files]
            assert problem is not None
            assert "long.npz: can't be read as NPZ; Unable to allocate" in problem.values["said"]
    monkeypatch.setattr(uploads, "READ_TIMEOUT_S", 0.0)
    monkeypatch.setattr(uploads, "READ_TIMEOUT_S_PER_MB", 0.0)
    assert problems(receive(visit, [long_recording], CONFIG)) == ["app_too_slow"]


def test_many_channels_are_drawn_with_fewer_points_each() -> None:
    samples = np.random.default_rng(0).standard_normal((10 * uploads.MAX_CHANNELS, 50_000))
    drawn = uploads.extremes(samples)
    assert drawn.size <= uploads.MAX_POINTS * uploads.MAX_CHANNELS
    assert drawn.max() == samples.max()
