"""The access log: a line a response in the combined format, that neither a client nor the application can spoil."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from serving import GET, GET_1_0, HEAD, Server, answering, chunked, request, serving

from fastwsgi.observe.access import AccessLog, escape

LINE = re.compile(
    r'(?P<host>\S+) - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] "(?P<request>[^"]*)" '
    r'(?P<code>\d{3}) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" (?P<time>\d+\.\d{6}|-)'
)


class Log:
    """A log file; lines() are its lines, taken apart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.observer = AccessLog(str(path))

    def lines(self) -> list[dict[str, str]]:
        self.observer.tick()
        found = []
        for line in self.path.read_text(encoding="ascii").splitlines():
            match = LINE.fullmatch(line)
            assert match is not None, line
            found.append(match.groupdict())
        return found


@contextmanager
def logging(build: SimpleNamespace, path: Path, app: Any, **settings: Any) -> Iterator[tuple[Server, Log]]:
    log = Log(path / "access.log")
    try:
        with serving(build, app, log.observer, **settings) as server:
            yield server, log
    finally:
        log.observer.close()


def test_a_line_for_each_response(build: SimpleNamespace, tmp_path: Path) -> None:
    fields = [("Referer", "http://here/"), ("User-Agent", "test/1.0 (x)")]
    with logging(build, tmp_path, answering(b"hello")) as (server, log):
        with server.connect() as client:
            client.send(request(target="/shop?id=1&a=%22", fields=fields)).answer()
            client.send(GET).answer()
        server.ask(GET_1_0)
        first, second, third = log.lines()
        assert (first["host"], first["request"]) == ("127.0.0.1", "GET /shop?id=1&a=%22 HTTP/1.1")
        assert (first["code"], first["bytes"]) == ("200", "5")
        assert (first["referer"], first["agent"]) == ("http://here/", "test/1.0 (x)")
        assert 0 <= float(first["time"]) < 5
        assert (second["request"], second["referer"], second["agent"]) == ("GET / HTTP/1.1", "-", "-")
        assert third["request"] == "GET / HTTP/1.0"


