"""Sends thousands of requests of a kind to a loop in its own process, and says what has grown: leaks.py FILE KIND...

What counts is what is there after the warm-up and after the rest: blocks of Python's allocator, which tell of a single
object lost per request; the resident memory, which tells of C memory too; file descriptors; and what only the cycle
collector could free, since a server that makes cycles keeps bodies and sockets alive until it runs.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import struct
import sys
from typing import Any

from fastwsgi.config.settings import Settings
from fastwsgi.http import backend
from fastwsgi.observe.logs import ErrorStream
from fastwsgi.server.listeners import open_listener
from fastwsgi.server.loop import Loop

REQUESTS = 20_000
FEWER = 4_000  # of kinds that want a connection or a file each
WARM_UP = 2_000
BATCH = 40  # requests sent at once
RESET = struct.pack("ii", 1, 0)
ENDS = {  # how the answer to one request ends
    "hello": b"hello",
    "vary": b"hello",
    "upload": b"hello",
    "spooled": b"hello",
    "generator": b"0\r\n\r\n",
    "write": b"0\r\n\r\n",
    "file": b"hello",
    "failing": b"500 Internal Server Error\n",
    "breach": b"500 Internal Server Error\n",
    "midway": b"he\r\n",
    "refused": b"400 Bad Request\n",
    "hints": b"hello",
}


def app(environ: dict[str, Any], start_response: Any) -> Any:
    kind = environ["PATH_INFO"][1:].partition("/")[0]
    if kind == "failing":
        raise LookupError(environ)
    if kind == "breach":
        start_response("200 OK", [("A", "b\n")])
    if kind == "hints":
        environ["wsgi.early_hints"]([("Link", "</a>")])
    headers = [(f"X-{key}", value) for key, value in environ.items() if key.startswith("HTTP_X")]
    write = start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    if kind == "generator":
        return (piece for piece in (b"he", b"llo"))
    if kind == "midway":
        return broken()
    if kind == "stream":
        return (b"x" * 65536 for _ in range(1000))
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
    fields = b"Cookie: id=%d\r\nX-Id: %d\r\nX-%d: y\r\n" % (number, number, number % 1000) if kind == "vary" else b""
    return b"GET /%s HTTP/1.1\r\nHost: test\r\nUser-Agent: leaks\r\n%s\r\n" % (kind.encode(), fields)


class Trial:
    """A loop and its clients, taking turns in one thread."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number = 0
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
        with self.connect() as client:
            for _ in range(requests // BATCH):
                client.send(self.next_messages(BATCH))
                self.receive(client, ENDS[self.kind], BATCH)

    def ended(self, requests: int) -> None:
        """Each on a connection that ends with it."""
        for _ in range(requests):
            with self.connect() as client:
                client.send(self.next_messages(1))
                self.receive(client, ENDS[self.kind], 1)

    def left(self, requests: int) -> None:
        """Each on a connection that is left at another point."""
        parts = [
            b"",
            message("hello", 0)[:9],
            message("hello", 0),
            message("upload", 0)[:-9],
            message("spooled", 0)[:-9],
            message("stream", 0),
        ]
        for number in range(requests):
            with self.connect() as client:
                client.send(parts[number % len(parts)])
                self.loop.step(0)
                if number % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.loop.step(0)

    def run(self, requests: int) -> None:
        {"left": self.left, "refused": self.ended, "midway": self.ended}.get(self.kind, self.kept)(requests)
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
    for kind in sys.argv[2:]:
        trial = Trial(kind)
        requests = FEWER if kind in ("left", "refused", "midway", "spooled", "file") else REQUESTS
        trial.run(WARM_UP)
        before = measure()
        gc.disable()  # what is collected below is what the requests have left
        trial.run(requests)
        after = measure()
        gc.enable()
        trial.loop.close()
        trial.listener.close()
        grown = {key: after[key] - before[key] for key in ("blocks", "resident", "descriptors")}
        print(json.dumps({"kind": kind, "requests": requests, "garbage": after["garbage"], **grown}), flush=True)


HELLO = sys.argv[1]
main()
