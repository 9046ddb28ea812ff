"""Right applications of the kinds that PEP 3333 allows; each is given what is noted of its request, too."""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

CGI = {
    *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "RAW_URI"),
    *("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "REMOTE_ADDR", "REMOTE_PORT", "REQUEST_URI"),
}
PAUSE = 0.3  # seconds
PIECE = b"x" * 65536

Note = dict[str, Any]

closings: list[Any] = []  # what was closed


def stream(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """Two pieces of which nobody said how long they are."""
    start_response("200 OK", [])
    return iter([b"one ", b"two"])


def paused(environ: dict[str, Any], start_response: Any, note: Note) -> Iterator[bytes]:
    """A pause between two pieces: is the first on its way before the second is asked for?"""
    start_response("200 OK", [])
    yield b"one "
    time.sleep(PAUSE)
    yield b"two"


def written(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """The imperative write(), and an iterable behind it."""
    write = start_response("200 OK", [])
    write(b"one ")
    write(b"two ")
    return [b"three"]


def replaced(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """An error page in place of what was begun, as exc_info allows before anything is out."""
    start_response("200 OK", [("X-First", "1")])
    try:
        raise LookupError("x")
    except LookupError:
        start_response("503 Sorry", [("Content-Length", "5")], sys.exc_info())
    return [b"sorry"]


def empty(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """No body."""
    start_response("200 OK", [])
    return []


def late_start(environ: dict[str, Any], start_response: Any, note: Note) -> Iterator[bytes]:
    """start_response is called when the first piece is asked for, as generators do."""
    start_response("200 OK", [("Content-Length", "4")])
    yield b"late"


def known(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """Content-Length and as much: for HEAD, too."""
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def no_content(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """204, without a body."""
    start_response("204 No Content", [])
    return []


def not_modified(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """304 with the length of what it does not send."""
    start_response("304 Not Modified", [("Content-Length", "42"), ("ETag", '"x"')])
    return []


def two_cookies(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """A field that may stand twice, and must not be joined (RFC 9110 5.3)."""
    start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "0")])
    return []


def closing(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """Wants the connection closed."""
    start_response("200 OK", [("Connection", "close"), ("Content-Length", "3")])
    return [b"bye"]


class Closed:
    """An iterable that notes that it was closed; it may raise before that."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = iter(pieces)

    def __iter__(self) -> Closed:
        return self

    def __next__(self) -> bytes:
        piece: bytes | None = next(self.pieces)
        if piece is None:
            raise LookupError("half-way")
        return piece

    def close(self) -> None:
        closings.append(self)


def closed(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    start_response("200 OK", [("Content-Length", "8")])
    return Closed([b"one ", b"two "])


def closed_after_error(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    start_response("200 OK", [("Content-Length", "8")])
    return Closed([b"one ", None])


def closed_when_gone(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """More than any buffer holds, to a client that goes away."""
    start_response("200 OK", [("Content-Length", str(len(PIECE) * 1000))])
    return Closed(PIECE for _ in range(1000))


def reads(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """read() without a size gives what is left of the body; beyond its end there is nothing."""
    stream = environ["wsgi.input"]
    note["got"] = [stream.read(2).decode(), stream.read().decode(), stream.read().decode(), stream.read(5).decode()]
    return known(environ, start_response, note)


def lines(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """readline, and readlines for the rest."""
    stream = environ["wsgi.input"]
    note["got"] = [line.decode() for line in [stream.readline(), *stream.readlines()]]
    return known(environ, start_response, note)


def iterates(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """A line at a time."""
    note["got"] = [line.decode() for line in environ["wsgi.input"]]
    return known(environ, start_response, note)


def unread(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """The body stays where it is."""
    return known(environ, start_response, note)


def errors(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """wsgi.errors takes text, and can be flushed."""
    environ["wsgi.errors"].write("a line of the probe\n")
    environ["wsgi.errors"].writelines(["and one\n"])
    environ["wsgi.errors"].flush()
    return known(environ, start_response, note)


def spoils_environ(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """Changes its environ, which is its own."""
    environ.update({"HTTP_X_LEFT": "over", "PATH_INFO": "/changed", "SCRIPT_NAME": "/changed"})
    environ.pop("wsgi.errors")
    return known(environ, start_response, note)


def wrapped(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """A file by wsgi.file_wrapper, which a server may offer."""
    note["wrapper"] = "wsgi.file_wrapper" in environ
    start_response("200 OK", [("Content-Length", "10")])
    file = io.BytesIO(b"0123456789")
    return environ["wsgi.file_wrapper"](file, 4) if note["wrapper"] else [file.read()]


def hints(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """wsgi.early_hints, where there is one."""
    if "wsgi.early_hints" in environ:
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    return known(environ, start_response, note)


def plain(environ: dict[str, Any], start_response: Any) -> Any:
    body = environ["wsgi.input"].read(2)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def validated(environ: dict[str, Any], start_response: Any, note: Note) -> Any:
    """wsgiref's validator around an application: what it says against the server."""
    note["complaint"] = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            iterable = validator(plain)(environ, start_response)
            body = list(iterable)
            iterable.close()
            return body
        except AssertionError as error:
            note["complaint"] = str(error)
    return known(environ, start_response, note)
