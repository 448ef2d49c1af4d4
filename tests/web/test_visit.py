"""A visit holds files under numbers that stay, and says which repetitions it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from semg_hht.recordings.manifest import ManifestRow
from semg_hht.web.repetition_table import Problem, Refused
from semg_hht.web.visit import About, Channel, Maximum, ReadRecording, Visit, VisitFile


def recorded(visit: Visit, number: int, person: str = "") -> VisitFile:
    path = visit.next_path("a.csv")
    path.write_text("1", encoding="utf-8")
    samples = visit.drawn / f"{number}.npy"
    samples.write_text("1", encoding="utf-8")
    row = ManifestRow(path.name, rate_hz=1000.0)
    found = ReadRecording(row, samples, 1000.0, 9.0, (Channel("ch1", "uV", False),), 0, "uV", ())
    about = About(person=person, date="2026-11-28", muscle="biceps", side="left")
    return VisitFile(number, path, about, found, rows=(replace(row, start_s=1.0, stop_s=2.0, movement="full"),))


def test_the_table_states_what_the_visitor_stated(visit: Visit) -> None:
    visit.put(recorded(visit, 1, "P1"))
    visit.put(replace(recorded(visit, 2), rows=()))
    visit.put(VisitFile(3, Path("bad.csv"), problem=Problem("app_says")))
    header, first, second = visit.table().splitlines()
    assert first.startswith("a.csv,P1,2026-11-28,,left biceps,full,,1000,,1,2,")
    assert second.startswith("a (2).csv,,2026-11-28,,left biceps,,,1000,,,,")
    assert visit.changed == 3
    assert Visit(visit.folder).table() == ""


@pytest.mark.parametrize("number", [2, "1", None, [1], 1.5])
def test_a_number_that_is_not_here_is_refused(visit: Visit, number: object) -> None:
    visit.put(recorded(visit, 1))
    with pytest.raises(Refused, match="app_no_such_file"):
        visit.recording(number)


def test_removing_a_file_removes_what_was_kept_of_it(visit: Visit) -> None:
    first, second = recorded(visit, 1, "P1"), recorded(visit, 2, "P1")
    visit.put(first)
    visit.put(second)
    visit.maxima = {"P1": Maximum(2, 0.0, 1.0)}
    assert visit.maximum(first) == Maximum(2, 0.0, 1.0)
    visit.remove(2)
    assert visit.maximum(first) is None and list(visit.files) == [1]
    assert len(list(visit.recordings.iterdir())) == len(list(visit.drawn.iterdir())) == 1
