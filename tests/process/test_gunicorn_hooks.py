"""gunicorn's hooks in processes of their own: what they see of the work, and what follows when they fail."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fastwsgi.gunicorn.hooks import HOOKS
from tests.helpers.processes import Process, running
from tests.helpers.serving import request

BOTH = pytest.mark.parametrize("backend", ["c", "py"])
APP = """
import os, signal
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/held":
        while not os.path.exists("go"):
            signal.sigtimedwait([], 0.01)
    return [b"hello"]
"""

CONFIG = """
import os
bind = "127.0.0.1:0"
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # in one piece
"""


@contextmanager
def serving_by(directory: Path, config: str, backend: str) -> Iterator[Process]:
    """The command with a configuration file; what it prints comes line by line."""
    (directory / "shop.py").write_text(APP)
    (directory / "g.py").write_text(CONFIG + config)
    command = ["-m", "fastwsgi", "-c", str(directory / "g.py"), "--chdir", str(directory), "shop:app"]
    with running(command, backend) as process:
        yield process


GAUGES = """
import threading, time
worker_class, threads, grateful_timeout = "gthread", 2, 120

def when_ready(server):
    say("backlog", [listener.get_backlog() for listener in server.LISTENERS])

def post_fork(server, worker):
    threading.Thread(target=watch, args=(worker,), daemon=True).start()

def watch(worker):
    before = None
    while True:
        futures = worker.futures
        now = (worker.nr_conns, len(futures), sum(one.running() for one in futures), worker.tpool._work_queue.qsize())
        if now != before:
            say("gauges %d conns, %d pending, %d busy, %d wait" % now)
        before = now
        time.sleep(0.005)
"""


@BOTH
def test_gauges_tell_what_a_worker_does(backend: str, tmp_path: Path) -> None:
    with serving_by(tmp_path, GAUGES, backend) as server, ExitStack() as clients:
        assert server.line("backlog (.*)")[1] == "[0]"
        for _ in range(3):
            clients.enter_context(server.connect()).send(request(target="/held"))
        server.line("gauges 3 conns, 3 pending, 2 busy, 1 wait")
        (tmp_path / "go").write_text("")
        server.line("gauges 3 conns, 0 pending, 0 busy, 0 wait")


@pytest.mark.parametrize(
    "name", ["nworkers_changed", "on_starting", "when_ready", "pre_fork", "post_fork", "post_worker_init"]
)
def test_a_start_that_a_hook_prepares_fails_with_it(name: str, tmp_path: Path) -> None:
    with serving_by(tmp_path, f"def {name}({', '.join(HOOKS[name])}): 1 / 0", "py") as server:
        assert server.wait() == 1
    told = [line for line in server.seen if line]
    assert told[-1] == f"fastwsgi: {tmp_path / 'g.py'}: {name} failed: ZeroDivisionError: division by zero"
    assert [line for line in told if line.startswith("Traceback")] == ["Traceback (most recent call last):"]
    assert not [line for line in told if "fastwsgi/" in line and "File" in line]


LIFE = """
timeout = 1
graceful_timeout = 1
def tell(name, worker): say("hook", name, worker.age, worker.aborted, os.getpid() == worker.pid)
def worker_abort(worker): tell("abort", worker)
def worker_int(worker): tell("int", worker)
def worker_exit(server, worker): tell("exit", worker)
"""


def test_a_request_past_its_time_aborts_a_worker_and_an_interrupt_is_told_to_all(tmp_path: Path) -> None:
    with serving_by(tmp_path, LIFE, "py") as server:
        with server.connect() as client:
            assert client.send(request(target="/held")).answer().status == 504
        server.line("hook abort 1 True True")
        server.line("hook exit 1 True True")
        server.signal(signal.SIGINT)
        server.line("hook int 2 False True")
        server.line("hook exit 2 False True")
        assert server.wait() == 0


NUMBERS = """
max_requests = 1
def nworkers_changed(server, new, old): server.most = new
def pre_fork(server, worker):
    taken = {one.number for one in server.WORKERS.values() if one.alive}
    worker.number = (set(range(1, server.most + 1)) - taken).pop()
    say("hook number", worker.number)
def worker_exit(server, worker): say("hook exit", worker.age, worker.nr)
"""


def test_a_successor_gets_the_number_of_the_worker_that_it_replaces(tmp_path: Path) -> None:
    with serving_by(tmp_path, NUMBERS, "py") as server:
        server.line("hook number 1")
        for age in (1, 2):
            with server.connect() as client:
                assert client.send(request()).answer().body == b"hello"
            server.line("hook number 1")
            server.line(f"hook exit {age} 1")
        server.signal(signal.SIGQUIT)
        assert server.wait() == 0
    assert not [line for line in server.seen if "failed" in line]


@pytest.mark.parametrize("hook", ["post_fork(server, worker)", "post_worker_init(worker)"])
def test_workers_that_their_hooks_do_not_want_are_replaced_slowly(hook: str, tmp_path: Path) -> None:
    with serving_by(tmp_path, f"def {hook}: worker.alive = False", "py") as server:
        with server.connect() as client:
            assert client.send(request()).answer().body == b"hello"
        server.line(r"is to be replaced as early as those before it: a hook has set worker\.alive to False; .* 0\.2 s")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert len([line for line in server.seen if "is to be replaced: " in line]) == 3


LEAVING = """
def post_worker_init(worker):
    served = worker.wsgi
    worker.wsgi = lambda environ, start_response: [b"%d: " % worker.age, *served(environ, start_response)]
def post_request(worker, req):
    if req.path == "/leave":
        worker.alive = False
def worker_exit(server, worker): say("hook exit", worker.age)
"""


@BOTH
def test_hooks_wrap_what_is_served_and_have_their_worker_replaced(backend: str, tmp_path: Path) -> None:
    with serving_by(tmp_path, LEAVING, backend) as server:
        with server.connect() as client:
            assert client.send(request(target="/leave")).answer().body == b"1: hello"
        server.line("is to be replaced: a hook has set worker.alive to False")
        server.line("hook exit 1")
        with server.connect() as client:
            assert client.send(request()).answer().body == b"2: hello"
