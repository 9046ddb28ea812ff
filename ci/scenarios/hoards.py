"""Clients that are each within their bounds, and together have a lot held: scenarios of ci/abuse.py.

Memory must stay within --max-buffered and what a worker takes besides, while others are served. With FASTWSGI_BOUNDS=0
the servers get no such option, like those from before it existed, and only the figures are of interest.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ci.scenarios import victim
from ci.scenarios.running import Deployment, end, memory, raise_limit, served, until, wanted
from ci.scenarios.victim import MIB, beside
from tests.helpers.serving import Client, request

LIMIT = 64  # MiB of --max-buffered
BESIDES = 48  # MiB that a worker may take beyond it: what the allocator keeps, and objects that are not counted
SPACE = 16  # MiB of disk
BOUNDED = os.environ.get("FASTWSGI_BOUNDS") != "0"
SITE = victim.SITE.replace(
    '    if path == "/list":\n',
    '    if path == "/own":\n        return [bytes(65536) for _ in range(304)]\n    if path == "/list":\n',
)


class Hoarder:
    """A client that sends *data*, reads nothing, and stays."""

    def __init__(self, address: Any, data: bytes) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(address)
        self.socket.settimeout(10)
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # it was ended meanwhile

    def status(self) -> int:
        """That of the answer; 0 if there is none yet, or it was reset."""
        self.socket.setblocking(False)
        try:
            return int(self.socket.recv(12)[9:] or b"0")
        except OSError:
            return 0


@contextmanager
def hoarding(
    data: bytes, count: int, pause: float, besides: int = BESIDES, **settings: Any
) -> Iterator[tuple[Deployment, list[Hoarder], str]]:
    """A server that *count* hoarders have come to, each with *data*, while others were served; and the figures.

    Args:
        pause: seconds between two of them, so that the others are not held up by the mere work.
        besides: MiB that the worker may take beyond the limit.
    """
    raise_limit(2 * count + 400)  # each may have a file, too
    limit = {"max_buffered": f"{LIMIT}M"} if BOUNDED else {}
    patience = {"header_timeout": 300, "body_timeout": 300, "write_timeout": 300}
    with served(SITE, workers=1, **{"threads": 1, **limit, **patience, **settings}) as server, ExitStack() as stack:
        before = most = memory(server)
        hoarders = []
        with beside(server) as load:
            for number in range(count):
                hoarders.append(Hoarder(server.address, data))
                time.sleep(pause)
                stack.callback(hoarders[-1].socket.close)
                if number % 20 == 0:
                    most = max(most, memory(server))
            load.more(200)
            most = max(most, memory(server))
        grown = (most - before) / MIB
        wanted(not BOUNDED or grown <= LIMIT + besides, f"{grown:.0f} MiB")
        yield server, hoarders, f"{load.done} others, p99 {load.percentile(0.99):.1f} ms, +{grown:.0f} MiB"
        stack.close()
        end(server)
        wanted(not any("Traceback" in line for line in server.seen), "no traceback")


def bodies(quick: bool) -> str:
    """Bodies of which 500 KiB of 512 have come: they go to files."""
    data = request("POST", fields=[("Content-Length", str(512 * 1024))]) + b"x" * (500 * 1024)
    with hoarding(data, 400 if quick else 3000, 0.005) as (_, hoarders, figures):
        refused = sum(one.status() == 408 for one in hoarders)
        wanted(refused == 0, f"none need be refused, and not {refused}")
    return f"{len(hoarders)} bodies: {figures}"


def heads(quick: bool) -> str:
    """Heads of which 56 KiB have come: those for which there is no room get a 408."""
    data = request()[:-2] + b"".join(b"X%d: %s\r\n" % (number, b"x" * 7000) for number in range(8))
    count = 2000 if quick else 9000
    with hoarding(data, count, 0.001) as (_, hoarders, figures):
        refused = sum(one.status() == 408 for one in hoarders)
        room = LIMIT * MIB // len(data)
        wanted(not BOUNDED or 0.7 * room < count - refused < room, f"{count - refused} are held")
    return f"{count} heads, {refused} refused: {figures}"


def lists(quick: bool) -> str:
    """Lists of 19 MiB to clients that do not read: they go to files, but for the one that is being made.

    One thread: the C library keeps a list's memory for each thread that made one.
    """
    count = 30 if quick else 200
    with hoarding(request(target="/own"), count, 0.05, BESIDES + 19) as (_, _, figures):
        return f"{count} lists: {figures}"


def disk(quick: bool) -> str:
    """Bodies in files on a disk that is full: 503 for them, one line in the log, and service for all others."""
    data = request("POST", fields=[("Content-Length", str(3 * MIB))]) + b"x" * (2 * MIB)
    count = 30 if quick else 100
    with small_disk() as settings, hoarding(data, count, 0.02, **settings) as (server, hoarders, figures):
        refused = sum(one.status() == 503 for one in hoarders)
        held = count - refused
        wanted(SPACE // 4 <= held <= SPACE // 2, f"{held} are held")
        for one in hoarders:
            one.socket.close()
        until(lambda: fits(server), what="there is room again")
    lines = [line for line in server.seen if "temporary files" in line]
    wanted(len(lines) == 1, f"one line: {lines}")
    return f"{refused} bodies refused, {held} held: {figures}"


def fits(server: Deployment) -> bool:
    """Whether a body of 1 MiB is accepted."""
    with Client(server.address) as client:
        return client.send(request("POST", body=b"x" * MIB)).answer().status == 200


@contextmanager
def small_disk() -> Iterator[dict[str, Any]]:
    """Settings for a server whose temporary files have little room: on a small tmpfs where that can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SPACE}m", "tmpfs", folder]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            yield {"max_spooled": f"{SPACE}M"}
            return
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = folder
        try:
            yield {}
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before
            subprocess.run(["umount", "-l", folder], check=True)
