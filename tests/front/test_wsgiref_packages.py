"""Code that knows wsgiref.simple_server alone runs unchanged when our names stand in its place, in both builds.

First what the documentation of wsgiref shows, then packages: Bottle's "wsgiref" server and the classes of Django's
runserver. ci/drop_in.py runs whole test suites of packages in the same way.
"""

from __future__ import annotations

import contextlib
import mimetypes
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable
from wsgiref import simple_server, util
from wsgiref.headers import Headers
from wsgiref.validate import validator

import bottle
import pytest
from django.conf import settings
from django.core.servers import basehttp

import fastwsgi
from fastwsgi import backend
from tests.helpers.machine import IPV6
from tests.helpers.serving import PATIENCE

made: queue.SimpleQueue[Any] = queue.SimpleQueue()  # servers that listen


class NotedServer(fastwsgi.WSGIServer):
    """Ours, and says when it listens."""

    def server_activate(self) -> None:
        super().server_activate()
        made.put(self)


@pytest.fixture(autouse=True)
def _in_place_of_wsgiref(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NAME", build.name)
    monkeypatch.setattr(simple_server, "WSGIServer", NotedServer)
    monkeypatch.setattr(simple_server, "WSGIRequestHandler", fastwsgi.WSGIRequestHandler)
    defaults = (None, None, NotedServer, fastwsgi.WSGIRequestHandler)
    monkeypatch.setattr(fastwsgi.make_server, "__defaults__", defaults)
    monkeypatch.setattr(simple_server, "make_server", fastwsgi.make_server)


@contextlib.contextmanager
def running(program: Callable[[], None]) -> Iterator[str]:
    """Run *program*, which makes a server and serves; the URL of the server. Ours ends it by shutdown()."""
    thread = threading.Thread(target=program, daemon=True)
    thread.start()
    server = made.get(timeout=PATIENCE)
    host = f"[{server.server_address[0]}]" if ":" in server.server_address[0] else "127.0.0.1"
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
    assert not thread.is_alive()


def get(url: str) -> tuple[int, Any, bytes]:
    """Status, fields and body of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read()


# What the documentation shows


def test_the_demo_application_forever() -> None:
    def program() -> None:
        with simple_server.make_server("", 0, simple_server.demo_app) as httpd:
            httpd.serve_forever()

    with running(program) as url:
        for _ in range(2):
            status, _, body = get(f"{url}/xyz?abc")
            assert status == 200
            assert body.startswith(b"Hello world!")
            assert b"\nQUERY_STRING = 'abc'\n" in body


def test_one_request_and_exit() -> None:
    said: list[Any] = []

    def program() -> None:
        with simple_server.make_server("", 0, simple_server.demo_app) as httpd:
            said.append(httpd.socket.getsockname()[1])
            httpd.handle_request()
        said.append("end")

    with running(program) as url:
        assert get(url)[0] == 200
    assert f":{said[0]}" in url
    assert said[1] == "end"


def test_an_application_that_lists_its_environ() -> None:
    def simple_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        util.setup_testing_defaults(environ)
        start_response("200 OK", [("Content-type", "text/plain; charset=utf-8")])
        return [f"{key}: {value}\n".encode() for key, value in environ.items()]

    def program() -> None:
        with simple_server.make_server("", 0, validator(simple_app)) as httpd:
            httpd.serve_forever()

    with running(program) as url:
        status, headers, body = get(f"{url}/here")
        assert status == 200
        assert headers["Content-type"] == "text/plain; charset=utf-8"
        assert {b"PATH_INFO: /here", b"REQUEST_METHOD: GET"} < set(body.split(b"\n"))


def test_a_server_of_static_files(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>index")
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 4096)

    def app(environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
        name = tmp_path / (environ["PATH_INFO"].lstrip("/") or "index.html")
        if not name.exists():
            respond("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not found"]
        headers = Headers([])
        headers["Content-Type"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
        respond("200 OK", headers.items())
        wrapper = environ["wsgi.file_wrapper"] if name.suffix == ".bin" else util.FileWrapper
        return wrapper(name.open("rb"))  # type: ignore[no-any-return]

    def program() -> None:
        httpd = simple_server.make_server("", 0, app)
        httpd.serve_forever()

    with running(program) as url:
        assert get(f"{url}/")[2] == b"<p>index"
        status, headers, body = get(f"{url}/large.bin")
        assert (status, headers["Content-Type"]) == (200, "application/octet-stream")
        assert body == (tmp_path / "large.bin").read_bytes()
        assert get(f"{url}/none")[::2] == (404, b"not found")


def test_a_quiet_handler_and_a_server_of_ones_own(capsys: Any) -> None:
    class QuietHandler(simple_server.WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(simple_server.WSGIServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            raise AssertionError("not expected")

    def program() -> None:
        httpd = Server(("127.0.0.1", 0), QuietHandler)
        httpd.set_app(simple_server.demo_app)
        with httpd:
            httpd.serve_forever()

    with running(program) as url:
        assert get(url)[0] == 200
    assert capsys.readouterr().err == ""


# Packages


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=IPV6)])
@pytest.mark.parametrize("quiet", [True, False])
def test_bottle(host: str, quiet: bool, capsys: Any) -> None:
    app = bottle.Bottle()
    app.route("/hello/<name>", callback=lambda name: bottle.template("Hello {{name}}", name=name))

    def program() -> None:
        bottle.run(app, server="wsgiref", host=host, port=0, quiet=quiet)

    with running(program) as url:
        status, headers, body = get(f"{url}/hello/w%C3%B6rld")
        assert (status, headers["Server"], body) == (200, "fastwsgi", "Hello wörld".encode())
        assert get(f"{url}/none")[0] == 404
    assert ('"GET /none HTTP/1.1" 404' in capsys.readouterr().err) is not quiet


def test_the_classes_of_django_runserver(caplog: pytest.LogCaptureFixture) -> None:
    if not settings.configured:
        settings.configure()

    def program() -> None:
        handler = basehttp.WSGIRequestHandler
        with fastwsgi.make_server("127.0.0.1", 0, simple_server.demo_app, DjangoServer, handler) as httpd:
            httpd.serve_forever()

    class DjangoServer(basehttp.WSGIServer):  # made from wsgiref's class, before ours was in its place
        def server_activate(self) -> None:
            super().server_activate()
            made.put(self)

    with caplog.at_level("INFO", logger="django.server"), running(program) as url:
        assert get(f"{url}/page")[1]["Server"] == "fastwsgi"
    assert [record.getMessage().rsplit(" ", 1)[0] for record in caplog.records] == ['"GET /page HTTP/1.1" 200']
