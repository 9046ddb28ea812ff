"""Requests that have no end, each in another part: for the tests of floods, and for ci/abuse.py."""

from __future__ import annotations

from tests.helpers.serving import GET, request

CHUNKED = request("POST", fields=[("Transfer-Encoding", "chunked")])
ENDLESS: dict[str, tuple[bytes, bytes, int]] = {  # what is sent first, what is sent again and again, and the answer
    "empty lines": (b"", b"\r\n" * 1000, 400),
    "request line": (b"GET /", b"a" * 65536, 414),
    "field": (GET[:-2] + b"A: ", b"a" * 65536, 431),
    "fields": (GET[:-2], b"A: a\r\n" * 1000, 431),
    "chunk size": (CHUNKED, b"0" * 65536, 400),
    "chunk extension": (CHUNKED + b"1;", b"a" * 65536, 400),
    "chunk extensions": (CHUNKED, b"1;a=b\r\nx\r\n" * 1000, 400),
    "trailers": (CHUNKED + b"0\r\n", b"A: a\r\n" * 1000, 400),
    "small chunks": (CHUNKED, b"1\r\nx\r\n" * 10000, 413),
}
