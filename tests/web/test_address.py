"""The addresses of the page: the port and the host, and the address behind a proxy."""

from __future__ import annotations

import socket

import pytest

from semg_hht.errors import InputError
from semg_hht.web.address import PageAddress


@pytest.mark.parametrize(
    ("address", "to_open"),
    [
        (PageAddress(), "http://127.0.0.1:7860"),
        (PageAddress("0.0.0.0"), "http://127.0.0.1:7860"),
        (PageAddress("::", 80), "http://[::1]:80"),
        (PageAddress("[::1]"), "http://[::1]:7860"),
        (PageAddress("10.1.2.3", 8080), "http://10.1.2.3:8080"),
        (PageAddress("0.0.0.0", public_url="https://emg.example.org/semg/"), "https://emg.example.org/semg/"),
        (PageAddress(public_url="https://emg.example.org"), "https://emg.example.org/"),
    ],
)
def test_the_address_to_open_is_one_that_a_browser_can_open(address: PageAddress, to_open: str) -> None:
    assert address.to_open == to_open


def test_requests_may_state_the_local_names_and_the_host_of_the_public_address() -> None:
    local = {"127.0.0.1", "localhost", "::1"}
    assert PageAddress().allowed_hosts == PageAddress("[::1]").allowed_hosts == local
    assert PageAddress("0.0.0.0").allowed_hosts is None
    public = PageAddress(public_url="https://EMG.example.org:8443/semg")
    assert public.allowed_hosts == local | {"emg.example.org"}
    assert public.path == "/semg"
    assert PageAddress("10.1.2.3", public_url="http://[fe80::1]/").allowed_hosts == local | {"10.1.2.3", "fe80::1"}


@pytest.mark.parametrize("port", [-1, 0, 65536, 80000])
def test_a_port_out_of_range_is_an_error(port: int) -> None:
    with pytest.raises(InputError, match=f"port must be from 1 to 65535; got {port}"):
        PageAddress(port=port)


@pytest.mark.parametrize(
    "url", ["", "emg.example.org/semg", "ftp://emg.example.org", "https://", "https://a@b.org", "https://b.org/?a=1"]
)
def test_a_public_address_has_a_scheme_a_host_and_perhaps_a_path(url: str) -> None:
    with pytest.raises(InputError, match="public_url must be an address such as https://emg.example.org/semg; got '"):
        PageAddress(public_url=url)


@pytest.mark.parametrize("host", ["10.255.1.1", "no-such-name.invalid", "a" * 80, ""])
def test_a_host_that_is_no_address_of_this_computer_is_an_error(host: str) -> None:
    with pytest.raises(InputError, match=f"can't be served at {host}:7860; this computer has no such address; --host"):
        PageAddress(host).require_free()


def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"can't be served at 127.0.0.1:{port}; another program uses this port"):
            PageAddress(port=port).require_free()
    PageAddress(port=port).require_free()
