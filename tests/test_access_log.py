"""The access log: a line a response, that neither a client nor the application can spoil."""

from __future__ import annotations

import calendar
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import without_compiled
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import Bench
from serving import GET, GET_1_0, HEAD, Server, answering, chunked, request, serving

from fastwsgi import backend
from fastwsgi.mistakes import Mistake
from fastwsgi.observe.formats import COMBINED, basic_user, read_format
from fastwsgi.observe.logs import Logs, check
from fastwsgi.settings.settings import Settings

compiled_only = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")

LINE = re.compile(
    r'(?P<host>\S+) - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] "(?P<request>[^"]*)" '
    r'(?P<code>\d{3}) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" (?P<time>\d+\.\d{6}|-)'
)


class Log:
    """A log file; lines() are its lines, taken apart."""

    def __init__(self, build: SimpleNamespace, path: Path, format: str) -> None:
        self.path = path
        self.logs = Logs(Settings(access_logfile=str(path), access_log_format=format), build)

    def text(self) -> list[str]:
        assert self.logs.access is not None
        assert self.logs.access.flush()
        return self.path.read_text(encoding="ascii").splitlines()

    def lines(self) -> list[dict[str, str]]:
        found = []
        for line in self.text():
            match = LINE.fullmatch(line)
            assert match is not None, line
            found.append(match.groupdict())
        return found


@contextmanager
def logging(
    build: SimpleNamespace, path: Path, app: Any, format: str = "combined", **settings: Any
) -> Iterator[tuple[Server, Log]]:
    log = Log(build, path / "access.log", format)
    try:
        with serving(build, app, log.logs.observer, **settings) as server:
            yield server, log
    finally:
        log.logs.close()


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
        release.wait(10)
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
        release.wait(10)
        start_response("200 OK", [])
        return []

    with logging(build, tmp_path, app, "%(queue)s %(L)s", threads=2) as (server, log):
        with server.connect() as first, server.connect() as second, server.connect() as third:
            for client in (first, second):
                client.send(GET)
                assert running.acquire(timeout=10)
            third.send(GET)
            assert not third.is_readable(0.05)
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


# Formats


def test_json(build: SimpleNamespace, tmp_path: Path) -> None:
    fields = [("User-Agent", 'curl "8" \xe9\\'), ("Referer", "http://here/")]
    with logging(build, tmp_path, answering(b"hello"), "json") as (server, log):
        server.ask(request("POST", "/caf%C3%A9?id=1&a=%22", fields, b"xyz"))
        server.ask(b"nonsense\r\n\r\n")
        served, refused = map(json.loads, log.text())
    assert 0 <= served.pop("http.server.request.queue_time") <= served.pop("http.server.request.duration") < 5
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", served.pop("timestamp"))
    assert served == {
        "client.address": "127.0.0.1",
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/caf%C3%A9",
        "url.query": "id=1&a=%22",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.response.body.size": 5,
        "http.request.id": None,
        "http.request.header.referer": "http://here/",
        "user_agent.original": 'curl "8" \xe9\\',
        "process.pid": os.getpid(),
    }
    assert refused["http.response.status_code"] == 400
    assert refused["client.address"] == "127.0.0.1"
    for name in ("http.request.method", "url.path", "http.server.request.duration", "user_agent.original"):
        assert refused[name] is None


def app_with_environ(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["REMOTE_USER"] = 'm\u20ac "x"'
    environ["thing"] = object()
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("X-Out", "a\tb")])
    return [b"hello"]


@pytest.mark.parametrize(
    ("format", "wanted"),
    [
        ("%(h)s %(l)s %(m)s %(H)s %(s)s %(b)s %(B)s %%", "127.0.0.1 - GET HTTP/1.1 404 5 5 %"),
        ("%(r)s|%(U)s|%(q)s", r"GET /caf%C3%A9?a=%20 HTTP/1.1|/caf\xc3\xa9|a=%20"),
        ("%(f)s %(a)s %({Cookie}i)s", "http://here/ agent -"),
        ("%({x-out}o)s %({Content-Type}o)s %({none}o)s", r"a\x09b text/plain -"),
        ("%({REMOTE_USER}e)s %({thing}e)s %({none}e)s", r"m\x5cu20ac \x22x\x22 - -"),
        ("%(u)s", "Aladdin"),
        ("<%(T)s>", "<0>"),
        ("%({wsgi.url_scheme}e)s", "http"),
        ("%(h)s%(h)s%(m)s%(m)s", "127.0.0.1127.0.0.1GETGET"),
        ("\u00fc %(s)s", "\u00fc 404"),
    ],
)
def test_atoms(build: SimpleNamespace, tmp_path: Path, format: str, wanted: str) -> None:
    fields = [("Referer", "http://here/"), ("User-Agent", "agent"), ("Authorization", "Basic QWxhZGRpbjpvcGVu")]
    with logging(build, tmp_path, app_with_environ, format) as (server, log):
        server.ask(request(target="/caf%C3%A9?a=%20", fields=fields))
        assert log.logs.access is not None
        log.logs.access.flush()
        assert log.path.read_text("utf-8") == wanted + "\n"


