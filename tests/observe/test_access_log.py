"""The access log: a line a response, that neither a client nor the application can spoil."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.access_logs import LINE, logging
from tests.helpers.serving import GET, GET_1_0, HEAD, PATIENCE, answering, chunked, request
from tests.helpers.waiting import until


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


def test_a_request_past_its_deadline_has_the_line_of_its_504(build: SimpleNamespace, tmp_path: Path) -> None:
    release = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/cut":
            start_response("200 OK", [("Content-Length", "2")])(b"a")
        release.wait(PATIENCE)
        start_response("200 OK", [], (ValueError, ValueError(), None))
        return [b"late"]

    with logging(build, tmp_path, app, threads=4, timeout=0.1) as (server, log):
        assert server.ask(request(target="/held")).status == 504
        with server.connect() as client:
            client.send(request(target="/cut")).rest()
        lines = log.lines()
        release.set()
        server.settle()
        assert log.lines() == lines
    assert [(line["request"], line["code"]) for line in lines] == [
        ("GET /held HTTP/1.1", "504"),
        ("GET /cut HTTP/1.1", "200"),
    ]
    assert all(float(line["time"]) >= 0.1 for line in lines)


def test_time_in_the_queue_is_told(build: SimpleNamespace, tmp_path: Path) -> None:
    running = threading.Semaphore(0)
    release = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        running.release()
        release.wait(PATIENCE)
        start_response("200 OK", [])
        return []

    with logging(build, tmp_path, app, "%(queue)s %(L)s", threads=2) as (server, log):
        with server.connect() as first, server.connect() as second, server.connect() as third:
            for client in (first, second):
                client.send(GET)
                assert running.acquire(timeout=PATIENCE)
            third.send(GET)
            until(lambda: server.loop.pool is not None and len(server.loop.pool.queued_requests) == 1)
            release.set()
            for client in (first, second, third):
                client.answer()
        server.settle()
        waited = sorted(tuple(map(float, line.split())) for line in log.text())
    assert [queue > 0 for queue, _ in waited] == [False, False, True]
    assert waited[2][0] <= waited[2][1]


def test_lines_come_in_the_order_of_pipelined_requests(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello")) as (server, log), server.connect() as client:
        client.send(b"".join(request(target=f"/{number}") for number in range(200)))
        for _ in range(200):
            client.answer()
        assert [line["request"] for line in log.lines()] == [f"GET /{number} HTTP/1.1" for number in range(200)]


# Nobody can forge a line


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
        lines = log.lines()
        wanted = [f"GET /{number} HTTP/1.1" for number in range(len(changes) + 1)]
        assert [line["request"] for line in lines] == wanted
        assert {(line["agent"], line["referer"]) for line in lines} == {("agent", "referer")}


# Every byte that a client can send


@pytest.mark.parametrize("format", ["combined", "json", "%(r)s %(U)s %(q)s %({x-y}i)s"])
def test_no_byte_gets_through_as_it_is(build: SimpleNamespace, tmp_path: Path, format: str) -> None:
    """In a target, a path that is decoded, a query and a field; what the server refuses has a line, too."""
    with logging(build, tmp_path, answering(b"hello"), format) as (server, log):
        for byte in range(256):
            char = chr(byte)
            server.ask(request(target=f"/a{char}b?c{char}"))
            server.ask(request(target=f"/%{byte:02x}", fields=[("User-Agent", f"a{char}b"), ("X-Y", f"a{char}b")]))
        server.settle()
        lines = log.text()
    assert len(lines) == 512
    assert all(re.fullmatch(r"[ -~]+", line) for line in lines)
    if format == "combined":
        assert all(LINE.fullmatch(line) for line in lines)
    elif format == "json":
        assert all(json.loads(line)["http.response.status_code"] in (200, 400) for line in lines)
