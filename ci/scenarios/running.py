"""Running scenarios: a server under load, what is wanted of it, and the report.

A scenario is a function that takes whether it shall be quick, and returns its figures as text, or raises Missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from tests.helpers.deployments import Deployment, deployed
from tests.helpers.serving import Ended
from tests.helpers.traffic import Load

SHAPE = {"workers": 2, "threads": 4, "loops": 0}  # of --loops, 0: as many as the server finds right


class Missed(Exception):
    """A scenario did not do what is wanted."""


def wanted(condition: bool, what: str) -> None:
    if not condition:
        raise Missed(what)


@contextmanager
def served(source: str, **settings: Any) -> Iterator[Deployment]:
    """A server of *source* with the usual shape; FASTWSGI_BACKEND=py: of the pure build."""
    shape = {**SHAPE, **settings}
    shape["loops"] = min(shape["loops"], shape["threads"])
    build = os.environ.get("FASTWSGI_BACKEND", "c")
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), build, source, **shape) as server:
        server.workers(shape["workers"])
        yield server


@contextmanager
def loaded(source: str, **settings: Any) -> Iterator[tuple[Deployment, Load]]:
    """The same, under load."""
    with served(source, **settings) as server, Load(server.address, kept=4, new=4) as load:
        load.more(50)
        yield server, load


def summary(load: Load) -> str:
    return f"{load.done} requests, {len(load.lost)} lost, p99 {load.percentile(0.99):.1f} ms"


def end(server: Deployment) -> None:
    server.signal()
    code = server.wait()
    wanted(code == 0, f"exit code 0, not {code}: {server.seen[-5:]}")


def until(condition: Callable[[], bool], patience: float = 5.0, what: str = "it never came") -> float:
    """Wait for *condition*: how many ms it took."""
    began = time.monotonic()
    while not condition():
        wanted(time.monotonic() - began < patience, what)
        time.sleep(0.001)
    return (time.monotonic() - began) * 1000


def memory(server: Deployment) -> int:
    """PSS of all workers, in bytes."""
    total = 0
    for pid in server.children():
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


def raise_limit(needed: int) -> int:
    """Have so many file descriptors, here and in the servers started from here, or what the system allows: how many."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))  # root may
        except (ValueError, OSError):
            needed = most
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(needed, most)))
    return needed


def make_parser(description: str, names: Iterable[str]) -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"some of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="shortened")
    parser.add_argument("--loops", type=int, default=0, help="of each worker, on a Python without a GIL")
    return parser


def run(scenarios: dict[str, Callable[[bool], str]], options: argparse.Namespace) -> int:
    """Run the scenarios that are asked for, or all; the exit code."""
    SHAPE["loops"] = options.loops
    missed = 0
    for name in options.scenarios or scenarios:
        if name not in scenarios:
            print(f"there is no scenario {name}", file=sys.stderr)
            return 2
        began = time.monotonic()
        try:
            verdict = f"passed: {scenarios[name](options.quick)}"
        except (Missed, Ended, AssertionError, OSError) as error:
            missed += 1
            verdict = f"MISSED: {error}"
        print(f"{name:11} {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if missed else 0
