"""Responses on the wire: the head, how the body ends, what is kept alive, what is flushed and when."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.serving import GET, GET_1_0, HEAD, PATIENCE, App, answering, chunked, request, serving

DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT")


class Pieces:
    """An iterable that is neither list nor generator."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)


class OldPieces:
    """An iterable without __iter__."""

    def __getitem__(self, index: int) -> bytes:
        return [b"ab", b"", b"cd"][index]


def returning(make: Any, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> App:
    """An application that returns what make() gives."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return make()

    return app


# Date and Server


def test_date_and_server_are_added(build: SimpleNamespace) -> None:
    with serving(build, answering(b"x")) as server:
        answer = server.ask()
        assert answer.get("Server") == "fastwsgi"
        assert DATE.fullmatch(answer.get("Date") or "")


def test_date_follows_the_clock(build: SimpleNamespace) -> None:
    with serving(build, answering(b"x")) as server:
        server.clock.offset = 3 * 86400 - server.clock.time() % 86400  # midnight
        server.settle()
        assert (server.ask().get("Date") or "").split()[4] in ("00:00:00", "00:00:01")
        server.advance(3600)
        assert (server.ask().get("Date") or "").split()[4] in ("01:00:00", "01:00:01")


@pytest.mark.parametrize("names", [("Date", "Server"), ("DATE", "server")])
def test_date_and_server_of_the_application_stay(build: SimpleNamespace, names: tuple[str, str]) -> None:
    headers = [(names[0], "today"), (names[1], "mine")]
    with serving(build, answering(b"x", headers=headers)) as server:
        answer = server.ask()
        assert (answer.all("Date"), answer.all("Server")) == (["today"], ["mine"])


def test_server_can_be_off_or_another(build: SimpleNamespace) -> None:
    with serving(build, answering(b"x"), server_header="") as server:
        assert server.ask().get("Server") is None
    with serving(build, answering(b"x"), server_header="shop/1.0") as server:
        assert server.ask().get("Server") == "shop/1.0"


# How the body ends

LENGTH, CHUNKED, CLOSE = "length", "chunked", "close"
BODIES: list[tuple[str, Any, bytes, bool]] = [
    # name, what the application returns, the body, whether its length is known
    ("list", lambda: [b"hello"], b"hello", True),
    ("list of some", lambda: [b"he", b"", b"llo"], b"hello", True),
    ("tuple", lambda: (b"he", b"llo"), b"hello", True),
    ("long list", lambda: [b"x" * 30000] * 9, b"x" * 270000, True),
    ("empty list", list, b"", True),
    ("empty tuple", lambda: (), b"", True),
    ("list of nothing", lambda: [b"", b""], b"", True),
    ("generator", lambda: (piece for piece in (b"he", b"llo")), b"hello", False),
    ("generator of one", lambda: (piece for piece in (b"", b"hello")), b"hello", False),
    ("empty generator", lambda: iter(()), b"", True),
    ("generator of nothing", lambda: (b"" for _ in range(3)), b"", True),
    ("iterable", lambda: Pieces(b"he", b"llo"), b"hello", False),
    ("map", lambda: map(bytes, [[1], [2]]), b"\1\2", False),
    ("old iterable", OldPieces, b"abcd", False),
    ("long pieces", lambda: (b"y" * 100000 for _ in range(5)), b"y" * 500000, False),
    ("many pieces", lambda: (b"z" for _ in range(1000)), b"z" * 1000, False),
]


@pytest.mark.parametrize(("name", "make", "body", "known"), BODIES, ids=[body[0] for body in BODIES])
@pytest.mark.parametrize("version", ["1.1", "1.0", "1.0 kept"])
@pytest.mark.parametrize("announced", [False, True], ids=["", "announced"])
def test_end_of_the_body(
    build: SimpleNamespace, name: str, make: Any, body: bytes, known: bool, version: str, announced: bool
) -> None:
    known = known or announced
    headers = [("Content-Length", str(len(body)))] if announced else []
    fields = [("Connection", "keep-alive")] if version == "1.0 kept" else []
    with serving(build, returning(make, headers=headers)) as server, server.connect() as client:
        kept = version == "1.1" or (version == "1.0 kept" and known)
        for _ in range(2 if kept else 1):
            answer = client.send(request(version=version[:3], fields=fields)).answer()
            assert (answer.status, answer.body, answer.whole) == (200, body, True)
            assert answer.get("Content-Length") == (str(len(body)) if known else None)
            assert answer.get("Transfer-Encoding") == (None if known or version != "1.1" else "chunked")
            wanted = None if version == "1.1" else "keep-alive" if kept else "close"
            assert answer.get("Connection") == wanted
        if not kept:
            assert (client.rest(), client.end) == (b"", "closed")
        assert server.errors == []


@pytest.mark.parametrize(("name", "make", "body", "known"), BODIES, ids=[body[0] for body in BODIES])
@pytest.mark.parametrize("announced", [False, True], ids=["", "announced"])
@pytest.mark.parametrize("kind", ["HEAD", "204", "205", "304"])
def test_no_body_where_there_is_none(
    build: SimpleNamespace, name: str, make: Any, body: bytes, known: bool, announced: bool, kind: str
) -> None:
    headers = [("Content-Length", str(len(body)))] if announced else []
    status = {"204": "204 No Content", "205": "205 Reset Content", "304": "304 Not Modified"}.get(kind, "200 OK")
    with serving(build, returning(make, status, headers)) as server, server.connect() as client:
        for _ in range(2):
            client.send(HEAD if kind == "HEAD" else GET)
            answer = client.answer(to_head=kind == "HEAD")
            assert answer.line == f"HTTP/1.1 {status}".encode()
            assert answer.get("Transfer-Encoding") is answer.get("Connection") is None
            said = answer.get("Content-Length")
            if kind in ("204", "205"):
                assert said == {"204": None, "205": "0"}[kind]
            else:  # what GET would say, or nothing
                assert said == str(len(body)) if announced else said in (None, str(len(body)))
            if kind == "HEAD" and known and body:
                assert said == str(len(body))
        assert not client.is_readable(0.02)
        assert server.errors == []


def test_a_longer_body_is_cut_at_its_length(build: SimpleNamespace) -> None:
    pieces = [b"hel", b"lo and", b" more"]
    for make in (lambda: pieces, lambda: iter(pieces)):
        with serving(build, returning(make, headers=[("Content-Length", "5")])) as server:
            with server.connect() as client:
                answer = client.send(GET).answer()
                assert (answer.body, answer.whole) == (b"hello", True)
                # It was said that the connection is kept: a proxy may have sent somebody else's request meanwhile
                assert client.send(GET).answer().body == b"hello"
            assert len(server.errors) == 2
            assert "longer than its Content-Length" in server.log


def test_a_shorter_body_is_seen_to_be_cut(build: SimpleNamespace) -> None:
    for make in (lambda: [b"hello"], lambda: iter([b"hel", b"lo"])):
        with serving(build, returning(make, headers=[("Content-Length", "9")])) as server:
            with server.connect() as client:
                answer = client.send(GET).answer()
                assert (answer.body, answer.whole) == (b"hello", False)
            assert len(server.errors) == 1
            assert "shorter than its Content-Length" in server.log


# Which connections are kept


@pytest.mark.parametrize(
    ("version", "sent", "kept", "said"),
    [
        ("1.1", None, True, None),
        ("1.1", "keep-alive", True, None),
        ("1.1", "close", False, "close"),
        ("1.1", "Close", False, "close"),
        ("1.1", "TE, close", False, "close"),
        ("1.1", "keep-alive ,\tCLOSE", False, "close"),
        ("1.1", "closed", True, None),
        ("1.0", None, False, "close"),
        ("1.0", "close", False, "close"),
        ("1.0", "keep-alive", True, "keep-alive"),
        ("1.0", "Keep-Alive", True, "keep-alive"),
        ("1.0", "TE , keep-alive", True, "keep-alive"),
        ("1.0", "keep-alive, close", False, "close"),
    ],
)
def test_keep_alive(
    build: SimpleNamespace, version: str, sent: str | None, kept: bool, said: str | None
) -> None:
    data = request(version=version, fields=[("Connection", sent)] if sent else [])
    with serving(build, answering(b"hello")) as server, server.connect() as client:
        answer = client.send(data).answer()
        assert (answer.get("Connection"), answer.body) == (said, b"hello")
        if kept:
            assert client.send(data).answer().body == b"hello"
        else:
            assert (client.rest(), client.end) == (b"", "closed")


def test_nothing_is_served_after_close(build: SimpleNamespace) -> None:
    paths: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"hello"]

    closing = request(target="/last", fields=[("Connection", "close")])
    with serving(build, app) as server, server.connect() as client:
        client.send(GET + closing + request(target="/unserved") * 3)
        assert [client.answer().get("Connection") for _ in range(2)] == [None, "close"]
        assert (client.rest(), client.end) == (b"", "closed")
    assert paths == ["/", "/last"]


def test_what_comes_after_close_does_not_hurt_the_response(build: SimpleNamespace) -> None:
    big = b"0123456789" * 300000
    closing = request(fields=[("Connection", "close")])
    for make in (lambda: [big], lambda: iter([big])):
        with serving(build, returning(make)) as server, server.connect(receive_buffer=16384) as client:
            client.send(closing).until(b"\r\n\r\n")
            client.send(b"\r\n" + GET)  # meets a server that is still writing
            while client.more():
                pass
            assert client.end == "closed"
            assert client.buffer.count(b"0123456789") == 300000


# What is on the wire, and when


@pytest.mark.parametrize("kind", ["chunked", "announced", "1.0", "write"])
def test_each_piece_is_on_the_wire_before_the_next_is_asked_for(build: SimpleNamespace, kind: str) -> None:
    seen = threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [("Content-Length", "15")] if kind == "announced" else [])
        for number in range(5):
            if kind == "write":
                write(b"<%d>" % number)
            else:
                yield b"<%d>" % number
            assert seen.acquire(timeout=PATIENCE)

    with serving(build, app) as server, server.connect() as client:
        client.send(GET_1_0 if kind == "1.0" else GET)
        for number in range(5):
            client.until(b"<%d>" % number)
            seen.release()
        assert client.until(b"\r\n0\r\n\r\n") if kind in ("chunked", "write") else True


def test_the_head_waits_for_the_first_piece_that_is_not_empty(build: SimpleNamespace) -> None:
    asked, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        for piece in (b"", b"", b"first", b"", b"last"):
            asked.release()
            assert go_on.acquire(timeout=PATIENCE)
            yield piece

    with serving(build, app) as server, server.connect() as client:
        client.send(GET)
        for _ in range(3):
            assert asked.acquire(timeout=PATIENCE)
            assert not client.is_readable(0.02)
            go_on.release()
        client.until(b"5\r\nfirst\r\n")
        for _ in range(2):
            go_on.release()
        assert client.until(b"0\r\n\r\n") == b"4\r\nlast\r\n0\r\n\r\n"


def test_pipelined_requests_are_answered_in_order(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind, number = environ["PATH_INFO"][1:].split("/")
        text = environ["wsgi.input"].read() + number.encode()
        if kind == "fail":
            raise LookupError(number)
        write = start_response("200 OK", [("X-Number", number)])
        if kind == "write":
            write(text)
            return []
        return iter([text[:1], text[1:]]) if kind == "stream" else [text]

    posted = request("POST", "/list/{}", [("Transfer-Encoding", "chunked")]) + chunked(b"x")
    forms = [
        request(target="/list/{}"),
        request(target="/stream/{}"),
        request("HEAD", "/list/{}"),
        request(target="/write/{}"),
        request("POST", "/list/{}", body=b"x"),
        request(target="/fail/{}"),
        posted,
        request("HEAD", "/stream/{}"),
    ]
    sent = [form.replace(b"{}", b"%d" % number) for number, form in enumerate(itertools.chain(*[forms] * 40))]
    with serving(build, app, spool_size=0) as server, server.connect() as client:
        client.send(b"".join(sent))
        for number, one in enumerate(sent):
            answer = client.answer(to_head=one.startswith(b"HEAD"))
            if b"/fail/" in one:
                assert answer.status == 500
                continue
            assert (answer.status, answer.get("X-Number")) == (200, str(number))
            body = b"" if one.startswith(b"HEAD") else b"%s%d" % (b"x" * one.startswith(b"POST"), number)
            assert answer.body == body


@pytest.mark.parametrize(
    "app",
    [answering(b"hello"), returning(lambda: iter([b"he", b"llo"])), answering(b"x" * 3000000)],
    ids=["list", "generator", "big"],
)
def test_a_half_closed_client_is_answered(build: SimpleNamespace, app: App) -> None:
    with serving(build, app) as server, server.connect() as client:
        client.send(GET + request("POST", body=b"abc") + GET).finish()
        assert [client.answer().whole for _ in range(3)] == [True] * 3
        assert (client.rest(), client.end) == (b"", "closed")


def test_a_half_closed_http_1_0_client_is_answered(build: SimpleNamespace) -> None:
    with serving(build, returning(lambda: iter([b"he", b"llo"]))) as server, server.connect() as client:
        answer = client.send(GET_1_0).finish().answer()
        assert (answer.body, answer.whole) == (b"hello", True)
