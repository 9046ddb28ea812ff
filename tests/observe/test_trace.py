"""The trace: heads as `curl -v` shows them, with the connection's number and the time."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastwsgi import backend
from fastwsgi.observe.logs import Logs
from fastwsgi.observe.trace import Trace
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import GET, HEAD, answering, request, serving


def lines(stream: io.StringIO) -> list[str]:
    """What was written, with fixed times."""
    text = re.sub(r"Date: .*", "Date: now", stream.getvalue())
    return re.sub(r"\d+\.\d{3} ms", "N ms", text).splitlines()


def test_a_request_and_its_response(build: SimpleNamespace) -> None:
    stream = io.StringIO()
    with serving(build, answering(b"hello", headers=[("X-Y", "z")]), Trace(stream)) as server:
        server.ask(request("POST", "/a?b", [("A", "b")], body=b"secret"))
    assert lines(stream) == [
        "#1 > POST /a?b HTTP/1.1",
        "#1 > Host: test",
        "#1 > A: b",
        "#1 > Content-Length: 6",
        "#1 >",
        "#1 < HTTP/1.1 200 OK",
        "#1 < X-Y: z",
        "#1 < Content-Length: 5",
        "#1 < Server: fastwsgi",
        "#1 < Date: now",
        "#1 <",
        "#1 = 5 bytes of body, N ms",
    ]


def test_connections_have_numbers(build: SimpleNamespace) -> None:
    stream = io.StringIO()
    with serving(build, answering(b"hello"), Trace(stream)) as server:
        with server.connect() as first, server.connect() as second:
            for client in (first, second, first):
                client.send(GET).answer()
    assert [line for line in lines(stream) if "GET" in line] == [f"#{number} > GET / HTTP/1.1" for number in (1, 2, 1)]


def test_pipelined_requests_are_shown_one_by_one(build: SimpleNamespace) -> None:
    stream = io.StringIO()
    with serving(build, answering(b"hello"), Trace(stream)) as server, server.connect() as client:
        client.send(b"".join(request(target=f"/{number}") for number in range(3)))
        for _ in range(3):
            client.answer()
    shown = [line for line in lines(stream) if re.search("GET|HTTP/1.1 200|bytes", line)]
    assert shown == [
        shown_line
        for number in range(3)
        for shown_line in (f"#1 > GET /{number} HTTP/1.1", "#1 < HTTP/1.1 200 OK", "#1 = 5 bytes of body, N ms")
    ]


def test_bodies_are_counted_and_not_shown(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return iter([b"secret " * 20000] * 3)

    stream = io.StringIO()
    with serving(build, app, Trace(stream)) as server:
        server.ask()
        server.ask(HEAD)
    assert "secret" not in stream.getvalue()
    ends = [line for line in lines(stream) if "bytes" in line]
    assert ends == ["#1 = 420000 bytes of body, N ms", "#2 = 0 bytes of body, N ms"]


def test_refusals_and_cuts(build: SimpleNamespace) -> None:
    stream = io.StringIO()
    with serving(build, answering(b"hello", headers=[("Content-Length", "9")]), Trace(stream)) as server:
        server.ask()
        server.ask(b"nonsense\r\n\r\n")
        server.settle()
    assert "#1 = 5 bytes of body, cut, N ms" in lines(stream)
    assert any(line.startswith("#2 = refused with 400: ") for line in lines(stream))


def test_a_client_cannot_forge(build: SimpleNamespace) -> None:
    stream = io.StringIO()
    with serving(build, answering(b"hello"), Trace(stream)) as server:
        server.ask(request(fields=[("A", "b\x85#2 > c\x9bd\te\xe9")]))
        server.ask(b"\x1b[31m\r\n\r\n")
    assert "#1 > A: b\\x85#2 > c\\x9bd\te\xe9" in lines(stream)
    assert "\x1b" not in stream.getvalue()


def test_both_observers_can_watch(build: SimpleNamespace, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "log"
    logs = Logs(Settings(access_logfile=str(path), trace=True), build)
    with serving(build, answering(b"hello"), logs.for_loop().observer) as server:
        server.ask()
        server.ask(b"nonsense\r\n\r\n")
        server.advance(1.1)
    logs.close()
    assert path.read_text().count("\n") == 2
    shown = capsys.readouterr().err
    assert "#1 > GET / HTTP/1.1" in shown
    assert "#2 = refused with 400" in shown


def test_requests_pay_for_nothing_by_default() -> None:
    """Only refusals are told of."""
    logs = Logs(Settings(), backend.current())
    for name in ("note", "request_started", "response_started", "response_ended"):
        assert not hasattr(logs.for_loop().observer, name)
    logs.close()
