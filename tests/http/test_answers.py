"""The server's own answers: complete, constant, and without an echo of what the client sent."""

from __future__ import annotations

import re
import socket
import time
from email.utils import formatdate, parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend, figures
from fastwsgi.http.answers import DATE, EXPIRED, FAILED, NO_DATE, Answer, answer, expired_template, put, refusal
from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import reason_phrase
from tests.conftest import without_compiled
from tests.helpers.figures import codes, timeouts
from tests.helpers.memory import Bench
from tests.helpers.responses import Response, read_responses
from tests.helpers.serving import PATIENCE
from tests.helpers.site_app import GET

SERVER, DATE_LINE = b"Server: fastwsgi\r\n", b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
REFUSALS = [400, 408, 411, 413, 414, 417, 421, 426, 431, 501, 503, 505]
SECRET = "a-word-of-the-client"


def read(build: SimpleNamespace, given: Answer, method: str = "GET", server: bytes = SERVER) -> Response:
    """An answer as a client reads it: one response, and nothing behind it."""
    out = build.outbox.OutBuffer()
    put(out, given, server, DATE_LINE, method == "HEAD")
    (response,) = read_responses(out.peek(), [method], True)
    return response


@pytest.mark.parametrize("code", [*REFUSALS, 500, 504])
def test_an_answer_is_a_whole_response(build: SimpleNamespace, code: int) -> None:
    response = read(build, answer(code))
    assert (response.status, response.reason, response.whole) == (code, reason_phrase(code), True)
    assert response.reason
    assert response.body == f"{code} {response.reason}\n".encode()
    assert response.field("Content-Length") == str(len(response.body))
    assert response.field("Content-Type") == "text/plain"
    assert response.field("Connection") == "close"
    assert (response.field("Server"), response.field("Date")) == ("fastwsgi", "Thu, 01 Jan 1970 00:00:00 GMT")


@pytest.mark.parametrize("code", [*REFUSALS, 500, 504])
def test_to_head_it_is_the_same_without_its_body(build: SimpleNamespace, code: int) -> None:
    assert read(build, answer(code), "HEAD").fields == read(build, answer(code)).fields
    out = build.outbox.OutBuffer()
    put(out, answer(code), SERVER, DATE_LINE, is_head=True)
    assert out.peek().endswith(b"\r\n\r\n")


@pytest.mark.parametrize("code", [*REFUSALS, 500, 504])
def test_who_may_come_again_is_told_when(build: SimpleNamespace, code: int) -> None:
    assert read(build, answer(code)).field("Retry-After") == ("1" if code == 503 else None)


def test_advice_stands_behind_the_status(build: SimpleNamespace) -> None:
    given = refusal(HttpError(400, SECRET, "this port speaks TLS: use https://"))
    assert read(build, given).body == b"400 Bad Request: this port speaks TLS: use https://\n"


@pytest.mark.parametrize("code", REFUSALS)
def test_the_reason_is_for_the_log_alone(build: SimpleNamespace, code: int) -> None:
    given = refusal(HttpError(code, SECRET))
    assert given == answer(code)
    assert SECRET not in repr(read(build, given))


BROKEN = [
    f"{SECRET}\r\n\r\n",
    f"GET /{SECRET} HTTP/9.9\r\nHost: h\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: h\r\nHost: {SECRET}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: h\r\n{SECRET} : x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {SECRET}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {SECRET}\r\n\r\n",
    f"GET /{SECRET * 1000} HTTP/1.1\r\nHost: h\r\n\r\n",
]


@pytest.mark.parametrize("raw", BROKEN, ids=lambda text: text[:40])
def test_no_refusal_has_a_word_of_the_request(build: SimpleNamespace, raw: str) -> None:
    client = Bench(build, lambda environ, start_response: []).connect(raw.encode())
    (response,) = client.responses()
    assert response.status >= 400
    assert (response.body, response.whole) == (answer(response.status).body, True)
    assert SECRET.encode() not in client.received


