"""Request IDs: the application, both logs and the client know the same one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.observe.logs import Logs
from fastwsgi.observe.request_id import Ids, RequestIds, with_request_ids
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import Answer, answering, request, serving

MADE = re.compile(r"[0-9a-f]{32}")


def asked(build: SimpleNamespace, mode: str, *given: str) -> tuple[Answer, dict[str, Any]]:
    """The answer to a request with these X-Request-IDs, and its environ."""
    seen = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    with serving(build, with_request_ids(app, Settings(request_id=mode))) as server:
        answer = server.ask(request(fields=[("X-Request-ID", one) for one in given]))
        assert not server.errors
    return answer, seen


def test_off_by_default(build: SimpleNamespace) -> None:
    app = answering(b"hello")
    assert with_request_ids(app, Settings()) is app
    answer, environ = asked(build, "off", "abc")
    assert answer.get("X-Request-ID") is None
    assert environ["HTTP_X_REQUEST_ID"] == "abc"
    assert "fastwsgi.request_id" not in environ


def test_made(build: SimpleNamespace) -> None:
    answer, environ = asked(build, "make", "from-the-client")
    made = answer.get("X-Request-ID")
    assert made is not None
    assert MADE.fullmatch(made)
    assert environ["HTTP_X_REQUEST_ID"] == environ["fastwsgi.request_id"] == made


@pytest.mark.parametrize("given", ["abc", "7b1c9ab0-5e0e-4a3f-9a7e-0c1d2e3f4a5b", "a" * 128])
def test_accepted(build: SimpleNamespace, given: str) -> None:
    answer, environ = asked(build, "accept", given)
    assert answer.get("X-Request-ID") == environ["HTTP_X_REQUEST_ID"] == environ["fastwsgi.request_id"] == given


@pytest.mark.parametrize("given", [(), ("",), ("a b",), ('a"b',), ("a" * 129,), ("abc", "def"), ("\xe9",), ("a,b",)])
def test_what_is_not_sound_is_replaced(build: SimpleNamespace, given: tuple[str, ...]) -> None:
    answer, environ = asked(build, "accept", *given)
    made = answer.get("X-Request-ID")
    assert made is not None
    assert MADE.fullmatch(made)
    assert environ["HTTP_X_REQUEST_ID"] == made


def test_what_the_application_sets_stays(build: SimpleNamespace) -> None:
    app = RequestIds(answering(b"hello", headers=[("x-request-id", "mine")]), accept=False)
    with serving(build, app) as server:
        assert server.ask().get("X-Request-ID") == "mine"


def test_an_application_that_starts_twice(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError as error:
            start_response("500 Internal Server Error", [("A", "b")], (ValueError, error, error.__traceback__))
        return []

    with serving(build, RequestIds(app, accept=False)) as server:
        answer = server.ask()
        assert (answer.status, answer.get("A")) == (500, "b")
        assert answer.get("X-Request-ID") is not None


@pytest.mark.parametrize("headers", [[("a",)], [1], [("a", 1)], (("a", "b"),), None], ids=repr)
def test_wrong_headers_are_told_as_without(build: SimpleNamespace, headers: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return []

    told = []
    for one in (app, RequestIds(app, accept=False)):
        with serving(build, one) as server:
            status = server.ask().status
            told.append((status, [str(error) for _, error in server.errors]))
    assert told[0] == told[1]


@pytest.mark.parametrize("format", ["json", "%(request_id)s %({X-Request-ID}i)s"])
def test_both_logs_have_it(build: SimpleNamespace, tmp_path: Path, format: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise ValueError
        if environ["PATH_INFO"] == "/clear":
            environ.clear()
        start_response("200 OK", [])
        return []

    path = tmp_path / "log"
    logs = Logs(Settings(access_logfile=str(path), access_log_format=format), build)
    with serving(build, RequestIds(app, accept=True), logs.for_loop().observer) as server:
        for target in ("/", "/fail", "/clear"):
            server.ask(request(target=target, fields=[("X-Request-ID", "abc-1")]))
        assert [message for message, _ in server.errors] == ["the application failed (GET /fail, request abc-1)"]
    logs.close()
    lines = path.read_text().splitlines()
    if format == "json":
        assert [json.loads(line)["http.request.id"] for line in lines] == ["abc-1", "abc-1", None]
    else:
        assert lines == ["abc-1 abc-1", "abc-1 abc-1", "- abc-1"]


@pytest.mark.parametrize(("mode", "wanted"), [("off", "-"), ("accept", "abc-1"), ("make", "[0-9a-f]{32}")])
def test_a_refused_request_has_it(build: SimpleNamespace, tmp_path: Path, mode: str, wanted: str) -> None:
    path = tmp_path / "log"
    logs = Logs(Settings(access_logfile=str(path), access_log_format="%(request_id)s", request_id=mode), build)
    with serving(build, RequestIds(None, accept=True), logs.for_loop().observer, limit_request_body=10) as server:
        for length in ("11", "x"):
            server.ask(request("POST", fields=[("X-Request-ID", "abc-1"), ("Content-Length", length)]))
        server.ask(b"nonsense\r\n\r\n")
    logs.close()
    first, second, third = path.read_text().splitlines()
    assert re.fullmatch(wanted, first)
    assert re.fullmatch(wanted, second)
    assert third == "-"


def test_ids_differ_also_after_a_fork() -> None:
    ids = Ids(accept=False)
    made = {ids.of({}) for _ in range(1000)}
    assert len(made) == 1000
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, ids.of({}).encode())
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 100).decode() != ids.of({})
    os.close(reading)
    os.close(writing)
