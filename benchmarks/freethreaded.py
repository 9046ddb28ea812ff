"""What one process makes of two cores where there is no GIL, beside two workers and beside the peers that run there.

    python3.14t benchmarks/freethreaded.py

The unit is a core with a loop and its client: *one loop* shares one core with one client, wrk; *two loops* of one
process share both cores with two clients, one on each, and so do *two workers* and each peer. So a client takes the
same share for one loop as for two, and what is compared is twice the machine with twice the loops: requests/s should
double, and CPU time per request stay. What two workers lose against one loop is the machine's, which wakes threads on
another core; what two loops lose against two workers is what they cost each other, and what threads cost: *threaded
workers* are two of two threads each, which share nothing.

All servers of a profile are up together, and have bursts in turn, every other pass backwards; a ratio is the median of
those of each pass. On a machine with other work, --urgent has the kernel prefer servers and clients to it. Memory is
read after the load: the proportional set size of the workers alone, and of the whole service. `compute` is calibrated
to COMPUTE_MS of pure Python. The peers are installed once, into an environment of their own; one that does not install
or run is named with the reason.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import thread_time

import apps
import machine
import peers
from check import check
from launch import ServerFailed, running
from load import Load, drive
from measure import cpu_seconds_at_rest, pss_mib
from profiles import PROFILES, Profile
from run import BUILD, found, pick, require
from servers import FASTWSGI, SERVERS, Server

COMPUTE_MS = 1.5
CORES = sorted(os.sched_getaffinity(0))[:2]
LABEL = f"{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
ONE, TWO, WORKERS = "one loop", "two loops", "two workers"
HEADING = ("| | requests/s | of one loop | CPU, µs | of one loop | of two workers | p99, ms | workers, MB |"
           " of two workers | service, MB | of two workers | errors |")
DISTURBING = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PORT", "WEB_CONCURRENCY")  # variables


def ours(name: str, *options: str) -> Server:
    return Server(name, "fastwsgi-server", (*FASTWSGI, *options), {"FASTWSGI_BACKEND": "c"}, ours=True)


def on_both_cores(name: str, *options: str) -> Server:
    """A peer of servers.py, and options that take the place of what it has there; the last argument stays the last."""
    arguments = SERVERS[name].arguments
    return replace(SERVERS[name], arguments=(*arguments[:-1], *options, arguments[-1]))


TABLE = (
    ours(ONE, "--threads", "1"),
    ours(TWO, "--threads", "2", "--loops", "2"),
    ours(WORKERS, "--threads", "1", "--workers", "2"),
    ours("threaded workers", "--threads", "2", "--loops", "1", "--workers", "2"),
    on_both_cores("gunicorn", "--threads", "2"),
    on_both_cores("waitress", "--threads", "2"),
    Server("cheroot", "cheroot", ("-m", "cheroot", "--bind", "127.0.0.1:{port}", "--threads", "2", "{module}:{app}")),
    SERVERS["fastpysgi"],
    SERVERS["bjoern"],
    SERVERS["freastal"],
    on_both_cores("uwsgi", "--threads", "2"),
    on_both_cores("granian", "--workers", "2"),
    on_both_cores("peregrine", "--free-threaded", "--workers", "2"),
    on_both_cores("m0serve", "--threads", "2"),
)
CONTENDERS = {server.name: server for server in TABLE}


@dataclass
class Figures:
    """What bursts of one server have shown, each a column of the table."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    errors: int = 0
    workers_mib: float = 0.0
    service_mib: float = 0.0


