"""`--check`: the one request it makes, and which applications do not pass."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fastwsgi.application.check import MOST_CHUNKS, call_once, request_environ
from fastwsgi.mistakes import Mistake
from fastwsgi.settings.settings import Settings

PLAIN = [("Content-Type", "text/plain")]


def fails(app: Any) -> Mistake:
    with pytest.raises(Mistake) as caught:
        call_once(app, "m:app", Settings())
    assert "\n" not in str(caught.value)
    return caught.value


def test_returns_the_status() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("404 Not Found", PLAIN)
        return [b""]

    assert call_once(app, "m:app", Settings()) == "404 Not Found"


def test_the_request() -> None:
    environ = request_environ(Settings(root_path="/shop"))
    assert environ["REQUEST_METHOD"] == "GET"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "/")
    assert environ["wsgi.errors"] is sys.stderr
    assert environ["wsgi.input"].read() == b""


def test_a_stream_without_end_is_read_to_a_bound_and_closed() -> None:
    done = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                done.append("chunk")
                yield b"x"
        finally:
            done.append("closed")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return endless()

    call_once(app, "m:app", Settings())
    assert done == ["chunk"] * MOST_CHUNKS + ["closed"]


def test_write_and_late_start_response() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        yield start_response("200 OK", PLAIN)(b"written") or b"yielded"

    assert call_once(app, "m:app", Settings()) == "200 OK"


@pytest.mark.parametrize("error", [ValueError("a\nb"), SystemExit(3), AssertionError("mine")])
def test_an_application_that_raises(error: BaseException) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise error

    mistake = fails(app)
    assert str(mistake).startswith(f"m:app raised on GET /: {type(error).__name__}: ")
    assert mistake.details.count("  File ") == 1
    assert "raise error" in mistake.details


def test_an_application_that_breaks_pep_3333() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return "text"

    assert str(fails(app)).startswith("m:app breaks PEP 3333: AssertionError: You should not return a string")


def test_an_application_that_never_starts_its_response() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        return [b"x"]

    assert str(fails(app)).startswith("m:app breaks PEP 3333: ")


def test_an_application_that_answers_500() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("500 Internal Server Error", PLAIN)
        return []

    assert str(fails(app)) == "m:app answers GET / with 500 Internal Server Error; its log should say why"
