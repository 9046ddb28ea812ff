"""A server that is going to be abused: what it costs to, and others that are served meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci.scenarios.running import Deployment, Load, end, memory, served, until, wanted

SITE = """
import os, tempfile

PIECE = b"x" * 65536
FILE = tempfile.NamedTemporaryFile()
FILE.truncate(len(PIECE) * 800)
HOARD = []

def hoard():
    try:
        while True:
            HOARD.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass

def app(environ, start_response):
    path = environ["PATH_INFO"]
    length = [("Content-Length", str(800 * len(PIECE)))] if path == "/list" else []
    start_response("200 OK", length)
    if path == "/pid":
        return [str(os.getpid()).encode()]
    if path == "/list":
        return [PIECE] * 800
    if path == "/stream":
        return (PIECE for _ in range(800))
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(FILE.name, "rb"))
    if path == "/hoard":
        hoard()
    if path == "/free":
        while HOARD:
            os.close(HOARD.pop())
    return [environ["wsgi.input"].read(10) or b"hello"]
"""
MIB = 1 << 20
LATENCY = 50.0  # ms, p99 of the others
GROWTH = 16  # MiB
PAUSE = 0.002  # seconds between two requests of one of the others


class Peak:
    """The most memory that the workers had since it was made, less what they had then."""

    def __init__(self, server: Deployment) -> None:
        self.server = server
        self.before = self.most = memory(server)

    def look(self) -> None:
        self.most = max(self.most, memory(self.server))

    @property
    def mib(self) -> float:
        return (self.most - self.before) / MIB


@contextmanager
def abused(**settings: Any) -> Iterator[tuple[Deployment, Peak]]:
    """One worker; afterwards it must have its descriptors and memory back, and end well."""
    with served(SITE, **{"workers": 1, **settings}) as server:
        with Load(server.address, kept=2, new=1) as load:
            load.more(500)
        until(lambda: connections(server) == 0)
        before, most = descriptors(server), Peak(server)
        yield server, most
        until(lambda: descriptors(server) <= before, 10, f"descriptors do not come back to {before}")
        left = (memory(server) - most.before) / MIB
        wanted(left <= GROWTH / 2, f"{left:.0f} MiB stay")
        end(server)


@contextmanager
def beside(server: Deployment, latency: float = LATENCY) -> Iterator[Load]:
    """Others that are served meanwhile: none of their requests may be lost, and none may take long."""
    with Load(server.address, kept=2, new=1, pause=PAUSE) as load:
        load.more(100)
        load.seconds.clear()
        yield load
        load.more(100)
    wanted(load.lost == [], f"no request of the others lost: {load.lost[:3]}")
    wanted(load.percentile(0.99) <= latency, f"p99 of the others {load.percentile(0.99):.0f} ms")


def connections(server: Deployment) -> int:
    """How many the workers have open, their listener not counted."""
    port = server.address[1]
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(one[1].endswith(f":{port:04X}") and one[3] == "01" for one in lines)


def descriptors(server: Deployment) -> int:
    """How many files the workers have open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.children())


def cpu(server: Deployment) -> float:
    """Seconds of CPU that the workers have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in server.children()]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def shown(load: Load, most: Peak) -> str:
    return f"{load.done} others, p99 {load.percentile(0.99):.1f} ms, +{most.mib:.1f} MiB"
