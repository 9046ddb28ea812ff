"""An application with a few paths, and requests for it: what the tests of connections share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.helpers.memory import Client

GET = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG = b"0123456789abcdef" * 20000  # 320 kB


class Site:
    """Answers with the path and the body; /big: with BIG; /stream: with *pieces*, one by one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pieces: Any = [b"piece"] * 200
        self.given = 0  # pieces asked for so far
        self.closed = 0
        self.on_vanish: Any = None  # called for /vanish

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        if path == "/vanish":
            self.on_vanish()
        if path == "/big":
            return [BIG]
        return Stream(self) if path == "/stream" else [path.encode() + b" " + body]


class Stream:
    """An iterable that notes what is asked of it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.pieces = iter(site.pieces)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.site.given += 1
            yield piece

    def close(self) -> None:
        self.site.closed += 1


def bodies(client: Client) -> list[bytes]:
    """The bodies of the responses, which are all whole and 200."""
    responses = client.responses()
    assert [(one.status, one.whole) for one in responses] == [(200, True)] * len(responses)
    return [one.body for one in responses]


def statuses(client: Client) -> list[int]:
    return [one.status for one in client.responses()]
