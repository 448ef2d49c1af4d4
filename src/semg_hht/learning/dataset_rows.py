"""The rows of a large data set in columns: labels, times and the user's own columns of each matrix.

It knows manifest rows. It does not know matrices or files.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.learning.columns import Categories, ChosenRows, Numbers, Texts, chosen_of
from semg_hht.recordings.manifest import ManifestRow

TEXTS = ("file", "subject", "session", "repetition", "muscle", "movement", "gender", "units", "rate_source")
NUMBERS = ("rate_hz", "start_s", "stop_s")  # NaN: not stated
KEY = ("recording", "recording_start_s", "recording_stop_s")  # the user's columns that together name a repetition
CHANNEL = "channel"
CONFIDENCE = "confidence"  # of a repetition that `segment` found
CHANNEL_NUMBER = re.compile(r"_ch(\d+)\.npz$")  # at the end of the names that `prepare` gives


class RowColumns(Sequence[ManifestRow]):
    """Rows of a manifest in columns; each row is made when it is asked for."""

    def __init__(self, rows: Iterable[ManifestRow] = ()) -> None:
        self.texts = {name: Texts() for name in TEXTS}
        self.numbers = {name: array("d") for name in NUMBERS}
        self.channels: Categories[tuple[str, ...]] = Categories()
        self.extra_names: Categories[tuple[str, ...]] = Categories()
        self.extra: dict[str, Texts] = {}  # a row that lacks the name has an empty text
        for row in rows:
            self.append(row)

    def append(self, row: ManifestRow) -> None:
        for name in row.extra.keys() - self.extra.keys():
            self.extra[name] = column = Texts()
            for _ in range(len(self)):
                column.append("")
        for name, column in self.texts.items():
            column.append(getattr(row, name))
        for name, numbers in self.numbers.items():
            value = getattr(row, name)
            numbers.append(math.nan if value is None else value)
        self.channels.append(row.channels)
        self.extra_names.append(tuple(row.extra))
        for name, column in self.extra.items():
            column.append(row.extra.get(name, ""))

    def __len__(self) -> int:
        return len(self.channels)

    def __getitem__(self, row: Any) -> Any:
        stated: dict[str, Any] = {name: column[row] for name, column in self.texts.items()}
        stated |= {name: _or_none(column[row]) for name, column in self.numbers.items()}
        extra = {name: self.extra[name][row] for name in self.extra_names[row]}
        return ManifestRow(**stated, channels=self.channels[row], extra=extra)

    def recording(self, row: int) -> str:
        """The recording that a row comes from; the file itself, where none is stated."""
        return str(self._stated("recording", row, self.texts["file"]))

    def _stated(self, name: str, row: int, other: Sequence[str] | None = None) -> str:
        if name in self.extra and name in self.extra_names[row]:
            return str(self.extra[name][row])
        return "" if other is None else other[row]

    def repetition(self, row: int) -> str:
        """The key of a row's repetition."""
        if "recording" not in self.extra_names[row]:
            return str(self.texts["file"][row])
        return "|".join(self._stated(name, row) for name in KEY)

    def channel(self, row: int) -> str:
        return self._stated(CHANNEL, row)

    def order(self, rows: Numbers) -> Numbers:
        """(n,) indices that sort these rows as `sort_key` does."""
        keys = [self._seconds("stop", rows), self._seconds("start", rows), self._recording_ranks(rows)]
        if CHANNEL in self.extra:
            keys.insert(0, self.extra[CHANNEL].ranks(rows))
        order = np.lexsort(keys)
        alike = np.all([key[order[1:]] == key[order[:-1]] for key in keys], axis=0)
        return np.lexsort([self.texts["file"].ranks(rows), *keys]) if alike.any() else order

    def _recording_ranks(self, rows: Numbers) -> Numbers:
        """(n,) the place of the recording of each of these rows in the order of names."""
        if all("recording" not in names for names in self.extra_names.values):
            return self.texts["file"].ranks(rows)
        if all("recording" in names for names in self.extra_names.values):
            return self.extra["recording"].ranks(rows)
        return np.unique([self.recording(row) for row in rows.tolist()], return_inverse=True)[1]

    def _seconds(self, which: str, rows: Numbers) -> NDArray[np.float64]:
        """(n,) ``recording_start_s`` or ``recording_stop_s``, else ``start_s`` or ``stop_s``, else 0."""
        own = np.nan_to_num(np.frombuffer(self.numbers[f"{which}_s"], np.float64)[rows])
        texts = self.extra.get(f"recording_{which}_s")
        if texts is None:
            return own
        return np.fromiter(
            (float(texts[row] or seconds) for row, seconds in zip(rows.tolist(), own.tolist(), strict=True)),
            np.float64,
            len(rows),
        )


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number


