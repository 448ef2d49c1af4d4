"""Columns: one value per row without a Python object per row, for tables of millions of rows.

A column grows by `append` and returns the value of a row, equal to the one that was appended. It does not know what the
values are of.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)
Numbers = NDArray[np.intp]  # of rows

MIN_DIFFERENT = 256  # texts of a column with fewer different ones are kept once each
WIDER = {2**8 + 1: "H", 2**16 + 1: "i"}  # number of values -> type of their numbers
ENCODING = "utf-8", "surrogatepass"  # a file name may hold bytes that are no UTF-8


class Categories(Generic[H]):
    """A column of few different values; each is kept once, and each row has its number."""

    def __init__(self) -> None:
        self.codes = array("B")
        self.code_of: dict[H, int] = {}
        self.values: list[H] = []

    def append(self, value: H) -> None:
        code = self.code_of.setdefault(value, len(self.values))
        if code == len(self.values):
            self.values.append(value)
            if len(self.values) in WIDER:
                self.codes = array(WIDER[len(self.values)], self.codes)
        self.codes.append(code)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> H:
        return self.values[self.codes[row]]

    def taken(self, rows: Numbers) -> NDArray[np.integer[Any]]:
        """(n,) the number of the value of each of these rows."""
        return np.frombuffer(self.codes, self.codes.typecode)[rows] if len(self) else np.zeros(0, np.intp)


class Texts(Sequence[str]):
    """A column of texts. Few different ones are `Categories`; many are kept one after the other, in UTF-8."""

    def __init__(self) -> None:
        self.few: Categories[str] | None = Categories()
        self.content = bytearray()
        self.ends = array("q")

    def append(self, text: str) -> None:
        few = self.few
        if few is None:
            self._append_content(text)
            return
        few.append(text)
        if len(few.values) > max(MIN_DIFFERENT, len(few) // 4):
            self.few = None
            for code in few.codes:
                self._append_content(few.values[code])

    def _append_content(self, text: str) -> None:
        self.content += text.encode(*ENCODING)
        self.ends.append(len(self.content))

    def __len__(self) -> int:
        return len(self.ends) if self.few is None else len(self.few)

    def __getitem__(self, row: Any) -> Any:
        if self.few is not None:
            return self.few[row]
        stop = self.ends[row]
        return self.content[self.ends[row - 1] if row else 0 : stop].decode(*ENCODING)

    def taken(self, rows: Numbers) -> list[str]:
        """The texts of these rows; those of `Categories` share their objects."""
        if self.few is None:
            return [self[row] for row in rows.tolist()]
        return [self.few.values[code] for code in self.few.taken(rows).tolist()]

    def ranks(self, rows: Numbers) -> Numbers:
        """(n,) the place of the text of each of these rows in the order of texts; equal texts have one place."""
        if self.few is not None:
            values = self.few.values
            place: Numbers = np.empty(len(values), np.intp)
            place[sorted(range(len(values)), key=values.__getitem__)] = np.arange(len(values))
            return np.take(place, self.few.taken(rows))
        numbers = rows.tolist()
        order = sorted(range(len(numbers)), key=lambda i: self[numbers[i]])
        ranks, rank = np.empty(len(order), np.intp), 0
        for before, i in zip([-1, *order], order, strict=False):
            rank += int(before >= 0 and self[numbers[before]] != self[numbers[i]])
            ranks[i] = rank
        return ranks


class NumberTables(Sequence[dict[str, tuple[float, ...]]]):
    """A column of small tables, name -> numbers. The names are kept once for all rows that have the same."""

    def __init__(self) -> None:
        self.shapes: Categories[tuple[tuple[str, int], ...]] = Categories()
        self.numbers = array("d")
        self.starts = array("q")

    def append(self, table: Mapping[str, Sequence[float]]) -> None:
        self.shapes.append(tuple((name, len(numbers)) for name, numbers in table.items()))
        self.starts.append(len(self.numbers))
        for numbers in table.values():
            self.numbers.extend(numbers)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: Any) -> Any:
        at, table = self.starts[row], {}
        for name, n in self.shapes[row]:
            table[name] = tuple(self.numbers[at : at + n])
            at += n
        return table


class Vectors:
    """A column of vectors, or of rows without one."""

    def __init__(self) -> None:
        self.sizes: Categories[int] = Categories()  # -1: none
        self.numbers = array("d")

    def append(self, vector: Sequence[float] | None) -> None:
        self.sizes.append(-1 if vector is None else len(vector))
        self.numbers.extend(() if vector is None else vector)

    def taken_out(self, rows: Numbers) -> NDArray[np.float64] | None:
        """(n_rows, n) of these rows; None where one has no vector, or another length than the others.

        The column is empty afterwards, so that memory does not hold the numbers twice for longer than needed.
        """
        sizes = {self.sizes.values[code] for code in np.unique(self.sizes.taken(rows)).tolist()}
        if len(sizes) != 1 or (size := sizes.pop()) < 0:
            return None
        if not size:
            return np.zeros((len(rows), 0))
        of_row = np.array(self.sizes.values, np.intp)[self.sizes.taken(np.arange(len(self.sizes)))]
        has = np.cumsum(of_row == size) - 1  # number of each row among those of this size
        every = np.frombuffer(self.numbers, np.float64)
        self.numbers = array("d")
        if len(self.sizes.values) > 1:
            every = every[np.repeat(of_row == size, np.maximum(of_row, 0))]
        table = every.reshape(-1, size)  # (n with this size * size,) -> (n with this size, size)
        chosen = has[rows]
        return table if np.array_equal(chosen, np.arange(len(table))) else table[chosen]


class ChosenRows(Sequence[T]):
    """Some rows of a column, in any order; the column itself is shared."""

    def __init__(self, column: Sequence[Any], rows: Numbers, read: Callable[[Any], T] | None = None) -> None:
        self.column, self.rows, self.read = column, rows, read

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[T, ...]: ...
    def __getitem__(self, key: int | slice) -> T | tuple[T, ...]:
        if isinstance(key, slice):
            return tuple(self[i] for i in range(*key.indices(len(self))))
        value = self.column[int(self.rows[key])]
        return value if self.read is None else self.read(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as a list

    def subset(self, indices: Numbers) -> ChosenRows[T]:
        return ChosenRows(self.column, self.rows[indices], self.read)


def chosen_of(values: Sequence[T], indices: Numbers) -> Sequence[T]:
    """The values at ``indices``: again `ChosenRows` where ``values`` are, else a tuple."""
    return values.subset(indices) if isinstance(values, ChosenRows) else tuple(values[i] for i in indices)
