"""X-Sendfile and X-Accel-Redirect: the application names a file, and the server sends it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi import figures
from fastwsgi.static.handed import Sender
from fastwsgi.static.names import read_mount
from fastwsgi.static.site import Folder
from tests.helpers.memory import Bench
from tests.helpers.responses import Response
from tests.helpers.serving import request
from tests.helpers.static import date, opener_of, write

LARGE = bytes(range(256)) * 4096
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


class Body(list):  # type: ignore[type-arg]
    """A body that notes that it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


class Handing:
    """A bench whose application names a file of *folder*, in each answer."""

    def __init__(self, build: SimpleNamespace, folder: Path) -> None:
        self.fields: list[tuple[str, str]] = []
        self.status = "200 OK"
        self.body: Any = None
        self.way: Callable[..., Any] = self.plainly
        self.bench = Bench(build, lambda environ, start_response: self.way(environ, start_response))
        self.bench.service.sender = Sender([Folder(read_mount(f"/private={folder}"), opener_of(build))])

    def plainly(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response(self.status, self.fields)
        self.body = Body([b"never sent"])
        return self.body

    def ask(self, field: str, value: str, *others: tuple[str, str], method: str = "GET", **asked: str) -> Response:
        """The answer to a request with the fields *asked*, where the application gives *field* and *others*."""
        self.fields = [(field, value), *others]
        given = [(name.replace("_", "-"), text) for name, text in asked.items()]
        client = self.bench.connect(request(method, fields=given) * 2)
        first, second = client.responses([method] * 2)
        assert first == second
        assert first.whole
        assert not {"x-sendfile", "x-accel-redirect"} & {name.lower() for name, _ in first.fields}
        assert self.body is None or self.body.closed == 1
        return first


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "private"
    write(path, a__txt=b"hello\n", large__bin=LARGE, sub_in___hidden=b"hidden")
    write(tmp_path, secret=b"secret")
    (path / "out").symlink_to("../secret")
    (path / "a b%41\xe9").write_bytes(b"odd")
    os.mkfifo(path / "pipe")
    for name in ("a.txt", "large.bin"):
        date(path / name, 784111777)
    return path


@pytest.fixture
def handing(build: SimpleNamespace, folder: Path) -> Handing:
    return Handing(build, folder)


def test_headers_of_the_application_are_kept(handing: Handing, folder: Path) -> None:
    kept = [("Content-Type", "text/x"), ("Content-Disposition", "inline"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]
    for field, value in (("X-Sendfile", f"{folder}/a.txt"), ("x-accel-redirect", "/private/a.txt")):
        found = handing.ask(field, value, *kept, ("Content-Length", "10"), ("Accept-Ranges", "none"))
        assert (found.status, found.body) == (200, b"hello\n")
        assert set(kept) < set(found.fields)
        assert (found.field("Content-Length"), found.field("Last-Modified")) == ("6", DATE)
        assert found.field("ETag") is not None
        assert found.field("Accept-Ranges") == "bytes"
    assert handing.ask("X-Sendfile", f"{folder}/a.txt").field("Content-Type") == "text/plain; charset=utf-8"
    assert handing.ask("X-Sendfile", f"{folder}/large.bin").body == LARGE
    head = handing.ask("X-Sendfile", f"{folder}/large.bin", method="HEAD")
    assert (head.body, head.field("Content-Length")) == (b"", str(len(LARGE)))
    assert handing.bench.errors == []


def test_conditions_and_ranges(handing: Handing, folder: Path) -> None:
    name = ("X-Sendfile", f"{folder}/large.bin")
    etag = str(handing.ask(*name).field("ETag"))
    part = handing.ask(*name, Range="bytes=100-199", If_Range=etag)
    assert (part.status, part.body, part.field("Content-Range")) == (206, LARGE[100:200], f"bytes 100-199/{len(LARGE)}")
    outside = handing.ask(*name, ("Set-Cookie", "a=b"), Range="bytes=9999999-")
    assert (outside.status, outside.field("Content-Range")) == (416, f"bytes */{len(LARGE)}")
    assert (outside.field("Set-Cookie"), outside.field("Content-Type")) == ("a=b", "text/plain")
    same = handing.ask(*name, ("Set-Cookie", "a=b"), ("Content-Type", "a/b"), If_None_Match=etag)
    assert (same.status, same.field("Set-Cookie"), same.field("Content-Type")) == (304, "a=b", None)
    assert handing.ask(*name, If_Modified_Since=DATE).status == 304
    assert handing.ask(*name, If_Match='"x"').status == 412
    assert handing.ask(*name, method="POST", Range="bytes=0-1", If_None_Match=etag).body == LARGE
    own = [("ETag", 'W/"own"'), ("Last-Modified", "Sun, 06 Nov 1994 08:49:38 GMT")]
    assert handing.ask(*name, *own, If_None_Match='"own"').status == 304
    assert handing.ask(*name, *own, If_Modified_Since=DATE).field("ETag") == 'W/"own"'
    assert handing.ask(*name, *own, Range="bytes=0-0", If_Range='"own"').status == 200
    handing.status = "206 Partial Content"  # as Werkzeug answers a range by itself
    twice = handing.ask(*name, ("Content-Range", "bytes 0-1/9"), ("Content-Length", "2"), Range="bytes=0-1")
    assert (twice.status, twice.body) == (206, LARGE[:2])
    handing.status = "404 Not Found"
    assert handing.ask(*name, Range="bytes=0-1")[0] == 404


@pytest.mark.parametrize("way", ["write", "generator", "empty", "late", "tls", "tls generator", "again"])
def test_however_the_application_answers(handing: Handing, folder: Path, way: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if way == "again":
            start_response("200 OK", [("X-Sendfile", "/etc/passwd")])
            try:
                raise KeyError
            except KeyError as error:
                start_response("200 OK", handing.fields, (KeyError, error, None))
            return []
        write = start_response("200 OK", handing.fields)
        if way == "write":
            write(b"never sent")
        return [] if way == "empty" else [b"never sent"]

    def generator(environ: dict[str, Any], start_response: Any) -> Any:
        yield b"" if way == "late" else start_response("200 OK", handing.fields) and b""
        if way == "late":
            start_response("200 OK", handing.fields)
        yield b"never sent"

    handing.way = generator if way in ("generator", "late", "tls generator") else app
    handing.bench.wire.can_send_files = not way.startswith("tls")
    for name, content in (("a.txt", b"hello\n"), ("large.bin", LARGE)):
        found = handing.ask("X-Accel-Redirect", f"/private/{name}")
        assert (found.body, found.field("Content-Length")) == (content, str(len(content)))


@pytest.mark.parametrize(
    ("field", "value", "content"),
    [
        ("X-Accel-Redirect", "/private/a%20b%2541%C3%A9?x=%2f", b"odd"),
        ("X-Accel-Redirect", "/private/a b%2541\xc3\xa9", b"odd"),
        ("X-Accel-Redirect", "/private//sub/.hidden", b"hidden"),
        ("X-Sendfile", "{folder}/a b%41\xc3\xa9", b"odd"),
        ("X-Sendfile", "{folder}/a b%41\xe9", b"odd"),
        ("X-Sendfile", "{folder}//sub/../a.txt", b"hello\n"),
    ],
)
def test_spellings(handing: Handing, folder: Path, field: str, value: str, content: bytes) -> None:
    assert handing.ask(field, value.replace("{folder}", str(folder))).body == content


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        *(("X-Sendfile", value, 500) for value in ("", "a.txt", "/etc/passwd", "{folder}", "{folder}x/a")),
        *(("X-Sendfile", value, 500) for value in ("{folder}/../secret", "{folder}/out", "/private/a.txt")),
        *(("X-Sendfile", value, 500) for value in ("{folder}/a\0b", "{folder}/a\r\nb")),
        *(("X-Accel-Redirect", value, 500) for value in ("/private", "/other/a.txt", "private/a")),
        *(("X-Accel-Redirect", value, 500) for value in ("/private/%2e%2e/secret", "/private/out")),
        *(("X-Accel-Redirect", value, 500) for value in ("/private/../secret", "/private/a%00")),
        *(("X-Sendfile", value, 404) for value in ("{folder}/none", "{folder}/pipe", "{folder}/sub")),
        *(("X-Accel-Redirect", value, 404) for value in ("/private/none", "/private/", "/private/" + "a" * 300)),
    ],
)
def test_what_is_not_sent(handing: Handing, folder: Path, field: str, value: str, status: int) -> None:
    found = handing.ask(field, value.replace("{folder}", str(folder)), ("Set-Cookie", "a=b"))
    assert (found.status, found.field("Set-Cookie")) == (status, None)
    assert b"secret" not in found.body
    (message, error), *_ = handing.bench.errors
    assert message.startswith(field)
    assert message.endswith("(GET /)")
    assert error is None
    assert handing.bench.service.meter.view[figures.APPLICATION_ERRORS] == 2


def test_what_is_no_head_is_refused_as_ever(handing: Handing) -> None:
    for fields in ([("X-Sendfile", 1)], [("X-Sendfile", "/etc/passwd"), "x"], [["X-Sendfile", "/etc/passwd"]]):
        handing.fields = fields  # type: ignore[assignment]
        (found,) = handing.bench.connect(request()).responses()
        assert (found.status, found.body) == (500, b"500 Internal Server Error\n")


def test_it_is_off_by_default(handing: Handing) -> None:
    handing.bench.service.sender = None
    handing.fields = [("X-Sendfile", "/etc/passwd")]
    (found,) = handing.bench.connect(request()).responses()
    assert (found.body, found.field("X-Sendfile")) == (b"never sent", "/etc/passwd")
