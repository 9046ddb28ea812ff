"""Gunicorn's server hooks: called with what their writers expect, and what happens when one raises."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.gunicorn.hooks import GunicornHooks, Hooks
from fastwsgi.http.file_wrapper import FileWrapper
from fastwsgi.process.hook_views import ServerView, WorkerView
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import PATIENCE

CONFIGS = Path(__file__).parent / "configs"
LOGGER = logging.getLogger("fastwsgi.error")
NAMES = [name for name in vars(Hooks) if not name.startswith("_") and name != "wrap"]


def views() -> tuple[ServerView, WorkerView]:
    """A supervisor and a worker as process/ shows them."""
    settings = Settings(bind=["127.0.0.1:80", "unix:s"], threads=4, pid="x.pid", proc_name="shop")
    server = ServerView(settings, LOGGER)
    server.pid, server.address = 1, ["127.0.0.1:80"]
    worker = WorkerView(server, settings, 3)
    worker.pid, worker.booted = 2, True
    server.WORKERS = {2: worker, 3: worker}
    return server, worker


def hooks_of(name: str) -> GunicornHooks:
    path = CONFIGS / name
    hooks = gunicorn_file.read(name, str(path), str(CONFIGS)).hooks
    assert isinstance(hooks, GunicornHooks)
    return hooks


def global_of(hooks: GunicornHooks, name: str) -> Any:
    return next(iter(hooks.functions.values())).__globals__[name]


def environ(**values: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "id=1",
        "RAW_URI": "/shop/a%20b?id=1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_X_ONE": "1",
        "CONTENT_TYPE": "text/css",
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_PORT": "777",
        "wsgi.url_scheme": "http",
        "wsgi.file_wrapper": FileWrapper,
        **values,
    }


def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
    return lambda data: None


# Server hooks


def test_every_hook_is_called() -> None:
    server, worker = views()
    hooks = hooks_of("every_hook.py")
    hooks.on_starting(server)
    hooks.when_ready(server)
    hooks.nworkers_changed(server, 2, None)
    hooks.pre_fork(server, worker)
    hooks.post_fork(server, worker)
    hooks.post_worker_init(worker)
    hooks.worker_int(worker)
    hooks.worker_abort(worker)
    hooks.worker_exit(server, worker)
    hooks.child_exit(server, worker)
    hooks.on_reload(server)
    hooks.pre_exec(server)
    hooks.on_exit(server)
    assert global_of(hooks, "calls") == [
        *[("on_starting", 1, ["127.0.0.1:80", "unix:s"]), ("when_ready", ["127.0.0.1:80"])],
        *[("nworkers_changed", 2, None), ("pre_fork", 3), ("post_fork", 2), ("post_worker_init", "shop")],
        *[("worker_int", 2), ("worker_abort", 2), ("worker_exit", 2), ("child_exit", 2)],
        *[("on_reload", 2), ("pre_exec",), ("on_exit", 1)],
    ]
    assert {name for name, *_ in global_of(hooks, "calls")} == set(NAMES)


def test_no_hooks_do_nothing() -> None:
    server, worker = views()
    for name in NAMES:
        number = getattr(Hooks, name).__code__.co_argcount - 1
        getattr(Hooks(), name)(*(server, worker, None)[:number])

    def app(environ: Any, start_response: Any) -> list[bytes]:
        return []

    assert Hooks().wrap(app, worker) is app
    assert GunicornHooks({"post_fork": print}, "g.py").wrap(app, worker) is app


def raising(*arguments: Any) -> None:
    raise ValueError("no database")


@pytest.mark.parametrize("name", ["post_fork", "post_worker_init"])
def test_what_prepares_a_worker_ends_it_when_it_fails(name: str, caplog: pytest.LogCaptureFixture) -> None:
    hooks = GunicornHooks({name: raising}, "g.py")
    with pytest.raises(ValueError, match="no database"):
        getattr(hooks, name)(*views()[-(2 if name == "post_fork" else 1) :])
    assert f"g.py: {name} failed" in caplog.text


def test_what_else_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    GunicornHooks({"when_ready": raising}, "g.py").when_ready(views()[0])
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == ("g.py: when_ready failed", "ERROR")
    assert "in raising" in caplog.text


def test_last_arguments_may_be_left_out() -> None:
    server, worker = views()
    seen: list[Any] = []
    GunicornHooks({"worker_exit": lambda first: seen.append(first.pid)}, "g.py").worker_exit(server, worker)
    GunicornHooks({"worker_exit": lambda *all: seen.append(len(all))}, "g.py").worker_exit(server, worker)
    assert seen == [1, 2]


def test_cfg_has_gunicorns_names_and_ours() -> None:
    server, worker = views()
    GunicornHooks({"pre_fork": lambda server, worker: None}, "g.py").pre_fork(server, worker)
    cfg = worker.cfg
    assert (cfg.pidfile, cfg.pid, cfg.keepalive, cfg.keep_alive) == ("x.pid", "x.pid", 75, 75)
    assert (cfg.proc_name, cfg.worker_class_str, cfg.preload_app) == ("shop", "gthread", False)
    assert cfg.address == [("127.0.0.1", 80), "s"]
    assert cfg.settings["threads"] == 4
    with pytest.raises(AttributeError, match="no setting 'statsd_host'"):
        _ = cfg.statsd_host


def test_addresses_are_gunicorns() -> None:
    cfg = Cfg(Settings(bind=["[::1]:80", "localhost", "tcp://:81", "unix:///run/s", "fd://3"]))
    assert cfg.address == [("::1", 80), ("localhost", 8000), ("", 81), "/run/s", 3]


def test_log_has_gunicorns_methods(caplog: pytest.LogCaptureFixture) -> None:
    server, _ = views()
    GunicornHooks({"when_ready": lambda server: None}, "g.py").when_ready(server)
    for level in ("debug", "info", "warning", "error", "critical", "exception"):
        getattr(server.log, level)("said by %s", level)
    assert "said by exception" in caplog.text
    assert server.log.error_log is LOGGER
    assert server.log.access_log.name == "fastwsgi.access"


# Around requests


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
    assert (req.method, req.path, req.query, req.uri) == ("GET", "/shop/a b", "id=1", "/shop/a%20b?id=1")
    assert req.headers == [("X-ONE", "1"), ("CONTENT-TYPE", "text/css")]
    assert (req.version, req.remote_addr, req.peer_addr) == ((1, 1), ("10.0.0.1", 777), ("10.0.0.1", 777))


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


def test_a_hook_that_raises_harms_no_request(caplog: pytest.LogCaptureFixture) -> None:
    hooks = GunicornHooks({"pre_request": raising, "post_request": raising}, "g.py")

    def app(environ: Any, start: Any) -> list[bytes]:
        return [b"x"]

    assert hooks.wrap(app, views()[1])(environ(), start_response) == [b"x"]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["g.py: pre_request failed", "g.py: post_request failed"]


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
