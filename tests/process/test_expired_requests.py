"""Requests past their deadline, in real workers: the client is answered, the stack logged, the worker replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.status.phrases import HELD
from tests.helpers.deployments import deployed
from tests.helpers.serving import GET, request
from tests.helpers.traffic import Load

SITE = """
import os, re, time

def spin():
    while True:
        pass

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [])
    if path == "/spin":
        spin()
    if path == "/sleep":
        time.sleep(float(environ["QUERY_STRING"]))
    if path == "/gil":
        re.match("(a+)+$", "a" * 64 + "b")
    return [str(os.getpid()).encode()]
"""


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("target", ["/spin", "/sleep?30"])
def test_the_worker_is_replaced_and_nobody_else_harmed(tmp_path: Path, threads: int, target: str) -> None:
    settings = {"workers": 1, "threads": threads, "timeout": 0.3, "graceful_timeout": 60}
    with deployed(tmp_path, source=SITE, **settings) as server:
        (worker,) = server.workers(1)
        with server.connect() as client, Load(server.address) as load:
            client.send(request(target=target))
            answer = client.answer()
            assert (answer.status, answer.get("Connection")) == (504, "close")
            server.line(f"timeout: GET {target[:4]}.* has run for [0-9.]+ s and is given up")
            server.line("in spin" if target == "/spin" else "in app")
            server.line(f"worker {worker} is to be replaced: a request ran past its deadline")
            server.wait_for_end_of(worker)
            load.more(20)
        assert load.lost == []
        assert worker not in server.workers(1)
        server.signal()
        assert server.wait() == 0


def test_a_thread_that_returns_in_time_is_not_killed(tmp_path: Path) -> None:
    with deployed(tmp_path, source=SITE, workers=1, timeout=0.2) as server:
        (worker,) = server.workers(1)
        with server.connect() as client:
            assert client.send(request(target="/sleep?1.5")).answer().status == 504
            server.wait_for_end_of(worker)
        assert not any("killed" in line for line in server.seen)
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize(("backend", "threads"), [("c", 1), ("c", 4), ("py", 4)])
def test_a_call_that_holds_the_gil_is_logged_and_its_worker_replaced(
    tmp_path: Path, backend: str, threads: int
) -> None:
    """Without a GIL it holds everything up as soon as the watchdog wants its stack."""
    settings = {"workers": 1, "threads": threads, "slow_log": 0.2, "timeout": 0.5}
    with deployed(tmp_path, backend, SITE, **settings) as server:
        (worker,) = server.workers(1)
        with server.connect() as client:
            client.send(request(target="/gil"))
            if backend == "c" and (HAS_GIL or threads == 1):  # its monitor needs no GIL, but nobody to take the loop
                answer = client.answer()
                assert (answer.status, answer.get("Connection"), answer.whole) == (504, "close", True)
            client.rest()
        server.line(f"worker {worker}: a C call has held {HELD} for [0-9.]+ s")
        server.line('File ".*site.py", line [0-9]+ in app')
        server.line(f"worker {worker}: its requests are past the deadline")
        assert worker not in server.workers(1)
        assert server.ask() != b""
        server.signal()
        assert server.wait() == 0


def test_slow_requests_are_logged_with_their_stack(tmp_path: Path) -> None:
    with deployed(tmp_path, source=SITE, workers=1, slow_log=0.1) as server, server.connect() as client:
        client.send(request(target="/sleep?1"))
        server.line("slow: GET /sleep.* has run for [0-9.]+ s")
        server.line("in app")
        assert client.answer().status == 200
        assert client.send(GET).answer().status == 200
