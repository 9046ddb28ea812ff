"""Starting and stopping one server: pinned, in a session of its own, ready when it accepts a connection.

The session is what later tells which processes belong to the server (measure.py).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from certificate import pair
from servers import Server

HERE = Path(__file__).parent
START_SECONDS = 15
STOP_SECONDS = 5
POLL_SECONDS = 0.002
PORTS = range(20_000, 32_000)  # below Linux's ephemeral ports, which the clients use up


class ServerFailed(Exception):
    """A server did not start, answered wrongly or completed nothing; the message says which."""


@contextlib.contextmanager
def running(
    server: Server, python: str, app: str, core: int | str, tls: bool = False, folder: Path = HERE, threads: int = 1,
    files: str = "",
) -> Iterator[tuple[int, int]]:
    """Run a server on one core for the time of a with block: (pid, port). Raises ServerFailed.

    Args:
        core: or several, as taskset takes them.
        tls: whether it is to speak TLS.
        folder: where the module with the application is.
        threads: how many it is to have for the application, if that is not fixed.
        files: a folder that it is to serve by itself.
    """
    if tls and not server.tls:
        raise ServerFailed("speaks no TLS")
    port = free_port()
    asked = server.command(python, app, port, pair() if tls else None, threads, files)
    command = ["taskset", "-c", str(core), *asked]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **server.environment}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            await_ready(process, port, output)
            yield process.pid, port
        finally:
            stop(process)


def free_port() -> int:
    """A TCP port nobody listens on now."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def await_ready(process: subprocess.Popen[bytes], port: int, output: IO[bytes]) -> None:
    """Return at the first accepted connection. Raises ServerFailed with the server's last words."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"exited at start: {last_line(output)}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(POLL_SECONDS)
    raise ServerFailed(f"did not listen within {START_SECONDS} s: {last_line(output)}")


def last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end; what is left of its process group after STOP_SECONDS is killed."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
