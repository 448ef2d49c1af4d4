"""recordings/formats/cells.py: separators, decimal commas, comments, missing samples, and the first sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from builders import read_text_table as read
from builders import rows, signal
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_whole_numbers_may_precede_the_first_decimal_comma(tmp_path: Path, separator: str) -> None:
    whole = [f"{i}{separator}0\n" for i in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3)]
    assert read(tmp_path, "".join([*whole, f"0,5{separator}7\n"])).table[-2:].tolist() == [[3.0, 0.0], [0.5, 7.0]]
    for mixed in ([f"0.5{separator}0\n", *whole, f"0,5{separator}7\n"], [*whole, f"0,5{separator}0.5\n"]):
        with pytest.raises(InputError, match="found '0,5', expected a number"):
            read(tmp_path, "".join(mixed))


def test_decimal_commas_in_quotes(tmp_path: Path) -> None:
    text = '"a","b"\n' + "".join('"{:g}","{:g}"\n'.format(*row).replace(".", ",") for row in signal())
    assert '"6,287","-6,605"' in text
    assert_array_equal(read(tmp_path, text).table, signal())


def test_spaces_and_commas_as_separators_of_one_line(tmp_path: Path) -> None:
    text = "".join("{:g} {:g}, {:g},{:g}\n".format(*row) for row in signal(channels=4))
    assert_array_equal(read(tmp_path, text).table, signal(channels=4))


def test_blank_lines_and_comments_between_samples(tmp_path: Path) -> None:
    body = rows(signal(), "\t").splitlines(keepends=True)
    text = "a\tb\n" + "\n \n".join(body[:3]) + "# a pause\n% here\n// too\n" + "".join(body[3:]) + "\n\n"
    assert_array_equal(read(tmp_path, text).table, signal())


@pytest.mark.parametrize("missing", ["", "NaN", "n/a", "NA", "null", "-", "#N/A"])
def test_missing_samples_are_nan(tmp_path: Path, missing: str) -> None:
    body = rows(signal()).splitlines()
    body[7] = f"{missing},1.5"
    found = read(tmp_path, "a,b\n" + "\n".join(body))
    assert np.isnan(found.table[7, 0])
    assert found.table[7, 1] == 1.5
    assert np.isnan(found.table).sum() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(signal(5, 3)) + rows(signal(5, 2)), "line 6 has 2 cells, expected 3 as above it"),
        (rows(signal(1, 3)) + "pause\n" + rows(signal()), "line 2 has 1 cells, expected 3 as above it"),
        ("1,2,3\n" + "pause\n" * 3 + "1,2\n" * 50, "line 2 has 1 cells, expected 3 as above it"),
        ("1,2\n1,2,3\n" * 20, "line 2 has 3 cells, expected 2 as above it"),
        ("0.5\n0.5\n1,2\n", "line 3, column 1: found '1,2', expected a number"),
    ],
)
def test_samples_are_never_skipped_as_a_preamble(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.csv: can't be read as CSV; {message}"):
        read(tmp_path, text)


def test_bars_between_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time|biceps\n" + "".join(f"{i / 1000}|{i % 7}.5\n" for i in range(50)))
    recording = read_recording(path)
    assert recording.channel_names == ("biceps",)
    assert recording.rate_hz == pytest.approx(1000)
    assert recording.samples[0, :3].tolist() == [0.5, 1.5, 2.5]
