"""Tests of `semg-hht app`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from command_line import run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--max_upload_mb 0", "max_upload_mb must be at least 1; got 0"),
        ("--scaling mvc", "go together; got scaling 'mvc' and no references"),
    ],
)
def test_settings_are_checked_before_the_page_opens(
    simulated_run: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    pytest.importorskip("gradio")
    assert run("app", "--checkpoint", simulated_run, "--cpu", *words.split()) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_without_gradio_it_says_what_to_install(
    simulated_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "semg_hht.web.page", raising=False)
    assert run("app", "--checkpoint", simulated_run, "--cpu") == 1
    assert "the web page needs gradio: pip install 'semg-hht[app]'" in " ".join(capsys.readouterr().err.split())