class Contender:
    """A server that is up, with a client on each of its cores."""

    def __init__(self, profile: Profile, server: Server) -> None:
        self.profile, self.server = profile, server
        self.cores = CORES[1:] if server.name == ONE else CORES
        self.figures = Figures()
        self._life = ExitStack()

    def start(self, python: str, urgent: bool) -> None:
        """Start it, look at its answers, warm it up. Raises ServerFailed."""
        cores = ",".join(map(str, self.cores))
        up = running(self.server, python, self.profile.app, cores, threads=1)
        self.session, self.port = self._life.enter_context(up)
        if urgent:
            prefer(self.session)
        check(self.profile, self.port)
        self._drive(1)

    def stop(self) -> None:
        self._life.close()

    def burst(self, seconds: float) -> None:
        """Load it. Raises ServerFailed."""
        before = cpu_seconds_at_rest(self.session)
        loads = self._drive(seconds)
        spent = cpu_seconds_at_rest(self.session) - before
        requests, figures = sum(load.requests for load in loads), self.figures
        figures.rate.append(sum(load.requests / load.seconds for load in loads))
        figures.cpu_us.append(spent / requests * 1e6)
        figures.p99_ms.append(max(load.p99_ms for load in loads))
        figures.errors += sum(load.errors for load in loads)
        figures.service_mib = pss_mib(self.session)
        figures.workers_mib = pss_mib(self.session, leader=False)

    def _drive(self, seconds: float) -> list[Load]:
        """A client on each core, with its share of the connections, at the same time."""
        share = replace(self.profile, tool="wrk", connections=self.profile.connections // 2)

        def on(core: int) -> Load:
            os.sched_setaffinity(0, {core})  # of this thread, and of the client that it starts
            return drive(share, self.port, seconds)

        with ThreadPoolExecutor(len(self.cores)) as threads:
            return list(threads.map(on, self.cores))


def prefer(process: int | str) -> None:
    """Have the kernel prefer the session of a process to all others: a nice value holds within a session only."""
    Path(f"/proc/{process}/autogroup").write_text("-20")


def compute() -> Profile:
    """The profile of an application that computes for COMPUTE_MS on this interpreter."""
    took = []
    for _ in range(100):
        began = thread_time()
        apps.compute({}, print_nothing)
        took.append(thread_time() - began)
    apps.STEPS = round(apps.STEPS * COMPUTE_MS / 1000 / median(took))
    os.environ["COMPUTE_STEPS"] = str(apps.STEPS)
    answer = b"".join(apps.compute({}, print_nothing))
    about = f"{COMPUTE_MS} ms of pure Python"
    return Profile("compute", about, "compute", len(answer), answer.decode(), connections=32)


def print_nothing(*_: object) -> None:
    """A start_response."""


def measure(profile: Profile, servers: Sequence[Server], pythons: dict[str, str], options: argparse.Namespace) -> None:
    """Print the table of one profile."""
    with ExitStack() as stack:
        up = []
        for server in servers:
            one = Contender(profile, server)
            stack.callback(one.stop)
            if tried(one, partial(one.start, pythons[server.name], options.urgent)):
                up.append(one)
        for number in range(options.passes):
            for one in up[:: -1 if number % 2 else 1]:
                if not tried(one, partial(one.burst, options.seconds)):
                    one.stop()
                    up.remove(one)
        print(table(profile, {one.server.name: one.figures for one in up}), flush=True)


def tried(one: Contender, action: Callable[[], None]) -> bool:
    """Whether that went well; if not, the reason is told."""
    try:
        action()
    except ServerFailed as error:
        print(f"{one.profile.name}: {one.server.name} failed: {error}", file=sys.stderr)
        return False
    return True


def table(profile: Profile, all_figures: dict[str, Figures]) -> str:
    """What was found, each figure the median of its bursts, ratios to one loop those of the bursts of a pass."""
    title = f"\n{profile.name}, {profile.connections} connections: {profile.about}\n"
    lines = [title, HEADING, f"| --- |{' ---: |' * (HEADING.count('|') - 2)}"]
    one, two = all_figures.get(ONE, Figures()), all_figures.get(WORKERS, Figures())
    for name, its in all_figures.items():
        columns = (
            f"{median(its.rate):,.0f}", ratio(its.rate, one.rate), f"{median(its.cpu_us):,.1f}",
            ratio(its.cpu_us, one.cpu_us), ratio(its.cpu_us, two.cpu_us), f"{median(its.p99_ms):.1f}",
            f"{its.workers_mib:.1f}", ratio([its.workers_mib], [two.workers_mib]),
            f"{its.service_mib:.1f}", ratio([its.service_mib], [two.service_mib]), str(its.errors))
        lines.append(f"| {name} | {' | '.join(columns)} |")
    return "\n".join(lines)


def ratio(values: list[float], base: list[float]) -> str:
    """The median of the ratios; "-" if there is nothing to compare with."""
    ratios = [one / other for one, other in zip(values, base) if other]
    return f"{median(ratios):.2f}" if ratios else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--servers", default=",".join(CONTENDERS), metavar="A,B", help=f"any of {', '.join(CONTENDERS)}")
    add("--profiles", default="compute,hello,flask", metavar="X,Y", help="any of %(default)s")
    add("--connections", type=int, metavar="N", help="of both clients together, in place of a profile's own")
    add("--passes", type=int, default=7, metavar="N", help="bursts of each server (%(default)s)")
    add("--seconds", type=int, default=2, metavar="N", help="length of a burst (%(default)s)")
    add("--peers-python", metavar="PATH", help="interpreter that has the peers; nothing is installed then")
    add("--quick", action="store_true", help="ours alone, two passes of a second")
    add("--urgent", action="store_true", help="ahead of other programs; as root")
    options = parser.parse_args()
    if options.quick:
        parser.set_defaults(servers=",".join((ONE, TWO, WORKERS)), passes=2, seconds=1)
        options = parser.parse_args()
    run(options)


def run(options: argparse.Namespace) -> None:
    """Measure what is asked for."""
    require({"wrk", "taskset"})
    if len(CORES) < 2:
        sys.exit("this needs two cores")
    if options.urgent:
        prefer("self")
    for name in DISTURBING:
        os.environ.pop(name, None)
    os.environ["PYTHONPATH"] = peers.frameworks(BUILD / f"frameworks-{LABEL}")
    servers = pick(options.servers, CONTENDERS)
    theirs = {server.distribution for server in servers if not server.ours}
    peers_python = options.peers_python or (peers.prepare(BUILD / f"peers-{LABEL}", theirs) if theirs else "")
    pythons = {server.name: sys.executable if server.ours else peers_python for server in servers}
    print(", ".join(f"{name} {value}" for name, value in machine.facts().items()))
    present = []
    for server in servers:
        version, reason = found(server, pythons[server.name])
        print(f"{server.name}: {reason or version}")
        present += [] if reason else [server]
    for name in options.profiles.split(","):
        profile = compute() if name == "compute" else PROFILES[name]
        measure(replace(profile, connections=options.connections or profile.connections), present, pythons, options)


if __name__ == "__main__":
    main()
