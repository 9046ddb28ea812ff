"""Gunicorn's pre_request and post_request: what they see of a request, and what they do to it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.gunicorn.hooks import GunicornHooks
from fastwsgi.http.file_wrapper import FileWrapper
from tests.helpers.gunicorn_hooks import environ, global_of, hooks_of, raising, start_response, views
from tests.helpers.serving import PATIENCE


def test_hooks_around_a_request() -> None:
    worker = views()[1]
    hooks = hooks_of("requests.py")

    def app(environ: dict[str, Any], start: Any) -> Any:
        assert (environ["HTTP_X_QUEUE"], environ["wsgi.url_scheme"]) == ("short", "https")
        start("201 Created", [("Content-Type", "text/plain")])(b"abc")
        yield b"defg"

    body = hooks.wrap(app, worker)(environ(), start_response)
    assert list(body) == [b"defg"]
    assert global_of(hooks, "seen") == []
    body.close()
    assert global_of(hooks, "seen") == [
        ("/shop/a%20b?id=1", "201 Created", 201, 7, "short", {"Content-Type": "text/plain"})
    ]


def test_what_a_request_shows() -> None:
    seen: list[Any] = []
    hooks = GunicornHooks({"pre_request": lambda worker, req: seen.append(req)}, "g.py")

    def app(environ: Any, start: Any) -> list[bytes]:
        return [b"x"]

    assert hooks.wrap(app, views()[1])(environ(), start_response) == [b"x"]
    (req,) = seen
    assert (req.method, req.path, req.query, req.uri) == ("GET", "/shop/a%20b", "id=1", "/shop/a%20b?id=1")
    assert req.headers == [("X-ONE", "1"), ("CONTENT-TYPE", "text/css")]
    assert (req.version, req.remote_addr, req.peer_addr) == ((1, 1), ("10.0.0.1", 777), ("10.0.0.1", 777))


def test_what_a_hook_does_to_headers_reaches_the_application() -> None:
    def change(worker: Any, req: Any) -> None:
        req.headers.remove(("CONTENT-TYPE", "text/css"))
        req.headers += [("X-One", "2"), ("X-Two", "3")]

    def app(environ: Any, start: Any) -> list[bytes]:
        return [str([environ.get(key) for key in ("HTTP_X_ONE", "HTTP_X_TWO", "CONTENT_TYPE")]).encode()]

    wrapped = GunicornHooks({"pre_request": change}, "g.py").wrap(app, views()[1])
    assert wrapped(environ(), start_response) == [b"['1,2', '3', None]"]


@pytest.mark.parametrize(
    ("target", "path"),
    [("/a%20b?c=/d", "/a%20b"), ("http://h:80/a/b?c", "/a/b"), ("http://h", ""), ("*", "*"), ("/a://b/c", "/a://b/c")],
)
def test_the_path_of_a_target(target: str, path: str) -> None:
    seen: list[Any] = []
    hooks = GunicornHooks({"pre_request": lambda worker, req: seen.append(req.path)}, "g.py")
    hooks.wrap(lambda environ, start: [], views()[1])(environ(RAW_URI=target), start_response)
    assert seen == [path]


def test_lists_and_files_stay_what_they_are(tmp_path: Path) -> None:
    """So that the server knows the length of the one, and sends the other by sendfile."""
    sent: list[int] = []
    hooks = GunicornHooks({"post_request": lambda worker, req, environ, resp: sent.append(resp.sent)}, "g.py")
    pieces = [b"ab", b"c"]
    with open(os.devnull, "rb") as file:
        wrapper = FileWrapper(file)

        def app(environ: Any, start: Any) -> Any:
            start("200 OK", [("Content-Length", "9")] if environ["PATH_INFO"] == "/file" else [])
            return wrapper if environ["PATH_INFO"] == "/file" else pieces

        wrapped = hooks.wrap(app, views()[1])
        assert wrapped(environ(), start_response) is pieces
        assert wrapped(environ(PATH_INFO="/file"), start_response) is wrapper
    assert sent == [3, 9]


def test_an_application_that_raises_is_told_of_too() -> None:
    seen: list[Any] = []
    hooks = GunicornHooks({"post_request": lambda worker, req, environ, resp: seen.append(resp.status)}, "g.py")

    def app(environ: Any, start: Any) -> Any:
        raise KeyError("price")

    with pytest.raises(KeyError, match="price"):
        hooks.wrap(app, views()[1])(environ(), start_response)
    assert seen == [None]


def test_a_request_that_is_not_prepared_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    """As in gunicorn: the exception gives a 500, and post_request is called all the same."""
    seen: list[Any] = []
    functions = {"pre_request": raising, "post_request": lambda worker, req, environ, resp: seen.append(resp.status)}

    def app(environ: Any, start: Any) -> list[bytes]:
        raise AssertionError("it is called")

    with pytest.raises(ValueError, match="no database"):
        GunicornHooks(functions, "g.py").wrap(app, views()[1])(environ(), start_response)
    assert (seen, caplog.text) == ([None], "")


@pytest.mark.parametrize("number", [2, 3, 4])
def test_post_request_may_leave_out_its_last_arguments_and_harms_nothing(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def after(*arguments: Any) -> None:
        seen.append(len(arguments))
        raising()

    function = {2: lambda a, b: after(a, b), 3: lambda a, b, c: after(a, b, c), 4: after}[number]
    wrapped = GunicornHooks({"post_request": function}, "g.py").wrap(lambda environ, start: [b"x"], views()[1])
    assert wrapped(environ(), start_response) == [b"x"]
    assert (seen, "g.py: post_request failed: ValueError: no database" in caplog.text) == ([number], True)


def test_requests_on_several_threads_do_not_mix() -> None:
    seen: dict[str, int] = {}
    hooks = GunicornHooks(
        {"post_request": lambda worker, req, environ, resp: seen.update({req.query: resp.status_code})}, "g.py"
    )
    met = threading.Barrier(2)

    def app(environ: Any, start: Any) -> list[bytes]:
        start(f"{environ['QUERY_STRING']} X", [])
        met.wait(PATIENCE)
        return []

    wrapped = hooks.wrap(app, views()[1])
    requests = [environ(QUERY_STRING=text) for text in ("201", "202")]
    threads = [threading.Thread(target=wrapped, args=(request, start_response)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == {"201": 201, "202": 202}
