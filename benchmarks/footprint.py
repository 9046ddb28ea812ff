"""What a server takes before it has work: memory of all its processes, and the time to its first answer.

    python benchmarks/footprint.py

Both stand beside the bare application, a Python process that has imported it and nothing else: what is above that is
the server's. Memory is the proportional set size (PSS), read after some requests. Peers are those of
requirements-peers.txt that are installed; --servers chooses. Ours runs without site, as what an editable installation
has in a .pth file imports pathlib, urllib.parse and more into each Python, the bare one, too.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median

import launch
import machine
import peers
from servers import FASTWSGI, TABLE, Server

BARE = "bare application"
SERVE = "import apps, fastwsgi; fastwsgi.serve(apps.{app}, '127.0.0.1:{port}', log_level='error')"
OURS = (
    Server("fastwsgi.serve()", "fastwsgi-server", ("-c", SERVE), ours=True),
    Server("fastwsgi -w 1", "fastwsgi-server", FASTWSGI, ours=True),
    Server("fastwsgi -w 4", "fastwsgi-server", (*FASTWSGI, "-w", "4"), ours=True),
    Server("fastwsgi -w 4 --preload", "fastwsgi-server", (*FASTWSGI, "-w", "4", "--preload"), ours=True),
)
SERVERS = (*OURS, *(server for server in TABLE if not server.ours and server.distribution))
REQUESTS = 20
ANSWER_SECONDS = 15
WITHOUT_SITE = {"PYTHONPATH": os.pathsep.join([str(launch.HERE.parent), sysconfig.get_path("purelib")])}
DISTURBING = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PORT", "WEB_CONCURRENCY")  # variables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="starts of each (default: %(default)s)")
    parser.add_argument("--servers", help="names, with commas (default: all)")
    options = parser.parse_args()
    for name in DISTURBING:
        os.environ.pop(name, None)
    chosen = [one for one in SERVERS if options.servers is None or one.name in options.servers.split(",")]
    theirs = [one.distribution for one in chosen if not one.ours]
    peer = peers.prepare(Path("build/peers"), theirs) if theirs else sys.executable
    print(", ".join(f"{name} {value}" for name, value in machine.facts().items()) + "\n")
    print("| | PSS, MB | above the bare application | first answer, ms | above it |")
    print("| --- | ---: | ---: | ---: | ---: |")
    bares = {python: median_of([bare(python) for _ in range(options.rounds)]) for python in {sys.executable, peer}}
    print(row(BARE, bares[sys.executable], bares[sys.executable]))
    for server in chosen:
        python = sys.executable if server.ours else peer
        try:
            found = [start(server, python) for _ in range(options.rounds)]
        except launch.ServerFailed as failure:
            print(f"{server.name}: {failure}", file=sys.stderr)
        else:
            print(row(server.name, median_of(found), bares[python]), flush=True)


def median_of(values: list[tuple[float, float]]) -> tuple[float, float]:
    memory, seconds = (median(column) for column in zip(*values))
    return memory, seconds


def row(name: str, found: tuple[float, float], beside: tuple[float, float]) -> str:
    memory, above = found[0] / 1e6, (found[0] - beside[0]) / 1e6
    return f"| {name} | {memory:.1f} | {above:.1f} | {found[1] * 1000:.0f} | {(found[1] - beside[1]) * 1000:.0f} |"


def bare(python: str) -> tuple[float, float]:
    """Bytes of a process that has imported the application, and seconds until then."""
    began = time.monotonic()
    command = [python, "-c", "import apps, sys; print(flush=True); sys.stdin.read()"]
    if python == sys.executable:
        command.insert(1, "-S")
    with subprocess.Popen(command, cwd=launch.HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.monotonic() - began
        return pss(process.pid), seconds


def start(server: Server, python: str) -> tuple[float, float]:
    """Start a server and end it: bytes when it has answered some requests, and seconds until the first answer."""
    port = launch.free_port()
    began = time.monotonic()
    command, environment = server.command(python, "hello", port), server.environment
    if server.ours:
        command.insert(1, "-S")
        environment = {**environment, **WITHOUT_SITE}
    process = subprocess.Popen(
        command, cwd=launch.HERE, env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while not answers(port):
            if process.poll() is not None or time.monotonic() > began + ANSWER_SECONDS:
                raise launch.ServerFailed("does not answer")
            time.sleep(0.001)
        seconds = time.monotonic() - began
        time.sleep(1)  # for the other workers
        for _ in range(REQUESTS):
            answers(port)
        return sum(map(pss, family(process.pid))), seconds
    finally:
        launch.stop(process)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            return client.recv(9) == b"HTTP/1.1 "
    except OSError:
        return False


def pss(pid: int) -> float:
    """Bytes of memory, those that processes share divided among them."""
    match = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [pid, *(one for child in children for one in family(child))]


if __name__ == "__main__":
    main()