class Repetitions(Sequence[str]):
    """The key of the repetition of each row."""

    def __init__(self, columns: RowColumns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, row: Any) -> Any:
        return self.columns.repetition(row)


class ChannelOrders(Mapping[str, tuple[str, ...]]):
    """Repetition -> names of its channels in the order of the recording, where they are known.

    An order is found when it is asked for; two numbers per row find the rows of a repetition.

    rows : of the columns, in the order of the data set.
    """

    def __init__(self, columns: RowColumns, rows: Numbers) -> None:
        self.columns, self.rows = columns, rows
        self._index: tuple[NDArray[np.int64], Numbers] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_index": None}  # another process hashes texts otherwise

    def __getitem__(self, repetition: str) -> tuple[str, ...]:
        if self._index is None:
            keys = (hash(self.columns.repetition(row)) for row in self.rows.tolist())
            hashes = np.fromiter(keys, np.int64, len(self.rows))
            order = np.argsort(hashes, kind="stable")
            self._index = hashes[order], self.rows[order]
        hashes, rows = self._index
        first, stop = np.searchsorted(hashes, hash(repetition)), np.searchsorted(hashes, hash(repetition), "right")
        own = [row for row in rows[first:stop].tolist() if self.columns.repetition(row) == repetition]
        own.sort(key=lambda row: channel_number(self.columns.texts["file"][row]))
        names = tuple(name for row in own for name in self.columns.channel(row).split("+"))
        if not names or not all(names):
            raise KeyError(repetition)
        return names

    def __iter__(self) -> Iterator[str]:
        keys = dict.fromkeys(self.columns.repetition(row) for row in self.rows.tolist())
        return (key for key in keys if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def channel_number(file: str) -> int:
    """The number of a channel in the name that `prepare` gives; 0: the name has none."""
    found = CHANNEL_NUMBER.search(file)
    return int(found[1]) if found else 0


def repetition_key(row: ManifestRow) -> str:
    """The key of a row's repetition, which the rows of its channels share."""
    return "|".join(row.extra.get(name, "") for name in KEY) if "recording" in row.extra else row.file


def sort_key(row: ManifestRow, channel: str) -> tuple[str, float, float, str, str]:
    """By recording, time and channel, so that the order of the files does not matter."""
    start = float(row.extra.get("recording_start_s") or row.start_s or 0)
    stop = float(row.extra.get("recording_stop_s") or row.stop_s or 0)
    return row.extra.get("recording", row.file), start, stop, channel, row.file


def texts_of(rows: Sequence[ManifestRow], name: str) -> list[str]:
    """One column of text, such as ``subject``; of `RowColumns` without making the rows."""
    if isinstance(rows, RowColumns):
        rows = ChosenRows(rows, np.arange(len(rows)))
    if isinstance(rows, ChosenRows) and isinstance(rows.column, RowColumns):
        return rows.column.texts[name].taken(rows.rows)
    return [getattr(row, name) for row in rows]


def recordings_of(rows: Sequence[ManifestRow]) -> list[str]:
    """The recording that each row comes from; the file itself, where none is stated."""
    if isinstance(rows, ChosenRows) and isinstance(rows.column, RowColumns):
        columns = rows.column
        if set(columns.extra_names.values) and all("recording" in names for names in columns.extra_names.values):
            return columns.extra["recording"].taken(rows.rows)
        return [columns.recording(row) for row in rows.rows.tolist()]
    return [row.extra.get("recording", row.file) for row in rows]


def are_segmented(rows: Sequence[ManifestRow], indices: Numbers) -> bool:
    """Whether most of these repetitions were found in recordings: `segment` states the confidence of what it finds."""
    rows = chosen_of(rows, indices)
    if isinstance(rows, ChosenRows) and isinstance(rows.column, RowColumns):
        column = rows.column.extra.get(CONFIDENCE)
        confidences = [] if column is None else column.taken(rows.rows)
    else:
        confidences = [row.extra.get(CONFIDENCE, "") for row in rows]
    return 2 * sum(map(bool, confidences)) > len(rows)


def first_files(rows: Sequence[ManifestRow], name: str) -> dict[str, str]:
    """Text of a column -> the file of the first row that has it."""
    texts = texts_of(rows, name)
    first = {texts[i]: i for i in reversed(range(len(texts)))}
    return {text: rows[i].file for text, i in first.items()}
