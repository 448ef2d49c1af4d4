"""A small reverse proxy for the tests of the web page, which passes requests on as nginx does."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress


@contextmanager
def reverse_proxy(port: int, to_port: int, *, path: str = "", strips_path: bool = True) -> Iterator[None]:
    """Serve http://127.0.0.1:``to_port`` below ``path`` at ``port``, with the Host header of the browser.

    strips_path : pass requests on without ``path``, as ``proxy_pass http://127.0.0.1:7860/;`` does.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            if not self.path.startswith(path):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with closing(http.client.HTTPConnection("127.0.0.1", to_port, timeout=60)) as server:
                inner = self.path.removeprefix(path) if strips_path else self.path
                server.request(self.command, inner, body, {**dict(self.headers), "Connection": "close"})
                answer = server.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # the browser has closed the connection
                    while chunk := answer.read1():  # a stream of events is passed on as it arrives
                        self.wfile.write(chunk)
                        self.wfile.flush()

        do_GET = do_POST = do_HEAD = pass_on

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield
        finally:
            proxy.shutdown()
            thread.join()
