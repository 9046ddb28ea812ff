"""Gunicorn's server hooks: called with what their writers expect, and what happens when one raises."""

from __future__ import annotations

import gc
import logging
import os
import pwd
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.gunicorn.hooks import HOOKS, GunicornHooks, Hooks
from fastwsgi.gunicorn.listeners import ListenerView
from fastwsgi.http.file_wrapper import FileWrapper
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.process.hook_views import ServerView, WorkerView
from fastwsgi.process.scoreboard import Scoreboard
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import PATIENCE

CONFIGS = Path(__file__).parent / "configs"
LOGGER = logging.getLogger("fastwsgi.error")
NAMES = [name for name in HOOKS if name not in ("ssl_context", "pre_request", "post_request")]


def views(**values: Any) -> tuple[ServerView, WorkerView]:
    """A supervisor and a worker as process/ shows them."""
    given = {"bind": ["127.0.0.1:80", "unix:s"], "threads": 4, "pid": "x.pid", "proc_name": "shop", **values}
    settings = Settings(**given)
    supervisor = SimpleNamespace(
        cfg=lambda settings: Cfg(settings, "shop:app"),
        deployment=SimpleNamespace(directory="/srv", load=lambda settings: start_response),
        settings=settings,
        fleet=SimpleNamespace(size=2, served=False),
        listeners=SimpleNamespace(bindings=[]),
        upgrade=SimpleNamespace(predecessor=0, successor=7),
    )
    server = ServerView(settings, LOGGER, supervisor)  # type: ignore[arg-type]
    server.pid = 1
    worker = WorkerView(server, settings, 3, [])
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
        *[("on_starting", 1, ["127.0.0.1:80", "unix:s"]), ("when_ready", [("127.0.0.1", 80), "s"])],
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
    with pytest.raises(Mistake, match=f"^g.py: {name} failed: ValueError: no database$") as caught:
        getattr(hooks, name)(*views()[-(2 if name == "post_fork" else 1) :])
    assert "in raising" in caught.value.details
    assert caplog.text == ""  # it is told where the worker ends


