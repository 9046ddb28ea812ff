"""What the single steps of a request cost, in both builds, in nanoseconds: the least of several runs.

    python benchmarks/micro.py

For whoever changes one step and wants to see it. What counts in the end is run.py (a whole server) and
instructions.py (which noise cannot blur).
"""

from __future__ import annotations

import argparse
import timeit
from types import SimpleNamespace
from typing import Callable

from profiles import BROWSER_FIELDS

from fastwsgi import backend
from fastwsgi.http.grammar import HeadLimits

PLAIN = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
BROWSER = PLAIN[:-2] + "".join(f"{name}: {value}\r\n" for name, value in BROWSER_FIELDS.items()).encode() + b"\r\n"
ESCAPED = PLAIN.replace(b"/ ", b"/caf%C3%A9?q=%20 ")
CHUNKED = b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n"
HEADERS = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"), ("Content-Length", "13")]
TEMPLATE = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": "", "PATH_INFO": "", "RAW_URI": "",
            "REQUEST_URI": "", "wsgi.input": None, "wsgi.early_hints": None}


def parse(build: SimpleNamespace, head: bytes, scanner: bool = True) -> Callable[[], object]:
    limits = HeadLimits()
    framing = build.framing.Framing()
    scan = build.scanner.Scanner(TEMPLATE, limits, framing.max_body) if scanner and build.scanner else None
    parser = build.head.HeadParser(TEMPLATE, limits, framing, scan)
    inbox = build.inbox.Inbox()

    def step() -> None:
        inbox.fill(head)
        parser.parse(inbox, parser.template)

    return step


def decode(build: SimpleNamespace) -> Callable[[], object]:
    inbox = build.inbox.Inbox()

    def step() -> None:
        inbox.fill(CHUNKED)
        build.body.ChunkedBody(2048, 4096).feed(inbox)

    return step


def serialize(build: SimpleNamespace) -> Callable[[], object]:
    out = build.outbox.OutBuffer()

    def step() -> None:
        out.begin("200 OK", HEADERS)
        out.finish(13, False, "", b"Server: fastwsgi\r\n", b"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n")
        out.add(b"Hello, World!")
        out.sent(out.size)

    return step


STEPS: dict[str, Callable[[SimpleNamespace], Callable[[], object]]] = {
    "plain head": lambda build: parse(build, PLAIN),
    "browser head": lambda build: parse(build, BROWSER),
    "browser head, by llhttp": lambda build: parse(build, BROWSER, scanner=False),
    "head with an escaped path": lambda build: parse(build, ESCAPED),
    "chunked body of 1 KiB": decode,
    "response head and body": serialize,
}


def cost(step: Callable[[], object], seconds: float) -> float:
    """Nanoseconds of one call: the least of five runs that together take about *seconds*."""
    timer = timeit.Timer(step)
    calls, spent = timer.autorange()
    calls = max(1, int(calls * seconds / 5 / spent))
    return min(timer.repeat(5, calls)) / calls * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each figure (default: %(default)s)")
    seconds = parser.parse_args().seconds
    print(f"{'nanoseconds':26} {'compiled':>9} {'pure':>9}")
    for name, make in STEPS.items():
        compiled, pure = (cost(make(backend.build(build)), seconds) for build in ("c", "py"))
        print(f"{name:26} {compiled:9.0f} {pure:9.0f}")


if __name__ == "__main__":
    main()
