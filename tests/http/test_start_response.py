"""start_response (PEP 3333): what it takes, what it refuses, and what a second call does.

What is refused is the application's error: a 500 for the client, a line in the log, and nothing of it on the wire.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, NamedTuple
from wsgiref.headers import Headers

import pytest

from tests.helpers.serving import GET, answering, serving


class Text(str):
    """A str that is none to PEP 3333."""


class Pair(NamedTuple):
    """A tuple that is none to PEP 3333."""

    name: str
    value: str


def refuses(build: SimpleNamespace, status: Any, headers: Any) -> None:
    """Check that start_response(status, headers) is an error, and costs nothing but its own response."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/bad":
            start_response(status, headers)
            raise AssertionError("not reached")
        start_response("200 OK", [])
        return [b"good"]

    with serving(build, app) as server, server.connect() as client:
        answer = client.send(GET.replace(b" / ", b" /bad ")).answer()
        assert answer.line == b"HTTP/1.1 500 Internal Server Error"
        assert (answer.body, answer.whole) == (b"500 Internal Server Error\n", True)
        assert answer.all("Set-Cookie") == answer.all("X-Good") == []
        assert "ApplicationError" in server.log
        assert "GET /bad" in server.log
        assert client.send(GET).answer().body == b"good"


@pytest.mark.parametrize(
    "status",
    [
        "",
        "20",
        "200OK",
        "2000 OK",
        "0200 OK",
        "099 OK",
        "+20 OK",
        " 200 OK",
        "200\tOK",
        "abc OK",
        "\u0662\u0660\u0660 OK",
        "200 OK\n",
        "200 OK\r\nSet-Cookie: a=b",
        "200 O\0K",
        "200 O\x7fK",
        "200 \u20ac",
        "100 Continue",
        "101 Switching Protocols",
        "103 Early Hints",
        Text("200 OK"),
        HTTPStatus.OK,
        b"200 OK",
        200,
        None,
    ],
    ids=ascii,
)
def test_status_is_refused(build: SimpleNamespace, status: Any) -> None:
    refuses(build, status, [("X-Good", "1")])


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("200 OK", b"HTTP/1.1 200 OK"),
        ("200", b"HTTP/1.1 200 "),
        ("200 ", b"HTTP/1.1 200 "),
        ("200 All is  well\t(really)", b"HTTP/1.1 200 All is  well\t(really)"),
        ("418 caf\xe9", b"HTTP/1.1 418 caf\xe9"),
        ("599 Our own", b"HTTP/1.1 599 Our own"),
    ],
)
def test_status_goes_out_as_it_is(build: SimpleNamespace, status: str, line: bytes) -> None:
    with serving(build, answering(b"x", status=status)) as server:
        assert server.ask().line == line


@pytest.mark.parametrize(
    "headers",
    [None, (), (("A", "b"),), {"A": "b"}, iter([("A", "b")]), Headers([("A", "b")]), "A: b", 1],
    ids=lambda headers: type(headers).__name__,
)
def test_headers_must_be_a_list(build: SimpleNamespace, headers: Any) -> None:
    refuses(build, "200 OK", headers)


