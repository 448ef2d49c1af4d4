"""NumPy's files are read in any number of threads."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semg_hht.errors import InputError
from semg_hht.system.files import BROKEN_NPZ
from semg_hht.system.numpy_files import SMALL, arrays_in_npz, map_npy, shapes_in_npz


@pytest.fixture
def threads_that_take_turns() -> Iterator[None]:
    """Threads change inside of NumPy's parsing of a header, as they do now and then where garbage is searched."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()

    def let_others_run(*_: object) -> None:
        sum(range(200))

    gc.callbacks.append(let_others_run)
    gc.set_threshold(5)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(let_others_run)


@pytest.mark.usefixtures("threads_that_take_turns")
def test_threads_may_read_at_the_same_time(tmp_path: Path) -> None:
    """Python 3.11 said "AST constructor recursion depth mismatch" of one header in about fifty."""
    npz, npy = tmp_path / "a.npz", tmp_path / "a.npy"
    values = np.arange(6.0).reshape(2, 3)
    np.savez(npz, values=values)
    np.save(npy, values)

    def read(_: int) -> None:
        assert_array_equal(arrays_in_npz(npz)["values"], values)
        assert_array_equal(map_npy(npy), values)
        assert shapes_in_npz(npz) == {"values": (2, 3)}

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(read, range(300)))) == 300


def test_only_what_is_asked_for_is_read_and_notes_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.ones(2), b=np.zeros((3, 1), np.float16))
    assert arrays_in_npz(path, {"b"}).keys() == {"b"}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "recorded at home")
    found = arrays_in_npz(path)
    assert found.keys() == {"a", "b"} and found["b"].dtype == np.float16


@pytest.mark.parametrize("damage", ["missing", "cut", "objects", "no zip"])
def test_what_can_not_be_read_raises(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([None]) if damage == "objects" else np.arange(100))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    if damage == "no zip":
        path.write_bytes(b"text")
    with pytest.raises(BROKEN_NPZ):
        arrays_in_npz(path, {"b" if damage == "missing" else "a"})


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_large_array_is_in_memory_once(tmp_path: Path, save: Callable[..., None]) -> None:
    path = tmp_path / "a.npz"
    values = np.tile(np.arange(2**20), 4).reshape(2, -1)
    save(path, values=values)
    tracemalloc.start()
    try:
        found = arrays_in_npz(path)["values"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert_array_equal(found, values)
    assert values.nbytes > SMALL and peak < 1.5 * values.nbytes


def test_what_unpacks_to_many_times_its_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.system.files.MAX_BYTES", 1000)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(10_000))
    for read in (arrays_in_npz, shapes_in_npz):
        with pytest.raises(InputError, match=r"a\.npz: unpacks to 80128 bytes; expected no more than 1000"):
            read(path)
