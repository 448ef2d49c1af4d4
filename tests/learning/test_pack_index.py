"""The index of a pack: JSON as json.dumps writes it, read in parts of any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semg_hht.errors import InputError
from semg_hht.learning import pack_index
from semg_hht.learning.pack_index import PackIndex, Stamps, read_index, write_index

DIGEST = bytes(range(32)).hex()
SETTINGS = [{"band": [20.0, 200.0], "scaling": "深"}, None]


def entry(number: int) -> dict[str, Any]:
    vector = None if number == 1 else [0.1 * number, 1e-17]
    stored = {"rms": [0.1 + number], "reference": [2.0]}
    return {"number": number, "digest": DIGEST, "peak": 0.3, "settings": number % 2, "features": stored,
            "mixing": vector, "profile": [1.5]}  # fmt: skip


FILES = [entry(0), {"number": None, "reason": 'a "broken" file\n'}, entry(1), entry(2)]


@pytest.fixture
def stamps(tmp_path: Path) -> Stamps:
    (tmp_path / "a.npz").write_bytes(b"123")
    return Stamps.of(tmp_path, ["a.npz", "gone.npz", "raw\udcff.npz", "\0"])


def content(stamps: Stamps) -> dict[str, Any]:
    listed = [stamps[i] for i in range(len(stamps))]
    return {"format": 3, "n_planes": 1, "stamps": listed, "settings": SETTINGS, "files": FILES}


@pytest.fixture
def path(tmp_path: Path, stamps: Stamps) -> Path:
    (tmp_path / "pack.json").write_text(json.dumps(content(stamps)), encoding="utf-8")
    return tmp_path / "pack.json"


def read(path: Path, stamps: Stamps) -> PackIndex:
    found = read_index(path, stamps)
    assert found is not None
    return found


def test_stamps_state_sizes_and_missing_files(stamps: Stamps) -> None:
    assert stamps.sizes.tolist() == [3, -1, -1, -1]
    assert stamps[1] == ["gone.npz", -1, 0]


def test_an_index_is_written_as_json_writes_it(stamps: Stamps, path: Path, tmp_path: Path) -> None:
    with (tmp_path / "lines").open("w+") as entries, (tmp_path / "own.json").open("w") as handle:
        entries.writelines(json.dumps(stated) + "\n" for stated in FILES)
        write_index(handle, 1, stamps, SETTINGS, entries)
    assert (tmp_path / "own.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("part", [1, 2, 7, 2**16])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_index_is_read_in_parts(
    part: int, indent: int | None, stamps: Stamps, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_index, "PART", part)
    path.write_text(json.dumps(content(stamps), indent=indent))
    found = read(path, stamps)
    assert (found.n_planes, found.settings) == (1, SETTINGS)
    assert found.entries.numbers.tolist() == [0, -1, 1, 2]
    assert found.entries.held.tolist() == [0, 2, 3]
    assert found.entries.reasons == {1: 'a "broken" file\n'}
    assert found.entries.stored[3] == {"rms": (2.1,), "reference": (2.0,)}
    assert bytes(found.entries.digests) == bytes.fromhex(DIGEST) * 3
    profile = found.entries.profile.taken_out(found.entries.held)
    assert profile is not None
    assert profile.tolist() == [[1.5]] * 3
    assert found.entries.covariance.taken_out(np.array([0, 3])) is not None


def test_an_index_of_other_files_is_none(stamps: Stamps, path: Path) -> None:
    stamps.sizes[0] = 4
    assert read_index(path, stamps) is None
    assert read_index(path, Stamps(stamps.names[:3], stamps.sizes, stamps.times_ns)) is None


@pytest.mark.parametrize("text", ["", "[1]", '{"format": 3, "stamps": [', '{"format": 3} {}', '{"format" 3}', "\xff"])
def test_broken_json_is_named(text: str, stamps: Stamps, path: Path) -> None:
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"pack\.json: expected JSON"):
        read_index(path, stamps)


def test_a_digest_has_32_bytes(stamps: Stamps, path: Path) -> None:
    path.write_text(json.dumps(content(stamps)).replace(DIGEST, "ab"))
    with pytest.raises(ValueError, match="a digest has 1 bytes, not 32"):
        read_index(path, stamps)
