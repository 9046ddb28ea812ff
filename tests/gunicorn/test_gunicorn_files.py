"""gunicorn.conf.py: files as projects write them (configs/), what becomes of them, and broken ones."""

from __future__ import annotations

import logging.config
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import fastwsgi
from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.hooks import GunicornHooks, Hooks
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.settings.arguments import parse
from fastwsgi.settings.sources import Configuration, Sources

CONFIGS = Path(__file__).parent / "configs"


@pytest.fixture(autouse=True)
def modules_of_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what the files import."""
    before, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def read(config: str, directory: Path = CONFIGS, **environment: str) -> Configuration:
    return Sources({}, None, config, str(directory)).read(environment)


def fails(directory: Path, config: str) -> Mistake:
    with pytest.raises(Mistake) as caught:
        read(config, directory)
    assert "\n" not in str(caught.value)
    return caught.value


def write(directory: Path, text: str, name: str = "g.py") -> str:
    (directory / name).write_text(text)
    return name


# Files as projects write them


def test_workers_by_cpus_and_much_else() -> None:
    found = read("cpu_count.py")
    settings = found.settings
    assert found.app == "shop.wsgi:application"
    assert settings.workers == multiprocessing.cpu_count() * 2 + 1
    assert (settings.bind, settings.backlog, settings.threads) == (["0.0.0.0:8000"], 512, 4)
    assert (settings.timeout, settings.graceful_timeout, settings.keep_alive) == (120, 45, 5)
    assert (settings.max_requests, settings.max_requests_jitter, settings.preload) == (1000, 50, True)
    assert (settings.access_logfile, settings.error_logfile, settings.log_level) == ("-", "-", "info")
    assert settings.access_log_format.endswith("%(D)s")
    assert (settings.limit_request_line, settings.umask, settings.user, settings.pid) == (65536, "007", None, None)
    assert found.origins["keep_alive"] == "cpu_count.py: keepalive"
    reason = "not needed: the heartbeat is in shared memory, not in a file"
    assert found.notices == [
        f"cpu_count.py: without effect here: worker_tmp_dir ({reason})",
        "cpu_count.py: limit_request_line 0: there is always a limit, here 65536, "
        "as a whole head has at most 65536 bytes",
    ]
    assert sorted(found.hooks.functions) == ["post_fork", "when_ready"]


def test_driven_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PORT", "9001")
    monkeypatch.setenv("GUNICORN_TIMEOUT", "7")
    monkeypatch.setenv("GUNICORN_PRELOAD_APP", "true")
    found = read("from_environment.py")
    settings = found.settings
    assert (settings.bind, settings.workers, settings.timeout) == (["0.0.0.0:9001"], 2, 7)
    assert (settings.preload, settings.reload, settings.reload_extra_files) == (True, False, ["templates/index.html"])
    assert settings.env == ["SHOP_SETTINGS=production", "SHOP_LISTENS=0.0.0.0:9001"]
    assert (found.notices, type(found.hooks)) == ([], Hooks)


def test_logging_by_a_table_and_several_addresses() -> None:
    found = read("logging_dict.py")
    assert found.settings.bind == ["127.0.0.1:8000", "[::1]:8001", "unix:shop.sock", "127.0.0.1:9000"]
    table = found.settings.log_config
    assert isinstance(table, dict)
    assert set(table["loggers"]) == {"gunicorn.error", "gunicorn.access", "shop"}
    assert set(table["handlers"]) == {"console", "error_console"}
    logging.config.DictConfigurator(table)
    assert (table["version"], found.notices) == (1, [])


def test_metrics_of_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    dead: list[int] = []
    package = ModuleType("prometheus_client")
    package.multiprocess = SimpleNamespace(mark_process_dead=dead.append)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "prometheus_client", package)
    found = read("metrics.py")
    assert isinstance(found.hooks, GunicornHooks)
    found.hooks.child_exit(SimpleNamespace(), SimpleNamespace(pid=77))
    assert dead == [77]
    assert found.notices == []
    assert (found.settings.statsd_host, found.settings.statsd_prefix) == ("localhost:8125", "shop")


def test_what_cannot_be_done_without_is_refused(tmp_path: Path) -> None:
    assert str(fails(tmp_path, write(tmp_path, "protocol = 'uwsgi'"))).startswith("g.py: protocol: HTTP is spoken")


def test_another_kind_of_worker_and_what_has_no_effect() -> None:
    found = read("gevent_and_tls.py")
    kind, line = found.notices
    assert kind == (
        "gevent_and_tls.py: worker_class gevent: there is no such worker; each worker runs 4 requests at a time "
        "(--threads), and none waits for slow clients"
    )
    names = ["daemon", "capture_output", "secure_scheme_headers"]
    assert [name for name in [*names, "forwarded_allow_ips", "ssl_context"] if f"{name} (" in line] == names
    assert (found.settings.threads, found.origins["threads"]) == (4, "gevent_and_tls.py: worker_class gevent")
    assert sorted(found.hooks.functions) == ["ssl_context"]


UVICORN = "uvicorn.workers.UvicornWorker"


@pytest.mark.parametrize(
    ("text", "options", "threads", "told"),
    [
        ("", "", 1, False),
        ("threads = 3", "", 3, False),
        ("worker_class = 'sync'", "", 1, False),
        ("worker_class = 'egg:gunicorn#sync'\nthreads = 2", "", 2, False),
        ("worker_class = 'gthread'\nthreads = 2", "", 2, False),
        ("worker_class = 'gthread'", "", 4, True),
        ("worker_class = 'gunicorn.workers.gthread.ThreadWorker'\nthreads = 16", "", 16, False),
        ("worker_class = 'gevent'\nthreads = 2", "", 4, True),
        ("worker_class = 'egg:gunicorn#gevent'\nthreads = 16", "", 16, True),
        ("worker_class = 'eventlet'", "--threads 8", 8, True),
        ("worker_class = 'tornado'", "", 4, True),
        ("worker_class = 'aiohttp.GunicornWebWorker'", "", 4, True),
        (f"worker_class = '{UVICORN}'", "", 4, True),
        ("import threading\nclass GeventWorker(threading.Thread): pass\nworker_class = GeventWorker", "", 4, True),
        ("", "-k gevent", 4, True),
        ("", "-k gevent --threads 2", 4, True),
        ("worker_class = 'gevent'", "--threads 1", 1, True),
        ("", "-k gthread --threads 20", 20, False),
        ("worker_class = 'gevent'", "-k sync", 1, False),
        ("worker_class = None", "", 1, False),
    ],
)
def test_no_kind_of_worker_gets_fewer_threads_than_it_can_use(
    tmp_path: Path, text: str, options: str, threads: int, told: bool
) -> None:
    flags = parse(options.split()).flags
    found = Sources(flags, None, write(tmp_path, text), str(tmp_path)).read({})
    assert found.settings.threads == threads
    assert [f"runs {threads} requests at a time" in line for line in found.notices] == [True] * told


def test_a_number_of_threads_that_cannot_be_is_told_as_ever(tmp_path: Path) -> None:
    name = write(tmp_path, "worker_class = 'gevent'\nthreads = 0")
    assert str(fails(tmp_path, name)).startswith("g.py: threads 0 must")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("grateful_timeout = 120", "grateful_timeout (did you mean graceful_timeout?)"),
        ("worker = 4", "worker (did you mean workers?)"),
        ("limit_conn = 10", "limit_conn (did you mean worker_connections?)"),
        ("log_level = 'x'\ntimeuot = 3", "log_level (did you mean loglevel?), timeuot (did you mean timeout?)"),
        ("def post_forked(server, worker): pass", "post_forked (did you mean post_fork?)"),
        ("after_fork = lambda server, worker: None", "after_fork (did you mean post_fork?)"),
        ("preload = True", "preload (did you mean preload_app?)"),
        ("name = 'shop'\npid = 7\nenv = 'x'\nlog_file = 'x'\nmax_connections = 20", ""),
        ("worker = 4\nworkers = worker * 2", ""),
        ("import os\nfrom threading import Thread\ncores = 2\n_worker = host = port = 8\nmax_workers_str = None", ""),
        ("use_loglevel = loglevel = 'info'\ntimeout_str = web_concurrency = '3'\nlog_data = {}", ""),
        ("def worker_count(): pass\ndef bindings(): pass\nclass Worker: pass", ""),
    ],
)
def test_names_that_are_nearly_those_of_settings(tmp_path: Path, text: str, names: str) -> None:
    notices = read(write(tmp_path, text), tmp_path).notices
    assert notices == ([f"g.py: no such setting: {names}"] if names else [])


def test_our_own_settings_are_given_elsewhere(tmp_path: Path) -> None:
    found = read(write(tmp_path, "max_queue = 5\ntrace = True"), tmp_path)
    assert found.notices == ["g.py: max_queue is not read from a file of gunicorn's; give --max-queue"]
    assert found.settings.max_queue == 1024


def test_all_addresses_are_those_of_ipv4_too(tmp_path: Path) -> None:
    found = read(write(tmp_path, "bind = ['[::]:8000', '[::]:8001', '[::1]:1']"), tmp_path)
    assert (found.settings.bind, found.notices) == (["*:8000", "*:8001", "[::1]:1"], [])


@pytest.mark.parametrize(
    ("text", "environment", "prefix"),
    [
        ("", {"SCRIPT_NAME": "/shop"}, "/shop"),
        ("raw_env = ['SCRIPT_NAME=/old', 'SCRIPT_NAME=/store/']", {"SCRIPT_NAME": "/shop"}, "/store"),
        ("root_path = '/mine'", {"SCRIPT_NAME": "/shop"}, "/mine"),
        ("", {"SCRIPT_NAME": "/"}, ""),
    ],
)
def test_the_prefix_of_paths_in_the_environment(
    tmp_path: Path, text: str, environment: dict[str, str], prefix: str
) -> None:
    assert read(write(tmp_path, text), tmp_path, **environment).settings.root_path == prefix


@pytest.mark.parametrize(
    ("text", "trusted"),
    [
        ("", ["127.0.0.1", "::1", "unix"]),
        ("forwarded_allow_ips = None", ["127.0.0.1", "::1", "unix"]),
        ("forwarded_allow_ips = '*'", ["*", "unix"]),
        ("forwarded_allow_ips = '10.0.0.1,10.1.0.0/16'", ["10.0.0.1", "10.1.0.0/16", "unix"]),
        ("forwarded_allow_ips = ''", ["unix"]),
    ],
)
def test_the_scheme_comes_from_whom_gunicorn_trusts(tmp_path: Path, text: str, trusted: list[str]) -> None:
    found = read(write(tmp_path, text), tmp_path)
    assert (found.settings.forwarded_allow_ips, found.settings.forwarded_headers) == (trusted, ["x-forwarded-proto"])
    assert found.notices == []


@pytest.mark.parametrize(("value", "ours"), [("True", "optional"), ("'v2'", "optional"), ("'off'", "off")])
def test_the_proxy_protocol(tmp_path: Path, value: str, ours: str) -> None:
    found = read(write(tmp_path, f"proxy_protocol = {value}\nproxy_allow_ips = '10.0.0.1'"), tmp_path)
    assert found.settings.proxy_protocol == ours
    assert found.settings.proxy_allow_ips == ["10.0.0.1", "unix"]


# How it is run


def test_it_knows_its_place_and_its_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(tmp_path, "WORKERS = 6\n", "shop_settings.py")
    name = write(
        tmp_path,
        "import os, sys\nfrom shop_settings import WORKERS as workers\n"
        "proc_name = os.path.basename(__file__)\nassert sys.modules[__name__].workers == 6\n",
    )
    found = read(name, tmp_path)
    assert (found.settings.workers, found.settings.proc_name) == (6, "g.py")
    assert list(tmp_path.rglob("*.pyc")) == []
    assert sys.dont_write_bytecode is False


def test_a_module_is_read_anew_each_time(tmp_path: Path) -> None:
    write(tmp_path, "workers = 2\n", "shop_conf.py")
    assert read("python:shop_conf", tmp_path).settings.workers == 2
    write(tmp_path, "workers = 11\n", "shop_conf.py")
    found = read("python:shop_conf", tmp_path)
    assert (found.settings.workers, found.origins["workers"]) == (11, "python:shop_conf: workers")


def test_a_file_without_an_ending_is_python(tmp_path: Path) -> None:
    assert read(write(tmp_path, "workers = 3\n", "gunicorn.conf"), tmp_path).settings.workers == 3


# What is wrong with it


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("workers = 'x'", "g.py: workers 'x' must be auto or a whole number from 1 to 2147483647"),
        ("keepalive = -1", "g.py: keepalive -1 must be a number of seconds, 0 or more"),
        ("raw_env = ['A']", "g.py: raw_env 'A' must be NAME=VALUE"),
        ("header_map = 'dangerous'", "g.py: header_map 'dangerous' must be drop or refuse"),
        ("logconfig_dict = 'a'", "g.py: logconfig_dict 'a' must be a table for logging.config.dictConfig"),
        ("logconfig_json = 1", "g.py: logconfig_json 1 must be the path of a JSON file"),
        ("logconfig = 'a'\nlogconfig_dict = {'x': 1}", "g.py: logconfig and logconfig_dict are one setting here"),
        ("wsgi_app = 7", "g.py: wsgi_app 7 must be MODULE:ATTR, such as shop.wsgi:application"),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, text: str, line: str) -> None:
    mistake = fails(tmp_path, write(tmp_path, text))
    assert str(mistake).startswith(line)
    assert isinstance(mistake, UsageError)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import os\nos.environ['SHOP_SECRET']\n", "g.py failed: KeyError: 'SHOP_SECRET'"),
        ("open('nowhere.txt')\n", "g.py failed: FileNotFoundError: [Errno 2] No such file"),
        ("import sys\nsys.exit('no')\n", "g.py failed: SystemExit: no"),
        ("workers = (\n", "g.py failed: SyntaxError: "),
        ("import gunicorn_that_is_not_there\n", "g.py failed: ModuleNotFoundError: "),
    ],
)
def test_what_the_file_raises_comes_with_its_traceback(tmp_path: Path, text: str, line: str) -> None:
    mistake = fails(tmp_path, write(tmp_path, text))
    assert str(mistake).startswith(line)
    assert str(tmp_path / "g.py") in mistake.details
    assert str(Path(fastwsgi.__file__).parent) not in mistake.details


def test_a_file_that_imports_gunicorn_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gunicorn", None)
    line = str(fails(tmp_path, write(tmp_path, "from gunicorn import glogging\n")))
    assert line.endswith("; install it, too, or take that import out")


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    assert str(fails(tmp_path, "python:nowhere")) == "python:nowhere: there is no such module"


def test_names_of_its_own_are_its_own_affair() -> None:
    said = gunicorn_file.translate("g.py", {"debug": True, "logfile": "x", "post_fork": None, "os": sys})
    assert (said.values, said.notices, type(said.hooks)) == ({}, [], Hooks)
