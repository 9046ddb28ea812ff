"""wsgi.file_wrapper (PEP 3333): real files by sendfile, others read, and never another result than by reading."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.serving import GET, GET_1_0, HEAD, request, serving

CONTENT = b"".join(b"%07d\n" % number for number in range(100000))  # 800 kB
SIZE = len(CONTENT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def wrapping(
    make: Callable[[], Any], headers: Iterable[tuple[str, str]] = (), status: str = "200 OK", opened: Any = None
) -> Any:
    """An application that wraps what make() gives; *opened* collects the files."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        file = make()
        if opened is not None:
            opened.append(file)
        start_response(status, list(headers))
        return environ["wsgi.file_wrapper"](file, 4096)

    return app


def at(path: Path, offset: int) -> Callable[[], Any]:
    def make() -> Any:
        file = path.open("rb")
        file.seek(offset)
        return file

    return make


@pytest.mark.parametrize("sent", [GET, GET_1_0, request(version="1.0", fields=[("Connection", "keep-alive")])])
def test_a_file_is_sent_whole_with_its_length(build: SimpleNamespace, path: Path, sent: bytes) -> None:
    opened: list[Any] = []
    with serving(build, wrapping(at(path, 0), opened=opened)) as server, server.connect() as client:
        for _ in range(1 if sent is GET_1_0 else 3):
            answer = client.send(sent).answer()
            assert (answer.get("Content-Length"), answer.whole) == (str(SIZE), True)
            assert answer.body == CONTENT
        assert server.errors == []
    assert all(file.closed for file in opened)


def test_a_file_is_sent_without_being_read(build: SimpleNamespace, path: Path) -> None:
    shared = os.open(path, os.O_RDONLY)  # a duplicate shares the offset, which read() moves and sendfile does not
    try:
        with serving(build, wrapping(lambda: os.fdopen(os.dup(shared), "rb"))) as server:
            assert server.ask().body == CONTENT
        assert os.lseek(shared, 0, os.SEEK_CUR) == 0
    finally:
        os.close(shared)


@pytest.mark.parametrize("offset", [1, 4097, SIZE - 1, SIZE, SIZE + 10])
def test_a_file_is_sent_from_its_position(build: SimpleNamespace, path: Path, offset: int) -> None:
    with serving(build, wrapping(at(path, offset))) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(GET).answer()
            assert (answer.whole, answer.body) == (True, CONTENT[offset:])


def test_a_file_is_sent_from_behind_what_was_read(build: SimpleNamespace, path: Path) -> None:
    def make() -> Any:
        file = path.open("rb")
        assert file.read(3) == b"000"  # the buffer has read on
        return file

    with serving(build, wrapping(make)) as server:
        assert server.ask().body == CONTENT[3:]


