"""What the server keeps of visitors who are gone, and connections over which nothing comes.

Knows the insides of Gradio and uvicorn that hold on to these: nothing of what a visit is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semg_hht.web.request_filter import Lines

MAX_UPLOADS = 1000  # names of uploads that are kept, there or not


def swept(page: Any, lines: Lines, silent: set[tuple[Any, Any]]) -> set[tuple[Any, Any]]:
    """Forget what Gradio keeps of visitors who are gone, and hang up where no request came since the last sweep.

    ``silent`` are the connections that were waited for at that one; the answer is those of now.
    """
    queue, uploads = page._queue, page.upload_file_set
    busy = {event.session_hash for event in list(queue.event_ids_to_events.values())}
    kept = (queue.pending_messages_per_session, queue.pending_event_ids_session, page.state_holder.session_data,
            page.state_holder.time_last_used)  # fmt: skip
    for by_key in kept:
        for key in [key for key in list(by_key) if key not in lines and key not in busy]:
            by_key.pop(key, None)
    if len(uploads) > MAX_UPLOADS:  # seldom: one that has just arrived may not have its name yet
        uploads -= {path for path in list(uploads) if not Path(path).exists()}
    # uvicorn waits without end for the rest of a request's head.
    connections = list(page.server.server_state.connections)
    cycles = [(one, getattr(one, "cycle", None)) for one in connections]  # a WebSocket, which is refused, has none
    waited = {(one, cycle) for one, cycle in cycles if cycle is None or cycle.response_complete}
    for one, _ in waited & silent:
        one.loop.call_soon_threadsafe(one.transport.close)
    return waited - silent
