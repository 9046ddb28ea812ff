"""Interim responses: 103 by wsgi.early_hints, and 100 for those who wait for it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.serving import GET, GET_1_0, PATIENCE, chunked, request, serving

# wsgi.early_hints


def hinting(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    hints = environ["wsgi.early_hints"]
    hints([("Link", "</a.css>; rel=preload")])
    hints([("Link", "</b.css>; rel=preload"), ("X-More", "1")])
    start_response("200 OK", [])
    hints([("Link", "</late.css>")])
    return [b"page"]


def test_early_hints_go_out_at_once(build: SimpleNamespace) -> None:
    seen = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        assert seen.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"page"]

    with serving(build, app) as server, server.connect() as client:
        client.send(GET)
        hint = client.answer()
        assert (hint.line, hint.fields) == (b"HTTP/1.1 103 Early Hints", [("Link", "</a.css>; rel=preload")])
        seen.set()
        assert client.answer().body == b"page"


def test_early_hints_come_in_order_and_not_after_start_response(build: SimpleNamespace) -> None:
    with serving(build, hinting) as server, server.connect() as client:
        for number in range(6):
            if number == 3:
                server.advance(1.5)  # a template ends
            client.send(GET)
            hints = [client.answer(), client.answer()]
            assert [hint.status for hint in hints] == [103, 103]
            assert hints[1].fields == [("Link", "</b.css>; rel=preload"), ("X-More", "1")]
            answer = client.answer()
            assert (answer.status, answer.body, answer.all("Link")) == (200, b"page", [])


def test_http_1_0_gets_no_early_hints(build: SimpleNamespace) -> None:
    with serving(build, hinting) as server:
        answer = server.ask(GET_1_0)
        assert (answer.status, answer.body) == (200, b"page")


def test_malformed_early_hints_are_the_applications_error(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.early_hints"]([("Link", "a\r\nSet-Cookie: b")])
        raise AssertionError("not reached")

    with serving(build, app) as server:
        answer = server.ask()
        assert answer.status == 500
        assert "ApplicationError" in server.log
        assert "not reached" not in server.log


KEPT: dict[str, Callable[[dict[str, Any]], Callable[[list[tuple[str, str]]], None]]] = {
    "itself": lambda environ: environ["wsgi.early_hints"],  # type: ignore[no-any-return]
    "its-method": lambda environ: environ["wsgi.early_hints"].__call__,  # type: ignore[no-any-return]
    "its-environ": lambda environ: lambda headers: environ["wsgi.early_hints"](headers),
}


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("first", range(3))
def test_early_hints_kept_past_the_request_do_nothing(build: SimpleNamespace, keep: Any, first: int) -> None:
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for hints in kept:
            hints([("Link", "</stale>")])
        if environ["PATH_INFO"] >= f"/{first}":
            kept.append(keep(environ))
        start_response("200 OK", [])
        return [b"page"]

    with serving(build, app) as server, server.connect() as client:
        for number in range(first + 3):
            assert client.send(request(target=f"/{number}")).answer().status == 200
        assert len(kept) == 3
    kept[-1]([("Link", "</stale>")])


def test_early_hints_cannot_be_copied(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        with pytest.raises(TypeError, match="cannot be copied"):
            copy.copy(environ["wsgi.early_hints"])
        return [b"kept"]

    with serving(build, app) as server:
        assert server.ask().body == b"kept"


# 100-continue


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


EXPECTING = [("Expect", "100-continue"), ("Content-Length", "3")]


def test_continue_is_sent_when_a_body_is_to_come(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        for _ in range(2):
            client.send(request("POST", fields=EXPECTING))
            interim = client.answer()
            assert (interim.line, interim.fields) == (b"HTTP/1.1 100 Continue", [])
            assert client.send(b"abc").answer().body == b"abc"


def test_continue_is_sent_before_a_chunked_body(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(request("POST", fields=[("Expect", "100-Continue"), ("Transfer-Encoding", "chunked")]))
        assert client.answer().status == 100
        assert client.send(chunked(b"abc")).answer().body == b"abc"


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (request("POST", fields=EXPECTING) + b"abc", b"abc"),
        (request("POST", fields=EXPECTING, version="1.0") + b"abc", b"abc"),
        (request("POST", fields=[("Expect", "100-continue"), ("Content-Length", "0")]), b""),
        (request("GET", fields=[("Expect", "100-continue")]), b""),
    ],
    ids=["body-is-here", "http-1.0", "empty", "none"],
)
def test_continue_is_not_sent_without_need(build: SimpleNamespace, sent: bytes, body: bytes) -> None:
    with serving(build, echo) as server:
        answer = server.ask(sent)
        assert (answer.status, answer.body) == (200, body)


def test_http_1_0_waits_in_vain_for_continue(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(request("POST", fields=EXPECTING, version="1.0"))
        server.settle()
        assert client.send(b"abc").answer().body == b"abc"
