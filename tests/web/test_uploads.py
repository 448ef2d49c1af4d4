"""Uploaded files: each is read within limits in a process of its own, and a bad one becomes a message."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from builders import claimed_npy, foreign_matrix, write_members
from page_builders import FILTERS, PageVisitor
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.web import uploads
from semg_hht.web.drawn_signal import read_samples
from semg_hht.web.repetition_table import Refused
from semg_hht.web.uploads import ReadFile, StatedFacts, read_upload, safe_name


def read(path: Path, *rows: ManifestRow) -> ReadFile:
    return read_upload(path, StatedFacts(rows), FILTERS, path.parent / "drawn.npy")


def problem(path: Path, *rows: ManifestRow) -> str:
    found = read(path, *rows).problem
    return "" if found is None else f"{found.name} {found.values}"


def test_a_recording_is_kept_with_its_sensor(angled: Path) -> None:
    found = read(angled)
    assert found.recorded is not None
    channels = [(channel.name, channel.units, channel.is_sensor) for channel in found.recorded.channels]
    assert channels == [("biceps", "uV", False), ("angle [deg]", "deg", True)]
    assert len(found.rows) == 4 and found.recorded.emg == [0]
    samples = read_samples(found.recorded.samples)
    assert samples.shape == (2, 8000) and samples[1].max() == pytest.approx(92, abs=1)
    assert samples[0, 1100:1400].std() > 300  # microvolts of an EMG in millivolts


def test_a_table_leads_to_names_alone(tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    table.write_text("file,start_s,stop_s\n/etc/passwd,1,2\n../elsewhere/secret.csv,1,3\n", encoding="utf-8")
    found = read(table).table
    assert found is not None and set(found) == {"passwd", "secret.csv"}
    table.write_text("file,start_s\ncurl.csv,soon\n", encoding="utf-8")
    assert "reps.csv, line 2: start_s must be a number" in problem(table)


def test_a_small_archive_that_unpacks_to_a_huge_one_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("samples.npy", "w") as member,
    ):
        for _ in range(2**10 + 1):
            member.write(bytes(2**20))
    assert bomb.stat().st_size < 5_000_000
    assert problem(bomb) == "app_too_big {'file': 'bomb.npz'}"


def test_invalid_files_get_messages_without_the_folder_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "noise.edf").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "cut.npz").write_bytes(foreign_matrix(tmp_path / "whole.npz").read_bytes()[:3000])
    write_members(tmp_path / "huge.npz", hht=claimed_npy((2**40, 256, 256)))
    for name in ("empty.csv", "noise.edf", "picture.png", "cut.npz", "huge.npz"):
        said = problem(tmp_path / name)
        assert name in said and str(tmp_path) not in said
    assert read(tmp_path / "whole.npz") == ReadFile()


def test_a_file_without_a_rate_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("biceps\n" + "\n".join(str(i % 7 - 3) for i in range(4000)), encoding="utf-8")
    found = read(path)
    assert found.needs_rate and found.problem is not None and found.problem.name == "app_rate_unknown"
    falls = tmp_path / "falls.csv"
    rows = "\n".join(f"{time},{time % 7 - 3}" for time in [*range(2000), *range(1500, 3000)])
    falls.write_text(f"time,biceps\n{rows}", encoding="utf-8")
    doubtful = read(falls)
    assert doubtful.needs_rate and doubtful.problem is not None and "must increase" in doubtful.problem.values["said"]
    again = read_upload(path, StatedFacts(rate_hz=1000.0, units="mV"), FILTERS, tmp_path / "drawn.npy")
    assert again.recorded is not None and (again.recorded.rate_hz, again.recorded.units) == (1000.0, "uV")


def test_a_file_that_needs_too_much_gets_a_message(angled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ManifestRow("angled.npz", start_s=i / 40, stop_s=i / 40 + 0.05) for i in range(501)]
    assert "app_too_many_repetitions" in problem(angled, *rows)
    assert "app_outside {'row': 1, 'found': '5000'" in problem(angled, ManifestRow("angled.npz", stop_s=5000.0))
    if sys.platform == "linux":
        with monkeypatch.context() as patch:
            patch.setattr(uploads, "MAX_READ_BYTES", 2**12)
            assert "app_" in problem(angled)
    monkeypatch.setattr(uploads, "READ_TIMEOUT_S", 0.0)
    monkeypatch.setattr(uploads, "READ_TIMEOUT_S_PER_MB", 0.0)
    assert problem(angled) == "app_too_slow {'file': 'angled.npz'}"


def test_a_name_can_not_lead_out_of_the_folder_of_a_visit() -> None:
    names = {"../../a.csv": "a.csv", "C:\\Users\\a b.csv": "a b.csv", "/etc/passwd": "passwd", "a\x00b.csv": "ab.csv",
             "膝.csv": "膝.csv", "x" * 300 + ".csv": "x" * 116 + ".csv"}  # fmt: skip
    assert {name: safe_name(name) for name in names} == names
    for name in ("", "..", "/", ".hidden", "a/.reps.csv", "\x00", "膝" * 100 + ".csv"):
        with pytest.raises(Refused, match="app_bad_name"):
            safe_name(name)


def test_a_fault_of_the_reader_is_a_message_and_no_file_that_is_read_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(200_000))
    assert "NUL bytes" in problem(path)

    def broken(*_: object, **__: object) -> ReadFile:
        raise ZeroDivisionError

    monkeypatch.setattr(uploads, "run_isolated", broken)
    assert problem(path).startswith("app_failed")


def test_a_rate_is_asked_for_where_the_times_can_not_be_used(visitor: PageVisitor, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(4000) / 1000
    time_s[2000:] -= 0.5  # the clock was put back
    lines = [f"{at:.6f},{sample:.4f}" for at, sample in zip(time_s, rng.standard_normal(4000), strict=True)]
    (tmp_path / "back.csv").write_text("\n".join(["time_s,biceps [mV]", *lines]), encoding="utf-8")
    file = visitor.drop(tmp_path / "back.csv")
    assert file["kind"] == "failed" and file["needs"] == "rate"
    assert file["problem"].endswith("state it: the times are then ignored") and "rate_hz" not in file["problem"]
    visitor.post("about", file=file["id"], rate_hz=1000)
    assert visitor.files[0]["kind"] == "recording" and visitor.files[0]["rate_hz"] == 1000
