"""A folder that is read-only, or becomes read-only while a command writes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht.datasets.prepare
from fault_injection import EVERY, Inputs, contents, here, leftovers, set_read_only, under_permissions, unreadable


@pytest.mark.parametrize("verb", EVERY)
def test_every_command_names_the_folder_without_permission(inputs: Inputs, tmp_path: Path, verb: str) -> None:
    set_read_only(tmp_path, True)
    try:
        with under_permissions():
            done = here(inputs.words(verb, tmp_path))
    finally:
        set_read_only(tmp_path, False)
    assert done.code == 1
    assert "no permission to write here" in done.sentence(), done.said
    assert not list(tmp_path.iterdir())


def test_prepare_continues_once_the_folder_is_writable(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, n_written = semg_hht.datasets.prepare.write_matrix, 0

    def turning(*given: object, **facts: object) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 5:
            set_read_only(tmp_path / "disk", True)
        write(*given, **facts)  # type: ignore[arg-type]

    verb = "prepare {recordings} --out {disk} --band 20 200 --jobs 1"
    assert here(inputs.words(verb, tmp_path / "undisturbed")).code == 0
    with monkeypatch.context() as patch, under_permissions():
        patch.setattr("semg_hht.datasets.prepare.write_matrix", turning)
        first = here(inputs.words(verb, tmp_path / "disk"))
    set_read_only(tmp_path / "disk", False)
    assert first.code == 1
    assert "no permission to write here (Permission denied)" in first.sentence(), first.said
    assert not unreadable(tmp_path / "disk")
    second = here(inputs.words(verb, tmp_path / "disk"))
    assert "1 recording unchanged: matrices not computed again" in second.said
    assert contents(tmp_path / "disk") == contents(tmp_path / "undisturbed")
    assert not leftovers(tmp_path / "disk")