def test_the_500_is_framed_as_the_response_would_have_been(build: SimpleNamespace) -> None:
    """The request was whole, so the connection goes on."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        raise LookupError(SECRET)

    client = Bench(build, app).connect(GET % b"/" * 2)
    responses = client.responses()
    assert [(one.status, one.body) for one in responses] == [(500, FAILED.body)] * 2
    assert [one.field("Connection") for one in responses] == [None] * 2
    assert SECRET.encode() not in client.received


def test_every_answer_is_one_that_an_application_could_give(build: SimpleNamespace) -> None:
    """Each is given to the out-buffer as an application's would be, which checks it."""
    for given in (FAILED, EXPIRED, *(answer(code) for code in REFUSALS)):
        assert re.fullmatch(r"[45][0-9]{2} [A-Z][A-Za-z -]+", given.status)
        assert given.code == int(given.status[:3])
        assert given.body.endswith(b"\n")
        read(build, given, server=b"")


# The template of those who cannot use Python at the moment


def test_a_date_has_its_place_to_the_byte() -> None:
    assert len(formatdate(usegmt=True)) == len(NO_DATE)
    assert expired_template().count(DATE + NO_DATE.encode()) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_with_a_date_it_is_a_whole_response(method: str) -> None:
    template = expired_template()
    at = template.index(DATE) + len(DATE)
    date = formatdate(0, usegmt=True).encode()
    (response,) = read_responses(template[:at] + date + template[at + len(date) :], [method], True)
    assert (response.status, response.reason, response.body, response.whole) == (504, "Gateway Timeout", b"", True)
    assert response.fields == [
        ("Content-Length", "0"),
        ("Connection", "close"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ]


@pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")
def test_the_monitor_fills_in_the_date() -> None:
    """The compiled one, which needs no GIL to answer the client of a call."""
    build = backend.build("c")
    template = expired_template()
    turn = build.turn.Turn(build.inbox.Inbox(), build.outbox.OutBuffer(), build.turn.CallCounter())
    monitor = build.monitor.Monitor(turn, 0.01, template, template.index(DATE) + len(DATE))
    client = Bench(build, lambda environ, start_response: []).connect()
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    before = int(time.time())
    with ours, theirs:
        monitor.start()
        turn.begin_call(client.connection, ours.fileno())
        data = b"".join(iter(lambda: theirs.recv(4096), b""))
        monitor.stop()
        assert not turn.begin_head()  # the application's comes too late
        assert turn.end_call()
        assert turn.given_up
    (response,) = read_responses(data, ["GET"], True)
    assert (response.status, len(data)) == (504, len(template))
    date = response.field("Date") or ""
    assert before <= parsedate_to_datetime(date).timestamp() <= time.time()
    assert formatdate(parsedate_to_datetime(date).timestamp(), usegmt=True) == date


class Clients(dict[int, Any]):
    """Clients of a bench, the next of which has the descriptor *fd*."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self.fd = fd

    def __len__(self) -> int:
        return self.fd - 10


@pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")
@pytest.mark.parametrize("way", ["list", "error", "hint", "watchdog"])
def test_what_the_monitor_answered_is_reported_once(way: str) -> None:
    build = backend.build("c")
    template = expired_template()
    ends: list[tuple[int, int]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        monitor.start()
        while theirs.recv(4096):  # a call that holds the GIL could not, and the monitor sees no difference
            pass
        if way == "error":
            raise LookupError
        if way == "hint":
            environ["wsgi.early_hints"]([])
        if way == "watchdog":
            assert start_response.connection.expire(start_response)
        start_response("200 OK", [])
        return [b"late"]

    observer = SimpleNamespace(response_ended=lambda exchange: ends.append((exchange.code, exchange.sent)))
    bench = Bench(build, app, observer)
    bench.loop.clock = time.monotonic()
    bench.loop.renew_time(bench.service)
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    with ours, theirs:
        bench.clients = bench.wire.clients = Clients(ours.fileno())
        at = template.index(DATE) + len(DATE)
        monitor = build.monitor.Monitor(bench.service.turn, 0.01, template, at)
        client = bench.connect(GET % b"/")
        monitor.stop()
    assert client.received == b""
    assert client.closed
    assert ends == [(504, 0)]
    words = bench.service.meter.view
    expired = words[figures.EXPIRED : figures.EXPIRED + figures.HISTOGRAM]
    assert (sum(expired[:-1]), codes(words), timeouts(words)) == (1, {504: 1}, {"application": 1})  # once
    assert 0 < expired[-1] < 2 * PATIENCE * 10**9
