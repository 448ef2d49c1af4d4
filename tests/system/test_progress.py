"""Progress of long work, and collection of its warnings."""

from __future__ import annotations

import logging

import pytest

from semg_hht.system.progress import TrainingProgress, kept_warnings, untracked


def test_warnings_are_collected_once_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("semg_hht.learning")
    with kept_warnings() as texts:
        for text in ("few people", "few people", "one class"):
            log.warning(text)
        log.info("epoch 1")
    assert texts == ["few people", "one class"]
    assert not caplog.records
    log.warning("later")
    assert caplog.messages == ["later"]


def test_an_error_restores_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="stop"), kept_warnings():
        raise ValueError("stop")
    logging.getLogger("semg_hht").warning("later")
    assert caplog.messages == ["later"]


def test_without_a_bar_items_pass_through() -> None:
    items = iter((1, 2))
    assert untracked(items, 2, "reading") is items
    TrainingProgress().on_start(0, 2)
    TrainingProgress().on_step()
    TrainingProgress().on_epoch(None)
