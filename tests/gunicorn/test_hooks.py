"""Gunicorn's server hooks: called with what their writers expect, and what happens when one raises."""

from __future__ import annotations

import gc
import os
import pwd
import sys
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.gunicorn.hooks import HOOKS, GunicornHooks, Hooks
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.settings.settings import Settings
from tests.helpers.gunicorn_hooks import LOGGER, environ, global_of, hooks_of, raising, start_response, views

NAMES = [name for name in HOOKS if name not in ("ssl_context", "pre_request", "post_request")]


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
