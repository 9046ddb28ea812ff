"""Serves one of the applications below, on a port that the system chooses: applications.py NAME [SETTING=VALUE ...]

nofile=N is no setting, but how many file descriptors there may be.
"""

from __future__ import annotations

import ast
import hashlib
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from fastwsgi import backend
from fastwsgi.notices import Notices
from fastwsgi.process.single import run
from fastwsgi.settings.settings import Settings

BLOCK = 1 << 20


def digest(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Read the body, answer with its length and hash."""
    total, sha = 0, hashlib.sha256()
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        total += len(piece)
        sha.update(piece)
    start_response("200 OK", [])
    return [f"{total} {environ.get('CONTENT_LENGTH')} {sha.hexdigest()}".encode()]


class Big:
    """A stream of a GiB; tells when it is closed."""

    def __init__(self, size: int) -> None:
        self.size = size  # bytes of a piece
        self.left = (1 << 30) // size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return os.urandom(16) * (self.size // 16)

    def close(self) -> None:
        print("closed", flush=True)


def big(environ: dict[str, Any], start_response: Any) -> Any:
    """A GiB as a stream, as a file or by write(); or a hello."""
    path = environ["PATH_INFO"]
    write = start_response("200 OK", [])
    if path == "/stream":
        return Big(BLOCK)
    if path == "/pieces":
        return Big(65536)
    if path == "/file":
        file = tempfile.TemporaryFile()
        file.truncate(1 << 30)
        return environ["wsgi.file_wrapper"](file)
    if path == "/write":
        for _ in range(64):
            write(bytes(BLOCK))
        return []
    return [b"hello"]


HOARD: list[int] = []


def hoarding(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that takes all file descriptors, and gives them back; or the length of the body."""
    path = environ["PATH_INFO"]
    start_response("200 OK", [])
    if path == "/hoard":
        while True:
            try:
                HOARD.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
    elif path == "/free":
        while HOARD:
            os.close(HOARD.pop())
    return [b"%d" % len(environ["wsgi.input"].read())]


class Waiting:
    """Applications that go on at SIGUSR1, also if it came before."""

    def __init__(self) -> None:
        self.go_on = False
        signal.signal(signal.SIGUSR1, self.note)

    def note(self, number: int, frame: object) -> None:
        self.go_on = True

    def wait(self) -> None:
        print("entered", flush=True)
        while not self.go_on:
            signal.sigtimedwait([], 0.01)

    def stream(self) -> Iterator[bytes]:
        yield b"begun"
        print("entered", flush=True)
        while not self.go_on:
            yield b"."
        yield b"ended"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        path = environ["PATH_INFO"]
        if path == "/wait":
            self.wait()
        if path == "/spin":
            print("entered", flush=True)
            while not self.go_on:
                pass
        return self.stream() if path == "/stream" else [b"hello"]


def waiting(environ: dict[str, Any], start_response: Any) -> Any:
    """See Waiting."""
    return WAITING(environ, start_response)


def main() -> None:
    name, *settings = sys.argv[1:]
    values = {key: ast.literal_eval(value) for key, _, value in (one.partition("=") for one in settings)}
    nofile = values.pop("nofile", None)
    if nofile is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))
    run(globals()[name], Settings(**{"bind": ["127.0.0.1:0"], "threads": 1, **values}), backend.current(), Notices())


WAITING = Waiting()
main()
