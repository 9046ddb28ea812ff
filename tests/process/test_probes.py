"""Liveness and readiness of real services, while all threads are in the application and requests queue."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.deployments import Deployment, deployed
from tests.helpers.serving import GET, PATIENCE, Client, request

PATHS = {"liveness_path": "/livez", "readiness_path": "/readyz"}


def hold(server: Deployment, count: int, stack: ExitStack) -> list[Client]:
    """Clients whose requests hold *count* threads."""
    clients = []
    for _ in range(count):
        clients.append(stack.enter_context(server.connect()).send(request(target="/held")))
        server.line("entered")
    return clients


def await_readiness(server: Deployment, answer: bytes) -> None:
    """Return when the service says so to a readiness probe."""
    until = time.monotonic() + PATIENCE
    while (found := server.ask("/readyz")) != answer:
        assert time.monotonic() < until, f"readiness is still {found!r}"


@pytest.mark.parametrize(("workers", "threads", "backend"), [(1, 4, "c"), (2, 2, "py"), (1, 1, "py"), (2, 1, "c")])
def test_a_saturated_service_answers_its_probes(tmp_path: Path, workers: int, threads: int, backend: str) -> None:
    with deployed(tmp_path, backend, workers=workers, threads=threads, ready_queue=5, **PATHS) as server:
        with ExitStack() as stack:
            server.workers(workers)
            clients = hold(server, workers * threads, stack)
            for _ in range(5):
                clients.append(stack.enter_context(server.connect()).send(GET))
            for _ in range(10):
                assert (server.ask("/livez"), server.ask("/readyz")) == (b"ok\n", b"ok\n")
            clients.append(stack.enter_context(server.connect()).send(GET))
            await_readiness(server, b"6 requests wait\n")
            for _ in range(10):
                with server.connect() as probe:
                    assert probe.send(request(target="/readyz")).answer().status == 503
                    assert probe.send(request(target="/livez")).answer().status == 200
            server.let_go()
            assert {client.answer().body for client in clients} == {b"one"}
            await_readiness(server, b"ok\n")
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_a_reload_of_a_saturated_worker(tmp_path: Path, threads: int) -> None:
    """It goes on to answer probes on the connections that it has, until its last request is answered."""
    with deployed(tmp_path, workers=1, threads=threads, **PATHS) as server, ExitStack() as stack:
        (before,) = server.workers(1)
        clients = hold(server, threads, stack)
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        assert server.ask("/livez") == b"ok\n"
        server.let_go()
        assert {client.answer().body for client in clients} == {b"one"}
        server.wait_for_end_of(before)
        assert server.ask("/pid") != b"%d" % before


def test_a_worker_whose_one_thread_is_past_its_deadline(tmp_path: Path) -> None:
    """It is replaced, although its main thread never comes back, and answers probes meanwhile."""
    with deployed(tmp_path, workers=1, threads=1, timeout=0.5, graceful_timeout=5, **PATHS) as server:
        (before,) = server.workers(1)
        with ExitStack() as stack:
            (client,) = hold(server, 1, stack)
            assert server.ask("/livez") == b"ok\n"
            assert client.answer().status == 504
            server.line("a request ran past its deadline")
            server.wait_for_end_of(before)
        assert server.ask("/livez") == b"ok\n"
        assert server.ask("/pid") != b"%d" % before


def test_a_probe_brings_no_worker_nearer_to_its_end(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1, threads=1, max_requests=5, **PATHS) as server:
        (before,) = server.workers(1)  # one request
        for _ in range(20):
            assert server.ask("/livez") == b"ok\n"
        assert server.ask("/pid") == b"%d" % before
        os.kill(before, 0)