@pytest.mark.parametrize("length", [0, 1, 4096, SIZE - 1, SIZE])
def test_not_more_than_its_content_length_is_sent(build: SimpleNamespace, path: Path, length: int) -> None:
    app = wrapping(at(path, 0), [("Content-Length", str(length))])
    with serving(build, app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(GET).answer()
            assert (answer.whole, answer.body) == (True, CONTENT[:length])


def test_a_range(build: SimpleNamespace, path: Path) -> None:
    headers = [("Content-Length", "100"), ("Content-Range", f"bytes 8000-8099/{SIZE}")]
    with serving(build, wrapping(at(path, 8000), headers, "206 Partial Content")) as server:
        assert server.ask().body == CONTENT[8000:8100]


def test_a_file_shorter_than_its_content_length_is_seen_to_be_cut(build: SimpleNamespace, path: Path) -> None:
    with serving(build, wrapping(at(path, 0), [("Content-Length", str(SIZE + 1))])) as server:
        answer = server.ask()
        assert (answer.body, answer.whole) == (CONTENT, False)
        assert "shorter than its Content-Length" in server.log


def test_a_file_that_shrinks_is_seen_to_be_cut(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(1 << 28)
    opened: list[Any] = []
    with serving(build, wrapping(at(path, 0), opened=opened)) as server:
        with server.connect(receive_buffer=8192) as client:
            head = client.send(GET).until(b"\r\n\r\n")
            assert b"Content-Length: 268435456\r\n" in head
            server.settle()
            os.truncate(path, 1 << 20)
            received = len(client.rest())
            assert received < 1 << 28
        assert "shorter than its Content-Length" in server.log
        server.settle()
    assert opened[0].closed


@pytest.mark.parametrize("kind", ["HEAD", "204", "205", "304"])
def test_no_file_where_there_is_no_body(build: SimpleNamespace, path: Path, kind: str) -> None:
    opened: list[Any] = []
    status = {"204": "204 No Content", "205": "205 Reset Content", "304": "304 Not Modified"}.get(kind, "200 OK")
    app = wrapping(at(path, 0), status=status, opened=opened)
    with serving(build, app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(HEAD if kind == "HEAD" else GET).answer(to_head=kind == "HEAD")
            assert answer.line == f"HTTP/1.1 {status}".encode()
            assert answer.get("Transfer-Encoding") is None
            if kind == "HEAD":
                assert answer.get("Content-Length") == str(SIZE)
            if kind == "205":
                assert answer.get("Content-Length") == "0"
        assert not client.is_readable(0.02)
    assert all(file.closed for file in opened)


# What is no plain file


class Reader:
    """The least that PEP 3333 asks of a file: read()."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [*pieces, b""]
        self.sizes: list[int] = []

    def read(self, size: int) -> bytes:
        self.sizes.append(size)
        return self.pieces.pop(0)


class Upper:
    """A file that gives other bytes than lie on the disk."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")

    def read(self, size: int) -> bytes:
        return self.file.read(size).replace(b"0", b"o")

    def close(self) -> None:
        self.file.close()


class Broken(Reader):
    def fileno(self) -> int:
        raise OSError("no file")


def spooled() -> Any:
    file = tempfile.SpooledTemporaryFile(max_size=10)
    file.write(CONTENT)
    file.seek(0)
    return file


def temporary() -> Any:
    file = tempfile.NamedTemporaryFile()
    file.write(CONTENT)
    file.seek(8)
    return file


def pipe() -> Any:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize(
    ("make", "body"),
    [
        (lambda path: io.BytesIO(CONTENT), CONTENT),
        (lambda path: io.BytesIO(), b""),
        (lambda path: Reader(b"he", b"llo"), b"hello"),
        (lambda path: Broken(b"he", b"llo"), b"hello"),
        (Upper, CONTENT.replace(b"0", b"o")),
        (lambda path: spooled(), CONTENT),
        (lambda path: temporary(), CONTENT[8:]),
        (lambda path: path.open("rb", buffering=0), CONTENT),
        (lambda path: path.open("r+b"), CONTENT),
        (lambda path: pipe(), b"through a pipe"),
    ],
    ids=["bytes", "no-bytes", "reader", "broken", "changing", "spooled", "temporary", "raw", "r+", "pipe"],
)
def test_whatever_reads_is_sent(build: SimpleNamespace, path: Path, make: Any, body: bytes) -> None:
    with serving(build, wrapping(lambda: make(path))) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(GET).answer()
            assert (answer.status, answer.body, answer.whole) == (200, body, True), server.log
        assert server.errors == []


def test_pieces_are_of_the_size_that_was_asked_for(build: SimpleNamespace) -> None:
    reader = Reader(b"he", b"llo")
    with serving(build, wrapping(lambda: reader)) as server:
        assert server.ask().body == b"hello"
    assert reader.sizes == [4096, 4096, 4096]


def test_a_compressed_file_is_sent_as_it_reads(build: SimpleNamespace, tmp_path: Path) -> None:
    """Its fileno() is that of the compressed bytes."""
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(CONTENT))
    with serving(build, wrapping(lambda: gzip.open(path))) as server:
        assert server.ask().body == CONTENT
    with serving(build, wrapping(lambda: io.BufferedReader(gzip.open(path)))) as server:  # type: ignore[arg-type]
        assert server.ask().body == CONTENT


def test_a_file_without_a_size_is_read(build: SimpleNamespace) -> None:
    """Those of /proc have the size 0 until they are read."""
    with serving(build, wrapping(lambda: Path("/proc/self/cmdline").open("rb"))) as server:
        assert server.ask().body == Path("/proc/self/cmdline").read_bytes()


def test_a_text_file_is_the_applications_error(build: SimpleNamespace, path: Path) -> None:
    opened: list[Any] = []
    with serving(build, wrapping(path.open, opened=opened)) as server:
        assert server.ask().status == 500
        assert "must be bytes, not str" in server.log
    assert opened[0].closed


def test_a_file_that_is_closed_already_is_the_applications_error(build: SimpleNamespace, path: Path) -> None:
    file = path.open("rb")
    file.close()
    with serving(build, wrapping(lambda: file)) as server:
        assert server.ask().status == 500


def test_a_wrapped_file_in_a_middleware(build: SimpleNamespace, path: Path) -> None:
    """A middleware that iterates over it gets the bytes, and closes it."""
    opened: list[Any] = []
    inner = wrapping(at(path, 16), opened=opened)

    def middleware(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        result = inner(environ, start_response)
        try:
            for piece in result:
                yield piece.replace(b"1", b"I")
        finally:
            result.close()

    with serving(build, middleware) as server:
        assert server.ask().body == CONTENT[16:].replace(b"1", b"I")
    assert opened[0].closed


def test_a_file_after_write(build: SimpleNamespace, path: Path) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [("Content-Length", str(SIZE + 6))])
        write(b"before")
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.whole, answer.body) == (True, b"before" + CONTENT)


def test_a_file_without_start_response_is_an_error(build: SimpleNamespace, path: Path) -> None:
    opened: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        opened.append(path.open("rb"))
        return environ["wsgi.file_wrapper"](opened[-1])

    with serving(build, app) as server:
        assert server.ask().status == 500
    assert opened[0].closed


def test_pipelined_files(build: SimpleNamespace, path: Path) -> None:
    with serving(build, wrapping(at(path, SIZE - 5000))) as server, server.connect() as client:
        client.send(GET * 50)
        assert [client.answer().body for _ in range(50)] == [CONTENT[-5000:]] * 50
