"""The WSGI applications that every server serves: one for each kind of load, as plain as WSGI allows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

KIB = 1024
BODY_64K = b"x" * (64 * KIB)
BODY_1M = b"x" * (KIB * KIB)
CHUNK = b"x" * KIB
CHUNKS = 20
PAUSE_SECONDS = 0.2
SLEEP_SECONDS = 0.1
STEPS = int(os.environ.get("COMPUTE_STEPS", "10000"))


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]


def post(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Read the whole request body and answer with its length in bytes."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    answer = b"%d" % len(body)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


def body64k(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY_64K)))])
    return [BODY_64K]


def body1m(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY_1M)))])
    return [BODY_1M]


def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Yield the body in chunks and declare no length: the server has to frame it."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(CHUNKS):
        yield CHUNK


def trickle(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Two chunks with a pause between: shows whether a server holds the first one back (check.py)."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield CHUNK
    time.sleep(PAUSE_SECONDS)
    yield CHUNK


def sleep(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Wait 100 ms, as for a database, unless the path is /fast."""
    if environ["PATH_INFO"] != "/fast":
        time.sleep(SLEEP_SECONDS)
    return hello(environ, start_response)


def compute(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Compute in pure Python; COMPUTE_STEPS, the same for all that are compared, says how much."""
    counts: dict[str, int] = {}
    for number in range(STEPS):
        name = f"name{number % 50}"
        counts[name] = counts.get(name, 0) + number
    answer = str(sum(counts.values())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
