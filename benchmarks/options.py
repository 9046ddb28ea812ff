"""What our own options cost and give, beside each other in one run: threads and the access log.

    python benchmarks/options.py

Three tables: server CPU per request of hello with each option, as a ratio to the same server without it, round by
round; how many requests threads answer that all wait; and how long fast requests take beside threads that wait.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import apps
from launch import HERE, running
from load import Load, parse_wrk
from measure import cores, cpu_seconds
from run import require
from servers import FASTWSGI, Server

WARM_UP_SECONDS = 1
CONNECTIONS = 64


def variant(name: str, *options: str, build: str = "c") -> Server:
    """fastwsgi with some options."""
    return Server(name, "fastwsgi-server", (*FASTWSGI, *options), {"FASTWSGI_BACKEND": build}, ours=True)


def variants(folder: str, build: str) -> list[Server]:
    """The first is what the others are compared with."""
    log = ("--access-logfile", f"{folder}/access.log")
    return [
        variant("threads 1", "--threads", "1", build=build),
        variant("threads 4", "--threads", "4", build=build),
        variant("threads 16", "--threads", "16", build=build),
        variant("access log", "--threads", "1", *log, build=build),
        variant("access log, json", "--threads", "1", *log, "--access-log-format", "json", build=build),
    ]


def wrk(port: int, path: str, connections: int, seconds: int) -> Load:
    """Load a server."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    return parse_wrk(subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout)


@contextmanager
def others(port: int, connections: int, seconds: int) -> Iterator[None]:
    """Clients whose requests sleep, beside what is measured."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/slow"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.wait()


def hello(server: Server, core: int, seconds: int) -> tuple[float, float]:
    """CPU µs a request, and the 99th percentile of latency in ms."""
    with running(server, sys.executable, "hello", core) as (session, port):
        wrk(port, "/", CONNECTIONS, WARM_UP_SECONDS)
        before = cpu_seconds(session)
        load = wrk(port, "/", CONNECTIONS, seconds)
        return (cpu_seconds(session) - before) / load.requests * 1e6, load.p99_ms or 0.0


def cost(servers: list[Server], core: int, rounds: int, seconds: int) -> None:
    """The first table."""
    found: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
    for turn in range(rounds):
        for server in servers:
            found[server.name].append(hello(server, core, seconds))
            print(f"round {turn + 1}/{rounds}  {server.name:18} {found[server.name][-1][0]:7.2f} µs", file=sys.stderr)
    base = found[servers[0].name]
    print(f"\n| hello | CPU µs | of the first (least to most) | p99 ms |\n|{' --- |' * 4}")
    for name, measured in found.items():
        ratios = sorted(one / first for (one, _), (first, _) in zip(measured, base))
        cpu, p99 = (median(column) for column in zip(*measured))
        print(f"| {name} | {cpu:.2f} | {median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | {p99:.2f} |")


def waiting(core: int, seconds: int, build: str) -> None:
    """The second and the third table."""
    print("\n| threads | requests/s that sleep 100 ms | of the ideal | fast p99 ms, all but one asleep |")
    print(f"|{' --- |' * 4}")
    for threads in (4, 16):
        server = variant(f"threads {threads}", "--threads", str(threads), build=build)
        with running(server, sys.executable, "sleep", core) as (_, port):
            slow = wrk(port, "/slow", CONNECTIONS, seconds + 3)
            rate = slow.requests / slow.seconds
        with running(server, sys.executable, "sleep", core) as (_, port), others(port, threads - 1, seconds + 1):
            fast = wrk(port, "/fast", 16, seconds)
        ideal = threads / apps.SLEEP_SECONDS
        print(f"| {threads} | {rate:.1f} | {rate / ideal:.3f} | {fast.p99_ms:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: %(default)s)")
    parser.add_argument("--build", choices=("c", "py"), default="c")
    options = parser.parse_args()
    require({"wrk", "taskset"})
    client, core = cores()
    os.sched_setaffinity(0, {client})
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        cost(variants(folder, options.build), core, options.rounds, options.seconds)
    waiting(core, options.seconds, options.build)


if __name__ == "__main__":
    main()
