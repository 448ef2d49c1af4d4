"""Remove what the server keeps of visitors who have left, and close connections that send no request.

This module relies on private attributes of Gradio and uvicorn. It does not know what a visit is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semg_hht.web.request_filter import OpenPages

MAX_UPLOADS = 1000  # names of uploaded files that Gradio may remember before names of removed files are dropped


def clean_up(page: Any, open_pages: OpenPages, silent: set[tuple[Any, Any]]) -> set[tuple[Any, Any]]:
    """Forget visitors whose page is closed, and close connections that sent no request since the last call.

    ``silent`` holds the connections that were silent at the last call; the result holds those that are silent now.
    """
    queue, uploads = page._queue, page.upload_file_set
    busy = {event.session_hash for event in list(queue.event_ids_to_events.values())}
    state_by_key = (queue.pending_messages_per_session, queue.pending_event_ids_session,
                    page.state_holder.session_data, page.state_holder.time_last_used)  # fmt: skip
    for by_key in state_by_key:
        for key in [key for key in list(by_key) if key not in open_pages and key not in busy]:
            by_key.pop(key, None)
    if len(uploads) > MAX_UPLOADS:  # not at each call: Gradio may list a file just before it exists
        uploads -= {path for path in list(uploads) if not Path(path).exists()}
    # uvicorn waits without a limit for the rest of a request's header.
    connections = list(page.server.server_state.connections)
    cycles = [(connection, getattr(connection, "cycle", None)) for connection in connections]  # WebSockets have none
    waiting = {(connection, cycle) for connection, cycle in cycles if cycle is None or cycle.response_complete}
    for connection, _ in waiting & silent:
        connection.loop.call_soon_threadsafe(connection.transport.close)
    return waiting - silent
