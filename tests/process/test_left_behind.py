"""What an application leaves behind: its threads, executors and exit functions at every end of a worker."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.helpers.deployments import Deployment, deployed
from tests.helpers.processes import running
from tests.helpers.serving import GET, request

SITE = """
import asyncio, atexit, logging.handlers, os, re, threading, time, weakref
from concurrent.futures import ThreadPoolExecutor

version = "one"
parent = os.getpid()
go_on = threading.Event()
executor = ThreadPoolExecutor(2)

def tell(*what):
    os.write(1, (" ".join([*what, str(os.getpid())]) + "\\n").encode())  # whole, whichever threads write

def work(name):
    go_on.wait(20)
    tell("worked:", name)

def spin():
    while True:
        pass

def release():
    go_on.set()

class Kept:
    pass

kept = Kept()
weakref.finalize(kept, tell, "finalized")
atexit.register(tell, "at exit:", "load")
atexit.register(tell, "at exit:", "unregistered")
atexit.unregister(tell)
atexit.register(tell, "at exit:", "load")

class Telling(logging.Handler):
    def emit(self, record):
        tell("logged:", record.getMessage())

memory = logging.handlers.MemoryHandler(1000, target=Telling())

def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    start_response("200 OK", [])
    if path == "/leave":
        atexit.register(tell, "at exit:", "request")
        memory.handle(logging.makeLogRecord({"msg": "buffered", "levelno": 20}))
        threading.Thread(target=work, args=("thread",)).start()
        threading.Timer(0, work, ("timer",)).start()
        executor.submit(work, "executor")
        threading.Timer(0.3, release).start()
    if path == "/stay":
        threading.Thread(target=time.sleep, args=(60,), name="stays").start()
    if path == "/hang":
        atexit.register(time.sleep, 60)
        atexit.register(tell, "hangs")
    if path == "/spin":
        spin()
    if path == "/sleep":
        time.sleep(60)
    if path == "/gil":
        re.match("(a+)+$", "a" * 64 + "b")
    return [str(os.getpid()).encode()]
"""
WORK = {"worked: thread", "worked: timer", "worked: executor", "logged: buffered", "finalized", "at exit: request"}


def told(server: Deployment, pid: int) -> list[str]:
    """What the process *pid* has told."""
    return [line.rpartition(" ")[0] for line in server.seen if line.endswith(f" {pid}")]


def end_of(server: Deployment, worker: int, number: signal.Signals = signal.SIGTERM) -> list[str]:
    """Stop the server; what *worker* has told until then."""
    server.signal(number)
    assert server.wait() == 0
    return told(server, worker)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("backend", ["c", "py"])
def test_a_stop_waits_for_all_of_it(tmp_path: Path, backend: str, threads: int, preload: bool) -> None:
    with deployed(tmp_path, backend, SITE, workers=1, threads=threads, preload=preload) as server:
        worker = int(server.ask("/leave"))
        lines = end_of(server, worker)
    assert {*lines} == WORK | {"at exit: load"}
    assert len(lines) == len({*lines})
    assert lines[-3:] == sorted(lines[-3:], key=["at exit: load", "finalized", "logged: buffered"].index)


@pytest.mark.parametrize("command", ["reload", "recycle"])
def test_so_does_the_end_of_a_worker_that_is_replaced(tmp_path: Path, command: str) -> None:
    more = {"max_requests": 1} if command == "recycle" else {}
    with deployed(tmp_path, source=SITE, workers=1, threads=4, **more) as server:
        worker = int(server.ask("/leave"))
        if command == "reload":
            server.signal(signal.SIGHUP)
        server.wait_for_end_of(worker)
        server.signal()
        server.wait()
        assert {*told(server, worker)} == WORK | {"at exit: load"}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("target", ["/spin", "/sleep"])
@pytest.mark.parametrize("backend", ["c", "py"])
def test_a_worker_with_a_call_that_was_given_up_ends_as_soon_as_the_rest_has(
    tmp_path: Path, backend: str, threads: int, target: str
) -> None:
    settings = {"workers": 1, "threads": threads, "timeout": 0.3, "graceful_timeout": 60}
    with deployed(tmp_path, backend, SITE, **settings) as server:
        (worker,) = server.workers(1)
        with server.connect() as client:
            server.ask("/leave")
            assert client.send(request(target=target)).answer().status == 504
            server.wait_for_end_of(worker)
        server.signal()
        assert server.wait() == 0
        assert {*told(server, worker)} == WORK | {"at exit: load"}


@pytest.mark.parametrize("threads", [1, 4])
def test_a_call_given_up_during_the_stop_does_not_hold_it_up(tmp_path: Path, threads: int) -> None:
    with deployed(tmp_path, source=SITE, workers=1, threads=threads, timeout=1, graceful_timeout=60) as server:
        (worker,) = server.workers(1)
        with server.connect() as client:
            client.send(request(target="/spin"))
            lines = end_of(server, worker)
            assert client.answer().status == 504
        assert lines == ["at exit: load", "finalized"]


def test_a_worker_that_retires_while_a_call_holds_the_gil_is_ended_at_the_deadline(tmp_path: Path) -> None:
    with deployed(tmp_path, source=SITE, workers=1, timeout=1, graceful_timeout=60) as server:
        (worker,) = server.workers(1)
        with server.connect() as client:
            client.send(request(target="/gil"))
            server.signal()
            server.line(f"worker {worker}: its requests are past the deadline")
            assert server.wait() == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_what_takes_longer_than_the_graceful_timeout_is_named_and_ended(tmp_path: Path, threads: int) -> None:
    with deployed(tmp_path, source=SITE, workers=1, threads=threads, graceful_timeout=0.5) as server:
        worker = int(server.ask("/stay"))
        server.ask("/stay")
        server.signal()
        server.line(f"worker {worker} ends without 2 threads of the application .stays, stays., which took too long")
        assert server.wait() == 0
        assert not any("killed" in line for line in server.seen)


def test_exit_functions_have_the_same_limit(tmp_path: Path) -> None:
    with deployed(tmp_path, source=SITE, workers=1, graceful_timeout=0.5) as server:
        worker = int(server.ask("/hang"))
        server.signal()
        server.line(f"worker {worker} ends without exit functions, which took too long")
        assert server.wait() == 0


@pytest.mark.parametrize("target", ["/stay", "/hang"])
def test_a_second_signal_ends_the_waiting(tmp_path: Path, target: str) -> None:
    with deployed(tmp_path, source=SITE, workers=1, graceful_timeout=60) as server:
        server.ask(target)
        server.signal()
        if target == "/hang":
            server.line("hangs")
        while server.accepts():  # until the first signal was handled
            pass
        server.signal()
        assert server.wait() == 0


def test_sigquit_and_kill_wait_for_nothing(tmp_path: Path) -> None:
    with deployed(tmp_path, source=SITE, workers=1, graceful_timeout=60) as server:
        worker = int(server.ask("/leave"))
        assert end_of(server, worker, signal.SIGQUIT) == []


LOADED = """
import threading, time

