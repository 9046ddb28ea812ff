"""nginx and HAProxy, as Debian has them, in front: what the application is told, and that connections are kept.

The manual's files are the ones that run here, with the paths and ports of the test.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.server.listener import Listener
from tests.helpers.observers import RefusedConnections
from tests.helpers.pages import blocks
from tests.helpers.pki import Pki
from tests.helpers.proxies import haproxy, nginx
from tests.helpers.serving import GET, PATIENCE, Client, Server, request, serving

KEYS = ("REMOTE_ADDR", "fastwsgi.peer_addr", "wsgi.url_scheme", "HTTP_HOST", "SERVER_PORT", "SCRIPT_NAME", "PATH_INFO")
pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed"),
]


class Telling:
    """Answers with what it was told of the client; knows the connections that requests came by."""

    def __init__(self) -> None:
        self.connections: set[int] = set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.connections.add(id(start_response.connection))
        start_response("200 OK", [])
        return [" ".join(str(environ.get(key)) for key in KEYS).encode()]


def nginx_block(server: Server, *lines: str) -> str:
    """The manual's file for nginx, with *lines* more in its location."""
    path = server.address if isinstance(server.address, str) else None
    block = blocks("nginx", "nginx")[0]
    if path is None:
        block = re.sub(r"^    server unix.*\n    # ", "    ", block, flags=re.MULTILINE)
        block = block.replace("127.0.0.1:8000", "{}:{}".format(*server.address))
    block = block.replace("unix:/run/shop.sock", f'"unix:{path}"')
    return block.replace("X-Forwarded-Proto $scheme;", "\n".join(["X-Forwarded-Proto $scheme;", *lines]))


def haproxy_block(server: Server, option: str = "", *lines: str) -> str:
    """The manual's backend for HAProxy with one server, *option* for it, and *lines* more."""
    name = f'"unix@{server.address}"' if isinstance(server.address, str) else "{}:{}".format(*server.address)
    block = re.sub(r"    (option httpchk|default-server|server) .*\n", "", blocks("haproxy", "haproxy")[0])
    return "\n".join([block.rstrip(), *(f"    {line}" for line in lines), f"    server one {name} {option}", ""])


def ask(client: Client, *fields: tuple[str, str], target: str = "/shop/cart") -> str:
    return client.send(request(target=target, fields=fields)).answer().body.decode()


