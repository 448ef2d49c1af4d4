"""Atomic writes, safe reads, locked folders."""

from __future__ import annotations

import errno
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.system import files as storage
from semg_hht.system.files import (
    clear_folder,
    file_as_named,
    files_in,
    in_command,
    is_hidden,
    locked_folder,
    names_in,
    read_json,
    recover_folder,
    require_new_file,
    require_new_folder,
    require_space,
    require_suffix,
    whole_file,
    whole_folder,
    write_json,
    write_text,
)


@pytest.mark.parametrize(
    ("path", "posix", "windows"),
    [
        ("runs/a-b_1.csv", "runs/a-b_1.csv", "runs/a-b_1.csv"),
        ("数据/记录.csv", "数据/记录.csv", "数据/记录.csv"),
        ("my data/a.csv", "'my data/a.csv'", '"my data/a.csv"'),
        ("it's (1)", "'it'\"'\"'s (1)'", '"it\'s (1)"'),
        ("C:\\runs", "'C:\\runs'", "C:\\runs"),
        ("~", "'~'", '"~"'),
    ],
)
def test_a_path_is_one_word_of_a_command(path: str, posix: str, windows: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.sys, "platform", "linux")
    assert in_command(path) == posix and shlex.split(in_command(path)) == [path]
    monkeypatch.setattr(storage.sys, "platform", "win32")
    assert in_command(path) == windows


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with whole_file(path) as part:
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_the_name_of_a_file_to_write_says_its_format_or_nothing(tmp_path: Path) -> None:
    for name in ("a.csv", "a.CSV", "a", ".csv"):
        require_suffix(tmp_path / name, ".csv", ".json")
    with pytest.raises(InputError, match=r"a\.png: is written as \.csv or \.json; found \.png"):
        require_suffix(tmp_path / "a.png", ".csv", ".json")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), whole_file(path) as part:
        part.write_text("new")
        raise RuntimeError("half-way")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_an_error_and_the_old_file_stays(small_disk: Path) -> None:
    path = small_disk / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=r"a\.bin: the disk is full; .*what stood there is untouched"):  # noqa: SIM117
        with whole_file(path) as part:
            part.write_bytes(b"x" * 2**20)
    assert path.read_bytes() == b"old"
    assert [p.name for p in small_disk.iterdir()] == ["a.bin"]


