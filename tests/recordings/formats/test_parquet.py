"""recordings/formats/parquet.py: tables that pandas and pyarrow write."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recording_files import SHEET_MV, write_parquet
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pa = pytest.importorskip("pyarrow")
N = len(SHEET_MV)
COLUMNS = {"EMG biceps [mV]": SHEET_MV[:, 0], "EMG triceps [mV]": SHEET_MV[:, 1]}


def indices() -> dict[str, Any]:
    pd = pytest.importorskip("pandas")
    return {
        "seconds": pd.Index(np.arange(N) / 1000, name="time"),
        "no name": pd.Index(np.arange(N) / 1000),
        "dates": pd.date_range("2024-01-02 23:59:59.9", periods=N, freq="1ms"),
        "durations": pd.timedelta_range(0, periods=N, freq="1ms"),
    }


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
@pytest.mark.parametrize("index", ["seconds", "no name", "dates", "durations"])
def test_the_index_of_pandas_is_the_clock(tmp_path: Path, suffix: str, index: str) -> None:
    pd = pytest.importorskip("pandas")
    table = pa.Table.from_pandas(pd.DataFrame(COLUMNS, index=indices()[index]))
    recording = read_recording(write_parquet(tmp_path / f"a{suffix}", table))
    assert_array_equal(recording.samples, SHEET_MV.T)
    assert (recording.rate_hz, recording.units) == (1000.0, "mV")
    assert recording.channel_names == ("EMG biceps", "EMG triceps")


def test_the_attributes_of_pandas_state_the_rate(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(COLUMNS)
    frame.attrs = {"sampling rate": 500, "subject": "S1"}
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_recording(tmp_path / "a.parquet").rate_hz == 500.0


def test_the_metadata_state_rate_and_units(tmp_path: Path) -> None:
    fields = [pa.field("a", pa.float64(), metadata={"unit": "uV"}), pa.field("b", pa.float64(), metadata={"unit": "N"})]
    schema = pa.schema(fields, metadata={"fs": "2000"})
    recording = read_recording(write_parquet(tmp_path / "a.parquet", pa.table(list(SHEET_MV.T), schema=schema)))
    assert (recording.rate_hz, recording.units, recording.non_emg) == (2000.0, "uV", ("b [N]",))


@pytest.mark.parametrize("kind", [pa.float32(), pa.int16(), pa.uint64(), pa.decimal128(9, 3), pa.float16()])
def test_every_kind_of_number(tmp_path: Path, kind: Any) -> None:
    values = np.arange(N) * 37 % 101 + 1000
    cells = [Decimal(int(v)) for v in values] if pa.types.is_decimal(kind) else values.astype(kind.to_pandas_dtype())
    table = pa.table({"EMG": pa.array(cells, kind), "EMG 2": SHEET_MV[:, 1]})
    recording = read_recording(write_parquet(tmp_path / "a.parquet", table), rate_hz=1000)
    assert_allclose(recording.samples[0], values, rtol=1e-3)


def test_a_null_is_a_missing_sample_and_text_is_left_out(tmp_path: Path) -> None:
    values: list[float | None] = SHEET_MV[:, 0].tolist()
    values[50] = None
    table = pa.table({"subject": ["S1"] * N, "EMG 1": values, "EMG 2": SHEET_MV[:, 1]})
    recording = read_recording(write_parquet(tmp_path / "a.parquet", table), rate_hz=1000)
    assert recording.samples[0, 50] == pytest.approx((SHEET_MV[49, 0] + SHEET_MV[51, 0]) / 2)
    assert recording.remarks[0] == "columns that hold no numbers were left out: subject"


def test_a_table_without_numbers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.parquet: expected columns of numbers; found emg$"):
        read_recording(write_parquet(tmp_path / "a.parquet", pa.table({"emg": [[1.0, 2.0]] * N})), rate_hz=1000)


def test_too_many_rows_are_refused_before_memory_is_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows, for which the bound is lowered: to write a file above the real one takes seconds."""
    monkeypatch.setattr("semg_hht.system.files.MAX_BYTES", 2**20)
    path = write_parquet(tmp_path / "a.parquet", pa.table({"EMG": pa.nulls(1_000_000, pa.float64())}))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.parquet: unpacks to 8000000 bytes; expected no more than 1048576$"):
        read_recording(path, rate_hz=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = write_parquet(tmp_path / f"a{suffix}", pa.table(COLUMNS))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=rf"a{suffix}: can't be read as {suffix[1:].upper()}; "):
        read_recording(path)
