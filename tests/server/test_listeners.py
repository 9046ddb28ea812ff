"""Listening TCP sockets, and one line that helps when one cannot be had."""

from __future__ import annotations

import os
import socket
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import originals
from fastwsgi.process.sockets import Listeners
from fastwsgi.server import bind
from fastwsgi.server.bind import BindError, close_listener, open_listener, spell_address
from fastwsgi.settings.settings import Settings
from tests.helpers.machine import IPV6
from tests.helpers.serving import GET, PATIENCE, serving


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


@IPV6
@pytest.mark.parametrize("reuse_port", [False, True])
def test_all_addresses_of_both_families(reuse_port: bool) -> None:
    listeners = Listeners()
    listeners.open(Settings(bind=["*:0"], reuse_port=reuse_port, workers=2, defer_accept=False))
    sockets = listeners.bindings[0].sockets
    assert len(sockets) == 1 + reuse_port
    (port,) = {listener.getsockname()[1] for listener in sockets}
    assert listeners.urls("http") == [f"http://[::]:{port}"]
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port), PATIENCE).close()
    listeners.close()


@IPV6
def test_all_addresses_of_ipv6_are_not_those_of_ipv4() -> None:
    listener = open_listener("[::]:0")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), PATIENCE)
    close_listener(listener)


def test_without_ipv6_all_addresses_are_those_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind, "_has_ipv6", lambda: False)
    listener = open_listener("*:0")
    assert (listener.family, listener.getsockname()[0]) == (socket.AF_INET, "0.0.0.0")
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
    assert "cannot find the host" in complaint(f"{'x' * 70}.example:80")
    assert "cannot find the host" in complaint("a\0b:80")
    assert "cannot find the host" in complaint("a..b:80")


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT")
def test_a_port_can_be_shared() -> None:
    first = open_listener("127.0.0.1:0", reuse_port=True)
    address = spell_address(first)[len("http://") :]
    second = open_listener(address, reuse_port=True)
    assert second.getsockname() == first.getsockname()
    assert "is taken" in complaint(address)
    close_listener(first)
    close_listener(second)


def test_a_port_that_cannot_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(originals.socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(BindError, match="leave --reuse-port out"):
        open_listener("127.0.0.1:0", reuse_port=True)


@IPV6
def test_ipv6(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [b"hello"]

    with serving(build, app, bind=["[::1]:0"]) as server:
        with socket.create_connection(server.address[:2], timeout=PATIENCE) as client:
            client.sendall(GET)
            assert client.recv(65536).endswith(b"hello")
            port = client.getsockname()[1]
    environ = environs[0]
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["SERVER_NAME"]) == ("::1", str(port), "::1")
