"""A server that is asked what its application saw, and started again when it died or hangs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from launch import ServerFailed, running
from measure import cores
from servers import Server

from . import site
from .talk import Reply, Talk, converse, replies

SERVED = Path(__file__).with_name("served")
PATIENCE = 0.5  # seconds of silence that are taken for "nothing more comes"
RECORDS = b"GET /--records HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
ANSWERS_WITHIN = 5.0  # seconds

Record = dict[str, Any]


class Gone(Exception):
    """The server answers no more: "died", or "stuck" where its process is still there."""


class Session:
    """One server under probe.

    Args:
        patience: seconds of silence after which nothing more is expected.
    """

    def __init__(self, server: Server, python: str, patience: float = PATIENCE) -> None:
        self.server, self.python, self.patience = server, python, patience
        self.port = 0
        self.pid = 0  # of the process that the application runs in
        self.closings = 0  # how often close() was called before the last records()
        self.running: contextlib.AbstractContextManager[tuple[int, int]] | None = None

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Raises launch.ServerFailed."""
        self.running = running(self.server, self.python, "probe", cores()[1], folder=SERVED, files=site.folder())
        self.parent, self.port = self.running.__enter__()
        try:
            self.pid = int(self.fetch()["pid"])
        except (OSError, ValueError):
            self.stop()
            raise ServerFailed("does not answer") from None

    def stop(self) -> None:
        """At once: some take seconds to end, and nobody waits for an answer."""
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.parent, signal.SIGKILL)
            self.running.__exit__(None, None, None)
            self.running = None

    def again(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def waiting(self, factor: float) -> Iterator[None]:
        """More patience, for a with block."""
        self.patience *= factor
        try:
            yield
        finally:
            self.patience /= factor

    def records(self) -> list[Record]:
        """What the application saw since the last call. Raises Gone; the server has been started again then."""
        try:
            told = self.fetch()
        except (OSError, ValueError):
            word = "stuck" if self.lives() else "died"
            self.again()
            raise Gone(word) from None
        self.closings = int(told["closings"])
        before, self.pid = self.pid, told["pid"]
        if before != self.pid:
            raise Gone("died")
        records: list[Record] = told["records"]
        return records

    def fetch(self) -> dict[str, Any]:
        """The answer to RECORDS. Raises OSError, or ValueError where it is none."""
        data = b""
        with socket.create_connection(("127.0.0.1", self.port), ANSWERS_WITHIN) as client:
            client.sendall(RECORDS)
            while b"]}" not in data[-2:] and (more := client.recv(1 << 20)):
                data += more
        told: dict[str, Any] = json.loads(data[data.index(b'{"pid"'):])
        return told

    def lives(self) -> bool:
        """Whether the process that we started is there, and no zombie."""
        try:
            state = Path(f"/proc/{self.parent}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state != "Z" and os.path.exists(f"/proc/{self.pid}")

    def talk(self, *pieces: bytes, **options: Any) -> Talk:
        """A conversation on a connection of its own; see talk.converse."""
        patience = options.pop("patience", self.patience)
        try:
            return converse(self.port, pieces, patience, **options)
        except OSError:
            return Talk(end="reset")

    def ask(self, *pieces: bytes, **options: Any) -> tuple[list[Reply], bytes, list[Record], Talk]:
        """Talk, and learn what the application saw: replies, stray bytes, records, talk. Raises Gone."""
        talk = self.talk(*pieces, **options)
        records = self.records()
        return *replies(talk, methods_of(pieces, records)), records, talk


def methods_of(pieces: Sequence[bytes], records: Sequence[Record]) -> Any:
    """Of which method the request of a reply was: its X-Seen says it; without that, whether we began with HEAD."""
    head = pieces[0].lstrip().startswith(b"HEAD ") if pieces else False

    def method(reply: Reply) -> str:
        seen = reply.get("x-seen")
        if seen is not None and seen.isdigit() and int(seen) < len(records):
            return str(records[int(seen)]["environ"].get("REQUEST_METHOD"))
        return "HEAD" if head and seen is None else "GET"

    return method
