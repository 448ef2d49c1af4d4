"""The addresses of the page: where its server listens, what a browser opens, and which host names a request may state.

This module does not know what a visit is.
"""

from __future__ import annotations

import errno
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from semg_hht.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOOPBACK_OF_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # a browser can't open the address that stands for all
URL = r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[^?#\s]*)?"
NO_ADDRESS = (
    "this computer has no such address; --host must be 127.0.0.1, an address of this computer, or 0.0.0.0 (all of them)"
)
REASONS = {
    errno.EADDRNOTAVAIL: NO_ADDRESS,
    errno.EADDRINUSE: "another program uses this port; choose another --port",
    errno.EACCES: "this port needs the rights of an administrator; choose a --port above 1023",
}


@dataclass(frozen=True)
class PageAddress:
    """The ``host`` and ``port`` that the server listens at, and the address that users open if a proxy serves the page.

    Raises
    ------
    InputError
        The port is out of range, or ``public_url`` is not an address of the form https://HOST/PATH.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    public_url: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", self.host.lower().strip("[]"))
        if not 1 <= self.port <= 65535:
            raise InputError(f"port must be from 1 to 65535; got {self.port}")
        if self.public_url is not None:
            if not re.fullmatch(URL, self.public_url, re.ASCII):
                raise InputError(
                    f"public_url must be an address such as https://emg.example.org/semg; got {self.public_url!r}"
                )
            object.__setattr__(self, "public_url", self.public_url.rstrip("/"))

    @property
    def to_open(self) -> str:
        """The address for a browser."""
        if self.public_url is not None:
            return f"{self.public_url}/"
        return f"http://{_bracketed(LOOPBACK_OF_ALL.get(self.host, self.host))}:{self.port}"

    @property
    def path(self) -> str:
        """The path of ``public_url`` without a slash at its end; empty for the root."""
        return unquote(urlsplit(self.public_url or "").path)

    @property
    def server_name(self) -> str:
        """The host as a part of an address."""
        return _bracketed(self.host)

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """The host names that requests may state; None allows all.

        Another site must not reach the server under a host name of its own that resolves to it (DNS rebinding).
        """
        if self.public_url is not None:
            return frozenset((*LOOPBACK, self.host, urlsplit(self.public_url).hostname or ""))
        return frozenset(LOOPBACK) if self.host in LOOPBACK else None

    def require_free(self) -> None:
        """Check that a server can listen here.

        Raises
        ------
        InputError
            This computer does not have the address, or another program uses the port.
        """
        try:
            found = socket.getaddrinfo(self.host or "?", self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            socket.create_server(found[0][4], family=found[0][0]).close()
        except (socket.gaierror, UnicodeError):  # of a name
            reason = NO_ADDRESS
        except OSError as error:
            reason = REASONS.get(error.errno or 0, str(error))
        else:
            return
        raise InputError(f"the page can't be served at {self.server_name}:{self.port}; {reason}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
