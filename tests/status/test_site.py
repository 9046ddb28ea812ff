"""Who is answered at the status address, and what: paths, methods, fields, peers and hosts."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from fastwsgi.settings.settings import Settings
from fastwsgi.status.site import Site
from fastwsgi.status.visitors import Visitors


class Views:
    """What the site shows here."""

    not_ready = ""
    inquiry: Any = None

    def page(self, query: str) -> bytes:
        return b"page " + query.encode()

    def document(self) -> dict[str, Any]:
        return {"format": 1}

    def metrics(self) -> str:
        return "# EOF\n"

    def why_not_alive(self) -> str:
        return ""

    def why_not_ready(self) -> str:
        return self.not_ready

    def stacks(self) -> str | None:
        return None


def asked(path: str = "/livez", peer: str = "127.0.0.1", host: str = "", method: str = "GET", **settings: Any) -> Any:
    """The code, the fields and the body of the answer."""
    views: Any = Views()
    views.inquiry = views
    views.not_ready = settings.pop("not_ready", "")
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": peer, "QUERY_STRING": "a=1"}
    if host:
        environ["HTTP_HOST"] = host
    given: list[Any] = []
    site = Site(views, Visitors(Settings(**settings)))
    body = b"".join(site(environ, lambda status, fields: given.extend([int(status[:3]), dict(fields)])))  # type: ignore[arg-type,func-returns-value]
    return given[0], given[1], body


def test_the_paths() -> None:
    assert asked("/")[2] == b"page a=1"
    assert asked("/status.json")[2] == b'{"format": 1}'
    assert asked("/metrics")[1]["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert asked("/livez")[0] == 200
    assert asked("/readyz", not_ready="stopping")[::2] == (503, b"stopping\n")
    assert asked("/stacks")[0] == 503
    code, _, body = asked("/nothing")
    assert (code, body) == (404, b"there are / /status.json /metrics /livez /readyz /stacks\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_it_is_only_for_reading(method: str) -> None:
    code, fields, _ = asked(method=method)
    assert (code, fields["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing"])
def test_no_answer_is_kept_framed_or_guessed_at(path: str) -> None:
    fields = asked(path, method="HEAD")[1]
    assert fields["Cache-Control"] == "no-store"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Referrer-Policy"] == "no-referrer"
    assert fields["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in fields["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("peer", "allowed", "code"),
    [
        ("203.0.113.7", ["*"], 200),
        ("203.0.113.7", ["10.0.0.0/8"], 403),
        ("10.1.2.3", ["10.0.0.0/8"], 200),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], 200),
        ("127.0.0.1", ["10.0.0.0/8"], 403),
        ("", ["10.0.0.0/8"], 403),
        ("", ["unix"], 200),
        ("", ["*"], 200),
    ],
)
def test_who_may_look(peer: str, allowed: list[str], code: int) -> None:
    assert asked(peer=peer, status_allow=allowed)[0] == code


@pytest.mark.parametrize(
    ("host", "code"),
    [
        *((host, 200) for host in ("", "localhost", "LOCALHOST:9090", "a.localhost:1", "127.0.0.1:9090", "[::1]:9090")),
        *((host, 200) for host in ("status.internal:9090", "10.0.0.7")),
        *((host, 421) for host in ("evil.example", "evil.example:9090", "localhost.evil.example")),
    ],
)
def test_no_page_of_the_internet_reads_it_by_a_name_of_its_own(host: str, code: int) -> None:
    assert asked(host=host, status_bind="status.internal:9090")[0] == code
    assert asked(peer="203.0.113.7", host=host)[0] == 200


def test_a_browser_on_this_machine_may_come_by_any_of_its_addresses() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no other address")
        own = probe.getsockname()[0]
    assert asked(peer=own, host="evil.example")[0] == 421
    assert asked(peer=own, host=own)[0] == 200
