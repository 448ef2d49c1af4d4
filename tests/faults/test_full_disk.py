"""A full disk: one sentence, no partial files, older results unchanged, and success once there is space."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fault_injection import EVERY, Inputs, contents, here, leftovers, mounted, unreadable
from semg_hht.errors import InputError
from semg_hht.system.files import whole_folder, write_text


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond: as a quota or a full disk, and nobody has to be root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("verb", EVERY)
def test_every_command_names_the_file_that_it_could_not_write(inputs: Inputs, tmp_path: Path, verb: str) -> None:
    with files_of_at_most(1000):
        done = here(inputs.words(verb, tmp_path))
    assert done.code == 1
    assert "it would be larger than a file may be here" in done.sentence(), done.said
    where = tempfile.gettempdir() if verb == "sample data" else str(tmp_path)  # its recordings lie there for a while
    assert where in done.sentence()
    assert ".part" not in done.sentence()
    assert not unreadable(tmp_path)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("verb", "room"), [("prepare --bids", 60_000), ("prepare --bids", 290_000), ("train", 600_000)]
)
def test_a_second_start_succeeds_once_there_is_space(inputs: Inputs, tmp_path: Path, verb: str, room: int) -> None:
    here(inputs.words(verb, tmp_path / "undisturbed"))
    with mounted(tmp_path / "mount", 8 * 2**20) as there:
        if not there:
            pytest.skip("a small disk can't be mounted here")
        disk = tmp_path / "mount" / "disk"
        disk.mkdir()
        ballast = tmp_path / "mount" / "ballast"
        ballast.write_bytes(b"\0" * (shutil.disk_usage(disk).free - room))
        first = here(inputs.words(verb, disk))
        assert first.code == 1
        assert "the disk" in first.sentence(), first.said
        assert not unreadable(disk)
        ballast.unlink()
        assert here(inputs.words(verb, disk, again=True)).code == 0
        assert contents(disk) == contents(tmp_path / "undisturbed")


def test_a_full_disk_leaves_an_older_result(inputs: Inputs, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("of last week", encoding="utf-8")
    with files_of_at_most(1000):
        assert here([*inputs.words("report", tmp_path), "--overwrite"]).code == 1
    assert page.read_text(encoding="utf-8") == "of last week"


def test_an_error_in_a_new_folder_names_the_final_path(tmp_path: Path) -> None:
    with (
        files_of_at_most(10),
        pytest.raises(InputError, match=r"/best/model\.json: it would be larger than a file may be here"),
        whole_folder(tmp_path / "best") as part,
    ):
        write_text(part / "model.json", "more than ten bytes")
    assert not list(tmp_path.iterdir())