def test_a_full_disk_is_an_error_for_a_folder(small_disk: Path) -> None:
    folder = small_disk / "best"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    with pytest.raises(InputError, match="the disk is full"), whole_folder(folder) as part:
        (part / "a.bin").write_bytes(b"x" * 2**20)
    assert (folder / "a.bin").read_bytes() == b"old"
    assert [p.name for p in small_disk.iterdir()] == ["best"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    for content in ("one", "two"):
        with whole_folder(folder) as part:
            (part / f"{content}.txt").write_text(content)
    assert [p.name for p in folder.iterdir()] == ["two.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An existing folder to replace."""
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "a.txt").write_text("old")
    return folder


def test_a_folder_that_fails_half_way_leaves_the_old_one(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half-way"), whole_folder(folder) as part:
        (part / "a.txt").write_text("new")
        raise RuntimeError("half-way")
    assert (folder / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


def refuse_renames(patch: pytest.MonkeyPatch, of: Callable[[Path], bool], error: OSError) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if of(self):
            raise error
        return rename(self, target)

    patch.setattr(Path, "rename", refuse)


def test_a_folder_whose_last_rename_fails_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_renames(monkeypatch, lambda path: path.name.endswith(".part"), OSError(errno.EIO, "input/output error"))
    with pytest.raises(OSError, match="input/output error"), whole_folder(folder) as part:
        (part / "a.txt").write_text("new")
    assert (folder / "a.txt").read_text() == "old"


def test_the_old_folder_is_kept_if_no_rename_succeeds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder becomes read-only between the two renames; `recover_folder` restores it."""
    with monkeypatch.context() as patch:
        refuse_renames(patch, lambda path: path != folder, PermissionError(errno.EACCES, "no"))
        with pytest.raises(InputError, match="best: no permission"), whole_folder(folder) as part:
            (part / "a.txt").write_text("new")
    assert not folder.exists()
    recover_folder(folder)
    assert (folder / "a.txt").read_text() == "old"


def test_a_folder_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(storage, "_flush_to_disk", refuse)
    with pytest.raises(InputError, match=r"a\.txt: no permission to write here"):
        write_text(tmp_path / "a.txt", "x")
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_system_pass_through(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_json_keeps_order_and_chinese_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"z": "半程", "a": [1, None]})
    assert "半程" in path.read_text(encoding="utf-8")
    assert list(read_json(path)) == ["z", "a"]


def test_missing_or_invalid_json_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json: no such file"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json: expected JSON; Expecting property name"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match=r"a\.json: expected JSON"):
        read_json(tmp_path / "a.json")


def test_too_little_space_is_an_error_before_writing(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1)
    with pytest.raises(InputError, match=r"yet: the disk has .* MB free, .* MB are needed; nothing was written"):
        require_space(tmp_path / "not" / "yet", 10**18)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    require_new_folder(tmp_path / "new", overwrite=False)
    require_new_folder(tmp_path, overwrite=False)  # empty
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match="this folder is not empty; name another one, or say overwrite=True"):
        require_new_folder(tmp_path, overwrite=False)
    require_new_folder(tmp_path, overwrite=True)
    with pytest.raises(InputError, match=r"a\.txt: expected a folder to write into; found a file"):
        require_new_folder(tmp_path / "a.txt", overwrite=True)


def test_an_output_file_that_exists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    require_new_file(path, overwrite=False)
    path.write_text("")
    with pytest.raises(InputError, match=r"a\.json: exists already; name another file, or say overwrite=True"):
        require_new_file(path, overwrite=False)
    require_new_file(path, overwrite=True)
    with pytest.raises(InputError, match="expected a file to write; found a folder"):
        require_new_file(tmp_path, overwrite=True)


def test_clearing_removes_what_matches_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "a").write_text("")
    (tmp_path / "a.png").write_text("")
    (tmp_path / "notes.txt").write_text("mine")
    clear_folder(tmp_path, ("best", "*.png"))
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


HOLD = """
import sys, time
from pathlib import Path
from semg_hht.system.files import locked_folder
with locked_folder(Path(sys.argv[1])):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


def test_a_lock_lasts_until_its_process_ends_or_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="run: another process writes here"), locked_folder(folder):
            pass
        other.kill()
        other.wait()
    with locked_folder(folder):
        (folder / "file").write_text("x")
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_lock_removes_a_folder_that_it_created(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to do"), locked_folder(tmp_path / "a" / "run"):
        raise InputError("nothing to do")
    assert not (tmp_path / "a" / "run").exists()


def test_locking_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with (
        pytest.raises(InputError, match="run: expected a folder to write into; found a file"),
        locked_folder(tmp_path / "run"),
    ):
        pass


def test_a_lock_file_does_not_make_a_folder_used(tmp_path: Path) -> None:
    with locked_folder(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [storage.LOCK_FILE]
        require_new_folder(tmp_path, overwrite=False)
        (tmp_path / "a.csv").touch()
        with pytest.raises(InputError, match="this folder is not empty"):
            require_new_folder(tmp_path, overwrite=False)


def test_hidden_files_and_folders_are_not_found(tmp_path: Path) -> None:
    copies = ("._a.csv", ".ipynb_checkpoints/a-checkpoint.csv", "__MACOSX/deep/a.csv", "deep/.x/a.csv")
    for name in ("a.csv", "deep/B.CSV", "notes.md", *copies):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert files_in(tmp_path, (".csv",)) == [tmp_path / "a.csv", tmp_path / "deep" / "B.CSV"]
    assert files_in(tmp_path / "deep" / ".x", (".csv",)) == [tmp_path / "deep" / ".x" / "a.csv"]  # named by the user
    assert files_in(tmp_path / "nowhere", (".csv",)) == []
    assert [path.name for path in files_in(tmp_path) if path.is_file()] == ["a.csv", "B.CSV", "notes.md"]
    assert not is_hidden("a.b")
    for folder in (tmp_path, tmp_path / "deep" / ".x", tmp_path / "nowhere"):
        assert [folder / name for name in names_in(folder, (".csv",))] == files_in(folder, (".csv",))
    (tmp_path / "deep.csv" / "z").mkdir(parents=True)  # a folder; parts are compared, not letters
    for name in ("deep/z.csv", "deep.csv/z/a.csv", "csv", "a.b.csv"):
        (tmp_path / name).touch()
    assert [tmp_path / name for name in names_in(tmp_path, (".csv",))] == files_in(tmp_path, (".csv",))


def test_a_file_is_found_under_another_form_of_its_name(tmp_path: Path) -> None:
    composed, decomposed = "Jos\u00e9/\u00fcbung.csv", "Jose\u0301/u\u0308bung.csv"
    for name, other in ((composed, decomposed), (decomposed, composed)):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
        assert file_as_named(folder, name) == file_as_named(folder, other) == folder / name
        assert file_as_named(folder, "Jos\u00e9/ubung.csv") == folder / "Jos\u00e9/ubung.csv"
    (folder / composed).parent.mkdir(exist_ok=True)
    (folder / composed).touch()
    assert file_as_named(folder, composed) == folder / composed  # the name as it stands comes first
    for name in ("\u00e9" * 300, "\u00e9\0", "a\u00e9/../b.csv"):
        assert file_as_named(folder, name) == folder / name


def test_a_folder_that_can_not_be_made_is_said_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "no", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(InputError, match=r"a\.csv: can't be written here; No such file or directory"),
        whole_file(tmp_path / "new" / "a.csv"),
    ):
        pass
