"""The application that ci/answers.py asks: it says what it was asked, in the way that the path names.

A request is /WAY/NUMBER. The answer is the echo of its line, two of its fields and its body, so that it can be told
from that of any other request. What is wrong inside (an environ that another call has, a generator that moves to
another thread) makes it another one.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any
from zlib import crc32

BLOCK = random.Random(15).randbytes(1 << 18)  # what large bodies are cut from
LARGE = 100_000  # bytes
SECONDS = 0.004  # that a call blocks or computes
MANY = os.environ.get("ANSWERS_THREADS") != "1"
FIELDS = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_TOKEN", "HTTP_COOKIE", "CONTENT_LENGTH")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer as the path says."""
    way, number = environ["PATH_INFO"].split("/")[1:]
    body = environ["wsgi.input"].read()
    text = " ".join([environ.get(name) or "-" for name in FIELDS]) + f" {len(body)} {crc32(body)}"
    if environ.setdefault("answers.number", number) is not number or environ["wsgi.multithread"] is not MANY:
        text += " and its environ is another one's"
    return WAYS[way](environ, start_response, [("X-Number", number)], text.encode("latin-1"))


def large(number: int) -> bytes:
    """The large body of a request or of its answer."""
    start = number * 7 % (len(BLOCK) - LARGE)
    return BLOCK[start : start + LARGE]


def thirds(text: bytes) -> list[bytes]:
    """*text* in three pieces."""
    return [text[:20], text[20:40], text[40:]]


def listed(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    start("200 OK", fields)
    return [text]


def pieces(environ: Any, start: Any, fields: Any, text: bytes) -> Iterator[bytes]:
    """A generator, which begins its response late."""
    thread = threading.get_ident()
    start("200 OK", fields)
    for piece in thirds(text):
        yield piece if threading.get_ident() == thread else b"on another thread"


def known(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    """Pieces whose length is announced."""
    start("200 OK", [*fields, ("Content-Length", str(len(text)))])
    return iter(thirds(text))


def write(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    one, two, three = thirds(text)
    put = start("200 OK", fields)
    put(one)
    put(two)
    return [three]


def empty(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    start("204 No Content", fields)
    return []


def big(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    start("200 OK", fields)
    return [large(int(fields[0][1]))]


def file(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    start("200 OK", [*fields, ("Content-Length", str(len(text)))])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](BytesIO(text))
    return wrapped


def blocks(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    """Long enough for the loop to be handed over."""
    time.sleep(SECONDS)
    return listed(environ, start, fields, text)


def halts(environ: Any, start: Any, fields: Any, text: bytes) -> Iterator[bytes]:
    """The same between two pieces."""
    thread = threading.get_ident()
    start("200 OK", fields)
    for piece in thirds(text):
        time.sleep(SECONDS / 3)
        yield piece if threading.get_ident() == thread else b"on another thread"


def computes(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        crc32(text)
    return listed(environ, start, fields, text)


def raises(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    raise LookupError(fields[0][1])


def close(environ: Any, start: Any, fields: Any, text: bytes) -> Iterable[bytes]:
    return listed(environ, start, [*fields, ("Connection", "close")], text)


CALLED = (pieces, known, write, empty, big, file, blocks, halts, computes, raises, close)
WAYS = {"list": listed, **{one.__name__: one for one in CALLED}}