@pytest.mark.parametrize(
    ("sent", "app", "code", "count"),
    [
        (GET, lambda environ, start: start("200 OK", []) and iter([b"he", b"llo"]), "200", "5"),
        (GET, lambda environ, start: start("200 OK", [])(b"hello") or [], "200", "5"),
        (GET, lambda environ, start: start("200 OK", [("Content-Length", "3")]) and [b"hello"], "200", "3"),
        (GET, lambda environ, start: start("200 OK", [("Content-Length", "9")]) and [b"hello"], "200", "5"),
        (GET, answering(status="404 Not Found"), "404", "-"),
        (GET, answering(b"stray", status="204 No Content"), "204", "-"),
        (HEAD, answering(b"hello"), "200", "-"),
        (GET, lambda environ, start: 1 // 0, "500", "26"),
        (request("POST", body=b"xyz"), answering(b"hello"), "200", "5"),
    ],
    ids=["stream", "write", "too long", "too short", "404", "204", "head", "500", "post"],
)
def test_code_and_bytes(build: SimpleNamespace, tmp_path: Path, sent: bytes, app: Any, code: str, count: str) -> None:
    with logging(build, tmp_path, app) as (server, log):
        server.ask(sent)
        server.settle()
        (line,) = log.lines()
        assert (line["code"], line["bytes"]) == (code, count)


def test_a_file_counts_its_bytes(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300000)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with logging(build, tmp_path, app) as (server, log):
        server.ask()
        server.settle()
        assert [line["bytes"] for line in log.lines()] == ["300000"]


def test_a_refusal_has_a_line(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello"), limit_request_body=10) as (server, log):
        server.ask(b"nonsense\r\n\r\n")
        server.ask(request("POST", fields=[("Content-Length", "11")]))
        chunky = request("POST", fields=[("Transfer-Encoding", "chunked")])
        server.ask(chunky + chunked(b"x" * 11))
        with server.connect():
            server.advance(11)
        assert [line["code"] for line in log.lines()] == ["400", "413", "413", "408"]


def test_a_client_that_leaves_has_one_line_at_most(build: SimpleNamespace, tmp_path: Path) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return (b"x" * 65536 for _ in range(1000))

    with logging(build, tmp_path, app) as (server, log):
        with server.connect() as client:
            client.send(request("POST", body=b"abc")[:-1]).reset()
        assert server.connections() == 0
        assert log.lines() == []
        with server.connect(receive_buffer=4096) as client:
            client.send(GET).until(b"\r\n\r\n")
            client.reset()
        assert server.connections() == 0
        assert [line["code"] for line in log.lines()] == ["200"]


def test_lines_come_in_the_order_of_pipelined_requests(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello")) as (server, log), server.connect() as client:
        client.send(b"".join(request(target=f"/{number}") for number in range(200)))
        for _ in range(200):
            client.answer()
        assert [line["request"] for line in log.lines()] == [f"GET /{number} HTTP/1.1" for number in range(200)]


# Nobody can forge a line


def test_escape() -> None:
    text = 'a"b\\c\r\n\t\0\x1b\x7f\x85\xe9 d'
    assert escape(text) == r"a\x22b\x5cc\x0d\x0a\x09\x00\x1b\x7f\x85\xe9 d"
    assert escape("%0d%0a plain") == "%0d%0a plain"


def test_a_client_cannot_forge(build: SimpleNamespace, tmp_path: Path) -> None:
    agent = 'x" 200 1 "-" "-" 0.1 \\" \t\xe9\x85'
    sent = request(target='/"?"\\x', fields=[("User-Agent", agent), ("Referer", '"')])
    with logging(build, tmp_path, answering(b"hello")) as (server, log):
        assert server.ask(sent).status == 200
        (line,) = log.lines()
        assert line["request"] == r"GET /\x22?\x22\x5cx HTTP/1.1"
        assert line["agent"] == r"x\x22 200 1 \x22-\x22 \x22-\x22 0.1 \x5c\x22 \x09\xe9\x85"
        assert line["referer"] == r"\x22"


def test_an_application_that_changes_environ_does_not_change_the_log(build: SimpleNamespace, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"REQUEST_METHOD": "PUT", "RAW_URI": "/other", "HTTP_USER_AGENT": "another", "SERVER_PROTOCOL": None},
        {"REQUEST_METHOD": "\u20ac", "RAW_URI": "\u20ac", "HTTP_USER_AGENT": "\u20ac", "HTTP_REFERER": "\ud800"},
        {"REQUEST_METHOD": None, "RAW_URI": 1, "HTTP_USER_AGENT": None, "HTTP_REFERER": b"bytes"},
    ]

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        number = int(environ["PATH_INFO"][1:])
        if number < len(changes):
            environ.update(changes[number])
        else:
            environ.clear()
        start_response("200 OK", [])
        return [b"hello"]

    with logging(build, tmp_path, app) as (server, log):
        for number in range(len(changes) + 1):
            sent = request(target=f"/{number}", fields=[("User-Agent", "agent"), ("Referer", "referer")])
            assert server.ask(sent).body == b"hello", server.log
            server.advance(1.1)
        lines = log.lines()
        wanted = [f"GET /{number} HTTP/1.1" for number in range(len(changes) + 1)]
        assert [line["request"] for line in lines] == wanted
        assert {(line["agent"], line["referer"]) for line in lines} == {("agent", "referer")}


# Writing


def test_lines_are_written_once_a_second(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello")) as (server, log):
        server.ask()
        server.advance(1.1)
        assert log.path.read_text().count("\n") == 1


def test_many_lines_are_written_before(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    connection = SimpleNamespace(host="")
    for _ in range(2000):
        log.observer.request_refused(connection, SimpleNamespace(status=400))
    written = log.path.stat().st_size
    assert written > 60000
    assert len(log.lines()) == 2000
    assert log.lines()[0]["host"] == "-"
    log.observer.close()


def test_lines_are_appended(tmp_path: Path) -> None:
    for _ in range(2):
        log = Log(tmp_path / "log")
        log.observer.request_refused(SimpleNamespace(host="::1"), SimpleNamespace(status=400))
        log.observer.close()
    assert (tmp_path / "log").read_text().count("\n") == 2


def test_a_full_disk_does_not_stop_the_server(build: SimpleNamespace) -> None:
    observer = AccessLog("/dev/full")
    with serving(build, answering(b"hello"), observer) as server, server.connect() as client:
        for _ in range(3):
            assert client.send(GET).answer().body == b"hello"
            server.advance(1.1)
    observer.close()


def test_a_log_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        AccessLog(str(tmp_path / "missing" / "log"))
