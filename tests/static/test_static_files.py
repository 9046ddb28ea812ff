"""Files by their paths: what is sent for each, and what is left to the application."""

from __future__ import annotations

import gzip
import os
import socket
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi.static import files as files_module
from fastwsgi.static import site as site_module
from tests.helpers.serving import request
from tests.helpers.static import StaticBench, date, is_app, write

LARGE = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    write(path, a__txt=b"hello\n", css_in_base__27e20196a850__css=b"b{}", large__bin=LARGE, empty__txt=b"")
    write(path, docs_in_index__html=b"<p>", __hidden=b"secret", __git_in_config=b"secret", b__txt__gz=b"gz")
    (path / ".well-known").mkdir()
    (path / ".well-known" / "x").write_bytes(b"token")
    (path.parent / "secret").write_bytes(b"secret")
    return path


@pytest.fixture
def static(build: SimpleNamespace, folder: Path) -> StaticBench:
    return StaticBench(build, f"/static={folder}", index="index.html")


def test_a_file(static: StaticBench, folder: Path) -> None:
    date(folder / "a.txt", 784111777)
    found = static.ask("/static/a.txt")
    assert (found.status, found.body) == (200, b"hello\n")
    assert [name for name, _ in found.fields].count("Content-Length") == 1
    assert {name: found.field(name) for name, _ in found.fields} == {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "public, max-age=60",
        "X-Content-Type-Options": "nosniff",
        "ETag": found.field("ETag"),
        "Accept-Ranges": "bytes",
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Content-Length": "6",
        "Server": "fastwsgi",
        "Date": found.field("Date"),
    }
    head = static.ask("/static/a.txt", "HEAD")
    assert (head.status, head.fields, head.body) == (200, found.fields, b"")
    old = static.ask("/static/a.txt", version="1.0")
    assert (old.body, old.field("Connection")) == (b"hello\n", "close")
    kept = static.bench.connect(request(target="/static/a.txt") * 3 + request(target="/x"))
    assert [one.body for one in kept.responses()] == [b"hello\n"] * 3 + [b"application"]
    assert static.bench.service.served == 1


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_its_parts(static: StaticBench, folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    size = len(content)
    etag = static.ask(f"/static/{name}").field("ETag")
    assert etag is not None
    for asked, start, end in (("1-3", 1, 4), ("2-", 2, size), ("-2", size - 2, size), ("0-99999999", 0, size)):
        found = static.ask(f"/static/{name}", Range=f"bytes={asked}", If_Range=etag)
        assert (found.status, found.field("Content-Range")) == (206, f"bytes {start}-{end - 1}/{size}")
        assert (found.body == content[start:end], found.field("ETag")) == (True, etag)
    outside = static.ask(f"/static/{name}", Range=f"bytes={size}-")
    assert (outside.status, outside.field("Content-Range")) == (416, f"bytes */{size}")
    assert static.ask(f"/static/{name}", Range="bytes=0-0,2-2").body == content
    assert static.ask(f"/static/{name}", Range="bytes=1-1", If_Range='"x"').body == content
    unchanged = static.ask(f"/static/{name}", If_None_Match=etag, Range="bytes=0-1")
    assert (unchanged.status, unchanged.body, unchanged.field("ETag")) == (304, b"", etag)
    assert unchanged.field("Content-Length") is unchanged.field("Content-Type") is None
    assert unchanged.field("Cache-Control") == "public, max-age=60"
    assert static.ask(f"/static/{name}", If_Match='"x"').status == 412
    assert static.ask(f"/static/{name}", "HEAD", Range="bytes=1-1").field("Content-Length") == str(size)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X-ANY"])
def test_other_methods(static: StaticBench, method: str) -> None:
    for target in ("/static/a.txt", "/static/docs/", "/static/docs"):
        found = static.ask(target, method)
        assert (found.status, found.field("Allow")) == (405, "GET, HEAD")
    assert is_app(static.ask("/static/none", method))


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/static", "/static/none", "/static/a.txt/", "/static/a.txt/x", "/Static/a.txt", "/static//a.txt"),
        *("/static/../secret", "/static/%2e%2e/secret", "/static/..%2fsecret", "/static/docs/../../secret"),
        *("//static/a.txt", "/static/css/", "/static/css", "/static/%2fetc/passwd", "/staticx/a.txt", "/static/."),
        *("/static/.hidden", "/static/.git/config", "/static/%2egit/config", "/static/docs/..", "/static/./a.txt"),
        *("/static/a.txt%20", "/static/a.txt;x", "/static/%ff", "/static/a%5c..%5csecret", "/static/a.txt%2f"),
        *("/static/" + "a" * 300, "/static/" + "a/" * 3000),
    ],
)
def test_what_is_left_to_the_application(static: StaticBench, target: str) -> None:
    assert is_app(static.ask(target))
    assert static.errors == []


