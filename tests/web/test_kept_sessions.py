"""Sessions are kept in a folder; two who work on the same one both keep what they have and are told."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from page_builders import FILTERS, PageVisitor, described, page_of, written
from semg_hht.prediction.run import Run
from semg_hht.web import editing, kept_sessions
from semg_hht.web.kept_sessions import KeptSessions
from semg_hht.web.page_steps import Page
from semg_hht.web.repetition_table import Problem
from semg_hht.web.uploads import ReadFile
from semg_hht.web.visit import Visit
from semg_hht.web.visitors import Visitors

MOST = 10_000_000


@pytest.fixture
def page(visitors: Visitors, run: Run, tmp_path: Path) -> Page:
    page = page_of(visitors, run)
    page.kept = KeptSessions(tmp_path / "kept")
    return page


def both_open(page: Page, curl: Path) -> tuple[str, PageVisitor, PageVisitor]:
    """The name of a kept session that two visitors opened."""
    PageVisitor(page).drop(curl)
    page.keep_house()
    assert page.kept is not None
    (name,) = page.kept.names()
    ana, ben = PageVisitor(page), PageVisitor(page)
    ana.post("open", name=name)
    ben.post("open", name=name)
    return name, ana, ben


def test_opening_a_kept_session_does_not_write_it(page: Page, curl: Path) -> None:
    name, _, _ = both_open(page, curl)
    assert page.kept is not None
    before = page.kept.path(name).stat()
    page.keep_house()
    assert page.kept.names() == [name] and page.kept.path(name).stat() == before


@pytest.mark.parametrize("choice", ["open_instead", "go_on"])
def test_the_second_writer_of_a_session_is_told_and_nothing_is_lost(page: Page, curl: Path, choice: str) -> None:
    name, ana, ben = both_open(page, curl)
    assert page.kept is not None
    ana.post("about", file=1, note="of Ana")
    page.keep_house()
    ben.post("about", file=1, note="of Ben")
    page.keep_house()
    state = ben.client.get("/api/state").json()
    assert state["changed"] > ben.state["changed"]
    (conflict,) = state["conflicts"]
    assert conflict["name"] == name and sorted(page.kept.names()) == sorted([name, conflict["copy"]])
    ben.post(choice, name=name)
    assert ben.state["conflicts"] == []
    (file,) = ben.files
    assert file["about"]["note"] == ("of Ana" if choice == "open_instead" else "of Ben")
    ben.post("about", file=file["id"], note="of Ben, later")
    ana.post("about", file=1, note="of Ana, later")
    page.keep_house()
    assert ana.client.get("/api/state").json()["conflicts"] == [] or choice == "open_instead"
    notes = set()
    for kept in page.kept.names():
        other = PageVisitor(page)
        other.post("open", name=kept)
        notes.add(other.files[0]["about"]["note"])
    assert notes >= {"of Ben, later", "of Ana, later"} and (choice == "go_on" or "of Ben" in notes)
    ben.post(choice, 400, name=conflict["copy"])


def test_sessions_are_kept_where_the_owner_names_a_folder(page: Page, curl: Path, tmp_path: Path) -> None:
    visitor = PageVisitor(page)
    visitor.drop(curl)
    visitor.post("about", file=1, person="P1", date="2026-11-02")
    page.keep_house()
    visitor.post("keep")
    (name,) = visitor.state["kept"]
    assert name.startswith("P1_2026-11-02_") and visitor.state["keeps"] == "kept"
    later = PageVisitor(page)
    later.post("open", name=name)
    assert later.files[0]["about"]["person"] == "P1" and later.files[0]["name"] == "curl.csv"
    later.post("about", file=1, note="better")
    page.keep_house()
    assert [path.name for path in (tmp_path / "kept").glob("*.zip")] == [f"{name}.semg.zip"]
    for other in ("../kept/" + name, name + ".semg.zip", "", 5):
        later.post("open", 400, name=other)


def test_a_session_that_can_not_be_kept_does_not_end_the_server(
    page: Page, curl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page.kept is not None
    visitor = PageVisitor(page)
    visitor.drop(curl)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(kept_sessions, "write_session", full)
        page.keep_house()
        assert "the disk is full" in visitor.post("keep", 400)["error"]
        (told,) = visitor.client.get("/api/state").json()["problems"]
        assert told.startswith("Your last changes are not kept yet") and "the disk is full" in told
    page.keep_house()
    assert visitor.client.get("/api/state").json()["problems"] == []
    assert len(page.kept.names()) == 1


def test_a_kept_session_is_not_written_again_without_what_could_not_be_read(
    visit: Visit, angled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptSessions(tmp_path / "kept")
    path = kept.folder / "P1_a.semg.zip"
    content = described(name="angled.npz")
    content["files"].append({**content["files"][0], "name": "other.npz"})
    written(tmp_path, **{"session.json": content, "data": angled.read_bytes()}).rename(path)
    before, add = path.read_bytes(), editing.add

    def slow(*arguments: Any) -> int:
        number = add(*arguments)
        kept.keep(visit)  # while half of it is here
        return number

    monkeypatch.setattr(editing, "add", slow)
    kept.open(visit, "P1_a", FILTERS, max_bytes=MOST)
    assert path.read_bytes() == before and kept.names() == ["P1_a"]
    assert [file.kept for file in visit.files.values()] == ["P1_a", "P1_a"]
    monkeypatch.setattr(editing, "read_upload", lambda *_: ReadFile(problem=Problem("app_too_slow", {"file": "x"})))
    kept.open(visit, "P1_a", FILTERS, max_bytes=MOST)
    assert [file.kept for file in visit.files.values()] == ["P1_a", "P1_a", "", ""]
