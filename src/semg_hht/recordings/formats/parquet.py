"""Reader of Parquet and Feather tables, with pyarrow: one column per channel, as pandas and polars write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.arrays import RATE_KEYS, leaf_of
from semg_hht.recordings.formats.cells import Dialect
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.headers import Layout
from semg_hht.recordings.formats.sample_times import SampleLines
from semg_hht.recordings.formats.tables import decode_columns
from semg_hht.recordings.units import volts
from semg_hht.system.files import require_modest

if TYPE_CHECKING:
    import pyarrow

DAY_S = 86400
PARTS_PER_S = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read_parquet(path: Path, rate_hz: float | None = None) -> DecodedRecording:
    """Read the columns of numbers. A column of times, the index of pandas among them, gives the rate.

    The metadata of the file, or the attributes of pandas, may state the rate; those of a column may state its unit.

    Raises
    ------
    InputError
        The file is damaged or unpacks to too much, holds no column of numbers, or the times give no plain rate.
    """
    try:
        content = _feather(path) if path.suffix.lower() == ".feather" else _parquet(path)
        content, names, others = _numbers_and_times(content)
        table = np.empty((content.num_columns, content.num_rows))
        stamps = [i for i in range(content.num_columns) if _seconds_of_day(content.column(i), table[i])]
    except InputError:
        raise
    except Exception as error:  # pyarrow raises many kinds of errors over damaged files
        raise InputError(f"{path}: can't be read as {path.suffix[1:].upper()}; {error}") from None
    if not names:
        raise InputError(f"{path}: expected columns of numbers; found {', '.join(others) or 'none'}")
    units = [(content.field(i).metadata or {}).get(b"unit", b"").decode("utf-8", "replace") for i in range(len(names))]
    # Other units than volts stay in the name, which shows that the channel is not EMG.
    names = [f"{name} [{unit}]" if unit and not volts(unit) else name for name, unit in zip(names, units, strict=True)]
    remarks = (f"columns that hold no numbers were left out: {', '.join(others)}",) if others else ()
    layout = Layout(
        Dialect("\t"),
        0,
        len(names),
        names=tuple(names),
        units=tuple(map(volts, units)),
        rates_hz=_rates(content.schema.metadata or {}),
        stamps=tuple(stamps),
        remarks=remarks,
    )
    return decode_columns(table, layout, SampleLines(path, lambda sample: sample + 1, "row"), rate_hz)


def _parquet(path: Path) -> pyarrow.Table:
    from pyarrow.parquet import ParquetFile

    with path.open("rb") as handle, ParquetFile(handle) as file:
        require_modest(path, 8 * file.metadata.num_rows * file.metadata.num_columns)
        return file.read(use_threads=False)


def _feather(path: Path) -> pyarrow.Table:
    from pyarrow.feather import read_table

    with path.open("rb") as handle:
        content = read_table(handle, use_threads=False)
    require_modest(path, 8 * content.num_rows * content.num_columns)
    return content


def _numbers_and_times(content: pyarrow.Table) -> tuple[pyarrow.Table, list[str], list[str]]:
    """The columns of numbers and times, with the index of pandas first; their names; and the names of others."""
    from pyarrow import types

    index = [name for name in _pandas(content.schema.metadata or {}).get("index_columns", []) if isinstance(name, str)]
    order = sorted(range(content.num_columns), key=lambda i: content.field(i).name not in index)
    kinds = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_temporal)
    kept = [i for i in order if any(is_kind(content.field(i).type) for is_kind in kinds)]
    others = [content.field(i).name for i in order if i not in kept]
    chosen = content.select(kept)
    # pandas gives an index without a name such a one; the time of a table without a name is its first column.
    names = ["" if name.startswith("__index_level_") else name for name in chosen.column_names]
    return chosen, names, others


def _seconds_of_day(column: pyarrow.ChunkedArray, into: NDArray[np.float64]) -> bool:
    """Write a column into ``into``, missing values as NaN. Returns whether it holds times, in seconds of the day."""
    import pyarrow
    from pyarrow import types

    kind = column.type
    is_time = types.is_temporal(kind) and not types.is_date(kind)
    if types.is_boolean(kind) or types.is_date32(kind):
        column = column.cast(pyarrow.int32())
    if is_time:
        parts = PARTS_PER_S[kind.unit]
        column = column.cast(pyarrow.int32() if types.is_time32(kind) else pyarrow.int64())
        valid = column.is_valid().to_numpy()
        into[:] = np.where(valid, column.fill_null(0).to_numpy() % (DAY_S * parts) / parts, np.nan)
    else:
        into[:] = column.cast(pyarrow.float64(), safe=False).to_numpy()
    return bool(is_time)


def _rates(metadata: dict[bytes, bytes]) -> tuple[float, ...]:
    """All different rates that the metadata of the file and the attributes of pandas state."""
    stated: dict[str, Any] = {key.decode("utf-8", "replace"): value for key, value in metadata.items()}
    attributes = _pandas(metadata).get("attributes")
    stated |= attributes if isinstance(attributes, dict) else {}
    rates: dict[float, None] = {}
    for key, value in stated.items():
        if leaf_of(key) in RATE_KEYS:
            try:
                rates[float(value)] = None
            except (TypeError, ValueError):
                continue  # such as "see the log"
    return tuple(rates)


def _pandas(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """What pandas states about its index and attributes; empty if another program wrote the file."""
    try:
        content = json.loads(metadata.get(b"pandas", b"{}"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
