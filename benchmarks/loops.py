"""What loops that share a process cost each other: a request served by one loop, and by two at a time.

    PYTHON_GIL=0 python3.14t benchmarks/loops.py

There is no client that could be the slower side and none that takes a core: each thread, on a core of its own, has a
loop and both ends of its connections, writes a request into each, has the loop answer them and reads the answers. It
does so alone; beside another process that does the same, which shows what the machine gives to two cores; and beside
another thread, with a loop of its own over the same application. What two threads take above two processes is what
they wait for each other: memory that both write, above all reference counts, and locks.

The three take turns of a fraction of a second, so drifts of the machine are not in their ratios, which are medians.
Time is that of the thread's CPU, in which a wait for memory is, and no other program; but two loops that did not run at
the same time have not met, so the turns with the least of others are taken, and the last column tells how much of
the time the loops had their cores: below 0.9 the figures are too good. Of each time that of the clients' side is taken
off, measured in the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from statistics import mean, median
from typing import Any, Callable

import apps
from instructions import GET, PROFILES, Profile, connect, make_loop
from launch import HERE

CONNECTIONS = 32  # of each loop, all of them ready in each step
TURN = 0.05  # seconds of CPU
SHARED_PROFILES = {
    "hello": PROFILES["hello"],
    "browser": PROFILES["browser"],
    "compute": Profile(apps.compute),
    "flask": Profile(lambda environ, start_response: []),  # in_framework() has the application
}
FRAMEWORKS = {"flask": "frameworks.flask_json"}
CLIENT = "client"  # the clients' side alone


def profile_of(name: str) -> Profile:
    """The profile *name*, with its application imported."""
    kind = SHARED_PROFILES[name]
    if name not in FRAMEWORKS:
        return kind
    return Profile(import_module(FRAMEWORKS[name]).app, kind.request)


class Side(threading.Thread):
    """A thread on *core* with a loop and its clients; *kind* None has the clients alone."""

    def __init__(self, kind: Profile | None, core: int, barrier: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self.kind = kind
        self.core = core
        self.barrier = barrier
        self.rounds = 0
        self.seconds = self.worked = 0.0

    def run(self) -> None:
        """Serve *rounds* rounds each time that all threads are at the barrier."""
        os.sched_setaffinity(0, {self.core})
        pairs = [socket.socketpair() for _ in range(CONNECTIONS)]
        step, request = int, GET + b"\r\n"
        if self.kind is not None:
            loop = make_loop("c", self.kind, None)
            for _, served in pairs:
                connect(loop, served).on_ready()
            step, request = loop.step, self.kind.request(0)
        ends = [(client.send, client.recv) for client, _ in pairs]
        if self.kind is None:
            ends = [(client.send, served.recv) for client, served in pairs]
        while True:
            self.barrier.wait()
            began, worked = time.perf_counter(), time.thread_time()
            drive(ends, step, request, self.rounds)
            self.seconds, self.worked = time.perf_counter() - began, time.thread_time() - worked
            self.barrier.wait()


def drive(ends: list[tuple[Any, Any]], step: Callable[[float], Any], request: bytes, rounds: int) -> None:
    """*rounds* times a request to each connection, a step of the loop, and an answer from each."""
    for _ in range(rounds):
        for send, _receive in ends:
            send(request)
        step(1.0)
        for _send, receive in ends:
            receive(4096)


def serve(profile: str, cores: list[int]) -> None:
    """A process with a thread on each of *cores*: for each number of rounds that is read, print what they took."""
    kind = None if profile == CLIENT else profile_of(profile)
    barrier = threading.Barrier(len(cores) + 1)
    sides = [Side(kind, core, barrier) for core in cores]
    for side in sides:
        side.start()
    for line in sys.stdin:
        for side in sides:
            side.rounds = int(line)
        barrier.wait()
        barrier.wait()
        print(json.dumps([(side.seconds, side.worked) for side in sides]), flush=True)


class Process:
    """A process that serves *profile* on *cores*."""

    def __init__(self, profile: str, cores: list[int]) -> None:
        command = [sys.executable, __file__, "--serve", profile, ",".join(map(str, cores))]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=HERE)

    def begin(self, rounds: int) -> None:
        """Have each of its threads serve *rounds* rounds."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{rounds}\n")
        self.process.stdin.flush()

    def end(self) -> list[tuple[float, float]]:
        """The seconds that this took each of its threads, and how long that had its core."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process that serves has ended")
        return [(seconds, worked) for seconds, worked in json.loads(line)]

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def together(processes: list[Process], rounds: int) -> tuple[float, float]:
    """Seconds of CPU that *rounds* rounds took, the mean of all threads of *processes*, which run at a time.

    With them the share of the time in which all had their cores: else nobody was there to wait for.
    """
    for process in processes:
        process.begin(rounds)
    taken = [side for process in processes for side in process.end()]
    return mean(worked for _, worked in taken), min(worked / seconds for seconds, worked in taken)


def turns(profile: str, cores: list[int], count: int) -> list[list[float]]:
    """Microseconds of a request in each turn: alone, beside a process, beside a thread; and the least share of a core.

    Of *count* turns those are kept in which other programs took the least of the cores.
    """
    one, other, both = (Process(profile, own) for own in (cores[:1], cores[1:], cores))
    try:
        rounds = 1
        while (taken := together([one], rounds)[0]) < TURN / 2:
            rounds *= 2
        rounds = max(1, round(rounds * TURN / taken))
        ways = ([one], [one, other], [both])
        for way in ways:
            together(way, rounds)
        found = [[together(way, rounds) for way in ways] for _ in range(count)]
        found.sort(key=lambda turn: min(share for _, share in turn), reverse=True)
        unit = 1e6 / rounds / CONNECTIONS
        kept = found[: max(3, count // 3)]
        return [[*(worked * unit for worked, _ in turn), min(share for _, share in turn)] for turn in kept]
    finally:
        for process in (one, other, both):
            process.close()


def row(profile: str, found: list[list[float]], client: list[float]) -> str:
    """A row of the table, from the turns *found* and the medians of the *client* alone."""
    own = [[taken - side for taken, side in zip(turn, client[:3])] for turn in found]
    alone, processes, threads = (median(column) for column in zip(*own))
    rate = median(2 * one / two for one, _, two in own)
    share = median(turn[-1] for turn in found)
    contention = median(two / beside for _, beside, two in own)
    columns = (f"{one:.2f}" for one in (alone, processes, threads, contention, rate, share))
    return f"| {profile} | {' | '.join(columns)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", default=",".join(SHARED_PROFILES), help="some of: %(default)s")
    parser.add_argument("--turns", type=int, default=30, help="of each way (default: %(default)s)")
    parser.add_argument("--serve", nargs=2, metavar=("PROFILE", "CORES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        profile, cores = options.serve
        serve(profile, [int(core) for core in cores.split(",")])
        return
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2 or getattr(sys, "_is_gil_enabled", lambda: True)():
        sys.exit("this needs two cores and an interpreter without a GIL (PYTHON_GIL=0)")
    names = options.profiles.split(",")
    client = [median(column) for column in zip(*turns(CLIENT, cores, options.turns))]
    print(f"CPython {sys.version.split()[0]}, cores {cores}, µs of a request without its client\n")
    print("| | one loop | beside a process | beside a thread | thread of process | requests/s | of the cores |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in names:
        print(row(name, turns(name, cores, options.turns), client), flush=True)


if __name__ == "__main__":
    main()