@pytest.mark.parametrize(
    "target", ["/static/%61.txt", "/static/a.txt?x", "http://test/static/a.txt", "/static%2fa.txt"]
)
def test_other_spellings(static: StaticBench, target: str) -> None:
    assert static.ask(target).body == b"hello\n"


def test_names_beyond_ascii(static: StaticBench, folder: Path) -> None:
    for name in (b"\xc3\xa9.txt", b"\xff;x=1.txt", b"a b~"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(name)
        assert static.ask("/static/" + "".join(f"%{byte:02x}" for byte in name)).body == name
    assert static.ask("/static/.well-known/x").body == b"token"
    assert static.ask("/static/b.txt.gz").field("Content-Encoding") is None


def test_folders(build: SimpleNamespace, static: StaticBench, folder: Path) -> None:
    assert static.ask("/static/docs/").field("Content-Type") == "text/html; charset=utf-8"
    assert static.ask("/static/docs?a=b%2f").field("Location") == "/static/docs/?a=b%2f"
    (folder / "docs" / "a b\xe9").mkdir()
    (folder / "docs" / "a b\xe9" / "index.html").write_bytes(b"x")
    assert static.ask("/static/docs/a%20b%C3%A9").field("Location") == "/static/docs/a%20b%C3%A9/"
    plain = StaticBench(build, f"/static={folder}")
    assert is_app(plain.ask("/static/docs/"))
    assert is_app(plain.ask("/static/docs"))
    root = StaticBench(build, f"/={folder}", f"/static={folder / 'docs'}", index="index.html", root_path="/shop")
    assert root.ask("/shop/docs").field("Location") == "/shop/docs/"
    assert root.ask("/shop/static").field("Location") == "/shop/static/"
    assert root.ask("/static/").body == b"<p>"
    assert is_app(root.ask("/static/a.txt"))  # the longest route alone counts
    assert root.ask("/a.txt").body == b"hello\n"
    assert is_app(root.ask("/"))


def test_codings(static: StaticBench, folder: Path) -> None:
    text = b"a long text " * 1000
    coded = gzip.compress(text)
    write(folder, c__js=text, c__js__gz=coded, c__js__br=b"br", c__js__zst=text + b"longer", empty__txt__gz=b"")
    for path in folder.iterdir():
        date(path, 10**9)
    plain = static.ask("/static/c.js")
    zipped, br = (static.ask("/static/c.js", Accept_Encoding=accepted) for accepted in ("gzip", "br, gzip"))
    assert (plain.body, plain.field("Content-Encoding"), plain.field("Vary")) == (text, None, "Accept-Encoding")
    assert (zipped.body, zipped.field("Content-Encoding"), zipped.field("Vary")) == (coded, "gzip", "Accept-Encoding")
    assert (br.body, br.field("Content-Type")) == (b"br", "text/javascript; charset=utf-8")
    etags = [one.field("ETag") for one in (plain, zipped, br)]
    assert len(set(etags)) == 3
    assert static.ask("/static/c.js", Accept_Encoding="zstd").body == text  # it would be longer
    same = static.ask("/static/c.js", Accept_Encoding="gzip", If_None_Match=str(etags[1]))
    assert (same.status, same.field("Vary"), same.field("Content-Encoding")) == (304, "Accept-Encoding", None)
    assert static.ask("/static/c.js", If_None_Match=str(etags[1])).status == 200
    part = static.ask("/static/c.js", Accept_Encoding="gzip", Range="bytes=0-1")
    assert (part.status, part.body, part.field("Content-Encoding")) == (206, coded[:2], "gzip")
    assert static.ask("/static/c.js", Accept_Encoding="identity;q=0").status == 406
    assert static.ask("/static/a.txt", Accept_Encoding="*;q=0").status == 406
    date(folder / "c.js.gz", 10**9 - 1)
    static.renew()
    assert static.ask("/static/c.js", Accept_Encoding="gzip").field("Content-Encoding") is None  # of an older file


def test_how_long_clients_may_keep_it(static: StaticBench) -> None:
    found = static.ask("/static/css/base.27e20196a850.css")
    assert found.field("Cache-Control") == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("content", [b"1" * 100, b"1" * 100000])
def test_a_file_that_is_replaced_is_seen(static: StaticBench, folder: Path, content: bytes) -> None:
    """Also one of the same size and date, as archives make them, or an older one: else a 304 were stale for ever."""
    path = folder / "f.txt"
    etags = set()
    for number, seconds in enumerate((10**9, 10**9, 10**9 - 86400, 0, 0, 315532800, time.time() + 86400)):
        fresh = folder / "new"
        fresh.write_bytes(bytes([48 + number]) + content)
        date(fresh, seconds)
        fresh.replace(path)
        static.renew()
        found = static.ask("/static/f.txt")
        assert found.body[0] == 48 + number
        assert (found.field("Last-Modified") is None) == (seconds not in (10**9, 10**9 - 86400))
        etags.add(found.field("ETag"))
    assert len(etags) == 7
    fresh.write_bytes(b"again")
    assert static.ask("/static/f.txt").body[0] == 54  # within the second
    path.unlink()
    static.renew()
    assert is_app(static.ask("/static/f.txt"))


def test_the_folder_may_be_replaced_and_be_away(build: SimpleNamespace, folder: Path) -> None:
    current = folder.parent / "current"
    current.symlink_to(folder.name)
    static = StaticBench(build, f"/s={current}")
    assert static.ask("/s/a.txt").body == b"hello\n"
    write(folder.parent, other_in_a__txt=b"other")
    current.unlink()
    static.renew()
    assert is_app(static.ask("/s/a.txt"))
    current.symlink_to("other")
    static.renew()
    assert static.ask("/s/a.txt").body == b"other"


def test_what_is_no_regular_file(static: StaticBench, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        for name in ("pipe", "null", "sock", "docs/"):
            assert is_app(static.ask(f"/static/{name}")) == (name != "docs/")
    assert static.errors == []


def test_what_cannot_be_read(static: StaticBench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = {b"denied": PermissionError(13, "Permission denied"), b"broken": OSError(5, "Input/output error")}
    failures[b"x\n\xff"] = failures[b"broken"]

    def opener(fd: int, name: bytes) -> int:
        raise failures[name]

    monkeypatch.setattr(static.files._folders[0], "_opener", opener)
    assert is_app(static.ask("/static/denied"))
    assert static.ask("/static/broken").status == 503
    static.renew()
    assert static.ask("/static/broken").status == 503
    assert static.ask("/static/x%0a%ff").status == 503
    assert static.errors == [
        f"static file {folder}/denied: Permission denied",
        f"static file {folder}/broken: Input/output error",
        f"static file {folder}/x\\n\\udcff: Input/output error",
    ]


def test_a_file_that_shrinks_is_cut_and_one_that_grows_is_not_mixed(static: StaticBench, folder: Path) -> None:
    path = folder / "large.bin"
    client = static.bench.connect(request(target="/static/large.bin"), capacity=200000)
    os.truncate(path, 300000)
    client.read(10**7)
    (found,) = client.responses()
    assert (found.whole, found.body, client.closed) == (False, LARGE[:300000], True)
    assert "shorter than its Content-Length" in static.bench.errors[-1][0]
    static.renew()
    client = static.bench.connect(request(target="/static/large.bin"), capacity=200000)
    with path.open("ab") as file:
        file.write(LARGE)
    client.read(10**7)
    assert client.responses()[0].body == LARGE[:300000]


def test_without_sendfile(static: StaticBench, folder: Path) -> None:
    """As by TLS; a file that shrinks meanwhile is cut all the same."""
    static.bench.wire.can_send_files = False
    assert static.ask("/static/large.bin").body == LARGE
    assert static.ask("/static/large.bin", Range="bytes=5-99999").body == LARGE[5:100000]
    client = static.bench.connect(request(target="/static/large.bin"), capacity=200000)
    os.truncate(folder / "large.bin", 300000)
    client.read(10**7)
    assert client.responses()[0].whole is False


def test_what_is_kept_is_bounded_and_closed(static: StaticBench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: weakref.WeakSet[object] = weakref.WeakSet()

    class Noted(files_module.OpenFile):
        def __init__(self, fd: int) -> None:
            super().__init__(fd)
            made.add(self)

    monkeypatch.setattr(files_module, "OpenFile", Noted)
    for name, value in (("MOST_PATHS", 4), ("MOST_OPEN", 2), ("MOST_MEMORY", 10)):
        monkeypatch.setattr(site_module, name, value)
    for number in range(20):
        (folder / f"{number}").write_bytes(LARGE[:70000])
        assert static.ask(f"/static/{number}").status == 200
        static.ask("/static/a.txt")
        assert is_app(static.ask(f"/static/x{number}"))
        assert (len(static.files._found) <= 4, len(made) <= 3) == (True, True)
    slow = static.bench.connect(request(target="/static/large.bin"), capacity=1000)
    static.files._until = 0.0
    static.files.tick()
    assert (len(static.files._found), len(made), static.files._folders[0]._fd) == (0, 1, -1)
    slow.read(10**7)
    assert len(made) == 0


def test_the_last_descriptors_are_kept_from_files(
    static: StaticBench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = os.dup(0)
    os.close(free)
    monkeypatch.setattr(site_module.resource, "getrlimit", lambda what: (free + 1, free + 1))
    assert [static.ask(f"/static/{name}").status for name in ("a.txt", "large.bin", "a.txt")] == [503] * 3
    (line,) = static.errors
    assert line.startswith("file descriptors are short: ")
    monkeypatch.undo()
    static.renew()
    assert static.ask("/static/large.bin").body == LARGE
