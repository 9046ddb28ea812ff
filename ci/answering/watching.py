"""Operators who look and meddle while a server is asked: figures, stacks, and log files that are opened anew."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request
from itertools import cycle
from types import TracebackType

PAGES = ("/metrics", "/stacks", "/status.json", "/")
PAUSE = 0.1  # seconds


class Operators:
    """A thread that asks for a page of the status server, and has logs opened anew, ten times a second.

    Args:
        status: the URL of the status server.
        supervisor: its process.
    """

    def __init__(self, status: str, supervisor: int) -> None:
        self.status = status
        self.supervisor = supervisor
        self.faults: list[str] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Operators:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        for page in cycle(PAGES):
            if self._ending.wait(PAUSE):
                return
            try:
                os.kill(self.supervisor, signal.SIGUSR1)
                with urllib.request.urlopen(self.status + page, timeout=30) as answer:
                    answer.read()
            except OSError as error:
                self.faults.append(f"{page}: {error}")
                return
