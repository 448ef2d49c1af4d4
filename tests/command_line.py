"""Runs commands of `semg-hht` for the tests, in this process."""

from __future__ import annotations

from semg_hht.cli.main import main


def run(*words: object) -> int:
    """The exit code of a command."""
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
