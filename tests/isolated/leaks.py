"""Sends requests of a kind to a loop in its own process, and says what has grown: leaks.py FILE REQUESTS KIND...

REQUESTS is a number, or "few": thousands. What counts is what is there after a tenth of them and after the rest: blocks
of Python's allocator, which tell of a single object lost per request; the resident memory, which tells of C memory too;
file descriptors; and what only the cycle collector could free, since a server that makes cycles keeps bodies and
sockets alive until it runs.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

from fastwsgi import backend
from fastwsgi.observe.error_stream import ErrorStream
from fastwsgi.server.bind import open_listener
from fastwsgi.server.loop import Loop
from fastwsgi.settings.settings import Settings

FEW = 20_000
FEWER = 2_000  # of kinds that want a connection or a file each
BATCH = 40  # requests sent at once, save for those of ONE_BY_ONE
ONE_BY_ONE = ("hello", "continue")
EACH_ITS_CONNECTION = ("refused", "midway", "close")
LEAVING = ("left", "aborted", "reset")
SLOW = (*EACH_ITS_CONNECTION, *LEAVING, "spooled", "file", "continue")
RESET = struct.pack("ii", 1, 0)
ENDS = {  # how the answer to one request ends, if not in "hello"
    "generator": b"0\r\n\r\n",
    "write": b"0\r\n\r\n",
    "failing": b"500 Internal Server Error\n",
    "breach": b"500 Internal Server Error\n",
    "missing": b"not here",
    "head": b"\r\n\r\n",
    "midway": b"he\r\n",
    "refused": b"400 Bad Request\n",
}
BROWSER = (
    b"Connection: keep-alive\r\nCache-Control: max-age=0\r\nUpgrade-Insecure-Requests: 1\r\nAccept: text/html,*/*\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Accept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef; theme=dark\r\nReferer: http://test/\r\n"
)


def app(environ: dict[str, Any], start_response: Any) -> Any:
    kind = environ["PATH_INFO"][1:].partition("/")[0]
    if kind == "failing":
        raise LookupError(environ)
    if kind == "breach":
        start_response("200 OK", [("A", "b\n")])
    if kind == "hints":
        environ["wsgi.early_hints"]([("Link", "</a>")])
    if kind == "missing":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not here"]
    headers = [(f"X-{key}", value) for key, value in environ.items() if key.startswith("HTTP_X")]
    write = start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    if kind == "generator":
        return (piece for piece in (b"he", b"llo"))
    if kind == "midway":
        return broken()
    if kind == "stream":
        return (b"x" * 1000 for _ in range(1000))
    if kind == "write":
        write(b"he")
        write(b"llo")
        return []
    if kind == "file":
        return environ["wsgi.file_wrapper"](open(HELLO, "rb"))
    environ["wsgi.input"].read()
    return [b"hello"]


def broken() -> Any:
    yield b"he"
    raise LookupError("midway")


def message(kind: str, number: int) -> bytes:
    """The request *number* of a kind."""
    if kind == "refused":
        return b"GET / HTTP/1.1\r\nHost: a\r\nHost: b%d\r\n\r\n" % number
    if kind in ("upload", "spooled"):
        body = b"x" * (300 if kind == "upload" else 5000)
        head = b"POST /%s HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" % kind.encode()
        return head + b"%x\r\n%s\r\n3;a=b\r\nend\r\n0\r\nT: t\r\n\r\n" % (len(body), body)
    if kind == "post":
        return b"POST /post HTTP/1.1\r\nHost: test\r\nContent-Length: 300\r\n\r\n" + b"x" * 300
    if kind == "continue":
        return b"POST /continue HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    fields = b"Cookie: id=%d\r\nX-Id: %d\r\nX-%d: y\r\n" % (number, number, number % 1000) if kind == "vary" else b""
    fields = {"browser": BROWSER, "close": b"Connection: close\r\n"}.get(kind, fields)
    method = b"HEAD" if kind == "head" else b"GET"
    return b"%s /%s HTTP/1.1\r\nHost: test\r\nUser-Agent: leaks\r\n%s\r\n" % (method, kind.encode(), fields)


class Trial:
    """A loop and its clients, taking turns in one thread."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number = 0
        self.end = ENDS.get(kind, b"hello")
        self.listener = open_listener("127.0.0.1:0", defer_accept=False)
        settings = Settings(spool_size=1000, linger_timeout=0.1)
        self.loop = Loop(backend.current(), app, settings, lambda message, error: None, ErrorStream())
        self.loop.add_listener(self.listener)

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.listener.getsockname())
        client.setblocking(False)
        return client

    def receive(self, client: socket.socket, end: bytes, count: int) -> None:
        """Let the loop work until *end* has come *count* times."""
        found, data = 0, b""
        while found < count:
            self.loop.step(0)
            try:
                received = client.recv(1 << 20)
            except BlockingIOError:
                continue
            if not received:
                raise SystemExit(f"{self.kind}: the connection ended after {data!r}")
            data = data[-30:] + received
            found += data.count(end)
            data = data[data.rfind(end) + len(end) :] if end in data else data

    def next_messages(self, count: int) -> bytes:
        self.number += count
        return b"".join(message(self.kind, number) for number in range(self.number - count, self.number))

    def kept(self, requests: int) -> None:
        """All on one connection, some at once."""
        batch = 1 if self.kind in ONE_BY_ONE else BATCH
        with self.connect() as client:
            for _ in range(requests // batch):
                client.send(self.next_messages(batch))
                if self.kind == "continue":
                    self.receive(client, b"100 Continue\r\n\r\n", 1)
                    client.send(b"hello")
                self.receive(client, self.end, batch)

    def connections(self, requests: int) -> Iterator[list[socket.socket]]:
        """New clients, some at once, closed afterwards."""
        for begin in range(0, requests, BATCH):
            clients = [self.connect() for _ in range(min(BATCH, requests - begin))]
            yield clients
            for client in clients:
                client.close()
            self.loop.step(0)

    def ended(self, requests: int) -> None:
        """Each on a connection that ends with it."""
        for clients in self.connections(requests):
            for client in clients:
                client.send(self.next_messages(1))
            for client in clients:
                self.receive(client, self.end, 1)

    def left(self, requests: int) -> None:
        """Each on a connection that is left at another point."""
        upload, spooled = message("upload", 0)[:-9], message("spooled", 0)[:-9]
        stream = message("stream", 0)
        parts = {
            "left": [b"", message("hello", 0)[:9], message("hello", 0), upload, spooled, stream],
            "aborted": [upload, upload[:-200], message("post", 0)[:-1], spooled],
            "reset": [b"", upload, message("hello", 0), stream],
        }[self.kind]
        for clients in self.connections(requests):
            for number, client in enumerate(clients):
                client.send(parts[number % len(parts)])
                if self.kind == "reset" or (self.kind == "left" and number % 4 < 2):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.loop.step(0)

    def run(self, requests: int) -> None:
        (self.left if self.kind in LEAVING else self.ended if self.kind in EACH_ITS_CONNECTION else self.kept)(requests)
        while self.loop.connections:
            self.loop.step(0.02)


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure() -> dict[str, int]:
    garbage = gc.collect()
    return {
        "blocks": sys.getallocatedblocks(),
        "resident": resident(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "garbage": garbage,
    }


def main() -> None:
    for kind in sys.argv[3:]:
        trial = Trial(kind)
        requests = (FEWER if kind in SLOW else FEW) if sys.argv[2] == "few" else int(sys.argv[2])
        began = time.monotonic()
        trial.run(requests // 10)
        before = measure()
        gc.disable()  # what is collected below is what the requests have left
        trial.run(requests)
        after = measure()
        gc.enable()
        trial.loop.close()
        trial.listener.close()
        grown = {key: after[key] - before[key] for key in ("blocks", "resident", "descriptors")}
        grown["seconds"] = round(time.monotonic() - began)
        print(json.dumps({"kind": kind, "requests": requests, "garbage": after["garbage"], **grown}), flush=True)


HELLO = sys.argv[1]
main()
