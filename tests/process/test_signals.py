"""A server whose starter has signals ignored (nohup, the background job of a script) or blocked (some launchers)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers.processes import running
from tests.helpers.serving import GET

SERVE = """
import signal, fastwsgi
from fastwsgi.demo import app
{before}
found = [signal.getsignal(number) for number in NUMBERS], signal.pthread_sigmask(signal.SIG_BLOCK, ())
fastwsgi.serve(app, bind="127.0.0.1:0", workers={workers})
assert found == ([signal.getsignal(number) for number in NUMBERS], signal.pthread_sigmask(signal.SIG_BLOCK, ()))
print("returned")
"""
NUMBERS = "NUMBERS = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM, signal.SIGQUIT\n"
BEFORE = {
    "ignored": NUMBERS + "for number in NUMBERS: signal.signal(number, signal.SIG_IGN)",
    "blocked": NUMBERS + "signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", BEFORE)
def test_it_obeys_its_signals_and_gives_them_back(how: str, workers: int, number: signal.Signals) -> None:
    with running(["-c", SERVE.format(before=BEFORE[how], workers=workers)], "py") as server:
        with server.connect() as client:
            assert client.send(GET).answer().status == 200
        server.signal(number)
        server.line("returned")
        assert server.wait() == 0


@pytest.mark.parametrize("how", BEFORE)
def test_a_worker_that_dies_is_replaced(how: str) -> None:
    with running(["-c", SERVE.format(before=BEFORE[how], workers=2)], "py") as server:
        server.line("worker .* started")
        victim = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0]
        os.kill(int(victim), signal.SIGKILL)
        server.line(f"worker {victim} was killed by SIGKILL.*another takes its place")
