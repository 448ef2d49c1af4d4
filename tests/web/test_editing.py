"""The steps that change files: one bad file costs only itself, and a fact of one file is of no other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from page_builders import FILTERS
from semg_hht.web import editing
from semg_hht.web.repetition_table import Refused
from semg_hht.web.visit import MAX_FILES, Visit, VisitFile


def add(visit: Visit, path: Path, name: str = "") -> VisitFile:
    stored = visit.folder / "upload-1"
    shutil.copy(path, stored)
    number = editing.add(visit, stored, name or path.name, FILTERS)
    return visit.files.get(number) or VisitFile(number, path)


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_files_are_added_and_one_bad_file_costs_only_itself(visit: Visit, curl: Path, tmp_path: Path) -> None:
    add(visit, curl)
    add(visit, text(tmp_path / "bad.csv", "nothing"))
    add(visit, curl)
    assert [(f.number, f.name, f.problem is None) for f in visit.files.values()] == [
        (1, "curl.csv", True), (2, "bad.csv", False), (3, "curl (2).csv", True)]  # fmt: skip
    visit.remove(2)
    assert list(visit.files) == [1, 3] and not (visit.recordings / "bad.csv").exists()
    visit.files |= {number: visit.files[1] for number in range(10, 10 + MAX_FILES)}
    with pytest.raises(Refused, match="app_too_many_files"):
        add(visit, curl)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_table_states_repetitions_before_and_after_its_recording(
    visit: Visit, curl: Path, tmp_path: Path, is_first: bool
) -> None:
    table = text(
        tmp_path / "reps.csv", "file,subject,start_s,stop_s,movement\nx/curl.csv,P1,1,2,half\ngone.csv,P2,1,2,\n"
    )
    for path in (table, curl) if is_first else (curl, table):
        add(visit, path)
        if path is table:
            assert "gone.csv" in visit.problems[0].values["names"]
    assert [problem.name for problem in visit.problems] == ["app_table_waits"]  # for gone.csv, whatever else comes
    (file,) = visit.files.values()
    assert [(row.start_s, row.stop_s, row.movement) for row in file.rows] == [(1.0, 2.0, "half")]
    assert file.about.person == "P1" and file.measured is not None and len(file.measured.rms) == 1
    editing.find_again(visit, file.number, FILTERS)
    assert len(visit.files[file.number].rows) == 3
    add(visit, text(tmp_path / "wrong.csv", "file,start_s,stop_s\ncurl.csv,1,5000\n"))
    assert visit.problems[-1].name == "app_in_table" and len(visit.files[file.number].rows) == 3
    add(visit, text(tmp_path / "other.csv", "file,start_s,stop_s\nabsent.csv,1,2\n"))
    told = [problem.values["file"] for problem in visit.problems]
    assert told == ["reps.csv", "wrong.csv", "other.csv"]  # what is wrong with one table does not hide another
    add(visit, text(tmp_path / "wrong.csv", "file,start_s,stop_s\ncurl.csv,1,2\n"))
    assert [problem.values["file"] for problem in visit.problems] == ["reps.csv", "other.csv"]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_row_without_times_labels_all_repetitions_of_its_recording(
    visit: Visit, curl: Path, tmp_path: Path, is_first: bool
) -> None:
    table = text(tmp_path / "manifest.csv", "file,subject,muscle,movement\ncurl.csv,P1,biceps,half\n")
    for path in (table, curl) if is_first else (curl, table):
        add(visit, path)
    (file,) = visit.files.values()
    assert [row.movement for row in file.rows] == ["half"] * 3
    assert (file.about.person, file.about.muscle) == ("P1", "biceps")


@pytest.mark.parametrize("is_first", [True, False])
def test_the_rate_in_a_table_holds_whether_it_comes_before_or_after_the_recording(
    visit: Visit, tmp_path: Path, is_first: bool
) -> None:
    plain = text(tmp_path / "plain.csv", "biceps\n" + "\n".join(str((i * 37) % 11 - 5) for i in range(4000)))
    table = text(tmp_path / "manifest.csv", "file,subject,movement,rate_hz\nplain.csv,P2,full,1000\n")
    for path in (table, plain) if is_first else (plain, table):
        add(visit, path)
    (file,) = visit.files.values()
    assert file.recorded is not None and file.recorded.duration_s == pytest.approx(4, abs=0.01)
    assert file.about.person == "P2" and visit.problems == () and len(list(visit.drawn.iterdir())) == 1


@pytest.mark.parametrize("is_first", [True, False])
def test_a_table_corrects_the_rate_that_a_recording_states(visit: Visit, real_data: Path, is_first: bool) -> None:
    folder = real_data / "elbow_flexors"  # NT-03.mat states 20000 Hz, its table 2000
    names = ["manifest.csv", "NT-03.mat"]
    for name in names if is_first else names[::-1]:
        add(visit, folder / name)
    (file,) = visit.files.values()
    assert file.recorded is not None and file.recorded.rate_hz == 2000 and file.recorded.duration_s > 45
    assert {row.movement for row in file.rows} == {"neutral"}


def test_a_table_that_comes_while_its_recording_is_read_is_used(
    visit: Visit, curl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = text(tmp_path / "manifest.csv", "file,subject,movement\ncurl.csv,P1,half\n")
    read = editing.read_upload

    def meanwhile(path: Path, *arguments: Any) -> Any:
        found = read(path, *arguments)
        if path.name == "curl.csv":
            monkeypatch.setattr(editing, "read_upload", read)
            add(visit, table)
        return found

    monkeypatch.setattr(editing, "read_upload", meanwhile)
    add(visit, curl)
    (file,) = visit.files.values()
    assert [row.movement for row in file.rows] == ["half"] * 3 and len(list(visit.drawn.iterdir())) == 1


def test_the_rate_of_one_file_is_never_that_of_the_next(visit: Visit, tmp_path: Path) -> None:
    path = text(tmp_path / "plain.csv", "biceps\n" + "\n".join(str((i * 37) % 11 - 5) for i in range(4000)))
    first, second = add(visit, path), add(visit, path)
    assert first.needs_rate and second.needs_rate
    editing.describe(visit, first.number, {"rate_hz": "1000"}, FILTERS)
    known, other = visit.files[first.number], visit.files[second.number]
    assert known.recorded is not None and known.recorded.rate_hz == 1000.0 and not known.needs_rate
    assert other.needs_rate and other.about.rate_hz is None
    assert add(visit, path).needs_rate


def test_a_reading_leaves_the_drawn_channels_of_the_one_before_untouched(visit: Visit, curl: Path) -> None:
    """A file that another thread has mapped must not be cut: the system would end the server."""
    file = add(visit, curl)
    assert file.recorded is not None
    with file.recorded.samples.open("rb") as held:
        before = os.fstat(held.fileno())
        editing.find_again(visit, file.number, FILTERS)
        after = os.fstat(held.fileno())
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    again = visit.files[file.number]
    assert again.recorded is not None and list(visit.drawn.iterdir()) == [again.recorded.samples]


def test_of_two_readings_the_one_with_the_stated_rate_counts(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = text(tmp_path / "plain.csv", "biceps\n" + "\n".join(str((i * 37) % 11 - 5) for i in range(4000)))
    number = add(visit, path).number
    read_upload = editing.read_upload

    def slow(*arguments: Any) -> Any:
        monkeypatch.setattr(editing, "read_upload", read_upload)
        read = read_upload(*arguments)
        editing.describe(visit, number, {"rate_hz": 2000}, FILTERS)  # corrected while the file was being read
        return read

    monkeypatch.setattr(editing, "read_upload", slow)
    editing.describe(visit, number, {"rate_hz": 1000}, FILTERS)
    file = visit.files[number]
    assert file.about.rate_hz == 2000 and file.recorded is not None and file.recorded.rate_hz == 2000
    assert list(visit.drawn.iterdir()) == [file.recorded.samples]


def test_a_file_that_is_removed_while_it_is_read_leaves_nothing(
    visit: Visit, curl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_upload = editing.read_upload

    def removed(*arguments: Any) -> Any:
        read = read_upload(*arguments)
        visit.remove(1)
        return read

    monkeypatch.setattr(editing, "read_upload", removed)
    add(visit, curl)
    assert not visit.files and not [*visit.drawn.iterdir(), *visit.recordings.iterdir()]


@pytest.mark.parametrize(
    ("stated", "name"),
    [({"rate_hz": "fast"}, "app_bad_rate"), ({"rate_hz": -1}, "app_bad_rate"), ({"rate_hz": "nan"}, "app_bad_rate"),
     ({"units": "furlong"}, "app_bad_units"), ({"date": "yesterday"}, "app_bad_date")],
)  # fmt: skip
def test_a_fact_that_can_not_be_used_changes_nothing(
    visit: Visit, curl: Path, stated: dict[str, Any], name: str
) -> None:
    file = add(visit, curl)
    with pytest.raises(Refused, match=name):
        editing.describe(visit, file.number, {"person": "P1", **stated}, FILTERS)
    assert visit.files[file.number] == file


def test_a_maximum_is_of_a_person_and_gives_shares_of_it(visit: Visit, angled: Path) -> None:
    first, second, third = (add(visit, angled) for _ in range(3))
    for file, person in ((first, "P1"), (second, "P1"), (third, "P2")):
        editing.describe(visit, file.number, {"person": person, "date": "2026-11-28"}, FILTERS)
    editing.set_maximum(visit, first.number, second.number, 1.9, 3.1)
    for file, has in ((first, True), (second, True), (third, False)):
        own = visit.files[file.number].measured
        assert own is not None and bool(own.percent_mvc) is has
        if has:
            assert all(70 < share[0] < 100 for share in own.percent_mvc)
    with pytest.raises(Refused, match="app_outside"):
        editing.set_maximum(visit, first.number, second.number, 1.0, 100.0)
    editing.describe(visit, third.number, {"person": "P1"}, FILTERS)
    assert (own := visit.files[third.number].measured) is not None and own.percent_mvc
    visit.remove(second.number)
    assert visit.maxima == {}
    assert [f.measured is not None and f.measured.percent_mvc for f in visit.files.values()] == [(), ()]


def test_a_maximum_does_not_outlive_the_rate_that_its_times_are_of(visit: Visit, tmp_path: Path) -> None:
    path = text(tmp_path / "plain.csv", "biceps\n" + "\n".join(str((i * 37) % 11 - 5) for i in range(8000)))
    first, second = add(visit, path), add(visit, path)
    for file in (first, second):
        editing.describe(visit, file.number, {"rate_hz": 1000, "person": "P1"}, FILTERS)
        rows = [{"start_s": 1, "stop_s": 2}]
        editing.set_repetitions(visit, file.number, rows)
    editing.set_maximum(visit, first.number, second.number, 5.0, 7.0)
    assert (own := visit.files[first.number].measured) is not None and own.percent_mvc
    editing.find_again(visit, second.number, FILTERS)
    assert visit.maxima
    editing.describe(visit, second.number, {"rate_hz": 2000}, FILTERS)
    assert visit.maxima == {}
    assert (own := visit.files[first.number].measured) is not None and own.percent_mvc == ()


def test_labels_come_from_the_sensor_and_those_of_a_person_stay(visit: Visit, angled: Path) -> None:
    file = add(visit, angled)
    items = [
        {"start_s": r.start_s, "stop_s": r.stop_s, "label": "invalid" if i == 0 else ""}
        for i, r in enumerate(file.rows)
    ]
    editing.set_repetitions(visit, file.number, items)
    editing.label_from_sensor(visit, file.number, "angle [deg]")
    rows = visit.files[file.number].rows
    assert [row.movement for row in rows] == ["invalid", "full", "half", "full"]
    assert [row.extra["labelled_by"] for row in rows] == ["person", "sensor", "sensor", "sensor"]
    with pytest.raises(Refused, match="app_says") as refused:
        editing.label_from_sensor(visit, file.number, "no such channel")
    assert str(visit.folder) not in refused.value.problem.values["said"]


def test_a_label_that_a_person_sets_while_a_sensor_is_read_stays(
    visit: Visit, angled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(visit, angled)
    run_isolated = editing.run_isolated

    def slow(*arguments: Any, **limits: Any) -> Any:
        rows = [{"start_s": r.start_s, "stop_s": r.stop_s, "label": "invalid"} for r in file.rows]
        editing.set_repetitions(visit, file.number, rows)
        return run_isolated(*arguments, **limits)

    monkeypatch.setattr(editing, "run_isolated", slow)
    with pytest.raises(Refused, match="app_changed_meanwhile"):
        editing.label_from_sensor(visit, file.number, "angle [deg]")
    assert {row.movement for row in visit.files[file.number].rows} == {"invalid"}


def test_a_header_and_its_signals_are_one_file(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(bytes(range(1, 251)) * 80)
    text(tmp_path / "a.hea", "a 1 1000 10000\na.dat 16 200/mV 16 0 0 0 0 biceps\n")
    for names in (("a.hea", "a.dat"), ("a.dat", "a.hea")):
        visit.files.clear()
        for path in visit.recordings.iterdir():
            path.unlink()
        for name in names:
            add(visit, tmp_path / name)
        assert [f.problem for f in visit.files.values()] == [None], names