TOLD = ["on_reload", "child_exit", "nworkers_changed", "pre_fork", "pre_exec", "on_exit", "worker_exit"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
@pytest.mark.parametrize("name", [*TOLD, "worker_int", "worker_abort"])
def test_a_hook_that_is_only_told_ends_nothing(
    name: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    server, worker = views()
    server._supervisor.fleet.served = True
    given = {"server": server, "worker": worker, "new_value": 2, "old_value": 1}
    getattr(GunicornHooks({name: exiting(error)}, "g.py"), name)(*(given[argument] for argument in HOOKS[name]))
    assert f"g.py: {name} exits: {type(error).__name__}" in caplog.text
    assert "in fail" in caplog.text


def exiting(error: BaseException) -> Any:
    """A hook that ends with *error*."""

    def fail(*arguments: Any) -> None:
        raise error

    return fail


def test_a_good_answer_stays_one_though_post_request_exits(caplog: pytest.LogCaptureFixture) -> None:
    hooks = GunicornHooks({"post_request": exiting(SystemExit(3))}, "g.py")
    app = hooks.wrap(lambda environ, start_response: [b"good"], views()[1])
    assert app(environ(), start_response) == [b"good"]
    assert "g.py: post_request exits: SystemExit: 3" in caplog.text


@pytest.mark.parametrize("name", ["on_starting", "when_ready"])
def test_a_start_ends_with_the_code_of_a_hook_that_exits(name: str) -> None:
    with pytest.raises(SystemExit, match=r"^3$"):
        getattr(GunicornHooks({name: exiting(SystemExit(3))}, "g.py"), name)(views()[0])


def test_a_worker_that_a_hook_ends_says_so() -> None:
    hooks = GunicornHooks({"post_fork": lambda server, worker: sys.exit("no disk")}, "g.py")
    with pytest.raises(Mistake, match=r"^g\.py: post_fork exits: SystemExit: no disk$"):
        hooks.post_fork(*views())


@pytest.mark.parametrize("name", ["nworkers_changed", "on_starting", "when_ready", "pre_fork"])
def test_what_begins_the_service_ends_it_until_a_worker_has_served(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, worker = views()
    hooks = GunicornHooks({name: raising}, "g.py")
    arguments = (server, *{"nworkers_changed": (2, None), "pre_fork": (worker,)}.get(name, ()))
    with pytest.raises(Mistake, match=f"^g.py: {name} failed: ValueError: no database$"):
        getattr(hooks, name)(*arguments)
    server._supervisor.fleet.served = True
    getattr(hooks, name)(*arguments)
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith(f"g.py: {name} failed: ValueError: no database\nTraceback")
    assert (record.levelname, message.count("Traceback"), "fastwsgi/gunicorn" in message) == ("ERROR", 1, False)


def test_what_else_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    GunicornHooks({"worker_exit": raising}, "g.py").worker_exit(*views())
    assert [record.getMessage().splitlines()[0] for record in caplog.records] == [
        "g.py: worker_exit failed: ValueError: no database"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("post_fork = 3", "post_fork = 3 is no function; write def post_fork(server, worker)"),
        ("def on_exit(): pass", "on_exit is called with (server), which it does not take; write def on_exit(server)"),
        ("def child_exit(worker): pass", "child_exit is called with (server, worker), which it does not take;"),
        ("def post_request(worker): pass", "post_request is called with (worker, req, environ, resp), which"),
        ("when_ready = 'nowhere_at_all.hook'", "when_ready = 'nowhere_at_all.hook' cannot be imported: Modu"),
        ("ssl_context = True", "ssl_context = True is no function; write def ssl_context(config, default_ssl"),
    ],
)
def test_what_cannot_be_called_is_a_mistake(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "g.py").write_text(text)
    with pytest.raises(UsageError) as caught:
        gunicorn_file.read("g.py", str(tmp_path / "g.py"), str(tmp_path))
    assert str(caught.value).startswith(f"g.py: {line}")


def test_a_hook_may_be_named_and_take_more_by_default() -> None:
    found = gunicorn_file.translate("g.py", {"on_exit": "gc.collect", "on_reload": lambda server, again=True: None})
    assert isinstance(found.hooks, GunicornHooks)
    assert found.hooks.functions["on_exit"] is gc.collect


def test_cfg_has_gunicorns_names_and_ours() -> None:
    server, worker = views()
    GunicornHooks({"pre_fork": lambda server, worker: None}, "g.py").pre_fork(server, worker)
    cfg = worker.cfg
    assert (cfg.pidfile, cfg.pid, cfg.keepalive, cfg.keep_alive) == ("x.pid", "x.pid", 75, 75)
    assert (cfg.proc_name, cfg.worker_class_str, cfg.preload_app) == ("shop", "gthread", False)
    assert cfg.address == [("127.0.0.1", 80), "s"]
    assert (cfg.settings["threads"].value, cfg.settings["keepalive"].get()) == (4, 75)
    assert (cfg.certfile, cfg.umask, cfg.is_ssl, cfg.env, cfg.cert_reqs, cfg.timeout) == (None, 0, False, {}, 0, 0)
    assert (cfg.statsd_host, cfg.daemon, cfg.wsgi_app) == (None, False, "shop:app")
    assert Cfg(Settings(), "a:b").proc_name == "a:b"
    with pytest.raises(AttributeError, match="no setting 'statsd_hosts'"):
        _ = cfg.statsd_hosts
    with pytest.raises(AttributeError, match="write workers into the configuration file"):
        cfg.set("workers", 3)


def test_users_and_groups_are_numbers() -> None:
    one = pwd.getpwall()[-1]
    found = [Cfg(Settings(**values)) for values in ({}, {"user": one.pw_name}, {"user": "7", "group": "8"})]
    assert [(cfg.uid, cfg.gid) for cfg in found] == [(os.geteuid(), os.getegid()), (one.pw_uid, one.pw_gid), (7, 8)]
    assert (found[1].user, found[1].group, found[1].logconfig_dict) == (one.pw_uid, one.pw_gid, {})


def test_addresses_are_gunicorns() -> None:
    cfg = Cfg(Settings(bind=["[::1]:80", "localhost", "tcp://:81", "unix:///run/s", "fd://3", "*:82"]))
    assert cfg.address == [("::1", 80), ("localhost", 8000), ("", 81), "/run/s", 3, ("::", 82)]


def test_log_has_gunicorns_methods(caplog: pytest.LogCaptureFixture) -> None:
    server, _ = views()
    GunicornHooks({"when_ready": lambda server: None}, "g.py").when_ready(server)
    for level in ("debug", "info", "warning", "error", "critical", "exception"):
        getattr(server.log, level)("said by %s", level)
    assert "said by exception" in caplog.text
    assert server.log.error_log is LOGGER
    assert server.log.access_log.name == "fastwsgi.access"


# What the views show


def test_the_supervisor_shows_what_it_is() -> None:
    server, worker = views(timeout=30)
    assert (server.timeout, server.proc_name, server.num_workers, server.app.app_uri) == (30, "shop", 2, "shop:app")
    assert (server.master_pid, server.reexec_pid, server.LISTENERS) == (0, 7, [])
    assert server.address == [("127.0.0.1", 80), "s"]
    assert (server.app.callable, server.app.wsgi(), server.app.callable) == (None, start_response, start_response)
    with pytest.raises(AttributeError, match=r"SIGTTIN to server\.pid makes it one more"):
        server.num_workers += 1
    server.mine = worker.mine = {1}  # type: ignore[attr-defined]
    assert server.mine is worker.mine  # type: ignore[attr-defined]


def test_a_worker_shows_what_it_does() -> None:
    worker = views(timeout=30)[1]
    assert (worker.timeout, worker.ppid, worker.nr, worker.nr_conns, worker.futures) == (15, 1, 0, 0, [])
    assert worker.max_requests == sys.maxsize
    drawn = {views(max_requests=10, max_requests_jitter=2)[1].max_requests for _ in range(200)}
    assert drawn == {10, 11, 12}
    assert (hasattr(worker, "wsgi"), worker.aborted, worker.tmp.last_update()) == (False, False, 0.0)
    board = Scoreboard()
    slot = board.allocate()
    slot.requests, slot.busy, slot.queued, slot.connections = 9, 2, 1, 5
    worker.begin(slot)
    worker.notify()
    assert (worker.nr, worker.nr_conns, len(worker.futures), worker.tmp.last_update()) == (9, 5, 3, slot.heartbeat)
    assert [one.running() for one in worker.futures] == [True, True, False]
    pool = worker.tpool
    assert (pool._work_queue.qsize(), len(pool._threads), pool._max_workers) == (1, 2, 4)
    worker.bury()
    board.close()
    assert (worker.nr, worker.nr_conns, worker.alive) == (9, 0, False)


def test_listeners_are_sockets_with_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        view = ListenerView(listener, "https")
        assert (str(view), view.cfg_addr, view.sock) == (f"https://127.0.0.1:{port}", ("127.0.0.1", port), listener)
        assert (view.FAMILY, view.fileno(), view.get_backlog()) == (socket.AF_INET, listener.fileno(), 0)
        with socket.create_connection(view.getsockname()):
            assert view.get_backlog() == 1


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("worker.wsgi", "worker.wsgi: the application is loaded after post_fork; worker.app.wsgi() loads it now"),
        ("worker.poller", "worker.poller: one loop serves all connections; worker.nr_conns"),
        ("worker.nonsense", "worker.nonsense: no such attribute"),
        ("server.halt", "server.halt: send a signal to server.pid: os.kill(server.pid, signal.SIGTERM)"),
        ("server.log.reopen_files()", "log.reopen_files: send a signal to the supervisor: os.kill("),
        ("worker.tmp.fileno()", "worker.tmp.fileno: the heartbeat is in shared memory, not in a file"),
        ("worker.tpool.submit(print)", "these threads run requests alone: make a ThreadPoolExecutor"),
    ],
)
def test_what_is_not_here_names_the_way(name: str, line: str) -> None:
    server, worker = views()
    with pytest.raises(AttributeError) as caught:
        eval(name, {"server": server, "worker": worker})
    assert str(caught.value).startswith(line)


def test_a_hook_may_end_its_worker() -> None:
    worker = views()[1]
    asked: list[int] = []
    worker.ask_when_ended(lambda: asked.append(1))
    worker.alive = False
    worker.alive = False
    worker.revive()
    worker.end()
    assert (asked, worker.alive) == ([1], False)


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
