"""What can be told of a refused request, however broken it is."""

from __future__ import annotations

import pytest

from fastwsgi.http.refused import MOST_OF_LINE, RefusedRequest

TEMPLATE = {"SCRIPT_NAME": "", "wsgi.url_scheme": "http", "wsgi.run_once": False}


def test_a_sound_head() -> None:
    head = b"\r\nPOST /caf%C3%A9?a=1 HTTP/1.0\r\nUser-Agent: me\r\nUser-Agent: other\r\nX_Y: no\r\n: no\r\n\r\nsecret"
    request = RefusedRequest(head, TEMPLATE)
    assert request.environ == {
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
        "REQUEST_METHOD": "POST",
        "RAW_URI": "/caf%C3%A9?a=1",
        "REQUEST_URI": "/caf%C3%A9?a=1",
        "PATH_INFO": "/caf\xc3\xa9",
        "QUERY_STRING": "a=1",
        "HTTP_USER_AGENT": "me",
    }
    assert (request.line, request.version, request.started) == ("POST /caf%C3%A9?a=1 HTTP/1.0", 10, None)


@pytest.mark.parametrize(
    ("head", "line", "version", "target"),
    [
        (b"", None, 0, None),
        (b"\r\n\r\n", None, 0, None),
        (b"GET /a b HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1", 0, None),
        (b"GET /a HTTP/2.0\r\n\r\n", "GET /a HTTP/2.0", 0, "/a"),
        (b"GET /a HTTP/1.1\nHost: b\n", "GET /a HTTP/1.1", 11, "/a"),
        (b"GET /a HTTP/1.1", "GET /a HTTP/1.1", 0, None),  # it may go on
        (b"\x16\x03\x01\0", "\x16\x03\x01\0", 0, None),
        (b"GET /" + b"x" * 70000, "GET /" + "x" * (MOST_OF_LINE - 5), 0, None),
    ],
)
def test_others(head: bytes, line: str | None, version: int, target: str | None) -> None:
    request = RefusedRequest(head, TEMPLATE)
    assert (request.line, request.version) == (line, version)
    assert (request.environ or {}).get("RAW_URI") == target


def test_a_field_that_may_go_on_is_not_shown() -> None:
    request = RefusedRequest(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: mozi", TEMPLATE)
    assert request.environ is not None
    assert "HTTP_HOST" in request.environ
    assert "HTTP_USER_AGENT" not in request.environ
