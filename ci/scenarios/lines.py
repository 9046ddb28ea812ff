"""The access log while workers are killed under load: a scenario of ci/faults.py.

    python ci/faults.py lines

Each request has a target of its own, so that its lines can be counted. A request that was answered has one line; what a
kill may do between a write and its note is to have one piece written twice, and that is counted, too.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ci.scenarios.running import end, served, until, wanted
from tests.helpers.serving import Client, Ended, request

SITE = """
import os

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"].endswith("/exit"):
        os._exit(3)
    return [str(os.getpid()).encode()]
"""
CLIENTS = 6


def lines(quick: bool) -> str:
    """A worker is killed three times a second, by kill -9 and by os._exit(): each answered request has its line."""
    times = 6 if quick else 30
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        with served(SITE, access_logfile=str(log), access_log_format="%(U)s %(s)s") as server:
            clients = Clients(server.address)
            for number in range(times):
                time.sleep(0.3)
                victim = sorted(server.children())[0]
                if number % 3 == 2:
                    clients.ask_once(f"/end/{number}/exit")
                else:
                    os.kill(victim, signal.SIGKILL)
                until(lambda: len(server.children()) == 2)
            clients.end()
            end(server)
        found = Counter(line.split()[0] for line in log.read_text().splitlines())
    missing = [target for target in clients.answered if not found[target]]
    twice = [target for target in clients.answered if found[target] > 1]
    wanted(not missing, f"{len(missing)} of {len(clients.answered)} answered requests have no line: {missing[:3]}")
    wanted(len(twice) <= times * 1000, "at most a piece for each kill is written twice")
    return f"{times} ends, {len(clients.answered)} answered requests, each with its line, {len(twice)} with two"


class Clients:
    """Clients in threads; *answered* are the targets of the requests that were."""

    def __init__(self, address: Any) -> None:
        self.address = address
        self.answered: list[str] = []
        self._ending = False
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let each client finish the request that it is at."""
        self._ending = True
        for thread in self._threads:
            thread.join()

    def ask_once(self, target: str) -> None:
        """One request, which may be lost."""
        try:
            with Client(self.address) as client:
                client.send(request(target=target)).answer()
        except (Ended, OSError):
            pass

    def _run(self, number: int) -> None:
        sent = 0
        while not self._ending:
            try:
                with Client(self.address) as client:
                    while not self._ending:
                        sent += 1
                        target = f"/{number}/{sent}"
                        if client.send(request(target=target)).answer().whole:
                            self.answered.append(target)
            except (Ended, OSError):
                pass
