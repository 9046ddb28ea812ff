"""Listening sockets: every form of an address, and one line that helps when it cannot be had."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from serving import GET, Client, serving

from fastwsgi.server.listeners import BindError, close_listener, open_listener, spell_address, split_address


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


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    ("address", "family", "spelt"),
    [
        ("127.0.0.1:0", socket.AF_INET, "http://127.0.0.1:"),
        ("localhost:0", None, "http://"),
        (":0", socket.AF_INET, "http://0.0.0.0:"),
        pytest.param("[::1]:0", socket.AF_INET6, "http://[::1]:", marks=IPV6),
    ],
)
def test_open_listener(address: str, family: Any, spelt: str) -> None:
    listener = open_listener(address)
    assert family in (None, listener.family)
    said = spell_address(listener)
    assert said.startswith(spelt)
    assert said.endswith(f":{listener.getsockname()[1]}")
    assert not listener.getblocking()
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    close_listener(listener)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux hands it down")
def test_accepted_connections_do_not_wait_to_send() -> None:
    listener = open_listener("127.0.0.1:0", defer_accept=False)
    with socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    close_listener(listener)


@pytest.mark.parametrize("defer", [True, False])
def test_accept_may_wait_for_the_first_bytes(defer: bool) -> None:
    listener = open_listener("127.0.0.1:0", defer_accept=defer)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        assert bool(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)) == defer
    close_listener(listener)


def complaint(address: str) -> str:
    with pytest.raises(BindError) as caught:
        open_listener(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_port_that_is_taken_names_its_holder() -> None:
    listener = open_listener("127.0.0.1:0")
    port = listener.getsockname()[1]
    said = complaint(f"127.0.0.1:{port}")
    assert said.startswith(f"127.0.0.1:{port} is taken")
    assert "choose another port with --bind" in said
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in said
    close_listener(listener)
    close_listener(open_listener(f"127.0.0.1:{port}"))


def test_what_else_can_be_wrong() -> None:
    assert "cannot find the host" in complaint("no.such.host.invalid:80")
    assert "no address of this machine" in complaint("192.0.2.1:80")
    assert "port from 0 to 65535" in complaint("localhost:http")


# Unix sockets


def test_a_unix_socket(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [b"hello"]

    with serving(build, app, bind=[f"unix:{path}"]) as server, Client(str(path)) as client:
        assert spell_address(server.listener) == f"unix:{path}"
        for _ in range(2):
            assert client.send(GET).answer().body == b"hello"
    assert not path.exists()
    environ = environs[0]
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("", "")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (str(path), "")


@IPV6
def test_ipv6(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [b"hello"]

    with serving(build, app, bind=["[::1]:0"]) as server:
        with socket.create_connection(server.address[:2], timeout=10) as client:
            client.sendall(GET)
            assert client.recv(65536).endswith(b"hello")
            port = client.getsockname()[1]
    environ = environs[0]
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["SERVER_NAME"]) == ("::1", str(port), "::1")


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = open_listener(f"unix:{path}")
    Client(str(path)).socket.close()
    close_listener(listener)
    assert not path.exists()


def test_a_unix_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener = open_listener(f"unix:{path}")
    assert "another server listens on" in complaint(f"unix:{path}")
    Client(str(path)).socket.close()
    close_listener(listener)


def test_a_file_is_no_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    assert "is no socket" in complaint(f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_unix_socket_that_cannot_be_made(tmp_path: Path) -> None:
    assert "cannot make the socket" in complaint(f"unix:{tmp_path}/missing/sock")
    assert "cannot make the socket" in complaint(f"unix:{tmp_path}/{'x' * 200}")


def test_the_socket_of_another_is_not_removed(tmp_path: Path) -> None:
    """A new server may have taken the path over before the old one ends."""
    path = tmp_path / "sock"
    old = open_listener(f"unix:{path}")
    path.unlink()
    new = open_listener(f"unix:{path}")
    close_listener(old)
    Client(str(path)).socket.close()
    close_listener(new)
    assert not path.exists()
