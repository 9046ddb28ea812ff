"""Workers of several loops, on an interpreter without a GIL: what holds for a worker holds over all of its loops."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.gil import HAS_GIL
from tests.helpers.deployments import Deployment, deployed, starting, wait_for_end
from tests.helpers.processes import running
from tests.helpers.serving import Client, Ended, request
from tests.helpers.status import observed
from tests.helpers.traffic import Load
from tests.helpers.waiting import until

pytestmark = pytest.mark.skipif(HAS_GIL, reason="with a GIL there is one loop")
SITE = """
import os, sys, threading, time

opened = threading.Event()
lock = threading.Lock()
running = most = held = 0

def app(environ, start_response):
    global running, most, held
    path = environ["PATH_INFO"]
    with lock:
        running += 1
        most = max(most, running)
        held += path == "/hold"
        said = f"entered {held}"
    if path == "/hold":
        print(said, flush=True)
        opened.wait(1000)
    if path == "/open":
        opened.set()
    if path == "/pause":
        time.sleep(0.003)
    if path == "/spoil":
        spoil()
    if path == "/fork":
        child = os.fork()
        if child == 0:
            start_response("200 OK", [])
            return [b"child"]  # without the lock, which another thread may have had
        os.waitpid(child, 0)
    with lock:
        running -= 1
    start_response("200 OK", [])
    told = {"/most": most, "/multithread": environ["wsgi.multithread"]}
    return [str(told.get(path, os.getpid())).encode()]

def spoil():
    for fd in os.listdir("/proc/self/fd"):
        if os.readlink("/proc/self/fd/" + fd) == "anon_inode:[eventpoll]":
            os.dup2(os.open(os.devnull, os.O_RDONLY), int(fd))
            return
"""
HOLD = request(target="/hold")


@pytest.fixture(params=["c", "py"])
def backend(request: pytest.FixtureRequest) -> str:
    """Both builds, by name."""
    return str(request.param)


@contextmanager
def looping(folder: Path, backend: str, **settings: Any) -> Iterator[Deployment]:
    """A deployment of workers with two loops and four threads."""
    shape = {"workers": 1, "threads": 4, "loops": 2, **settings}
    with deployed(folder, backend, SITE, **shape) as server:
        server.workers(shape["workers"])
        yield server


def hold(server: Deployment, stack: ExitStack, count: int) -> list[Client]:
    """Begin *count* calls, one after the other."""
    clients = []
    for number in range(1, count + 1):
        clients.append(stack.enter_context(server.connect()).send(HOLD))
        server.line(f"entered {number}")
    return clients


def test_so_many_calls_run_as_there_are_threads(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend) as server:
        assert server.ask("/multithread") == b"True"
        with Load(server.address, kept=6, new=3, data=request(target="/pause")) as load:
            load.more(300)
        assert load.lost == []
        assert 2 <= int(server.ask("/most")) <= 4


def test_a_stop_answers_what_all_loops_have_in_flight(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend) as server, ExitStack() as stack:
        kept = stack.enter_context(server.connect())
        assert kept.send(request(target="/pid")).answer().status == 200
        clients = hold(server, stack, 3)
        opener = stack.enter_context(server.connect()).send(request(target="/open")[:-2])
        server.signal()
        server.line("requests in flight")
        opener.send(b"\r\n")
        assert [client.answer().status for client in [opener, *clients]] == [200] * 4
        assert kept.rest() == b""
        assert server.wait() == 0


def test_stacks_and_figures_are_those_of_all_loops(tmp_path: Path) -> None:
    with observed(tmp_path, source=SITE, threads=4, loops=2) as (server, status), ExitStack() as stack:
        hold(server, stack, 3)  # of four, so both loops have one
        status.comes(lambda found: found["totals"]["threads_busy"] == 3)
        status.comes(lambda found: found["workers"][0]["connections"] == 3)
        assert status.document()["totals"]["threads"] == 4
        while status.text("/stacks").count("GET /hold has run") < 3:  # the answer of a second is given again
            pass
        assert server.ask("/open")


def test_a_worker_is_recycled_by_the_requests_of_all_loops(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend, max_requests=100) as server, Load(server.address, kept=4, new=4) as load:
        server.line("it has served 10[0-9] requests")
        server.line("it has served 10[0-9] requests")
        load.end()
        assert load.lost == []


def test_a_stuck_call_of_one_loop_harms_nobody(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend, timeout=0.3, graceful_timeout=60) as server, ExitStack() as stack:
        (worker,) = server.workers(1)
        with Load(server.address, data=request(target="/pause")) as load:
            clients = hold(server, stack, 2)
            assert [client.answer().status for client in clients] == [504] * 2
            server.line(f"worker {worker} is to be replaced: a request ran past its deadline")
            server.wait_for_end_of(worker)
            load.more(20)
        assert load.lost == []
        assert worker not in server.workers(1)


def test_a_loop_that_fails_takes_its_worker_down(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend) as server:
        (worker,) = server.workers(1)
        with server.connect() as client:
            try:
                client.send(request(target="/spoil")).answer()
            except Ended:
                pass
            server.wait_for_end_of(worker)
        assert worker not in server.workers(1)
        server.signal()
        assert server.wait() == 0


def test_a_child_of_one_loop_answers_nothing(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend) as server, Load(server.address) as load:
        pids = Counter(server.ask("/fork") for _ in range(10))
        load.more(20)
        load.end()
        assert load.lost == []
        assert len(pids) == 1


def test_all_loops_write_to_a_log_that_is_opened_anew(tmp_path: Path, backend: str) -> None:
    log = tmp_path / "access.log"
    settings = {"access_logfile": str(log), "access_log_format": "%(U)s"}
    with looping(tmp_path, backend, **settings) as server, Load(server.address, kept=4) as load:
        for number in range(3):
            load.more(50)
            os.rename(log, tmp_path / f"access.{number}")
            server.signal(signal.SIGUSR1)
            until(log.exists)
        load.more(50)
        load.end()
        server.signal()
        assert server.wait() == 0
    lines = [len(path.read_text().splitlines()) for path in tmp_path.glob("access.*")]
    assert load.lost == []
    assert len(lines) == 4
    assert sum(lines) == load.done + 1
    assert min(lines) > 0


def test_a_reload_replaces_workers_of_several_loops(tmp_path: Path, backend: str) -> None:
    with looping(tmp_path, backend, workers=2) as server, Load(server.address, kept=4, new=4) as load:
        load.more(50)
        before = server.workers(2)
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        load.more(50)
        load.end()
        assert load.lost == []
        assert not before & server.workers(2)


@pytest.mark.parametrize("when", ["loaded", "called"])
def test_a_gil_that_comes_with_the_application_is_told(tmp_path: Path, backend: str, when: str) -> None:
    comes = "import sys\nsys._is_gil_enabled = lambda: True\n"  # as behind the import of a module that wants it
    source = comes + SITE if when == "loaded" else SITE.replace("        time.sleep(0.003)", f"        exec({comes!r})")
    with starting(tmp_path, backend, source, workers=1, threads=4, loops=2) as server:
        if when == "called":
            server.begin()
            assert server.ask("/pause")
        server.line("WARNING the 2 loops of this process take turns: a module .*PYTHON_GIL=0")


HANGING = """
import gc, os, threading, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":  # as code of the application that runs where the server does
        loops = [one for one in gc.get_objects() if type(one).__name__ == "Loop"]
        loops[0].ticks.append(hang)
        loops[0].housekeeping.due = 0.0
        loops[0].wake()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]