HOSTILE = (("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
           ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/evil"), ("Forwarded", "for=6.6.6.6"))  # fmt: skip


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_nginx_of_the_manual(build: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    bind, peer = ("127.0.0.1:0", "127.0.0.1") if kind == "tcp" else (f"unix:{tmp_path}/s", "")
    app = Telling()
    with serving(build, app, bind=[bind], forwarded_allow_ips=["127.0.0.1", "unix"]) as server:
        with nginx(tmp_path / "nginx", nginx_block(server)) as front, front.connect("127.0.0.7") as client:
            port = server.address[1] if kind == "tcp" else ""
            for fields in ((), HOSTILE, ()):
                assert ask(client, *fields) == f"127.0.0.7 {peer} http test {port}  /shop/cart"
            with front.connect("127.0.0.8") as other:
                assert ask(other).startswith("127.0.0.8 ")
            assert len(app.connections) == 1, "kept between clients"
            assert server.connections() == 1


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_haproxy_of_the_manual(build: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    bind, peer = ("127.0.0.1:0", "127.0.0.1") if kind == "tcp" else (f"unix:{tmp_path}/s", "")
    app = Telling()
    with serving(build, app, bind=[bind], forwarded_allow_ips=["127.0.0.1", "unix"]) as server:
        block = haproxy_block(server, "", "http-reuse always")
        with haproxy(tmp_path / "haproxy", block) as front, front.connect("127.0.0.7") as client:
            port = server.address[1] if kind == "tcp" else ""
            for fields in ((), HOSTILE, ()):
                assert ask(client, *fields) == f"127.0.0.7 {peer} http test {port}  /shop/cart"
            with front.connect("127.0.0.8") as other:
                assert ask(other).startswith("127.0.0.8 ")
            assert len(app.connections) == 1


ALL = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"]


def test_all_of_x_forwarded(build: SimpleNamespace, tmp_path: Path) -> None:
    """The proxy ends TLS, say, is asked for another host and port, and mounts the application below /shop."""
    lines = [
        "proxy_set_header Host inner;",
        "proxy_set_header X-Forwarded-Host $http_host;",
        "proxy_set_header X-Forwarded-Port 8443;",
        "proxy_set_header X-Forwarded-Prefix /shop;",
    ]
    with serving(build, Telling(), forwarded_allow_ips="127.0.0.1", forwarded_headers=ALL) as server:
        block = nginx_block(server, *lines).replace("Proto $scheme", "Proto https")
        block = block.replace("proxy_set_header Host $http_host;\n", "")
        with nginx(tmp_path / "nginx", block) as front, front.connect() as client:
            for fields in ((), HOSTILE):
                assert ask(client, *fields) == "127.0.0.7 127.0.0.1 https test 8443 /shop /cart"


def test_two_proxies_in_a_row(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving(build, Telling(), forwarded_allow_ips="127.0.0.1", forwarded_hops=2) as server:
        block = nginx_block(server).replace("Proto $scheme", "Proto $http_x_forwarded_proto")
        with nginx(tmp_path / "nginx", block) as inner:
            inner_server = SimpleNamespace(address=inner.address)
            with haproxy(tmp_path / "haproxy", haproxy_block(inner_server)) as outer:  # type: ignore[arg-type]
                with outer.connect("127.0.0.7") as client:
                    assert ask(client, *HOSTILE).startswith("127.0.0.7 127.0.0.1 http ")
            with inner.connect("127.0.0.9") as client:  # past the outer one
                assert ask(client, *HOSTILE[1:]).startswith("127.0.0.9 127.0.0.1 https ")


def test_forwarded(build: SimpleNamespace, tmp_path: Path) -> None:
    """RFC 7239: appended as one field by nginx, and in a field of its own by HAProxy."""
    settings: dict[str, Any] = {"forwarded_allow_ips": "127.0.0.1", "forwarded_headers": "forwarded"}
    with serving(build, Telling(), **settings) as server:
        element = "for=$remote_addr;proto=https;host=shop.example"
        line = f'proxy_set_header Forwarded "$http_forwarded, {element}";'
        with nginx(tmp_path / "nginx", nginx_block(server, line)) as front:
            for fields in ((), HOSTILE):
                with front.connect() as client:
                    assert ask(client, *fields) == "127.0.0.7 127.0.0.1 https shop.example 443  /shop/cart"
            with front.connect() as client:
                client.send(request(fields=[("Forwarded", 'for="')]))
                assert client.answer().status == 400
        line = "http-request add-header Forwarded for=%[src];proto=https"
        with haproxy(tmp_path / "haproxy", haproxy_block(server, "", line)) as front, front.connect() as client:
            for fields in ((), HOSTILE):
                assert ask(client, *fields).startswith("127.0.0.7 127.0.0.1 https test ")


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_haproxy_says_proxy(build: SimpleNamespace, tmp_path: Path, option: str, kind: str) -> None:
    """A connection is its client's then: HAProxy reuses it for nobody else."""
    bind, peer = ("127.0.0.1:0", "127.0.0.1") if kind == "tcp" else (f"unix:{tmp_path}/s", "")
    app = Telling()
    with serving(build, app, bind=[bind], proxy_protocol="required") as server:
        block = haproxy_block(server, option, "http-reuse always").replace("option forwardfor", "")
        with haproxy(tmp_path / "haproxy", block) as front:
            with front.connect("127.0.0.7") as client, front.connect("127.0.0.8") as other:
                for _ in range(2):
                    assert ask(client, *HOSTILE).startswith(f"127.0.0.7 {peer} http test ")
                    assert ask(other).startswith(f"127.0.0.8 {peer} http test ")
        assert len(app.connections) > 1
        assert server.log == ""


@pytest.mark.parametrize(
    ("option", "check"),
    [
        ("", "httpchk GET /up"),  # an empty connection for a check is never completed
        ("send-proxy", "tcp-check"),
        ("send-proxy", "httpchk GET /up"),
        ("send-proxy-v2", "tcp-check"),
        ("send-proxy-v2", "httpchk GET /up"),
    ],
)
def test_haproxys_health_checks(
    build: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, check: str
) -> None:
    """They send a header or nothing and hang up, or ask: nothing is logged, nobody is cut off."""
    opened = threading.Semaphore(0)
    accept = Listener.open

    def note_and_open(listener: Listener, fd: int, host: str, port: str) -> Any:
        opened.release()
        return accept(listener, fd, host, port)

    monkeypatch.setattr(Listener, "open", note_and_open)
    with serving(build, Telling(), proxy_protocol="required" if option else "off") as server:
        checked = f"{option} check inter 10ms fall 1 rise 1"
        block = haproxy_block(server, checked, f"option {check}", "timeout check 20s")
        with haproxy(tmp_path / "haproxy", block) as front, front.connect() as client:
            for _ in range(10):
                assert opened.acquire(timeout=PATIENCE)
            for _ in range(3):
                assert client.send(GET).answer().status == 200
            assert [line for line in front.lines() if "DOWN" in line] == []
        assert server.log == ""


def test_haproxy_that_should_say_proxy_and_does_not(build: SimpleNamespace, tmp_path: Path) -> None:
    observer = RefusedConnections()
    with serving(build, Telling(), observer, proxy_protocol="required") as server:
        with haproxy(tmp_path / "haproxy", haproxy_block(server)) as front, front.connect() as client:
            assert client.send(GET).answer().status in (502, 503)
    assert ("127.0.0.1", "no PROXY header") in observer.refused
    with serving(build, Telling(), proxy_protocol="optional", forwarded_allow_ips="127.0.0.1") as server:
        with haproxy(tmp_path / "haproxy", haproxy_block(server)) as front, front.connect() as client:
            assert ask(client).startswith("127.0.0.7 ")


def test_haproxy_by_tls(build: SimpleNamespace, tmp_path: Path, pki: Pki) -> None:
    """A PROXY header before the handshake, and fields behind it."""
    settings: dict[str, Any] = {"proxy_protocol": "required", "forwarded_allow_ips": "127.0.0.7", **pki.settings}
    with serving(build, Telling(), **settings) as server:
        option = f"ssl verify required ca-file '{pki.authority.certificate}' sni str(localhost) send-proxy-v2"
        with haproxy(tmp_path / "haproxy", haproxy_block(server, option)) as front, front.connect() as client:
            for _ in range(2):
                assert ask(client).startswith("127.0.0.7 127.0.0.1 http test ")
