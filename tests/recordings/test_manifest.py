"""recordings/manifest.py: labels from file names and manifests; the order of classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semg_hht.errors import InputError
from semg_hht.recordings import manifest
from semg_hht.recordings.manifest import (
    NOTHING,
    ManifestRow,
    class_names,
    is_test_name,
    iterate_manifest,
    manifest_text,
    parse_file_name,
    read_manifest,
    read_manifest_text,
)


@pytest.mark.parametrize(
    ("name", "movement", "gender"),
    [
        ("FULLBODY_half_M_001.npz", "half", "M"),  # FULL is part of a muscle's name, not the movement
        ("BICEPS_half_m_001.npz", "half", "M"),
        ("BICEPS_half_F.npz", "half", "F"),  # gender is the last token
        ("BICEPS-full-F-012.npz", "full", "F"),
        ("biceps-HALF_f-3.NPZ", "half", "F"),
        ("BICEPS full M 001.npz", "full", "M"),
        ("BICEPS_fatiguetest_M_004.npz", "full", "M"),
        ("BICEPS_FatigueTest_M_004.npz", "full", "M"),
        ("BICEPS_wrong_M_004.npz", "invalid", "M"),
        ("BICEPS_invalid_F_004.npz", "invalid", "F"),
        ("FULL_half_F_001.npz", "half", "F"),  # the first token is the muscle, whatever it is called
        ("M_half_F_001.npz", "half", "F"),
        ("folder_full_M/BICEPS_half_F_001.npz", "half", "F"),  # folders are ignored
        ("folder_full_M\\BICEPS_half_F_001.npz", "half", "F"),
    ],
)
def test_a_file_name_states_movement_and_gender(name: str, movement: str, gender: str) -> None:
    row = parse_file_name(name)
    assert (row.movement, row.gender) == (movement, gender)


def test_leading_subject_and_session_are_optional() -> None:
    row = parse_file_name("S01_E02_BICEPS_half_F_003.npz")
    assert (row.subject, row.session, row.muscle, row.repetition) == ("S01", "E02", "BICEPS", "003")
    bare = parse_file_name("BICEPS_half_F_003.npz")
    assert (bare.subject, bare.session, bare.muscle) == ("", "", "BICEPS")
    assert parse_file_name("s7_TRICEPS_full_M_1.npz").subject == "S7"
    assert parse_file_name("E03_TRICEPS_full_M_1.npz").session == "E03"


@pytest.mark.parametrize("name", ["Test1_1_015.npz", "TEST_full_M_001.npz", "test.npz", "a/b/Test2.npz"])
def test_names_starting_with_test_are_unlabelled(name: str) -> None:
    row = parse_file_name(name)
    assert (row.movement, row.gender) == ("", "")
    assert row.file == name


def test_only_the_start_of_a_name_marks_a_test_file() -> None:
    assert is_test_name("tEsT_1.npz")
    assert not is_test_name("BICEPS_fatiguetest_M_001.npz")


@pytest.mark.parametrize(
    "name",
    [
        "BICEPS_001.npz",
        "BICEPS_half_001.npz",
        "BICEPS_M_001.npz",
        "BICEPS_halfway_M_001.npz",  # tokens are compared whole
        "BICEPS_half_Male_001.npz",
        "BICEPS_half_full_M_001.npz",  # ambiguous
        "BICEPS_half_M_F_001.npz",
        "half.npz",
        "S01.npz",
        "MyTest_1.npz",
    ],
)
def test_a_name_without_movement_and_gender_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="expected MUSCLE_movement_GENDER_NNN") as caught:
        parse_file_name(name)
    assert name in str(caught.value)


@given(st.text(max_size=30))
def test_any_name_gives_labels_or_an_error(name: str) -> None:
    try:
        row = parse_file_name(name)
    except InputError:
        return
    assert is_test_name(name.replace("\\", "/").rsplit("/", 1)[-1]) or (row.movement and row.gender)


def test_classes_are_in_their_natural_order() -> None:
    assert class_names(["invalid", "half", "full"]) == ("full", "half", "invalid")
    assert class_names(["invalid", "full", ""]) == ("full", "invalid")
    assert class_names(["high", "low", "mid", "mid"]) == ("low", "mid", "high")
    assert class_names(["tired", "fresh"]) == ("fresh", "tired")


def test_other_classes_are_in_alphabetical_order() -> None:
    assert class_names(["M", "F"]) == ("F", "M")
    assert class_names(["low", "extreme", "mid"]) == ("extreme", "low", "mid")
    assert class_names([]) == ()


def test_classes_that_differ_only_in_case_are_an_error() -> None:
    with pytest.raises(InputError, match="'Full' and 'full' differ only in case"):
        class_names(["full", "Full", "half"])


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_manifest_with_bom_and_chinese_text(tmp_path: Path) -> None:
    path = written(tmp_path, "file,subject,muscle,gender\n录音 1.csv,张三,肱二头肌,女\n", "utf-8-sig")
    (row,) = read_manifest(path)
    assert (row.file, row.subject, row.muscle, row.gender) == ("录音 1.csv", "张三", "肱二头肌", "F")


@pytest.mark.parametrize(
    ("typed", "gender"),
    [("male", "M"), ("Female", "F"), ("男", "M"), ("女", "F"), ("m", "M"), ("F", "F"), ("", ""), ("x", "x")],
)
def test_spellings_of_gender(tmp_path: Path, typed: str, gender: str) -> None:
    (row,) = read_manifest(written(tmp_path, f"file,gender\na.csv,{typed}\n"))
    assert row.gender == gender


def test_every_column_is_read(tmp_path: Path) -> None:
    header = "file,subject,session,repetition,muscle,movement,gender,rate_hz,units,start_s,stop_s,channels,motion"
    path = written(tmp_path, f"{header}\r\na\\b.csv, S1 ,E1,3,BICEPS,low,F,1000,mV,0.5,2.25,1;ch3,C2\r\n")
    (row,) = read_manifest(path)
    assert row == ManifestRow(
        "a/b.csv", "S1", "E1", "3", "BICEPS", "low", "F", 1000.0, "mV", 0.5, 2.25, ("1", "ch3"), {"motion": "C2"}
    )
    assert (row.label("action_quality"), row.label("gender")) == ("low", "F")


def test_empty_lines_are_skipped_and_empty_cells_are_unknown(tmp_path: Path) -> None:
    rows = read_manifest(written(tmp_path, "file,rate_hz,start_s\na.csv,,\n\n,,\nb.csv,,\n"))
    assert [row.file for row in rows] == ["a.csv", "b.csv"]
    assert rows[0].rate_hz is None
    assert rows[0].start_s is None


def test_one_recording_may_hold_several_repetitions(tmp_path: Path) -> None:
    rows = read_manifest(written(tmp_path, "file,start_s,stop_s\na.csv,0,1\na.csv,1,2\n"))
    assert [(row.start_s, row.stop_s) for row in rows] == [(0.0, 1.0), (1.0, 2.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,movement\nS1,full\n", "expected a header line with a column 'file'; found subject, movement"),
        ("", "expected a header line with a column 'file'; found nothing"),
        ("file,gender,gender\na.csv,M,F\n", "column gender occurs twice in the header"),
        ("file\n", "expected one row per recording or matrix; found none"),
        ("file,subject\na.csv,S1\na.csv,S2\n", "a.csv is listed twice with the same start, stop and channels"),
        ("file,subject\na.csv,S1,extra\n", "line 2: found more cells than columns in the header"),
        ("file,subject\n,S1\n", "line 2: the column 'file' is empty"),
        ("file,rate_hz\na.csv,0\n", "line 2: rate_hz must be above 0; found 0"),
        ("file,rate_hz\na.csv,fast\n", "line 2: rate_hz must be a number; found 'fast'"),
        ("file,rate_hz\na.csv,nan\n", "line 2: rate_hz must be a number; found 'nan'"),
        ("file,start_s\na.csv,inf\n", "line 2: start_s must be a number; found 'inf'"),
        ("file,start_s,stop_s\na.csv,2,1\n", "expected 0 <= start_s < stop_s; found 2 and 1"),
        ("file,start_s,stop_s\na.csv,-1,1\n", "expected 0 <= start_s < stop_s; found -1 and 1"),
        ("file,stop_s\na.csv,0\n", "expected 0 <= start_s < stop_s"),
        (f'file,subject\na.csv,"{"x" * 200_000}"\n', "expected comma-separated text; field larger than"),
    ],
)
def test_a_wrong_manifest_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match="manifest.csv") as caught:
        read_manifest(path)
    assert message in str(caught.value)


def test_a_manifest_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected UTF-8 text; save the table as 'CSV UTF-8'"):
        read_manifest(written(tmp_path, "file,subject\na.csv,张三\n", "gbk"))


def test_a_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        read_manifest(tmp_path / "nowhere.csv")


def test_a_written_manifest_is_read_back_the_same(tmp_path: Path) -> None:
    rows = [
        ManifestRow(
            "a,b.csv", "张三", "E1", "1", "BICEPS", "full", "F", 999.5, "mV", 0.1, 2.7, ("1", "3"), {"note": "x"}
        ),
        ManifestRow("a,b.csv", start_s=2.7, stop_s=3.125, extra={"note": 'a "quote"'}),
        ManifestRow("c.csv", extra={"note": ""}),
    ]
    assert read_manifest(written(tmp_path, manifest_text(rows))) == rows


text_cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=8).filter(
    lambda text: text not in NOTHING  # is read as an empty cell
)


@given(
    file=text_cells,
    subject=text_cells,
    rate_hz=st.none() | st.floats(1, 1e5).map(lambda x: float(f"{x:.10g}")),
    channels=st.lists(st.integers(1, 99).map(str), max_size=3, unique=True).map(tuple),
)
def test_any_row_is_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, file: str, subject: str, rate_hz: float | None, channels: tuple[str, ...]
) -> None:
    row = ManifestRow(file.replace("\\", "/"), subject, rate_hz=rate_hz, channels=channels)
    path = written(tmp_path_factory.mktemp("manifest"), manifest_text([row]))
    assert read_manifest(path) == [row]


@pytest.mark.parametrize(
    "spellings",
    [("S1", "S01"), ("Jos\u00e9", "Jose\u0301"), ("Zo\u00eb", "Zo\u00eb\u200b"), ("1", "1.0"), ("S1", "s1")],
)
def test_a_person_under_two_spellings_is_an_error(tmp_path: Path, spellings: tuple[str, str]) -> None:
    first, second = spellings
    path = written(tmp_path, f"file,subject\na.csv,{first}\nb.csv,S7\nc.csv,{second}\n")
    with pytest.raises(InputError, match=r"manifest\.csv: subject .*\(of .\.csv\) and .*\(of .\.csv\) differ only in"):
        read_manifest(path)


@pytest.mark.parametrize("spellings", [("50%", "50 %"), ("\u00e9lev\u00e9", "e\u0301leve\u0301"), ("1", "1.0")])
def test_a_class_under_two_spellings_is_an_error(spellings: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="class .* differ only in"):
        class_names([*spellings, "half"])


@pytest.mark.parametrize("typed", ["male\u200b", "\uff2d", "MALE\u00a0"])
def test_a_gender_with_invisible_or_wide_characters_is_read(tmp_path: Path, typed: str) -> None:
    (row,) = read_manifest(written(tmp_path, f"file,gender\na.csv,{typed}\n"))
    assert row.gender == "M"


@pytest.mark.parametrize(
    "order",
    [
        ("10", "20", "100"),
        ("5%", "10%", "100%"),
        ("-10", "-2", "0", "5"),
        ("1", "1.25", "1.5", "10"),
        ("2 kg", "2.5 kg", "10 kg"),
        ("C1", "C2", "C10"),
        ("0-5", "5-10", "10-20"),
        ("low", "medium", "high"),
        ("Low", "Medium", "HIGH"),
        ("light", "moderate", "heavy"),
        ("none", "mild", "moderate", "severe"),
        ("mild", "severe"),
        ("低", "中", "高"),
        ("轻", "中", "重"),
    ],
)
def test_numbers_and_degrees_are_in_their_order(order: tuple[str, ...]) -> None:
    assert class_names(reversed(order)) == order


@pytest.mark.parametrize("cell", ["nan", "NaN", "<NA>", "N/A"])
def test_the_text_that_pandas_writes_for_an_empty_cell_is_no_label(tmp_path: Path, cell: str) -> None:
    header = "file,subject,session,repetition,muscle,movement,gender,note"
    (row,) = read_manifest(written(tmp_path, f"{header}\na.csv{7 * f',{cell}'}\n"))
    assert row == ManifestRow("a.csv", extra={"note": cell})


def test_a_table_is_read_row_by_row(tmp_path: Path) -> None:
    """The fault in the last line is found when it is reached."""
    path = tmp_path / "manifest.csv"
    path.write_text("file,subject\na.csv,S1\nb.csv,S2\na.csv,S1\n", encoding="utf-8-sig")
    rows = iterate_manifest(path)
    assert [next(rows).file for _ in range(3)] == ["a.csv", "b.csv", "a.csv"]
    with pytest.raises(InputError, match=r"a\.csv is listed twice"):
        next(rows)


def test_different_rows_with_one_hash_are_not_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "hash", lambda _: 7, raising=False)
    rows = read_manifest_text("file\na.csv\nb.csv\n", Path("m.csv"))
    assert [row.file for row in rows] == ["a.csv", "b.csv"]
    with pytest.raises(InputError, match=r"b\.csv is listed twice"):
        read_manifest_text("file\na.csv\nb.csv\nb.csv\n", Path("m.csv"))
