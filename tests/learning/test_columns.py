"""Columns return the values that were appended."""

from __future__ import annotations

import pickle
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semg_hht.learning.columns import (
    MIN_DIFFERENT,
    WIDER,
    Categories,
    ChosenRows,
    NumberTables,
    Texts,
    Vectors,
    chosen_of,
)

ODD = ["", "a", "深蹲.npz", "raw\udcff.npz", "a"]


@pytest.mark.parametrize("n_different", [3, 4 * MIN_DIFFERENT])
def test_texts_come_back_in_any_order(n_different: int) -> None:
    texts = [f"S{i * 7919 % n_different:05d}" for i in range(2000)] + ODD
    column = Texts()
    for text in texts:
        column.append(text)
    assert (column.few is None) == (n_different > MIN_DIFFERENT)
    rows = np.random.default_rng(0).permutation(len(texts))
    for found in (column, deepcopy(column)):
        assert list(found) == texts
        assert found.taken(rows) == [texts[i] for i in rows]
    by_rank = [texts[rows[i]] for i in np.argsort(column.ranks(rows), kind="stable")]
    assert by_rank == sorted(texts)
    places = dict(zip((texts[i] for i in rows), column.ranks(rows), strict=True))
    assert len(set(places.values())) == len(set(texts))


def test_many_texts_take_a_few_bytes_more_than_their_letters() -> None:
    column = Texts()
    for i in range(20_000):
        column.append(f"hht_matrices/S{i:06d}_E01_BICEPS_half_F_001.npz")
    assert len(pickle.dumps(column)) < 20_000 * (45 + 10)


@pytest.mark.parametrize("n", [0, 1, *WIDER, max(WIDER) + 1])
def test_categories_have_room_for_any_number_of_values(n: int) -> None:
    column = Categories[int]()
    for value in range(n):
        column.append(value)
    assert [column[row] for row in range(n)] == list(range(n))
    assert_array_equal(column.taken(np.arange(n)), np.arange(n))


def test_tables_of_numbers_keep_names_order_and_every_bit() -> None:
    tables = [{"rms": (0.1, -0.0), "mav": (np.pi,)}, {}, {"mav": (1e-300,), "rms": (3.0, 4.0)}, {"rms": ()}]
    column = NumberTables()
    for table in tables:
        column.append(table)
    assert list(column) == tables
    assert list(column[2]) == ["mav", "rms"]
    assert str(column[0]["rms"][1]) == "-0.0"


def test_vectors_are_a_table_where_the_chosen_rows_have_one_length() -> None:
    def column() -> Vectors:
        vectors = Vectors()
        for vector in ([1.0, 2.0], None, [3.0, 4.0], [5.0], [6.0, 7.0]):
            vectors.append(vector)
        return vectors

    assert_array_equal(column().taken_out(np.array([4, 0, 2])), [[6, 7], [1, 2], [3, 4]])
    assert column().taken_out(np.array([0, 1])) is None
    assert column().taken_out(np.array([0, 3])) is None
    empty = Vectors()
    empty.append([])
    found = empty.taken_out(np.array([0]))
    assert found is not None
    assert found.shape == (1, 0)


def test_chosen_rows_are_as_a_tuple() -> None:
    rows = ChosenRows[str](["a", "b", "c"], np.array([2, 0, 0]), str.upper)
    assert tuple(rows) == ("C", "A", "A")
    assert rows == ("C", "A", "A")
    assert rows != ("C", "A")
    assert (rows[-1], rows[1:]) == ("A", ("A", "A"))
    with pytest.raises(IndexError):
        rows[3]
    again = chosen_of(rows, np.array([1, 0]))
    assert isinstance(again, ChosenRows)
    assert tuple(again) == ("A", "C")
    assert chosen_of(("x", "y"), np.array([1])) == ("y",)
