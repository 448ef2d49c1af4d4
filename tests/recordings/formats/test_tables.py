"""recordings/formats/tables.py: separators, quotes, encodings; errors with their place; pieces and memory."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from builders import read_text_table as read
from builders import rows, signal, with_time
from semg_hht.errors import InputError
from semg_hht.recordings.formats import tables
from semg_hht.recordings.formats.tables import read_table
from semg_hht.recordings.recording import read_recording

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tables_of_any_layout_give_the_same_numbers(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(2, 30), st.integers(1, 5)))
    table = data.draw(arrays(np.float64, shape, elements=finite))
    separator = data.draw(st.sampled_from([",", ";", "\t", " ", "   ", ", "]))
    comma = data.draw(st.booleans()) and separator in (";", "\t", " ", "   ") and shape[1] > 1
    quoted = data.draw(st.booleans()) and separator in (",", ";", "\t")
    header = data.draw(st.booleans())
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]))
    newline = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    trailing = separator.strip(" ") if data.draw(st.booleans()) and shape[1] > 1 else ""
    names = [f"肌肉{i}" for i in range(shape[1])]
    cells = [[repr(float(value)) for value in row] for row in table]
    if comma:
        cells = [[cell.replace(".", ",") for cell in row] for row in cells]
    lines = ([names] if header else []) + cells
    quote = '"' if quoted else ""
    text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in row) + trailing + newline for row in lines)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    found = read_table(path)
    # A first column of random numbers may count 0, 1, 2 ...; then it is left out with a remark.
    kept = table[:, 1:] if "left out" in "".join(found.remarks) or found.rate_hz else table
    assert_array_equal(found.table, kept)
    assert found.channel_names == (tuple(names) if header else ())


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "a{0}b"])
def test_tables_written_by_numpy_and_csv(tmp_path: Path, separator: str, header: str) -> None:
    names = header.format(separator)
    np.savetxt(tmp_path / "numpy.txt", signal(), delimiter=separator, header=names)
    assert_array_equal(read_table(tmp_path / "numpy.txt").table, signal())
    assert read_table(tmp_path / "numpy.txt").channel_names == tuple(names.split(separator) if names else ())
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(
        ([names.split(separator)] if names else []) + signal().tolist()
    )
    assert_array_equal(read(tmp_path, text.getvalue()).table, signal())


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_tables_written_by_pandas(tmp_path: Path, index: bool, named: bool) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(signal(channels=4), columns=list("abcd") if named else None)
    frame.to_csv(tmp_path / "a.csv", index=index)
    found = read_table(tmp_path / "a.csv")
    assert_array_equal(found.table, signal(channels=4))
    assert found.channel_names == (("a", "b", "c", "d") if named else ("0", "1", "2", "3"))


def test_an_empty_last_column_is_a_column_if_the_header_names_it(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b,c\n" + rows(signal(), end=",\n"))
    assert np.isnan(found.table[:, 2]).all()
    assert read(tmp_path, "a,b,\n" + rows(signal(), end=",\n")).table.shape == (60, 2)


@pytest.mark.parametrize(
    ("names", "encoding", "charset"),
    [
        (("Rücken links", "Bauch"), "cp1252", "Windows-1252"),
        (("Créé à Größe", "Contração"), "cp1252", "Windows-1252"),
        (("pää", "käsi"), "cp1252", "Windows-1252"),
        (("肱二头肌", "三头肌"), "gb18030", "GB18030"),
        (("左", "右"), "gb18030", "GB18030"),
    ],
)
def test_text_in_an_encoding_of_windows_is_read_with_a_remark(
    tmp_path: Path, names: tuple[str, str], encoding: str, charset: str
) -> None:
    unit = "µV" if encoding == "cp1252" else "uV"
    found = read(tmp_path, (f"{names[0]} [{unit}],{names[1]} [{unit}]\n" + rows(signal())).encode(encoding))
    assert (found.units, found.channel_names) == ("uV", names)
    assert found.remarks == (f"the text is not UTF-8 and was read as {charset}",)


@pytest.mark.parametrize(("word", "encoding"), [("Anfang Übung", "cp1252"), ("开始", "gb18030")])
def test_a_word_far_below_the_header_is_read_in_its_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, encoding: str
) -> None:
    monkeypatch.setattr(tables, "PIECE", 300)
    lines = [f"{i % 7},{i % 5}{f' # {word}' if i == 900 else ''}" for i in range(1000)]
    found = read(tmp_path, b"a,b\n" + "\n".join(lines).encode(encoding))
    assert_array_equal(found.table, [(i % 7, i % 5) for i in range(1000)])
    assert found.remarks[0].endswith({"cp1252": "Windows-1252", "gb18030": "GB18030"}[encoding])


@pytest.mark.parametrize("wrong", ["cp1252", "gb18030"])
def test_a_wrong_guess_of_the_encoding_changes_names_but_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    content = ("größe,riñón\n" if wrong == "gb18030" else "左,肱二头肌\n").encode(
        "cp1252" if wrong == "gb18030" else "gb18030"
    ) + rows(signal()).encode()
    right = read(tmp_path, content)
    monkeypatch.setattr(tables, "legacy_encoding", lambda _: wrong)
    guessed = read(tmp_path, content)
    assert guessed.channel_names != right.channel_names
    assert_array_equal(guessed.table, right.table)


@pytest.mark.parametrize("row", ['{0},"1,{1}"', "{0};1,{1}"])
def test_a_comma_that_may_separate_thousands_is_refused(tmp_path: Path, row: str) -> None:
    lines = [row.format(i, 100 + i) for i in range(200)]
    with pytest.raises(
        InputError, match=r"a\.csv: found '1,100', which may be 1100 or 1\.100; expected numbers without"
    ):
        read(tmp_path, "t" + row[3] + "EMG\n" + "\n".join(lines))
    lines[150] = row.format(150, 5)  # 1,5 has a decimal comma, so that the others have one too
    found = read(tmp_path, "t" + row[3] + "EMG\n" + "\n".join(lines))
    assert (found.table[0, -1], found.table[150, -1]) == (1.1, 1.5)


def test_a_joint_angle_in_german_is_not_emg(tmp_path: Path) -> None:
    found = read(tmp_path, "Bizeps (mV),Gelenkwinkel (Grad)\n" + rows(signal()))
    assert found.non_emg == ("Gelenkwinkel (Grad)",)


def test_a_table_read_in_pieces_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PIECE", 300)
    lines = ["时间,肌肉,b", *with_time(0.002, channels=2).splitlines()]
    lines[20] += "\n\n# 说明\n"
    lines[40] += " # 说明"
    found = read(tmp_path, "\r\n".join(lines).encode("gb18030"))
    assert (found.rate_hz, found.channel_names) == (500, ("肌肉", "b"))
    assert_array_equal(found.table, signal())
    assert found.table.T.flags.c_contiguous
    lines[50] = lines[50].replace(".", "x", 1)
    with pytest.raises(InputError, match=r"line 54, column '时间': found '0x098000'"):
        read(tmp_path, "\n".join(lines))
    lines[50] = lines[48]
    with pytest.raises(InputError, match=r"'时间' must increase .*; found 0.096 in line 53 and 0.094 in line 54"):
        read(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("header", ["", "EMG\tangle\n"])
def test_a_column_that_ends_early_is_left_out(tmp_path: Path, header: str) -> None:
    lines = [f"{a:g}\t{b:g}" if i < 20 else f"{a:g}\t" for i, (a, b) in enumerate(signal(400))]
    found = read(tmp_path, header + "\r\n".join(lines) + "\r\n")
    assert_array_equal(found.table, signal(400)[:, :1])
    name = "angle" if header else "column 2"
    remark = f"columns that end early hold signals of another rate and were left out: {name} (after 20 of 400 samples)"
    assert found.remarks == (remark,)


def test_a_column_with_few_missing_samples_at_its_end_is_kept(tmp_path: Path) -> None:
    lines = [f"{a:g},{b:g}" if i < 395 else f"{a:g}," for i, (a, b) in enumerate(signal(400))]
    assert read(tmp_path, "a,b\n" + "\n".join(lines)).table.shape == (400, 2)


def test_a_wrong_cell_of_another_sensor_is_a_missing_sample_and_the_emg_ends_the_recording(tmp_path: Path) -> None:
    lines = [f"{a:g}\t{10 * b:g}" for a, b in signal(400)] + ["\t7.5", "\t7.5V"] + ["\t7.5"] * 40
    lines[100] = lines[100] + "V"
    found = read(tmp_path, "EMG\tKnee [deg]\n" + "\n".join(lines))
    assert found.table.shape == (400, 2)
    assert_array_equal(np.flatnonzero(np.isnan(found.table)), [201])
    with pytest.raises(InputError, match=r"line 102, column 'EMG': found '7.5V', expected a number"):
        read(tmp_path, "EMG\tKnee [deg]\n" + "\n".join([*lines[:100], "7.5V\t1"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((10, "0.018,much,1"), r"line 11, column 'b': found 'much', expected a number"),
        ((10, "0.018,1_000,1"), r"line 11, column 'b': found '1_000', expected a number"),
        ((10, "0.018,1"), r"line 11 has 2 cells, expected 3 as above it"),
        ((3, "0.004,1,2,3"), r"line 4 has 4 cells, expected 3 as above it"),
        ((60, "0.118,1,2,3"), r"line 61 has 4 cells, expected 3 as above it"),
        ((2, "0.002,1,x"), r"line 3, column 'c': found 'x', expected a number"),
        ((10, "0.010,1,1"), r"column 'time' must increase .*; found 0.016 in line 10 and 0.01 in line 11"),
        ((10, "nan,1,1"), r"column 'time' has no time in line 11; expected one for each sample"),
    ],
)
def test_a_wrong_line_is_an_error_with_its_place(tmp_path: Path, change: tuple[int, str], message: str) -> None:
    lines = ["time,b,c", *with_time(0.002, channels=2).splitlines()]
    lines[change[0]] = change[1]
    with pytest.raises(InputError, match=rf"a\.csv: .*{message}"):
        read(tmp_path, "\n".join(lines) + "\n")


def test_a_column_of_words_is_an_error_with_its_place(tmp_path: Path) -> None:
    body = "".join(f"{a},{b},fist\n" for a, b in signal())
    with pytest.raises(InputError, match=r"line 2, column 'c': found 'fist', expected a number"):
        read(tmp_path, "a,b,c\n" + body)
    found = read(tmp_path, "a,b,gesture\n" + body)
    assert found.non_emg == ("gesture",)
    assert_array_equal(found.table[:, :2], signal())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n\0\0\0", r"can't be read as CSV; found NUL bytes, expected text"),
        (b"1,2\n" * 300_000 + b"\0\n", r"can't be read as CSV; found NUL characters, expected text"),
        (b"caf\xff\xff,b\n1,2\n", r"found the byte 0xff, expected text in UTF-8 or GB18030"),
        (b"\xff\xfe1\x00,\x00\x00\xd8", r"expected text in UTF-16, as its byte order mark states"),
        (b"\n \n", r"expected one line per sample; found none"),
    ],
)
def test_a_file_that_is_not_text_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.csv: .*{message}"):
        read(tmp_path, content)


def test_a_table_that_is_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_DECODED_BYTES", 800)
    with pytest.raises(InputError, match=r"a\.csv: 60 lines of 2 columns; expected at most 100 values"):
        read(tmp_path, rows(signal()))


def test_the_samples_are_in_memory_only_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    block = with_time(0.0005, n=500, channels=8).split("\n", 1)[1]
    lines = [line.split(",", 1)[1] for line in block.splitlines()]
    with path.open("w") as handle:
        handle.write("time_s," + ",".join(f"EMG{i} [mV]" for i in range(8)) + "\n\n")
        for i in range(250_000):
            handle.write(f"{i / 2000:.4f},{lines[i % len(lines)]}\n")
    tracemalloc.start()
    found = read_table(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.table.shape == (250_000, 8)
    assert found.table.T.flags.c_contiguous
    assert peak < 1.6 * found.table.nbytes
    assert_array_equal(found.table[-1], np.array(lines[249_999 % len(lines)].split(","), dtype=float))
    assert np.shares_memory(np.ascontiguousarray(found.table.T), found.table)


@pytest.mark.parametrize(
    ("name", "above", "separator"),
    [
        ("a.sto", "emg\nversion=1\nnRows=200\nnColumns=3\ninDegrees=no\nendheader\ntime\tEMG1\tEMG2\n", "\t"),
        ("b.sto", "DataRate=1000.000000\nDataType=double\nversion=3\nendheader\ntime\tEMG1\tEMG2\n", "\t"),
        ("c.mot", "\nname c\ndatacolumns 3\ndatarows 200\nrange 0 0.199\nendheader\n\n  time  EMG1  EMG2 \n", "  "),
    ],
)  # fmt: skip
def test_the_files_of_opensim(tmp_path: Path, name: str, above: str, separator: str) -> None:
    """Headers as OpenSim writes them (Storage of versions 3 and 4, and motion files of SIMM)."""
    table = signal()
    rows = [separator.join([f"{i / 1000:.8f}", *map(repr, row)]) for i, row in enumerate(table.tolist())]
    (tmp_path / name).write_text(above + "\n".join(rows) + "\n")
    recording = read_recording(tmp_path / name)
    assert_array_equal(recording.samples, table.T)
    assert (recording.rate_hz, recording.channel_names) == (1000.0, ("EMG1", "EMG2"))


def test_few_lines_of_many_values_hold_a_channel_each(tmp_path: Path) -> None:
    table = np.random.default_rng(0).standard_normal((8, 400))
    np.savetxt(tmp_path / "a.csv", table, delimiter=",")
    recording = read_recording(tmp_path / "a.csv", rate_hz=1000)
    assert_array_equal(recording.samples, table)
    assert recording.remarks[0] == "the text is 8 lines of 400 values, so each line was read as a channel"