def test_times_and_process(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello"), "%(t)s %(M)s %(D)s %(L)s %(queue)s %(p)s") as (server, log):
        server.ask()
        (line,) = log.text()
    found = re.fullmatch(
        r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000)\] (\d+) (\d+) (\d+\.\d{6}) (\d\.\d{6}) <(\d+)>", line
    )
    assert found is not None, line
    stamp = calendar.timegm(time.strptime(found[1], "%d/%b/%Y:%H:%M:%S +0000"))
    assert abs(time.time() - stamp) < 5
    assert int(found[2]) == int(found[3]) // 1000
    assert int(found[3]) == round(float(found[4]) * 1e6) > 0
    assert float(found[5]) <= float(found[4])
    assert int(found[6]) == os.getpid()


@pytest.mark.parametrize(
    ("format", "complaint"),
    [
        ("%(x)s", "no atom %(x)s; there are a, B, b, D, f"),
        ("%(h)d", "'%(h)d' is no atom; write them as %(h)s, and %% for %"),
        ("100% %(h)s", "is no atom"),
        ("%({a}z)s", "no atom %({a}z)s; behind the name comes i, o or e"),
        ("%(h)s\n", "control characters"),
        ("%(h", "is no atom"),
    ],
)
def test_a_wrong_atom_is_a_mistake_of_one_line(format: str, complaint: str) -> None:
    with pytest.raises(Mistake, match=re.escape(complaint)) as found:
        check(Settings(access_log_format=format))
    assert "\n" not in str(found.value)
    assert str(found.value).startswith("--access-log-format: ")


@pytest.mark.parametrize("credentials", ["Basic !", "Basic", "Bearer abc", "Basic Og==", "Basic YWJj", "\xff"])
def test_credentials_without_a_user(credentials: str) -> None:
    assert basic_user(credentials) is None


# Both builds write the same


LATIN_1 = st.text(st.characters(max_codepoint=255), max_size=30)
ATOMS = ("%(h)s", "%(r)s", '"%(a)s"', "%(f)s", "%(U)s", "%(q)s", "%({x}i)s", "%(u)s", "%(H)s", "%(B)s", "and a literal")
ANY_FORMAT = st.lists(st.sampled_from(ATOMS), min_size=1).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.just("combined"), st.just("json"), ANY_FORMAT), st.data())
def test_a_line_has_no_more_fields_than_its_format(format: str, data: st.DataObject) -> None:
    """Hostile values, straight into the pure twin: JSON is whole and gives them back, other lines keep their quotes."""
    lines = backend.build("py").access.Lines(read_format(format), lambda: None)
    environ = {key: data.draw(LATIN_1) for key in lines._format.noted}
    exchange = SimpleNamespace(
        connection=SimpleNamespace(client="::1"), note=lines.note(environ), version=11, code=200, sent=1, started=0.0,
        queued=0.5, environ={},
    )  # fmt: skip
    lines.add(exchange)
    written, count = lines.drain()
    assert count == 1
    text = written.decode("ascii")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert all(" " <= char <= "~" for char in text[:-1])
    if format == "json":
        values = json.loads(text)
        assert values["url.query"] == environ["QUERY_STRING"]
        assert values["user_agent.original"] == environ["HTTP_USER_AGENT"]
        assert values["url.path"] == environ["RAW_URI"].partition("?")[0]
    else:
        assert text.count('"') == (COMBINED if format == "combined" else format).count('"')


@compiled_only
@settings(max_examples=60, deadline=None)
@given(st.one_of(st.just("combined"), st.just("json"), ANY_FORMAT), st.lists(LATIN_1, min_size=3, max_size=3))
def test_both_builds_write_the_same(format: str, values: list[str]) -> None:
    agent, referer, query = (re.sub(r"[^\t -~\xa0-\xff]|^[\t ]+|[\t ]+$", "", value) for value in values)
    fields = [("User-Agent", agent), ("Referer", referer), ("X", referer), ("Authorization", f"Basic {agent}")]
    sent = request(target="/" + re.sub(r"[^!-~]|[#?%\\]", "", query) + "?a", fields=fields)
    written = []
    for name in ("c", "py"):
        build = backend.build(name)
        lines = build.access.Lines(read_format(format), lambda: None)
        observer = SimpleNamespace(note=lines.note, response_ended=lines.add)
        (response,) = Bench(build, answering(b"hello"), observer).connect(sent).responses()
        assert response.status == 200
        text, count = lines.drain()
        assert count == 1
        written.append(re.sub(r"\d+\.\d{6}|\d\d:\d\d:\d\d(\.\d+)?", "N", text.decode("ascii")))
    assert written[0] == written[1]
