"""What --bind takes: every form of an address, and one line that says what is wrong with it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from fastwsgi.http.peers import client_network
from fastwsgi.server.addresses import BindError, Inherited, Tcp, Unix, parse_address, split_address

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Tcp("127.0.0.1", 8080)),
        ("tcp://127.0.0.1:8080", Tcp("127.0.0.1", 8080)),
        ("tcp://[::1]", Tcp("::1", 8000)),
        (":80", Tcp("", 80)),
        ("example.org", Tcp("example.org", 8000)),
        ("unix:/run/shop.sock", Unix("/run/shop.sock")),
        ("unix:///run/shop.sock", Unix("/run/shop.sock")),
        ("unix:shop.sock", Unix("shop.sock")),
        pytest.param("unix:@shop", Unix("\0shop"), marks=LINUX),
        ("fd://3", Inherited(3)),
    ],
)
def test_parse_address(text: str, address: Any) -> None:
    """gunicorn's forms, and abstract sockets."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("http://127.0.0.1:80", "is no address: write 127.0.0.1:80"),
        ("/run/shop.sock", "is no address: write unix:/run/shop.sock"),
        ("udp://127.0.0.1:80", "is no address"),
        ("::1", "write [::1]:PORT"),
        ("fe80::1:80", "does not tell host from port"),
        ("unix:", "names no socket"),
        ("unix:@", "names no socket"),
        ("unix:a\0b", "names no socket"),
        ("fd://", "names no file descriptor"),
        ("fd://three", "names no file descriptor"),
        ("fd://-1", "names no file descriptor"),
    ],
)
def test_parse_address_refuses(text: str, complaint: str) -> None:
    with pytest.raises(BindError) as caught:
        parse_address(text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_abstract_sockets_are_for_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(BindError, match="only Linux"):
        parse_address("unix:@shop")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        (":80", ("", 80)),
        ("[::1]:8080", ("::1", 8080)),
        ("[::]:0", ("::", 0)),
        ("[::1]", ("::1", 8000)),
        ("example.org", ("example.org", 8000)),
        ("h:65535", ("h", 65535)),
    ],
)
def test_split_address(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["h:", "h:http", "h:-1", "h:65536", "h:1.5", "h: 1", "h:+1", "h:\xb2", ":"])
def test_split_address_refuses(address: str) -> None:
    with pytest.raises(BindError, match="port from 0 to 65535"):
        split_address(address)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_what_counts_as_one_client(host: str, network: str) -> None:
    assert client_network(host) == network