def hang():
    print("hangs", flush=True)
    time.sleep(1000)
"""


@contextmanager
def hanging(folder: Path, backend: str, loops: int, **settings: Any) -> Iterator[tuple[Deployment, int]]:
    """A deployment, and its worker, in which a thread hangs with the guard of a loop."""
    with deployed(folder, backend, HANGING, workers=1, threads=4, loops=loops, **settings) as server:
        (worker,) = server.workers(1)
        server.ask("/hang")
        server.line("hangs")
        yield server, worker


@pytest.mark.parametrize("loops", [1, 2])
def test_a_worker_with_a_loop_that_hangs_is_replaced(tmp_path: Path, backend: str, loops: int) -> None:
    """Its code may run where no request is answered, and the watchdog of that loop waits for it."""
    with hanging(tmp_path, backend, loops, timeout=1) as (server, worker):
        server.line(f"worker {worker}: a C call has held everything up for [0-9.]+ s")
        server.line("in hang")
        server.line(f"worker {worker}: its requests are past the deadline")
        wait_for_end(worker)
        assert worker not in server.workers(1)
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize("end", ["orphaned", "stopped", "quit"])
def test_a_worker_with_a_loop_that_hangs_ends(tmp_path: Path, backend: str, end: str) -> None:
    with hanging(tmp_path, backend, 2, graceful_timeout=1) as (server, worker):
        if end == "orphaned":
            server.signal(signal.SIGKILL)
        else:
            server.signal(signal.SIGTERM if end == "stopped" else signal.SIGQUIT)
        wait_for_end(worker)


ALONE = """
import fastwsgi

fastwsgi.serve(app, "127.0.0.1:0", threads=4, loops=2, graceful_timeout=1, slow_log=0.5)
"""


def test_so_does_a_program_that_serves_by_itself(backend: str) -> None:
    with running(["-c", HANGING + ALONE], backend) as server, server.connect() as client:
        client.send(request(target="/hang")).answer()
        server.line("hangs")
        server.signal()
        server.line("stopped")
        assert server.wait() == 0
