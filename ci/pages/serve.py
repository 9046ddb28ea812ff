"""Starts the server that a page starts: `python serve.py FOLDER`, with the command in FOLDER/command.

FOLDER/ready, a FIFO, gets "ready" once the server says that it can serve, as it would tell systemd, or else once it has
listened for half a second (ours for ten). SIGTERM is passed on; other signals are for the server alone. The exit code
is the server's.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

INTERVAL = 0.02
LISTENS_FOR = 0.5  # seconds after which a server that tells nobody is taken to be ready
TELLS_WITHIN = 10.0  # seconds, of one that does


def listening() -> set[str]:
    """The inodes of all sockets that listen."""
    found = set()
    for table, column, state, inode in (("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[column] == state:
                found.add(fields[inode])
    return found


def family(pid: int) -> Iterator[int]:
    """A process and what it has started."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            yield from family(int(child))


def listens(pid: int) -> bool:
    """Whether a process of that family has a socket that listens."""
    sockets = listening()
    for process in family(pid):
        for descriptor in Path(f"/proc/{process}/fd").glob("*"):
            try:
                if os.readlink(descriptor).strip("socket:[]") in sockets:
                    return True
            except OSError:  # it was closed meanwhile
                pass
    return False


def await_ready(server: subprocess.Popen[bytes], notices: socket.socket, listens_for: float) -> bool:
    """Wait until it can serve; False if it has ended instead."""
    since = 0.0
    while server.poll() is None:
        if select.select([notices], [], [], INTERVAL)[0] and b"READY=1" in notices.recv(4096).splitlines():
            return True
        if not since and listens(server.pid):
            since = time.monotonic()
        if since and time.monotonic() > since + listens_for:
            return True
    return False


def main() -> int:
    folder = Path(sys.argv[1])
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)  # a handler, not SIG_IGN, which the server would inherit
    command = (folder / "command").read_bytes().split(b"\0")[:-1]
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    (folder / "notices").unlink(missing_ok=True)
    notices.bind(str(folder / "notices"))
    environ = {**os.environ, "NOTIFY_SOCKET": str(folder / "notices")}
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environ)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    tells = any(b"fastwsgi" in word for word in command)
    ready = await_ready(server, notices, TELLS_WITHIN if tells else LISTENS_FOR)
    (folder / "ready").write_text("ready\n" if ready else "ended\n")
    code = server.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
