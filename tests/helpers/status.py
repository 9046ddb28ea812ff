"""The status address of a deployment, as those see it who ask there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.deployments import SITE, Deployment, deployed
from tests.helpers.serving import PATIENCE, Answer, Client

STATUS = r"status on http://([0-9.]+):([0-9]+)"
ON = {"workers": 1, "status_bind": "127.0.0.1:0"}


class Status:
    """The status address of *server*."""

    def __init__(self, server: Deployment, address: Any) -> None:
        self.server = server
        self.address = address

    @property
    def process(self) -> int:
        """The process ID of the status process: the child of the supervisor that is no worker."""
        workers = {one["pid"] for one in self.document()["workers"]}
        (pid,) = self.server.children() - workers
        return pid

    def get(self, target: str) -> Answer:
        """The answer, on a connection of its own."""
        with Client(self.address) as client:
            return client.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).answer()

    def text(self, target: str) -> str:
        """The body of the answer, as text."""
        return self.get(target).body.decode()

    def document(self) -> dict[str, Any]:
        """/status.json."""
        found: dict[str, Any] = json.loads(self.get("/status.json").body)
        return found

    def comes(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first document for which *holds* is true."""
        until = time.monotonic() + PATIENCE
        while not holds(found := self.document()):
            assert time.monotonic() < until, found
        return found

    def event(self, kind: str, text: str = "") -> dict[str, Any]:
        """The last event of *kind* with *text* in it, once there is one."""
        found: list[dict[str, Any]] = []

        def holds(document: dict[str, Any]) -> object:
            events = document["told"]["events"]
            found[:] = [one for one in events if one["kind"] == kind and text in one["text"]]
            return found

        self.comes(holds)
        return found[-1]


@contextmanager
def observed(
    path: Path, backend: str = "py", source: str = SITE, **settings: Any
) -> Iterator[tuple[Deployment, Status]]:
    """A deployment with its status."""
    with deployed(path, backend, source, **{**ON, **settings}) as server:
        found = server.line(STATUS)
        yield server, Status(server, (found[1], int(found[2])))
