"""The server forgets visitors who have left and closes silent connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from semg_hht.web import cleanup
from semg_hht.web.cleanup import clean_up
from semg_hht.web.request_filter import OpenPages


def test_closed_pages_are_forgotten_and_silent_connections_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "MAX_UPLOADS", 1)
    closed: list[str] = []

    class Thing:
        """An object with these attributes that equals only itself, as a connection does."""

        def __init__(self, **attributes: Any) -> None:
            vars(self).update(attributes)

    def connection(name: str, **cycle: Any) -> Any:
        loop = Thing(call_soon_threadsafe=lambda close: close())
        return Thing(loop=loop, transport=Thing(close=lambda: closed.append(name)), **cycle)

    done, speaking = Thing(response_complete=True), Thing(response_complete=False)
    connections = {connection("slow", cycle=None), connection("idle", cycle=done), connection("busy", cycle=speaking),
                   connection("socket")}  # fmt: skip
    by_key = [{key: key for key in ("here", "gone", "answered")} for _ in range(4)]
    queue = Thing(
        event_ids_to_events={"1": Thing(session_hash="answered")}, pending_messages_per_session=by_key[0],
        pending_event_ids_session=by_key[1],
    )  # fmt: skip
    (tmp_path / "a.csv").touch()
    page = Thing(
        _queue=queue, upload_file_set={str(tmp_path / "a.csv"), str(tmp_path / "gone.csv")},
        state_holder=Thing(session_data=by_key[2], time_last_used=by_key[3]),
        server=Thing(server_state=Thing(connections=connections)),
    )  # fmt: skip
    open_pages = OpenPages()
    with open_pages.opened("here", "a" * 32):
        silent = clean_up(page, open_pages, set())
        assert closed == []
        assert [list(kept) for kept in by_key] == [["here", "answered"]] * 4
        assert page.upload_file_set == {str(tmp_path / "a.csv")}
        clean_up(page, open_pages, silent)
    assert sorted(closed) == ["idle", "slow", "socket"]
