"""A session is saved and opened again; what a stranger wrote into one leads nowhere."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page_builders import FILTERS, PageVisitor, described, page_of, written
from semg_hht.prediction.run import Run
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.reports.words import read_words
from semg_hht.web.repetition_table import Refused
from semg_hht.web.session_file import open_session
from semg_hht.web.uploads import RESERVED_BYTES
from semg_hht.web.view import sentence
from semg_hht.web.visit import Visit
from semg_hht.web.visitors import Visitors

MOST = 10_000_000


def test_a_session_is_reopened_as_it_was(visitor: PageVisitor, angled: Path, run: Any) -> None:
    visitor.drop(angled)
    visitor.drop(angled)
    visitor.post("about", file=1, person="王", date="2026-11-02", muscle="biceps", side="left", note="a\nb")
    visitor.post("from_sensor", file=1, sensor="angle [deg]")
    visitor.post("repetitions", file=2, repetitions=[{"start_s": 1, "stop_s": 2, "label": "my own"}])
    visitor.post("maximum", file=1, of=2, start_s=1.9, stop_s=3.1)
    saved = visitor.client.get("/api/session").content
    assert set(zipfile.ZipFile(io.BytesIO(saved)).namelist()) == {"session.json", "recordings/0", "recordings/1"}
    before = visitor.files
    for file in (1, 2):
        visitor.post("remove", file=file)
    answer = visitor.client.post("/api/file?name=again.semg.zip", content=saved)
    assert answer.status_code == 200
    after = answer.json()["files"]
    for one, other in zip(before, after, strict=True):
        for name in ("name", "about", "repetitions", "trends"):
            assert one[name] == other[name]
    assert after[0]["maximum"] == {**before[0]["maximum"], "of": after[1]["id"]}


def test_the_rate_and_the_units_of_a_table_are_saved(
    visitors: Visitors, run: Run, angled: Path, tmp_path: Path
) -> None:
    recording = read_recording(angled)
    fast = replace(recording, rate_hz=10 * recording.rate_hz, units="")
    write_recording(fast, tmp_path / "fast.npz")
    (tmp_path / "mine.csv").write_text(f"file,rate_hz,units\nfast.npz,{recording.rate_hz:g},mV\n", encoding="utf-8")
    page = page_of(visitors, run)
    first, later = PageVisitor(page), PageVisitor(page)
    first.drop(tmp_path / "mine.csv")
    first.drop(tmp_path / "fast.npz")
    first.post("answer")
    assert first.wait()["error"] == "" and first.files[0]["answered"]
    (before,) = first.files
    assert before["rate_hz"] == recording.rate_hz and before["units"] == "uV"
    saved = first.client.get("/api/session").content
    (after,) = later.client.post("/api/file?name=again.semg.zip", content=saved).json()["files"]
    for name in ("rate_hz", "units", "duration_s", "repetitions", "answered"):
        assert after[name] == before[name], name


@pytest.mark.parametrize(
    "content",
    [
        {"version": 2, "files": []}, {"files": []}, [], None, {"version": 1, "files": [5]},
        described(member="nowhere"), described(name=5), described(name="../../.bashrc"),
        {"version": 1, "files": [described()["files"][0]] * 61}, described(maximum="x" * 4),
    ],
)  # fmt: skip
def test_a_session_that_is_none_is_refused(visit: Visit, tmp_path: Path, content: Any) -> None:
    path = written(tmp_path, **{"session.json": content, "data": b"time_s,a\n0,1\n"})
    with pytest.raises(Refused, match="app_no_session|app_too_many_files|app_bad_name"):
        open_session(visit, path, FILTERS, max_bytes=MOST)
    (tmp_path / "y.semg.zip").write_bytes(path.read_bytes()[:60])
    with pytest.raises(Refused, match="app_no_session"):
        open_session(visit, tmp_path / "y.semg.zip", FILTERS, max_bytes=MOST)


def test_a_session_that_is_none_is_called_by_the_name_that_the_visitor_gave_it(
    visitor: PageVisitor, tmp_path: Path
) -> None:
    later = written(tmp_path, **{"session.json": {"version": 2, "files": []}}).read_bytes()
    for content in (b"no zip", later):
        answer = visitor.client.post("/api/file?name=mine.semg.zip", content=content)
        assert answer.json()["error"] == "mine.semg.zip is not a session that this page can open."


@pytest.mark.parametrize("what", ["stream", "method"])
def test_a_damaged_session_is_refused(visit: Visit, tmp_path: Path, what: str) -> None:
    path = written(tmp_path, **{"session.json": described(), "data": b"1,2\n" * 1000})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("session.json").header_offset
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\1\2")
    if what == "stream":  # 30 bytes of the local header and the name come before the deflated bytes
        content[start + 30 + len("session.json")] = 0xFF
    else:
        content[directory + 10 : directory + 12] = (97).to_bytes(2, "little")  # no method of zipfile
    path.write_bytes(content)
    with pytest.raises(Refused, match="app_no_session"):
        open_session(visit, path, FILTERS, max_bytes=MOST)
    assert not visit.files and not list(visit.recordings.iterdir())


def test_names_of_a_session_lead_nowhere_and_its_size_is_bounded(visit: Visit, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    path = written(tmp_path, **{"session.json": described(name=f"../../{outside}"), "data": b"a"})
    open_session(visit, path, FILTERS, max_bytes=MOST)
    assert not outside.exists() and (visit.recordings / "outside.csv").exists()
    bomb = written(tmp_path, **{"session.json": described(), "data": bytes(MOST + 1)})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(Refused, match="app_session_too_big"):
        open_session(visit, bomb, FILTERS, max_bytes=MOST)
    assert [path.name for path in visit.folder.iterdir() if path.is_file()] == []


def test_a_session_of_several_large_files_is_opened_again(visitors: Visitors, run: Run, tmp_path: Path) -> None:
    page = page_of(visitors, run)
    page.max_upload = 200_000
    visitor = PageVisitor(page)
    rng = np.random.default_rng(0)
    for name in ("a.npz", "b.npz"):
        recording = Recording(rng.standard_normal((1, 20_000)), 1000.0, ("biceps",), "mV", "x")
        write_recording(recording, tmp_path / name)
        visitor.drop(tmp_path / name)
    saved = visitor.client.get("/api/session").content
    assert page.max_upload < len(saved) < page.max_stored
    assert visitor.client.post("/api/file?name=a.npz", content=saved).status_code == 413
    for file in (1, 2):
        visitor.post("remove", file=file)
    answer = visitor.client.post("/api/file?name=all.semg.zip", content=saved)
    assert answer.status_code == 200 and [file["name"] for file in answer.json()["files"]] == ["a.npz", "b.npz"]
    assert visitor.client.post("/api/file?name=x.semg.zip", content=bytes(page.max_stored + 1)).status_code == 413


def test_a_session_leaves_the_disk_its_reserve_and_has_the_room_that_a_visit_has_left(
    visitor: PageVisitor, curl: Path, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, **{"session.json": described(), "data": bytes(15_000_000)})
    visitor.drop(curl)
    for _ in range(3):
        assert visitor.client.post("/api/file?name=x.semg.zip", content=path.read_bytes()).status_code == 200
    answer = visitor.client.post("/api/file?name=x.semg.zip", content=path.read_bytes())
    assert "larger than this page accepts" in answer.json()["error"]
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, RESERVED_BYTES + 1000))
    with pytest.raises(Refused, match="app_disk_full"):
        open_session(visit, path, FILTERS, max_bytes=10**9)
    assert [path.name for path in visit.folder.iterdir() if path.is_file()] == []
    assert "no space left" in visitor.client.get("/api/session").json()["error"]


@pytest.mark.parametrize("name", ["..", "a.csv"])
def test_a_session_that_can_not_be_opened_leaves_no_file(visit: Visit, tmp_path: Path, name: str) -> None:
    content = described(name=name)
    content["files"].append({"name": "b.csv", "member": "data"})  # without what it is about
    with pytest.raises(Refused):
        open_session(visit, written(tmp_path, **{"session.json": content, "data": b"a"}), FILTERS, max_bytes=MOST)
    assert [path.name for path in visit.folder.iterdir() if path.is_file()] == []


def test_repetitions_of_a_session_are_checked_as_drawn_ones(visit: Visit, angled: Path, tmp_path: Path) -> None:
    bad = [{"start_s": 1, "stop_s": 9e9, "label": "x", "extra": {"confidence": "<b>"}}]
    content = described(name="angled.npz", repetitions=bad, about={"date": "2026-01-01", "person": "P" * 500})
    path = written(tmp_path, **{"session.json": content, "data": angled.read_bytes()})
    open_session(visit, path, FILTERS, max_bytes=MOST)
    (file,) = visit.files.values()
    assert len(file.rows) == 4 and visit.problems[0].name == "app_in_table" and len(file.about.person) == 60


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "no space left"), (errno.EACCES, "Permission denied"), (errno.EIO, "Input/output error"),
     (errno.EINVAL, "is not a session")],
)  # fmt: skip
def test_what_the_computer_can_not_do_is_not_blamed_on_the_session(
    visit: Visit, angled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    path = written(tmp_path, **{"session.json": described(name="a.npz"), "data": angled.read_bytes()})
    written_to = Path.open

    def fails(self: Path, mode: str = "r", *how: Any, **others: Any) -> Any:
        if "w" in mode and self.parent == visit.folder:
            raise OSError(number, os.strerror(number))
        return written_to(self, mode, *how, **others)

    monkeypatch.setattr(Path, "open", fails)
    with pytest.raises(Refused) as refused:
        open_session(visit, path, FILTERS, max_bytes=MOST)
    assert said in sentence(refused.value.problem, read_words("en"))
    assert not visit.files and list(visit.recordings.iterdir()) == []


def test_a_stream_of_another_method_that_is_damaged_is_refused(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "x.semg.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("session.json", json.dumps(described()) * 50)
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(range(200, 230))
    path.write_bytes(content)
    with pytest.raises(Refused, match="app_no_session"):
        open_session(visit, path, FILTERS, max_bytes=MOST)