threading.Thread(target=time.sleep, args=(60,), name="loaded").start()

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]
"""


def test_the_supervisor_has_the_same_limit(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(LOADED)
    command = ["-m", "fastwsgi", "shop:app", "--preload", "--graceful-timeout", "0.5", "-b", "127.0.0.1:0"]
    with running([*command, "--chdir", str(tmp_path)], "py") as server, server.connect() as client:
        assert client.send(GET).answer().status == 200
        server.signal()
        server.line("the end does not wait for 1 thread of the application .loaded. any longer")
        assert server.wait() == 0


AGENT = """
import atexit, os
atexit.register(lambda: os.write(1, b"agent %d\\n" % os.getpid()))
"""
CONFIGURED = """
import atexit, os
preload_app = {preload}
workers = 1
atexit.register(lambda: os.write(1, b"configured %d\\n" % os.getpid()))
"""


@pytest.mark.parametrize("preload", [False, True])
def test_what_an_agent_registered_before_the_command_is_of_its_workers_too(tmp_path: Path, preload: bool) -> None:
    """opentelemetry-instrument, ddtrace-run and newrelic-admin do so, by a sitecustomize."""
    (tmp_path / "sitecustomize.py").write_text(AGENT)
    (tmp_path / "shop.py").write_text(SITE)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIGURED.format(preload=preload))
    command = ["-m", "fastwsgi", "shop:app", "-b", "127.0.0.1:0", "--chdir", str(tmp_path)]
    config = ["-c", str(tmp_path / "gunicorn.conf.py")]
    with running([*command, *config], "py", PYTHONPATH=str(tmp_path)) as server, server.connect() as client:
        worker = int(client.send(GET).answer().body)
        server.signal()
        assert server.wait() == 0
        told = [line for line in server.seen if line.endswith(f" {worker}") and "INFO" not in line]
        assert told == [f"at exit: load {worker}", f"finalized {worker}", f"agent {worker}"]
        ours = [f"configured {server.process.pid}", f"agent {server.process.pid}"]
        assert [line for line in server.seen if line in ours] == ours


ALONE = """
import atexit, sys, threading
import fastwsgi

go_on = threading.Event()

def app(environ, start_response):
    start_response("200 OK", [])
    threading.Thread(target=lambda: go_on.wait(20) and print("worked", flush=True)).start()
    return [b"x"]

atexit.register(print, "at exit", flush=True)
fastwsgi.serve(app, "127.0.0.1:0", threads=int(sys.argv[1]))
print("returned", flush=True)
go_on.set()
"""


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("backend", ["c", "py"])
def test_serve_returns_and_the_end_of_the_interpreter_waits(backend: str, threads: str) -> None:
    with running(["-c", ALONE, threads], backend) as server, server.connect() as client:
        client.send(GET).answer()
        server.signal()
        assert server.wait() == 0
        assert [line for line in server.seen if re.match("returned|worked|at exit", line)] == [
            "returned",
            "worked",
            "at exit",
        ]


CHILDREN = """
import multiprocessing, sys, time, os
import fastwsgi

def app(environ, start_response):
    start_response("200 OK", [])
    return [str(multiprocessing.active_children()).encode()]

if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    fastwsgi.serve(app, "127.0.0.1:0", workers=2)
    print("alive" if child.is_alive() else "ended", flush=True)
"""


def test_children_of_the_program_are_not_its_workers_to_end() -> None:
    with running(["-c", CHILDREN], "py") as server, server.connect() as client:
        assert client.send(GET).answer().body == b"[]"
        server.signal()
        assert server.wait() == 0
        assert "alive" in server.seen
