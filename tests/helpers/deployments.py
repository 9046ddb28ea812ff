"""A supervisor with workers in processes of their own, serving files of the test: see isolated/deployed.py."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.processes import ADDRESS, ISOLATED, Process
from tests.helpers.serving import GET, PATIENCE, Client, request

SITE = """
import os, signal, sys, time

version = b"one"

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [])
    if path == "/pid":
        return [str(os.getpid()).encode()]
    if path == "/exit":
        os._exit(3)
    if path == "/wait":
        print("entered", flush=True)
        signal.sigtimedwait([signal.SIGRTMIN], float(environ["QUERY_STRING"]))
    if path == "/held":
        print("entered", flush=True)
        while not os.path.exists(os.path.join(sys.argv[1], "go")):
            signal.sigtimedwait([], 0.01)
    return [version]
"""


class Deployment(Process):
    """The supervisor, and what the system tells of its workers."""

    def __init__(self, directory: Path, backend: str, settings: dict[str, Any]) -> None:
        given = [f"{name}={value!r}" for name, value in settings.items()]
        super().__init__([str(ISOLATED / "deployed.py"), str(directory), *given], backend)
        self.directory = directory
        self.address: Any = None

    def begin(self, log: Path | None = None) -> Deployment:
        """Wait until it serves, by the word of its error log, the file *log* if that is one."""
        found = self.line(ADDRESS.pattern) if log is None else self.found_in(log, ADDRESS.pattern)
        self.address = self._address = (found[1], int(found[2]))
        return self

    def write(self, source: str, name: str = "site.py") -> None:
        """Change what it serves."""
        (self.directory / name).write_text(source)

    def let_go(self) -> None:
        """Let the requests to /held end, those to come too."""
        self.write("", "go")

    def accepts(self) -> bool:
        """Whether somebody listens there; asks nothing."""
        try:
            Client(self.address).socket.close()
        except (ConnectionRefusedError, ConnectionResetError):  # the listener closed before, or just now
            return False
        return True

    def children(self) -> set[int]:
        """Its child processes."""
        return {int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()}

    def ask(self, target: str = "/", address: Any = None) -> bytes:
        """The body of an answer, on a connection of its own."""
        with Client(address or self.address) as client:
            return client.send(request(target=target)).answer().body

    def comes(self, body: bytes) -> None:
        """Wait until it answers with *body*: a worker that retires may have taken another connection."""
        until = time.monotonic() + PATIENCE
        while (answer := self.ask()) != body:
            assert time.monotonic() < until, f"the answer is still {answer!r}"

    def workers(self, count: int) -> set[int]:
        """Wait until *count* workers, all ready, are there: the pids of those that answer."""
        seen: set[int] = set()
        while len(seen) < count:
            seen = {pid for pid in seen if is_alive(pid)} | {int(self.ask("/pid"))}
        return seen

    def wait_for_end_of(self, pid: int) -> None:
        """Wait until a worker is gone."""
        wait_for_end(pid)


def is_alive(pid: int) -> bool:
    """Whether the process runs, or is not reaped yet."""
    return Path(f"/proc/{pid}").exists()


def wait_for_end(pid: int) -> None:
    """Wait until a process that is no child of ours is gone, or a zombie."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    ended = poller.poll(PATIENCE * 1000)
    os.close(fd)
    assert ended, f"process {pid} does not end"


@contextmanager
def deployed(
    directory: Path, backend: str = "c", source: str = SITE, log: Path | None = None, **settings: Any
) -> Iterator[Deployment]:
    """A Deployment that serves, and does not outlive the test; *log* is as in begin()."""
    with starting(directory, backend, source, **settings) as process:
        yield process.begin(log)


@contextmanager
def starting(directory: Path, backend: str = "c", source: str = SITE, **settings: Any) -> Iterator[Deployment]:
    """A Deployment that begins to start."""
    (directory / "site.py").write_text(source)
    process = Deployment(directory, backend, settings)
    try:
        yield process
    finally:
        workers = process.children() if process.process.poll() is None else set()
        process.end()
        for pid in workers:  # orphans end by themselves, which has its own test
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


__all__ = ["GET", "SITE", "Deployment", "deployed", "is_alive", "starting", "wait_for_end"]
