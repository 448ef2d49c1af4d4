"""Tests of the file names of matrices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from semg_hht.datasets.matrix_names import existing_names, names_on_disk, unique_stems
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import ManifestRow, parse_file_name


def stems(*rows: ManifestRow) -> list[str]:
    return list(unique_stems(list(rows)).values())


def halves(file: str, *repetitions: str) -> list[ManifestRow]:
    """Consecutive repetitions of one recording."""
    return [ManifestRow(file, repetition=r, start_s=i, stop_s=i + 1.0) for i, r in enumerate(repetitions)]


def test_names_are_unique_safe_and_case_blind() -> None:
    files = [ManifestRow(file) for file in ("p/rec.npz", "q/rec.npz", "Rec.npz", "Test1.npz")]
    names = stems(*files, *halves("A 1.npz", "", ""))
    assert len({name.lower() for name in names}) == 6
    assert {"p_rec", "q_rec", "A_1_r001", "A_1_r002", "Test1"} <= set(names)


@pytest.mark.parametrize(
    ("repetitions", "expected"),
    [(("2", "7", "8"), ["curl_r002", "curl_r007", "curl_r008"]), (("1", "1"), ["curl_r001", "curl_r002"])],
)
def test_repetitions_have_the_numbers_of_their_rows_if_these_differ(
    repetitions: tuple[str, ...], expected: list[str]
) -> None:
    assert stems(*halves("curl.npz", *repetitions)) == expected


def test_labels_that_fit_the_convention_make_the_name() -> None:
    row = ManifestRow("a.csv", "S01", "E02", "3", "BICEPS", "half", "F")
    assert stems(row) == ["S01_E02_BICEPS_half_F_003"]
    assert stems(replace(row, subject="Anna", session="")) == ["BICEPS_half_F_003"]
    assert stems(replace(row, movement="mid")) == ["a"]
    assert stems(row, replace(row, file="b.csv")) == ["a", "b"], "one name for two is no name"


def test_an_unlabelled_repetition_does_not_look_labelled() -> None:
    unlabelled = halves("S01_BICEPS_half_F_003.npz", "", "")
    first, second, labelled = stems(*unlabelled, ManifestRow("S02_BICEPS_full_F_001.npz", movement="full", gender="F"))
    assert (first, second) == ("S01.BICEPS.half.F.003_r001", "S01.BICEPS.half.F.003_r002")
    for stem in (first, second):
        with pytest.raises(InputError, match="expected MUSCLE_movement_GENDER"):
            parse_file_name(f"{stem}.npz")
    assert labelled == "S02_BICEPS_full_F_001"


def test_existing_matrices_are_found_by_stem(tmp_path: Path) -> None:
    for name in ("a_ch10.npz", "a_ch2.npz", "ab.npz", "b_ch.npz", "b.npz", "c_ch1.npz", "c_ch2.npz", "a_ch2.txt"):
        (tmp_path / name).touch()
    assert existing_names(tmp_path) == {
        "a": ("a_ch2.npz", "a_ch10.npz"),
        "ab": ("ab.npz",),
        "b_ch": ("b_ch.npz",),
        "b": ("b.npz",),
        "c": ("c_ch1.npz", "c_ch2.npz"),
    }
    assert names_on_disk(tmp_path, "ab") == ("ab.npz",)
    assert names_on_disk(tmp_path, "c") == ("c_ch1.npz", "c_ch2.npz")
    assert names_on_disk(tmp_path, "d") == ()
