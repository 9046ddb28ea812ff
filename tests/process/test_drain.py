"""A stop of the service: whoever was accepted or waits is answered, newcomers are refused soon, and then it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.deployments import SITE, Deployment, deployed, is_alive
from tests.helpers.serving import GET, PATIENCE, Ended, request


def await_refusal(server: Deployment) -> None:
    """Wait until nobody can connect any more; ci/faults.py holds it to 100 ms."""
    began = time.monotonic()
    while server.accepts():
        assert time.monotonic() - began < PATIENCE
        select.select([], [], [], 0.002)  # else the queue is soon full, and connect() waits


@pytest.mark.parametrize(("workers", "threads", "clients"), [(2, 4, 20), (2, 1, 6), (1, 1, 4)])
def test_all_that_was_accepted_or_waits_is_answered(
    tmp_path: Path, workers: int, threads: int, clients: int
) -> None:
    """Also with fewer threads than requests, and while an application holds the only thread of each worker."""
    with deployed(tmp_path, workers=workers, threads=threads, defer_accept=False) as server, ExitStack() as stack:
        server.workers(workers)
        waiting = [stack.enter_context(server.connect()) for _ in range(clients)]
        for client in waiting:
            client.send(request(target="/held"))
        for _ in range(threads):
            server.line("entered")
        server.signal()
        await_refusal(server)
        server.let_go()
        for client in waiting:
            answer = client.answer()
            assert (answer.body, answer.get("Connection")) == (b"one", "close")
        assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_second_signal_or_quit_waits_for_nothing(tmp_path: Path, number: signal.Signals, threads: int) -> None:
    with deployed(tmp_path, "py", workers=2, threads=threads) as server:
        workers = server.workers(2)
        with server.connect() as client:
            client.send(request(target="/wait?30"))
            server.line("entered")
            if number != signal.SIGQUIT:
                server.signal()
                await_refusal(server)
            server.signal(number)
            assert server.wait() == 0  # with the request unanswered
            with pytest.raises(Ended):
                client.answer()
        assert not any(is_alive(pid) for pid in workers)


def test_a_stop_ends_with_its_time(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1, graceful_timeout=0.3) as server:
        with server.connect() as client:
            client.send(request(target="/wait?30"))
            server.line("entered")
            server.signal()
            server.line("has not ended in time: killed")
            assert server.wait() == 0
            client.rest()


def test_idle_connections_do_not_delay_it(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=2) as server, server.connect() as used:
        assert used.send(GET).answer().status == 200
        server.signal()
        assert server.wait() == 0
        assert (used.rest(), used.end) == (b"", "closed")


def test_with_a_drain_delay_it_serves_on_but_is_not_ready(tmp_path: Path) -> None:
    settings = {"drain_delay": 2, "readiness_path": "/readyz", "liveness_path": "/livez"}
    with deployed(tmp_path, "py", workers=2, **settings) as server:
        server.workers(2)
        assert (server.ask("/livez"), server.ask("/readyz")) == (b"ok\n", b"ok\n")
        server.signal()
        began = time.monotonic()
        while server.ask("/readyz") == b"ok\n":
            assert time.monotonic() - began < PATIENCE
        assert (server.ask("/livez"), server.ask()) == (b"ok\n", b"one")
        assert server.wait() == 0
        assert time.monotonic() - began >= 1.9


def test_a_drain_delay_ends_each_connection_with_its_response(tmp_path: Path) -> None:
    """Also one from before, and those of a worker that is started meanwhile."""
    with deployed(tmp_path, "py", workers=2, drain_delay=60) as server, server.connect() as kept:
        workers = server.workers(2)
        answer = kept.send(request(target="/pid")).answer()
        assert answer.get("Connection") is None
        server.signal()
        server.line("not ready for more")
        os.kill((workers - {int(answer.body)}).pop(), signal.SIGKILL)
        began = time.monotonic()
        while answer.get("Connection") is None or int(answer.body) in workers:
            assert time.monotonic() - began < PATIENCE
            with server.connect() as client:
                answer = client.send(request(target="/pid")).answer()
        assert kept.send(GET).answer().get("Connection") == "close"
        assert kept.rest() == b""
        server.signal()  # a second one does not wait
        assert server.wait() == 0


def test_behind_a_drain_delay_a_connection_has_time_for_its_request(tmp_path: Path) -> None:
    """Its balancer may just have made it, or taken it from those that it keeps."""
    patient = f"{SITE}\nfrom fastwsgi.process import worker\nworker.IDLE_GRACE = {PATIENCE}\n"  # on a busy machine, too
    with deployed(tmp_path, "py", patient, workers=1, drain_delay=1) as server, server.connect() as kept:
        assert kept.send(GET).answer().status == 200
        server.signal()
        server.line("not ready for more")
        with server.connect() as new:
            server.line("stopping: ")
            answers = [client.send(GET).answer() for client in (kept, new)]
        assert [(answer.body, answer.get("Connection")) for answer in answers] == 2 * [(b"one", "close")]
        assert server.wait() == 0


def test_a_terminal_tells_all_processes_and_the_supervisor_decides(tmp_path: Path) -> None:
    """Ctrl-C and systemd's default reach the workers, too; a request in flight is answered all the same."""
    with deployed(tmp_path, "py", workers=2) as server:
        workers = server.workers(2)
        with server.connect() as client:
            client.send(request(target="/held"))
            server.line("entered")
            for number in ("-INT", "-TERM"):
                subprocess.run(["kill", number, *map(str, workers)], check=True)
            server.signal()
            await_refusal(server)
            server.let_go()
            assert client.answer().body == b"one"
            assert server.wait() == 0
    assert not any("Traceback" in line for line in server.seen)
