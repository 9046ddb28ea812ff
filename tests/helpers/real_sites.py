"""Real applications in processes of their own, and what clients in use get of them."""

from __future__ import annotations

import contextlib
import http.client
import queue
import re
import subprocess
import sys
import threading
from typing import Callable

from tests.helpers.serving import PATIENCE

APPS = {
    "flask": "flask_app:app",
    "django": "shop.wsgi:application",
    "falcon": "falcon_app:app",
    "bottle": "bottle_app:app",
}
DEMO = {"demo": "fastwsgi.demo:app"}


class Site:
    """An application that is served by a process.

    Args:
        name: of APPS or DEMO.
        build: "c" or "py".
        validated: whether it runs under the validator.
        environment: for the process.
    """

    def __init__(self, name: str, build: str, validated: bool, environment: dict[str, str]) -> None:
        self.name = name
        target = {**APPS, **DEMO}[name]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastwsgi", "--bind", "127.0.0.1:0", "validated" if validated else target],
            env={**environment, "FASTWSGI_BACKEND": build, "REALAPPS_VALIDATED": target},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors: list[str] = []
        self._addresses: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = self._addresses.get(timeout=PATIENCE)
        assert self.url, "".join(self.errors)
        self.host, self.port = "127.0.0.1", int(self.url.rpartition(":")[2])

    def _read(self) -> None:
        for line in self.process.stderr or ():
            found = re.search(r"listening on (http://\S+)", line)
            if found is not None:
                self._addresses.put(found[1])
            self.errors.append(line)
        self._addresses.put("")  # it ended

    def connect(self) -> contextlib.closing[http.client.HTTPConnection]:
        """A connection that is closed at the end of the block."""
        return contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE))

    def stop(self) -> None:
        """End the process; it must end well."""
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join(PATIENCE)
            if self.process.stderr is not None:
                self.process.stderr.close()
        complaints = [line for line in self.errors if "internal error" in line or "AssertionError" in line]
        assert (code, complaints) == (0, [])


Serve = Callable[[str], Site]


def curl(*arguments: str, data: bytes = b"") -> bytes:
    """What curl prints."""
    command = ["curl", "--silent", "--show-error", "--max-time", str(PATIENCE), *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=2 * PATIENCE).stdout


def split_answer(data: bytes) -> tuple[str, dict[str, str], bytes]:
    """Status line, fields and body of what `curl -i` prints."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    return status, {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}, body