@pytest.mark.parametrize(
    "header",
    [
        ["A", "b"],
        ("A",),
        ("A", "b", "c"),
        (),
        "Ab",
        None,
        Pair("A", "b"),
        # names
        ("", "b"),
        ("A B", "b"),
        ("A:", "b"),
        (" A", "b"),
        ("A\r\nSet-Cookie", "b"),
        ("A\0", "b"),
        ("Caf\xe9", "b"),
        ("\u20ac", "b"),
        (b"A", "b"),
        (Text("A"), "b"),
        (1, "b"),
        # values
        ("A", b"b"),
        ("A", Text("b")),
        ("A", 1),
        ("A", None),
        ("A", "b\r\nSet-Cookie: a=b"),
        ("A", "b\nSet-Cookie: a=b"),
        ("A", "b\rSet-Cookie: a=b"),
        ("A", "b\r\n\r\n<html>"),
        ("A", "b\r\n folded"),
        ("A", "b\n"),
        ("A", "\0"),
        ("A", "\x01"),
        ("A", "\x7f"),
        ("A", "\u20ac"),
        ("A", "\udc80"),
        # lengths
        ("Content-Length", ""),
        ("Content-Length", "-1"),
        ("Content-Length", "+1"),
        ("Content-Length", "1.0"),
        ("Content-Length", "1_0"),
        ("Content-Length", "1, 1"),
        ("Content-Length", "0x1"),
        ("Content-Length", "one"),
        ("content-length", "\xb2"),
        ("content-length", "\u0663"),
        ("CONTENT-LENGTH", "9" * 40),
        # hop-by-hop
        ("Connection", "keep-alive"),
        ("Connection", "close, Upgrade"),
        ("Connection", ""),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
        ("Proxy-Authorization", "Basic"),
        ("TE", "trailers"),
        ("Trailer", "Expires"),
        ("Transfer-Encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("UPGRADE", "websocket"),
    ],
    ids=ascii,
)
def test_header_is_refused(build: SimpleNamespace, header: Any) -> None:
    refuses(build, "200 OK", [("X-Good", "1"), header])


def test_contradicting_lengths_are_refused(build: SimpleNamespace) -> None:
    refuses(build, "200 OK", [("Content-Length", "1"), ("content-length", "2")])


def test_headers_go_out_as_they_are(build: SimpleNamespace) -> None:
    headers = [
        ("Set-Cookie", "a=1"),
        ("x-CASE", "kept"),
        ("Set-Cookie", "b=2"),
        ("X-Empty", ""),
        ("X-Latin", "caf\xe9 \xff"),
        ("X-Tab", "a\tb"),
        ("!#$%&'*+-.^_`|~0aZ", "token"),
        ("X-" + "long-" * 20 + "name", "x" * 20000),
    ]
    with serving(build, answering(b"x", headers=headers)) as server:
        assert server.ask().fields[: len(headers)] == headers


def test_a_length_said_twice_is_sent_once(build: SimpleNamespace) -> None:
    headers = [("Content-Length", "3"), ("content-length", "3")]
    with serving(build, answering(b"abc", headers=headers)) as server:
        assert server.ask().get("Content-Length") == "3"


@pytest.mark.parametrize("value", ["close", "Close", " close\t"])
def test_connection_close_is_honoured(build: SimpleNamespace, value: str) -> None:
    with (
        serving(build, answering(b"bye", headers=[("Connection", value)])) as server,
        server.connect() as client,
    ):
        answer = client.send(GET).answer()
        assert (answer.get("Connection"), answer.body) == ("close", b"bye")
        assert (client.rest(), client.end) == (b"", "closed")


# A second call


def test_a_second_call_is_an_error(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Good", "1")])
        start_response("404 Not Found", [])
        return [b"never sent"]

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.status, answer.all("X-Good")) == (500, [])
        assert "second time" in server.log


def raising() -> Any:
    try:
        raise LookupError("what went wrong")
    except LookupError:
        return sys.exc_info()


def test_exc_info_replaces_a_head_that_is_not_out(build: SimpleNamespace) -> None:
    first = [
        ("X-Good", "1"),
        ("Content-Length", "1000"),
        ("Connection", "close"),
        ("Date", "x"),
        ("Server", "y"),
    ]

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", first)
        start_response("503 Busy", [("Retry-After", "1")], raising())
        return [b"later"]

    with serving(build, app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(GET).answer()
            assert (answer.line, answer.body) == (b"HTTP/1.1 503 Busy", b"later")
            assert answer.all("X-Good") == answer.all("Connection") == []
            assert (answer.get("Server"), answer.get("Content-Length")) == ("fastwsgi", "5")
        assert server.errors == []


def test_exc_info_in_the_first_call_is_allowed(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("500 Own page", [], raising())
        return [b"page"]

    with serving(build, app) as server:
        assert server.ask().line == b"HTTP/1.1 500 Own page"


def test_exc_info_replaces_a_head_from_within_the_iterable(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("X-Good", "1")])
        yield b""
        start_response("500 Own page", [], raising())
        yield b"page"

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.line, answer.body, answer.all("X-Good")) == (b"HTTP/1.1 500 Own page", b"page", [])


@pytest.mark.parametrize("by", ["yield", "write"])
def test_exc_info_is_raised_again_when_the_head_is_out(build: SimpleNamespace, by: str) -> None:
    caught: list[Any] = []
    wrong = raising()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        if by == "write":
            write(b"begun")
        else:
            yield b"begun"
        try:
            start_response("500 Own page", [], wrong)
        except LookupError as error:
            caught.append(error)
            raise

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.status, answer.body, answer.whole) == (200, b"begun", False)
        assert caught == [wrong[1]]
        assert "what went wrong" in server.log


def test_an_error_that_the_application_swallowed_still_counts(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", [("A", "b\r\nSet-Cookie: c=d")])
        except Exception:
            return [b"never sent"]
        raise AssertionError("not reached")

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.status, answer.all("Set-Cookie")) == (500, [])


def test_a_refused_head_can_be_mended(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", [("X-Good", "1"), ("A", "b\nc")])
        except Exception:
            start_response("400 Mended", [], sys.exc_info())
        return [b"mended"]

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.line, answer.body, answer.all("X-Good")) == (b"HTTP/1.1 400 Mended", b"mended", [])


def test_start_response_may_come_with_the_first_piece(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        yield b""
        start_response("202 Late", [])
        yield b"but in time"

    with serving(build, app) as server:
        answer = server.ask()
        assert (answer.line, answer.body, answer.whole) == (b"HTTP/1.1 202 Late", b"but in time", True)


def test_start_response_kept_past_the_request_is_refused(build: SimpleNamespace) -> None:
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for late in kept:
            with pytest.raises(Exception, match="second time"):
                late("200 OK", [("X-Good", "1")])
        kept.append(start_response)
        start_response("200 OK", [])
        return [b"ok"]

    with serving(build, app) as server, server.connect() as client:
        answers = [client.send(GET).answer() for _ in range(3)]
        assert [(one.status, one.all("X-Good")) for one in answers] == [(200, [])] * 3, server.log


def test_only_start_response_makes_a_write(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        with pytest.raises(TypeError, match="start_response makes it"):
            type(start_response("200 OK", []))()
        return [b"here"]

    with serving(build, app) as server:
        assert server.ask().body == b"here"
