"""Probes while all threads are in the application and others wait behind them: a scenario of ci/faults.py.

    python ci/faults.py saturated

A probe that has no answer after a second has failed, as for Kubernetes (timeoutSeconds is 1), which kills a pod after
three of them. Each probe comes on a connection of its own.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

from ci.scenarios.running import end, served, wanted
from tests.helpers.serving import Client, Ended, request

SITE = """
import os, time

def app(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""
SHAPES = ((1, 4), (2, 4), (1, 1), (2, 1))  # workers and threads
SECONDS = 0.5  # of a request: four for each thread, so that one that comes waits for two seconds
TIMEOUT = 1.0  # seconds


def saturated(quick: bool) -> str:
    """Four requests of half a second for each thread, again and again: each probe is answered in time."""
    found = []
    for workers, threads in SHAPES:
        settings = {"workers": workers, "threads": threads, "liveness_path": "/livez", "readiness_path": "/readyz"}
        with served(SITE, **settings) as server, ExitStack() as stack:
            users = [User(server.address, stack) for _ in range(4 * workers * threads)]
            time.sleep(SECONDS / 2)
            times = [probe(server.address, ("/livez", "/readyz")[one % 2]) for one in range(40 if quick else 200)]
            for user in users:
                user.stopped = True
            for user in users:
                user.thread.join()
            end(server)
        failed = sum(took >= TIMEOUT for took in times)
        found.append(f"-w {workers} --threads {threads}: {failed} of {len(times)} failed, p99 {p99(times):.0f} ms")
        wanted(sum(user.lost for user in users) == 0, "each request is answered")
    wanted(all(" 0 of" in one for one in found), "; ".join(found))
    return "; ".join(found)


class User:
    """One user, who sends the next request once the last one is answered."""

    def __init__(self, address: tuple[str, int], stack: ExitStack) -> None:
        self.lost = 0
        self._client = stack.enter_context(Client(address))
        self.stopped = False
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        try:
            while not self.stopped:
                self.lost += self._client.send(request(target=f"/?{SECONDS}")).answer().status != 200
        except (OSError, Ended):
            self.lost += 1


def probe(address: tuple[str, int], target: str) -> float:
    """How many seconds the answer to a probe took; TIMEOUT if there was none in that time."""
    time.sleep(0.01)
    began = time.monotonic()
    try:
        with Client(address) as client:
            client.socket.settimeout(TIMEOUT)
            good = client.send(request(target=target)).answer().status == 200
    except OSError:
        good = False
    return min(TIMEOUT, time.monotonic() - began) if good else TIMEOUT


def p99(times: list[float]) -> float:
    """In ms."""
    return sorted(times)[len(times) * 99 // 100] * 1000
